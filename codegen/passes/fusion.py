"""What MXNet 1.9.1's oneDNN pass fuses wrongly, kept from it.

The pass makes one op of a convolution or a FullyConnected and of what follows. It knows neither
`broadcast_add` nor `Reshape`. Each pattern is told where it is corrected; tests/test_fusion.py holds all of
it against mxnet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from codegen.ir import Shape
from codegen.mxnet_ops import spec_of
from codegen.program import Call, Operand, Out, Output, Program

COMMENT = "broadcast_add: MXNet 1.9.1 would fuse elemwise_add with a convolution, and add a wrong value"
COPY_OF_OUTPUT = "a copy: MXNet 1.9.1 would give the value after the fused layers"
COPY_OF_DROPOUT = "a copy: MXNet 1.9.1 cannot bind a Dropout of a Dropout everywhere"
COPY_OF_UNREAD = "a copy: MXNet 1.9.1 cannot bind some ops of which nothing but the shape is read"
COPY_OF_LINEAR = "a copy: MXNet 1.9.1 would fuse FullyConnected with one of its readers wrongly"

COPY_OF_RESHAPED = "a copy: MXNet 1.9.1 cannot transpose a reshaped Convolution of five axes"
CONVOLUTIONS = frozenset(["Convolution", "Deconvolution"])
# What has another shape and the same memory.
RESHAPES = frozenset(["Reshape", "Flatten", "expand_dims", "squeeze", "reshape_like"])


def guarded(program: Program) -> Program:
    """The program, with what would be fused wrongly written in ops that the pass does not know."""
    program = _with_copies(
        program,
        _copied_unread(program)
        | _copied_linears(program)
        | _copied_dropouts(program)
        | _copied_reshaped(program),
    )
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
    """A convolution that an addition reads beside the next layer.

    Whether `call` is such an addition.

    torch: runs one layer after the other.
    MXNet: oneDNN makes one op of a convolution with the BatchNorm, activation and elemwise_add after it. An
        elemwise_add that reads the value in the middle gets the fused one: relu(bn(c)) + c adds relu(bn(c)).
    We write: broadcast_add there, which the pass does not know.
    Source: mx.sym.elemwise_add, measured (tests/test_fusion.py).

    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.first, self.second = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)
    ...     def forward(self, x):
    ...         c = self.first(x)
    ...         return self.second(F.relu(c)) + c
    >>> converted(Net(), (1, 2, 4, 4))
    x = mx.sym.Convolution(x, kernel=(1, 1), num_filter=2, no_bias=False, name="net_first")
    net = mx.sym.Activation(x, act_type="relu", name="net_relu")
    net = mx.sym.Convolution(net, kernel=(1, 1), num_filter=2, no_bias=False, name="net_second")
    return mx.sym.broadcast_add(net, x, name="net_add")
    """
    return any(
        isinstance(root, Out)
        and "begins" in spec_of(program.calls[root.call].op).onednn
        and len(readers[root]) > 1
        for root in _roots(program, call)
    )


def _separate(
    program: Program, output: Output, readers: dict[Operand, list[str]], calls: list[Call]
) -> Output:
    """An output that later layers read too.

    Gives it as a copy that the pass leaves alone.

    torch: an output is what its layer gave.
    MXNet: oneDNN gives an output that other ops read their fused value; where a softmax of a convolution is
        an output beside it, the process ends with a segmentation fault.
    We write: a Reshape copy of the output, which the pass does not know. The comparison of all layers reads
        such copies too (codegen/proof/compare.py).
    Source: mx.sym.Reshape, measured (tests/test_fusion.py).

    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.conv = nn.Conv2d(2, 2, 1)
    ...     def forward(self, x):
    ...         c = self.conv(x)
    ...         return F.softmax(c, -1), c
    >>> converted(Net(), (1, 2, 4, 4))
    x = mx.sym.Convolution(x, kernel=(1, 1), num_filter=2, no_bias=False, name="net_conv")
    net = mx.sym.softmax(x, name="net_softmax")
    x = mx.sym.Reshape(x, shape=(0, 0, 0, 0), name="net_conv_copy")
    return mx.sym.Group([net, x])
    """
    root = _root(program, output.operand)
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
    keep = (-2,) if shape is None else (0,) * max(1, len(shape))  # all sizes, or each
    name = _free_name(f"{made_by.name}_copy", calls)
    op: str = "Reshape"
    attrs: tuple[tuple[str, Any], ...] = (("shape", keep),)
    if comment == COPY_OF_RESHAPED:
        op, attrs = "slice_axis", (("axis", 0), ("begin", 0), ("end", None))  # oneDNN has no part in it
    return Call(op, ((None, operand),), attrs, name, 1, made_by.node, made_by.source, (shape,), comment)


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
            calls.append(_copy(call, Out(made[index]), None, [*program.calls, *calls], copied[index]))
            read[index] = len(calls) - 1
    return replace(
        program,
        calls=tuple(calls),
        outputs=tuple(replace(o, operand=moved(o.operand, read)) for o in program.outputs),
        values=tuple((node, index, moved(o, made)) for node, index, o in program.values),
    )


def _copied_dropouts(program: Program) -> dict[int, str]:
    """A Dropout of a Dropout.

    Gives the Dropouts that another reads at once.

    torch: both are the identity in inference.
    MXNet: takes Dropouts out in inference, and leaves a Variable too many: binding fails.
    We write: a Reshape copy between them.
    Source: mx.sym.Dropout, measured (tests/test_fusion.py).

    >>> converted(nn.Sequential(nn.Dropout(0.3), nn.Dropout(0.3), nn.Tanh()), (1, 4))
    x = mx.sym.Dropout(x, p=0.3, name="sequential_0")
    copy = mx.sym.Reshape(x, shape=(-2,), name="sequential_0_copy")
    x = mx.sym.Dropout(copy, p=0.3, name="sequential_1")
    return mx.sym.Activation(x, act_type="tanh", name="sequential_2")
    """
    return {
        read.call: COPY_OF_DROPOUT
        for call in program.calls
        if spec_of(call.op).is_identity and isinstance(read := call.inputs[0][1], Out)
        if spec_of(program.calls[read.call].op).is_identity
    }


def _copied_unread(program: Program) -> dict[int, str]:
    """An op of which nothing but the shape is read.

    torch: zeros_like(y) takes the shape of y, however y was made.
    MXNet: asks the op that makes y to write nothing, which Embedding, Pooling, pick and hard_sigmoid refuse.
    We write: a Reshape copy, which does.
    Source: mx.sym.zeros_like, measured (tests/test_fusion.py).

    >>> def net(x):
    ...     y = F.hardsigmoid(x).clone()
    ...     y[:] = -1.0
    ...     return y
    >>> converted(net, (1, 4))
    x = mx.sym.hard_sigmoid(x, alpha=1 / 6, name="hardsigmoid")
    x = mx.sym.Reshape(x, shape=(-2,), name="hardsigmoid_copy")
    x = mx.sym.zeros_like(x, name="setitem_value_zeros")
    return named(x + -1.0, name="setitem_value")
    """
    needed = {_root(program, output.operand) for output in program.outputs}
    unread: set[Operand] = set()
    for call in program.calls:
        for place, operand in enumerate(call.operands()):
            (unread if place in spec_of(call.op).shape_alone else needed).add(operand)
    return {
        operand.call: COPY_OF_UNREAD
        for operand in unread - needed
        if isinstance(operand, Out) and spec_of(program.calls[operand.call].op).must_write
    }


def _copied_reshaped(program: Program) -> dict[int, str]:
    """A transpose of what a convolution in three dimensions gives, reshaped.

    Gives the calls whose reshaped result a transpose reads.

    torch: permutes whatever it is given.
    MXNet: oneDNN keeps what such a convolution gives in a layout of its own, and after a Reshape its
        transpose fails: "could not create a primitive descriptor for a reorder primitive".
    We write: all of an axis by slice_axis, which lays it out as usual, before the Reshape.
    Source: mx.sym.transpose, measured (tests/test_fusion.py).

    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.conv = nn.Conv3d(1, 16, 2, 2)
    ...     def forward(self, x):
    ...         return self.conv(x).flatten(2).transpose(1, 2)
    >>> converted(Net(), (1, 1, 2, 4, 4))
    conv = mx.sym.Convolution(
        x, kernel=(2, 2, 2), stride=(2, 2, 2), num_filter=16, no_bias=False, name="net_conv"
    )
    net = mx.sym.slice_axis(conv, axis=0, begin=0, end=None, name="net_conv_copy")
    net = mx.sym.Reshape(net, shape=(0, 0, -1), name="net_flatten")
    return mx.sym.transpose(net, axes=(0, 2, 1), name="net_transpose")
    """
    laid_out: set[int] = set()  # five axes, after such a convolution
    sources: dict[int, set[int]] = {}  # which of these a reshaped value is
    found: dict[int, str] = {}
    for index, call in enumerate(program.calls):
        read = {o.call for o in call.operands() if isinstance(o, Out)}
        same = {i for i in read & {*sources} if program.calls[i].shapes[0] == call.shapes[0]}
        if call.op == "transpose":
            found |= dict.fromkeys({s for i in read & {*sources} for s in sources[i]}, COPY_OF_RESHAPED)
        elif same or (call.op in RESHAPES and read & (laid_out | {*sources})):
            sources[index] = {s for i in read for s in sources.get(i, {i} & laid_out)}
        elif len(call.shapes[0] or ()) == 5 and (call.op in CONVOLUTIONS or read & laid_out):
            laid_out.add(index)
    return found


def _copied_linears(program: Program) -> dict[int, str]:
    """A FullyConnected that several ops read.

    Gives the calls that are fused with a reader that does not come before all the others.

    torch: every reader of a layer gets what it gave.
    MXNet: oneDNN makes one op of FullyConnected and an activation that reads it, even where others read it
        too: of relu(c) and c - 1 the first gives c.
    We write: a Reshape copy, which all of them read. Where another reader needs the activation too (c
        sigmoid(c)), MXNet does it right.
    Source: mx.sym.FullyConnected, measured (tests/test_fusion.py).

    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.linear = nn.Linear(3, 3)
    ...     def forward(self, x):
    ...         c = self.linear(x)
    ...         return F.relu(c), c - 1
    >>> converted(Net(), (1, 3))
    linear = mx.sym.FullyConnected(x, num_hidden=3, no_bias=False, flatten=False, name="net_linear")
    net = mx.sym.Reshape(linear, shape=(-2,), name="net_linear_copy")
    relu = mx.sym.Activation(net, act_type="relu", name="net_relu")
    net = named(net - 1, name="net_sub")
    return mx.sym.Group([relu, net])
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
