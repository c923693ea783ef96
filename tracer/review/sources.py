"""The parts of the user's files that a reader wants to see beside the generated code."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from tracer.review.model import SourceText

# Parts with no more lines between them are shown as one.
CLOSE = 3
# So many lines are shown around one of a file that is no Python.
AROUND = 15


def source_text(path: Path, name: str, lines: Collection[int]) -> SourceText:
    """A file, called `name`, with the classes and functions in which the lines stand."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return SourceText(name, text, _joined(sorted(_parts(text, lines))))


def whole(text: str, name: str) -> SourceText:
    """A file of which all is shown."""
    return SourceText(name, text, ((1, max(text.rstrip("\n").count("\n") + 1, 1)),))


def _parts(text: str, lines: Collection[int]) -> Iterator[tuple[int, int]]:
    """The statements of the file that hold a line each; a line that is in none has its surroundings."""
    last = text.count("\n") + 1
    found = list(_statements(text))
    for line in lines:
        around = (max(1, line - AROUND), min(last, line + AROUND))
        yield next(((first, end) for first, end in found if first <= line <= end), around)


def _statements(text: str) -> Iterator[tuple[int, int]]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for node in tree.body:
        decorators = [d.lineno for d in getattr(node, "decorator_list", [])]
        yield min([node.lineno, *decorators]), node.end_lineno or node.lineno


def _joined(parts: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    joined: list[tuple[int, int]] = []
    for first, last in parts:
        if joined and first <= joined[-1][1] + CLOSE + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)
