"""The bodies of functions: statements, with arguments for what differs, parts under flags, and loops."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from codegen.defects import Defect, of_kind, present
from codegen.fold.arguments import Arguments
from codegen.fold.attributes import known_of, truths
from codegen.fold.blocks import Block, Structure, is_sequence
from codegen.fold.choices import call_of_choice
from codegen.fold.entries import Choice, Entry, Run, forward_arguments
from codegen.fold.families import Family, flags, stretches
from codegen.fold.function_names import FunctionName, held_classes
from codegen.fold.loops import link, with_loops
from codegen.fold.rows import Literal
from codegen.fold.shared import FEWEST, is_shareable, path_of
from codegen.fold.slots import filled, slots
from codegen.fold.told import defaults_of, names_in, without_told
from codegen.fold.turns import Body, with_turns
from codegen.folded import (
    LIST,
    CallItem,
    Function,
    Given,
    GuardItem,
    Item,
    LoopItem,
    Many,
    OpItem,
    Params,
    VariableItem,
)
from codegen.identifiers import readable
from codegen.program import Leaf, Operand, Out, Variable

# The last words of Variables' names.
SUFFIXES = frozenset(["weight", "bias", "gamma", "beta", "moving", "mean", "var", ""])


@dataclass(frozen=True)
class Called:
    """How the call of a block is written: the function, and the arguments that this use gives it.

    The inputs at `places` are read from a container, where their names begin with `shared`.
    """

    function: str
    arguments: tuple[tuple[str, Any], ...]
    shared: str = ""
    places: frozenset[int] = frozenset()
    defaults: tuple[tuple[str, Any], ...] = ()


def body_of(
    structure: Structure, listed: Sequence[Entry], called: Mapping[Block, Called]
) -> tuple[Item, ...]:
    """Statements as they stand, with literal values, and loops; `called` are the blocks that are calls."""
    params = main_params(structure, listed, called)
    items = _without(flat_body(structure, listed, called), params)
    return tuple(_with_loops(structure, structure.root, items, params))


def main_params(
    structure: Structure, listed: Sequence[Entry], called: Mapping[Block, Called]
) -> Params | None:
    """What the net's own function reads from a container: all that functions do, and all that is shared."""
    needed = {leaf.name for entry in listed for leaf in _shared_leaves(entry, called)}
    shared = {
        name
        for name, variable in structure.variables.items()
        if is_shareable(variable)
        and structure.owners.get(name) is structure.root
        and len(structure.users.get(Leaf(name), ())) > 1
    }
    return Params(frozenset(needed | shared), "", False) if needed or len(shared) >= FEWEST else None


def _shared_leaves(entry: Entry, called: Mapping[Block, Called]) -> Iterator[Leaf]:
    """The Variables that a statement's calls read from a container."""
    for call in entry.calls():
        if isinstance(call.source, Block):
            for place in called[call.source].places:
                yield of_kind(call.reads[place][1], Leaf)


def _without(items: Sequence[Item], params: Params | None) -> list[Item]:
    """Items without the Variables that a container makes."""
    names = params.names if params is not None else frozenset()
    return [i for i in items if not (isinstance(i, VariableItem) and i.variable.name in names)]


def flat_body(structure: Structure, listed: Sequence[Entry], called: Mapping[Block, Called]) -> list[Item]:
    """Statements as they stand, without loops."""
    return [item_of(structure, entry, called) for entry in listed]


def function_of(
    structure: Structure,
    family: Family,
    name: FunctionName,
    called: Mapping[Block, Called],
    places: frozenset[int],
) -> tuple[Function, dict[Block, Called]]:
    """The function of a family, and how its uses call it; it reads inputs at `places` from a container."""
    base, block = family.base, family.block
    named = flags(family, structure.program, truths(family))
    table = Arguments(
        [(flag, tuple(i not in lacking for i in range(len(family.uses)))) for lacking, flag in named.items()],
        known_of(structure, family),
    )
    rows = [_rows(structure, family, place, table, called) for place in range(len(base.entries))]
    chosen, arguments = table.settled()
    telling = _telling_inputs(family, named, chosen.values(), places)
    arguments = [(n, values) for n, values in arguments if n not in {named[own] for own in telling}]
    named, arguments = without_told(named, arguments, chosen.values())
    defaults = defaults_of(arguments)
    items = [
        [
            filled(item, [(slot, chosen[p] if isinstance(p, int) else p.value) for slot, p in row])
            for item, row in own
        ]
        for own in rows
    ]
    tests = {lacking: (flag, telling.get(lacking)) for lacking, flag in named.items()}
    params = _params_of(family, called, places)
    numbers = [n for n in range(len(base.inputs)) if n not in places]
    inputs = tuple(given for n in numbers if (given := base.inputs[n]) is not None)
    function = Function(
        name.name,
        replace(block.frame, cls=family.cls),
        inputs,
        _input_names(structure, block, inputs, {argument for argument, _ in arguments}),
        frozenset(i for i, n in enumerate(numbers) if any(use.inputs[n] is None for use in family.uses)),
        tuple(arguments),
        tuple(_with_parts(structure, family, [_without(own, params) for own in items], tests, params)),
        base.outputs,
        block.prefix,
        name.trait,
        tuple(held_classes(family, structure.program)) if is_sequence(block.frame) else (),
        params,
        defaults,
    )
    calls = {
        use.block: Called(
            name.name,
            tuple((argument, values[number]) for argument, values in arguments),
            path_of(use.block) if places else "",
            places,
            defaults,
        )
        for number, use in enumerate(family.uses)
    }
    return function, calls


