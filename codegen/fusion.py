"""What MXNet 1.9.1's oneDNN pass fuses wrongly, kept from it.

The pass makes one op of a convolution with the BatchNorm, activation and `elemwise_add` after it. Where
the value in the middle has another reader that is an `elemwise_add` or an output of the net, that reader
gets the fused value, or binding crashes: `c = conv(x); conv(relu(bn(c))) + c` adds relu(bn(c)). The pass
knows neither `broadcast_add` nor `Reshape`, which do the same. tests/test_fusion.py holds this against mxnet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from codegen.program import Call, Operand, Out, Output, Program

FUSED = frozenset(["Convolution", "BatchNorm"])
FUSED_BEFORE_OUTPUT = FUSED | {"FullyConnected", "elemwise_add"}
READERS = frozenset(["BatchNorm", "Activation", "LeakyReLU", "clip", "elemwise_add"])
# Dropped by MXNet in inference, before it fuses.
TRANSPARENT = frozenset(["identity", "Dropout"])
COMMENT = "broadcast_add: MXNet 1.9.1 would fuse elemwise_add with a convolution, and add a wrong value"


def guarded(program: Program) -> Program:
    """The program, with what would be fused wrongly written in ops that the pass does not know."""
    readers = _readers(program)
    calls = [
        (
            replace(call, op="broadcast_add", comment=call.comment or COMMENT)
            if call.op == "elemwise_add" and _is_fused_wrongly(program, call, readers)
            else call
        )
        for call in program.calls
    ]
    outputs = [_separate(program, output, readers, calls) for output in program.outputs]
    return replace(program, calls=tuple(calls), outputs=tuple(outputs))


def _root(program: Program, operand: Operand) -> Operand:
    while isinstance(operand, Out) and program.calls[operand.call].op in TRANSPARENT:
        operand = program.calls[operand.call].inputs[0][1]
    return operand


def _roots(program: Program, call: Call) -> Iterator[Operand]:
    for operand in call.operands():
        yield _root(program, operand)


def _readers(program: Program) -> dict[Operand, list[str]]:
    """The ops that read each value and that the pass may join with its producer."""
    readers: dict[Operand, list[str]] = {}
    for call in program.calls:
        for root in _roots(program, call):
            if call.op in READERS:
                readers.setdefault(root, []).append(call.op)
    return readers


def _is_fused_wrongly(program: Program, call: Call, readers: dict[Operand, list[str]]) -> bool:
    return any(
        isinstance(root, Out) and program.calls[root.call].op in FUSED and len(readers[root]) > 1
        for root in _roots(program, call)
    )


def _separate(
    program: Program, output: Output, readers: dict[Operand, list[str]], calls: list[Call]
) -> Output:
    """An output that later layers read too, as a copy that the pass leaves alone."""
    root = _root(program, output.operand)
    if not isinstance(root, Out) or not isinstance(output.operand, Out) or not readers.get(root):
        return output
    if program.calls[root.call].op not in FUSED_BEFORE_OUTPUT:
        return output
    last = calls[output.operand.call]
    copy = Call(
        "Reshape",
        ((None, output.operand),),
        (("shape", (0,) * max(1, len(output.shape))),),
        _free_name(f"{last.name}_copy", calls),
        1,
        last.node,
        last.source,
        (output.shape,),
        "a copy: MXNet 1.9.1 would give the value after the fused layers",
    )
    calls.append(copy)
    return replace(output, operand=Out(len(calls) - 1))


def _free_name(name: str, calls: list[Call]) -> str:
    taken = {call.name for call in calls}
    while name in taken:
        name += "_"
    return name
