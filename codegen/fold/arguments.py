"""What differs between the uses of a function becomes its arguments, as few as will do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any

from codegen.fold.relations import Column, are_one, are_positive, fits, follows, half_of_odd, halves_of_odd
from codegen.folded import MISSING, Argument, is_same

# Slots whose numbers are neither widths nor sizes: nothing is a multiple of them, nor they of anything.
PLAIN = frozenset(["depth", "axis", "kernel", "stride", "pad", "dilate", "adj"])
# Slots of several numbers of which each may follow from another.
SPLIT = frozenset(["shape", "kernel", "pad"])


# What most uses share of these is the default, of functions with so many uses.
USUAL = frozenset(["kernel", "stride", "pad", "dilate", "adj", "group", "groups"])
MANY = 4


@dataclass(frozen=True)
class Literal:
    value: Any


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
        return self._word not in PLAIN

    def columns(self) -> list[Column]:
        """The numbers in it: itself, or, of a shape, each size that differs."""
        if all(type(v) is int for v in self.known):
            return [self.values]
        lengths = {len(v) if isinstance(v, tuple) else -1 for v in self.known}
        if self._word not in SPLIT or len(lengths) > 1 or -1 in lengths:
            return []
        every = (self._size(place) for place in range(lengths.pop()))
        columns = [column for column in every if not _is_one([v for v in column if v is not MISSING])]
        is_square = all(column == columns[0] for column in columns)
        return columns if self._word == "shape" else columns[:1] if is_square else []

    @property
    def is_kernel(self) -> bool:
        """Whether it is the kernel of a convolution or a pooling, as a tuple."""
        return self._word == "kernel" and isinstance(self.known[0], tuple)

    @property
    def _word(self) -> str:
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
        return halves_of_odd(self.values, bases) if found is None and self._word == "pad" else found

    def _sizes(self, bases: Mapping[str, Column]) -> tuple[Any, ...] | None:
        """A shape, size by size; None where arguments do not give them all."""
        sizes: list[Any] = []
        for place in range(len(self.known[0])):
            column = self._size(place)
            known = [v for v in column if v is not MISSING]
            alike = _is_one(known)
            sizes.append(known[0] if alike else self._size_of(column, bases))
            if not alike and sizes[-1] is None:
                return None
        return tuple(sizes)

    def _size_of(self, column: Column, bases: Mapping[str, Column]) -> Argument | None:
        found = follows(column, bases, self.relates)
        return half_of_odd(column, bases) if found is None and self._word == "pad" else found


@dataclass(frozen=True)
class Base:
    """What becomes an argument: its values, and the first row that holds them."""

    values: Column
    row: int
    name: str


class Arguments:
    """Collects what differs between uses, and names as few arguments as will do.

    A value is `MISSING` where a use does not have the part: any other fits there. `flags` are arguments
    already, `attributes` what the author's modules call numbers of theirs.
    """

    def __init__(
        self,
        flags: Sequence[tuple[str, tuple[Any, ...]]],
        attributes: Sequence[tuple[str, tuple[Any, ...]]] = (),
    ) -> None:
        self._rows: list[Row] = []
        self._flags = list(flags)
        self._attributes = list(attributes)

    def place(self, slot: str, values: tuple[Any, ...], hint: str, handed_on: bool = False) -> Literal | int:
        """A literal where all uses agree, else the number of a row to be settled."""
        row = Row(slot, values, hint, handed_on)
        if MISSING not in values and _is_one(row.known):
            return Literal(values[0])
        self._rows.append(row)
        return len(self._rows) - 1

    def settled(self) -> tuple[dict[int, Any], list[tuple[str, tuple[Any, ...]]]]:
        """(row -> an Argument or a tuple that holds some, arguments with their values at each use)."""
        bases = self._bases()
        given = dict(self._flags) | {base.name: base.values for base in bases}
        chosen: dict[int, Any] = {}
        for number in self._order():
            row = self._rows[number]
            # One value wherever the part is there: what gives it elsewhere in the function, or a literal.
            chosen[number] = self._of_slot(row, chosen) if _is_one(row.known) else row.written(given)
        names: dict[str, str] = {}
        for base in sorted(bases, key=lambda own: own.row):
            names[base.name] = self._new_name(base, {*names.values()})
        in_order = [(names[base.name], base.values) for base in sorted(bases, key=lambda own: own.row)]
        return {n: _renamed(choice, names) for n, choice in chosen.items()}, [*in_order, *self._flags]

    def _of_slot(self, row: Row, chosen: Mapping[int, Any]) -> Any:
        """What gives these values to the nearest op that has the same slot, or the value itself."""
        own = self._rows.index(row)
        for number in sorted(chosen, key=lambda n: abs(n - own)):
            other = self._rows[number]
            if other.slot == row.slot and fits(row.values, other.values):
                return chosen[number]
        return row.known[0]

    def _order(self) -> list[int]:
        """Rows without gaps first, as others may fit one of them, and a function's own before others'."""
        return sorted(
            range(len(self._rows)),
            key=lambda n: (MISSING in self._rows[n].values, self._rows[n].handed_on),
        )

    # The smallest set of numbers from which the rest follow --------------------------------------------

    def _bases(self) -> list[Base]:
        """The author's own numbers, where they are as few as any."""
        open_rows = [n for n in self._order() if not _is_one(self._rows[n].known)]
        candidates = self._candidates(open_rows)
        named = {base.name for base in candidates if self._attribute(base.values) is not None}
        orders = [frozenset(named), frozenset[str]()] if named else [frozenset[str]()]
        every = [self._chosen(open_rows, candidates, own, part) for part in (True, False) for own in orders]
        return min(every, key=len)

    def _chosen(
        self, open_rows: list[int], candidates: Sequence[Base], first: frozenset[str], by_part: bool
    ) -> list[Base]:
        """Numbers from which all rows follow, those named in `first` before others.

        With `by_part`, where no number gives a whole row, one that gives a part of several does.
        """
        bases: list[Base] = []
        flags = dict(self._flags)
        while True:
            given = flags | {base.name: base.values for base in bases}
            open_rows = [n for n in open_rows if self._rows[n].written(given) is None]
            if not open_rows:
                return self._needed(bases)
            measures = (self._gain, self._parts) if by_part else (self._gain,)
            found = (
                self._best(open_rows, listed, given, measure)
                for measure in measures
                for listed in ([own for own in candidates if own.name in first], candidates)
            )
            best = next((own for own in found if own is not None), None)
            if best is None:
                row = open_rows[0]
                best = Base(self._filled(self._rows[row].values, open_rows), row, str(row))
            bases.append(best)
            candidates = [own for own in candidates if own.values != best.values]

    def _needed(self, bases: list[Base]) -> list[Base]:
        """Bases without those that the others give."""
        every = [n for n in self._order() if not _is_one(self._rows[n].known)]
        for base in bases:
            less = [own for own in bases if own is not base]
            given = dict(self._flags) | {own.name: own.values for own in less}
            if all(self._rows[n].written(given) is not None for n in every):
                return self._needed(less)
        return bases

    def _best(
        self,
        open_rows: Sequence[int],
        candidates: Sequence[Base],
        given: Mapping[str, Column],
        measure: Callable[[Sequence[int], Base, Mapping[str, Column]], int],
    ) -> Base | None:
        """The number from which most rows, or parts, follow; None where none follows from one more."""
        gains = [(measure(open_rows, base, given), base) for base in candidates]
        most = max((gain for gain, _ in gains), default=0)
        if not most:
            return None
        best = [base for gain, base in gains if gain == most]
        return max(best, key=lambda base: self._preference(base, open_rows))

    def _gain(self, open_rows: Sequence[int], base: Base, given: Mapping[str, Column]) -> int:
        more = {**given, base.name: base.values}
        return sum(self._rows[n].written(more) is not None for n in open_rows)

    def _parts(self, open_rows: Sequence[int], base: Base, given: Mapping[str, Column]) -> int:
        """The sizes of shapes that follow from one more number, where they are of several shapes."""
        more = {**given, base.name: base.values}
        open_columns = [
            [c for c in self._rows[n].columns() if are_positive(c) and follows(c, given) is None]
            for n in open_rows
        ]
        told = [sum(follows(c, more) is not None for c in columns) for columns in open_columns]
        return sum(told) if sum(map(bool, told)) > 1 else 0

    def _preference(self, base: Base, open_rows: Sequence[int]) -> tuple[bool, int, bool, int]:
        """An author's own number before others, then what most ops take, then the width of the result."""
        own = [n for n in open_rows if self._rows[n].values == base.values]
        is_width = "num_" in self._rows[base.row].slot
        return (
            self._attribute(base.values) is not None,
            sum(column == base.values for n in open_rows for column in self._rows[n].columns()),
            is_width,
            max(own, default=base.row) if is_width else -base.row,
        )

    def _candidates(self, rows: Sequence[int]) -> list[Base]:
        """Every number that differs between uses, with the first row that holds it, and the author's own."""
        found: list[Base] = []
        # A number is called after what takes it alone, a size of a shape only where nothing does.
        for number in sorted(rows, key=lambda n: isinstance(self._rows[n].known[0], tuple)):
            row = self._rows[number]
            for column in self._own_columns(row, rows):
                filled = self._filled(column, rows)
                if all(own.values != filled for own in found):
                    found.append(Base(filled, number, f"{number}.{len(found)}"))
        related = next((n for n in rows if self._rows[n].relates), None)
        for name, values in self._attributes:
            if related is not None and are_positive(values) and all(b.values != values for b in found):
                found.append(Base(values, related, f"{related}.{name}"))
        return found

    def _own_columns(self, row: Row, rows: Sequence[int]) -> list[Column]:
        """The numbers in a row that may become arguments: a kernel's where a pad follows from it."""
        columns = [c for c in row.columns() if c == row.values or are_positive(c)]
        if row.slot.endswith("shape") or columns == [row.values]:
            return columns
        pads = [self._rows[n] for n in rows if self._rows[n].slot.endswith("pad")]
        return [c for c in columns if row.is_kernel and any(p.written({"kernel": c}) for p in pads)]

    def _filled(self, values: Column, rows: Sequence[int]) -> Column:
        """A column without those of its gaps where other rows that agree with it have values."""
        if MISSING not in values:
            return values
        for number in rows:
            for column in [self._rows[number].values, *self._rows[number].columns()]:
                if all(map(_agree, values, column)):
                    values = tuple(c if v is MISSING else v for v, c in zip(values, column, strict=True))
        return values

    # What arguments are called -------------------------------------------------------------------------

    def _attribute(self, values: Column) -> str | None:
        """What the author's module calls a number."""
        return next((name for name, own in self._attributes if fits(values, own)), None)

    def _new_name(self, base: Base, names: set[str]) -> str:
        taken = {"name", "x", "y", *names, *(name for name, _ in self._flags)}
        for name in self._names(base):
            if name not in taken:
                return name
        name, number = next(iter(self._names(base))), 2
        while f"{name}{number}" in taken:
            number += 1
        return f"{name}{number}"

    def _names(self, base: Base) -> Iterator[str]:
        """What an argument may be called, the best first."""
        row = self._rows[base.row]
        attribute = self._attribute(base.values) if row.relates else None
        if attribute is not None:
            yield attribute
        slot, hint = row.slot, row.hint.rstrip("0123456789_")
        if slot.endswith("shape") and not any(isinstance(v, tuple) for v in base.values):
            slot = "size"
        yield slot
        # The number of a layer in its Sequential tells less than the Sequential's name.
        holder = re.sub(r"_\d+$", "", row.hint)
        if holder != row.hint and not holder[:1].isdigit():
            yield f"{holder}_{slot}"
        if row.hint and not row.hint[:1].isdigit():
            yield f"{row.hint}_{slot}"
        if hint and not hint[:1].isdigit():
            yield f"{hint}_{slot}"


