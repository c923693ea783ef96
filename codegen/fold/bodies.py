"""The bodies of functions: statements, with arguments for what differs, parts under flags, and loops."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codegen.defects import Defect
from codegen.fold.arguments import Arguments, Literal, filled, slots
from codegen.fold.blocks import Block, Structure, is_sequence
from codegen.fold.entries import Entry, forward_arguments
from codegen.fold.families import Family, flags, stretches
from codegen.fold.function_names import FunctionName, held_classes
from codegen.fold.loops import with_loops
from codegen.folded import LIST, CallItem, Function, Given, GuardItem, Item, Many, OpItem, VariableItem
from codegen.identifiers import readable
from codegen.program import Leaf, Variable

# The last words of Variables' names.
SUFFIXES = frozenset(["weight", "bias", "gamma", "beta", "moving", "mean", "var", ""])


@dataclass(frozen=True)
class Called:
    """How the call of a block is written: the function, and the arguments that this use gives it."""

    function: str
    arguments: tuple[tuple[str, Any], ...]


def body_of(
    structure: Structure, listed: Sequence[Entry], called: Mapping[Block, Called]
) -> tuple[Item, ...]:
    """Statements as they stand, with literal values, and loops; `called` are the blocks that are calls."""
    items = [_item(structure, entry, called) for entry in listed]
    return tuple(with_loops(items, structure.users) if called else items)


def function_of(
    structure: Structure, family: Family, name: FunctionName, called: Mapping[Block, Called]
) -> tuple[Function, dict[Block, Called]]:
    """The function of a family, and how each of its uses calls it."""
    base, block = family.base, family.block
    named = flags(family, structure.program)
    table = Arguments(
        [(flag, tuple(i not in lacking for i in range(len(family.uses)))) for lacking, flag in named.items()]
    )
    rows = [_row(structure, family, place, table, called) for place in range(len(base.entries))]
    chosen, arguments = table.settled()
    items = [
        filled(item, [(slot, chosen[p] if isinstance(p, int) else p.value) for slot, p in row])
        for item, row in rows
    ]
    inputs = tuple(given for given in base.inputs if given is not None)
    function = Function(
        name.name,
        block.frame,
        inputs,
        _input_names(structure, block, inputs, {argument for argument, _ in arguments}),
        frozenset(i for i in range(len(inputs)) if any(use.inputs[i] is None for use in family.uses)),
        tuple(arguments),
        tuple(_with_parts(structure, family, items, named)),
        base.outputs,
        block.prefix,
        name.trait,
        tuple(held_classes(block, structure.program)) if is_sequence(block.frame) else (),
    )
    calls = {
        use.block: Called(name.name, tuple((argument, values[number]) for argument, values in arguments))
        for number, use in enumerate(family.uses)
    }
    return function, calls


def _item(structure: Structure, entry: Entry, called: Mapping[Block, Called]) -> Item:
    """The item of an entry, with literal values everywhere."""
    source = entry.source
    if isinstance(source, Variable):
        return VariableItem(source, None if source.inferred and source.trained else source.shape)
    if isinstance(source, int):
        call = structure.program.calls[source]
        return OpItem(call, source, call.attrs, structure.automatic[source])
    span = (min(source.calls()), max(source.calls()))
    last = structure.program.calls[span[1]]
    return CallItem(
        called[source].function,
        source.frame,
        tuple(given for _, given in entry.reads),
        entry.makes,
        called[source].arguments,
        source.prefix,
        last.source.target if source.frame.op else source.frame.target,
        span,
    )


def _row(
    structure: Structure, family: Family, place: int, table: Arguments, called: Mapping[Block, Called]
) -> tuple[Item, list[tuple[str, Literal | int]]]:
    """An item of the base, and for each of its values a literal, or its number in the table."""
    together = [
        None if (own := use.entries[place]) is None else _item(structure, own, called) for use in family.uses
    ]
    first = together[0]
    if first is None:
        raise Defect("the base lacks a part")
    handed_on = isinstance(first, CallItem)
    return first, [
        (slot, table.place(slot, values, hint, handed_on)) for slot, values, hint in slots(together)
    ]


def _with_parts(
    structure: Structure, family: Family, items: Sequence[Item], named: Mapping[frozenset[int], str]
) -> list[Item]:
    """The items of a body, with the parts that some uses do not have under their flags."""
    merges = dict(merge for use in family.uses for merge in use.merges)
    result: list[Item] = []
    always: list[Item] = []
    for stretch in stretches(family):
        own = items[stretch.start : stretch.end]
        if not stretch.lacking:
            always += own
            continue
        result += with_loops(always, structure.users)
        always = []
        made = [o for e in family.base.entries[stretch.start : stretch.end] if e for o in e.makes]
        inner = tuple(with_loops(own, structure.users))
        merged = tuple((o, merges[o]) for o in made if o in merges)
        result.append(GuardItem(named[stretch.lacking], inner, merged))
    return result + with_loops(always, structure.users)


def _input_names(
    structure: Structure, block: Block, inputs: Sequence[Given], taken: Collection[str]
) -> tuple[str, ...]:
    """What a function calls its inputs: as the author's forward does, else x, y, or as the Variable."""
    known = forward_arguments(structure, block.frame)
    names: list[str] = []
    for place, given in enumerate(inputs):
        base = "x" if place == 0 else "y"
        if isinstance(given, Many):
            base = known.get(given.items[0], "x")
            base = LIST if base == "x" else base
        elif given in known:
            base = known[given]
        elif place and isinstance(given, Leaf):
            base = readable(_last_words(given.name))
        name, number = base, 1
        while name in names or name in taken:
            number += 1
            name = f"{base}{number}"
        names.append(name)
    return tuple(names)


def _last_words(name: str) -> str:
    """The end of a Variable's name that tells it from others: `query_weight`."""
    words = name.split("_")
    count = 1
    while count < len(words) and (words[-count] in SUFFIXES or words[-count][:1].isdigit()):
        count += 1
    return "_".join(words[-count:])
