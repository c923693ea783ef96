"""Gradients that oneDNN gets wrong in float32, kept from it by a copy: --trainable."""

from __future__ import annotations

from codegen.passes.copies import Copy, with_copies
from codegen.passes.layouts import WHOLE
from codegen.program import Call, Out, Program

OF_CONCAT = Copy("a copy: oneDNN of MXNet 1.9.1 cannot give the gradient of this Concat", *WHOLE)
OF_LRN = Copy("a copy: oneDNN of MXNet 1.9.1 would give a wrong gradient of LRN", *WHOLE)
OF_NORM = Copy("a copy: oneDNN of MXNet 1.9.1 cannot give the gradient of a BatchNorm of this", *WHOLE)
# The most channels that oneDNN keeps side by side.
BLOCK = 16


def with_right_gradients(program: Program) -> Program:
    """The program with copies after the calls whose gradients oneDNN would get wrong."""
    return with_copies(program, _norms(program) | _concats(program) | _lrns(program))


def _concats(program: Program) -> dict[int, Copy]:
    """A Concat of images along the channels, one of which has no whole number of blocks.

    torch: trains whatever was concatenated.
    MXNet: oneDNN takes the gradients of the parts out of that of the whole, which a convolution has laid out
        in blocks of channels: with 20 beside 12 training fails in float32, "could not construct a
        sub-memory", and 16 beside 8 may end the process.
    We write: with --trainable, all of an axis by slice_axis, whose gradient is laid out as usual.
    Source: mx.sym.Concat, measured (tests/in_use/test_parity.py).

    >>> trainable(lambda x: F.relu(torch.cat([F.relu(x), x * 2], 1)), (1, 6, 4, 4))
    relu = mx.sym.Activation(x, act_type="relu", name="relu")
    x = named(x * 2, name="mul")
    cat = mx.sym.Concat(relu, x, name="cat")
    copy = mx.sym.slice_axis(cat, axis=0, begin=0, end=None, name="cat_copy")
    return mx.sym.Activation(copy, act_type="relu", name="relu2")
    """
    return {
        index: OF_CONCAT
        for index, call in enumerate(program.calls)
        if call.op == "Concat"
        and _is_of_images(call)
        and any(_is_cut(part) for part in _channels(program, call))
    }


def _is_of_images(call: Call) -> bool:
    return len(call.shapes[0] or ()) in {4, 5} and dict(call.attrs).get("dim", 1) == 1


def _is_cut(channels: object) -> bool:
    return not isinstance(channels, int) or channels % BLOCK != 0


def _channels(program: Program, call: Call) -> list[object]:
    """The channels of each part that a call gives; inputs of the net have no gradient."""
    parts = [o for o in call.operands() if isinstance(o, Out)]
    shapes = [program.calls[o.call].shapes[o.index] or () for o in parts]
    return [shape[1] for shape in shapes if len(shape) > 1]


def _lrns(program: Program) -> dict[int, Copy]:
    """What an LRN gives.

    torch: trains what stands before an LRN.
    MXNet: with oneDNN its gradient is wrong in float32 where a max pool reads it.
    We write: with --trainable, all of an axis by slice_axis after it, whose gradient is laid out as usual.
    Source: mx.sym.LRN, measured (tests/in_use/test_parity.py).

    >>> trainable(nn.Sequential(nn.LocalResponseNorm(3), nn.MaxPool2d(2)), (1, 6, 4, 4))
    x = mx.sym.LRN(x, nsize=3, knorm=1.0, name="sequential_0")
    copy = mx.sym.slice_axis(x, axis=0, begin=0, end=None, name="sequential_0_copy")
    return mx.sym.Pooling(copy, kernel=(2, 2), pool_type="max", stride=(2, 2), name="sequential_1")
    """
    return {index: OF_LRN for index, call in enumerate(program.calls) if call.op == "LRN"}


def _norms(program: Program) -> dict[int, Copy]:
    """What a BatchNorm of one or of three spatial axes reads.

    torch: trains a convolution, and the BatchNorm of what it gives.
    MXNet: oneDNN lays out in blocks of channels what a convolution gives. A BatchNorm of such a value has no
        gradient in float32 but for images: training fails, "Check failed: !is_view".
    We write: with --trainable, all of an axis by slice_axis before it, which is laid out as usual.
    Source: mx.sym.BatchNorm, measured (tests/in_use/test_parity.py).

    >>> trainable(nn.Sequential(nn.Conv1d(6, 4, 3), nn.BatchNorm1d(4)), (1, 6, 8))
    x = mx.sym.Convolution(x, kernel=(3,), num_filter=4, name="sequential_0")
    copy = mx.sym.slice_axis(x, axis=0, begin=0, end=None, name="sequential_0_copy")
    return mx.sym.BatchNorm(copy, eps=1e-5, fix_gamma=False, name="sequential_1")
    """
    read = (
        call.inputs[0][1]
        for call in program.calls
        if call.op == "BatchNorm" and len(call.shapes[0] or ()) in {3, 5}
    )
    return {o.call: OF_NORM for o in read if isinstance(o, Out) and program.calls[o.call].outputs == 1}
