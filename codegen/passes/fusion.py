"""What MXNet 1.9.1's oneDNN pass fuses wrongly, kept from it.

The pass makes one op of a convolution or a FullyConnected and of what follows. It knows neither
`broadcast_add` nor `Reshape`. Each pattern is told where it is corrected; tests/test_fusion.py holds all of
it against mxnet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from codegen.mxnet_ops import spec_of
from codegen.passes.copies import Copy, copy_of, with_copies
from codegen.passes.layouts import copied_layouts
from codegen.program import Call, Operand, Out, Output, Program

COMMENT = "broadcast_add: MXNet 1.9.1 would fuse elemwise_add with a convolution, and add a wrong value"


COPY_OF_OUTPUT = Copy("a copy: MXNet 1.9.1 would give the value after the fused layers")
COPY_OF_DROPOUT = Copy("a copy: MXNet 1.9.1 cannot bind a Dropout of a Dropout everywhere")
COPY_OF_UNREAD = Copy("a copy: MXNet 1.9.1 cannot bind some ops of which nothing but the shape is read")
COPY_OF_LINEAR = Copy("a copy: MXNet 1.9.1 would fuse FullyConnected with one of its readers wrongly")


def guarded(program: Program) -> Program:
    """The program, with what would be fused wrongly written in ops that the pass does not know."""
    program = with_copies(
        program,
        _copied_unread(program)
        | _copied_linears(program)
        | _copied_dropouts(program)
        | copied_layouts(program),
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
    x = mx.sym.Convolution(x, kernel=(1, 1), num_filter=2, name="net_first")
    net = mx.sym.Activation(x, act_type="relu", name="net_relu")
    net = mx.sym.Convolution(net, kernel=(1, 1), num_filter=2, name="net_second")
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
    x = mx.sym.Convolution(x, kernel=(1, 1), num_filter=2, name="net_conv")
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
    kept = replace(COPY_OF_OUTPUT, attrs=(("shape", (0,) * max(1, len(output.shape))),))
    calls.append(copy_of(last, output.operand, output.shape, calls, kept))
    return replace(output, operand=Out(len(calls) - 1))


def _copied_dropouts(program: Program) -> dict[int, Copy]:
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


def _copied_unread(program: Program) -> dict[int, Copy]:
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


def _copied_linears(program: Program) -> dict[int, Copy]:
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
    linear = mx.sym.FullyConnected(x, num_hidden=3, flatten=False, name="net_linear")
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
    found: dict[int, Copy] = {}
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
