"""`--format github`: the lines by which GitHub shows problems and notes at the lines of the source.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections.abc import Iterator

from codegen.kinds.table import kind_of
from tracer.formats.made import note_row, problem_row
from tracer.outcome import Outcome

COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def annotation_lines(outcome: Outcome) -> Iterator[str]:
    """A line for each problem, warning and note."""
    for problem in outcome.problems:
        row = problem_row(problem)
        what = f"{row.what}\nhint: {row.hint}" if row.hint else row.what
        yield annotation("error", f"{row.code} {row.word}", what, row.file, row.line)
    for note in outcome.notes:
        said = note_row(note)
        command = COMMANDS[kind_of(note.word).level]
        yield annotation(command, f"{said.code} {said.word}", said.what, said.file, said.line)


def annotation(command: str, title: str, message: str, file: str = "", line: int = 0) -> str:
    """One line; without a file it stands at the run as a whole."""
    place = {"file": file} if file else {}
    if file and line:
        place["line"] = str(line)
    properties = ",".join(f"{key}={_property(value)}" for key, value in (place | {"title": title}).items())
    return f"::{command} {properties}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
