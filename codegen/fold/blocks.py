"""The hierarchy of the source: each call of a module is a block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from codegen.program import NamedFrame


@dataclass(eq=False)
class Block:
    """One call of a module: ops by their index, and the blocks inside."""

    frame: NamedFrame
    items: list[int | Block] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        return self.frame.prefix

    def calls(self) -> Iterator[int]:
        """Every op inside, in order."""
        for item in self.items:
            if isinstance(item, Block):
                yield from item.calls()
            else:
                yield item

    def blocks(self) -> Iterator[Block]:
        """Every block inside, outer first."""
        for item in self.items:
            if isinstance(item, Block):
                yield item
                yield from item.blocks()


def is_sequence(frame: NamedFrame) -> bool:
    """Whether a call is one of torch's own Sequential, whose class says nothing of what it does."""
    return frame.library and frame.cls == "Sequential"


# The ops of a Sequential that may be a function, the classes in its name, and how they are called there.
SMALLEST_SEQUENCE = 3


def least_size(frame: NamedFrame) -> int:
    """The ops from which a call of a module can be a function."""
    if is_sequence(frame):
        return SMALLEST_SEQUENCE
    return 2 if frame.library else 1


def is_below(name: str, prefix: str) -> bool:
    return not prefix or name == prefix or name.startswith(f"{prefix}_")
