"""What the user wrote for the call that runs: the expression itself, not its whole line."""

from __future__ import annotations

import ast
import itertools
import linecache
from types import CodeType

# A longer one is no name for what it does.
LONGEST = 60


def expression_of(code: CodeType, instruction: int, line: int) -> str:
    """The expression that an instruction of the user's code is of, `boxes[keep]`; '' where it is not known.

    Before Python 3.11 code does not tell it: then it is the one index by a computed value in the line, if
    there is one alone.
    """
    lines = linecache.getlines(code.co_filename)
    if hasattr(code, "co_positions"):
        place = next(itertools.islice(code.co_positions(), instruction // 2, None), (None,) * 4)
        return _plain(_part(lines, *place))
    found = {_plain(text) for text in _indexes(lines[line - 1 : line])}
    return found.pop() if len(found) == 1 else ""


def _part(lines: list[str], first: int | None, last: int | None, start: int | None, end: int | None) -> str:
    """The text from one place to another; columns count bytes of UTF-8."""
    if first is None or last is None or start is None or end is None:
        return ""
    part = [line.encode() for line in lines[first - 1 : last]]
    if not part:
        return ""
    part[-1] = part[-1][:end]
    part[0] = part[0][start:]
    return b"".join(part).decode(errors="replace")


def _plain(text: str) -> str:
    """An expression on one line, as Python itself writes it."""
    try:
        plain = ast.unparse(ast.parse(f"({text})", mode="eval"))
    except (SyntaxError, ValueError):
        return ""
    return plain if len(plain) <= LONGEST else ""


def _indexes(lines: list[str]) -> list[str]:
    """The indexes in a line by what is neither a number nor a slice."""
    try:
        tree = ast.parse("".join(lines).strip())
    except (SyntaxError, ValueError):
        return []
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant | ast.Slice)
    ]
