"""The commands beside the one that converts a net: all nets of a project, `check`, `doctor` and others."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from codegen.problems import RequestError, with_code
from tracer.compare.cli import compare
from tracer.console import Console, forgiving_streams
from tracer.doctor import examination
from tracer.many import line_of, run_all, status_of, summary
from tracer.project import TABLE, Job, find_project, generated_files, head_jobs, listed_jobs
from tracer.review_diff.cli import report_diff

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def run_project(folder: Path, words: Sequence[str], console: Console, processes: int | None) -> int:
    """Convert, or with `--check` in the words check, the nets that a project lists; the exit status."""
    try:
        project = find_project(folder)
        if project is None:
            raise RequestError(
                f"there is no SPEC, and no pyproject.toml with [{TABLE}] here or above: give SPEC, as in\n"
                "  fx2mx model.py:XXNet --out model_mxnet.py\n--help tells more",
                code="project",
            )
        jobs = listed_jobs(project)
    except RequestError as error:
        console.error(with_code(str(error), error.code))
        return 2
    return _run(jobs, words, console, processes)


def _run(jobs: Sequence[Job], words: Sequence[str], console: Console, processes: int | None) -> int:
    all_done = []
    with console.counting(len(jobs), "nets") as advance:
        for done in run_all([job.with_words(*words) for job in jobs], processes):
            all_done.append(done)
            advance()
            if done.status == 0:
                console.tell(line_of(done))
            else:
                console.result(line_of(done))
            if console.verbose and done.status == 0:
                console.tell("".join(f"    {line}\n" for line in done.output.splitlines()).rstrip("\n"))
    console.tell(summary(all_done))
    return status_of(all_done)


@click.command(
    context_settings=SETTINGS,
    short_help="Are generated files what the commands in their heads would generate?",
    epilog="\b\nExit status: 0 all are fresh; 1 one is not; 2 a wrong request.",
)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@click.option("--no-weights", is_flag=True, help="The code alone.")
@click.option("--diff", is_flag=True, help="Show how they differ.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but what is wrong.")
@click.option("--verbose", "-v", is_flag=True, help="Show what each command says.")
@click.option("--processes", type=click.IntRange(min=1), metavar="N", help="So many at a time.")
def check(
    files: tuple[Path, ...], no_weights: bool, diff: bool, quiet: bool, verbose: bool, processes: int | None
) -> None:
    """Check generated files: run the command in the head of each FILE, and compare.

    Nothing is written. Without FILE, all generated files below the current folder are checked. Where the
    weights are not there the code alone is, which is said.
    """
    console = Console(quiet=quiet, verbose=verbose)
    words = ["--diff" if diff else "--check", *(["--no-weights"] if no_weights else [])]
    with forgiving_streams():
        try:
            jobs = head_jobs(files or generated_files(Path()))
            if not jobs:
                raise RequestError("there is no generated file here or below", code="no-head")
        except RequestError as error:
            console.error(with_code(str(error), error.code))
            sys.exit(2)
        sys.exit(_run(jobs, words, console, processes))


@click.command(context_settings=SETTINGS, short_help="What is installed, and what works.")
def doctor() -> None:
    """Print what is installed and what works, and what to type for what does not.

    Exit status: 0 all works; 1 something does not.
    """
    with forgiving_streams():
        findings = list(examination())
        console = Console()
        for finding in findings:
            console.result(finding.text())
        sys.exit(0 if all(finding.is_good for finding in findings) else 1)


OTHERS = {"check": check, "compare": compare, "report-diff": report_diff, "doctor": doctor}
