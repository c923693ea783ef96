"""Turns of a loop held against each other: what is the same in all, and what stands in the place of the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from codegen.fold.arguments import attr_names, attr_of
from codegen.folded import (
    MISSING,
    Among,
    CallItem,
    Carried,
    Collected,
    Counted,
    Given,
    Item,
    LoopItem,
    Many,
    OpItem,
    RepeatItem,
    Turn,
    VariableItem,
    counters_of,
)
from codegen.program import Leaf, Operand, Out

# The counters of loops, outer ones first.
COUNTERS = ("i", "j", "k", "m")
# The columns of a loop's table at most.
MOST_COLUMNS = 3
# Of fewer turns it is chance that numbers go up by one.
FEWEST_COUNTED = 3
# What the numbers of attributes are called that have no word of their own, by how the op is written.
COLUMN_NAMES = {"x * c": "scale", "x / c": "divisor", "x + c": "shift", "x - c": "shift", "shape": "size"}
# Attributes of which a turn has its own as a whole: kernel=(3, 3).
WHOLE = frozenset(["kernel", "stride", "pad", "dilate", "adj", "axes"])


class NoLoop(Exception):
    """Raised where turns are not alike."""


def shape_of(items: Sequence[Item]) -> tuple[Any, ...]:
    """What turns must have in common to be tried as a loop: the ops and functions, and the author's lines."""
    return tuple(map(_shape, items))


def _shape(item: Item) -> tuple[Any, ...]:
    if isinstance(item, OpItem):
        source, slots = item.call.source, tuple(slot for slot, _ in item.inputs)
        return "op", item.call.op, item.call.outputs, slots, source.file, source.line, item.automatic
    if isinstance(item, VariableItem):
        own = item.variable
        return "variable", own.kind, own.dtype, own.trained, own.init
    if isinstance(item, CallItem):
        return "call", item.function, len(item.inputs), item.frame.line
    if isinstance(item, LoopItem):
        return "loop", item.calls[0].function, len(item.calls), item.start, item.varying, item.listed
    if isinstance(item, RepeatItem):
        return "repeat", item.count, item.start, item.columns, shape_of(item.items)
    return ("other", id(item))


def repeated(
    turns: Sequence[Sequence[Item]], start: int, counter: str, users: Mapping[Operand, Sequence[int]]
) -> RepeatItem:
    """The loop that does what the turns do, its counter from `start`. NoLoop where there is none."""
    return _Alike(turns, start, counter, users).loop()


