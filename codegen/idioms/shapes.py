"""Shapes: reshaping, axes, cutting, spreading."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from codegen.builder.builder import Builder
from codegen.builder.value import Value
from codegen.idioms.along import taken_along
from codegen.idioms.around import before_swap, like_batch
from codegen.ir import Dim, Shape, Size, elements_in
from codegen.reshape_codes import simple

# That MXNet's transpose takes.
MOST_AXES = 6


def take(b: Builder, x: Value, index: Value, axis: int, hint: str = "") -> Value:
    """Places along an axis.

    `x` at the places `index` along `axis`.

    torch: negative places count from the end.
    MXNet: take's mode is "clip": -1 is the first place.
    We write: mode="wrap" for places that are computed; constants are made positive.
    Source: torch.index_select; mx.sym.take, measured.

    >>> converted(lambda x, i: x[:, i - 1], (2, 3), Ints((4,), 3))
    i_ = named(i_ - 1, name="sub")
    return mx.sym.take(x, i_, axis=1, mode="wrap", name="getitem")
    >>> converted(lambda x: x[:, [0, -1]], (2, 3))
    return mx.sym.take(x, getitem_index, axis=1, name="getitem")
    """
    if index.const is not None and isinstance(x.sizes[axis], Dim):
        return taken_along(b, x, index, axis, hint)
    if index.const is not None:
        index = replace(index, const=index.const % x.sizes[axis], operand=None)
    mode = "clip" if index.const is not None else "wrap"
    return b.op("take", x, index, axis=axis, mode=mode, hint=hint)


def reshape_to(b: Builder, value: Value, shape: Shape, hint: str = "") -> Value:
    """`value` in `shape`, by a Reshape whose code holds at any batch size."""
    if value.sizes == shape:
        return value
    code = simple(value.sizes, shape)
    if code is None:
        raise b.refuse_batch("a reshape in which several sizes follow the batch")
    return b.op("Reshape", value, shape=code.shape, hint=hint, gives=shape)


def as_bool(b: Builder, value: Value) -> Value:
    """0 and 1 for any number.

    torch: bool() is True for anything but 0.
    MXNet: few ops take a bool; the ONNX exporter knows no `x != 0`.
    We write: a cast to bool and one to float32, which gives 0 and 1; for floats x != 0, which unlike the
        casts lets no gradient through.
    Source: torch.Tensor.bool; mx.sym.cast, measured; mxnet/onnx/mx2onnx.

    >>> converted(lambda x, m: x * m.bool(), (2, 3), Ints((2, 3)))
    m = mx.sym.cast(mx.sym.cast(m, dtype="bool", name="to_truth"), dtype="float32", name="to_bool")
    return mx.sym.elemwise_mul(x, m, name="mul")
    """
    if value.dtype.startswith("float"):
        return b.with_number("x != c", value, 0, hint="bool")
    truth = b.op("cast", value, dtype="bool", hint="truth", gives=value.shape)
    return b.op("cast", truth, dtype="float32", hint="bool", gives=value.shape)


def cut(b: Builder, value: Value, axis: int, begin: int, end: int | None, hint: str = "") -> Value:
    """`value` from `begin` to `end` (None: to the end) along an axis."""
    return b.op("slice_axis", value, axis=axis, begin=begin, end=end, hint=hint)


def flat_shape(b: Builder, value: Value) -> Shape:
    size = elements_in(value.sizes)
    if size is None:
        raise b.refuse_batch("flattening a tensor in which several sizes follow the batch")
    return (size,)


def spread(b: Builder, value: Value, shape: Shape, hint: str) -> Value:
    """`value` broadcast to `shape`, whose sizes may follow the batch."""
    if value.sizes == shape:
        return value
    if value.rank < len(shape):
        lead = (1,) * (len(shape) - value.rank)
        value = reshape_to(b, value, (*lead, *value.sizes), hint=f"{hint}_axes")
    grown = [i for i, (old, new) in enumerate(zip(value.sizes, shape, strict=True)) if old != new]
    fixed = [i for i in grown if isinstance(shape[i], int)]
    if fixed:
        value = b.op(
            "broadcast_axis",
            value,
            axis=tuple(fixed),
            size=tuple(shape[i] for i in fixed),
            hint=hint,
        )
    for axis in [i for i in grown if i not in fixed]:
        value = spread_batch(b, value, axis, shape[axis], hint)
    return value


def spread_batch(b: Builder, value: Value, axis: int, size: Size, hint: str) -> Value:
    """A value repeated for each sample of the batch.

    `value` has size 1 along the axis, and `size` after.

    torch: expand takes the batch's size as a number.
    MXNet: broadcast_to and broadcast_axis take numbers, and a symbol has no sizes until it is bound.
    We write: broadcast_like, after an earlier tensor that has the size.
    Source: torch.Tensor.expand; mx.sym.broadcast_like.

    >>> converted(lambda x: x[:1].expand(x.shape[0], 3), (2, 3))
    getitem = mx.sym.slice_axis(x, axis=0, begin=0, end=1, name="getitem")
    return mx.sym.broadcast_like(getitem, x, lhs_axes=(0,), rhs_axes=(0,), name="expand_batch")
    """
    found = like_batch(b, size, value.dtype)
    if found is None:
        return _spread_parts(b, value, axis, size, hint)
    like, like_axis = found
    like = b.cast(like, value.dtype)
    return b.op(
        "broadcast_like",
        value,
        like,
        lhs_axes=(axis,),
        rhs_axes=(like_axis,),
        hint=f"{hint}_batch",
    )


def _spread_parts(b: Builder, value: Value, axis: int, size: Size, hint: str) -> Value:
    """A value repeated several times for each sample of the batch: no earlier tensor has that size."""
    times = math.gcd(size.coef.numerator, size.const.numerator) if isinstance(size, Dim) else size
    before, after = value.sizes[:axis], value.sizes[axis + 1 :]
    if times == 1 or like_batch(b, divided(size, times)) is None:
        raise b.refuse_batch(f"a tensor of size {size}, which no earlier tensor has")
    parts = reshape_to(b, value, (*before, 1, *value.sizes[axis:]), hint=f"{hint}_parts")
    parts = spread(b, parts, (*before, divided(size, times), times, *after), hint)
    return reshape_to(b, parts, (*before, size, *after), hint=hint)


def divided(size: Size, number: int) -> Size:
    """A size divided by a number that it holds."""
    return size // number if isinstance(size, int) else Dim(size.coef / number, size.const / number)


def swapped_axes(b: Builder, input: Value, dim0: int, dim1: int, hint: str = "") -> Value:
    """Two axes exchanged.

    torch: transpose is told the two axes.
    MXNet: SwapAxis is, too; transpose takes an order of all axes, and is 2 to 25 times as fast.
    We write: transpose.
    Source: torch.transpose; mx.sym.transpose, mx.sym.SwapAxis, measured.

    >>> converted(lambda x: x.transpose(0, 1), (2, 3))
    return mx.sym.transpose(x, axes=(1, 0), name="transpose")
    """
    if input.rank < 2 or dim0 % input.rank == dim1 % input.rank:
        return input
    if (before := before_swap(b, input, dim0, dim1)) is not None:
        return before
    axes = list(range(input.rank))
    axes[dim0], axes[dim1] = axes[dim1], axes[dim0]
    return permuted(b, input, axes, hint)


def permuted(b: Builder, input: Value, dims: Sequence[int], hint: str = "") -> Value:
    """Axes in another order.

    `input` with its axes in the order `dims`.

    torch: permutes any number of axes.
    MXNet: transpose takes six axes at most.
    We write: axes that stay side by side joined before it and parted after it, where there are more.
    Source: torch.permute; mx.sym.transpose, whose error says so.

    >>> converted(lambda x: x.permute(0, 1, 2, 3, 6, 5, 4), (1, 2, 2, 2, 3, 4, 5))
    x = mx.sym.Reshape(x, shape=(-1, 3, 4, 5), name="permute_joined")
    x = mx.sym.transpose(x, axes=(0, 3, 2, 1), name="permute_permuted")
    return mx.sym.Reshape(x, shape=(-1, 2, 2, 2, 5, 4, 3), name="permute")
    """
    axes = tuple(d % input.rank for d in dims)
    if axes == tuple(range(input.rank)):
        return input
    if input.rank <= MOST_AXES:
        return b.op("transpose", input, axes=axes, hint=hint)
    runs = _runs(axes)
    order = sorted(run[0] for run in runs)
    sizes = [elements_in([input.sizes[a] for a in run]) for run in sorted(runs)]
    known = tuple(size for size in sizes if size is not None)
    if len(runs) > MOST_AXES or len(known) < len(runs):
        raise b.refuse(f"{b.node.op}() of {input.rank} axes: MXNet's transpose takes {MOST_AXES}")
    joined = reshape_to(b, input, known, hint="joined")
    moved = b.op("transpose", joined, axes=tuple(order.index(run[0]) for run in runs), hint="permuted")
    return reshape_to(b, moved, tuple(input.sizes[a] for a in axes), hint=hint)


def _runs(axes: Sequence[int]) -> list[list[int]]:
    """The axes in their new order, those together that stay side by side."""
    runs: list[list[int]] = []
    for axis in axes:
        if runs and runs[-1][-1] + 1 == axis:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    return runs


def broadcast(left: Shape, right: Shape) -> Shape:
    """The shape that two shapes broadcast to."""
    rank = max(len(left), len(right))
    pairs = zip((1,) * (rank - len(left)) + left, (1,) * (rank - len(right)) + right, strict=True)
    return tuple(r if x == 1 else x for x, r in pairs)
