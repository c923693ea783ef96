"""The author's loops: a body of several statements, lists that it appends to, and what a turn hands on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from codegen.folded import (
    LIST,
    Among,
    CallItem,
    Carried,
    Collected,
    Item,
    OpItem,
    RepeatItem,
)
from codegen.items import given_inside, makes
from codegen.program import Leaf, Operand, Out
from codegen.write.captions import Captioned, with_captions, without_blank
from codegen.write.literals import value_of
from codegen.write.liveness import item_length, numbered_items
from codegen.write.scope import Scope
from codegen.write.variables import Variables
from codegen.write.wishes import authors_variable, last_word, own_target, variable_inside
from codegen.written import Append, Assign, ListOf, Loop, Statement, Value

# Writes one item, which has a number; None where it stands inside of the next one's statement.
Write: TypeAlias = Callable[[Item, int], Captioned | None]


def repeat(scope: Scope, variables: Variables, index: int, item: RepeatItem, write: Write) -> Captioned:
    """A loop, with what stands above it; its item has number `index`, and `write` writes those inside."""
    above = list(_lists(scope, variables, index, item))
    around = variables.take_part()
    targets, begun = _carried(scope, variables, index, item)
    names, rows = _columns(variables, item)
    made = [
        _appending(variables, item, inner, number, own)
        for number, inner in numbered_items(item, index + 1)
        if (own := write(inner, number)) is not None
    ]
    section, made = _one_section(made)
    body = [*without_blank(with_captions(made)), *_handed_on(variables, targets)]
    variables.take_part(around)
    holders = [(last, variables.holder(first)) for first, last in item.finals]
    variables.forget(operand for inner in item.items for operand in makes(inner))
    variables.forget(own.begins for own in item.collected if own.begins is not None)
    for last, holder in holders:
        variables.keep(last, holder, index + item_length(item) - 1)
    stop = value_of(item.start + item.count)
    loop = Loop(item.start, stop, names, rows, tuple(body), item.counter)
    return Captioned((*above, *begun, loop), section)


def _one_section(made: Sequence[Captioned]) -> tuple[str | None, list[Captioned]]:
    """(the section that a whole loop is a part of, its statements): None where they are of several."""
    sections = {own.section for own in made} - {None}
    if len(sections) != 1:
        return None, list(made)
    return sections.pop(), [replace(own, section=None) for own in made]


def _lists(scope: Scope, variables: Variables, index: int, item: RepeatItem) -> Iterator[Statement]:
    """The lists that a loop appends to, which are made before the outermost that does."""
    for own in item.collected:
        if not variables.is_collected(own.each):
            begin = ListOf(variables.reads([] if own.begins is None else [own.begins]))
            name = variables.hold_list(own.all_items, _list_name(scope, item, own), index)
            variables.collect(own.each, name)
            yield Assign((name,), begin)


def _list_name(scope: Scope, item: RepeatItem, own: Collected) -> str:
    """What the author calls the list: `ys` in `ys.append(y)` and in `ys = [...]`."""
    maker = next(inner for inner in item.items if own.each in makes(inner))
    if isinstance(maker, RepeatItem):
        inside = next(inner for inner in maker.collected if inner.each == own.each)
        return _list_name(scope, maker, inside)
    text = maker.call.source.text if isinstance(maker, OpItem) else ""
    found = re.match(r"(\w+)(?:\.append\(| = \[)", text)
    return found[1] if found else LIST


def _appending(
    variables: Variables, item: RepeatItem, inner: Item, number: int, made: Captioned
) -> Captioned:
    """A statement, with those that append what it makes to lists; itself, where nothing else reads that."""
    for own in item.collected:
        if own.inner or own.each not in makes(inner):
            continue
        name, last = variables.is_collected(own.each), made.statements[-1]
        carried = any(own.each == operand for _, operand in item.carried)
        alone = isinstance(inner, OpItem | CallItem) and len(list(makes(inner))) == 1
        if alone and isinstance(last, Assign) and not carried and variables.last_use(own.each, 0) <= number:
            return replace(made, statements=(*made.statements[:-1], Append(name, last.value)))
        read = variables.read(own.each)
        made = replace(made, statements=(*made.statements, Append(name, read)))
    return made


def _carried(
    scope: Scope, variables: Variables, index: int, item: RepeatItem
) -> tuple[list[tuple[Operand, str]], list[Statement]]:
    """(what each turn makes for the next, with the variable that hands it on; what these begin with).

    Where what the first turn is given is read by nothing else, its own variable hands on.
    """
    end = index + item_length(item) - 1
    targets: list[tuple[Operand, str]] = []
    begun: list[Statement] = []
    for given, made in item.carried:
        number, maker = next(own for own in numbered_items(item, index + 1) if made in makes(own[1]))
        target = variables.holder(given)
        alone = [begin for begin, _ in item.carried].count(given) == 1 and not any(
            given in given_inside(inner) for inner in item.items
        )
        if not target or not alone or variables.last_use(given, -1) > end:
            read = variables.read(given)
            target = variables.assign(index, Carried(made), [_wish(scope, maker, made), "x", "y"])
            begun.append(Assign((target,), read))
        variables.keep(Carried(made), target, index)
        last_read = variables.last_use(Carried(made), -1)
        variables.merge(made, target, index, end, (last_read, number))
        targets.append((made, target))
    return targets, begun


def _wish(scope: Scope, maker: Item, made: Operand) -> str:
    """The author's variable for what a turn makes."""
    if isinstance(maker, OpItem):
        return authors_variable(scope, own_target(scope, maker.call), maker.index, None)
    if isinstance(maker, CallItem):
        if len(maker.outputs) > 1:
            return variable_inside(scope.program, made) or _word_inside(scope, maker, made)
        return authors_variable(scope, maker.target, maker.span[1], maker.frame)
    return ""


def _word_inside(scope: Scope, maker: CallItem, made: Operand) -> str:
    """What a module calls one of its results: `state`; itself, where it has no name for it."""
    call = scope.program.calls[made.call] if isinstance(made, Out) else None
    name = call.name if call is not None else ""
    below = name[len(maker.frame.prefix) :].strip("_")
    return last_word(below) if below else last_word(maker.path)


def _handed_on(variables: Variables, targets: Sequence[tuple[Operand, str]]) -> Iterator[Statement]:
    """What the next turn is given, where another variable holds it."""
    for made, target in targets:
        if variables.holder(made) != target:
            yield Assign((target,), variables.read(made))
            variables.keep(made, target, variables.last_use(made, 0))


def _columns(variables: Variables, item: RepeatItem) -> tuple[tuple[str, ...], tuple[Value, ...]]:
    """What a turn takes beside the counter: (the names, the values of each turn)."""
    columns: list[tuple[str, list[Any]]] = []
    for name, values in item.columns:
        if not isinstance(values[0], Out | Leaf):
            columns.append((name, list(values)))
        elif not variables.among(Among(values, name), item.counter, item.start):
            columns.append((name, [variables.read(operand) for operand in values]))
    names = tuple(name for name, _ in columns)
    rows = zip(*(values for _, values in columns), strict=True)
    return names, tuple(value_of(row[0] if len(names) == 1 else tuple(row)) for row in rows)
