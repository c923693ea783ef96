"""Indexing, in torch's whole notation, and writing to an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value, fixed
from codegen.defects import Defect
from codegen.idioms.along import cut_between, is_admitted, place_of, plus
from codegen.idioms.cuts import basic_index, cut_of, expanded_index, length_of, plain_cuts
from codegen.idioms.shapes import broadcast, cut, permuted, reshape_to, spread, take
from codegen.ir import Dim, Node, Ref, Shape, Size, elements_in

# Ops that leave the elements and their order as they are where the number of elements stays the same.
_SHAPES_ONLY = frozenset(["getitem", "view", "reshape", "unsqueeze", "squeeze", "to"])


@lowers("getitem")
def getitem(b: Builder, input: Value, index: Any) -> Value:
    items = [plain_cuts(b, i) for i in expanded_index(index, input.rank)]
    input, items = _along_batch(b, input, items)
    tensors = [i for i in items if isinstance(i, Value)]
    one_of_all = _one_of_all(b, input)
    if one_of_all is not None:
        axis, place = one_of_all
        return _all_along(b, input, axis, b.out.shape)[place]
    if not tensors:
        return basic_index(b, input, items, b.out.shape)
    if len(tensors) == 1 and tensors[0].is_bool:
        raise b.refuse("indexing by a mask gives a size that depends on the data", "use torch.where")
    return _advanced(b, input, items)


def _one_of_all(b: Builder, x: Value) -> tuple[int, int] | None:
    """(axis, place) where the module takes each place of an axis: `q, k, v = qkv[0], qkv[1], qkv[2]`."""
    places = {}
    for node in _readers(b, "input"):
        if node.op == "getitem" and node.source.frames == b.node.source.frames:
            places[node.name] = _single(dict(node.args)["index"], x.rank)
    own = places[b.node.name]
    if own is None or x.rank < 2 or x.operand is None:
        return None
    axis, size = own[0], x.sizes[own[0]]
    if isinstance(size, Dim) or size < 2:
        return None
    taken = sorted(place[1] % size for place in places.values() if place is not None and place[0] == axis)
    return (axis, own[1] % size) if taken == list(range(size)) else None


def _single(index: Any, rank: int) -> tuple[int, int] | None:
    """(axis, place) of an index that takes one place along one axis and all of the others."""
    items = list(index) if isinstance(index, tuple) else [index]
    if any(i is None or isinstance(i, Ref | tuple) for i in items):
        return None
    items = expanded_index(tuple(items), rank)
    numbers = [(axis, i) for axis, i in enumerate(items) if isinstance(i, int) and not isinstance(i, bool)]
    rest = [i for i in items if not isinstance(i, int)]
    return numbers[0] if len(numbers) == 1 and all(i == slice(None) for i in rest) else None


def _along_batch(b: Builder, x: Value, items: list[Any]) -> tuple[Value, list[Any]]:
    """`x[:n]` and `x[n:]` of an axis that follows the batch, n following it too."""
    axes = [k for k, i in enumerate(items) if i is not None]
    if any(isinstance(i, Value) and i.is_bool for i in items):
        return x, items
    for axis, place in enumerate(axes):
        item, size = items[place], x.sizes[axis]
        ends = (item.start, item.stop) if isinstance(item, slice) and item.step in {None, 1} else ()
        if any(isinstance(end, Value) for end in ends):
            continue
        if isinstance(size, Dim) and any(isinstance(end, Dim) for end in ends):
            begin = place_of(item.start or 0, size)
            end = size if item.stop is None else place_of(item.stop, size)
            x = cut_between(b, x, axis, begin, end)
            items = [*items[:place], slice(None), *items[place + 1 :]]
    return x, items


def _advanced(b: Builder, x: Value, items: list[Any]) -> Value:
    """Integer tensors among the indices: `take` for one, `gather_nd` for several. Numbers go first."""
    basic: list[Any] = [slice(None) if isinstance(i, Value) else i for i in items]
    tensors = {k: i for k, i in enumerate(i for i in items if not isinstance(i, int)) if isinstance(i, Value)}
    shape = _basic_shape(b, x, basic)
    x = replace(basic_index(b, x, basic, shape), shape=shape)
    if len(tensors) == 1:
        axis, index = next(iter(tensors.items()))
        return take(b, x, index, axis)
    return _laid_out(b, x, tensors) or _gathered(b, x, tensors)


def _basic_shape(b: Builder, x: Value, items: list[Any]) -> Shape:
    """The shape after the numbers, slices and new axes of an index."""
    sizes = iter(x.sizes)
    shape: list[Size] = []
    for item in items:
        size = 1 if item is None else next(sizes)
        if item is None:
            shape.append(1)
        elif not isinstance(item, int):
            shape.append(length_of(b, size, cut_of(b, item, size)))
    return tuple(shape)


def _laid_out(b: Builder, x: Value, tensors: dict[int, Value]) -> Value | None:
    """`mask[batch[:, None], place[None, :]]`, where each index counts a whole axis: the axes anew."""
    axes = list(tensors)
    if axes != list(range(x.rank)):
        return None
    rank = max(v.rank for v in tensors.values())
    places = [_counted_axis(b, tensors[axis], x.sizes[axis], rank) for axis in axes]
    found = [p for p in places if p is not None]
    if len(found) < len(places) or found != sorted(set(found)):
        return None
    shape: list[Size] = [1] * rank
    for axis, place in zip(axes, found, strict=True):
        shape[place] = x.sizes[axis]
    return reshape_to(b, x, tuple(shape))


def _counted_axis(b: Builder, index: Value, size: Size, rank: int) -> int | None:
    """The axis along which an index is 0, 1, ... size - 1, its other axes being 1; of `rank` axes in all."""
    axes = [axis for axis, s in enumerate(index.sizes) if s != 1]
    if len(axes) != 1 or index.sizes[axes[0]] != size:
        return None
    if index.const is not None:
        counts = np.array_equal(index.const.reshape(-1), np.arange(index.const.size))
    else:
        counts = _counts_up(b, index)
    return rank - index.rank + axes[0] if counts else None


def _gathered(b: Builder, x: Value, tensors: dict[int, Value]) -> Value:
    """Several tensors as an index.

    torch: they broadcast, negative places count from the end, and any axes may be indexed.
    MXNet: gather_nd takes the places as one tensor, and indexes the first axes.
    We write: the indexed axes put first, the places wrapped, spread and stacked.
    Source: torch.Tensor.__getitem__; mx.sym.gather_nd.

    >>> converted(lambda x, i, j: x[:, i, j], (2, 4, 3), Ints((5,), 4), Ints((5,), 3))
    x = mx.sym.transpose(x, axes=(1, 2, 0), name="getitem")
    i_ = mx.sym.cast(i_, dtype="float32", name="getitem3_cast")
    i_ = named(i_ % 4.0, name="getitem3_wrapped1")
    j = mx.sym.cast(j, dtype="float32", name="getitem3_cast2")
    j = named(j % 3.0, name="getitem3_wrapped2")
    x = mx.sym.gather_nd(x, mx.sym.stack(i_, j, name="getitem3_indices"), name="getitem2")
    return mx.sym.transpose(x, axes=(1, 0), name="getitem3")
    """
    axes = list(tensors)
    rest = [a for a in range(x.rank) if a not in axes]
    common: Shape = ()
    for value in tensors.values():
        common = broadcast(common, value.sizes)
    moved = permuted(b, x, axes + rest)
    parts = []
    for axis, value in tensors.items():
        value = _from_the_front(b, value, x.sizes[axis], axis)
        parts.append(spread(b, b.cast(value, "float32"), common, f"index{axis}"))
    indices = b.op("stack", parts, axis=0, hint="indices")
    gives = (*common, *(x.sizes[a] for a in rest))
    picked = b.op(
        "gather_nd", replace(moved, shape=tuple(x.sizes[a] for a in axes + rest)), indices, gives=gives
    )
    if axes != list(range(axes[0], axes[0] + len(axes))) or axes[0] == 0:
        return picked
    count = len(common)
    order = [*range(count, count + axes[0]), *range(count), *range(count + axes[0], len(gives))]
    return permuted(b, picked, order)


def _from_the_front(b: Builder, index: Value, size: Size, axis: int) -> Value:
    """Places along an axis without those that count from its end, as gather_nd takes them."""
    if index.const is not None and isinstance(size, int):
        return replace(index, const=index.const % size, operand=None)
    if index.const is not None:
        if index.const.min() < 0 or not is_admitted(b, plus(size, int(index.const.max()) + 1, -1)):
            raise b.refuse_batch("indexing by places that not every batch has")
        return index
    if _counts_up(b, index) or _is_found(b, index):
        return index
    if isinstance(size, Dim):
        raise b.refuse_batch("indexing the batch axis by a tensor")
    return b.with_number("x % c", b.cast(index, "float32"), float(size), hint=f"wrapped{axis}")


def _is_found(b: Builder, index: Value) -> bool:
    """Whether places were found along an axis: none of them counts from its end."""
    node = b.graph.by_name.get(index.node)
    return node is not None and node.op in {"argmax", "argmin"}


@lowers("select")
def select(b: Builder, input: Value, dim: int, index: int) -> Value:
    items: list[Any] = [slice(None)] * input.rank
    items[dim % input.rank] = index
    return basic_index(b, input, items, b.out.shape)


@lowers("narrow")
def narrow(b: Builder, input: Value, dim: int, start: Size, length: Size) -> Value:
    axis = dim % input.rank
    size = input.sizes[axis]
    if isinstance(size, Dim):
        begin = place_of(start, size)
        return cut_between(b, input, axis, begin, plus(begin, length))
    start, length = fixed(start), fixed(length)
    return cut(b, input, axis, start % size if size else 0, start % size + length if size else 0)


@lowers("index_select", takes_numbers=True)
def index_select(b: Builder, input: Value, dim: int, index: Value) -> Value:
    return take(b, input, index, dim % input.rank)


@lowers("gather", ignores=("sparse_grad",), takes_numbers=True)
def gather(b: Builder, input: Value, dim: int, index: Value) -> Value:
    """Places chosen in each row.

    torch: gather takes several places from each row.
    MXNet: pick takes one; its mode is "clip".
    We write: pick of the row, repeated for each place; mode is "clip" by default.
    Source: torch.gather; mx.sym.pick.

    >>> converted(lambda x, i: x.gather(1, i), (2, 3), Ints((2, 1), 3))
    return mx.sym.pick(
        x, mx.sym.cast(i_, dtype="float32", name="gather_cast"), axis=1, keepdims=True, name="gather"
    )
    >>> converted(lambda x, i: x.gather(1, i), (2, 3), Ints((2, 2), 3))
    x = mx.sym.broadcast_axis(
        mx.sym.expand_dims(x, axis=1, name="gather_rows"), axis=(1,), size=(2,), name="gather_rows2"
    )
    return mx.sym.pick(x, mx.sym.cast(i_, dtype="float32", name="gather_cast"), axis=2, name="gather")
    """
    axis = dim % input.rank
    others = tuple(s for a, s in enumerate(index.sizes) if a != axis)
    if others != tuple(s for a, s in enumerate(input.sizes) if a != axis):
        input = _cut_to(b, input, index.sizes, axis)
    # pick() takes one place for each row: the axis goes last, and the places are one axis more.
    size = input.sizes[axis]
    count = index.sizes[axis]
    if isinstance(size, Dim) or isinstance(count, Dim):
        raise b.refuse_batch("gather() along the batch axis")
    if count == 1:
        return b.op("pick", input, b.cast(index, "float32"), axis=axis, keepdims=True, mode="clip")
    wide = spread(
        b,
        b.op("expand_dims", input, axis=axis, hint="rows"),
        (*input.sizes[:axis], count, *input.sizes[axis:]),
        "rows",
    )
    return b.op("pick", wide, b.cast(index, "float32"), axis=axis + 1, mode="clip")


def _cut_to(b: Builder, x: Value, sizes: Shape, axis: int) -> Value:
    for a, (have, want) in enumerate(zip(x.sizes, sizes, strict=True)):
        if a != axis and have != want:
            if isinstance(want, Dim):
                raise b.refuse_batch("gather() with another batch size than its input's")
            x = cut(b, x, a, 0, want, hint=f"cut{a}")
    return x


def _counts_up(b: Builder, value: Value) -> bool:
    """Whether the elements are 0, 1, 2, ... to the last: an arange from 0, with axes of 1 about it."""
    node = b.graph.by_name.get(value.node)
    while node is not None and node.op in _SHAPES_ONLY:
        refs = list(node.refs())
        if len(refs) != 1:
            return False
        if elements_in(node.outputs[0].shape) != elements_in(b.graph.type_of(refs[0]).shape):
            return False
        node = b.graph.by_name[refs[0].name]
    if node is None or node.op != "arange":
        return False
    return bool(node.kwargs.get("start", 0) == 0 and node.kwargs.get("step", 1) == 1)


def _all_along(b: Builder, value: Value, axis: int, gives: Shape) -> list[Value]:
    """The slices at each place of an axis, each of shape `gives`; one op, however often a net asks."""
    operand, size = value.operand, value.sizes[axis]
    if operand is None:
        raise Defect("slices of a constant are constants")
    size = fixed(size)
    if (operand, axis) not in b.slices:
        b.slices[operand, axis] = b.ops(
            "split",
            value,
            num_outputs=size,
            axis=axis,
            squeeze_axis=True,
            hint="split",
            gives=(gives,) * size,
        )
    return b.slices[operand, axis]


def _readers(b: Builder, key: str) -> Sequence[Node]:
    """The nodes that read the tensor that this one has as argument `key`, this one among them."""
    ref = dict(b.node.args)[key]
    return b.neighbours.readers[ref.name, ref.index]
