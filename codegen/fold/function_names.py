"""What functions are called: after their class, and where a class needs several, what tells them apart."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from codegen.fold.blocks import Block, is_sequence
from codegen.fold.families import Family
from codegen.identifiers import readable
from codegen.program import Program

# The classes that the name of a Sequential's function lists at most, and how they are called there.
MOST_WORDS = 4
SHORT = {
    "batch_norm": "bn",
    "conv_transpose": "deconv",
    "linear": "fc",
    "max_pool": "pool",
    "avg_pool": "pool",
}
# A class of activations, whose capitals make no words: ReLU, PReLU, SiLU, GELU, SwiGLU.
ACTIVATION = r"(?:[PR]?Re|Si|SwiG|GEG|[GSC]E|[EG])LU"
CONTAINERS = frozenset(["Sequential", "ModuleList", "ModuleDict"])


@dataclass(frozen=True)
class FunctionName:
    """The name of a family's function, and what tells it from others of its class: `with ReLU`, or ''."""

    name: str
    trait: str


def snake(cls: str) -> str:
    """A class's name as a function's: BasicBlock is basic_block, ConvBnReLU conv_bn_relu.

    As the field writes them, the words Net and NeXt belong to what stands before them, and so does Conv to
    the letters that tell its kind: RegNetUnit is regnet_unit, ConvNeXt convnext, MBConvBlock mbconv_block.
    """
    words = re.sub(ACTIVATION, lambda m: m.group().capitalize(), cls.strip("_"))
    words = re.sub(r"(?<=[a-z\d])(?:Net|Ne[Xx]t)(?![a-z])", lambda m: m.group().lower(), words)
    words = re.sub(r"(?<![A-Za-z])[A-Z]{1,2}(?:Conv|Net)(?![a-z])", lambda m: m.group().capitalize(), words)
    after_lower = r"(?<=[a-z])(?=[A-Z](?:[a-z\d]|$)|[A-Z]{2,}(?![a-z]))"
    counted = r"(?<=[a-z]{2})(?=[A-F][A-Z][a-z])"  # InceptionAUnit
    before_word = r"(?<=[A-Z\d])(?=[A-Z](?!v\d)[a-z])"
    return re.sub(f"{after_lower}|{counted}|{before_word}", "_", words).lower()


def plain(cls: str) -> str:
    """A class or function of torch by letters alone: GroupNorm and group_norm are one."""
    return cls.replace("_", "").lower()


def names_of(families: Sequence[Family], program: Program, reserved: Collection[str]) -> list[FunctionName]:
    """A name for each family, none of which is `reserved`; given in the order in which the net calls them."""
    taken = set(reserved)
    stems = {family: _stem(family, program) for family in families}
    found: dict[Family, FunctionName] = {}
    for family in sorted(families, key=lambda f: min(min(use.block.calls()) for use in f.uses)):
        others = [f for f in families if f is not family and stems[f] == stems[family]]
        own = _told_apart(family, stems[family], others, program)
        base = readable(own.name)
        name, number = base, 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name)
        found[family] = FunctionName(name, own.trait)
    return [found[family] for family in families]


def held_classes(family: Family, program: Program) -> list[str]:
    """The classes that the Sequentials of a family hold, in order: at one place `ReLU or Hardswish`."""
    return [" or ".join(classes) for classes in _held(family, program)]


def _held(family: Family, program: Program) -> list[tuple[str, ...]]:
    """The classes at each place of Sequentials, of those alike one after another one."""
    every = [_classes_in(use.block, program) for use in family.uses]
    if len({*map(len, every)}) > 1:
        return [(cls,) for cls in every[0]]
    return [tuple(dict.fromkeys(together)) for together in zip(*every, strict=True)]


def _short(classes: Sequence[str]) -> str:
    """What the name of a function calls a layer that it holds, one of several activations `act`."""
    if len(classes) > 1:
        return "act"
    word = snake(re.sub(r"\dd$", "", classes[0]))
    return SHORT.get(word, word)


def _classes_in(block: Block, program: Program) -> list[str]:
    frames = [program.calls[index].source.frames for index in block.calls()]
    depth = next(i for i, frame in enumerate(frames[0]) if frame == block.frame) + 1
    held = [own[depth].cls for own in frames if len(own) > depth]
    return [cls for cls, before in zip(held, ["", *held], strict=False) if cls != before]


