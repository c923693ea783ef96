"""Lines that stand for others: the rest of a statement, the head of a loop, a comment that quotes.

An op is known by one line, that of its statement's beginning in the generated code, and that of the call in
torch's. A person points at any line of it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

# A line, and the first and the last of the lines whose ops it stands for.
Span = tuple[int, int, int]


def spans(text: str, mapped: Collection[int], quotes: bool = False) -> tuple[Span, ...]:
    """Those of a file in which ops are known by the lines `mapped`; in one that `quotes`, comments too."""
    found: dict[int, Span] = {}
    for first, last, end in _statements(text):
        if not any(first <= line <= end for line in mapped):
            continue
        for line in range(first, last + 1):
            if line not in mapped or end > last:
                found[line] = (line, first, end)
    if quotes:
        found |= _quoted(text.split("\n"), mapped, found)
    return tuple(found[line] for line in sorted(found))


def _statements(text: str) -> Iterator[tuple[int, int, int]]:
    """First and last line, and the last that these stand for: the head of a loop is all of the loop.

    From the outer to the inner.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt):
            continue
        end = node.end_lineno or node.lineno
        head = _head(node)
        if head:
            yield node.lineno, max(part.end_lineno or node.lineno for part in head), end
        elif isinstance(node, ast.If):
            last = node.test.end_lineno or node.lineno
            yield node.lineno, last, last
        elif not hasattr(node, "body") and not isinstance(node, (ast.Match, ast.Try)):
            yield node.lineno, end, end


def _head(node: ast.stmt) -> list[ast.expr]:
    """What stands in the head of a loop, or of a `with`."""
    if isinstance(node, (ast.For, ast.AsyncFor)):
        return [node.iter]
    if isinstance(node, ast.While):
        return [node.test]
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return [item.optional_vars or item.context_expr for item in node.items]
    return []


def _quoted(lines: list[str], mapped: Collection[int], found: dict[int, Span]) -> dict[int, Span]:
    """The comments right above a line that is of ops."""
    quoted: dict[int, Span] = {}
    for line in range(len(lines) - 1, 0, -1):
        if line in mapped or line in found or not lines[line - 1].lstrip().startswith("#"):
            continue
        below = line + 1
        own = quoted.get(below) or found.get(below) or ((below, below, below) if below in mapped else None)
        if own is not None:
            quoted[line] = (line, own[1], own[2])
    return quoted
