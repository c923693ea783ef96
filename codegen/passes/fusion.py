"""What MXNet 1.9.1's oneDNN pass fuses wrongly, kept from it.

The pass makes one op of a convolution with the BatchNorm, activation and `elemwise_add` after it. Where the
value in the middle has another reader that is an `elemwise_add` or an output of the net, that reader gets the
fused value, or binding crashes: `c = conv(x); conv(relu(bn(c))) + c` adds relu(bn(c)). The pass knows neither
`broadcast_add` nor `Reshape`, which do the same. A FullyConnected is made one op with an activation even
where others read it too: of `c = fc(x); c - 1; relu(c)` the last gives c. All of them read a `Reshape` of it
then. And a Dropout of a Dropout, both of which MXNet takes out, may not bind. tests/test_fusion.py holds all
this against mxnet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from codegen.ir import Shape
from codegen.mxnet_ops import spec_of
from codegen.program import Call, Operand, Out, Output, Program

COMMENT = "broadcast_add: MXNet 1.9.1 would fuse elemwise_add with a convolution, and add a wrong value"
COPY_OF_OUTPUT = "a copy: MXNet 1.9.1 would give the value after the fused layers"
COPY_OF_DROPOUT = "a copy: MXNet 1.9.1 cannot bind a Dropout of a Dropout everywhere"
COPY_OF_LINEAR = "a copy: MXNet 1.9.1 would fuse FullyConnected with one of its readers wrongly"


def guarded(program: Program) -> Program:
    """The program, with what would be fused wrongly written in ops that the pass does not know."""
    program = _with_copies(program, _copied_linears(program) | _copied_dropouts(program))
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
    while isinstance(operand, Out) and spec_of(program.calls[operand.call].op).is_identity:
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
            if "joins" in spec_of(call.op).onednn:
                readers.setdefault(root, []).append(call.op)
    return readers


def _is_fused_wrongly(program: Program, call: Call, readers: dict[Operand, list[str]]) -> bool:
    return any(
        isinstance(root, Out)
        and "begins" in spec_of(program.calls[root.call].op).onednn
        and len(readers[root]) > 1
        for root in _roots(program, call)
    )


def _separate(
    program: Program, output: Output, readers: dict[Operand, list[str]], calls: list[Call]
) -> Output:
    """An output that later layers read too, as a copy that the pass leaves alone."""
    root = _root(program, output.operand)
    # Softmax of a convolution that is an output too ends the process: the layouts are mixed up.
    crashes = any(c.op == "softmax" and root in _roots(program, c) for c in program.calls)
    if not isinstance(root, Out) or not isinstance(output.operand, Out):
        return output
    if not readers.get(root) and not crashes:
        return output
    if not spec_of(program.calls[root.call].op).onednn & {"begins", "linear", "sums"}:
        return output
    last = calls[output.operand.call]
    calls.append(_copy(last, output.operand, output.shape, calls, COPY_OF_OUTPUT))
    return replace(output, operand=Out(len(calls) - 1))


def _copy(made_by: Call, operand: Operand, shape: Shape | None, calls: list[Call], comment: str) -> Call:
    keep = (-2,) if shape is None else (0,) * max(1, len(shape))
    name = _free_name(f"{made_by.name}_copy", calls)
    attrs = (("shape", keep),)
    return Call(
        "Reshape", ((None, operand),), attrs, name, 1, made_by.node, made_by.source, (shape,), comment
    )


def _with_copies(program: Program, copied: Mapping[int, str]) -> Program:
    """The program in which all that reads these calls reads a copy; the texts are the copies' comments."""
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
            shape = call.shapes[0] if call.shapes else None
            calls.append(_copy(call, Out(made[index]), shape, [*program.calls, *calls], copied[index]))
            read[index] = len(calls) - 1
    return replace(
        program,
        calls=tuple(calls),
        outputs=tuple(replace(o, operand=moved(o.operand, read)) for o in program.outputs),
        values=tuple((node, index, moved(o, made)) for node, index, o in program.values),
    )


def _copied_dropouts(program: Program) -> dict[int, str]:
    """Each Dropout that another reads at once: MXNet cannot bind some such rows."""
    return {
        read.call: COPY_OF_DROPOUT
        for call in program.calls
        if spec_of(call.op).is_identity and isinstance(read := call.inputs[0][1], Out)
        if spec_of(program.calls[read.call].op).is_identity
    }


def _copied_linears(program: Program) -> dict[int, str]:
    """The FullyConnected calls that are fused with a reader that does not come before all the others.

    Where another reader needs the activation too (`c * sigmoid(c)`), MXNet does it right.
    """
    readers: dict[Operand, set[int]] = {}
    for index, call in enumerate(program.calls):
        if not spec_of(call.op).is_identity:
            for root in _roots(program, call):
                readers.setdefault(root, set()).add(index)
    outputs = {_root(program, output.operand) for output in program.outputs}
    found: dict[int, str] = {}
    for index, call in enumerate(program.calls):
        own = readers.get(Out(index), set())
        fused = {r for r in own if "joins_linear" in spec_of(program.calls[r].op).onednn}
        if call.op != "FullyConnected" or not fused:
            continue
        if Out(index) in outputs or not all(
            _is_read_by(program, f, own - {f}) for f in fused if len(own) > 1
        ):
            found[index] = COPY_OF_LINEAR
    return found


def _is_read_by(program: Program, call: int, others: set[int]) -> bool:
    """Whether one of the other calls needs the result of `call`, at whatever distance."""
    after = {call}
    for index in range(call + 1, max(others) + 1):
        if any(isinstance(o, Out) and o.call in after for o in program.calls[index].operands()):
            after.add(index)
    return bool(after & others)


def _free_name(name: str, calls: list[Call]) -> str:
    taken = {call.name for call in calls}
    while name in taken:
        name += "_"
    return name
