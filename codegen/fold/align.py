"""One block held against another, statement by statement."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.fold.blocks import Block, is_sequence
from codegen.fold.families import Entry, Family, Use
from codegen.folded import Given, Many, each
from codegen.program import Operand

MAX_FLAGS = 2
SMALLEST_GUARDED = 5


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
