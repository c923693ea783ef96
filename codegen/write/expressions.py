"""Calls, operators and Variables, with what they read and how they are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from codegen.folded import MISSING, CallItem, Counted, OpItem, VariableItem
from codegen.program import Call as ProgramCall
from codegen.turn import Turn
from codegen.write.literals import literal, value_of
from codegen.write.scope import Scope
from codegen.write.variables import Variables
from codegen.written import Call, ListOf, Name, Op, Operator, Read, Value, Variable


def is_operator(call: ProgramCall) -> bool:
    """Whether a call is one of Python's operators on a symbol and a number."""
    return " " in call.op


def relative_name(scope: Scope, name: str) -> Name:
    """A symbol's name: written out in the net's own function, in others what follows theirs."""
    below = name[len(scope.prefix) :]
    return Name(parts_of(Counted(below) if isinstance(name, Counted) else below), bool(scope.prefix))


def parts_of(name: str) -> tuple[str | Turn, ...]:
    """A name, or the end of one, as its words and the counters between them."""
    if not isinstance(name, Counted):
        return (name,) * bool(name)
    made: list[str | Turn] = []
    for part in re.split(r"(\{[^}]*\})", name):
        counter = re.fullmatch(r"\{(\w+)(?: ([+-]) (\d+))?\}", part)
        if counter is not None:
            made.append(Turn(counter[1], int(f"{counter[2]}{counter[3]}") if counter[2] else 0))
        elif part:
            made.append(part)
    return tuple(made)


def op_or_operator(scope: Scope, variables: Variables, item: OpItem) -> Op | Operator:
    """What computes an op of MXNet's."""
    call = item.call
    name = relative_name(scope, call.name)
    if is_operator(call):
        return _operator(variables, item, name)
    slots = [(slot, operand) for slot, operand in item.inputs if slot]
    return Op(
        call.op,
        variables.reads([operand for slot, operand in item.inputs if not slot]),
        tuple((slot, variables.read(operand)) for slot, operand in slots),
        tuple((key, value_of(value)) for key, value in item.attrs),
        name,
    )


def _operator(variables: Variables, item: OpItem, name: Name) -> Operator:
    """`x * c`, `c - x` or `maximum(x, c)`, of the operand and the number."""
    form = item.call.op
    ((_, operand),) = item.inputs
    number = value_of(dict(item.attrs)["c"])
    is_power = "**" in form and (not number.text.isdecimal() or form.startswith("c"))
    if " " in number.text or (is_power and not re.fullmatch(r"[\w.]+", number.text)):
        number = replace(number, text=f"({number.text})")
    sides: dict[str, Read | Value] = {"x": variables.read(operand), "c": number}
    function = re.fullmatch(r"(\w+)\((\w), (\w)\)", form)
    left, sign, right = function.group(2, 1, 3) if function else form.split(" ")
    return Operator(sign, sides[left], sides[right], name)


def variable(scope: Scope, item: VariableItem) -> Variable:
    """A Variable: of an input only the name is told, as MXNet infers the rest."""
    own = item.variable
    name = relative_name(scope, own.name)
    if own.kind != "input":
        init = "" if own.init is None else f"{own.init[0]}({', '.join(map(literal, own.init[1:]))})"
        if own.inferred and own.trained:
            return Variable(name, init=init)
        return Variable(name, value_of(item.shape), own.dtype, own.trained, init)
    # Module.bind knows no dtype but those of the inputs, and infers others only where floats are computed.
    return Variable(name, dtype=own.dtype if own.dtype != "float32" else "")


def function_call(
    item: CallItem,
    inputs: Sequence[Read | ListOf | Value],
    arguments: Sequence[tuple[str, Any]],
    name: Name,
) -> Call:
    """A call of one of the file's functions, without arguments that this use does not have."""
    given = tuple((key, value_of(value)) for key, value in arguments if value is not MISSING)
    return Call(item.function, tuple(inputs), given, name)
