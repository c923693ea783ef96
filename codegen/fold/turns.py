"""The author's loops: statements of the same lines, turn after turn, become a loop again.

Provenance knows in which turn of which loop each op stands (codegen.ir.Source.turns). Turns that follow each
other are one loop where they do the same: the same ops in the same order, on the same values or on each one's
own, with numbers that a counter or a few columns give.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TypeAlias

from codegen.fold.alike import COUNTERS, repeated, shape_of
from codegen.fold.columns import NoLoop
from codegen.folded import CallItem, Item, LoopItem, OpItem, RepeatItem, VariableItem
from codegen.program import Leaf, NamedFrame, Operand, Program

# A loop takes a line of its own, and is read twice.
LEAST_SAVED = 2
# One with columns has a table to be read.
LEAST_SAVED_WITH_COLUMNS = 4

# Where a statement stands below a function's own frame: (the loop's function, its depth there), and the turn.
Address: TypeAlias = tuple[tuple[tuple[tuple[str, int], int], int], ...]


@dataclass(frozen=True)
class Body:
    """What is known of the function whose statements are folded: who reads its values, and its own frame.

    `params` are the Variables that it reads from a container.
    """

    program: Program
    users: Mapping[Operand, Sequence[int]]
    frame: NamedFrame
    params: frozenset[str] = frozenset()


def with_turns(body: Body, items: Sequence[Item]) -> list[Item]:
    """Statements, with those of the author's loops as RepeatItems."""
    if any("{" in name or "}" in name for name in _names(items)):
        return list(items)  # a name of a loop's has its counter in braces
    addresses = list(_addresses(body, items))
    return _folded(body, list(zip(items, addresses, strict=True)), 0, COUNTERS[:-1])


def _folded(
    body: Body, placed: Sequence[tuple[Item, Address]], depth: int, counters: Sequence[str]
) -> list[Item]:
    """Statements with loops, from the loops at a depth inwards."""
    result: list[Item] = []
    for loop, group in groupby(placed, key=lambda own: own[1][depth][0] if len(own[1]) > depth else None):
        run = list(group)
        result += [item for item, _ in run] if loop is None else _loops(body, run, depth, counters)
    return result


def _loops(
    body: Body, run: Sequence[tuple[Item, Address]], depth: int, counters: Sequence[str]
) -> list[Item]:
    """The statements of one loop of the author's, folded as far as its turns are alike."""
    shared = [item for item, _ in run if _is_shared(body, item)]
    own = [(item, address) for item, address in run if not _is_shared(body, item)]
    by_turn = [(turn, list(group)) for turn, group in groupby(own, key=lambda placed: placed[1][depth][1])]
    # An inner loop of a turn has the next counter.
    turns = [(turn, _folded(body, group, depth + 1, counters[1:])) for turn, group in by_turn]
    result: list[Item] = [*shared]
    place = 0
    while counters and place < len(turns):
        found = _longest(body, turns, place, counters[0])
        result += _folded(body, by_turn[place][1], depth + 1, counters) if found is None else [found]
        place += 1 if found is None else found.count
    if any(isinstance(item, RepeatItem) and item.counter == counters[0] for item in result):
        return result
    return _folded(body, run, depth + 1, counters)


def _longest(
    body: Body, turns: Sequence[tuple[int, Sequence[Item]]], place: int, counter: str
) -> RepeatItem | None:
    """The loop of as many turns as are alike from a place on, None where there is none that is worth it."""
    start = turns[place][0]
    shape = shape_of(turns[place][1])
    end = place + 1
    while end < len(turns) and turns[end][0] == start + end - place and shape_of(turns[end][1]) == shape:
        end += 1
    for stop in range(end, place + 1, -1):
        try:
            found = repeated(
                [items for _, items in turns[place:stop]], start, counter, body.users, body.params
            )
        except NoLoop:
            continue
        saved = _statements([i for _, items in turns[place:stop] for i in items]) - _statements([found])
        return found if saved >= (LEAST_SAVED_WITH_COLUMNS if found.columns else LEAST_SAVED) else None
    return None


def _statements(items: Sequence[Item]) -> int:
    """The statements that items take."""
    return sum(_length(item) for item in items)


def _length(item: Item) -> int:
    if isinstance(item, LoopItem):
        return 2
    if isinstance(item, RepeatItem):
        # A list is begun, and what the next turn is given too is appended by a statement of its own.
        carried = {made for _, made in item.carried}
        lists = sum(1 + (own.each in carried) for own in item.collected if not own.inner)
        return 1 + _statements(item.items) + lists
    return 1


def _names(items: Sequence[Item]) -> Iterator[str]:
    for item in items:
        if isinstance(item, OpItem):
            yield item.call.name
        elif isinstance(item, VariableItem):
            yield item.variable.name
        elif isinstance(item, CallItem):
            yield item.path
        elif isinstance(item, LoopItem):
            yield item.calls[0].path


def _is_shared(body: Body, item: Item) -> bool:
    """Whether an item is a Variable that several ops read: it is made before the loop, once."""
    return isinstance(item, VariableItem) and len(body.users.get(Leaf(item.variable.name), ())) > 1


# Where items stand ------------------------------------------------------------------------------------


def _addresses(body: Body, items: Sequence[Item]) -> Iterator[Address]:
    for place in range(len(items)):
        own = items[place]
        if isinstance(own, VariableItem) and own.variable.kind == "input":
            yield ()
            continue
        # Any other Variable stands with what reads it.
        reader = next((i for i in items[place:] if not isinstance(i, VariableItem)), None)
        yield _address(body, reader) if reader is not None else ()


def _address(body: Body, item: Item) -> Address:
    if isinstance(item, OpItem):
        return tuple(_turns_below(body, item.call.source.frames, item.call.source.turns))
    if isinstance(item, CallItem):
        return tuple(_turns_of_call(body, item))
    if isinstance(item, LoopItem):
        return _common([tuple(_turns_of_call(body, call)) for call in item.calls])
    return ()


def _turns_of_call(body: Body, item: CallItem) -> Iterator[tuple[tuple[tuple[str, int], int], int]]:
    source = body.program.calls[item.span[0]].source
    if item.frame.op:
        return _turns_below(body, source.frames, source.turns)
    place = next(i for i, f in enumerate(source.frames) if _key(f) == _key(item.frame))
    return _turns_below(body, source.frames[: place + 1], ())


def _turns_below(
    body: Body, frames: Sequence[NamedFrame], turns: Sequence[int]
) -> Iterator[tuple[tuple[tuple[str, int], int], int]]:
    keys = [_key(frame) for frame in frames]
    own = keys.index(_key(body.frame)) if _key(body.frame) in keys else 0
    below = [frame for frame in frames[own:] if not frame.op]
    if not below:
        return  # inside of one op there are no loops of the author's
    for outer, inner in pairwise(below):
        yield from (((_key(outer), place), turn) for place, turn in enumerate(inner.turns))
    yield from (((_key(below[-1]), place), turn) for place, turn in enumerate(turns))


def _key(frame: NamedFrame) -> tuple[str, int]:
    return frame.path, frame.call


def _common(addresses: Sequence[Address]) -> Address:
    found: list[tuple[tuple[tuple[str, int], int], int]] = []
    for together in zip(*addresses, strict=False):
        if any(own != together[0] for own in together):
            break
        found.append(together[0])
    return tuple(found)
