"""Refusals and errors: what was found, where in the user's code, and the way out."""

from __future__ import annotations

import os
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codegen.ir import Source

_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@dataclass(frozen=True)
class Problem:
    """One refusal. `code` is stable and greppable, `where` names module path, file and line."""

    code: str
    what: str
    where: Source
    hint: str = ""


class RequestError(Exception):
    """The request itself is wrong (exit status 2): no such file, a bad shape, weights that do not fit."""


class UserModelError(RequestError):
    """The user's own model raised: the message ends with a traceback of the user's frames only."""


class ConversionError(Exception):
    """The net cannot be converted exactly (exit status 1).

    `problems` lists every refusal, in the order of the net's execution.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__(format_problems(problems))


REPORT = (
    "this is a defect of fx2mx, not of the net: please report it with this text and the smallest net that "
    "shows it; until it is mended, write this part of the net in another way"
)
MEMORY = "the net or its inputs are larger than this machine: make them smaller, or use a larger one"
_OF_MEMORY = ("not enough memory", "can't allocate memory", "Failed to allocate", "bad_alloc")


def listed(names: Sequence[str], most: int = 5, between: str = ", ") -> str:
    """Names in a line; of more than so many the first ones, and how many more there are."""
    more = f" ... and {len(names) - most} more" if len(names) > most else ""
    return between.join(names[:most]) + more


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


def format_problems(problems: tuple[Problem, ...]) -> str:
    """All refusals as plain text: equal ones are counted once, with every place."""
    counts = Counter((p.code, p.what, p.hint) for p in problems)
    noun = "problem" if len(counts) == 1 else "problems"
    lines = [f"cannot be converted exactly: {len(counts)} {noun}"]
    for (code, what, hint), count in counts.items():
        times = f" ({count} times)" if count > 1 else ""
        lines.append(f"\n  {what}{times}  [{code}]")
        places = dict.fromkeys(
            str(p.where) for p in problems if (p.code, p.what, p.hint) == (code, what, hint)
        )
        lines += [f"    at {place}" for place in places]
        if hint:
            lines.append(f"    hint: {hint}")
    return "\n".join(lines)
