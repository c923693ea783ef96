"""The blocks of one class become families: as few as will do, of as many uses as are alike enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from codegen.fold.align import aligned, extended
from codegen.fold.blocks import Block, Structure
from codegen.fold.choices import Activation, settled, with_choices
from codegen.fold.entries import Entry, Interface, Use, entries
from codegen.fold.families import Family, parts
from codegen.fold.runs import with_runs

# How alike the uses of one function must be: from any number of inner blocks in a row, any activation at a
# place, and the first part lacking, to what differs in numbers alone.
LOOSE, CLOSER, CLOSEST = range(3)

Listed: TypeAlias = "Sequence[tuple[Block, Sequence[Entry]]]"


@dataclass(frozen=True)
class Ways:
    """What families are made of: the blocks as they are seen from outside, and the activations inside.

    `likeness` tells how alike the uses of a class must be that would get a function of too many parameters.
    """

    structure: Structure
    seen: Mapping[Block, Interface]
    known: Mapping[tuple[str, int], Activation]
    likeness: Mapping[str, int]

    def likeness_of(self, cls: str) -> int:
        """How alike the uses of a class must be."""
        return self.likeness.get(cls, LOOSE)


def grouped(ways: Ways, cls: str, blocks: Sequence[Block], uses: Mapping[Block, Use]) -> list[Family]:
    """Blocks of one class as families; where that makes fewer, loosely alike."""
    structure, seen, likeness = ways.structure, ways.seen, ways.likeness_of(cls)
    listed: Listed = [(block, entries(structure, block, seen[block].join, uses)) for block in blocks]
    best = _grouped(listed, seen, likeness)
    if len(best) < 2 or likeness > LOOSE:
        return best
    in_runs = [(block, with_runs(structure, own, uses)) for block, own in listed]
    best, listed = _better(best, listed, in_runs, seen)
    if len(best) < 2:
        return best
    chosen = [(block, with_choices(structure, block, own, ways.known)) for block, own in listed]
    return _better(best, listed, chosen, seen)[0]


def _better(
    best: list[Family], listed: Listed, changed: Listed, seen: Mapping[Block, Interface]
) -> tuple[list[Family], Listed]:
    """The families of changed statements, where they are fewer, and lack no more parts."""
    families = [settled(family) for family in _grouped(changed, seen, LOOSE)]
    lacking = [sum(len(parts(family)) for family in own) for own in (best, families)]
    return (families, changed) if len(families) < len(best) and lacking[1] <= lacking[0] else (best, listed)


def _grouped(listed: Listed, seen: Mapping[Block, Interface], likeness: int) -> list[Family]:
    """Blocks of one class as families: each has one with all parts as its base, and all that is given."""
    families: list[Family] = []

    def size(pair: tuple[Block, Sequence[Entry]]) -> tuple[int, ...]:
        interface, inner = seen[pair[0]], sum(len(entry.blocks()) for entry in pair[1])
        return -len(pair[1]), -inner, -len(interface.inputs), -len(interface.outputs)

    for block, own in sorted(listed, key=size):
        for place, family in enumerate(families):
            use = aligned(
                family.base,
                block,
                own,
                seen[block],
                may_lack=likeness < CLOSEST,
                may_lack_first=likeness < CLOSER,
            )
            if use is not None and len(seen[block].outputs) < len(use.outputs) and len(family.uses) < 2:
                continue  # results for one use alone are none of a function's
            longer = extended(family, use) if use is not None else None
            if longer is not None:
                families[place] = longer
                break
        else:
            interface = seen[block]
            alone = Use(block, block, tuple(own), interface.inputs, interface.outputs)
            families.append(Family((alone,)))
    return families
