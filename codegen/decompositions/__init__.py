"""Ops of torch that are written with other ops of torch: they are recorded as those.

    @composite("block_diag")
    def block_diag(tensors): ...

A composite's arguments are the op's, by their canonical names (tracer.canonical). Where it raises
`NotWritten`, or its signature does not fit, the op is recorded as it stands. The net that torch itself runs
has the op, so the comparison holds a composite to it.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch.overrides import handle_torch_function

Composite = Callable[..., Any]
_C = TypeVar("_C", bound=Composite)
_TABLE: dict[str, Composite] = {}


class NotWritten(Exception):
    """A composite does not cover this case: the op stands as it is."""


def composite(*names: str) -> Callable[[_C], _C]:
    """Mark a function as what ops of these names compute. ValueError where an op has one already."""

    def mark(function: _C) -> _C:
        for name in names:
            if name in _TABLE:
                raise ValueError(f"two composites for {name}")
            _TABLE[name] = function
        return function

    return mark


@functools.cache
def composites() -> Mapping[str, Composite]:
    """Every composite, by the op's canonical name."""
    for info in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{info.name}")
    return _TABLE


_F = TypeVar("_F", bound=Callable[..., Any])


def op(function: _F) -> _F:
    """Mark a function as one op of the function's name: fx2mx does not look inside."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if torch._C._is_torch_function_mode_enabled():
            return handle_torch_function(call, (), *args, **kwargs)
        return function(*args, **kwargs)

    call.is_user_op = True  # type: ignore[attr-defined]
    return call  # type: ignore[return-value]
