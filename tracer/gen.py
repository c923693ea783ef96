"""The command line: `python -m tracer.gen SPEC --out model_mxnet.py`. Thin: it parses, calls, prints."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codegen.problems import ConversionError, RequestError, defect
from tracer.arguments import parse_arguments
from tracer.checking import agrees, are_fresh, trains_alike
from tracer.options import Options, WeightsChoice, command_line, name_mxnet_python
from tracer.report import converted_text, echo, forgiving_streams, ops_text, say, say_error

if TYPE_CHECKING:
    from tracer.conversion import Conversion
    from tracer.load import LoadedModel


EPILOG = """\b
Examples:
  python -m tracer.gen model.py:XXNet --out model_mxnet.py
  python -m tracer.gen model.py:XXNet --out model_mxnet.py --weights XXNet.pth
  python -m tracer.gen model.py:Net --kwargs '{"num_classes": 10}' --input 1,3,112,112 --out net_mxnet.py
  python -m tracer.gen model.py:TwoNet --input image=1,3,112,112 --input vector=1,20 --out two_mxnet.py
  python -m tracer.gen model.py:XXNet --out model_mxnet.py --check     # in CI: are the files fresh?

\b
Exit status: 0 done; 1 the net cannot be converted exactly, or the files are stale; 2 a wrong request.
"""

# Allocations between two looks for reference cycles: what the imports of both frameworks make stays anyway.
COLLECT_AFTER = 100_000
# As a shell says that SIGINT ended a command.
INTERRUPTED = 130


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
    options_metavar="--out FILE [OPTIONS]",
)
@click.argument("spec", metavar="SPEC")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The generated file; the others are named after it.",
)
@click.option(
    "--kwargs",
    "kwargs_texts",
    multiple=True,
    metavar="KWARGS",
    help="Arguments for Name: num_classes=10, or a dict in JSON or Python: '{\"num_classes\": 10}'.",
)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="[NAME=]DIMS[:DTYPE]",
    help="One for each input of forward: 1,3,224,224 or ids=1,128:int64 or ids=@ids.npy. Axis 0 is the "
    "batch unless an N marks another: x=35,N,200. Found from the layers when left out.",
)
@click.option(
    "--search-seconds",
    default=10.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="How long inputs are looked for when --input is left out.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A checkpoint: .pth, .pt, .bin, .safetensors, .npz, the .index.json of several, or a folder of one.",
)
@click.option(
    "--weights-key",
    metavar="KEY",
    help="The key of the checkpoint under which the net's weights stand, where several do: params_ema.",
)
@click.option(
    "--strip-prefix",
    metavar="PREFIX",
    help="What stands before the net's own keys in the checkpoint, where several prefixes fit: encoder_q.",
)
@click.option(
    "--ignore-keys",
    multiple=True,
    metavar="PATTERN",
    help="Keys of the checkpoint to leave out, such as 'head.*'.",
)
@click.option("--no-weights", is_flag=True, help="Write the code alone.")
@click.option("--no-verify", is_flag=True, help="Do not compare with torch.")
@click.option(
    "--verify",
    "more",
    type=click.Choice(["training"]),
    metavar="training",
    help="Compare training as well: the gradient of each parameter, BatchNorm's statistics after a step, and "
    "the losses of five steps of SGD, without dropout.",
)
@click.option(
    "--tolerance",
    default=1e-4,
    show_default=True,
    type=click.FloatRange(min=0),
    metavar="T",
    help="The largest relative difference that counts as equal.",
)
@click.option(
    "--tap",
    "taps",
    multiple=True,
    metavar="PATH[,PATH]",
    help="Return the outputs of these modules instead of the net's: layer4, layer1.0.conv2.",
)
@click.option(
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A Python file with rules for your own ops: see examples/plugin.",
)
@click.option(
    "--templates",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Templates of your own for the generated code: see docs/templates.md.",
)
@click.option(
    "--batch",
    type=click.Choice(["frozen"]),
    help="Keep the batch size of --input. Without it, the run says where the net allows no other.",
)
@click.option(
    "--free",
    type=click.Choice(["H,W"]),
    help="Fail unless the height and width of images may change. Without it, the docstring says whether.",
)
@click.option(
    "--optimize",
    is_flag=True,
    help="Write faster forms, for which the rows of weights are put in another order: self-attention by "
    "MXNet's interleaved products.",
)
@click.option(
    "--trainable",
    is_flag=True,
    help="Write forms that train as torch does under Module, where the usual ones do not: PReLU, the row of "
    "an Embedding's padding_idx, unpooling from windows that overlap, and in float32 LRN and Concats that "
    "oneDNN cannot train.",
)
@click.option("--softmax", is_flag=True, help='Append mx.sym.SoftmaxOutput(name="softmax").')
@click.option(
    "--dry-run", is_flag=True, help="Say what would be converted and what cannot be; write nothing."
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where the files on disk are stale.")
@click.option(
    "--mxnet-python",
    metavar="PATH",
    expose_value=False,
    callback=name_mxnet_python,
    help="Another Python that has mxnet, where this one has none (or set FX2MX_MXNET_PYTHON).",
)
@click.option("--diff", is_flag=True, help="Like --check, and show how they differ.")
def command(
    spec: str,
    out: Path,
    kwargs_texts: tuple[str, ...],
    inputs: tuple[str, ...],
    search_seconds: float,
    weights: Path | None,
    weights_key: str | None,
    strip_prefix: str | None,
    ignore_keys: tuple[str, ...],
    no_weights: bool,
    no_verify: bool,
    more: str | None,
    tolerance: float,
    taps: tuple[str, ...],
    softmax: bool,
    dry_run: bool,
    check: bool,
    diff: bool,
    plugins: tuple[Path, ...],
    templates: Path | None,
    batch: str | None,
    optimize: bool,
    trainable: bool,
    free: str | None,
) -> None:
    """Convert a PyTorch net to MXNet: readable symbol code, weights, and proof that both agree.

    SPEC is path/model.py:Name or package.module:Name; Name is an nn.Module class, a function that
    returns a module, or a module.
    """
    if tolerance != tolerance:
        raise click.UsageError("--tolerance nan is no bound")
    options = Options(
        spec,
        out,
        _kwargs(kwargs_texts),
        inputs,
        weights,
        not no_weights,
        not no_verify,
        tolerance,
        _taps(taps),
        softmax,
        dry_run,
        check or diff,
        diff,
        plugins,
        templates,
        batch,
        search_seconds,
        more == "training",
        optimize,
        trainable,
        free,
        _weights_choice(weights, weights_key, strip_prefix, ignore_keys),
    )
    with forgiving_streams():
        status = run(options)
    sys.exit(status)


def main(argv: list[str] | None = None) -> None:
    """The console script; exits with the status of the contract."""
    command.main(argv, prog_name="python -m tracer.gen")


def run(options: Options) -> int:
    """Do what was asked; the exit status."""
    # Functions of torch.jit.script cannot be traced through; torch reads this when it is imported.
    os.environ.setdefault("PYTORCH_JIT", "0")
    gc.set_threshold(COLLECT_AFTER)
    try:
        return _run(options)
    except ConversionError as error:
        say_error(f"{error.full if options.dry_run else error}\nnothing was written")
        return 1
    except RequestError as error:
        say_error(str(error))
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        say_error(f"{error.filename or '.'}: {error.strerror or error}; nothing was written")
        return 2
    except Exception as error:  # noqa: BLE001 - the last net: a defect of ours is a message too
        from codegen.ir import Source

        problem = defect("the command failed", error, Source())
        say_error(f"{ConversionError((problem,))}\nnothing was written")
        return 1


def _taps(texts: tuple[str, ...]) -> tuple[str, ...]:
    paths = tuple(path for text in texts for path in text.split(","))
    if not all(paths):
        raise click.UsageError("--tap names no module: write it as layer4 or layer1.0.conv2,layer4")
    return paths


def _weights_choice(
    weights: Path | None, key: str | None, prefix: str | None, ignored: tuple[str, ...]
) -> WeightsChoice:
    # The user's dot, which every prefix has, may be missing.
    dotted = f"{prefix}." if prefix and not prefix.endswith(".") else prefix
    choice = WeightsChoice(key, dotted, ignored)
    if choice and weights is None:
        raise click.UsageError("--weights-key, --strip-prefix and --ignore-keys need --weights FILE")
    return choice


def _kwargs(texts: tuple[str, ...]) -> Mapping[str, Any]:
    try:
        return parse_arguments(texts)
    except RequestError as error:
        raise click.UsageError(str(error)) from None


def _run(options: Options) -> int:
    from codegen.artifacts import check_name, check_writable
    from codegen.write.templates import templates_of

    check_name(options.out)
    if not (options.check or options.dry_run):
        check_writable(options.out)
    templates_of(options.templates)  # before the work: it raises where they are wrong
    loaded = _load(options)
    _check_not_source(options.out, loaded.model)
    if options.dry_run:
        return _dry_run(options, loaded)
    conversion = _convert(options, loaded)
    if options.check:
        return 0 if are_fresh(conversion, options.out, options.write_weights, options.diff) else 1
    if options.verify and not agrees(conversion, options.tolerance, fresh=options.weights is None):
        return 1
    if options.verify_training and not trains_alike(conversion):
        return 1
    return _write(options, conversion)


def _check_not_source(out: Path, model: Any) -> None:
    """Raise RequestError where the generated file would take the place of the net's own."""
    modules = {sys.modules.get(type(m).__module__) for m in model.modules()}
    files = [Path(file) for m in modules if (file := getattr(m, "__file__", None))]
    if out.exists() and any(f.exists() and f.samefile(out) for f in files):
        raise RequestError(f"--out {out} is the file that defines the net: give another name")


