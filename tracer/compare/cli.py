"""The command line of `fx2mx compare`, `python -m tracer.compare` too. Thin: it parses, calls, prints."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from tracer.compare.command import CompareOptions, run_compare
from tracer.console import Console, forgiving_streams
from tracer.dispatch import TYPED, Numbered
from tracer.formats.told import FORMATS, told_in
from tracer.net_options import (
    ignore_keys_option,
    input_option,
    kwargs_option,
    mxnet_python_option,
    plugin_option,
    quiet_option,
    search_seconds_option,
    strip_prefix_option,
    tap_option,
    tolerance_option,
    verbose_option,
    weights_choice,
    weights_key_option,
    weights_option,
)


@click.command(
    cls=Numbered,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    short_help="Where a port that was written by hand parts from the net, and why.",
    epilog="\b\nExit status: 0 it agrees; 1 outputs differ from torch; 2 a wrong request.",
)
@click.argument("spec", metavar="SPEC")
@click.argument("prefix", metavar="PREFIX")
@click.option(
    "--epoch",
    type=click.IntRange(min=0),
    metavar="N",
    help="Load PREFIX-000N.params: 0 without it, or the only one there.",
)
@click.option(
    "--contrast",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The table of which weight is which of torch's: PREFIX-layer_contrast.txt where that is "
    "there. Without one a table is proposed.",
)
@kwargs_option
@input_option
@search_seconds_option
@weights_option
@weights_key_option
@strip_prefix_option
@ignore_keys_option
@tolerance_option
@tap_option
@plugin_option
@click.option(
    "--softmax", is_flag=True, help="The port ends in a softmax that forward does not have: torch's gets one."
)
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write what was found, whether the port agrees or not: port.md in Markdown; port.html as a page for "
    "a browser; - prints its summary. May be given more than once.",
)
@click.option("--force", is_flag=True, help="Overwrite a file that --report did not write.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="What was found, for machines: json, one document on stdout and all else on stderr; github, "
    "annotations at the lines of the source.",
)
@quiet_option
@verbose_option
@mxnet_python_option
@click.pass_context
def compare(
    ctx: click.Context,
    /,
    weights_key: str | None,
    strip_prefix: str | None,
    ignore_keys: tuple[str, ...],
    quiet: bool,
    verbose: bool,
    form: str | None,
    **given: Any,
) -> None:
    """Compare a port of a net, written by hand or edited after, with the PyTorch net.

    SPEC is path/model.py:Name or package.module:Name. PREFIX is what mx.model.load_checkpoint takes: it reads
    PREFIX-symbol.json and PREFIX-0000.params. The first layer that parts is named, and what makes it agree.
    """
    choice = weights_choice(given["weights"], weights_key, strip_prefix, ignore_keys)
    typed = ctx.meta[TYPED]
    options = CompareOptions(weights_choice=choice, typed=typed, **given)
    console = Console(quiet=quiet, verbose=verbose)
    with forgiving_streams():
        status = told_in(form, typed, console, lambda: run_compare(options, console))
    sys.exit(status)
