"""What stands in a loop in the place of what differs from turn to turn."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Turn:
    """What differs from turn to turn of a loop: its counter, with a number `added`, or one of its columns."""

    name: str
    added: int = 0

    def __str__(self) -> str:
        sign = "+" if self.added > 0 else "-"
        return f"{self.name} {sign} {abs(self.added)}" if self.added else self.name
