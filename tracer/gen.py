"""The command line: `python -m tracer.gen SPEC --out model_mxnet.py`. Thin: it parses, calls, prints."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn

import click

import tracer
from codegen.kinds.page import plain_page
from codegen.kinds.table import KINDS, named, near
from tracer.collection import rest
from tracer.command import run
from tracer.console import Console, forgiving_streams
from tracer.dispatch import TYPED, Main, SpecType
from tracer.formats.told import FORMATS, told_in
from tracer.heads import COMMAND
from tracer.net_options import (
    ignore_keys_option,
    input_option,
    kwargs_option,
    mxnet_python_option,
    plugin_option,
    quiet_option,
    search_seconds_option,
    softmax_option,
    strip_prefix_option,
    tap_option,
    tolerance_option,
    verbose_option,
    weights_choice,
    weights_key_option,
    weights_option,
)
from tracer.options import FORMS, Options
from tracer.other_commands import OTHERS, run_project

# What may be asked of all nets of a project at once, and whether the command of each is asked it then.
FOR_ALL = {
    "--check": True,
    "--diff": True,
    "--dry-run": True,
    "--force": True,
    "--no-weights": True,
    "--no-verify": True,
    "--quiet": False,
    "--verbose": False,
    "--processes": False,
}
EPILOG = """\b
Other commands (each has its --help):
  fx2mx                  convert all nets that [tool.fx2mx] of pyproject.toml lists; with --check, check them
  fx2mx check [FILE...]  are generated files what the commands in their heads would generate?
  fx2mx compare SPEC PREFIX   where a port that was written by hand parts from the net, and why
  fx2mx report-diff OLD NEW   what changed between two reports of --report: layers, defaults, weights
  fx2mx doctor           what is installed, what works, and what to type for what does not

\b
Examples:
  python -m tracer.gen model.py:XXNet --out model_mxnet.py
  python -m tracer.gen model.py:XXNet --out model_mxnet.py --weights XXNet.pth
  python -m tracer.gen model.py:Net --kwargs '{"num_classes": 10}' --input 1,3,112,112 --out net_mxnet.py
  python -m tracer.gen model.py:TwoNet --input image=1,3,112,112 --input vector=1,20 --out two_mxnet.py
  python -m tracer.gen model.py:XXNet --out model_mxnet.py --report review.html
  python -m tracer.gen model.py:XXNet --out model_mxnet.py --check     # in CI: are the files fresh?

