"""Turns of a loop held against each other: what all do, and what stands in the place of the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from codegen.fold.columns import MOST_COLUMNS, Columns, NoLoop
from codegen.fold.slots import attr_names, attr_of
from codegen.folded import (
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
    VariableItem,
    counters_of,
)
from codegen.items import given_inside, made_inside, spans, with_reads
from codegen.program import Leaf, Operand, Out

# The counters of loops, outer ones first; the last is that of a run of calls in the innermost.
COUNTERS = ("i", "j", "k", "m")


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
    turns: Sequence[Sequence[Item]],
    start: int,
    counter: str,
    users: Mapping[Operand, Sequence[int]],
    params: frozenset[str] = frozenset(),
) -> RepeatItem:
    """The loop that does what the turns do, its counter from `start`. NoLoop where there is none.

    `params` are the Variables that are read from a container.
    """
    return _Alike(turns, start, counter, users, params).loop()


class _Alike:
    """What is known of the values of each turn, in the order in which the turns make them."""

    def __init__(
        self,
        turns: Sequence[Sequence[Item]],
        start: int,
        counter: str,
        users: Mapping[Operand, Sequence[int]],
        params: frozenset[str],
    ) -> None:
        self._params = params
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
        self._columns = Columns(counter, start, counters_of(turns[0]))
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
        if len(self._columns.columns) > MOST_COLUMNS:
            raise NoLoop
        carried = tuple((given, self._written[place]) for place, given in self._carried.items())
        return RepeatItem(
            self._counter,
            self._start,
            len(self._turns),
            tuple(self._columns.columns.items()),
            tuple(items),
            carried,
            tuple(self._begun(own, carried, items) for own in collected),
            tuple(finals),
            self._span(),
        )

    # Values ------------------------------------------------------------------------------------------

    def _all_made(self, items: Sequence[Item]) -> Iterator[tuple[Operand, int]]:
        operands = (operand for item in items for operand in made_inside(item))
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
        if all(isinstance(operand, Leaf) and self._is_param(operand.name) for operand in together):
            return Leaf(self._columns.name([own.name for own in together if isinstance(own, Leaf)]))
        return Among(tuple(together), self._columns.column("feature", tuple(together)))

    def _is_param(self, name: str) -> bool:
        """Whether a Variable is read from a container, by a name that may have counters."""
        return isinstance(name, Counted) or name in self._params

    def _carry(self, place: int, begin: Operand) -> Carried:
        if any(begin in made for made in self._made_before) or self._carried.get(place, begin) != begin:
            raise NoLoop
        self._carried[place] = begin
        return Carried(Out(-1, place))

    def _check_carried(self, items: list[Item]) -> None:
        """Put what is carried by its name, now that it is known; what is read too late is none."""
        for number, item in enumerate(items):
            items[number] = with_reads(item, self._carried_as)
        for place in self._carried:
            made = self._written[place]
            maker = next(n for n, item in enumerate(items) if made in made_inside(item))
            if any(Carried(made) in list(given_inside(item)) for item in items[maker + 1 :]):
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
        return (
            replace(own, begins=given) if later and all(given not in given_inside(i) for i in items) else own
        )

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
            (name, self._columns.value(name, [_attr(own, name) for own in together], first)) for name in names
        )
        outs = [[Out(own.index, i) for i in range(own.call.outputs)] for own in together]
        call = replace(first.call, name=self._columns.name([own.call.name for own in together]))
        self._made(outs, outs[0])
        return OpItem(call, first.index, attrs, first.automatic, reads)  # type: ignore[arg-type]

    def _variable(self, together: Sequence[VariableItem]) -> VariableItem:
        name = self._columns.name([own.variable.name for own in together])
        shape = self._columns.value("shape", [own.shape for own in together], None)
        self._made([[Leaf(own.variable.name)] for own in together], [Leaf(name)])
        return VariableItem(replace(together[0].variable, name=name), shape)

    def _call(self, together: Sequence[CallItem]) -> CallItem:
        first = together[0]
        inputs = tuple(self._read(own) for own in zip(*(own.inputs for own in together), strict=True))
        args = tuple(
            (name, self._columns.value(name, [own.args[number][1] for own in together], None))
            for number, (name, _) in enumerate(first.args)
        )
        path = self._columns.name([own.path for own in together])
        shared = self._columns.name([own.shared for own in together]) if first.shared else ""
        self._made([own.outputs for own in together], first.outputs)
        return replace(first, inputs=inputs, args=args, path=path, shared=shared)

    def _loop(self, together: Sequence[LoopItem]) -> LoopItem:
        first = together[0]
        if first.listed is not None:
            raise NoLoop
        inputs = zip(*(own.calls[0].inputs for own in together), strict=True)
        shared = first.calls[0].shared and self._columns.name([own.calls[0].shared for own in together])
        call = replace(first.calls[0], inputs=tuple(map(self._read, inputs)), shared=shared)
        args = tuple(
            (name, self._columns.value(name, [own.args[number][1] for own in together], None))
            for number, (name, _) in enumerate(first.args)
        )
        prefix = self._columns.name([own.prefix for own in together])
        suffix = self._columns.name([own.suffix for own in together])
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


def _both_plain(one: Given | None, other: Given | None) -> bool:
    return isinstance(one, Out | Leaf) and isinstance(other, Out | Leaf)


def _attr(item: OpItem, name: str) -> Any:
    """An attribute as the item has it, or MXNet's default."""
    return dict(item.attrs)[name] if name in dict(item.attrs) else attr_of(item.call, name)
