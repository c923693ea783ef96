"""What the author wrote: which local variable a line of `forward` assigns, and its code."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass


@dataclass(frozen=True)
class Statement:
    """A statement of the author's: the local variable that it assigns ('' for none), and its code on one line."""

    target: str = ""
    text: str = ""


def statement_at(file: str, line: int) -> Statement:
    """The innermost statement at `line` of `file`; an empty one where there is none or no source."""
    return _statements(file).get(line, Statement())


@functools.lru_cache(maxsize=256)
def _statements(file: str) -> dict[int, Statement]:
    try:
        with open(file, encoding="utf-8") as handle:
            tree = ast.parse(handle.read())
    except (OSError, SyntaxError, ValueError):
        return {}
    found: dict[int, Statement] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return | ast.Expr):
            statement = Statement(_target(node), ast.unparse(node))
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                found[line] = statement
    return found


def _target(node: ast.AST) -> str:
    """The variable that a statement assigns; '' where several results meet in one list: which is meant is not known."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        target = node.target
    else:
        return ""
    if node.value is not None and any(_lists_calls(part) for part in ast.walk(node.value)):
        return ""
    if isinstance(target, ast.Tuple) and all(
        isinstance(e, ast.Name) and e.id == "_" for e in target.elts[1:]
    ):
        target = target.elts[0]  # out, _ = self.lstm(x)
    return target.id if isinstance(target, ast.Name) else ""


def _lists_calls(node: ast.AST) -> bool:
    return isinstance(node, ast.List | ast.Tuple) and sum(isinstance(e, ast.Call) for e in node.elts) > 1
