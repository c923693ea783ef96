"""What differs between the turns of a loop: a counter gives it, or a column of a table."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from codegen.folded import MISSING, Counted, OpItem
from codegen.turn import Turn

# The columns of a loop's table at most.
MOST_COLUMNS = 4
# Of fewer turns it is chance that numbers go up by one.
FEWEST_COUNTED = 3
# What the numbers of attributes are called that have no word of their own, by how the op is written.
COLUMN_NAMES = {"x * c": "scale", "x / c": "divisor", "x + c": "shift", "x - c": "shift"}
# Those of a shape, of which one may have several.
SIZES = ("size", "length", "extent")
# Attributes of which a turn has its own as a whole: kernel=(3, 3).
WHOLE = frozenset(["kernel", "stride", "pad", "dilate", "adj", "axes"])


class NoLoop(Exception):
    """Raised where turns are not alike."""


class Columns:
    """The counter of a loop, `start` in its first turn, and the columns that its turns take beside it."""

    def __init__(self, counter: str, start: int, taken: Collection[str]) -> None:
        self._counter = counter
        self._start = start
        self._taken = {counter, *taken}
        self.columns: dict[str, tuple[Any, ...]] = {}

    def name(self, together: Sequence[str]) -> str:
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

    def value(self, name: str, values: Sequence[Any], op: OpItem | None) -> Any:
        known = [value for value in values if value is not MISSING] or [MISSING]
        if all(type(value) is type(known[0]) and value == known[0] for value in known):
            return known[0]
        values = [known[0] if value is MISSING else value for value in values]
        lengths = {len(value) if isinstance(value, tuple) else -1 for value in values}
        if name not in WHOLE and len(lengths) == 1 and -1 not in lengths:
            return tuple(self.value(name, own, op) for own in zip(*values, strict=True))
        if any(_holds_turn(value) for value in values):
            raise NoLoop
        return self._counted(values) or Turn(self.column(_column_name(name, op), tuple(values)))

    def _counted(self, values: Sequence[Any]) -> Turn | None:
        """The counter, plus a number, that gives these values."""
        if len(values) < FEWEST_COUNTED or not all(type(value) is int for value in values):
            return None
        added = values[0] - self._start
        counted = all(value == self._start + added + n for n, value in enumerate(values))
        return Turn(self._counter, added) if counted else None

    def column(self, name: str, values: tuple[Any, ...]) -> str:
        """The column that gives these values, a new one if there is none."""
        for column, own in self.columns.items():
            if own == values and [type(v) for v in own] == [type(v) for v in values]:
                return column
        if name == "shape":
            name = next((word for word in SIZES if word not in {*self.columns, *self._taken}), "size")
        number, column = 1, name
        while column in self.columns or column in self._taken:
            number += 1
            column = f"{name}{number}"
        self.columns[column] = values
        return column


def _column_name(name: str, op: OpItem | None) -> str:
    if name == "c" and op is not None:
        return COLUMN_NAMES.get(op.call.op, "number")
    return COLUMN_NAMES.get(name, name)


def _holds_turn(value: Any) -> bool:
    return isinstance(value, Turn) or (isinstance(value, tuple) and any(map(_holds_turn, value)))
