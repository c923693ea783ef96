"""What the items of a folded program make, are given and stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from codegen.folded import CallItem, Given, GuardItem, Item, LoopItem, OpItem, RepeatItem, VariableItem
from codegen.program import Leaf, Operand, Out


def makes(item: Item) -> tuple[Operand, ...]:
    """The values that stand after an item: of a loop those that are read after it."""
    if isinstance(item, OpItem):
        return tuple(Out(item.index, i) for i in range(item.call.outputs))
    if isinstance(item, VariableItem):
        return (Leaf(item.variable.name),)
    if isinstance(item, GuardItem):
        return tuple(o for inner in item.items for o in makes(inner))
    return item.outputs


def made_inside(item: Item) -> Iterator[Operand]:
    """What an item makes, with all that the statements of a loop make."""
    for inner in item.items if isinstance(item, RepeatItem) else ():
        yield from made_inside(inner)
    yield from makes(item)


def given(item: Item) -> Iterator[Given | None]:
    """What stands in an item's own statement: of a loop, what its first turn begins with."""
    if isinstance(item, OpItem):
        yield from (own for _, own in item.inputs)
    elif isinstance(item, CallItem):
        yield from item.inputs
    elif isinstance(item, LoopItem):
        yield from item.calls[0].inputs
    elif isinstance(item, RepeatItem):
        yield from (begin for begin, _ in item.carried)


def given_inside(item: Item) -> Iterator[Given | None]:
    """What an item is given, with all that the statements of a loop are."""
    yield from given(item)
    for inner in item.items if isinstance(item, RepeatItem) else ():
        yield from given_inside(inner)


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


def with_reads(item: Item, change: Callable[[Any], Any]) -> Item:
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
        return replace(item, items=tuple(with_reads(i, change) for i in item.items), carried=carried)
    return item
