"""Layers of two reviews are paired by what they are: a line of torch, the ops that it becomes, their shapes.

Line numbers are no part of it, so that lines above which something was written are the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from tracer.review.model import SourceRow
from tracer.review_diff.model import Change, TorchLine

# A file's line, as places are written: model.py:12.
_LINE = re.compile(r"(?<=\.py):\d+")


def without_lines(text: str) -> str:
    """A text in which places have no line numbers."""
    return _LINE.sub("", text)


def torch_lines(rows: Sequence[SourceRow]) -> tuple[TorchLine, ...]:
    """The rows of a source map by the lines of torch that they are of, in the order in which these come."""
    groups: dict[Hashable, list[SourceRow]] = {}
    for row in rows:
        groups.setdefault((row.places, row.statement), []).append(row)
    return tuple(_together(group) for group in groups.values())


def _together(rows: Sequence[SourceRow]) -> TorchLine:
    counts: dict[str, int] = {}
    for row in rows:
        for op, count in row.ops:
            counts[op] = counts.get(op, 0) + count
    return TorchLine(
        lines=tuple(row.line for row in rows),
        places=rows[0].places,
        statement=rows[0].statement,
        ops=tuple(counts.items()),
        shapes=tuple(dict.fromkeys(shape for row in rows for shape in row.shapes)),
    )


@dataclass(frozen=True)
class _Left:
    """A line that stands between the same neighbours as others, in the gap of that number."""

    line: TorchLine
    gap: int


def layer_changes(old: Sequence[SourceRow], new: Sequence[SourceRow]) -> tuple[Change[TorchLine], ...]:
    """The lines of torch that are new, gone, changed or elsewhere, in the order of the new net."""
    before, after = torch_lines(old), torch_lines(new)
    gone, come = _unaligned(before, after)
    changes: list[Change[TorchLine]] = []
    for key in (_whole, _in_its_file, _statement, _becomes):
        changes += _paired(gone, come, key, is_moved=key is _whole)
    changes += [Change(left.line, None) for left in gone]
    changes += [Change(None, left.line) for left in come]
    return tuple(sorted(changes, key=_order(before, after)))


def _unaligned(before: Sequence[TorchLine], after: Sequence[TorchLine]) -> tuple[list[_Left], list[_Left]]:
    """What is left of both when the longest common part is taken away."""
    matcher = SequenceMatcher(None, [_key(line) for line in before], [_key(line) for line in after], False)
    gone: list[_Left] = []
    come: list[_Left] = []
    for gap, (tag, i, j, k, n) in enumerate(matcher.get_opcodes()):
        if tag != "equal":
            gone += [_Left(line, gap) for line in before[i:j]]
            come += [_Left(line, gap) for line in after[k:n]]
    return gone, come


def _key(line: TorchLine) -> Hashable:
    return (line.statement, line.ops, line.shapes)


def _whole(left: _Left) -> Hashable | None:
    return _key(left.line)


def _in_its_file(left: _Left) -> Hashable | None:
    files = tuple(without_lines(place) for place in left.line.places)
    return (files, left.line.statement) if left.line.statement else None


def _statement(left: _Left) -> Hashable | None:
    return left.line.statement or None


def _becomes(left: _Left) -> Hashable | None:
    """Between the same neighbours a line that becomes the same is another wording of it."""
    return (left.gap, left.line.ops, left.line.shapes)


def _paired(
    gone: list[_Left], come: list[_Left], key: Callable[[_Left], Hashable | None], is_moved: bool
) -> Iterator[Change[TorchLine]]:
    """Take the pairs of one key out of both lists, in order."""
    waiting: dict[Hashable, list[_Left]] = {}
    for left in come:
        if (own := key(left)) is not None:
            waiting.setdefault(own, []).append(left)
    for left in list(gone):
        own = key(left)
        if own is None or not waiting.get(own):
            continue
        partner = waiting[own].pop(0)
        gone.remove(left)
        come.remove(partner)
        yield Change(left.line, partner.line, is_moved)


def _order(
    before: Sequence[TorchLine], after: Sequence[TorchLine]
) -> Callable[[Change[TorchLine]], tuple[int, int]]:
    """Where a change is told: at its place in the new net; what is gone, after what stood before it."""
    places = {line: index for index, line in enumerate(after)}
    old_places = {line: index for index, line in enumerate(before)}
    keys = {_key(line): index for index, line in enumerate(after)}

    def place(change: Change[TorchLine]) -> tuple[int, int]:
        if change.new is not None:
            return (places[change.new], 0)
        own = old_places[change.old] if change.old is not None else 0
        above = [keys[_key(line)] for line in before[:own] if _key(line) in keys]
        return (above[-1] if above else -1, own + 1)

    return place
