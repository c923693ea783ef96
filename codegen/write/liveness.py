"""What the items of a body read and make, and where each value is read last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from codegen.folded import (
    CallItem,
    Carried,
    Given,
    GuardItem,
    Item,
    Many,
    OpItem,
    RepeatItem,
    VariableItem,
    each,
)
from codegen.items import given, given_inside, makes
from codegen.program import Call, Operand, Out, Program, Variable


def inlined_calls(program: Program, items: Sequence[Item]) -> Iterator[Call]:
    """The calls that stand in a body for themselves, and those that stand for an op of torch."""
    for item in items:
        if isinstance(item, OpItem):
            yield item.call
        elif isinstance(item, GuardItem | RepeatItem):
            yield from inlined_calls(program, item.items)
        elif isinstance(item, CallItem) and item.frame.op:
            yield program.calls[item.span[0]]


def variables_in(items: Sequence[Item]) -> Iterator[Variable]:
    """The Variables that a body makes."""
    for item in items:
        if isinstance(item, VariableItem):
            yield item.variable
        elif isinstance(item, GuardItem | RepeatItem):
            yield from variables_in(item.items)


def op_after(items: Sequence[Item], place: int) -> OpItem | None:
    """The op that the Variables at a place are made for."""
    item = next((i for i in items[place:] if not isinstance(i, VariableItem)), None)
    return item if isinstance(item, OpItem) else None


def item_length(item: Item) -> int:
    """How many numbers an item takes.

    A guarded part has one for itself and one for each item inside, a loop also one for its end.
    """
    inside = sum(map(item_length, item.items)) if isinstance(item, GuardItem | RepeatItem) else 0
    return 1 + inside + isinstance(item, RepeatItem)


def last_uses(items: Sequence[Item], outputs: Sequence[Operand]) -> dict[Given, int]:
    """The number of the last item that reads each value; of what the function returns, one above all.

    What a loop reads of what stands before it, is read at its end; what it hands on, in each turn.
    """
    last: dict[Given, int] = {}
    end = _last_uses(items, 0, last)
    for operand in outputs:
        last[operand] = end
    _read_from_loops(items, 0, last)
    return last


def _last_uses(items: Sequence[Item], index: int, last: dict[Given, int]) -> int:
    for item in items:
        if isinstance(item, RepeatItem):
            _last_uses_in_loop(item, index, last)
        elif isinstance(item, GuardItem):
            if item.given is not None:
                last[item.given] = index
            for _, instead in item.merges:
                last[instead] = index + item_length(item) - 1
            _last_uses(item.items, index, last)
            if item.returns is not None:
                last[item.returns] = index + item_length(item)
        else:
            for operand in item_reads(item):
                last[operand] = index
            for own in given(item):
                if isinstance(own, Carried):
                    last[own] = index
        index += item_length(item)
    return index


def _last_uses_in_loop(item: RepeatItem, index: int, last: dict[Given, int]) -> None:
    """Note what a loop reads: the item itself has number `index`."""
    end = index + item_length(item) - 1
    _last_uses(item.items, index + 1, last)
    for operand in item_reads(item):
        last[operand] = end
    inside = {own for inner in item.items for own in given_inside(inner)}
    for begin, made in item.carried:
        last[made] = end
        if begin not in inside or isinstance(begin, Carried):
            last[begin] = end if begin in inside else index


def _read_from_loops(items: Sequence[Item], index: int, last: dict[Given, int]) -> None:
    """What is read after a loop is read from its lists, or from the variable that all its turns assign to."""
    for item in items:
        if isinstance(item, RepeatItem):
            for first, final in item.finals:
                last[first] = max(last.get(first, -1), last.get(final, -1))
            for own in item.collected:
                last[Many(own.all_items)] = max(last.get(o, -1) for o in own.all_items)
                if own.begins is not None:
                    last[own.begins] = index
            for place, inner in numbered_items(item, index + 1):
                for own in item.collected:
                    if own.each in makes(inner) and not own.inner:
                        last[own.each] = _last_in_body(item, index, own.each, place)
        if isinstance(item, RepeatItem | GuardItem):
            _read_from_loops(item.items, index + isinstance(item, RepeatItem), last)
        index += item_length(item)


def _last_in_body(item: RepeatItem, index: int, operand: Operand, made_at: int) -> int:
    """Where a turn reads what it has made at `made_at` last: at its end, if the next one is given it."""
    if any(made == operand for _, made in item.carried):
        return index + item_length(item) - 1
    reading = (place for place, inner in numbered_items(item, index + 1) if operand in item_reads(inner))
    return max([made_at, *reading])


def numbered_items(part: GuardItem | RepeatItem, index: int) -> Iterator[tuple[int, Item]]:
    """The items of a part or a loop, of which the first has number `index`, with their numbers."""
    for item in part.items:
        yield index, item
        index += item_length(item)


def item_reads(item: Item) -> Iterator[Operand]:
    """The values that an item is given, of a loop those from before it: none that MXNet makes by itself."""
    if isinstance(item, GuardItem):
        yield from () if item.given is None else (item.given,)
        for inner in item.items:
            yield from item_reads(inner)
    elif isinstance(item, RepeatItem):
        made = {operand for inner in item.items for operand in makes(inner)}
        yield from each(given(item))
        for inner in item.items:
            yield from (operand for operand in item_reads(inner) if operand not in made)
    else:
        yield from each(given(item))


def calls_among(items: Iterable[Item]) -> Iterator[int]:
    """The calls of which loops read one result after the other."""
    for item in items:
        if isinstance(item, RepeatItem):
            for _, values in item.columns:
                makers = {own.call if isinstance(own, Out) else None for own in values}
                if len(makers) == 1 and None not in makers:
                    yield from (maker for maker in makers if maker is not None)
            yield from calls_among(item.items)
