"""Calls, operators and Variables, with what they read and how they are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from codegen.defects import Defect
from codegen.folded import CallItem, Counted, Given, OpItem, Params, VariableItem
from codegen.program import Call as ProgramCall
from codegen.program import Initializer, Leaf
from codegen.turn import Turn
from codegen.write.literals import literal, name_text, value_of
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


def name_below(name: str, params: Params) -> Name:
    """The name of a Variable in a container, or the start of some: below what the function is given."""
    below = name[len(params.prefix) :]
    parts = parts_of(Counted(below) if isinstance(name, Counted) else below)
    base = "path" if params.given else "name"
    return Name(parts, bool(params.prefix) or params.given, base)


def from_container(scope: Scope, name: str) -> Value | None:
    """A Variable that the function reads from a container; None for any other."""
    params = scope.params
    if params is None or not (isinstance(name, Counted) or name in params.names):
        return None
    own = name_below(name, params)
    first = next((v for v in scope.program.variables if v.name == name), None)
    init = "" if first is None or first.init is None else f", init=mx.init.{initializer(first.init)}"
    turns = tuple(part.name for part in own.parts if isinstance(part, Turn))
    reads = ("params", *turns, *([own.base] if own.relative else []))
    return Value(f"params.get({name_text(own)}{init})", reads)


def initializer(init: Initializer) -> str:
    """A class of mx.init's with what it takes: `Normal(0.02)`."""
    return f"{init[0]}({', '.join(map(literal, init[1:]))})"


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
    slots = [(slot, given) for slot, given in item.inputs if slot]
    return Op(
        call.op,
        variables.operands([given for slot, given in item.inputs if not slot]),
        tuple((slot, _read(scope, variables, given)) for slot, given in slots),
        tuple((key, value_of(value)) for key, value in item.attrs),
        name,
    )


def _read(scope: Scope, variables: Variables, given: Given) -> Read | Value:
    own = given_of(scope, variables, given)
    if isinstance(own, ListOf):
        raise Defect(f"{own} is given to an op by a keyword")
    return own


def given_of(scope: Scope, variables: Variables, given: Given | None) -> Read | ListOf | Value:
    """What a function or an op is given: a variable, a list, or a Variable from the container."""
    own = from_container(scope, given.name) if isinstance(given, Leaf) else None
    return variables.given(given) if own is None else own


def _operator(variables: Variables, item: OpItem, name: Name) -> Operator:
    """`x * c`, `c - x` or `maximum(x, c)`, of the operand and the number."""
    form = item.call.op
    ((_, operand),) = item.inputs
    number = value_of(dict(item.attrs)["c"])
    is_power = "**" in form and (not number.text.isdecimal() or form.startswith("c"))
    if " " in number.text or (is_power and not re.fullmatch(r"[\w.]+", number.text)):
        number = replace(number, text=f"({number.text})")
    sides: dict[str, Read | Value | Op] = {"x": variables.operand(operand), "c": number}
    function = re.fullmatch(r"(\w+)\((\w), (\w)\)", form)
    left, sign, right = function.group(2, 1, 3) if function else form.split(" ")
    return Operator(sign, sides[left], sides[right], name)


def variable(scope: Scope, item: VariableItem) -> Variable:
    """A Variable: of an input only the name is told, as MXNet infers the rest."""
    own = item.variable
    name = relative_name(scope, own.name)
    if own.kind != "input":
        init = "" if own.init is None else initializer(own.init)
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
    shared: Name | None = None,
) -> Call:
    """A call of one of the file's functions, without arguments that this use does not have, or by default."""
    given = tuple((key, value_of(value)) for key, value in item.given(arguments))
    return Call(item.function, tuple(inputs), given, name, shared)


def shared_start(scope: Scope, shared: str) -> Name | None:
    """What the names begin with that a called function reads from the container; None where it reads none."""
    return name_below(shared, scope.params) if shared and scope.params is not None else None
