"""What a folded program is: what the stages after the fold may rely on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from codegen.defects import Defect, demand, present
from codegen.folded import (
    Argument,
    CallItem,
    Function,
    Item,
    LoopItem,
    Many,
    Module,
    OpItem,
    Params,
    RepeatItem,
    VariableItem,
    each,
    operand_text,
)
from codegen.program import Leaf, Operand, Out


def check(module: Module, outputs: Iterable[Operand]) -> Module:
    """Raise Defect unless the folded program is legal; return it. `outputs` are the net's.

    Legal: functions are defined before they are called, each under a name of its own; a body reads what it is
    given or has made; a call gives its function as many inputs as it takes, None only where that is optional,
    all of its arguments, and knows their defaults; a loop hands on what the call before gave; a flag is an
    argument.
    """
    defined: dict[str, Function] = {}
    for function in module.functions:
        demand(function.name not in defined, f"{function.name} is defined twice")
        names = [*function.input_names, *(name for name, _ in function.arguments)]
        demand(len(function.input_names) == len(function.inputs), f"{function.name} names other inputs")
        demand(len(set(names)) == len(names), f"{function.name} takes two things under one name")
        known = set(each(function.inputs)) | _from_container(function.params)
        _check_items(function.items, known, defined, function)
        for operand in function.outputs:
            demand(
                operand in known, f"{function.name} returns {operand_text(operand)}, which it does not make"
            )
        defined[function.name] = function
    known = _from_container(module.params)
    _check_items(module.items, known, defined, None)
    for operand in outputs:
        demand(operand in known, f"the net returns {operand_text(operand)}, which nothing makes")
    return module


def _from_container(params: Params | None) -> set[Operand]:
    return set() if params is None else {Leaf(name) for name in params.names}


def _check_items(
    items: Iterable[Item], known: set[Operand], defined: Mapping[str, Function], within: Function | None
) -> None:
    """Check statements in order; `known` are the values so far, to which those that they make are added."""
    for item in items:
        if isinstance(item, OpItem):
            _check_read(each(given for _, given in item.inputs), known, item.call.name)
            _check_arguments(item.attrs, within, item.call.name)
            _make((Out(item.index, i) for i in range(item.call.outputs)), known, item.call.name)
        elif isinstance(item, VariableItem):
            _check_arguments((("shape", item.shape),), within, item.variable.name)
            _make((Leaf(item.variable.name),), known, item.variable.name)
        elif isinstance(item, CallItem):
            _check_call(item, known, defined)
            _check_arguments(item.args, within, item.path)
            _make(item.outputs, known, item.path)
        elif isinstance(item, LoopItem):
            _check_loop(item, known, defined)
            known |= set(item.outputs)
        elif isinstance(item, RepeatItem):
            _check_repeat(item, known, defined, within)
        else:
            flags = () if within is None else [name for name, _ in within.arguments]
            demand(item.given is not None or item.flag in flags, f"{item.flag} is no argument")
            _check_read(() if item.given is None else (item.given,), known, "a part")
            _check_read((instead for _, instead in item.merges), known, item.flag)
            if item.returns is None:
                _check_items(item.items, known, defined, within)
            else:
                inside = set(known)
                _check_items(item.items, inside, defined, within)
                _check_read([item.returns], inside, item.flag)


def _check_repeat(
    item: RepeatItem, known: set[Operand], defined: Mapping[str, Function], within: Function | None
) -> None:
    demand(item.count > 1, "a loop of one turn")
    demand(all(len(values) == item.count for _, values in item.columns), "a loop lacks rows")
    _check_read(each(given for given, _ in item.carried), known, "a loop")
    inside = set(known)
    _check_items(item.items, inside, defined, within)
    made = [made for _, made in item.carried] + [first for first, _ in item.finals]
    _check_read([*made, *(own.each for own in item.collected)], inside, "a loop")
    known |= set(item.outputs)


def _make(operands: Iterable[Operand], known: set[Operand], maker: str) -> None:
    for operand in operands:
        demand(operand not in known, f"{maker} makes {operand_text(operand)}, which is made already")
        known.add(operand)


def _check_arguments(values: Iterable[tuple[str, Any]], within: Function | None, user: str) -> None:
    """The Arguments among values are arguments of the function around."""
    known = set() if within is None else {name for name, _ in within.arguments}
    for slot, value in values:
        for part in value if isinstance(value, tuple) else (value,):
            is_known = not isinstance(part, Argument) or known.issuperset(part.names)
            demand(is_known, f"{slot} of {user} is no argument of the function")


def _check_read(operands: Iterable[Operand], known: Collection[Operand], user: str) -> None:
    for operand in operands:
        demand(operand in known, f"{user} reads {operand_text(operand)} before it is made")


def _check_call(item: CallItem, known: Collection[Operand], defined: Mapping[str, Function]) -> None:
    demand(item.function in defined, f"{item.function} is called before it is defined")
    function = defined[item.function]
    demand(len(item.inputs) == len(function.inputs), f"{item.path} gives {len(item.inputs)} inputs")
    for place, (given, taken) in enumerate(zip(item.inputs, function.inputs, strict=True)):
        if given is None and place not in function.optional:
            raise Defect(f"{item.path} lacks input {place}")
        is_list = isinstance(given, Many)
        if given is not None and is_list != isinstance(taken, Many):
            raise Defect(f"{item.path} takes another kind of input")
    demand(len(item.outputs) == len(function.outputs), f"{item.path} gives {len(item.outputs)} outputs")
    names = [name for name, _ in item.args]
    demand(names == [name for name, _ in function.arguments], f"{item.path} has other arguments: {names}")
    demand(item.defaults == function.defaults, f"{item.path} leaves out other arguments: {item.defaults}")
    _check_read(each(item.inputs), known, item.path)


def _check_loop(item: LoopItem, known: Collection[Operand], defined: Mapping[str, Function]) -> None:
    demand(len({call.function for call in item.calls}) == 1, "a loop calls several functions")
    demand(len(item.calls) > 1, "a loop of one call")
    made = set(known)
    for before, call in zip((None, *item.calls), item.calls, strict=False):
        _check_call(call, made, defined)
        for place, number in item.carried if before is not None else ():
            before = present(before)
            demand(call.inputs[place] == before.outputs[number], f"{call.path} is given another value")
        made |= set(call.outputs)