class _Alike:
    """What is known of the values of each turn, in the order in which the turns make them."""

    def __init__(
        self,
        turns: Sequence[Sequence[Item]],
        start: int,
        counter: str,
        users: Mapping[Operand, Sequence[int]],
    ) -> None:
        self._turns = turns
        self._start = start
        self._counter = counter
        self._users = users
        # For each turn, the place of each value that it has made; and what stands for it in the loop.
        self._places: list[dict[Operand, int]] = [{} for _ in turns]
        self._written: list[Operand] = []
        self._own: list[list[Operand]] = []
        # The values that are carried: by the place of what is made, what the first turn is given instead.
        self._carried: dict[int, Given] = {}
        self._columns: dict[str, tuple[Any, ...]] = {}
        self._taken = {counter, *counters_of(turns[0])}
        # What all turns make, as it is read, before it is known what they make next.
        self._made_before = [dict(self._all_made(turn)) for turn in turns]

    def loop(self) -> RepeatItem:
        """The loop. NoLoop where the turns are not alike."""
        items: list[Item] = []
        collected: list[Collected] = []
        finals: list[tuple[Operand, Operand]] = []
        for together in zip(*self._turns, strict=True):
            first = len(self._written)
            items.append(self._item(list(together)))
            found, last = self._read_after(together, first)
            collected += found
            finals += last
        self._check_carried(items)
        if len(self._columns) > MOST_COLUMNS:
            raise NoLoop
        carried = tuple((given, self._written[place]) for place, given in self._carried.items())
        return RepeatItem(
            self._counter,
            self._start,
            len(self._turns),
            tuple(self._columns.items()),
            tuple(items),
            carried,
            tuple(self._begun(own, carried, items) for own in collected),
            tuple(finals),
            self._span(),
        )

    # Values ------------------------------------------------------------------------------------------

    def _all_made(self, items: Sequence[Item]) -> Iterator[tuple[Operand, int]]:
        operands = (operand for item in items for operand in makes(item))
        return ((operand, place) for place, operand in enumerate(dict.fromkeys(operands)))

    def _made(self, together: Sequence[Sequence[Operand]], written: Sequence[Operand]) -> None:
        """Note what an item makes in each turn, and what that is in the loop."""
        if len({len(own) for own in together}) > 1:
            raise NoLoop
        for number, operand in enumerate(written):
            place = len(self._written)
            for places, own in zip(self._places, together, strict=True):
                places[own[number]] = place
            self._written.append(operand)
            self._own.append([own[number] for own in together])

    def _read(self, together: Sequence[Given | None]) -> Given | None:
        """What is read in each turn, as the loop reads it."""
        first = together[0]
        if any(type(own) is not type(first) and not _both_plain(own, first) for own in together):
            raise NoLoop
        if first is None:
            return None
        if isinstance(first, Many | Among):
            lists = [own.items for own in together if isinstance(own, Many | Among)]
            if len({len(own) for own in lists}) > 1:
                raise NoLoop
            return replace(first, items=tuple(map(self._value_of_own, zip(*lists, strict=True))))
        if isinstance(first, Carried):
            return Carried(self._value_of_own([own.made for own in together if isinstance(own, Carried)]))
        return self._plain([own for own in together if isinstance(own, Out | Leaf)])

    def _value_of_own(self, together: Sequence[Operand]) -> Operand:
        """What is read in each turn, where that is one value, or each turn's own."""
        value = self._plain(together)
        if isinstance(value, Among | Carried):
            raise NoLoop
        return value

    def _plain(self, together: Sequence[Operand]) -> Operand | Among | Carried:
        places = [own.get(operand) for own, operand in zip(self._places, together, strict=True)]
        if places[0] is not None and len(set(places)) == 1:
            return self._written[places[0]]
        if any(place is not None for place in places[1:]) or places[0] is not None:
            raise NoLoop
        before = [made.get(operand) for made, operand in zip(self._made_before, together[1:], strict=False)]
        if before and before[0] is not None and len(set(before)) == 1:
            return self._carry(before[0], together[0])
        if any(operand in made for made in self._made_before for operand in together):
            raise NoLoop
        if all(operand == together[0] for operand in together):
            return together[0]
        return Among(tuple(together), self._column("feature", tuple(together)))

    def _carry(self, place: int, begin: Operand) -> Carried:
        if any(begin in made for made in self._made_before) or self._carried.get(place, begin) != begin:
            raise NoLoop
        self._carried[place] = begin
        return Carried(Out(-1, place))

    def _check_carried(self, items: list[Item]) -> None:
        """Put what is carried by its name, now that it is known; what is read too late is none."""
        for number, item in enumerate(items):
            items[number] = _mapped(item, self._carried_as)
        for place in self._carried:
            made = self._written[place]
            maker = next(n for n, item in enumerate(items) if made in makes(item))
            if any(Carried(made) in list(reads(item)) for item in items[maker + 1 :]):
                raise NoLoop

    def _carried_as(self, given: Given | None) -> Given | None:
        if isinstance(given, Carried) and isinstance(given.made, Out) and given.made.call == -1:
            return Carried(self._written[given.made.index])
        return given

    def _read_after(
        self, together: Sequence[Item], first: int
    ) -> tuple[list[Collected], list[tuple[Operand, Operand]]]:
        """What of an item's values is read after the loop: of each turn, or of the last alone."""
        finals: list[tuple[Operand, Operand]] = []
        outside: dict[Operand, tuple[Operand, ...]] = {}
        low, high = self._span()
        for place in range(first, len(self._written)):
            own = self._own[place]
            is_read = [any(not low <= u <= high for u in self._users.get(o, ())) for o in own]
            if any(is_read[:-1]):
                outside[self._written[place]] = tuple(own)
            elif is_read[-1]:
                finals.append((self._written[place], own[-1]))
        inner = [i.collected for i in together if isinstance(i, RepeatItem)]
        collected: list[Collected] = []
        for number, own_list in enumerate(inner[0] if inner else ()):
            lists = [own[number].items for own in inner]
            written = [self._written[self._places[0][o]] for o in own_list.items]
            if any(operand in outside for operand in written):
                collected.append(Collected(own_list.each, tuple(o for own in lists for o in own), inner=True))
                for operand in written:
                    outside.pop(operand, None)
        return [*collected, *(Collected(each, all_of) for each, all_of in outside.items())], finals

    def _begun(
        self, own: Collected, carried: Sequence[tuple[Given, Operand]], items: Sequence[Item]
    ) -> Collected:
        """A list that begins with what its first turn is given, where that is read after the loop too."""
        given = next((begin for begin, made in carried if made == own.each and not own.inner), None)
        if not isinstance(given, Out) or [begin for begin, _ in carried].count(given) > 1:
            return own
        later = any(u > self._span()[1] for u in self._users.get(given, ()))
        return replace(own, begins=given) if later and all(given not in reads(i) for i in items) else own

    def _span(self) -> tuple[int, int]:
        numbers = [n for turn in self._turns for item in turn for n in spans(item)]
        return min(numbers), max(numbers)

    # Items -------------------------------------------------------------------------------------------

    def _item(self, together: list[Any]) -> Item:
        first = together[0]
        if isinstance(first, OpItem):
            return self._op(together)
        if isinstance(first, VariableItem):
            return self._variable(together)
        if isinstance(first, CallItem):
            return self._call(together)
        if isinstance(first, LoopItem):
            return self._loop(together)
        if isinstance(first, RepeatItem):
            return self._repeat(together)
        raise NoLoop

    def _op(self, together: Sequence[OpItem]) -> OpItem:
        first = together[0]
        reads = tuple(
            (slot, self._read([own.inputs[number][1] for own in together]))
            for number, (slot, _) in enumerate(first.inputs)
        )
        names = attr_names(
            [own.call for own in together], [name for own in together for name, _ in own.attrs]
        )
        attrs = tuple(
            (name, self._value(name, [_attr(own, name) for own in together], first)) for name in names
        )
        outs = [[Out(own.index, i) for i in range(own.call.outputs)] for own in together]
        call = replace(first.call, name=self._name([own.call.name for own in together]))
        self._made(outs, outs[0])
        return OpItem(call, first.index, attrs, first.automatic, reads)  # type: ignore[arg-type]

    def _variable(self, together: Sequence[VariableItem]) -> VariableItem:
        name = self._name([own.variable.name for own in together])
        shape = self._value("shape", [own.shape for own in together], None)
        self._made([[Leaf(own.variable.name)] for own in together], [Leaf(name)])
        return VariableItem(replace(together[0].variable, name=name), shape)

    def _call(self, together: Sequence[CallItem]) -> CallItem:
        first = together[0]
        inputs = tuple(self._read(own) for own in zip(*(own.inputs for own in together), strict=True))
        args = tuple(
            (name, self._value(name, [own.args[number][1] for own in together], None))
            for number, (name, _) in enumerate(first.args)
        )
        path = self._name([own.path for own in together])
        self._made([own.outputs for own in together], first.outputs)
        return replace(first, inputs=inputs, args=args, path=path)

    def _loop(self, together: Sequence[LoopItem]) -> LoopItem:
        first = together[0]
        if first.listed is not None:
            raise NoLoop
        inputs = zip(*(own.calls[0].inputs for own in together), strict=True)
        call = replace(first.calls[0], inputs=tuple(map(self._read, inputs)))
        args = tuple(
            (name, self._value(name, [own.args[number][1] for own in together], None))
            for number, (name, _) in enumerate(first.args)
        )
        prefix = self._name([own.prefix for own in together])
        suffix = self._name([own.suffix for own in together])
        self._made([own.outputs for own in together], first.outputs)
        inner = COUNTERS.index(self._counter) + 1
        counter = max(first.counter, COUNTERS[inner], key=COUNTERS.index)
        return replace(
            first, calls=(call, *first.calls[1:]), args=args, prefix=prefix, suffix=suffix, counter=counter
        )

    def _repeat(self, together: Sequence[RepeatItem]) -> RepeatItem:
        first = together[0]
        begins = [self._read([own.carried[n][0] for own in together]) for n in range(len(first.carried))]
        items = [self._item(list(own)) for own in zip(*(own.items for own in together), strict=True)]
        carried = [
            (begin, self._inside(made)) for begin, (_, made) in zip(begins, first.carried, strict=True)
        ]
        finals = [(self._inside(each), last) for each, last in first.finals]
        collected = [replace(own, each=self._inside(own.each)) for own in first.collected]
        self._made([self._new(n, own.outputs) for n, own in enumerate(together)], self._new(0, first.outputs))
        return replace(
            first,
            items=tuple(items),
            carried=tuple((begin, made) for begin, made in carried if begin is not None),
            finals=tuple(finals),
            collected=tuple(collected),
        )

    def _new(self, turn: int, operands: Sequence[Operand]) -> list[Operand]:
        """Of what an inner loop gives, that which its first turn has not made."""
        return [operand for operand in operands if operand not in self._places[turn]]

    def _inside(self, operand: Operand) -> Operand:
        return self._written[self._places[0][operand]]

    # What differs ------------------------------------------------------------------------------------

    def _name(self, together: Sequence[str]) -> str:
        """The names of one thing in each turn as an f-string, with the counter where a number goes up."""
        split = [re.split(r"(\{[^}]*\}|\d+)", name) for name in together]
        if len({len(own) for own in split}) > 1:
            raise NoLoop
        return Counted("".join(self._part(parts) for parts in zip(*split, strict=True)))

    def _part(self, parts: Sequence[str]) -> str:
        if all(part == parts[0] for part in parts):
            return parts[0]
        if not all(re.fullmatch(r"0|[1-9]\d*", part) for part in parts):
            raise NoLoop
        added = int(parts[0]) - self._start
        if [int(part) - self._start - added for part in parts] != list(range(len(parts))):
            raise NoLoop
        return f"{{{Turn(self._counter, added)}}}"

    def _value(self, name: str, values: Sequence[Any], op: OpItem | None) -> Any:
        known = [value for value in values if value is not MISSING] or [MISSING]
        if all(type(value) is type(known[0]) and value == known[0] for value in known):
            return known[0]
        values = [known[0] if value is MISSING else value for value in values]
        lengths = {len(value) if isinstance(value, tuple) else -1 for value in values}
        if name not in WHOLE and len(lengths) == 1 and -1 not in lengths:
            return tuple(self._value(name, own, op) for own in zip(*values, strict=True))
        if any(_holds_turn(value) for value in values):
            raise NoLoop
        return self._counted(values) or Turn(self._column(_column_name(name, op), tuple(values)))

    def _counted(self, values: Sequence[Any]) -> Turn | None:
        """The counter, plus a number, that gives these values."""
        if len(values) < FEWEST_COUNTED or not all(type(value) is int for value in values):
            return None
        added = values[0] - self._start
        counted = all(value == self._start + added + n for n, value in enumerate(values))
        return Turn(self._counter, added) if counted else None

    def _column(self, name: str, values: tuple[Any, ...]) -> str:
        """The column that gives these values, a new one if there is none."""
        for column, own in self._columns.items():
            if own == values and [type(v) for v in own] == [type(v) for v in values]:
                return column
        number, column = 1, name
        while column in self._columns or column in self._taken:
            number += 1
            column = f"{name}{number}"
        self._columns[column] = values
        return column


