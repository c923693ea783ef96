"""Runs of blocks that do the same, each fed by the one before: what differs between modules is how many."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from codegen.fold.blocks import Block, Structure
from codegen.fold.entries import Entry, Run, Use
from codegen.program import Leaf, Operand


def with_runs(structure: Structure, listed: Sequence[Entry], uses: Mapping[Block, Use]) -> list[Entry]:
    """Statements with each run of calls (`m_0`, `m_1`, ...) as one, one call alone too."""
    result: list[Entry] = []
    place = 0
    while place < len(listed):
        run = _run(structure, listed[place:], uses)
        result.append(listed[place] if run is None else run)
        place += 1 if run is None else len(run.calls())
    return result


def _run(structure: Structure, listed: Sequence[Entry], uses: Mapping[Block, Use]) -> Entry | None:
    """The run that begins with the first of some statements, if that is a call of a numbered module."""
    first = listed[0]
    numbered = _numbered(first)
    if numbered is None or len(first.makes) != 1:
        return None
    prefix, start = numbered
    calls = [first]
    for own in listed[1:]:
        if _numbered(own) != (prefix, start + len(calls)) or not _goes_on(structure, calls[-1], own, uses):
            break
        calls.append(own)
    label = ("run", first.label[1], prefix, start)
    return replace(first, label=label, makes=calls[-1].makes, source=Run(tuple(calls), start))


def _numbered(entry: Entry) -> tuple[str, int] | None:
    """(what stands before the number, the number) of a call whose module's name ends with one."""
    if not isinstance(entry.source, Block):
        return None
    found = re.fullmatch(r"(.*_)(0|[1-9]\d*)", str(entry.label[2]))
    return (found[1], int(found[2])) if found else None


def _goes_on(structure: Structure, before: Entry, after: Entry, uses: Mapping[Block, Use]) -> bool:
    """Whether a call does what the one before does, on what that gives, which nothing else reads."""
    if after.label[1] != before.label[1] or len(after.makes) != 1:
        return False
    made = before.makes[0]
    handed = [read == made for _, read in after.reads]
    alike = len(before.reads) == len(after.reads) and all(
        is_made or own == old
        for is_made, (_, own), (_, old) in zip(handed, after.reads, before.reads, strict=True)
    )
    one, other = before.blocks()[0], after.blocks()[0]
    inside = set(other.calls())
    alone = all(user in inside for user in structure.users.get(made, ()))
    return sum(handed) == 1 and alike and alone and _same_numbers(structure, one, other, uses)


def _same_numbers(structure: Structure, one: Block, other: Block, uses: Mapping[Block, Use]) -> bool:
    """Whether two uses of one function give it the same arguments."""
    lacking = [[entry is None for entry in uses[block].entries] for block in (one, other)]
    return lacking[0] == lacking[1] and [*_numbers(structure, one)] == [*_numbers(structure, other)]


def _numbers(structure: Structure, block: Block) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for number in block.calls():
        call = structure.program.calls[number]
        found.append((call.op, call.attrs))
        found += [_shape(structure, o) for slot, o in call.inputs if slot not in structure.automatic[number]]
    return found


def _shape(structure: Structure, operand: Operand) -> tuple[object, ...]:
    return (structure.variables[operand.name].shape,) if isinstance(operand, Leaf) else ()
