"""What the items of a body make, read and stand for, with all that stands inside of loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from codegen.folded import CallItem, Given, Item, LoopItem, OpItem, RepeatItem, VariableItem
from codegen.program import Leaf, Operand, Out


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