def _both_plain(one: Given | None, other: Given | None) -> bool:
    return isinstance(one, Out | Leaf) and isinstance(other, Out | Leaf)


def _attr(item: OpItem, name: str) -> Any:
    """An attribute as the item has it, or MXNet's default."""
    return dict(item.attrs)[name] if name in dict(item.attrs) else attr_of(item.call, name)


def _column_name(name: str, op: OpItem | None) -> str:
    if name == "c" and op is not None:
        return COLUMN_NAMES.get(op.call.op, "number")
    return COLUMN_NAMES.get(name, name)


def _holds_turn(value: Any) -> bool:
    return isinstance(value, Turn) or (isinstance(value, tuple) and any(map(_holds_turn, value)))


# What items are made of -------------------------------------------------------------------------------


def makes(item: Item) -> Iterator[Operand]:
    """What an item makes, with all that stands inside a loop."""
    if isinstance(item, OpItem):
        yield from (Out(item.index, i) for i in range(item.call.outputs))
    elif isinstance(item, VariableItem):
        yield Leaf(item.variable.name)
    elif isinstance(item, CallItem | LoopItem):
        yield from item.outputs
    elif isinstance(item, RepeatItem):
        for inner in item.items:
            yield from makes(inner)
        yield from item.outputs


def reads(item: Item) -> Iterator[Given | None]:
    """What an item is given, as it is written."""
    if isinstance(item, OpItem):
        yield from (given for _, given in item.inputs)
    elif isinstance(item, CallItem):
        yield from item.inputs
    elif isinstance(item, LoopItem):
        yield from item.calls[0].inputs
    elif isinstance(item, RepeatItem):
        yield from (given for given, _ in item.carried)
        for inner in item.items:
            yield from reads(inner)


def spans(item: Item) -> Iterator[int]:
    """The first and the last of the program's calls that an item stands for."""
    if isinstance(item, OpItem):
        yield item.index
    elif isinstance(item, CallItem):
        yield from item.span
    elif isinstance(item, LoopItem):
        yield from (n for call in item.calls for n in call.span)
    elif isinstance(item, RepeatItem):
        yield from item.covers


def _mapped(item: Item, change: Any) -> Item:
    """An item that is given other values."""
    if isinstance(item, OpItem):
        return replace(item, reads=tuple((slot, change(given)) for slot, given in item.inputs))
    if isinstance(item, CallItem):
        return replace(item, inputs=tuple(map(change, item.inputs)))
    if isinstance(item, LoopItem):
        first = replace(item.calls[0], inputs=tuple(map(change, item.calls[0].inputs)))
        return replace(item, calls=(first, *item.calls[1:]))
    if isinstance(item, RepeatItem):
        carried = tuple((change(given), made) for given, made in item.carried)
        return replace(item, items=tuple(_mapped(i, change) for i in item.items), carried=carried)
    return item
