"""Weights that several calls share: a function of a module that is called again gets them in one argument.

MXNet has a container for that, `mx.rnn.RNNParams`: it makes a Variable when it is first asked for its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codegen.fold.blocks import Block, Structure
from codegen.fold.entries import Entry, Use
from codegen.fold.families import Family
from codegen.folded import Given
from codegen.identifiers import flat
from codegen.program import Leaf, Variable

# Of fewer, each is an argument of its own.
FEWEST = 2


@dataclass(frozen=True)
class Sharing:
    """For the base of each function that gets a container: which of its inputs are read from that."""

    places: Mapping[Block, frozenset[int]]
    uses: Mapping[Block, Use]

    def of(self, block: Block) -> frozenset[int]:
        """The places of the inputs that a call of a block does not give one by one."""
        return self.places.get(self.uses[block].base, frozenset()) if block in self.uses else frozenset()

    def given(self, block: Block) -> tuple[Given | None, ...]:
        """What a call of a block gives one by one."""
        places = self.of(block)
        return tuple(own for place, own in enumerate(self.uses[block].inputs) if place not in places)

    def leaves(self, entry: Entry) -> set[Leaf]:
        """The Variables that a statement's calls read from a container."""
        return {
            own
            for block in entry.blocks()
            for place in self.of(block)
            if isinstance(own := self.uses[block].inputs[place], Leaf)
        }


def sharing(structure: Structure, families: Sequence[Family], uses: Mapping[Block, Use]) -> Sharing:
    """Which functions get their Variables from a container: those whose callers can name it to them."""
    places = {f.block: found for f in families if len(found := _places(structure, f)) >= FEWEST}
    while True:
        shared = Sharing(places, uses)
        wrong = {block for family in families for block in _unnamed(shared, family)}
        if not wrong:
            return shared
        places = {block: own for block, own in places.items() if block not in wrong}


def is_shareable(variable: Variable) -> bool:
    """Whether a Variable needs nothing but a name: MXNet infers the rest."""
    return variable.kind in ("arg", "aux") and variable.trained and variable.inferred


def path_of(block: Block) -> str:
    """What the names of a module's own weights begin with, whichever call of it a block is."""
    return flat(block.frame.path)


def _places(structure: Structure, family: Family) -> frozenset[int]:
    """The inputs that are in each use the same weight of the module itself."""
    if family.block.frame.op or family.block.frame.is_function:
        return frozenset()
    found = set()
    for place in range(len(family.base.inputs)):
        ends = {_end(structure, use, place) for use in family.uses}
        if len(ends) == 1 and "" not in ends:
            found.add(place)
    return frozenset(found)


def _end(structure: Structure, use: Use, place: int) -> str:
    """The name of a weight below its module's; '' where an input is none."""
    given = use.inputs[place]
    start = f"{path_of(use.block)}_"
    if not isinstance(given, Leaf) or not is_shareable(structure.variables[given.name]):
        return ""
    return given.name.removeprefix(start) if given.name.startswith(start) else ""


def _unnamed(shared: Sharing, family: Family) -> set[Block]:
    """The functions that a function calls, but can name no container, or no path, to."""
    wrong: set[Block] = set()
    own = shared.places.get(family.block, frozenset())
    for place, entry in enumerate(family.base.entries):
        for block in entry.blocks() if entry is not None else ():
            if not shared.of(block):
                continue
            leaves = [shared.uses[block].inputs[n] for n in shared.of(block)]
            given = [leaf in family.base.inputs for leaf in leaves]
            from_own = all(leaf in {family.base.inputs[n] for n in own} for leaf in leaves)
            made_here = not any(given) and not own and all(_is_first_call(use.block) for use in family.uses)
            if not (from_own or made_here) or len(_below(family, place)) > 1:
                wrong.add(shared.uses[block].base)
    return wrong


def _below(family: Family, place: int) -> frozenset[tuple[str, ...]]:
    """The paths of the modules that a statement calls, below that of the function's module, in each use."""
    found = set()
    for use in family.uses:
        entry = use.entries[place]
        if entry is not None:
            start = path_of(use.block)
            found.add(tuple(path_of(block).removeprefix(start) for block in entry.blocks()))
    shortest = min(map(len, found), default=0)
    return frozenset(own[:shortest] for own in found)


def _is_first_call(block: Block) -> bool:
    """Whether the names of what a block makes begin as those of its module's weights do."""
    return block.prefix == path_of(block)
