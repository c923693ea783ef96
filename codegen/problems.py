"""Refusals and errors: what was found, where in the user's code, and the way out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codegen.ir import Source


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
