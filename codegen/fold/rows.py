"""What differs between the uses of a function: the values of one slot at each, and the numbers in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codegen.fold.relations import Column, are_one, follows, half_of_odd, halves_of_odd
from codegen.folded import MISSING, Argument

# Slots whose numbers are neither widths nor sizes: nothing is a multiple of them, nor they of anything.
PLAIN = frozenset(["depth", "axis", "kernel", "stride", "pad", "dilate", "adj"])
# Slots of several numbers of which each may follow from another, and those of which each may be an argument.
SIZES = frozenset(["shape", "begin", "end"])
SPLIT = SIZES | {"kernel", "pad"}
# The slots that take the width of what an op gives.
WIDTHS = ("num_filter", "num_hidden")


@dataclass(frozen=True)
class Literal:
    value: Any


@dataclass(frozen=True)
class Base:
    """What becomes an argument: its values, and the first row that holds them."""

    values: Column
    row: int
    name: str


@dataclass(frozen=True)
class Row:
    """The values of one slot at each use of a function, and what tells the slot from others.

    What is `handed_on` to another function is made of what the function's own ops take, if it can be.
    """

    slot: str
    values: Column
    hint: str
    handed_on: bool

    @property
    def known(self) -> list[Any]:
        """The values of the uses that have the slot."""
        return [v for v in self.values if v is not MISSING] or [MISSING]

    @property
    def relates(self) -> bool:
        """Whether its numbers may be multiples of others, and others of them."""
        return self.word not in PLAIN

    def columns(self) -> list[Column]:
        """The numbers in it: itself, or, of a shape or the ends of a slice, each size that differs."""
        if all(type(v) is int for v in self.known):
            return [self.values]
        lengths = {len(v) if isinstance(v, tuple) else -1 for v in self.known}
        if self.word not in SPLIT or len(lengths) > 1 or -1 in lengths:
            return []
        every = (self._size(place) for place in range(lengths.pop()))
        columns = [column for column in every if not is_one([v for v in column if v is not MISSING])]
        is_square = all(column == columns[0] for column in columns)
        return columns if self.word in SIZES else columns[:1] if is_square else []

    @property
    def is_kernel(self) -> bool:
        """Whether it is the kernel of a convolution or a pooling, as a tuple."""
        return self.word == "kernel" and isinstance(self.known[0], tuple)

    @property
    def is_split(self) -> bool:
        """Whether it holds several sizes, each of which may be an argument."""
        return self.word in SIZES and isinstance(self.known[0], tuple)

    @property
    def is_width(self) -> bool:
        """Whether it takes the width of what an op gives."""
        return self.slot.endswith(WIDTHS)

    @property
    def word_of_width(self) -> str:
        """The attribute of MXNet's that takes the width."""
        return next((own for own in WIDTHS if self.slot.endswith(own)), self.slot)

    @property
    def word(self) -> str:
        """The attribute of MXNet's, where it is one: of `conv1_kernel` the last word."""
        return self.slot.rsplit("_", 1)[-1]

    def _size(self, place: int) -> Column:
        return tuple(MISSING if v is MISSING else v[place] for v in self.values)

    def written(self, bases: Mapping[str, Column]) -> Any:
        """The row in terms of arguments; None where they do not give all of it."""
        columns = self.columns()
        if columns == [self.values]:
            return follows(self.values, bases, self.relates)
        sizes = self._sizes(bases) if columns else None
        found = follows(self.values, bases, relate=False) if sizes is None else sizes
        return halves_of_odd(self.values, bases) if found is None and self.word == "pad" else found

    def _sizes(self, bases: Mapping[str, Column]) -> tuple[Any, ...] | None:
        """A shape, size by size; None where arguments do not give them all."""
        sizes: list[Any] = []
        for place in range(len(self.known[0])):
            column = self._size(place)
            known = [v for v in column if v is not MISSING]
            alike = is_one(known)
            sizes.append(known[0] if alike else self._size_of(column, bases))
            if not alike and sizes[-1] is None:
                return None
        return tuple(sizes)

    def _size_of(self, column: Column, bases: Mapping[str, Column]) -> Argument | None:
        found = follows(column, bases, self.relates)
        return half_of_odd(column, bases) if found is None and self.word == "pad" else found


def is_one(known: Sequence[Any]) -> bool:
    """Whether all values are written alike."""
    return all(are_one(v, known[0]) for v in known)
