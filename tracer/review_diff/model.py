"""What changed between two reviews, as data: all is decided before a template prints it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from tracer.review.model import BlockRow, DefaultRow, Digest, OutputRow, UnusedRow, WeightRow

T = TypeVar("T")


@dataclass(frozen=True)
class Change(Generic[T]):
    """A thing in both reviews, None in the one that does not have it.

    `is_moved` is one that is the same, and stands elsewhere.
    """

    old: T | None
    new: T | None
    is_moved: bool = False

    @property
    def kind(self) -> Literal["new", "gone", "moved", "changed"]:
        """What became of it."""
        if self.old is None:
            return "new"
        if self.new is None:
            return "gone"
        return "moved" if self.is_moved else "changed"


@dataclass(frozen=True)
class Fact:
    """What the summary says of one thing in each review, empty where it says nothing."""

    what: str
    old: str
    new: str


@dataclass(frozen=True)
class TorchLine:
    """What a line of torch becomes: all rows of the source map that are of it.

    `lines` are those of the generated code. How this is folded into functions and loops is no matter of the
    net, so that the rows of one line of torch are one.
    """

    lines: tuple[int, ...]
    places: tuple[str, ...]
    statement: str
    ops: tuple[tuple[str, int], ...]
    shapes: tuple[str, ...]


@dataclass(frozen=True)
class Rounding:
    """A difference from torch that is another, and counts as equal in both reviews."""

    output: str
    old: str
    new: str


@dataclass(frozen=True)
class ReportDiff:
    """All that is not the same in two reviews.

    `rounding` is beside it: differences within the tolerance are no change of the net.
    """

    net: str
    facts: tuple[Fact, ...]
    sources: tuple[Change[Digest], ...]
    files: tuple[Change[Digest], ...]
    outputs: tuple[Change[OutputRow], ...]
    layers: tuple[Change[TorchLine], ...]
    defaults: tuple[Change[DefaultRow], ...]
    weights: tuple[Change[WeightRow], ...]
    unused: tuple[Change[UnusedRow], ...]
    blocks: tuple[Change[BlockRow], ...]
    rounding: tuple[Rounding, ...]

    @property
    def is_change(self) -> bool:
        """Whether anything changed but for rounding."""
        parts = (self.facts, self.sources, self.files, self.outputs, self.layers)
        tables = (self.defaults, self.weights, self.unused, self.blocks)
        return any(parts) or any(tables)
