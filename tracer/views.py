"""Tensors that share memory: what cut the one out of the other, and where its elements lie there."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import fx
from torch.fx.node import map_arg

from codegen.places import Places, places_of
from tracer.calls import Call


@dataclass(frozen=True)
class Cut:
    """A call that gave `outs`, of which `views` (by output) share the memory of `base`.

    `args` and `kwargs` hold the nodes of the call's tensors as they were; `base_node` is that of the base.
    """

    base: torch.Tensor
    base_node: fx.Node
    call: Call
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outs: tuple[torch.Tensor, ...]
    views: Mapping[int, torch.Tensor]

    def arguments_of(self, base: fx.Node) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of the call on another value of the base; its other tensors are what they were."""
        args, kwargs = map_arg((self.args, dict(self.kwargs)), lambda n: base if n is self.base_node else n)
        return args, kwargs


@dataclass(frozen=True)
class View:
    """One output of a cut."""

    cut: Cut
    index: int

    @property
    def base(self) -> torch.Tensor:
        return self.cut.base

    @property
    def tensor(self) -> torch.Tensor:
        return self.cut.views[self.index]

    def piece(self) -> tuple[int, slice] | None:
        """(axis, range) of one of several pieces that lie along an axis, as split() gives them."""
        before = (
            [int(out.shape[self._axis]) for out in self.cut.outs[: self.index]] if self._axis >= 0 else []
        )
        start = sum(before)
        if self._axis < 0 or _first(self.tensor) != _first(self.base) + start * self.base.stride(self._axis):
            return None
        return self._axis, slice(start, start + int(self.tensor.shape[self._axis]))

    @property
    def _axis(self) -> int:
        """The axis along which the outputs are the base in pieces; -1 where they are not."""
        shapes = [tuple(out.shape) for out in self.cut.outs]
        for axis in range(self.base.dim()):
            size, rest = self.base.shape[axis], _without(tuple(self.base.shape), axis)
            if any(len(s) != self.base.dim() or _without(s, axis) != rest for s in shapes):
                continue
            if sum(s[axis] for s in shapes) == size and self.base.stride() == self.tensor.stride():
                return axis
        return -1


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def _first(tensor: torch.Tensor) -> int:
    return int(tensor.storage_offset())


def overlaps(tensor: torch.Tensor) -> bool:
    """Whether two elements of a tensor may be one in memory."""
    axes = sorted((st, int(s)) for st, s in zip(tensor.stride(), tensor.shape, strict=True) if s != 1)
    reach = 0
    for stride, size in axes:
        if stride <= reach:
            return tensor.numel() > 0
        reach += stride * (size - 1)
    return False


def places_in(base: torch.Tensor, view: torch.Tensor) -> Places | None:
    """Where the elements of a view lie in a tensor, by address; None where they do not, or not once."""
    own, wanted = _addresses(base).reshape(-1), _addresses(view)
    if not own.size and wanted.size:
        return None
    order = np.argsort(own)
    found = order[np.searchsorted(own, wanted, sorter=order).clip(max=max(own.size - 1, 0))]
    if view.dtype is not base.dtype or overlaps(base) or (own[found] != wanted).any():
        return None
    return places_of(found, [int(s) for s in base.shape])


def _addresses(tensor: torch.Tensor) -> npt.NDArray[np.int64]:
    found = np.asarray(tensor.storage_offset(), np.int64)
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        found = found[..., None] + np.arange(int(size)) * stride
    return found


def share_memory(a: torch.Tensor, b: torch.Tensor) -> bool:
    try:
        return bool(torch._C._is_alias_of(a, b))  # type: ignore[attr-defined]
    except (RuntimeError, NotImplementedError):
        return False


@functools.cache
def turns_in_place(raw_name: str) -> bool:
    """Whether a function gives its tensor another shape over the same memory: `t_`, `unsqueeze_`."""
    packet = getattr(torch.ops.aten, raw_name, None) if raw_name.endswith("_") else None
    if not isinstance(packet, torch._ops.OpOverloadPacket):
        return False
    names = packet.overloads()  # type: ignore[no-untyped-call]
    return any(torch.Tag.inplace_view in getattr(packet, name).tags for name in names)
