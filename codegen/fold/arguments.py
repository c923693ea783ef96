"""What differs between the uses of a function becomes its arguments, as few as will do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from codegen.fold.argument_names import Known, is_authors, is_telling, named
from codegen.fold.relations import Column, are_one, are_positive, fits, follows
from codegen.fold.rows import SIZES, Base, Literal, Row, is_one
from codegen.folded import MISSING, Argument


class Arguments:
    """Collects what differs between uses, and names as few arguments as will do.

    A value is `MISSING` where a use does not have the part: any other fits there. `flags` are arguments
    already, `known` what is known of the uses beside what is placed.
    """

    def __init__(
        self,
        flags: Sequence[tuple[str, tuple[Any, ...]]],
        known: Known | None = None,
    ) -> None:
        self._rows: list[Row] = []
        self._flags = list(flags)
        self._known = known or Known()

    def place(self, slot: str, values: tuple[Any, ...], hint: str, handed_on: bool = False) -> Literal | int:
        """A literal where all uses agree, else the number of a row to be settled."""
        row = Row(slot, values, hint, handed_on)
        if MISSING not in values and is_one(row.known):
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
            chosen[number] = self._of_slot(row, chosen) if is_one(row.known) else row.written(given)
        names = named(bases, self._rows, self._known, [name for name, _ in self._flags])
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
        """The author's own numbers, where they are as few as any; variables of `__init__` where fewer."""
        open_rows = [n for n in self._order() if not is_one(self._rows[n].known)]
        every: list[list[Base]] = []
        for told in (self._known.attributes, (*self._known.attributes, *self._known.words)):
            candidates = self._candidates(open_rows, told)
            own = {base.name for base in candidates if self._known.attribute(base.values) is not None}
            orders = [frozenset(own), frozenset[str]()] if own else [frozenset[str]()]
            every += [self._chosen(open_rows, candidates, o, part) for part in (True, False) for o in orders]
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
        every = [n for n in self._order() if not is_one(self._rows[n].known)]
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

    def _preference(self, base: Base, open_rows: Sequence[int]) -> tuple[bool, bool, int, bool, bool, int]:
        """An author's own number before others, then what has a true word, of these what most ops take."""
        own = [n for n in open_rows if self._rows[n].values == base.values]
        is_width = self._rows[base.row].is_width
        # Of widths, that of the result is num_filter, and others are what the author calls them.
        is_taken = any(base.values in self._rows[n].columns() for n in open_rows)
        is_main = self._known.is_width(base.values) and (
            not is_taken or any(self._rows[n].is_width for n in own)
        )
        has_word = is_width and self._known.word(base.values) is not None
        return (
            self._known.attribute(base.values) is not None,
            is_main or has_word,
            sum(column == base.values for n in open_rows for column in self._rows[n].columns()),
            is_main,
            is_width,
            max(own, default=base.row) if is_width else -base.row,
        )

    def _candidates(self, rows: Sequence[int], told: Sequence[tuple[str, Column]]) -> list[Base]:
        """Every number that differs between uses, with the first row that holds it, and those `told`."""
        found: list[Base] = []
        # A number is called after what takes it alone, a size of a shape only where nothing does.
        for number in sorted(rows, key=lambda n: isinstance(self._rows[n].known[0], tuple)):
            row = self._rows[number]
            for column in self._own_columns(row, rows):
                filled = self._filled(column, rows)
                if all(own.values != filled for own in found):
                    found.append(Base(filled, number, f"{number}.{len(found)}"))
        channels, handed = self._known.channels, [n for n in rows if is_authors(self._rows[n])]
        if handed and channels and are_positive(channels) and all(own.values != channels for own in found):
            # What is handed on is not the function's width: that says more to those who call it.
            found.append(Base(channels, handed[0], f"{handed[0]}.channels"))
        related = next((n for n in rows if self._rows[n].relates), None)
        for name, values in told:
            is_new = all(own.values != values for own in found)
            if related is not None and is_new and are_positive(values) and is_telling(name, values):
                found.append(Base(values, related, f"{related}.{name}"))
        return found

    def _own_columns(self, row: Row, rows: Sequence[int]) -> list[Column]:
        """The numbers in a row that may become arguments: a kernel's where a pad follows from it."""
        columns = [c for c in row.columns() if c == row.values or are_positive(c)]
        if row.word in SIZES or columns == [row.values]:
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


def _renamed(choice: Any, names: Mapping[str, str]) -> Any:
    if isinstance(choice, tuple):
        return tuple(_renamed(part, names) for part in choice)
    if not isinstance(choice, Argument):
        return choice
    times, over = ([names.get(name, name) for name in own] for own in (choice.times, choice.over))
    return replace(choice, name=names.get(choice.name, choice.name), times=tuple(times), over=tuple(over))


def _agree(one: Any, other: Any) -> bool:
    return one is MISSING or other is MISSING or are_one(one, other)
