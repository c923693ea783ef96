"""What the source of a class tells of its modules: which calls make them, and what is asked of them."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import TypeAlias

from tracer.parsed import Function, function_of

# The path of a module below another, and the call that makes it.
Made: TypeAlias = "tuple[tuple[str, ...], ast.Call]"
# What runs its inside not once: the variables there are many numbers.
LOOPS = (ast.For, ast.While, ast.FunctionDef, ast.Lambda, ast.GeneratorExp, ast.ListComp)


@dataclass(frozen=True)
class Listed:
    """A call that makes an item of a list; one that stands under an `if` is there or not."""

    call: ast.Call
    is_maybe: bool


@dataclass(frozen=True)
class ClassSource:
    """What the source of a class tells.

    `made` are the calls of its `__init__` that make modules, `lists` those in lists of which a Sequential is
    made, by its path, `asked` the names of which its ifs ask whether they are so.
    """

    made: tuple[Made, ...] = ()
    lists: tuple[tuple[tuple[str, ...], tuple[Listed, ...]], ...] = ()
    asked: frozenset[str] = frozenset()


def source_of(cls: type) -> ClassSource:
    """What is told by the functions of a class, as far as their source is there."""
    found = {name: inspect.unwrap(own) for name, own in vars(cls).items() if isinstance(own, FunctionType)}
    trees = {name: function_of(own.__code__) for name, own in found.items()}
    nodes = [node for tree in trees.values() if tree is not None for node in ast.walk(tree)]
    tests = [node.test for node in nodes if isinstance(node, ast.If | ast.IfExp)]
    asked = frozenset(_asked(node) for test in tests for node in ast.walk(test))
    init = trees.get("__init__")
    if init is None:
        return ClassSource(asked=asked)
    return ClassSource(tuple(_made(init)), tuple(_lists(init)), asked)


def _asked(node: ast.AST) -> str:
    """The name of a variable, or of an attribute of the module."""
    path = _path(node) or ()
    return node.id if isinstance(node, ast.Name) else path[0] if len(path) == 1 else ""


def _made(node: ast.AST) -> Iterator[Made]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, LOOPS):
            continue
        for target, value in _assigned(child):
            path = _path(target)
            if path and isinstance(value, ast.Call):
                yield from _held(path, value)
        if isinstance(child, ast.Call):
            yield from _added(child)
        yield from _made(child)


def _assigned(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What a statement assigns to what: of `self.a, self.b = x, y` both."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        value = node.value
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            yield from zip(target.elts, value.elts, strict=False)
        else:
            yield target, value


def _held(path: tuple[str, ...], call: ast.Call) -> Iterator[Made]:
    """A call that makes a module, and those among its arguments: what a Sequential holds."""
    yield path, call
    for place, argument in enumerate(call.args):
        if isinstance(argument, ast.Call):
            yield from _held((*path, str(place)), argument)


def _path(node: ast.AST) -> tuple[str, ...] | None:
    """`self.body.conv` as a path; None for anything else."""
    if isinstance(node, ast.Name):
        return () if node.id == "self" else None
    if not isinstance(node, ast.Attribute):
        return None
    holder = _path(node.value)
    return None if holder is None else (*holder, node.attr)


def _added(call: ast.Call) -> Iterator[Made]:
    """What `self.body.add_module("conv1", ...)` makes."""
    holder = _path(call.func.value) if isinstance(call.func, ast.Attribute) else None
    if holder is None or not isinstance(call.func, ast.Attribute) or call.func.attr != "add_module":
        return
    given = dict(zip(("name", "module"), call.args, strict=False)) | keywords(call)
    name, made = given.get("name"), given.get("module")
    if isinstance(name, ast.Constant) and isinstance(made, ast.Call):
        yield from _held((*holder, str(name.value)), made)


def keywords(call: ast.Call) -> dict[str, ast.expr]:
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


# Lists -----------------------------------------------------------------------------------------------


def _lists(init: Function) -> Iterator[tuple[tuple[str, ...], tuple[Listed, ...]]]:
    """`self.conv = nn.Sequential(*layers)`: the path, and all calls of which `layers` was made before."""
    lists: dict[str, list[Listed] | None] = {}
    for statement, is_maybe in _statements(init, is_maybe=False):
        name, items = _extended(statement)
        if name:
            is_new = isinstance(statement, ast.Assign | ast.AnnAssign)
            before = [] if is_new else lists.get(name)
            known = before is not None and items is not None and not (is_new and is_maybe)
            lists[name] = (
                [*(before or ()), *(Listed(own, is_maybe) for own in items or ())] if known else None
            )
        elif isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
            path, listed = _path(statement.targets[0]), lists.get(_starred(statement.value))
            if path and listed:
                yield path, tuple(listed)


def _statements(node: ast.AST, is_maybe: bool) -> Iterator[tuple[ast.stmt, bool]]:
    """The statements of a function in order, and whether each stands under an `if`; a loop is one of them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If):
            yield from _statements(child, is_maybe=True)
        elif isinstance(child, ast.stmt):
            yield child, is_maybe


def _extended(statement: ast.stmt) -> tuple[str, list[ast.Call] | None]:
    """The list that a statement makes or extends, and the calls of its new items; None where others are.

    Of a loop it is '': what it does to lists is seen when their items are counted.
    """
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        if isinstance(target, ast.Name):
            return target.id, _calls(statement.value)
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            if call.func.attr == "append":
                return call.func.value.id, _calls(ast.List(call.args))
            if call.func.attr == "extend" and len(call.args) == 1:
                return call.func.value.id, _calls(call.args[0])
    return "", None


def _calls(node: ast.AST | None) -> list[ast.Call] | None:
    """The items of a written list, where all are calls."""
    items = node.elts if isinstance(node, ast.List | ast.Tuple) else [None]
    calls = [own for own in items if isinstance(own, ast.Call)]
    return calls if len(calls) == len(items) else None


def _starred(call: ast.Call) -> str:
    """The list of which a call's arguments are the items, where these are all."""
    only = call.args[0] if len(call.args) == 1 and not call.keywords else None
    return only.value.id if isinstance(only, ast.Starred) and isinstance(only.value, ast.Name) else ""
