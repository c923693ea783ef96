"""Refusals and errors: what was found, where in the user's code, and the way out."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codegen.kinds.table import kind_of

if TYPE_CHECKING:
    from pathlib import Path

    from codegen.ir import Source

_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@dataclass(frozen=True)
class Problem:
    """One refusal.

    Attributes:
        code: a word that stays the same and may be searched for: `no-rule`, `data-dependent`. Its number is
            in codegen.kinds.
        what: what cannot be converted.
        where: module path, file and line in the user's code.
        hint: the way out, where there is one.
    """

    code: str
    what: str
    where: Source
    hint: str = ""

    @property
    def number(self) -> str:
        """The number of its kind, `FX101`: `fx2mx --explain FX101` tells of it."""
        return kind_of(self.code).code


class RequestError(Exception):
    """The request itself is wrong (exit status 2): no such file, a bad shape, weights that do not fit.

    Attributes:
        code: a word that stays the same, as a Problem's: `no-such-name`, `weights-fit`.
        where: the line of the user's code at which it shows, where there is one.
    """

    code = "request"
    where: Source | None = None

    def __init__(self, text: str, *, code: str = "") -> None:
        super().__init__(text)
        self.code = code or self.code

    @property
    def number(self) -> str:
        """The number of its kind, `FX204`: `fx2mx --explain FX204` tells of it."""
        return kind_of(self.code).code


class OverwriteError(RequestError):
    """A file would be lost that holds somebody's work (exit status 1).

    Attributes:
        path: the file.
        why: whose work it is, in words.
        is_edited: fx2mx wrote it, and somebody edited it.
    """

    def __init__(self, path: Path, why: str, is_edited: bool) -> None:
        self.path, self.why, self.is_edited = path, why, is_edited
        text = f"{path} {why}: save it under another name, or give force=True to overwrite it"
        super().__init__(text, code="edited" if is_edited else "not-ours")


class UserModelError(RequestError):
    """The user's own model raised: the message ends with a traceback of the user's frames only."""

    code = "net-raised"


class ConversionError(Exception):
    """The net cannot be converted exactly (exit status 1).

    Attributes:
        problems: every refusal, in the order of the net's execution.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__(format_problems(problems))

    @property
    def full(self) -> str:
        """The text with every refusal and place, however many they are."""
        return format_problems(self.problems, full=True)


REPORT = (
    "this is a defect of fx2mx, not of the net: please report it with this text and the smallest net that "
    "shows it; until it is mended, write this part of the net in another way"
)
# With the command's last line, that nothing was written, ten at most.
MOST_LINES = 9
# So much of a line of somebody else's error is shown.
LONGEST = 300
MEMORY = "the net or its inputs are larger than this machine: make them smaller, or use a larger one"
_OF_MEMORY = ("not enough memory", "can't allocate memory", "Failed to allocate", "bad_alloc")


def listed(names: Sequence[str], most: int = 5, between: str = ", ") -> str:
    """Names in a line; of more than so many the first ones, and how many more there are."""
    more = f" ... and {len(names) - most} more" if len(names) > most else ""
    return between.join(map(_shown, names[:most])) + more


def _shown(name: str) -> str:
    """A name in one line of bearable length, whatever a file calls its keys."""
    plain = name if name.isprintable() else repr(name)
    return plain if len(plain) <= LONGEST else f"{plain[:LONGEST]}..."


def is_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is too little memory."""
    return isinstance(error, MemoryError) or any(text in str(error) for text in _OF_MEMORY)


def defect(stage: str, error: BaseException, where: Source) -> Problem:
    """The refusal that an error within a stage of ours becomes: what it was, and how to report it."""
    text = f"{stage} with {type(error).__name__}: {error}".strip().splitlines()[0].rstrip(": ")
    if is_of_memory(error):
        return Problem("memory", text, where, MEMORY)
    frames = traceback.extract_tb(error.__traceback__)
    ours = next((f for f in reversed(frames) if os.path.dirname(f.filename).startswith(_HOME)), None)
    place = f" ({os.path.relpath(ours.filename, _HOME)}:{ours.lineno})" if ours is not None else ""
    return Problem("defect", text + place, where, REPORT)


def in_a_line(error: BaseException) -> str:
    """An error's type, and what it says, cut to the first line."""
    lines = f"{type(error).__name__}: {error}".strip().splitlines()
    more = f" ... and {counted(len(lines) - 1, 'more line')}" if len(lines) > 1 else ""
    first = lines[0] if len(lines[0]) <= LONGEST else f"{lines[0][:LONGEST]} ..."
    return first.rstrip(": ") + more


def counted(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def format_problems(problems: Sequence[Problem], full: bool = False) -> str:
    """Refusals as plain text: equal ones are counted once, with their places; nine lines, unless in full."""
    places: dict[tuple[str, str, str], list[str]] = {}
    for p in problems:
        places.setdefault((f"{p.what}", p.code, p.hint), []).append(str(p.where))
    number = len(places)
    head = "cannot be converted exactly" + (f", {number} problems" if number > 1 else "")
    blocks = [_block(*key, where, most=len(where)) for key, where in places.items()]
    if not full and sum(map(len, blocks)) > MOST_LINES:
        blocks = [_block(*key, where, most=1) for key, where in places.items()]
        rest = number - MOST_LINES // 3
        if rest > 0:
            first, short = blocks[: MOST_LINES // 3 - 1], blocks[MOST_LINES // 3 - 1 :]
            lines = [f"{block[0]}, {block[1].strip()}" for block in short[:2]]
            more = [f"  ... and {len(short) - 2} more: --dry-run lists them all"] if len(short) > 2 else []
            blocks = [*first, [*lines, *more]]
    lines = [line for block in blocks for line in block]
    return "\n".join([f"{head}: {lines[0].strip()}", *lines[1:]])


def with_code(text: str, word: str) -> str:
    """A message with the number of its kind at the end of the first line."""
    first, *rest = text.split("\n")
    return "\n".join([f"{first}  ({kind_of(word).code})", *rest])


def _block(what: str, code: str, hint: str, where: Sequence[str], most: int) -> list[str]:
    """The lines of one refusal."""
    times = f" ({len(where)} times)" if len(where) > 1 else ""
    shown = list(dict.fromkeys(where))
    more = f", and {counted(len(shown) - most, 'more place')}" if len(shown) > most else ""
    lines = [f"    at {place}" for place in shown[:most]]
    lines[-1] += more
    return [
        f"  {what}{times}  [{code}] ({kind_of(code).code})",
        *lines,
        *([f"    hint: {hint}"] if hint else []),
    ]
