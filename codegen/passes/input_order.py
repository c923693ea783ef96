"""The inputs of a symbol in the order of forward's arguments, as far as sums and products allow it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
    return mx.sym.elemwise_add(x, mx.sym.exp(y, name="exp"), name="add")
    """
    wanted = {variable.name: place for place, variable in enumerate(program.inputs)}
    calls = _input_first(program, wanted)
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


def _input_first(program: Program, wanted: Collection[str]) -> list[Call]:
    """An input as the first argument of the symbol.

    torch: `weight * x` and `x * weight` are the same.
    MXNet: print_summary takes the first argument for an output, and fails where that has one axis.
    We write: the two sides of a sum or a product turned on the way to what the symbol begins with, where an
        input is on the other side. The result is the same to the bit.
    Source: mxnet/visualization.py, `heads = set(conf["heads"][0])`: a node, and the number of its output.

    >>> converted(lambda x: torch.tensor([1.0, 2.0, 3.0]) * x.exp(), (2, 3))
    x = mx.sym.exp(x, name="exp")
    return mx.sym.broadcast_mul(x, tensor, name="mul")
    """
    calls = list(program.calls)
    # Whether each call begins with an input, or does when such sides are turned.
    begins: list[bool] = []

    def is_input(operand: Operand) -> bool:
        return operand.name in wanted if isinstance(operand, Leaf) else begins[operand.call]

    for call in calls:
        sides = [is_input(operand) for operand in call.operands()]
        begins.append(any(sides) if _is_commutative(call) else any(sides[:1]))
    operand = program.outputs[0].operand if program.outputs else None
    while isinstance(operand, Out) and calls[operand.call].inputs:
        call = calls[operand.call]
        if begins[operand.call] and not is_input(next(iter(call.operands()))):
            call = calls[operand.call] = replace(call, inputs=call.inputs[::-1])
        operand = next(iter(call.operands()))
    return calls


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
