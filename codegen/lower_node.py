"""Lowering one node: its rule is called with its arguments, and what it gives is checked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from codegen.builder.value import Value


def as_line(argument: Any) -> Any:
    """A 0-d tensor as one of one element along one axis."""
    if not isinstance(argument, Value) or argument.shape != ():
        return argument
    const = argument.const
    return replace(argument, shape=(1,), const=None if const is None else const.reshape(1))


def shown_value(value: Any) -> str:
    return "a tensor" if isinstance(value, Value) else repr(value)