def _stem(family: Family, program: Program) -> str:
    """What a function is called after: its class, or of a Sequential the attribute, or what it holds.

    A stage of the net's, which is called once, is called after its attribute.
    """
    frame = family.block.frame
    place = _attribute(family)
    if place and (is_sequence(frame) or len(family.uses) == 1):
        return snake(place)
    if not is_sequence(frame):
        return snake(family.cls)
    words = [_short(classes) for classes in _held(family, program)]
    return "_".join(words) if len(words) <= MOST_WORDS else "sequence"


def _told_apart(family: Family, stem: str, others: Sequence[Family], program: Program) -> FunctionName:
    """The name that tells a family from others of its class, and what its docstring says of that.

    It tells what all its uses have inside and the others have not: classes, else submodules, the outer ones
    before those inside them; else in which class of the author's it stands. The plainest has no more than the
    stem, and its docstring tells what it lacks.
    """
    weak: tuple[str, ...] = ()
    for parts_of in (_classes, _children) if others else ():
        depths = parts_of(family.block, program)
        always, ever = _in_every_use(family, program, parts_of), _in_any_use(family, program, parts_of)
        rest = [_in_any_use(other, program, parts_of) for other in others]
        if all(ever < other for other in rest):
            lacking = _in_every_use(others[0], program, parts_of) - ever if len(others) == 1 else set()
            return FunctionName(stem, f"without {lacking.pop()}" if len(lacking) == 1 else "")
        rare = Counter(part for other in rest for part in other)
        parts = sorted(
            (part for part in always if rare[part] < len(rest)),
            key=lambda part: (rare[part], depths[part], len(part), part),
        )
        few = [*((part,) for part in parts), *itertools.combinations(parts, 2)]
        for traits in few:
            if not any(other.issuperset(traits) for other in rest):
                return _with(stem, traits)
        weak = weak or next(iter(few), ())
    holder = _holder(family, program)
    if others and holder and all(_holder(other, program) != holder for other in others):
        return FunctionName(f"{snake(holder)}_{snake(_attribute(family)) or stem}", f"in {holder}")
    return _with(stem, weak)


def _attribute(family: Family) -> str:
    """The attribute that holds each use of a family; '' where there are several, or lists."""
    places = {use.block.frame.path.rpartition(".")[2] for use in family.uses}
    place = places.pop()
    return "" if places or place[:1].isdigit() else place


def _with(stem: str, traits: Sequence[str]) -> FunctionName:
    """A name, and a docstring, that tell of parts inside."""
    trait = f"with {' and '.join(traits)}" if traits else ""
    return FunctionName("_".join([stem, *map(snake, traits)]), trait)


def _holder(family: Family, program: Program) -> str:
    """The class of the modules that a family's uses stand in, if it is one, and the author's."""
    found: set[str] = set()
    for use in family.uses:
        frames = program.calls[next(use.block.calls())].source.frames
        around = [f for f in frames[1:] if len(f.path) < len(use.block.frame.path) and not f.library]
        found.add(around[-1].cls if around else "")
    return found.pop() if len(found) == 1 else ""


_Parts: TypeAlias = "Callable[[Block, Program], Mapping[str, int]]"


def _in_every_use(family: Family, program: Program, parts_of: _Parts) -> set[str]:
    """The parts that each use of a family has."""
    return set.intersection(*(set(parts_of(use.block, program)) for use in family.uses))


def _in_any_use(family: Family, program: Program, parts_of: _Parts) -> set[str]:
    """The parts that some use of a family has."""
    return set().union(*(parts_of(use.block, program) for use in family.uses))


def _classes(block: Block, program: Program) -> dict[str, int]:
    """The classes of modules anywhere inside a block, and how deep: 1 for those right below it."""
    depth = sum(1 for _ in filter(None, block.frame.path.split(".")))
    found: dict[str, int] = {}
    for index in block.calls():
        for frame in program.calls[index].source.frames:
            below = frame.path.count(".") + 1 - depth
            if below > 0 and not frame.op and frame.cls not in CONTAINERS and frame.cls.isidentifier():
                found[frame.cls] = min(below, found.get(frame.cls, below))
    return found


def _children(block: Block, program: Program) -> dict[str, int]:
    """The names of submodules right below a block."""
    path = block.frame.path
    below = (program.calls[index].source.path[len(path) :] for index in block.calls())
    names = (p.lstrip(".").split(".")[0] for p in below if p)
    return {name: 1 for name in names if name.isidentifier()}