\b
Exit status: 0 done; 1 the net cannot be converted exactly, or the files are stale; 2 a wrong request.
"""
# A flag that turns off what is done without it.
OFF: Any = {"is_flag": True, "flag_value": False, "default": True}


def _explain(context: click.Context, _option: click.Parameter, text: str | None) -> None:
    if text is None or context.resilient_parsing:
        return
    kind = named(text)
    if kind is None:
        close = ", ".join(other.title for other in near(text))
        offer = f"did you mean {close}?" if close else f"they are {KINDS[0].title} to {KINDS[-1].title}"
        raise click.UsageError(f"--explain {text}: there is no such code; {offer}")
    click.echo(plain_page(kind), nl=False)
    context.exit()


@click.command(
    cls=Main,
    others=OTHERS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
    options_metavar="--out FILE [OPTIONS]",
)
@click.version_option(tracer.__version__, prog_name="fx2mx", message="%(prog)s %(version)s")
@click.argument("spec", metavar="SPEC", required=False, type=SpecType(OTHERS))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The generated file; the others are named after it.",
)
@kwargs_option
@input_option
@search_seconds_option
@weights_option
@weights_key_option
@strip_prefix_option
@ignore_keys_option
@click.option("--no-weights", "write_weights", **OFF, help="Write the code alone.")
@click.option("--no-verify", "verify", **OFF, help="Do not compare with torch.")
@click.option(
    "--verify",
    "verify_training",
    type=click.Choice(["training"]),
    callback=lambda _context, _option, value: value is not None,
    metavar="training",
    help="Compare training as well: the gradient of each parameter, BatchNorm's statistics after a step, and "
    "the losses of five steps of SGD, without dropout.",
)
@tolerance_option
@tap_option
@plugin_option
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
    "an Embedding's padding_idx, unpooling from windows that overlap, and in float32 LRN, Concats and "
    "BatchNorms of one or three spatial axes that oneDNN cannot train.",
)
@softmax_option
@click.option(
    "--dry-run", is_flag=True, help="Say what would be converted and what cannot be; write nothing."
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where the files on disk are stale.")
@click.option(
    "--report",
    "reports",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Write a review: review.md in Markdown, for the pull request; review.html as a page for a browser; "
    "- prints its summary.",
)
@click.option("--force", is_flag=True, help="Overwrite a file that was edited by hand.")
@quiet_option
@verbose_option
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    metavar="N",
    help="Without SPEC: so many nets at a time; as many as there are cores otherwise.",
)
@mxnet_python_option
@click.option("--diff", is_flag=True, help="Like --check, and show how they differ.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="What was found, for machines: json, one document on stdout and all else on stderr; github, "
    "annotations at the lines of the source.",
)
@click.option(
    "--explain",
    metavar="CODE",
    is_eager=True,
    expose_value=False,
    callback=_explain,
    help="Print what a code such as FX101 or no-rule means: its cause, an example, and the way out.",
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    spec: str | None,
    out: Path | None,
    weights_key: str | None,
    strip_prefix: str | None,
    ignore_keys: tuple[str, ...],
    check: bool,
    diff: bool,
    quiet: bool,
    verbose: bool,
    processes: int | None,
    form: str | None,
    **given: Any,
) -> None:
    """Convert a PyTorch net to MXNet: readable symbol code, weights, and proof that both agree.

    SPEC is path/model.py:Name or package.module:Name; Name is an nn.Module class, a function that
    returns a module, or a module. Without SPEC all nets of the project are converted.
    """
    console = Console(quiet=quiet, verbose=verbose)
    if spec is None:
        _all_nets(ctx, console, processes)
    if out is None:
        raise click.MissingParameter(ctx=ctx, param_type="option", param_hint="'--out'")
    if processes is not None:
        raise click.UsageError("--processes is for all nets of a project, without SPEC", ctx)
    if given["reports"] and (given["dry_run"] or not given["verify"]):
        raise click.UsageError("--report tells of the comparison: leave out --no-verify and --dry-run")
    choice = weights_choice(given["weights"], weights_key, strip_prefix, ignore_keys)
    typed = ctx.meta[TYPED]
    options = Options(spec, out, check=check or diff, diff=diff, weights_choice=choice, typed=typed, **given)
    with forgiving_streams():
        status = told_in(form, typed, console, lambda: run(options, console))
    sys.exit(status)


def main(argv: list[str] | None = None) -> None:
    """The console script, and the module that Python runs; exits with the status of the contract."""
    if argv is None:
        rest()
    program = Path(sys.argv[0]).stem
    command.main(argv, prog_name=program if program == "fx2mx" else COMMAND)


def _all_nets(ctx: click.Context, console: Console, processes: int | None) -> NoReturn:
    """Convert or check all nets of the project, and exit."""
    asked = [p for p in ctx.command.params if _is_asked(ctx, p)]
    if wrong := [p.opts[0] for p in asked if p.opts[0] not in FOR_ALL]:
        raise click.UsageError(f"{wrong[0]} is for one net, and SPEC is missing: give it as {FORMS}", ctx)
    words = [p.opts[0] for p in asked if FOR_ALL[p.opts[0]]]
    with forgiving_streams():
        sys.exit(run_project(Path.cwd(), words, console, processes))


def _is_asked(ctx: click.Context, parameter: click.Parameter) -> bool:
    source = ctx.get_parameter_source(parameter.name) if parameter.name else None
    return source is click.core.ParameterSource.COMMANDLINE


if __name__ == "__main__":
    main()
