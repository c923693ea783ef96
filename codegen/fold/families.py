"""Blocks of the source's hierarchy, and families of blocks that share a structure.

Blocks are matched statement by statement, by op and dataflow. A block may lack stretches that another
has: they become parts under a flag.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from codegen.fold.blocks import Block, is_sequence
from codegen.folded import Given
from codegen.identifiers import identifier
from codegen.program import Operand, Program, Variable

SMALLEST_HELPER = 3
LONG_WORD = 20
# The parameters of a function that is written for its name alone.
FEW = 3
# The statements of a class that deserves a function though only one other function calls it.
LARGE = 5


@dataclass(frozen=True)
class Entry:
    """One statement of a block, in a form that can be compared with another block's.

    `label` is what must be equal; `reads` are (slot, operand); `source` is the op's number, the
    Variable or the inner block.
    """

    label: tuple[Any, ...]
    reads: tuple[tuple[str | None, Given | None], ...]
    makes: tuple[Operand, ...]
    source: int | Variable | Block


@dataclass(frozen=True)
class Use:
    """A block as one use of a Family: for each entry of the base its own, or None where it has none."""

    block: Block
    entries: tuple[Entry | None, ...]
    inputs: tuple[Given | None, ...]
    outputs: tuple[Operand, ...]
    merges: tuple[tuple[Operand, Operand], ...] = ()


@dataclass(eq=False)
class Family:
    """A structure that blocks share, up to parts that some do not have, and the Function made of it."""

    uses: list[Use]
    name: str = ""
    trait: str = ""
    arguments: dict[int, tuple[tuple[str, Any], ...]] = field(default_factory=dict)

    @property
    def base(self) -> Use:
        """The use with all parts."""
        return self.uses[0]

    @property
    def cls(self) -> str:
        return self.base.block.frame.cls

    def use_of(self, block: Block) -> int:
        """The number of a block's use."""
        return next(i for i, use in enumerate(self.uses) if use.block is block)

    def pattern(self, place: int) -> frozenset[int]:
        """The uses that do not have an entry of the base."""
        return frozenset(i for i, use in enumerate(self.uses) if use.entries[place] is None)


def is_helper(family: Family) -> bool:
    """Whether a family is an op or layer of torch that MXNet takes several ops for: it reads better under its name."""
    frame = family.base.block.frame
    return frame.library and not is_sequence(frame) and len(family.base.entries) >= SMALLEST_HELPER


def is_named(family: Family, program: Program) -> bool:
    """Whether a family reads better under its name, wherever it is called from."""
    is_large = len(family.uses) > 1 and len(family.base.entries) >= LARGE
    return is_helper(family) or (is_large and is_part(family, program))


def is_part(family: Family, program: Program) -> bool:
    """Whether a family is a class of the author's that does several things, and differs in few numbers.

    It is worth its name though it saves no line.
    """
    calls = [[program.calls[i] for i in use.block.calls()] for use in family.uses]
    if (
        family.base.block.frame.library
        or len(family.base.entries) < 2
        or len({len(own) for own in calls}) > 1
    ):
        return False
    differing = set()
    for together in zip(*calls, strict=True):
        for name in {name for call in together for name, _ in call.attrs}:
            differing.add(tuple(repr(dict(call.attrs).get(name)) for call in together))
    return sum(len(set(values)) > 1 for values in differing) <= FEW


def runs(family: Family) -> list[tuple[int, int, frozenset[int]]]:
    """(start, end, the uses that lack it) of the stretches of the base."""
    runs: list[tuple[int, int, frozenset[int]]] = []
    for place in range(len(family.base.entries)):
        pattern = family.pattern(place)
        if runs and runs[-1][2] == pattern:
            runs[-1] = (runs[-1][0], place + 1, pattern)
        else:
            runs.append((place, place + 1, pattern))
    return runs


def segments(family: Family) -> list[tuple[int, int, frozenset[int]]]:
    return [run for run in runs(family) if run[2]]


def flags_of(family: Family, program: Program) -> dict[frozenset[int], str]:
    """A name for each set of uses that lack something: after the submodule, or what is done."""
    flags: dict[frozenset[int], str] = {}
    for start, end, pattern in segments(family):
        if pattern in flags:
            continue
        words = [_word(e, family.base.block, program) for e in family.base.entries[start:end] if e]
        name = identifier(f"with_{next((w for w in words if w), 'part')}")
        while name in flags.values():
            name += "_"
        flags[pattern] = name
    return flags


def _word(entry: Entry, block: Block, program: Program) -> str:
    """What an entry is called in short: the submodule that it stands in, or the op of torch."""
    if isinstance(entry.source, Variable):
        name = entry.source.name[len(block.prefix) :].strip("_")
        return name if len(name) < LONG_WORD else ""
    inner = entry.source if isinstance(entry.source, Block) else None
    call = program.calls[next(inner.calls()) if inner else entry.source]  # type: ignore[index]
    if inner is not None and inner.frame.op:
        return inner.frame.cls
    path = inner.frame.path if inner is not None else call.source.path
    child = path[len(block.frame.path) :].lstrip(".").split(".")[0]
    if child and not child.isdigit():
        return child
    return re.sub(r"_?\d+$", "", call.name.removeprefix(block.prefix).strip("_").rsplit("_", 1)[-1])
