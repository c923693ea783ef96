"""What functions are called: after their class, and where a class needs several, what tells them apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from codegen.fold.blocks import Block, is_sequence
from codegen.fold.families import Family
from codegen.identifiers import identifier
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
CONTAINERS = frozenset(["Sequential", "ModuleList", "ModuleDict"])


@dataclass(frozen=True)
class FunctionName:
    """The name of a family's function, and the trait that tells it from others of its class ('' for none)."""

    name: str
    trait: str


def snake(cls: str) -> str:
    """A class's name as a function's: BasicBlock is basic_block, ViTLayer vit_layer, ConvBN conv_bn."""
    after_lower = r"(?<=[a-z])(?=[A-Z](?:[a-z\d]|$)|[A-Z]{2,}(?![a-z]))"
    before_word = r"(?<=[A-Z\d])(?=[A-Z][a-z])"
    return re.sub(f"{after_lower}|{before_word}", "_", cls).lower()


def plain(cls: str) -> str:
    """A class or function of torch by letters alone: GroupNorm and group_norm are one."""
    return cls.replace("_", "").lower()


def names_of(families: Sequence[Family], program: Program, reserved: Collection[str]) -> list[FunctionName]:
    """A name for each family, none of which is `reserved`; given in the order in which the net calls them."""
    taken = set(reserved)
    found: dict[Family, FunctionName] = {}
    for family in sorted(families, key=lambda f: min(min(use.block.calls()) for use in f.uses)):
        stem = _stem(family, program)
        others = [f for f in families if f is not family and _stem(f, program) == stem]
        trait = _trait(family, others, program) if others else ""
        base = identifier(stem)
        name = identifier("_".join([base, *([trait.lower()] if trait else [])]))
        number = 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name)
        found[family] = FunctionName(name, trait)
    return [found[family] for family in families]


def held_classes(block: Block, program: Program) -> list[str]:
    """The classes that a Sequential holds, in order, of those alike one after another one."""
    frames = [program.calls[index].source.frames for index in block.calls()]
    depth = next(i for i, frame in enumerate(frames[0]) if frame == block.frame) + 1
    held = [own[depth].cls for own in frames if len(own) > depth]
    return [cls for cls, before in zip(held, ["", *held], strict=False) if cls != before]


def _stem(family: Family, program: Program) -> str:
    """What a function is called after: its class, or of a Sequential what it holds."""
    frame = family.block.frame
    if not is_sequence(frame):
        return snake(frame.cls)
    held = held_classes(family.block, program)
    plainly = (re.sub(r"[A-Z][A-Za-z]?LU", lambda m: m.group().capitalize(), cls) for cls in held)
    words = [SHORT.get(word, word) for word in (snake(re.sub(r"\dd$", "", cls)) for cls in plainly)]
    if len(words) <= MOST_WORDS:
        return "_".join(words)
    place = frame.path.rpartition(".")[2]
    return "sequence" if place[:1].isdigit() else snake(place)


def _trait(family: Family, others: Sequence[Family], program: Program) -> str:
    """A class, an op or a submodule that this family has and others of its class have not.

    The plainest family has none.
    """
    parts_of: Callable[[Family, Program], frozenset[str]]
    for parts_of in (_classes, _children):
        own, rest = parts_of(family, program), [parts_of(other, program) for other in others]
        if all(own < other for other in rest):
            return ""
        rare = Counter(part for other in rest for part in other)
        traits = [part for part in own if rare[part] < len(rest) and part.isidentifier()]
        if traits:
            return min(traits, key=lambda part: (rare[part], len(part), part))
    return ""


def _classes(family: Family, program: Program) -> frozenset[str]:
    """The classes of modules, and ops of torch, anywhere inside a family's base."""
    path = family.block.frame.path
    depth = path.count(".") + bool(path)
    frames = [
        frame
        for index in family.block.calls()
        for frame in program.calls[index].source.frames
        if frame.path.count(".") + 1 > depth
    ]
    return frozenset(f.cls for f in frames if f.cls not in CONTAINERS and f.path != path)


def _children(family: Family, program: Program) -> frozenset[str]:
    """The names of submodules right below a family's base."""
    path = family.block.frame.path
    below = (program.calls[index].source.path[len(path) :] for index in family.block.calls())
    return frozenset(p.lstrip(".").split(".")[0] for p in below if p)
