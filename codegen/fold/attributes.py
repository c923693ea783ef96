"""What the author's modules call the numbers in which the uses of a function differ."""

from __future__ import annotations

from codegen.fold.argument_names import Known
from codegen.fold.blocks import Block, Structure
from codegen.fold.families import Family
from codegen.fold.relations import Column
from codegen.identifiers import readable
from codegen.ir import Shape
from codegen.program import NamedFrame, Out, Program

# The axes of an image: of the batch, channels, height and width.
IMAGE = 4


def known_of(structure: Structure, family: Family) -> Known:
    """What is known of the uses of a family beside what its statements say."""
    kept = [_numbers(use.block, structure.program) for use in family.uses]
    words = [dict(use.block.frame.words) for use in family.uses]
    shapes = _results(structure, family)
    widths = tuple(tuple(shape[axis] for shape in shapes) for axis in (1, -1)) if shapes else ()
    is_image = bool(shapes) and {len(shape) for shape in shapes} == {IMAGE}
    return Known(_shared(kept), _shared(words), widths, widths[0] if is_image else ())


def truths(family: Family) -> dict[frozenset[int], list[str]]:
    """The attributes that are True or False, by the numbers of the uses where they are False."""
    kept = [dict(use.block.frame.attributes) for use in family.uses]
    found: dict[frozenset[int], list[str]] = {}
    for name, values in _shared(kept):
        if all(type(v) is bool for v in values):
            found.setdefault(frozenset(n for n, v in enumerate(values) if not v), []).append(readable(name))
    return found


def _shared(kept: list[dict[str, float]]) -> tuple[tuple[str, Column], ...]:
    """(name, values at each use) of what all uses have, in the order of the first."""
    names = [name for name in kept[0] if all(name in own for own in kept)]
    return tuple((name, tuple(own[name] for own in kept)) for name in names)


def _results(structure: Structure, family: Family) -> list[Shape]:
    """The shape of each use's result; none where some are not known.

    Of results that are no tuple of the author's all but the last are made on the way to it.
    """
    made = [use.outputs[0 if use.block.frame.results else -1] for use in family.uses if use.outputs]
    calls = structure.program.calls
    shapes = [calls[o.call].shapes[o.index : o.index + 1] for o in made if isinstance(o, Out)]
    known = [own[0] for own in shapes if own and own[0] is not None and len(own[0]) > 1]
    return known if len(known) == len(family.uses) else []


def _numbers(block: Block, program: Program) -> dict[str, float]:
    """The numbers that a block's module keeps, and those of the modules in it where they agree."""
    inner: dict[str, set[float]] = {}
    for frame in _frames(block, program):
        for name, value in frame.attributes:
            inner.setdefault(name, set()).add(value)
    own = dict(block.frame.attributes)
    numbers = own | {n: min(values) for n, values in inner.items() if n not in own and len(values) == 1}
    return {name: value for name, value in numbers.items() if type(value) is not bool}


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
