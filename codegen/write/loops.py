"""Loops over calls of one function."""

from __future__ import annotations

from codegen.defects import Defect, of_kind
from codegen.folded import LIST, Counted, LoopItem, Many
from codegen.turn import Turn
from codegen.write.captions import Captioned, section_around
from codegen.write.expressions import function_call, given_of, parts_of, relative_name, shared_start
from codegen.write.literals import value_of
from codegen.write.scope import Scope
from codegen.write.variables import Variables
from codegen.written import Append, Assign, Call, ListOf, Loop, Name, Read, Statement, Value


def loop(scope: Scope, variables: Variables, index: int, item: LoopItem) -> Captioned:
    """A loop that gives a call what the one before returned, or appends it to the list that all are given."""
    section = section_around(scope, item.calls[0])
    if item.listed is not None:
        return Captioned(_appending(scope, variables, index, item, item.listed), section)
    given = [given_of(scope, variables, o) for o in item.calls[0].inputs]
    above, targets = _carried(variables, index, item, given)
    body = Assign(tuple(targets[n] for n in sorted(targets)), _call(scope, item, tuple(given)))
    return Captioned((_loop(item, body),), section, above=tuple(above))


def _carried(
    variables: Variables, index: int, item: LoopItem, given: list[Read | ListOf | Value]
) -> tuple[list[Statement], dict[int, str]]:
    """The variables that each turn gives another value, by the number of the result.

    Where what the loop begins with is read later, a variable is made of it first, then put into `given`.
    """
    first = item.calls[0]
    above: list[Statement] = []
    targets: dict[int, str] = {}
    for place, number in item.carried:
        operand = first.inputs[place]
        if operand is None or isinstance(operand, Many):
            raise Defect(f"a loop carries {operand}, which is no value")
        target = variables.holder(operand)
        if target and variables.last_use(operand, -1) == index:
            variables.keep(item.outputs[number], target, index)
        else:
            target = variables.assign(index, item.outputs[number], [first.target, "x", "y"])
            above.append(Assign((target,), given[place]))
            given[place] = Read(target)
        targets[number] = target
    return above, targets


def _appending(
    scope: Scope, variables: Variables, index: int, item: LoopItem, place: int
) -> tuple[Statement, ...]:
    first = item.calls[0]
    given = [given_of(scope, variables, o) for o in first.inputs]
    features = first.inputs[place]
    features = of_kind(features, Many)
    begin = ListOf(variables.reads(features.items))
    name = variables.hold_list((*features.items, *item.outputs), LIST, index)
    given[place] = Read(name)
    return (Assign((name,), begin), _loop(item, Append(name, _call(scope, item, tuple(given)))))


def _call(scope: Scope, item: LoopItem, given: tuple[Read | ListOf | Value, ...]) -> Call:
    varying = {name for name, _ in item.varying}
    arguments = tuple((k, Turn(k) if k in varying else v) for k, v in item.args)
    before, after = relative_name(scope, item.prefix), parts_of(item.suffix)
    name = Name((*before.parts, Turn(item.counter), *after), before.relative)
    first = item.calls[0]
    return function_call(first, given, arguments, name, shared_start(scope, _counted(item, first.shared)))


def _counted(item: LoopItem, shared: str) -> str:
    """What the names of shared Variables begin with, by turns: a call's own ends with its number."""
    if not shared:
        return ""
    return Counted(f"{shared.removesuffix(str(item.start))}{{{item.counter}}}")


def _loop(item: LoopItem, body: Statement) -> Loop:
    names = tuple(name for name, _ in item.varying)
    rows = zip(*(values for _, values in item.varying), strict=True)
    values = tuple(value_of(row[0] if len(names) == 1 else tuple(row)) for row in rows)
    stop = value_of(item.start + len(item.calls) if item.stop is None else item.stop)
    return Loop(item.start, stop, names, values, (body,), item.counter)
