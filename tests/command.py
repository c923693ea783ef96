"""The command line as a user calls it, in this process: what it printed, its exit status, its files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from tracer.gen import command

# The number of a message's kind at the end of its line: tests/test_explain.py has these.
CODE = re.compile(r" {1,2}\(FX\d{3}\)$", re.MULTILINE)


@dataclass(frozen=True)
class Done:
    """A finished command; `err` is without the numbers of the kinds of messages, `whole_err` has them."""

    status: int
    out: str
    whole_err: str

    @property
    def err(self) -> str:
        """What was said on stderr."""
        return CODE.sub("", self.whole_err)


def fx2mx(*arguments: str | Path) -> Done:
    """Run `python -m tracer.gen` with these arguments in the current folder.

    An exception that leaves the command is raised here: a user would have seen it as a traceback.
    """
    result = CliRunner().invoke(command, [str(a) for a in arguments], prog_name="python -m tracer.gen")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file of a folder, with its content and the time of its last change."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    return {str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}
