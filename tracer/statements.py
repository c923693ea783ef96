"""What the user wrote: which local variable a line of `forward` assigns, and its code."""

from __future__ import annotations

import ast
import functools
import re
from dataclasses import dataclass, replace

from tracer.authors_comments import comments_above
from tracer.parsed import parsed


@dataclass(frozen=True)
class Statement:
    """A statement of the user's: the local variable that it assigns ('' for none), and its code on one line.

    `targets` are the variables of `q, k, v = ...` where the value gives them in that order. `is_argument`
    tells of a target that is an argument of the function that it stands in. `comment` is what
    stands above it.
    """

    target: str = ""
    text: str = ""
    targets: tuple[str, ...] = ()
    is_argument: bool = False
    comment: str = ""


def statement_at(file: str, line: int) -> Statement:
    """The innermost statement at `line` of `file`; an empty one where there is none or no source."""
    return _statements(file).get(line, Statement())


@functools.lru_cache(maxsize=256)
def _statements(file: str) -> dict[int, Statement]:
    known = parsed(file)
    if known is None:
        return {}
    text, tree = known
    comments = comments_above(text, tree)
    found: dict[int, Statement] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return | ast.Expr):
            statement = Statement(
                _target(node), ast.unparse(node), _targets(node), comment=comments.get(node.lineno, "")
            )
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                found[line] = statement
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            own = {a.arg for a in (*function.args.args, *function.args.kwonlyargs)}
            for line in range(function.lineno, (function.end_lineno or function.lineno) + 1):
                if line in found:
                    found[line] = replace(found[line], is_argument=found[line].target in own)
    return found


def _target(node: ast.AST) -> str:
    """The variable that a statement assigns.

    None ('') where the value lists several calls: which of them a line of code is, is not known.
    """
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


def _targets(node: ast.AST) -> tuple[str, ...]:
    """The variables that one value, or one value's items in their order, are unpacked to."""
    if (
        not isinstance(node, ast.Assign)
        or len(node.targets) != 1
        or not isinstance(node.targets[0], ast.Tuple)
    ):
        return ()
    names = [e.id for e in node.targets[0].elts if isinstance(e, ast.Name)]
    if len(names) != len(node.targets[0].elts):
        return ()
    if not isinstance(node.value, ast.Tuple):
        return tuple(names)
    items = [e for e in node.value.elts if isinstance(e, ast.Subscript)]
    of_one = len(items) == len(names) and len({ast.dump(e.value) for e in items}) == 1
    places = [ast.unparse(e.slice) for e in items]
    counted = [re.sub(r"\b\d+\b", "#", place) for place in places]
    in_order = [re.findall(r"\b\d+\b", place) for place in places] == [[str(i)] for i in range(len(items))]
    return tuple(names) if of_one and in_order and len(set(counted)) == 1 else ()


def _lists_calls(node: ast.AST) -> bool:
    return isinstance(node, ast.List | ast.Tuple) and sum(isinstance(e, ast.Call) for e in node.elts) > 1
