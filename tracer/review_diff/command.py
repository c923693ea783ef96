"""`fx2mx report-diff OLD NEW`: what it does with its options, and with which status it ends."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from codegen.artifacts import write_all
from codegen.ir import Source
from codegen.problems import OverwriteError, RequestError, defect, with_code
from tracer.console import Console
from tracer.report import overwrite_text
from tracer.review_diff.difference import difference_of
from tracer.review_diff.reading import read_report
from tracer.review_diff.text import MARK, markdown


@dataclass(frozen=True)
class DiffOptions:
    """The command line, parsed."""

    old: Path
    new: Path
    out: Path | None
    exit_code: bool
    force: bool

    @property
    def typed(self) -> str:
        """The line that asks for it."""
        out = ["--out", str(self.out)] if self.out is not None else []
        return shlex.join(["fx2mx", "report-diff", str(self.old), str(self.new), *out])


def run_report_diff(options: DiffOptions, console: Console) -> int:
    """Print or write what changed; the exit status."""
    try:
        return _run(options, console)
    except OverwriteError as error:
        console.error(with_code(overwrite_text(error, options.typed), error.code))
        return 1
    except RequestError as error:
        console.error(with_code(str(error), error.code))
        return 2
    except Exception as error:  # noqa: BLE001 - the last net: a defect of ours is a message too
        problem = defect("the comparison of the reports failed", error, Source())
        console.found(problem, f"{problem.what}\n{problem.hint}")
        return 1


def _run(options: DiffOptions, console: Console) -> int:
    out = options.out
    if out is not None and not options.force:
        _check_ours(out)
    diff = difference_of(read_report(options.old), read_report(options.new))
    text = markdown(diff)
    if out is None:
        console.result(text, nl=False)
    else:
        write_all({out: f"{text}\n{MARK}\n"})
        console.wrote(out)
    return 1 if options.exit_code and diff.is_change else 0


def _check_ours(out: Path) -> None:
    """Raise OverwriteError where another file stands."""
    text = out.read_bytes() if out.is_file() else b""
    if text.strip() and MARK.encode() not in text:
        raise OverwriteError(out, "was not written by fx2mx", is_edited=False)
