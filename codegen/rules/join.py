"""Joining, cutting into pieces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import MX_DTYPES, Value, fixed
from codegen.idioms.along import cut_between, line_of, plus
from codegen.idioms.around import siblings
from codegen.idioms.shapes import cut, reshape_to
from codegen.ir import Dim, Shape, Size


@lowers("cat", takes_empty=True)
def cat(b: Builder, tensors: Sequence[Value], dim: int = 0) -> Value:
    """Joining along an axis.

    torch: dim is 0; tensors without elements join nothing; dtypes are promoted.
    MXNet: Concat's dim is 1; it refuses different dtypes; there are no tensors without elements.
    We write: dim but for 1; casts; what is empty is left out.
    Source: torch.cat; mx.sym.Concat.

    >>> converted(lambda x: torch.cat([x, x], 1), (2, 3))
    return mx.sym.Concat(x, x, name="cat")
    """
    kept = [t for t in tensors if 0 not in t.sizes] or list(tensors)
    dtype = _common_dtype(b, kept)
    kept = [b.cast(t, dtype) for t in kept]
    # Where the author's line joins more elsewhere (DenseNet's first layer), all uses of it are alike.
    if len(kept) == 1 and all(len(list(node.refs())) == 1 for node in siblings(b)):
        return kept[0]
    return b.op("Concat", kept, dim=dim % kept[0].rank)


def _common_dtype(b: Builder, values: Sequence[Value]) -> str:
    dtype = MX_DTYPES[b.out.dtype]
    return values[0].dtype if dtype == "bool" else dtype


@lowers("stack")
def stack(b: Builder, tensors: Sequence[Value], dim: int = 0) -> Value:
    """Joining along a new axis.

    torch: dim is 0; takes tensors without axes.
    MXNet: stack's axis is 0 too; a tensor without axes is one of shape (1,), to which it would add an axis.
    We write: axis but for 0; Concat for tensors without axes.
    Source: torch.stack; mx.sym.stack.

    >>> converted(lambda x: torch.stack([x, x], 2), (2, 3))
    return mx.sym.stack(x, x, axis=2, name="stack")
    >>> converted(lambda x: torch.stack([x.sum(), x.mean()]), (2, 3))
    sum_ = mx.sym.sum(x, axis=(0, 1), name="sum")
    return mx.sym.Concat(sum_, mx.sym.mean(x, axis=(0, 1), name="mean"), dim=0, name="stack")
    """
    dtype = _common_dtype(b, tensors)
    rank = tensors[0].rank
    if rank == 0:
        return b.op("Concat", [b.cast(t, dtype) for t in tensors], dim=0)
    return b.op("stack", [b.cast(t, dtype) for t in tensors], axis=dim % (rank + 1))


@lowers("vstack", rank=2, dim=0)
@lowers("dstack", rank=3, dim=2)
def vstack(b: Builder, tensors: Sequence[Value], *, rank: int, dim: int) -> Value:
    return cat(b, [_at_least(b, t, rank) for t in tensors], dim)


@lowers("column_stack")
def column_stack(b: Builder, tensors: Sequence[Value]) -> Value:
    columns = [reshape_to(b, t, (*(t.sizes or (1,)), 1), hint="column") if t.rank < 2 else t for t in tensors]
    return cat(b, columns, 1)


@lowers("hstack")
def hstack(b: Builder, tensors: Sequence[Value]) -> Value:
    tensors = [_at_least(b, t, 1) for t in tensors]
    return cat(b, tensors, 0 if tensors[0].rank == 1 else 1)


def _at_least(b: Builder, value: Value, rank: int) -> Value:
    if value.rank >= rank:
        return value
    sizes = value.sizes
    shape = {1: (1,), 2: (1, *(sizes or (1,)))}.get(rank)
    if shape is None:
        shape = (*((1, *sizes) if len(sizes) == 1 else sizes or (1, 1)), 1)
    return reshape_to(b, value, shape, hint="axes")


def pieces(b: Builder, value: Value, dim: int) -> list[Value]:
    """Pieces of a tensor.

    The node's outputs, cut from `value` one after the other along `dim`.

    torch: split and chunk may give pieces of different sizes, the last of them smaller.
    MXNet: split gives equal pieces.
    We write: split where the pieces are equal, else a slice_axis for each.
    Source: torch.split; mx.sym.split.

    >>> converted(lambda x: x.split([1, 2], 1), (2, 3))
    split0 = mx.sym.slice_axis(x, axis=1, begin=0, end=1, name="split_split0")
    x = mx.sym.slice_axis(x, axis=1, begin=1, end=3, name="split_split1")
    return mx.sym.Group([split0, x])
    """
    axis = dim % value.rank
    size, shapes = value.sizes[axis], [kind.shape for kind in b.node.outputs]
    sizes = [shape[axis] for shape in shapes]
    if len(sizes) == 1:
        return [value]
    _must_be_whole(b, sizes, size)
    if len(set(sizes)) == 1:
        return b.ops("split", value, num_outputs=len(sizes), axis=axis, gives=shapes)
    results: list[Value] = []
    start: Size = 0
    for i, own in enumerate(sizes):
        results.append(_piece(b, value, axis, start, plus(start, own), f"{b.node.op}{i}", shapes[i]))
        start = plus(start, own)
    return results


def _must_be_whole(b: Builder, sizes: Sequence[Size], size: Size) -> None:
    """chunk() rounds up: pieces that are whole at some batch sizes alone are other ones at the rest."""
    under = line_of(size)[0].denominator
    for piece in sizes:
        coef, const = line_of(piece)
        if (coef * under).denominator > 1 or const.denominator > 1:
            raise b.refuse_batch(
                f"{b.node.op}() of {size} samples into pieces that are not equal at each batch size"
            )


def _piece(b: Builder, x: Value, axis: int, begin: Size, end: Size, hint: str, shape: Shape) -> Value:
    """A cut, which MXNet cannot make where it holds nothing."""
    if begin == end:
        return b.constant(np.zeros(tuple(0 if isinstance(s, Dim) else s for s in shape), x.dtype), hint)
    if isinstance(x.sizes[axis], Dim):
        return cut_between(b, x, axis, begin, end, hint=hint)
    return cut(b, x, axis, fixed(begin), fixed(end), hint=hint)


# The sizes that torch computed from its arguments are the outputs'.
@lowers(
    "split",
    "split_with_sizes",
    "chunk",
    "tensor_split",
    "unsafe_chunk",
    "unsafe_split",
    ignores=("split_size", "split_sizes", "chunks", "sections", "indices", "indices_or_sections"),
)
def split(b: Builder, input: Value, dim: int = 0) -> list[Value]:
    return pieces(b, input, dim)


@lowers("unbind")
def unbind(b: Builder, input: Value, dim: int = 0) -> list[Value]:
    """The places along an axis, one by one.

    torch: unbind of a vector gives tensors without axes.
    MXNet: split with squeeze_axis then gives shape (), which is "unknown".
    We write: the axis of size 1 stays there.
    Source: torch.unbind; mx.sym.split, measured.

    >>> converted(lambda x: x.unbind(1), (2, 2))
    unbind = mx.sym.split(x, num_outputs=2, squeeze_axis=True, name="unbind")
    return mx.sym.Group([unbind[0], unbind[1]])
    >>> converted(lambda x: x.sum(1).unbind(0), (2, 2))
    x = mx.sym.sum(x, axis=1, name="sum")
    unbind = mx.sym.split(x, num_outputs=2, axis=0, name="unbind")
    return mx.sym.Group([unbind[0], unbind[1]])
    """
    axis = dim % input.rank
    shapes = [kind.shape for kind in b.node.outputs]
    if isinstance(input.sizes[axis], Dim):
        raise b.refuse_batch("iterating over the batch axis")
    if len(shapes) == 1:
        return [reshape_to(b, input, shapes[0])]
    squeezes = input.rank > 1
    return b.ops("split", input, num_outputs=len(shapes), axis=axis, squeeze_axis=squeezes, gives=shapes)
