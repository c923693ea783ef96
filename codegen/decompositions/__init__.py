"""Ops of torch that are written with other ops of torch: they are recorded as those.

    @decomposes("block_diag")
    def block_diag(tensors): ...

A decomposition's arguments are the op's, by their canonical names (tracer.canonical). Where it raises
`NotWritten`, or its signature does not fit, the op is recorded as it stands, and refused. The net that torch
itself runs has the op: the comparison with torch holds the decomposition to it.

An op that has a lowering rule has no decomposition. Where the rule covers only some calls of an op, the
others are a form of it, with a name and a decomposition of its own: see codegen.decompositions.forms.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any, TypeVar

import torch
from torch.overrides import handle_torch_function

Decomposition = Callable[..., Any]
_F = TypeVar("_F", bound=Callable[..., Any])


class NotWritten(Exception):
    """A decomposition does not cover this call: the op stands as it is."""


def decomposes(*names: str, **constants: Any) -> Callable[[_F], _F]:
    """Mark a function as what the ops, or forms of ops, of these names compute.

    `constants` are arguments of the function that tell its ops apart.
    """

    def mark(function: _F) -> _F:
        made = functools.partial(function, **constants) if constants else function
        marked = {**dict.fromkeys(names, made), **getattr(function, "__decomposes__", {})}
        function.__decomposes__ = marked  # type: ignore[attr-defined]
        return function

    return mark


def decomposes_each(constant: str, table: Mapping[str, Any]) -> Callable[[_F], _F]:
    """Mark a function as what every op of a table computes; the argument `constant` is the op's entry."""

    def mark(function: _F) -> _F:
        for name, entry in table.items():
            function = decomposes(name, **{constant: entry})(function)
        return function

    return mark


@functools.cache
def decompositions() -> Mapping[str, Decomposition]:
    """Every decomposition, by the name of its op or form. ValueError where a name has two."""
    table: dict[str, Decomposition] = {}
    for info in pkgutil.iter_modules(__path__):
        for name, decomposition in _defined_in(importlib.import_module(f"{__name__}.{info.name}")):
            if name in table:
                raise ValueError(f"two decompositions of {name}, one of them in {info.name}")
            table[name] = decomposition
    return table


def _defined_in(module: ModuleType) -> Iterator[tuple[str, Decomposition]]:
    for value in vars(module).values():
        if getattr(value, "__module__", "") == module.__name__:
            yield from getattr(value, "__decomposes__", {}).items()


def op(function: _F) -> _F:
    """Mark a function of a net as one op of the function's name: fx2mx does not look inside.

    Args:
        function: takes tensors and plain values, and returns a tensor. In a run of torch nothing changes.

    Returns:
        The function, to be called as before. Its rule is given by `tracer.rule`.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if torch._C._is_torch_function_mode_enabled():
            return handle_torch_function(call, (), *args, **kwargs)
        return function(*args, **kwargs)

    call.is_user_op = True  # type: ignore[attr-defined]
    return call  # type: ignore[return-value]
