"""One call of torch, before it is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from tracer.batch_symbol import holds_batch_size, plain
from tracer.canonical import op_name
from tracer.op_facts import NEW


@dataclass(frozen=True)
class Call:
    """A function of torch, what it is called with, and the op's canonical name.

    `follows_batch` tells that a size among the arguments follows the batch; they hold it as a plain number.
    """

    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    name: str
    follows_batch: bool = False

    @property
    def raw_name(self) -> str:
        """The name that torch gives the function: `add_`, `__iadd__`."""
        return getattr(self.func, "__name__", "")

    @property
    def writes_first(self) -> bool:
        """Whether the form of the name says that the call writes to its first argument: `add_`."""
        return self.raw_name.endswith("_") and not self.raw_name.endswith("__")

    def tensors(self) -> list[torch.Tensor]:
        """Every tensor among the arguments."""
        return list(tensors_in((self.args, self.kwargs)))


def call_of(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """The call, with an index in the form that the IR reads, and its sizes as plain numbers."""
    name = op_name(func)
    follows_batch = holds_batch_size((args, kwargs))
    if follows_batch:
        args, kwargs = plain(args), plain(kwargs)
    with_arrays = any(True for _ in tensors_in((args, kwargs)))
    args, kwargs = _without_numpy(args, with_arrays), _without_numpy(kwargs, with_arrays)
    if name in {"getitem", "setitem"}:
        args = (args[0], _as_tuple(args[1]), *args[2:])
    return Call(func, args, kwargs, name, follows_batch)


def _without_numpy(value: Any, with_arrays: bool) -> Any:
    """A value in which numpy's numbers are Python's and, `with_arrays`, its arrays are tensors.

    What makes a tensor of an array (torch.from_numpy) is given the array itself.
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and with_arrays and value.dtype.kind in "biuf":
        return torch.as_tensor(value)
    if type(value) in {tuple, list}:
        return type(value)(_without_numpy(v, with_arrays) for v in value)
    if type(value) is dict:
        return {k: _without_numpy(v, with_arrays) for k, v in value.items()}
    if isinstance(value, slice):
        return slice(*(_without_numpy(v, with_arrays) for v in (value.start, value.stop, value.step)))
    return value


def _as_tuple(index: Any) -> Any:
    """A list of numbers in a tuple: it names places along the first axis, not one for each axis."""
    return (index,) if isinstance(index, list) and not any(_is_cut(i) for i in index) else index


def _is_cut(part: Any) -> bool:
    return part is None or part is Ellipsis or isinstance(part, slice | torch.Tensor)


def mask_of(part: Any) -> torch.Tensor | None:
    """A part of an index as a mask of bools; None where it is something else."""
    is_list = isinstance(part, list) and bool(part) and all(isinstance(v, bool) for v in part)
    mask = torch.tensor(part) if is_list else part
    return mask if isinstance(mask, torch.Tensor) and mask.dtype is torch.bool else None


def made_anew(call: Call) -> Call:
    """`x.new_zeros(size)` as torch.zeros: of `x` it takes the dtype alone, and so it may be a constant."""
    like, *given = call.args
    if is_copy(call):
        copied = _copied(like, given[0] if given else call.kwargs["data"], call.kwargs.get("dtype"))
        return replace(copied, follows_batch=call.follows_batch)
    if call.name == "new" and not given:
        given = [(0,)]
    if call.name != "new_full" and given and isinstance(given[0], int):
        given = [tuple(given)]  # new_zeros(2, 3)
    dtype = call.kwargs.get("dtype")
    kept = {k: v for k, v in call.kwargs.items() if k in {"size", "fill_value"}}
    kept["dtype"] = like.dtype if dtype is None else dtype
    func = NEW[call.name]
    return replace(call, func=func, args=tuple(given), kwargs=kept, name=func.__name__)


def is_copy(call: Call) -> bool:
    """Whether a call makes a tensor of given values: new_tensor, and the old `x.new([1.0])`."""
    if call.name == "new":
        given = call.args[1] if len(call.args) > 1 else None
        return isinstance(given, list | tuple | torch.Tensor) and not isinstance(given, torch.Size)
    return call.name == "new_tensor"


def _copied(like: torch.Tensor, data: Any, dtype: torch.dtype | None) -> Call:
    kept: dict[str, Any] = {"dtype": like.dtype if dtype is None else dtype}
    if isinstance(data, torch.Tensor):
        return Call(torch.Tensor.to, (data,), {**kept, "copy": True}, "to")
    return Call(torch.tensor, (data,), kept, "tensor")


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor inside nested tuples, lists, dicts and slices."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from tensors_in(inner)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from tensors_in(inner)
    elif isinstance(value, slice):
        yield from tensors_in((value.start, value.stop, value.step))
