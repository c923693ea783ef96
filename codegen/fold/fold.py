"""Folding: the flat program becomes functions and loops, along the hierarchy of the source.

Given a Program, the result is a Module: one Function for each structure of submodule that is used more
than once, with what differs between its uses as arguments, and a main body. Equality is decided on the
program (ops, dataflow, names relative to the module's path), never on text. Run, the folded code gives
the very symbol that the flat program gives.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from codegen.fold.blocks import Block, Structure, is_sequence, kind_of, structure_of
from codegen.fold.bodies import Called, body_of, flat_body, function_of, item_of, main_params
from codegen.fold.choices import (
    FUNCTION,
    activations,
    chosen,
    function_of_choices,
)
from codegen.fold.entries import Interface, Use, entries, interfaces
from codegen.fold.families import Family, deserves_name, is_class_of_few_arguments, parts
from codegen.fold.function_names import names_of, plain
from codegen.fold.grouping import CLOSEST, Ways, grouped
from codegen.fold.order import in_order
from codegen.fold.sections import FEWEST_STATEMENTS, MOST_VALUES, sections_of
from codegen.fold.shared import sharing
from codegen.folded import Function, Module
from codegen.program import Program

# Classes that hold each other have no common level: their blocks are then matched where they stand.
MAX_DEPTH = 60
# Of more, a function is no help to its reader.
MOST_PARAMETERS = 8


def fold(program: Program, main: str, reserved: Sequence[str] = (), in_sections: bool = False) -> Module:
    """Fold a program; `main` is the name of its main function, of which stages may become functions too.

    A class that would become one function of too many parameters becomes several that differ in their parts.
    """
    structure = structure_of(program, sections_of(program) if in_sections else frozenset())
    taken = {main, *reserved}
    known = {} if FUNCTION in taken else activations(structure)
    ways = Ways(structure, interfaces(structure), known, {})
    while True:
        module, families = _folded(ways, taken)
        large = {f.name for f in module.functions if len(f.inputs) + len(f.arguments) > MOST_PARAMETERS}
        classes = {plain(kind_of(f.block.frame)) for f, name in families if name in large and _is_joined(f)}
        likeness = {cls: ways.likeness_of(cls) + 1 for cls in classes}
        if all(own > CLOSEST for own in likeness.values()):
            return module
        ways = replace(ways, likeness={**ways.likeness, **likeness})


def _is_joined(family: Family) -> bool:
    """Whether uses of a family differ in more than numbers."""
    return bool(parts(family) or chosen([family]))


def _folded(ways: Ways, taken: Collection[str]) -> tuple[Module, list[tuple[Family, str]]]:
    """The folded program, and the families with the names of their functions."""
    structure, program = ways.structure, ways.structure.program
    families, uses = _chosen(ways)
    choices = chosen(families)
    names = names_of(families, program, {*taken, *([FUNCTION] if choices else [])})
    called: dict[Block, Called] = {}
    shared = sharing(structure, families, uses)
    functions: list[Function] = []
    for family, name in zip(families, names, strict=True):
        places = shared.places.get(family.block, frozenset())
        function, calls = function_of(structure, family, name, called, places)
        functions.append(function)
        called |= calls
    if choices:
        made = function_of_choices(structure, choices, lambda entry: item_of(structure, entry, called))
        functions = in_order([*functions, made])
    listed = entries(structure, structure.root, uses=uses)
    body = body_of(structure, listed, called)
    module = Module(tuple(functions), body, main_params(structure, listed, called))
    return module, [(family, name.name) for family, name in zip(families, names, strict=True)]


def unfolded(program: Program) -> Module:
    """The program as one flat body."""
    structure = structure_of(program)
    return Module((), tuple(flat_body(structure, entries(structure, structure.root), {})))


def _chosen(ways: Ways) -> tuple[list[Family], dict[Block, Use]]:
    """The families that become functions, inner ones first, and the use that each of their blocks is."""
    inline: set[Block] = set()
    while True:
        families, uses = _families(ways, inline)
        losers = _losers(ways.structure, families, uses)
        if not losers:
            return families, uses
        inline |= {use.block for family in losers for use in family.uses}


def _families(ways: Ways, inline: Collection[Block]) -> tuple[list[Family], dict[Block, Use]]:
    """All families, inner ones first, of the blocks that are not to be inlined."""
    uses: dict[Block, Use] = {}
    levels = _levels(ways.structure, ways.seen, inline)
    found: list[Family] = []
    for level in sorted(levels):
        by_class: dict[str, list[Block]] = {}
        for block in levels[level]:
            by_class.setdefault(plain(kind_of(block.frame)), []).append(block)
        for cls, blocks in by_class.items():
            families = grouped(ways, cls, blocks, uses)
            uses |= {use.block: use for family in families for use in family.uses}
            found += families
    return found, uses


def _levels(
    structure: Structure, seen: Mapping[Block, Interface], inline: Collection[Block]
) -> dict[int, list[Block]]:
    """The blocks that are not inlined, by how deep they nest.

    Those of one class have one level, where none of them stands in another.
    """
    blocks = list(structure.root.blocks())
    kinds = {block: kind_of(block.frame) for block in blocks}
    nested = {kinds[inner] for b in blocks for inner in b.blocks() if kinds[inner] == kinds[b]}
    floor: dict[str, int] = {}
    while True:
        levels: dict[int, list[Block]] = {}
        for child in structure.root.children:
            if isinstance(child, Block):
                _place(child, seen, inline, floor, levels)
        higher = {kinds[b]: level for level in sorted(levels) for b in levels[level]}
        higher = {cls: level for cls, level in higher.items() if cls not in nested}
        if higher == floor or max(levels, default=0) > MAX_DEPTH:
            return levels
        floor = higher


def _place(
    block: Block,
    seen: Mapping[Block, Interface],
    inline: Collection[Block],
    floor: Mapping[str, int],
    levels: dict[int, list[Block]],
) -> int:
    """Put a block and those inside on their levels; its own level."""
    inner = [_place(c, seen, inline, floor, levels) for c in block.children if isinstance(c, Block)]
    level = max(inner, default=0)
    if block in inline or not seen[block].outputs:
        return level
    level = max(level + 1, floor.get(kind_of(block.frame), 0))
    levels.setdefault(level, []).append(block)
    return level


def _losers(structure: Structure, families: Sequence[Family], uses: Mapping[Block, Use]) -> list[Family]:
    """The families that save no statements as functions: they are written where they stand."""
    alone = [f for f in families if len(f.uses) == 1]
    stages = [f for f in alone if (f.block.frame.path, f.block.frame.call) in structure.sections]
    # How large a stage is, is seen when all inside is written out that is no function.
    losers = [f for f in alone if f not in stages] or [f for f in stages if not _is_section(f)]
    if losers:
        return losers
    sections = set(stages)
    sites = _sites(structure, families, uses)
    named = sections | {f for f in families if deserves_name(f, structure.program)}
    once = [f for f in families if len(sites[f.block]) < 2 and f not in named]
    if once:
        return once
    losing = [f for f in families if f not in named and _gain(f, sites[f.block]) < _least_gain(f, structure)]
    # The largest first, of those alike the outer: what stands inside gets another place when it is inlined.
    return [max(reversed(losing), key=lambda f: len(list(f.block.calls())))] if losing else []


def _is_section(family: Family) -> bool:
    """Whether a stage of the net's is large enough for a function, takes and gives little."""
    base = family.base
    few = len(base.inputs) <= MOST_VALUES and len(base.outputs) <= MOST_VALUES
    return few and len(base.entries) >= FEWEST_STATEMENTS


def _sites(
    structure: Structure, families: Sequence[Family], uses: Mapping[Block, Use]
) -> dict[Block, list[int]]:
    """For the base of each family, where its function is called: the statements that each call stands for."""
    sites: dict[Block, list[int]] = {family.block: [] for family in families}
    bodies = [entries(structure, structure.root, uses=uses), *(f.base.entries for f in families)]
    for body in bodies:
        for entry in body:
            for block in entry.blocks() if entry is not None else ():
                sites[uses[block].base].append(sum(own is not None for own in uses[block].entries))
    return sites


def _gain(family: Family, sites: Sequence[int]) -> int:
    """The statements that a function saves: those that its calls stand for, less its own and the calls."""
    # The last statement returns, where there is one result.
    head = 1 + (len(family.base.outputs) > 1 or not is_sequence(family.block.frame))
    return sum(sites) - (len(family.base.entries) + len(parts(family)) + head + len(sites))


def _least_gain(family: Family, structure: Structure) -> int:
    return -2 if is_class_of_few_arguments(family, structure.program) else 1
