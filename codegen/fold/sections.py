"""Sections of a long net: the stages of its data, each a function that is called once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from codegen.program import Program

Key: TypeAlias = tuple[str, int]

# The ops from which a module may be a section, and the statements from which it is one.
FEWEST_OPS = 12
FEWEST_STATEMENTS = 6
# What a section is given, and gives, at most.
MOST_VALUES = 4


def sections_of(program: Program) -> frozenset[Key]:
    """The modules (path, call) below the net that do a part of its work, in one go.

    Of one that does more than half of all, those inside are taken.
    """
    return frozenset(_sections(program, range(len(program.calls)), 1))


def _sections(program: Program, inside: range, depth: int) -> Iterator[Key]:
    found: dict[Key, list[int]] = {}
    for index in inside:
        frames = program.calls[index].source.frames
        if len(frames) > depth:
            found.setdefault((frames[depth].path, frames[depth].call), []).append(index)
    for key, ops in found.items():
        together = range(ops[0], ops[-1] + 1)
        if len(together) != len(ops):
            continue
        if 2 * len(ops) > len(program.calls):
            yield from _sections(program, together, depth + 1)
        elif len(ops) >= FEWEST_OPS:
            yield key
