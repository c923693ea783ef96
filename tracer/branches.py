"""Where two runs of a net part: the `if` of the user's that one of them goes into."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

from codegen.ir import Source
from tracer.parsed import tree_of

# An `if` by its line, and the first and last line of that part of it in which an op stands.
_Part = tuple[int, int, int]


def parting(own: Source, other: Source, before: Source | None) -> Source:
    """The `if` at which two runs part that are alike up to `before` and go on with these; or the first op.

    It is known where one of the ops is within one `if` of its function, and the other is not: were there two,
    either may be it. What `before` is within, both went into.
    """
    if own.file != other.file or not _are_of_one_module(own, other):
        return own
    tree = tree_of(own.file)
    if tree is None or _function(tree, own.line) is not _function(tree, other.line):
        return own
    shared = before.line if before is not None and before.file == own.file else 0
    sides = [
        _parts_without(tree, own.line, (other.line, shared)),
        _parts_without(tree, other.line, (own.line, shared)),
    ]
    lines = [line for side in sides for line, _, _ in side]
    if not lines or not any(len(side) == 1 and side[0][0] == min(lines) for side in sides):
        return own
    return replace(own, line=min(lines))


def _are_of_one_module(own: Source, other: Source) -> bool:
    """Whether the forward of one module makes both, or of one that it calls."""
    short, long = sorted((own.path, other.path), key=len)
    return (
        long == short or not short or long.startswith(f"{short}.") or _outer(own.path) == _outer(other.path)
    )


def _outer(path: str) -> str:
    return path.rpartition(".")[0]


def _function(tree: ast.Module, line: int) -> ast.AST | None:
    """The innermost function that has the line."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [
        n for n in ast.walk(tree) if isinstance(n, kinds) and n.lineno <= line <= (n.end_lineno or n.lineno)
    ]
    return max(found, key=lambda node: node.lineno, default=None)


def _parts_without(tree: ast.Module, line: int, others: Sequence[int]) -> list[_Part]:
    """The parts of `if`s in the line's function that have the line, and none of the others."""
    function = _function(tree, line)
    if function is None:
        return []
    held = [(at, first, last) for at, first, last in _parts(function) if first <= line <= last]
    return [part for part in held if not any(part[1] <= other <= part[2] for other in others)]


def _parts(function: ast.AST) -> Iterator[_Part]:
    for node in ast.walk(function):
        if isinstance(node, ast.If):
            for body in (node.body, node.orelse):
                # An `elif` is an `if` within: both are told apart by the first.
                if body and not (body is node.orelse and isinstance(body[0], ast.If) and len(body) == 1):
                    yield node.lineno, body[0].lineno, body[-1].end_lineno or body[-1].lineno
