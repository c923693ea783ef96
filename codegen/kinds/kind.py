"""A kind of message: what its page says, and the form in which it is said."""

from __future__ import annotations

import re
from dataclasses import dataclass

# What the kinds of a hundred are.
LEVELS = {1: "error", 2: "error", 3: "warning", 4: "note"}
_HOLE = re.compile(r"\{\w+\}")


@dataclass(frozen=True)
class Example:
    """The smallest net that shows a kind, and what is typed in its folder.

    Attributes:
        model: the text of `model.py`.
        options: what follows `python -m tracer.gen model.py:Net --out model_mxnet.py`.
        before: Python that makes the other files, `before.py`, which is run first; it may be empty.
        command: the whole line instead, where it is another one.
    """

    model: str
    options: str = ""
    before: str = ""
    command: str = ""

    @property
    def typed(self) -> str:
        """The line that is typed."""
        line = self.command or "python -m tracer.gen model.py:Net --out model_mxnet.py"
        return f"{line} {self.options}".rstrip()


@dataclass(frozen=True)
class Kind:
    """One kind of message.

    Attributes:
        number: 1xx a net that is refused or a result that is not good, 2xx a wrong request, 3xx a warning:
            the result is right, but something is frozen, left out or approximate; 4xx a note.
        word: stays the same, and may be searched for.
        says: what is said, a form each: of a warning or a note the first is what the message is made from,
            with its parts in braces; of an error `...` stands for what differs from one to another.
        cause: what makes it.
        way_out: what to do.
        example: None where no small net shows it; `cause` says why then.
    """

    number: int
    word: str
    says: tuple[str, ...]
    cause: str
    way_out: str
    example: Example | None = None

    @property
    def code(self) -> str:
        """The number as it is printed."""
        return f"FX{self.number}"

    @property
    def level(self) -> str:
        """`error`, `warning` or `note`."""
        return LEVELS[self.number // 100]

    @property
    def title(self) -> str:
        """The number and the word."""
        return f"{self.code} {self.word}"

    @property
    def forms(self) -> tuple[str, ...]:
        """What is said, with `...` for what differs."""
        return tuple(_HOLE.sub("...", form) for form in self.says)
