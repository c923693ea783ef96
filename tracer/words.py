"""What an author calls numbers: attributes of modules, and arguments and variables of `__init__`.

The latter are told by what they are handed to: of `self.conv1 = nn.Conv2d(channels, mid_channels, 1)` the
module `conv1` knows both numbers.
"""

from __future__ import annotations

import ast
import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from torch import nn

from tracer.inits import ClassSource, Listed, keywords, source_of

# (name, value).
Numbers: TypeAlias = "tuple[tuple[str, float], ...]"
# Of a list so many modules may be there or not, that which are is still found out.
MOST_MAYBE = 8


class Words:
    """The numbers of modules under their authors' names; each module, and each class, is looked at once."""

    def __init__(self, is_library: Callable[[type], bool]) -> None:
        self._is_library = is_library
        # By the id of a module, which is not given again while that is kept.
        self._told: dict[int, tuple[nn.Module, dict[str, float]]] = {}
        self._sources: dict[type, ClassSource] = {}

    def kept(self, module: nn.Module) -> Numbers:
        """The numbers that a module keeps, and True or False where its class asks whether it is so."""
        asked = {name for cls in self._classes(module) for name in self._source(cls).asked}
        truths = ((n, v) for n, v in vars(module).items() if type(v) is bool and n in asked)
        return (*numbers_of(module), *truths)

    def of(self, module: nn.Module) -> Numbers:
        """The arguments and variables of `__init__` that the modules inside tell."""
        if id(module) not in self._told:
            self._told[id(module)] = module, {}  # of a module that holds itself
            own: dict[str, float] = {}
            for cls in self._classes(module):
                own = self._of_class(module, cls) | own
            self._told[id(module)] = module, own
        return tuple(self._told[id(module)][1].items())

    def _classes(self, module: nn.Module) -> list[type]:
        """The classes of a module that are the user's."""
        classes = (cls for cls in type(module).__mro__ if issubclass(cls, nn.Module))
        return [cls for cls in classes if not self._is_library(cls)]

    def _source(self, cls: type) -> ClassSource:
        if cls not in self._sources:
            self._sources[cls] = source_of(cls)
        return self._sources[cls]

    def _of_class(self, module: nn.Module, cls: type) -> dict[str, float]:
        found: dict[str, set[float]] = {}
        scope = getattr(vars(cls).get("__init__"), "__globals__", {})
        handed: dict[tuple[str, ...], list[dict[str, str]]] = {}
        source = self._source(cls)
        of_lists = (
            ((*path, str(n)), call)
            for path, listed in source.lists
            for n, call in enumerate(_in_order(_inside(module, path), listed, scope))
        )
        for path, call in (*source.made, *of_lists):
            handed.setdefault(path, []).append(_named_arguments(call, scope))
        for path, calls in handed.items():
            child = _inside(module, path)
            known = dict(self._numbers(child)) if child is not None else {}
            # Which of several calls made the module is not known: what all of them say holds.
            for argument, name in calls[0].items():
                if argument in known and all(own.get(argument) == name for own in calls):
                    found.setdefault(name, set()).add(known[argument])
        return {name: values.pop() for name, values in found.items() if len(values) == 1}

    def _numbers(self, module: nn.Module) -> Numbers:
        """The numbers of a module that others may name."""
        told = () if self._is_library(type(module)) else self.of(module)
        return (*told, *numbers_of(module))


def numbers_of(module: nn.Module) -> Numbers:
    """The numbers that a module keeps, and the one in tuples of the same whole number: `kernel_size`."""
    return tuple(
        (name, value[0] if isinstance(value, tuple) else value)
        for name, value in vars(module).items()
        if type(value) in (int, float)
        or (isinstance(value, tuple) and value and all(type(v) is int and v == value[0] for v in value))
    )


def _inside(module: nn.Module, path: tuple[str, ...]) -> nn.Module | None:
    found: nn.Module | None = module
    for name in path:
        found = None if found is None else dict(found.named_children()).get(name)
    return found


def _in_order(
    holder: nn.Module | None, listed: Sequence[Listed], scope: Mapping[str, Any]
) -> Sequence[ast.Call]:
    """The calls of a list that made the modules in a Sequential; none where it may be one or another."""
    held = list(holder.children()) if holder is not None else []
    maybe = [own for own in listed if own.is_maybe]
    lacking = len(listed) - len(held)
    if not 0 <= lacking <= len(maybe) <= MOST_MAYBE:
        return ()
    ways = [
        [own.call for own in listed if own not in left_out]
        for left_out in itertools.combinations(maybe, lacking)
    ]
    fitting = [calls for calls in ways if all(map(_may_make, calls, held, itertools.repeat(scope)))]
    return fitting[0] if len(fitting) == 1 else ()


def _may_make(call: ast.Call, module: nn.Module, scope: Mapping[str, Any]) -> bool:
    """Whether a module may come from a call: that of its class, or of a function."""
    called = _resolved(call.func, scope)
    return called is type(module) or not isinstance(called, type)


def _named_arguments(call: ast.Call, scope: Mapping[str, Any]) -> dict[str, str]:
    """Which of a call's arguments are given a variable, or an attribute such as `config.hidden_size`."""
    positional = _parameters(call.func, scope) if call.args else ()
    if any(isinstance(own, ast.Starred) for own in call.args):
        positional = ()
    given = dict(zip(positional, call.args, strict=False)) | keywords(call)
    words = {name: _word(value) for name, value in given.items()}
    return {name: word for name, word in words.items() if word}


def _word(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) else ""


def _parameters(callee: ast.AST, scope: Mapping[str, Any]) -> tuple[str, ...]:
    """The parameters of what is called by a name of the file's."""
    called = _resolved(callee, scope)
    if not callable(called):
        return ()
    try:
        return tuple(inspect.signature(called).parameters)
    except (TypeError, ValueError):  # of C
        return ()


def _resolved(node: ast.AST, scope: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return scope.get(node.id)
    if isinstance(node, ast.Attribute):
        return getattr(_resolved(node.value, scope), node.attr, None)
    return None
