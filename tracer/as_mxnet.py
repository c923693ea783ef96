"""torch in float64 as MXNet computes there: without dropout, and with its numbers of float32.

MXNet parses some attributes as float32 in a float64 net too. A ReLU, a max pool, or a BatchNorm of two
values later on can make much of the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from tracer.canonical import call_arguments, op_name

# By the op: the argument that MXNet parses as a float32, and its default. The eps of BatchNorm is a double.
SINGLE_NUMBERS = {
    "instance_norm": ("eps", 1e-5),
    "layer_norm": ("eps", 1e-5),
    "group_norm": ("eps", 1e-5),
    "elu": ("alpha", 1.0),
}
SIXTH = float(np.float32(1 / 6))


class AsMXNet(TorchFunctionMode):
    """torch's dropout gives its input, attention drops nothing, and numbers are as MXNet has them.

    A net that turns a tensor to float32 turns it to `dtype`, as the symbol that is run in it does.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = {k: self._as_here(v) for k, v in (kwargs or {}).items()}
        args = tuple(self._as_here(a) for a in args)
        name = op_name(func)
        if name.endswith("dropout") or name in {"dropout1d", "dropout2d", "dropout3d"}:
            return args[0] if args else kwargs["input"]
        if name in {"scaled_dot_product_attention", "multi_head_attention_forward"}:
            return func(**{**call_arguments(func, args, kwargs), "dropout_p": 0.0})
        if func is torch.Tensor.float:
            return args[0].to(self._dtype)
        if name in SINGLE_NUMBERS:
            key, default = SINGLE_NUMBERS[name]
            given = {key: default, **call_arguments(func, args, kwargs)}
            return func(**{**given, key: float(np.float32(given[key]))})
        if name in OTHERWISE:
            return OTHERWISE[name](func, call_arguments(func, args, kwargs))
        return func(*args, **kwargs)

    def _as_here(self, value: Any) -> Any:
        return self._dtype if value is torch.float32 else value


Arguments = Mapping[str, Any]


def _sloped(x: torch.Tensor) -> torch.Tensor:
    return (x * SIXTH + 0.5).clamp(0, 1)


def _hard_sigmoid(_func: Callable[..., Any], given: Arguments) -> Any:
    return _sloped(given["input"])


def _hard_swish(_func: Callable[..., Any], given: Arguments) -> Any:
    return given["input"] * _sloped(given["input"])


def _interpolate(func: Callable[..., Any], given: Arguments) -> Any:
    """Where BilinearResize2D stands for it, by places that are float32."""
    result: torch.Tensor = func(**given)
    if given.get("mode") != "bilinear" or given.get("antialias"):
        return result
    x: torch.Tensor = given["input"]
    for axis in (2, 3):
        x = _along(x, axis, result.shape[axis], bool(given.get("align_corners")))
    return x


def _along(x: torch.Tensor, axis: int, new: int, align_corners: bool) -> torch.Tensor:
    old = x.shape[axis]
    if 1 in {old, new}:  # another op, or one row for all
        return torch.nn.functional.interpolate(x, _with(x.shape[2:], axis - 2, new), mode="bilinear")
    if align_corners:
        places = torch.arange(new, dtype=torch.float32) * float(np.float32((old - 1) / (new - 1)))
    else:
        centres = torch.arange(new, dtype=torch.float64) + 0.5
        places = (centres * float(np.float32(old / new)) - 0.5).clamp(min=0).float()
    first = places.long()
    share = (places - first).to(x.dtype).reshape(-1, *(1,) * (3 - axis))
    before, after = (x.index_select(axis, at) for at in (first, (first + 1).clamp(max=old - 1)))
    return before * (1 - share) + after * share


def _with(sizes: Sequence[int], place: int, size: int) -> list[int]:
    return [size if i == place else own for i, own in enumerate(sizes)]


# What MXNet computes by a number of float32 that torch's op does not take.
OTHERWISE = {"hardsigmoid": _hard_sigmoid, "hardswish": _hard_swish, "interpolate": _interpolate}
