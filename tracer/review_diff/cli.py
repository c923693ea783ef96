"""The command line of `fx2mx report-diff`. Thin: it parses, calls, prints."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tracer.console import Console, forgiving_streams
from tracer.net_options import quiet_option

REPORT = click.Path(path_type=Path, allow_dash=True)


@click.command(
    name="report-diff",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    short_help="What changed between two reports: layers, defaults, weights.",
    epilog="\b\nExit status: 0 done; 1 with --exit-code, where anything changed; 2 a wrong request.",
)
@click.argument("old", metavar="OLD", type=REPORT)
@click.argument("new", metavar="NEW", type=REPORT)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it into a file, in Markdown as it is printed without.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 where anything changed, as git diff does.")
@click.option("--force", is_flag=True, help="Overwrite a file that fx2mx did not write.")
@quiet_option
def report_diff(old: Path, new: Path, out: Path | None, exit_code: bool, force: bool, quiet: bool) -> None:
    """Tell what changed from one report of a net to another, in Markdown for a pull request.

    OLD and NEW are what --report wrote, .md or .html, or what --format json printed with --report; - reads
    one from stdin. Lines that only moved in their file, and differences within the tolerance, are no change.
    """
    from tracer.review_diff.command import DiffOptions, run_report_diff

    options = DiffOptions(old, new, out, exit_code, force)
    with forgiving_streams():
        status = run_report_diff(options, Console(quiet=quiet))
    sys.exit(status)
