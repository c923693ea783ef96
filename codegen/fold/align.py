"""One block held against another, statement by statement: what is a use of the same function."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.defects import present
from codegen.fold.blocks import Block, is_sequence
from codegen.fold.entries import Entry, Interface, Use
from codegen.fold.families import Family
from codegen.folded import Given, Many, each
from codegen.program import Leaf, Operand, Out

MAX_FLAGS = 2
# The statements from which a function may have parts under flags.
SMALLEST_WITH_PARTS = 5


def aligned(
    base: Use,
    block: Block,
    entries: Sequence[Entry],
    interface: Interface,
    may_lack: bool = True,
    may_lack_first: bool = True,
) -> Use | None:
    """A block as a use of `base`; None if it is none.

    It `may_lack` parts of it, that one too which is given what the block gives to the next: the first.
    """
    places = _placed(base, entries)
    if places is None or (None in places and not (may_lack and _may_lack(places, block))):
        return None
    match = _Match(base, places, interface.inputs, may_lack_first)
    for entry, own in zip(base.entries, places, strict=True):
        if own is not None and entry is not None and not match.entry(entry, own):
            return None
    outputs = match.outputs(base.outputs, interface.outputs)
    if outputs is None:
        return None
    inputs = tuple(None if given is None else match.from_base.get(given) for given in base.inputs)
    if {given for given in inputs if given is not None} != set(interface.inputs):
        return None
    return Use(block, base.block, tuple(places), inputs, outputs, tuple(match.merges.items()))


def _placed(base: Use, entries: Sequence[Entry]) -> list[Entry | None] | None:
    """For each entry of the base the block's own, None where it has none; None if some entry has no place."""
    places: list[Entry | None] = []
    position = 0
    for entry in base.entries:
        entry = present(entry)
        own = entries[position] if position < len(entries) else None
        matches = own is not None and own.label == entry.label and len(own.reads) == len(entry.reads)
        places.append(own if matches else None)
        position += matches
    return places if position == len(entries) else None


def _may_lack(places: Sequence[Entry | None], block: Block) -> bool:
    """Whether a block that lacks entries of the base is still alike enough to share its function."""
    if is_sequence(block.frame) or len(places) < SMALLEST_WITH_PARTS:
        return False
    return 2 * places.count(None) <= len(places)


