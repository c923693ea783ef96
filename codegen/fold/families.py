"""Families: blocks that share a structure and become one function, up to parts that some of them lack."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codegen.fold.blocks import Block, is_sequence, kind_of
from codegen.fold.entries import Choice, Entry, Run, Use
from codegen.identifiers import readable
from codegen.program import Program, Variable

# The statements from which a layer of torch's is better read under its name.
SMALLEST_LAYER = 3
# The arguments of a function that is written for its name alone.
FEW = 3
# The statements of a class that deserves a function though only one other function calls it.
LARGE = 5
LONG_WORD = 20


@dataclass(frozen=True, eq=False)
class Family:
    """The blocks that one function is made of; the first use has all parts."""

    uses: tuple[Use, ...]

    @property
    def base(self) -> Use:
        """The use with all parts."""
        return self.uses[0]

    @property
    def block(self) -> Block:
        """The block of the base."""
        return self.base.block

    @property
    def cls(self) -> str:
        """The class of the modules; of several, that from which they have what they do."""
        classes = {use.block.frame.cls for use in self.uses}
        return classes.pop() if len(classes) == 1 else kind_of(self.block.frame)

    def lacking(self, place: int) -> frozenset[int]:
        """The numbers of the uses that lack an entry of the base."""
        return frozenset(i for i, use in enumerate(self.uses) if use.entries[place] is None)


@dataclass(frozen=True)
class Stretch:
    """Entries of a base, from `start` to before `end`, and the numbers of the uses that lack them all."""

    start: int
    end: int
    lacking: frozenset[int]


def stretches(family: Family) -> list[Stretch]:
    """The entries of the base, in stretches that the same uses lack."""
    found: list[Stretch] = []
    for place in range(len(family.base.entries)):
        lacking = family.lacking(place)
        if found and found[-1].lacking == lacking:
            found[-1] = Stretch(found[-1].start, place + 1, lacking)
        else:
            found.append(Stretch(place, place + 1, lacking))
    return found


def parts(family: Family) -> list[Stretch]:
    """The stretches that some uses lack."""
    return [stretch for stretch in stretches(family) if stretch.lacking]


def flags(
    family: Family, program: Program, truths: Mapping[frozenset[int], Sequence[str]]
) -> dict[frozenset[int], str]:
    """A flag for each set of uses that lack something, called after the submodule or what is done.

    `truths` are what the modules say of themselves, by the uses of which it is not true: if they say one
    thing of those that have a part, that is the flag.
    """
    found: dict[frozenset[int], str] = {}
    for part in parts(family):
        if part.lacking in found:
            continue
        own = family.base.entries[part.start : part.end]
        words = [_word(entry, family.block, program).lstrip("_") for entry in own if entry]
        name = readable(f"with_{next((w for w in words if w), 'part')}")
        told = truths.get(part.lacking, ())
        if len(told) == 1 and told[0] not in found.values():
            name = told[0]
        while name in found.values():
            name += "_"
        found[part.lacking] = name
    return found


def deserves_name(family: Family, program: Program) -> bool:
    """Whether a family reads better as a function, wherever it is called from."""
    is_large = len(family.uses) > 1 and len(family.base.entries) >= LARGE
    return _is_layer(family) or (is_large and is_class_of_few_arguments(family, program))


def _is_layer(family: Family) -> bool:
    """Whether a family is an op or layer of torch's that MXNet takes several ops for."""
    frame = family.block.frame
    return frame.library and not is_sequence(frame) and len(family.base.entries) >= SMALLEST_LAYER


def is_class_of_few_arguments(family: Family, program: Program) -> bool:
    """Whether a family is a class of the author's that does several things, and differs in few numbers.

    It is worth its name though it saves no line.
    """
    if family.block.frame.library or len(family.base.entries) < 2:
        return False
    calls = [[program.calls[i] for i in use.block.calls()] for use in family.uses]
    if len({len(own) for own in calls}) > 1:
        return False
    differing = set()
    for together in zip(*calls, strict=True):
        for name in {name for call in together for name, _ in call.attrs}:
            differing.add(tuple(repr(dict(call.attrs).get(name)) for call in together))
    return sum(len(set(values)) > 1 for values in differing) <= FEW


def _word(entry: Entry, block: Block, program: Program) -> str:
    """What an entry is called in short: the submodule that it stands in, or the op of torch."""
    source = entry.source
    if isinstance(source, Variable):
        name = source.name[len(block.prefix) :].strip("_")
        return name if len(name) < LONG_WORD else ""
    if isinstance(source, Block) and source.frame.op:
        return source.frame.cls
    if isinstance(source, Run):
        return _word(source.calls[0], block, program)
    if isinstance(source, Choice):
        return _word(source.entries[-1], block, program)
    call = program.calls[next(source.calls()) if isinstance(source, Block) else source]
    path = source.frame.path if isinstance(source, Block) else call.source.path
    child = path[len(block.frame.path) :].lstrip(".").split(".")[0]
    if child and not child.isdigit():
        return child
    return re.sub(r"_?\d+$", "", call.stem.removeprefix(block.prefix).strip("_").rsplit("_", 1)[-1])
