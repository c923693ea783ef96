"""Blocks of the source's hierarchy, and families of blocks that share a structure.

Blocks are matched statement by statement, by op and dataflow. A block may lack stretches that another
has: they become parts under a flag.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from codegen.items import Given, Many, each
from codegen.names import identifier
from codegen.program import Operand, Program, Variable
from tracer.ir import Frame

MAX_FLAGS = 2
SMALLEST_GUARDED = 5
SMALLEST_HELPER = 3
LONG_WORD = 20
# The parameters of a function that is written for its name alone.
FEW = 3
# The statements of a class that deserves a function though only one other function calls it.
LARGE = 5


@dataclass(eq=False)
class Block:
    """One call of a module: ops by their index, and the blocks inside."""

    frame: Frame
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


def aligned(
    base: Use,
    entries: Sequence[Entry],
    block: Block,
    inputs: Sequence[Given],
    outputs: Sequence[Operand],
) -> Use | None:
    """`entries` as a use of `base`, which may have parts that they do not have; None if they are not."""
    places: list[Entry | None] = []
    position = 0
    for entry in base.entries:
        assert entry is not None
        own = entries[position] if position < len(entries) else None
        same = own is not None and own.label == entry.label and len(own.reads) == len(entry.reads)
        places.append(own if same else None)
        position += same
    lacking = places.count(None)
    if position < len(entries) or (lacking and 2 * lacking > len(places)):
        return None
    if lacking and (len(places) < SMALLEST_GUARDED or is_sequence(block.frame)):
        return None
    match = _Match(base, places, inputs)
    for entry, own in zip(base.entries, places, strict=True):
        if own is not None and entry is not None and not match.entry(entry, own):
            return None
    if len(outputs) != len(base.outputs):
        return None
    if not all(match.operand(b, o) for b, o in zip(base.outputs, outputs, strict=True)):
        return None
    backwards = {b: o for o, b in match.to_base.items()}
    own_inputs = tuple(None if b is None else backwards.get(b) for b in base.inputs)
    if {o for o in own_inputs if o is not None} != set(inputs):
        return None
    return Use(block, tuple(places), own_inputs, tuple(outputs), tuple(match.merges.items()))


class _Match:
    """Follows the dataflow of two blocks side by side."""

    def __init__(self, base: Use, places: Sequence[Entry | None], inputs: Sequence[Given]) -> None:
        self.to_base: dict[Given, Given] = {}
        self.merges: dict[Operand, Operand] = {}
        self._inputs = set(inputs)
        self._base_inputs = {o for o in base.inputs if o is not None}
        self._taken: set[Given] = set()
        self._lacking: dict[Given, int] = {}
        self._made: dict[Given, int] = {}
        for number, (entry, own) in enumerate(zip(base.entries, places, strict=True)):
            for operand in entry.makes if entry else ():
                self._made[operand] = number
                if own is None:
                    self._lacking[operand] = number

    def entry(self, base: Entry, own: Entry) -> bool:
        """Match what two entries read, and note what they make."""
        for (base_slot, base_read), (own_slot, own_read) in zip(base.reads, own.reads, strict=True):
            if base_slot != own_slot or (base_read is None and own_read is not None):
                return False
            if own_read is None and base_read in self._lacking:
                return False
            if base_read is not None and own_read is not None and not self.operand(base_read, own_read):
                return False
        if len(base.makes) != len(own.makes):
            return False
        self.to_base.update(zip(own.makes, base.makes, strict=True))
        return True

    def operand(self, base: Given, own: Given) -> bool:
        """Whether `own` stands for `base`, or in its place where `base` is made by a lacking part."""
        known = self.to_base.get(own)
        if isinstance(base, Many) != isinstance(own, Many):
            return False
        if isinstance(base, Many) and isinstance(own, Many) and own not in self._inputs:
            alike = len(base.items) == len(own.items)
            return alike and all(map(self.operand, base.items, own.items))
        if base in self._lacking:
            if known is None or isinstance(base, Many) or isinstance(known, Many):
                return False
            if self._made.get(known, -1) > self._lacking[base]:
                return False
            return self.merges.setdefault(base, known) == known
        if known is not None:
            return known == base
        if own not in self._inputs or base not in self._base_inputs or base in self._taken:
            return False
        self.to_base[own] = base
        self._taken.add(base)
        return True


def is_helper(family: Family) -> bool:
    """Whether a family is an op or layer of torch that MXNet takes several ops for: it reads better under its name."""
    frame = family.base.block.frame
    return frame.library and not is_sequence(frame) and len(family.base.entries) >= SMALLEST_HELPER


def is_sequence(frame: Frame) -> bool:
    """Whether a call is one of torch's own Sequential, whose class says nothing of what it does."""
    return frame.library and frame.cls == "Sequential"


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


def compatible(family: Family, use: Use) -> bool:
    """Whether a family with one more use still reads well, and is right."""
    tried = Family([*family.uses, use])
    merges: dict[Operand, Operand] = {}
    for other in tried.uses:
        for made, instead in other.merges:
            if merges.setdefault(made, instead) != instead:
                return False
    patterns = {tried.pattern(i) for i in range(len(tried.base.entries))} - {frozenset()}
    if len(patterns) > MAX_FLAGS:
        return False
    makers = {o: i for i, e in enumerate(tried.base.entries) if e for o in e.makes}
    for place, entry in enumerate(tried.base.entries):
        for operand in each(o for _, o in entry.reads) if entry else ():
            maker = makers.get(operand)
            if maker is None or operand in merges:
                continue
            if tried.pattern(maker) not in (frozenset(), tried.pattern(place)):
                return False
    return all(o in merges or not (m := makers.get(o)) or not tried.pattern(m) for o in tried.base.outputs)


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


def snake(cls: str) -> str:
    """A class's name as a function's: BasicBlock is basic_block, ViTLayer vit_layer, ConvBN conv_bn."""
    after_lower = r"(?<=[a-z])(?=[A-Z](?:[a-z\d]|$)|[A-Z]{2,}(?![a-z]))"
    before_word = r"(?<=[A-Z\d])(?=[A-Z][a-z])"
    return re.sub(f"{after_lower}|{before_word}", "_", cls).lower()


def plain(cls: str) -> str:
    """A class or function of torch by letters alone: GroupNorm and group_norm are one helper."""
    return cls.replace("_", "").lower()