def _telling_inputs(
    family: Family, named: Mapping[frozenset[int], str], written: Iterable[Any], places: Collection[int]
) -> dict[frozenset[int], Operand]:
    """The parts, by the uses that lack them, that an input tells: these uses are not given it."""
    used = set(names_in(written))
    found: dict[frozenset[int], Operand] = {}
    for lacking, flag in named.items():
        for place, given in enumerate(family.base.inputs):
            without = frozenset(n for n, use in enumerate(family.uses) if use.inputs[place] is None)
            if (
                without == lacking
                and place not in places
                and flag not in used
                and isinstance(given, Out | Leaf)
            ):
                found.setdefault(lacking, given)
    return found


def _params_of(family: Family, called: Mapping[Block, Called], places: frozenset[int]) -> Params | None:
    """What a function reads from a container that it is given; or from its own, for calls that need one."""
    if places:
        given = frozenset(of_kind(family.base.inputs[place], Leaf).name for place in places)
        return Params(given, path_of(family.block), True)
    entries = [entry for entry in family.base.entries if entry is not None]
    made = frozenset(leaf.name for entry in entries for leaf in _shared_leaves(entry, called))
    return Params(made, family.block.prefix, False) if made else None


def _with_loops(
    structure: Structure, block: Block, items: Sequence[Item], params: Params | None
) -> list[Item]:
    """Statements of a block's function, those that come again and again in loops."""
    names = params.names if params is not None else frozenset()
    body = Body(structure.program, structure.users, block.frame, names)
    return with_turns(body, with_loops(items, structure.users))


def item_of(structure: Structure, entry: Entry, called: Mapping[Block, Called]) -> Item:
    """The item of an entry, with literal values everywhere."""
    source = entry.source
    if isinstance(source, Variable):
        return VariableItem(source, None if source.inferred and source.trained else source.shape)
    if isinstance(source, int):
        call = structure.program.calls[source]
        return OpItem(call, source, call.attrs, structure.automatic[source])
    if isinstance(source, Choice):
        return call_of_choice(entry, source)
    source = of_kind(source, Block)
    span = (min(source.calls()), max(source.calls()))
    last = structure.program.calls[span[1]]
    return CallItem(
        called[source].function,
        source.frame,
        tuple(given for n, (_, given) in enumerate(entry.reads) if n not in called[source].places),
        entry.makes,
        called[source].arguments,
        source.prefix,
        last.source.target if source.frame.op else source.frame.target,
        span,
        called[source].shared,
        called[source].defaults,
    )


def _rows(
    structure: Structure, family: Family, place: int, table: Arguments, called: Mapping[Block, Called]
) -> list[tuple[Item, list[tuple[str, Literal | int]]]]:
    """The items of an entry of the base: of a run that all uses have as long, one for each block in it."""
    listed = [use.entries[place] for use in family.uses]
    if len({len(own.calls()) for own in listed if own is not None}) > 1:
        return [_row(table, [None if own is None else _run(structure, own, called) for own in listed])]
    inner = [None if own is None else own.calls() for own in listed]
    number = max(len(own) for own in inner if own is not None)
    return [
        _row(table, [None if own is None else item_of(structure, own[n], called) for own in inner])
        for n in range(number)
    ]


def _run(structure: Structure, entry: Entry, called: Mapping[Block, Called]) -> LoopItem:
    """The loop of a run, whose number of turns is an argument."""
    run = of_kind(entry.source, Run)
    calls = tuple(of_kind(item_of(structure, own, called), CallItem) for own in run.calls)
    links = [link(one, other) for one, other in pairwise(calls)]
    prefix = calls[0].path.removesuffix(str(run.start))
    stop = run.start + len(calls)
    return LoopItem(
        calls, present(links[0]) if links else (), prefix, run.start, "", (), calls[0].args, stop=stop
    )


def _row(table: Arguments, together: Sequence[Item | None]) -> tuple[Item, list[tuple[str, Literal | int]]]:
    """An item of the base, and for each of its values a literal, or its number in the table."""
    first = together[0]
    if first is None:
        raise Defect("the base lacks a part")
    handed_on = isinstance(first, CallItem | LoopItem)
    return first, [
        (slot, table.place(slot, values, hint, handed_on)) for slot, values, hint in slots(together)
    ]


def _with_parts(
    structure: Structure,
    family: Family,
    items: Sequence[Sequence[Item]],
    tests: Mapping[frozenset[int], tuple[str, Operand | None]],
    params: Params | None,
) -> list[Item]:
    """The items of a body, with the parts that some uses do not have under their flags."""
    merges = dict(merge for use in family.uses for merge in use.merges)
    result: list[Item] = []
    always: list[Item] = []
    for stretch in stretches(family):
        own = [item for listed in items[stretch.start : stretch.end] for item in listed]
        if not stretch.lacking:
            always += own
            continue
        result += _with_loops(structure, family.block, always, params)
        always = []
        made = [o for e in family.base.entries[stretch.start : stretch.end] if e for o in e.makes]
        inner = tuple(with_loops(own, structure.users))
        merged = tuple((o, merges[o]) for o in made if o in merges)
        flag, given = tests[stretch.lacking]
        result.append(GuardItem(flag, inner, merged, given=given))
    return result + _with_loops(structure, family.block, always, params)


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
