"""Which call of a module gives what the author's statement assigns, where several stand in it.

In `scores = self.attention(self.norm(x))` the norm gives no scores; and in `ys = self.stages(x)` of a module
that returns a list, no tensor of it is `ys`.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from codegen.ir import SAYS_NOTHING, Frame

# A call of a module: its path, and which of the calls of it.
Key: TypeAlias = tuple[str, int]


def key_of(frame: Frame) -> Key:
    """The call of a module that a frame is."""
    return frame.path, frame.call


class Statements:
    """The calls of modules by the statement that makes them, as they are entered."""

    def __init__(self) -> None:
        self._place: dict[Key, tuple[object, ...]] = {}
        # The last call of a module of the user's in each statement, and how many were entered before it.
        self._last: dict[tuple[object, ...], int] = {}
        self._order: dict[Key, int] = {}
        self._lists: set[Key] = set()
        self._text: dict[Key, str] = {}

    def enter(self, around: Frame | None, frame: Frame, text: str) -> None:
        """A call begins, in a statement of the module `around` it."""
        key = key_of(frame)
        place = (around and key_of(around), text, frame.turns)
        self._place[key], self._text[key], self._order[key] = place, text, len(self._order)
        if not frame.library:
            self._last[place] = self._order[key]

    def gives_a_list(self, frame: Frame) -> None:
        """A call has returned several values, to one variable."""
        self._lists.add(key_of(frame))

    def is_variable_of(self, frame: Frame) -> bool:
        """Whether the variable that a call's statement assigns may be what the call gives.

        Not of a list, and not of what a later call of the user's own reads: unless the statement itself reads
        the variable (`x = self.b(self.a(x))`), or it says nothing.
        """
        key = key_of(frame)
        if key in self._lists:
            return False
        if not frame.target or frame.target in SAYS_NOTHING or key not in self._place:
            return True
        is_read = len(re.findall(rf"\b{re.escape(frame.target)}\b", self._text[key])) > 1
        return is_read or self._order[key] >= self._last.get(self._place[key], 0)
