"""The inputs of an op that MXNet makes by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codegen.mxnet_ops import spec_of
from codegen.program import FROZEN, Call, Leaf, Operand, Program, Variable


def users_of(program: Program) -> dict[Operand, list[int]]:
    """The calls that read each value; the number after the last call stands for the net's outputs."""
    users: dict[Operand, list[int]] = {}
    for index, call in enumerate(program.calls):
        for operand in call.operands():
            users.setdefault(operand, []).append(index)
    for output in program.outputs:
        users.setdefault(output.operand, []).append(len(program.calls))
    return users


def automatic_inputs(
    program: Program, users: Mapping[Operand, Sequence[int]], variables: Mapping[str, Variable]
) -> list[frozenset[str]]:
    """For each call, the slots of the inputs that MXNet makes by itself, as they are to be.

    Name, shape and dtype are right, training treats them as their op, and initializers know them by name.
    """
    found = []
    for call in program.calls:
        in_scope = program.all_frozen or dict(call.attrs).get("attr") == FROZEN
        own = {slot: o.name for slot, o in call.inputs if slot is not None and isinstance(o, Leaf)}
        found.append(
            frozenset(
                slot
                for slot in could_be_automatic(call, users, variables)
                if variables[own[slot]].init is None and (in_scope or variables[own[slot]].trained)
            )
        )
    return found


def could_be_automatic(
    call: Call, users: Mapping[Operand, Sequence[int]], variables: Mapping[str, Variable]
) -> frozenset[str]:
    """The slots of the inputs that MXNet would make by itself, under the right name, shape and dtype."""
    spec = spec_of(call.op)
    return frozenset(
        slot
        for slot, operand in call.inputs
        if slot is not None
        and isinstance(operand, Leaf)
        and operand.name == f"{call.name}_{slot}"
        and len(users[operand]) == 1
        and variables[operand.name].dtype == "float32"
        and spec.makes_input(slot, variables[operand.name].shape)
    )
