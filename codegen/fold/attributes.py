"""What the author's modules call the numbers in which the uses of a function differ."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.fold.blocks import Block
from codegen.fold.families import Family
from codegen.identifiers import readable
from codegen.program import NamedFrame, Program

# Numbers of which so many are different, or that are as large, agree with an attribute by no chance.
ENOUGH = 3
LARGE = 3


def attributes(family: Family, program: Program) -> list[tuple[str, tuple[int, ...]]]:
    """(name, values at each use) of the numbers that the modules of all uses keep, the outermost first."""
    kept = [_numbers(use.block, program) for use in family.uses]
    together = [(name, tuple(own.get(name) for own in kept)) for name in kept[0]]
    whole = [(name, tuple(v for v in values if v is not None)) for name, values in together]
    return [(n, values) for n, values in whole if len(values) == len(kept) and _tells(n, values)]


def _tells(name: str, values: Sequence[int]) -> bool:
    """Whether an attribute can be an argument: a plain name, and numbers that are no coincidence."""
    is_plain = len(name) > 1 and readable(name) == name
    return is_plain and (len({*values}) >= ENOUGH or (len({*values}) > 1 and max(values) >= LARGE))


def _numbers(block: Block, program: Program) -> dict[str, int]:
    """The numbers that a block's module keeps, and those of the modules in it where they agree."""
    inner: dict[str, set[int]] = {}
    for frame in _frames(block, program):
        for name, value in frame.attributes:
            inner.setdefault(name, set()).add(value)
    own = dict(block.frame.attributes)
    return own | {n: min(values) for n, values in inner.items() if n not in own and len(values) == 1}


def _frames(block: Block, program: Program) -> list[NamedFrame]:
    found: dict[tuple[str, int], NamedFrame] = {}
    for index in block.calls():
        frames = program.calls[index].source.frames
        place = next((i for i, f in enumerate(frames) if _key(f) == _key(block.frame)), None)
        if place is not None:
            found.update((_key(frame), frame) for frame in frames[place + 1 :])
    return list(found.values())


def _key(frame: NamedFrame) -> tuple[str, int]:
    return frame.path, frame.call
