"""Copies that keep two ops of MXNet apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from codegen.ir import Shape
from codegen.program import Call, Operand, Out, Program


@dataclass(frozen=True)
class Copy:
    """An op that gives what it reads and that the oneDNN pass does not know; `why` is the comment on it.

    A Reshape to the sizes that are there, unless more is wanted.
    """

    why: str
    op: str = "Reshape"
    attrs: tuple[tuple[str, Any], ...] = (("shape", (-2,)),)


def copy_of(made_by: Call, operand: Operand, shape: Shape | None, calls: list[Call], copy: Copy) -> Call:
    """The copy of a result; `calls` are all calls of the program, whose names are taken."""
    name, source = _free_name(f"{made_by.name}_copy", calls), made_by.source
    return Call(copy.op, ((None, operand),), copy.attrs, name, 1, made_by.node, source, (shape,), copy.why)


def with_copies(program: Program, copied: Mapping[int, Copy]) -> Program:
    """The program in which all that reads these calls reads a copy."""
    if not copied:
        return program
    calls: list[Call] = []
    made: dict[int, int] = {}
    read: dict[int, int] = {}

    def moved(operand: Operand, places: dict[int, int]) -> Operand:
        return replace(operand, call=places[operand.call]) if isinstance(operand, Out) else operand

    for index, call in enumerate(program.calls):
        calls.append(replace(call, inputs=tuple((slot, moved(o, read)) for slot, o in call.inputs)))
        made[index] = read[index] = len(calls) - 1
        if index in copied:
            calls.append(copy_of(call, Out(made[index]), None, [*program.calls, *calls], copied[index]))
            read[index] = len(calls) - 1
    return replace(
        program,
        calls=tuple(calls),
        outputs=tuple(replace(o, operand=moved(o.operand, read)) for o in program.outputs),
        values=tuple((node, index, moved(o, made)) for node, index, o in program.values),
    )


def _free_name(name: str, calls: list[Call]) -> str:
    taken = {call.name for call in calls}
    while name in taken:
        name += "_"
    return name
