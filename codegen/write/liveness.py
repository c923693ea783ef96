"""What the items of a body read and make, and where each value is read last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codegen.folded import CallItem, GuardItem, Item, LoopItem, OpItem, VariableItem, each
from codegen.program import Call, Leaf, Operand, Out, Program, Variable


def inlined_calls(program: Program, items: Sequence[Item]) -> Iterator[Call]:
    """The calls that stand in a body for themselves, and those that stand for an op of torch."""
    for item in items:
        if isinstance(item, OpItem):
            yield item.call
        elif isinstance(item, GuardItem):
            yield from inlined_calls(program, item.items)
        elif isinstance(item, CallItem) and item.frame.op:
            yield program.calls[item.span[0]]


def variables_in(items: Sequence[Item]) -> Iterator[Variable]:
    """The Variables that a body makes."""
    for item in items:
        if isinstance(item, VariableItem):
            yield item.variable
        elif isinstance(item, GuardItem):
            yield from variables_in(item.items)


def op_after(items: Sequence[Item], place: int) -> OpItem | None:
    """The op that the Variables at a place are made for."""
    item = next((i for i in items[place:] if not isinstance(i, VariableItem)), None)
    return item if isinstance(item, OpItem) else None


def item_length(item: Item) -> int:
    """How many numbers an item takes: a guarded part has one for itself and one for each item inside."""
    return 1 + sum(map(item_length, item.items)) if isinstance(item, GuardItem) else 1


def last_uses(items: Sequence[Item], outputs: Sequence[Operand]) -> dict[Operand, int]:
    """The number of the last item that reads each value; of what the function returns, one above all."""
    last: dict[Operand, int] = {}

    def walk(items: Sequence[Item], index: int) -> int:
        for item in items:
            if isinstance(item, GuardItem):
                for _, instead in item.merges:
                    last[instead] = index + item_length(item) - 1
                walk(item.items, index)
            else:
                for operand in item_reads(item):
                    last[operand] = index
            index += item_length(item)
        return index

    end = walk(items, 0)
    for operand in outputs:
        last[operand] = end
    return last


def numbered_items(part: GuardItem, index: int) -> Iterator[tuple[int, Item]]:
    """The items of a part, itself number `index`, with their numbers."""
    for item in part.items:
        yield index, item
        index += item_length(item)


def item_makes(item: Item) -> tuple[Operand, ...]:
    """The values that an item computes."""
    if isinstance(item, OpItem):
        return tuple(Out(item.index, i) for i in range(item.call.outputs))
    if isinstance(item, VariableItem):
        return (Leaf(item.variable.name),)
    if isinstance(item, GuardItem):
        return tuple(o for inner in item.items for o in item_makes(inner))
    return item.outputs


def item_reads(item: Item) -> Iterator[Operand]:
    """The values that an item is given: none of those that MXNet makes by itself."""
    if isinstance(item, OpItem):
        for slot, operand in item.call.inputs:
            if slot not in item.automatic:
                yield operand
    elif isinstance(item, CallItem):
        yield from each(item.inputs)
    elif isinstance(item, LoopItem):
        yield from each(item.calls[0].inputs)
    elif isinstance(item, GuardItem):
        for inner in item.items:
            yield from item_reads(inner)
