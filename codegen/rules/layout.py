"""Shapes: views, axes, joining, cutting and repeating."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value
from codegen.idioms.around import like_result
from codegen.idioms.shapes import (
    as_bool,
    flat_shape,
    permuted,
    reshape_to,
    spread,
    spread_batch,
    swapped_axes,
    take,
)
from codegen.ir import Dim, Size


@lowers("squeeze")
def squeeze(b: Builder, input: Value, dim: int | tuple[int, ...] | None = None) -> Value:
    if input.sizes == b.out.shape:
        return input
    if not b.out.shape:
        return reshape_to(b, input, ())
    wanted = range(input.rank) if dim is None else (dim,) if isinstance(dim, int) else dim
    axes = tuple(sorted(d % input.rank for d in wanted if input.sizes[d] == 1))
    return b.op("squeeze", input, axis=axes[0] if len(axes) == 1 else axes)


@lowers("unsqueeze")
def unsqueeze(b: Builder, input: Value, dim: int) -> Value:
    if input.rank == 0:
        return Value(input.operand, (1,), input.dtype, input.is_bool, input.const, input.node)
    return b.op("expand_dims", input, axis=dim % (input.rank + 1))


@lowers("transpose")
def transpose(b: Builder, input: Value, dim0: int, dim1: int) -> Value:
    return swapped_axes(b, input, dim0, dim1)


@lowers("T")
def reverse_axes(b: Builder, input: Value) -> Value:
    return input if input.rank < 2 else permuted(b, input, tuple(reversed(range(input.rank))))


@lowers("t", "mT", "H", "mH", "adjoint")
def adjoint(b: Builder, input: Value) -> Value:
    return input if input.rank < 2 else swapped_axes(b, input, -2, -1)


@lowers("permute")
def permute(b: Builder, input: Value, dims: Sequence[int]) -> Value:
    return permuted(b, input, dims)


@lowers("movedim")
def movedim(
    b: Builder, input: Value, source: int | tuple[int, ...], destination: int | tuple[int, ...]
) -> Value:
    sources = [d % input.rank for d in ((source,) if isinstance(source, int) else source)]
    places = [d % input.rank for d in ((destination,) if isinstance(destination, int) else destination)]
    rest = iter(d for d in range(input.rank) if d not in sources)
    target = dict(zip(places, sources, strict=True))
    return permuted(b, input, [target[i] if i in target else next(rest) for i in range(input.rank)])


# A sparse tensor is its values.
@lowers("alias", "contiguous", "clone", "detach", "data", "to")
@lowers(
    "to_sparse",
    "to_sparse_csr",
    "to_sparse_csc",
    "to_dense",
    ignores=("sparse_dim", "dense_dim", "masked_grad"),
)
def identity(b: Builder, input: Value) -> Value:
    if b.out.dtype == "bool" and not input.is_bool:
        return as_bool(b, input)
    came = b.graph.type_of(next(b.node.refs())).dtype
    return input if came == b.out.dtype else _rounded(b, input)


def _rounded(b: Builder, x: Value) -> Value:
    """Rounding to half precision.

    torch: half() and bfloat16() keep 11 and 8 binary digits.
    MXNet: nets are widened to float32, which keeps 24.
    We write: for float16 a cast there and back; for bfloat16, which MXNet's symbols lack, Veltkamp's split.
    Source: torch.Tensor.bfloat16; mx.sym.cast.

    >>> converted(lambda x: x.half().float(), (2, 3))
    return mx.sym.cast(
        mx.sym.cast(x, dtype="float16", name="to_half"), dtype="float32", name="to_widened"
    )
    >>> converted(lambda x: x.bfloat16().float(), (2, 3))
    scaled = named(x * 65537.0, name="to_scaled")
    return mx.sym.elemwise_sub(
        scaled, mx.sym.elemwise_sub(scaled, x, name="to_rest"), name="to_rounded"
    )
    """
    if b.out.dtype == "float16":
        return b.cast(b.cast(x, "float16", hint="half"), "float32", hint="widened")
    if b.out.dtype == "bfloat16":
        # Veltkamp's split, which leaves the eight digits of a bfloat16.
        x = b.cast(x, "float32")
        scaled = b.with_number("x * c", x, 2.0**16 + 1, hint="scaled")
        rest = b.op("elemwise_sub", scaled, x, hint="rest")
        return b.op("elemwise_sub", scaled, rest, hint="rounded")
    return x


# The shape that torch computed from its arguments is the node's.
@lowers("expand", "expand_as", "broadcast_to", ignores=("size", "other"))
def expand(b: Builder, input: Value) -> Value:
    found = like_result(b, input.dtype)
    if found is not None and input.rank == len(b.out.shape):
        like, axes, theirs = found
        if all(input.sizes[axis] == 1 for axis in axes):
            partly = tuple(1 if axis in axes else size for axis, size in enumerate(b.out.shape))
            x = spread(b, input, partly, "expand")
            return b.op("broadcast_like", x, like, lhs_axes=axes, rhs_axes=theirs, gives=b.out.shape)
    return spread(b, input, b.out.shape, "expand")


@lowers("fliplr", dims=(1,))
@lowers("flipud", dims=(0,))
@lowers("flip")
def flip(b: Builder, input: Value, dims: Sequence[int] | int = ()) -> Value:
    wanted = (dims,) if isinstance(dims, int) else tuple(dims)
    if not wanted:
        return input
    return b.op("flip", input, axis=tuple(d % input.rank for d in wanted))


@lowers("repeat", "tile")
def repeat(b: Builder, input: Value, repeats: Sequence[Size] = (), dims: Sequence[Size] = ()) -> Value:
    counts = tuple(repeats or dims)
    if input.rank < len(counts):
        lead = (1,) * (len(counts) - input.rank)
        input = reshape_to(b, input, (*lead, *input.sizes), hint="axes")
    counts = (1,) * (input.rank - len(counts)) + counts
    for axis, count in enumerate(counts):
        if isinstance(count, Dim):
            size = input.sizes[axis]
            if isinstance(size, Dim):
                raise b.refuse_batch("repeat() of the batch by the batch size")
            before, after = input.sizes[:axis], input.sizes[axis + 1 :]
            if size != 1:
                input = b.op("expand_dims", input, axis=axis, hint="row", gives=(*before, 1, size, *after))
            input = spread_batch(b, input, axis, count, "repeat")
            if size != 1:
                whole = Dim(count.coef * size, count.const * size)
                input = reshape_to(b, input, (*before, whole, *after), hint="rows")
    return _tiled(b, input, tuple(1 if isinstance(c, Dim) else c for c in counts))


def _tiled(b: Builder, x: Value, counts: Sequence[int]) -> Value:
    """A tensor repeated along its axes.

    torch: repeat takes any number of axes.
    MXNet: tile takes two axes that are repeated, or more of one place each: "Too many reduction axes".
    We write: a tile for each two axes.
    Source: torch.Tensor.repeat; mx.sym.tile, measured.

    >>> converted(lambda x: x.repeat(1, 2, 2, 2), (1, 3, 2, 2))
    return mx.sym.tile(
        mx.sym.tile(x, reps=(1, 2, 2, 1), name="repeat_tiled"), reps=(1, 1, 1, 2), name="repeat"
    )
    """
    repeated = [axis for axis, count in enumerate(counts) if count != 1]
    if not repeated:
        return x
    together = repeated if all(x.sizes[axis] == 1 for axis in repeated) else repeated[:2]
    first = tuple(count if axis in together else 1 for axis, count in enumerate(counts))
    if len(together) == len(repeated):
        return b.op("tile", x, reps=first)
    rest = tuple(1 if axis in together else count for axis, count in enumerate(counts))
    return _tiled(b, b.op("tile", x, reps=first, hint="tiled"), rest)


# `output_size` is a hint that saves torch a look at the values.
@lowers("repeat_interleave", ignores=("output_size",))
def repeat_interleave(b: Builder, input: Value, repeats: int | Value, dim: int | None = None) -> Value:
    if dim is None:
        input, dim = reshape_to(b, input, flat_shape(b, input), hint="flat"), 0
    axis = dim % input.rank
    if not isinstance(repeats, Value):
        return b.op("repeat", input, repeats=repeats, axis=axis)
    size = input.sizes[axis]
    if repeats.const is None or isinstance(size, Dim):
        raise b.refuse("repeat_interleave() with repeats that are computed", "repeat by a number")
    places = np.repeat(np.arange(size), np.broadcast_to(repeats.const.reshape(-1), (size,)))
    return take(b, input, b.constant(places, "places"), axis)


@lowers("roll")
def roll(b: Builder, input: Value, shifts: int | Sequence[int], dims: int | Sequence[int] = ()) -> Value:
    """Places moved along an axis, round its end.

    torch: roll.
    MXNet: has no such op as a symbol.
    We write: the two parts, joined the other way round.
    Source: torch.roll; mx.sym.Concat.

    >>> converted(lambda x: x.roll(1, 1), (2, 3))
    tail1 = mx.sym.slice_axis(x, axis=1, begin=-1, end=None, name="roll_tail1")
    x = mx.sym.slice_axis(x, axis=1, begin=0, end=-1, name="roll_head1")
    return mx.sym.Concat(tail1, x, name="roll_roll1")
    """
    steps = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    axes = (dims,) if isinstance(dims, int) else tuple(dims)
    if not axes:
        flat = reshape_to(b, input, flat_shape(b, input), hint="flat")
        return reshape_to(b, _rolled(b, flat, 0, steps[0]), input.sizes, hint="shaped")
    for step, axis in zip(steps, axes, strict=True):
        input = _rolled(b, input, axis % input.rank, step)
    return input


def _rolled(b: Builder, value: Value, axis: int, step: int) -> Value:
    size = value.sizes[axis]
    if isinstance(size, Dim):
        if abs(step) >= size.coef + size.const:
            raise b.refuse_batch("roll() by more places than one sample has")
    else:
        step = step % size if size else 0
    if step == 0:
        return value
    # The last `step` places come first; a negative step moves the first ones last.
    place = -step if isinstance(size, Dim) or step <= size // 2 else size - step
    tail = b.op("slice_axis", value, axis=axis, begin=place, end=None, hint=f"tail{axis}")
    head = b.op("slice_axis", value, axis=axis, begin=0, end=place, hint=f"head{axis}")
    return b.op("Concat", [tail, head], dim=axis, hint=f"roll{axis}")


@lowers("unfold")
def unfold(b: Builder, input: Value, dimension: int, size: int, step: int) -> Value:
    """Windows along an axis.

    They are of `size`, and become the last axis.

    torch: Tensor.unfold.
    MXNet: has no such op for tensors.
    We write: take with the places of all windows.
    Source: torch.Tensor.unfold; mx.sym.take.

    >>> converted(lambda x: x.unfold(1, 2, 1), (2, 4))
    return mx.sym.take(x, unfold_windows, axis=1, name="windows")
    """
    if input.rank == 0:
        return input
    axis = dimension % input.rank
    windows = b.out.shape[axis]
    if isinstance(windows, Dim):
        raise b.refuse_batch("unfold() along the batch axis")
    places = np.arange(windows)[:, None] * step + np.arange(size)
    cut_out = take(b, input, b.constant(places, "windows"), axis, hint="windows")
    return permuted(b, cut_out, [a for a in range(input.rank + 1) if a != axis + 1] + [axis + 1])


@lowers("diagonal")
def diagonal(b: Builder, input: Value, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Value:
    axes = dim1 % input.rank, dim2 % input.rank
    return b.op("diag", input, k=offset, axis1=axes[0], axis2=axes[1], gives=b.out.shape)


@lowers("trace")
def trace(b: Builder, input: Value) -> Value:
    return b.op("sum", b.op("diag", input, hint="diagonal"))


@lowers("tril", kept=np.tril)
@lowers("triu", kept=np.triu)
def triangle(b: Builder, input: Value, diagonal: int = 0, *, kept: Callable[..., Any]) -> Value:
    """One side of the diagonal.

    torch: tril and triu.
    MXNet: has no such ops as symbols.
    We write: a product with a mask, which is a constant.
    Source: torch.tril; mx.sym.broadcast_mul.

    >>> converted(lambda x: x.tril(), (1, 3, 3))
    return mx.sym.broadcast_mul(x, tril_mask, name="tril")
    """
    rows, columns = input.sizes[-2:]
    if isinstance(rows, Dim) or isinstance(columns, Dim):
        raise b.refuse_batch(f"{b.node.op}() over the batch axis")
    keep = kept(np.ones((rows, columns), input.dtype), diagonal)
    mask = b.constant(keep.reshape((1,) * (input.rank - 2) + keep.shape), "mask")
    return b.op("broadcast_mul", input, mask)


@lowers("rot90")
def rot90(b: Builder, input: Value, k: int = 1, dims: Sequence[int] = (0, 1)) -> Value:
    first, second = (d % input.rank for d in dims)
    turns = k % 4
    if turns == 0:
        return input
    if turns == 2:
        return b.op("flip", input, axis=(first, second), gives=input.shape)
    flipped = b.op("flip", input, axis=second if turns == 1 else first, hint="flipped")
    return swapped_axes(b, flipped, first, second)


@lowers("meshgrid")
def meshgrid(b: Builder, tensors: Sequence[Value], indexing: str | None = None) -> list[Value]:
    lines = _listed(tensors)
    count = len(lines)
    order = [1, 0, *range(2, count)] if indexing == "xy" and count > 1 else list(range(count))
    shapes = [
        tuple(t.sizes[0] if t.rank and a == own else 1 for a in range(count))
        for t, own in zip(lines, order, strict=True)
    ]
    placed = [
        reshape_to(b, t, s, hint=f"axis{i}") for i, (t, s) in enumerate(zip(lines, shapes, strict=True))
    ]
    return broadcast_tensors(b, placed)


@lowers("broadcast_tensors")
def broadcast_tensors(b: Builder, tensors: Sequence[Value]) -> list[Value]:
    return [
        spread(b, t, kind.shape, f"wide{i}")
        for i, (t, kind) in enumerate(zip(_listed(tensors), b.node.outputs, strict=True))
    ]


def _listed(tensors: Sequence[Any]) -> Sequence[Value]:
    """The tensors of a call that torch lets have them one by one, or as one list."""
    return tensors[0] if len(tensors) == 1 and isinstance(tensors[0], tuple) else tensors


@lowers("atleast_1d", "atleast_2d", "atleast_3d")
def at_least(b: Builder, tensors: Sequence[Value]) -> list[Value]:
    return [
        reshape_to(b, t, kind.shape, hint=f"axes{i}")
        for i, (t, kind) in enumerate(zip(_listed(tensors), b.node.outputs, strict=True))
    ]
