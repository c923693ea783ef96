"""Comments: where a module that is written out begins, and what is said of an op."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from codegen.folded import CallItem
from codegen.program import Call
from codegen.write.docs import COMMAND_LENGTH, wrapped_comment
from codegen.write.scope import Scope
from codegen.written import Blank, Comment, Statement


@dataclass(frozen=True)
class Captioned:
    """The statements of one item, those `above` its caption first.

    `section` names what it is a part of, None where it goes on as before; `comment` is the item's own. What
    its author has `said` is told once, and so is the author's `line` where several in a row are of it.
    """

    statements: tuple[Statement, ...]
    section: str | None = ""
    comment: str = ""
    above: tuple[Statement, ...] = ()
    said: tuple[str, ...] = ()
    line: str = ""


def with_captions(items: Iterable[Captioned]) -> list[Statement]:
    """All statements, a caption where a section begins, an empty line where one begins or ends."""
    made: list[Statement] = []
    section = line = ""
    said: set[str] = set()
    for item in items:
        changed = item.section is not None and item.section != section
        section = section if item.section is None else item.section
        made += item.above
        if changed and not item.above:
            made.append(Blank())
        told = dict.fromkeys(text for text in item.said if text and text not in said)
        said.update(told)
        if item.line and item.line not in (line, section):
            line = item.line
            told[line] = None
        lines = [
            text
            for part in (section if changed else "", *told, item.comment)
            for text in wrapped_comment(part)
        ]
        if lines:
            made.append(Comment(tuple(lines)))
        made += item.statements
    return made


def without_blank(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """Statements that begin with no empty line."""
    return tuple(statements[1:] if isinstance(statements[0], Blank) else statements)


def section_of(scope: Scope, call: Call) -> str:
    """The module that is written out where a call stands; in a flat net, the author's line of several ops."""
    if scope.frame.op:
        return ""
    path = scope.frame.path
    for frame in reversed(call.source.frames):
        if frame.path == path:
            break
        if not frame.library and not frame.is_function and scope.sizes[frame.path] > 1:
            return f"{frame.path[len(path) :].lstrip('.')}: {frame.cls}"
    text = call.source.text
    is_line = scope.is_flat and not path and scope.lines[text] > 1 and len(text) <= COMMAND_LENGTH
    return text if is_line else ""


def section_around(scope: Scope, item: CallItem) -> str:
    """The module, written out, that the call of another one stands in."""
    call = scope.program.calls[item.span[0]]
    around = tuple(f for f in call.source.frames if len(f.path) < len(item.frame.path))
    return section_of(scope, replace(call, source=replace(call.source, frames=around)))
