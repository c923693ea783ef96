"""The names that the author gave: which local variable a line of `forward` assigns."""

from __future__ import annotations

import ast
import functools


def assigned_name(file: str, line: int) -> str:
    """The variable that the statement at `line` of `file` assigns; '' where there is none or no source."""
    return _assignments(file).get(line, "")


@functools.lru_cache(maxsize=256)
def _assignments(file: str) -> dict[int, str]:
    try:
        with open(file, encoding="utf-8") as handle:
            tree = ast.parse(handle.read())
    except (OSError, SyntaxError, ValueError):
        return {}
    names: dict[int, str] = {}
    for node in ast.walk(tree):
        target = _target(node)
        if target and isinstance(node, ast.stmt):
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                names[line] = target
    return names


def _target(node: ast.AST) -> str:
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        target = node.target
    else:
        return ""
    return target.id if isinstance(target, ast.Name) else ""
