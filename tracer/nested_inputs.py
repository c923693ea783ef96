"""Lists, tuples and dicts of tensors as arguments of forward: one input of MXNet for each tensor."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from codegen.identifiers import identifier
from codegen.problems import RequestError
from tracer.copies import shallow_copy
from tracer.inputs import forward_of


@dataclass(frozen=True)
class _Place:
    """Where in an argument a tensor goes."""

    name: str


class _Packing:
    """The forward of a net that takes each tensor by its own name, and packs them for the net's own."""

    def __init__(self, net: nn.Module, packed: Mapping[str, Any], names: tuple[str, ...]) -> None:
        self.net, self.packed = net, packed
        self.own = vars(net).get("forward")  # what took the class's place
        parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names]
        self.__signature__ = inspect.Signature(parameters)

    def __call__(self, **tensors: Any) -> Any:
        arguments = {name: _filled(value, tensors) for name, value in self.packed.items()}
        if self.own is not None:
            return self.own(**arguments)
        return type(self.net).forward(self.net, **arguments)


def unpacked(model: nn.Module, inputs: Any) -> tuple[nn.Module, Any]:
    """A net, and inputs for it that are tensors: its forward names each tensor that a list or dict holds.

    `xs` of two tensors becomes `xs_0` and `xs_1`, and `{"image": ...}` of `batch` becomes `batch_image`. The
    user's module stays as it is: the net is a copy that shares all. Both as they are where all inputs are
    tensors. RequestError for a list that holds something else than tensors and None.
    """
    if not isinstance(inputs, tuple) or not any(isinstance(value, list | tuple | dict) for value in inputs):
        return model, inputs
    names = forward_of(model).names
    if len(inputs) > len(names):
        return model, inputs  # that is said where the inputs are read
    tensors: dict[str, Any] = {}
    given = {name: value for name, value in zip(names, inputs, strict=False) if value is not None}
    packed = {name: _named(value, name, tensors, set(names) - {name}) for name, value in given.items()}
    net = shallow_copy(model)
    vars(net)["forward"] = _Packing(net, packed, tuple(tensors))
    return net, tuple(tensors.values())


def _named(value: Any, name: str, tensors: dict[str, Any], taken: set[str]) -> Any:
    """A value with a place for each tensor, which goes into `tensors` under a name of its own."""
    if isinstance(value, torch.Tensor | np.ndarray):
        while name in taken or name in tensors:
            name += "_"
        tensors[name] = value
        return _Place(name)
    if value is None:
        return None
    if isinstance(value, dict):
        return {k: _named(v, f"{name}_{identifier(str(k))}", tensors, taken) for k, v in value.items()}
    if not isinstance(value, list | tuple):
        raise RequestError(
            f"input {name} is of type {type(value).__name__}: inputs are tensors, or lists, tuples and dicts "
            "of tensors, so give forward a default for it, or wrap the net in a module that sets it",
            code="input-type",
        )
    keys = getattr(value, "_fields", range(len(value)))
    items = [_named(v, f"{name}_{key}", tensors, taken) for key, v in zip(keys, value, strict=True)]
    return _like(value, items)


def _filled(value: Any, tensors: Mapping[str, Any]) -> Any:
    if isinstance(value, _Place):
        return tensors[value.name]
    if isinstance(value, dict):
        return {k: _filled(v, tensors) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return _like(value, [_filled(v, tensors) for v in value])
    return value


def _like(value: Any, items: list[Any]) -> Any:
    """The items as a list, a tuple or a named tuple, as `value` is."""
    if hasattr(value, "_fields"):
        return type(value)(*items)
    return items if isinstance(value, list) else tuple(items)
