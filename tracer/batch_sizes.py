"""One value of several: what a net computes with at several batch sizes, as a function of the batch size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import fx

from codegen.ir import Dim, Ref, Size, Source


class Mismatch(Exception):
    """The net takes another path at another batch size: `what` it does, and where."""

    def __init__(self, what: str, source: Source | None = None) -> None:
        super().__init__(f"{what}, at {source}" if source is not None else what)
        self.what = what
        self.source = source


@dataclass(frozen=True)
class Merger:
    """Merges the values that one place of a net has at each of `batches`.

    `ref` gives the IR's name of a node's value.
    """

    batches: tuple[int, ...]
    ref: Callable[[fx.Node], Ref]

    def merged(self, values: Sequence[Any], source: Source) -> Any:
        """The values as one, in which sizes that follow the batch are `Dim`s. Mismatch where none is."""
        first = values[0]
        if isinstance(first, fx.Node):
            return self.ref(first)
        if isinstance(first, list | tuple):
            if len({len(v) for v in values}) > 1:
                raise Mismatch("a list has another length at another batch size", source)
            return tuple(self.merged(column, source) for column in zip(*values, strict=True))
        if isinstance(first, dict):
            return {k: self.merged([v[k] for v in values], source) for k in first}
        if isinstance(first, slice):
            ends = ("start", "stop", "step")
            return slice(*(self.merged([getattr(v, end) for v in values], source) for end in ends))
        if isinstance(first, torch.dtype | torch.device):
            return str(first).removeprefix("torch.")
        if isinstance(first, torch.nn.Module) and all(type(v) is type(first) for v in values):
            return first  # each capture has its own copy of a module that is handed on as an argument
        if all(type(v) is type(first) and _is_equal(v, first) for v in values[1:]):
            return first
        if isinstance(first, int) and not isinstance(first, bool):
            return self._linear(values, source)
        raise Mismatch(f"{first!r} changes with the batch size", source)

    def _linear(self, values: Sequence[int], source: Source) -> Size:
        """The size as a function of the batch, from the last two; every other must lie on it.

        A batch of one has no parts.
        """
        before, last = self.batches[-2:]
        coef = Fraction(values[-1] - values[-2], last - before)
        const = values[-1] - coef * last
        is_line = all(coef * b + const == v for b, v in zip(self.batches, values, strict=True))
        if coef == 0 or not is_line or const.denominator > 1 or self.batches[0] % coef.denominator:
            raise Mismatch("a size is not linear in the batch size", source)
        return Dim(coef, const)


def _is_equal(value: Any, first: Any) -> bool:
    """Equal, or both not a number."""
    return bool(value == first or (value != value and first != first))
