"""Options that say which net is meant, with which inputs and weights: of every command that loads one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from codegen.problems import RequestError
from tracer.arguments import parse_arguments
from tracer.dispatch import Usage
from tracer.options import WeightsChoice, name_mxnet_python


def _taps(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
    paths = tuple(path for text in texts for path in text.split(","))
    if not all(paths):
        raise click.UsageError("--tap names no module: write it as layer4 or layer1.0.conv2,layer4")
    return paths


def _kwargs(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> Mapping[str, Any]:
    try:
        return parse_arguments(texts)
    except RequestError as error:
        raise Usage(str(error), error.code) from None


def _tolerance(_context: click.Context, _option: click.Parameter, tolerance: float) -> float:
    if tolerance != tolerance:
        raise click.UsageError("--tolerance nan is no bound")
    return tolerance


def weights_choice(
    weights: Path | None, key: str | None, prefix: str | None, ignored: tuple[str, ...]
) -> WeightsChoice:
    """What of the weights file is the net's. UsageError where there is no file."""
    # The user's dot, which every prefix has, may be missing.
    dotted = f"{prefix}." if prefix and not prefix.endswith(".") else prefix
    choice = WeightsChoice(key, dotted, ignored)
    if choice and weights is None:
        raise click.UsageError("--weights-key, --strip-prefix and --ignore-keys need --weights FILE")
    return choice


kwargs_option = click.option(
    "--kwargs",
    "kwargs",
    multiple=True,
    callback=_kwargs,
    metavar="KWARGS",
    help="Arguments for Name: num_classes=10, or a dict in JSON or Python: '{\"num_classes\": 10}'.",
)
input_option = click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="[NAME=]DIMS[:DTYPE]",
    help="One for each input of forward: 1,3,224,224 or ids=1,128:int64 or ids=@ids.npy. Axis 0 is the "
    "batch unless an N marks another: x=35,N,200. Found from the layers when left out.",
)
search_seconds_option = click.option(
    "--search-seconds",
    default=10.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="How long inputs are looked for when --input is left out.",
)
weights_option = click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A checkpoint: .pth, .pt, .bin, .safetensors, .npz, the .index.json of several, or a folder of one.",
)
weights_key_option = click.option(
    "--weights-key",
    metavar="KEY",
    help="The key of the checkpoint under which the net's weights stand, where several do: params_ema.",
)
strip_prefix_option = click.option(
    "--strip-prefix",
    metavar="PREFIX",
    help="What stands before the net's own keys in the checkpoint, where several prefixes fit: encoder_q.",
)
ignore_keys_option = click.option(
    "--ignore-keys",
    multiple=True,
    metavar="PATTERN",
    help="Keys of the checkpoint to leave out, such as 'head.*'.",
)
tolerance_option = click.option(
    "--tolerance",
    default=1e-4,
    show_default=True,
    type=click.FloatRange(min=0),
    callback=_tolerance,
    metavar="T",
    help="The largest relative difference that counts as equal.",
)
plugin_option = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A Python file with rules for your own ops: see examples/plugin.",
)
softmax_option = click.option("--softmax", is_flag=True, help='Append mx.sym.SoftmaxOutput(name="softmax").')
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Say nothing but what is wrong.")
verbose_option = click.option("--verbose", "-v", is_flag=True, help="Say how long each stage took.")
mxnet_python_option = click.option(
    "--mxnet-python",
    metavar="PATH",
    expose_value=False,
    callback=name_mxnet_python,
    help="Another Python that has mxnet, where this one has none (or set FX2MX_MXNET_PYTHON).",
)
tap_option = click.option(
    "--tap",
    "taps",
    multiple=True,
    callback=_taps,
    metavar="PATH[,PATH]",
    help="Return the outputs of these modules instead of the net's: layer4, layer1.0.conv2.",
)