def defaults_of(arguments: Sequence[tuple[str, Column]]) -> tuple[tuple[str, Any], ...]:
    """The values of strides, kernels, groups and flags that at least half of many uses share, and None."""
    found: list[tuple[str, Any]] = []
    for name, values in arguments:
        if None in values:
            found.append((name, None))
            continue
        known = [v for v in values if v is not MISSING]
        most = max(known, key=lambda v: sum(map(is_same, known, repeat(v))), default=None)
        shares = sum(map(is_same, known, repeat(most)))
        is_usual = type(most) is bool or name.rsplit("_", 1)[-1] in USUAL
        if len(values) >= MANY and 2 * shares >= len(values) and is_usual:
            found.append((name, most))
    return tuple(found)


def without_told(
    flags: Mapping[frozenset[int], str], arguments: Sequence[tuple[str, Column]], written: Iterable[Any]
) -> tuple[dict[frozenset[int], str], list[tuple[str, Column]]]:
    """(flags, arguments) without the flags that an argument tells, which is None in uses without the part."""
    used = set(names_in(written))
    named = dict(flags)
    for lacking, flag in flags.items():
        told = next((name for name, values in arguments if _tells(values, lacking)), None)
        if told is not None and flag not in used:
            named[lacking] = told
    gone = {*flags.values()} - {*named.values()}
    telling = {*named.values()} - {*flags.values()}
    return named, [
        (name, tuple(None if v is MISSING and name in telling else v for v in values))
        for name, values in arguments
        if name not in gone
    ]


def _tells(values: Column, lacking: frozenset[int]) -> bool:
    """Whether the uses that lack a part are those that lack a value, and all others have a true one."""
    return all((v is MISSING) == (n in lacking) and v for n, v in enumerate(values))


def names_in(written: Iterable[Any]) -> Iterator[str]:
    """The arguments that values are written with."""
    for value in written:
        for part in value if isinstance(value, tuple) else (value,):
            yield from part.names if isinstance(part, Argument) else ()


def _renamed(choice: Any, names: Mapping[str, str]) -> Any:
    if isinstance(choice, tuple):
        return tuple(_renamed(part, names) for part in choice)
    if not isinstance(choice, Argument):
        return choice
    times, over = ([names.get(name, name) for name in own] for own in (choice.times, choice.over))
    return replace(choice, name=names.get(choice.name, choice.name), times=tuple(times), over=tuple(over))


def _is_one(known: Sequence[Any]) -> bool:
    return all(are_one(v, known[0]) for v in known)


def _agree(one: Any, other: Any) -> bool:
    return one is MISSING or other is MISSING or are_one(one, other)