class _Match:
    """Follows the dataflow of two blocks side by side: which value of one is which of the other.

    `from_base` maps the base's values to the block's, which may give one thing for several inputs; `to_base`
    maps what the block makes to the base's. `merges` are the values that stand in the place of what the block
    does not make.
    """

    def __init__(
        self, base: Use, places: Sequence[Entry | None], inputs: Sequence[Given], may_lack_first: bool
    ) -> None:
        self.from_base: dict[Given, Given] = {}
        self.to_base: dict[Given, Given] = {}
        self.merges: dict[Operand, Operand] = {}
        self._entries = base.entries
        self._may_lack_first = may_lack_first
        self._inputs = set(inputs)
        self._base_inputs = {given for given in base.inputs if given is not None}
        # The places of the entries that make the base's values, and of those that the block lacks.
        self._made: dict[Given, int] = {}
        self._lacking: dict[Given, int] = {}
        for place, (entry, own) in enumerate(zip(base.entries, places, strict=True)):
            for operand in entry.makes if entry else ():
                self._made[operand] = place
                if own is None:
                    self._lacking[operand] = place

    def entry(self, base: Entry, own: Entry) -> bool:
        """Match what two entries read, and note what they make."""
        for (base_slot, base_read), (own_slot, own_read) in zip(base.reads, own.reads, strict=True):
            if base_slot != own_slot or not self._read(base_read, own_read):
                return False
        if len(base.makes) != len(own.makes):
            return False
        self.to_base.update(zip(own.makes, base.makes, strict=True))
        self.from_base.update(zip(base.makes, own.makes, strict=True))
        return True

    def outputs(self, base: Sequence[Operand], own: Sequence[Operand]) -> tuple[Operand, ...] | None:
        """The block's values for what the base gives, where all that is read of the block is among them.

        What nothing reads is given all the same. None where the block gives something else.
        """
        if len(own) == len(base):
            return tuple(own) if all(map(self.operand, base, own)) else None
        given = [self.from_base.get(operand) for operand in base if operand not in self._lacking]
        found = tuple(operand for operand in given if isinstance(operand, Out | Leaf))
        return found if len(found) == len(base) and own and set(own) <= set(found) else None

    def _read(self, base: Given | None, own: Given | None) -> bool:
        """Match two inputs of calls; the block may lack one that the base has."""
        if base is None:
            return own is None
        return base not in self._lacking if own is None else self.operand(base, own)

    def operand(self, base: Given, own: Given) -> bool:
        """Whether `own` stands for `base`, or in its place where the block lacks the part that makes it."""
        if isinstance(base, Many) != isinstance(own, Many):
            return False
        if isinstance(base, Many) and isinstance(own, Many) and own not in self._inputs:
            return len(base.items) == len(own.items) and all(map(self.operand, base.items, own.items))
        if base in self._lacking:
            instead = self._base_of(own)
            return self._merge(base, self._fed(base, own) if instead is None else instead)
        if base in self.from_base:
            return self.from_base[base] == own
        return self._input(base, own)

    def _base_of(self, own: Given) -> Given | None:
        """The base's value that one of the block's stands for: of several inputs, the first."""
        given = (base for base, known in self.from_base.items() if known == own)
        return self.to_base.get(own, next(given, None))

    def _fed(self, base: Given, own: Given) -> Given | None:
        """What a part that the block lacks is given, where the block has that in the place of its result."""
        while self._may_lack_first and base in self._lacking:
            reads = present(self._entries[self._lacking[base]]).reads
            if not reads or reads[0][1] is None:
                return None
            base = reads[0][1]
        return base if base not in self.from_base and self._input(base, own) else None

    def _merge(self, base: Given, instead: Given | None) -> bool:
        """Note what stands in the place of a value that the block lacks: one thing, made before it."""
        if not isinstance(base, Out | Leaf) or not isinstance(instead, Out | Leaf):
            return False
        if self._made.get(instead, -1) > self._lacking[base]:
            return False
        return self.merges.setdefault(base, instead) == instead

    def _input(self, base: Given, own: Given) -> bool:
        """Match an input of the block with one of the base."""
        if own not in self._inputs or base not in self._base_inputs:
            return False
        self.from_base[base] = own
        return True


def extended(family: Family, use: Use) -> Family | None:
    """The family with one more use, None where its function would read badly, or do something else."""
    tried = Family((*family.uses, use))
    merges = _merges(tried)
    lacking = [tried.lacking(place) for place in range(len(tried.base.entries))]
    if merges is None or len({*lacking} - {frozenset()}) > MAX_FLAGS:
        return None
    makers = {o: place for place, entry in enumerate(tried.base.entries) if entry for o in entry.makes}
    # The uses that lack a value after its part: none, where another stands in its place.
    without = {o: frozenset() if o in merges else lacking[place] for o, place in makers.items()}
    for place, entry in enumerate(tried.base.entries):
        for operand in each(given for _, given in entry.reads) if entry else ():
            if without.get(operand, frozenset()) not in (frozenset(), lacking[place]):
                return None
    return None if any(without.get(operand) for operand in tried.base.outputs) else tried


def _merges(family: Family) -> dict[Operand, Operand] | None:
    """What stands in the place of each value whose part is lacking, None where not all uses have the same."""
    merges: dict[Operand, Operand] = {}
    for use in family.uses:
        for made, instead in use.merges:
            if merges.setdefault(made, instead) != instead:
                return None
    return merges
