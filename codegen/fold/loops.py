"""Runs of calls of one function, each fed by the one before, become loops."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from codegen.defects import of_kind
from codegen.folded import MISSING, Argument, CallItem, Item, LoopItem, Many
from codegen.program import Operand

# A loop that appends to a list takes three statements.
SHORTEST_LISTING = 3
# A loop whose arguments change has a table of them.
SHORTEST_VARYING = 3
MOST_VARYING = 2


def with_loops(items: Sequence[Item], users: Mapping[Operand, Sequence[int]]) -> list[Item]:
    """Runs of calls of one Function, each fed by the one before, become loops."""
    result: list[Item] = []
    position = 0
    while position < len(items):
        run = _run(items, position, users)
        if run is None:
            result.append(items[position])
            position += 1
        else:
            result.append(run)
            position += len(run.calls)
    return result


def _run(items: Sequence[Item], start: int, users: Mapping[Operand, Sequence[int]]) -> LoopItem | None:
    first = items[start]
    if not isinstance(first, CallItem) or not first.outputs:
        return None
    best = _listing_run(items, start, first)
    for prefix, number, suffix in _numbers(first.path):
        calls = [first]
        carried: tuple[tuple[int, int], ...] | None = None
        for item in items[start + 1 :]:
            if not isinstance(item, CallItem) or item.function != first.function:
                break
            if item.path != f"{prefix}{number + len(calls)}{suffix}":
                break
            found = link(calls[-1], item)
            if found is None or (carried is not None and found != carried):
                break
            if not _only_feeds(calls[-1], item, users) or not _shares_alike(first, item, number, len(calls)):
                break
            carried = found
            calls.append(item)
        calls = _even(calls)
        if len(calls) > 1 and carried is not None and (best is None or len(calls) > len(best.calls)):
            best = LoopItem(tuple(calls), carried, prefix, number, suffix, *_varying(calls))
    return best


def _listing_run(items: Sequence[Item], start: int, first: CallItem) -> LoopItem | None:
    """Calls that are each given a list, with what the call before gave at its end."""
    place = next((i for i, given in enumerate(first.inputs) if isinstance(given, Many)), None)
    if place is None or len(first.outputs) != 1:
        return None
    best: LoopItem | None = None
    for prefix, number, suffix in _numbers(first.path):
        calls = [first]
        for item in items[start + 1 :]:
            if not isinstance(item, CallItem) or item.function != first.function:
                break
            if item.path != f"{prefix}{number + len(calls)}{suffix}" or not _lengthens(
                calls[-1], item, place
            ):
                break
            calls.append(item)
        calls = _even(calls)
        if len(calls) >= SHORTEST_LISTING and (best is None or len(calls) > len(best.calls)):
            best = LoopItem(tuple(calls), (), prefix, number, suffix, *_varying(calls), listed=place)
    return best


def _lengthens(before: CallItem, after: CallItem, place: int) -> bool:
    """Whether `after` is given what `before` was given and what it gave, in the list at `place`."""
    given = before.inputs[place]
    given = of_kind(given, Many)
    longer = (*before.inputs[:place], Many((*given.items, *before.outputs)), *before.inputs[place + 1 :])
    return after.inputs == longer


def _even(calls: list[CallItem]) -> list[CallItem]:
    """The run as far as a loop reads well: equal arguments, or at least three that change in few places."""
    same = 1
    while same < len(calls) and not _varying(calls[: same + 1])[0]:
        same += 1
    if same > 1:
        return calls[:same]
    few = 1
    while few < len(calls) and _is_few(_varying(calls[: few + 1])[0]):
        few += 1
    # Where all but the first are equal, these are the loop.
    return calls[:few] if few >= SHORTEST_VARYING and _varying(calls[1:few])[0] else calls[:1]


def _is_few(varying: Sequence[tuple[str, tuple[Any, ...]]]) -> bool:
    """Whether few arguments change, each from literal to literal of one type."""
    if len(varying) > MOST_VARYING or any(_holds_argument(v) for _, vs in varying for v in vs):
        return False
    return all(len({type(v) for v in values}) == 1 for _, values in varying)


def _holds_argument(value: Any) -> bool:
    return isinstance(value, Argument) or (
        isinstance(value, tuple) and any(isinstance(v, Argument) for v in value)
    )


def _varying(
    calls: Sequence[CallItem],
) -> tuple[tuple[tuple[str, tuple[Any, ...]], ...], tuple[tuple[str, Any], ...]]:
    """(the arguments that change, with their values; all arguments).

    Any value does for a call that lacks the part.
    """
    rows, args = [], []
    for number, (name, _) in enumerate(calls[0].args):
        values = tuple(c.args[number][1] for c in calls)
        known = [v for v in values if v is not MISSING] or [MISSING]
        args.append((name, known[0]))
        if any(v != known[0] for v in known):
            rows.append((name, tuple(None if v is MISSING else v for v in values)))
    return tuple(rows), tuple(args)


def _numbers(path: str) -> Iterator[tuple[str, int, str]]:
    for match in reversed(list(re.finditer(r"(?:^|(?<=_)|(?<=[A-Za-z]))(0|[1-9]\d*)(?=_|$)", path))):
        yield path[: match.start()], int(match.group()), path[match.end() :]


def link(before: CallItem, after: CallItem) -> tuple[tuple[int, int], ...] | None:
    """Which inputs of `after` are outputs of `before`; None unless all others are the same."""
    if len(before.inputs) != len(after.inputs):
        return None
    found = []
    for place, (old, new) in enumerate(zip(before.inputs, after.inputs, strict=True)):
        if new in before.outputs:
            found.append((place, before.outputs.index(new)))
        elif old != new:
            return None
    return tuple(found) if len(found) == len(before.outputs) else None


def _shares_alike(first: CallItem, item: CallItem, number: int, turns: int) -> bool:
    """Whether the Variables that a call shares are called as those of the first, but for the number."""
    suffix = first.path[len(first.path.rstrip("0123456789")) :]
    start = first.shared.removesuffix(str(number)) if suffix == str(number) else None
    if not first.shared:
        return not item.shared
    return start is not None and first.shared != start and item.shared == f"{start}{number + turns}"


def _only_feeds(before: CallItem, after: CallItem, users: Mapping[Operand, Sequence[int]]) -> bool:
    """Whether nothing but `after` reads what `before` gives."""
    low, high = after.span
    return all(low <= u <= high for o in before.outputs for u in users.get(o, ()))
