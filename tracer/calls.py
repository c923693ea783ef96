"""One call of torch, before it is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

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
    if name in {"getitem", "setitem"}:
        args = (args[0], _as_tuple(args[1]), *args[2:])
    return Call(func, args, kwargs, name, follows_batch)


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
    if call.name != "new_full" and given and isinstance(given[0], int):
        given = [tuple(given)]  # new_zeros(2, 3)
    dtype = call.kwargs.get("dtype")
    kept = {k: v for k, v in call.kwargs.items() if k in {"size", "fill_value"}}
    kept["dtype"] = like.dtype if dtype is None else dtype
    func = NEW[call.name]
    return replace(call, func=func, args=tuple(given), kwargs=kept, name=func.__name__)


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