def _load(options: Options) -> LoadedModel:
    from tracer.load import load_model

    for plugin in options.plugins:
        from tracer.plugins import load_plugin

        load_plugin(plugin)
    say(f"loading {options.spec}")
    loaded = load_model(options.spec, options.kwargs)
    # A check of the code alone goes without the checkpoint, which CI need not have.
    if options.weights is not None and (options.write_weights or not options.check):
        from tracer.checkpoint import load_weights

        say(load_weights(loaded.model, options.weights, options.weights_choice))
    elif options.write_weights:
        say("no --weights: the module's own values are converted (built under seed 0)")
    return loaded


def _convert(options: Options, loaded: LoadedModel) -> Conversion:
    from codegen.mxnet_process import has_mxnet
    from codegen.written import Origin
    from tracer.conversion import convert, convert_specs
    from tracer.inputs import parse_inputs

    origin = Origin(loaded.origin, command_line(options, loaded.origin))
    # Where no symbol is made mxnet is not imported, and need not be installed.
    wants_mxnet = options.write_weights or options.verify or has_mxnet()
    proved = not options.dry_run and wants_mxnet and (options.write_weights or not options.check)
    settings: dict[str, Any] = {
        "taps": options.taps,
        "softmax": options.softmax,
        "origin": origin,
        "proved": proved,
        "templates": options.templates,
        "frozen_batch": options.batch == "frozen",
        "optimize": options.optimize,
        "trainable": options.trainable,
        "free_sizes": options.free is not None,
    }
    say(f"tracing {loaded.name}")
    if options.inputs:
        specs = parse_inputs(options.inputs, loaded.model)
        conversion = convert_specs(loaded.model, specs, loaded.name, **settings)
    else:
        settings |= {"search_seconds": options.search_seconds, "say": say}
        conversion = convert(loaded.model, None, loaded.name, **settings)
    for note in conversion.notes:
        say(note)
    say(converted_text(loaded.name, conversion.program, conversion.graph))
    return conversion


def _dry_run(options: Options, loaded: LoadedModel) -> int:
    conversion = _convert(options, loaded)
    echo(ops_text(conversion.program))
    echo("nothing was written (--dry-run)")
    return 0


def _write(options: Options, conversion: Conversion) -> int:
    from codegen.artifacts import Paths

    conversion.save(options.out, weights=options.write_weights)
    files = conversion.files(options.out, options.write_weights)
    for path in files:
        echo(f"wrote {path}")
    paths = Paths(options.out)
    if paths.symbol not in files:
        say(f"note: {paths.symbol} was not written: there is no mxnet here")
    old = paths.params
    if not options.write_weights and old.exists():
        say(f"note: {old} is from an earlier run and was not changed (--no-weights)")
    return 0


if __name__ == "__main__":
    main()
