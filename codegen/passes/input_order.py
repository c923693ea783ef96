"""The inputs of a symbol in the order of forward's arguments, as far as sums and products allow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from codegen.mxnet_ops import spec_of
from codegen.program import Call, Leaf, Operand, Out, Program


def in_order(program: Program) -> Program:
    """The inputs in the order of forward.

    torch: forward takes its arguments in the order in which they are declared.
    MXNet: list_inputs() has the inputs in the order in which a walk from the outputs meets them, whatever the
        order in which they were made.
    We write: the two sides of a sum or a product turned where that brings the inputs nearer to forward's
        order. The result is the same to the bit.
    Source: mx.sym.Symbol.list_inputs, measured.

    >>> converted(lambda x, y: y.exp() + x, (2, 3), (2, 3))
    y = mx.sym.exp(y, name="exp")
    return mx.sym.elemwise_add(x, y, name="add")
    """
    wanted = {variable.name: place for place, variable in enumerate(program.inputs)}
    calls = list(program.calls)
    roots = [output.operand for output in program.outputs]
    order = _met(calls, roots, wanted)
    for index, call in enumerate(calls):
        if order == sorted(order):
            break
        if not _is_commutative(call):
            continue
        calls[index] = replace(call, inputs=call.inputs[::-1])
        turned = _met(calls, roots, wanted)
        if turned < order:
            order = turned
        else:
            calls[index] = call
    return replace(program, calls=tuple(calls))


def _is_commutative(call: Call) -> bool:
    return (
        " " not in call.op and spec_of(call.op).commutes and [slot for slot, _ in call.inputs] == [None, None]
    )


def _met(calls: Sequence[Call], roots: Sequence[Operand], wanted: dict[str, int]) -> list[int]:
    """The places in forward of the inputs, in the order in which a walk from the outputs meets them."""
    found: dict[int, None] = {}
    seen: set[Operand] = set()
    stack = list(reversed(roots))
    while stack:
        operand = stack.pop()
        key = Out(operand.call) if isinstance(operand, Out) else operand
        if key in seen:
            continue
        seen.add(key)
        if isinstance(operand, Leaf):
            if operand.name in wanted:
                found.setdefault(wanted[operand.name])
        else:
            stack += reversed(list(calls[operand.call].operands()))
    return list(found)
