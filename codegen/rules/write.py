"""Writes into a tensor: the result is a new one."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value, fixed
from codegen.defects import Defect, of_kind, present
from codegen.idioms.along import is_admitted, plus
from codegen.idioms.cuts import Cut, cut_of, expanded_index, length_of, plain_cuts, sliced
from codegen.idioms.elementwise import Operand, as_stored, binary, full_like, made_dtype, number_of, where_of
from codegen.idioms.places import put
from codegen.idioms.products import apply_along
from codegen.idioms.shapes import cut, reshape_to, spread, take
from codegen.ir import Dim, Shape, Size, elements_in
from codegen.places import Places, places_of


# Where nothing is written to, nothing changes.
@lowers("setitem", takes_empty=True)
def setitem(b: Builder, input: Value, index: Any, value: Operand) -> Value:
    """Writing to an index.

    torch: x[:, 0] = 1 writes into the tensor.
    MXNet: a symbol cannot be written to.
    We write: a new tensor: what lies before and after, joined with what is written; or a choice by a mask.
    Source: torch.Tensor.__setitem__; mx.sym.Concat.

    >>> def first_to_one(x):
    ...     x = x * 2
    ...     x[:, 0] = 1
    ...     return x
    >>> converted(first_to_one, (2, 3))
    x = named(x * 2, name="mul")
    setitem = mx.sym.slice_axis(x, axis=1, begin=0, end=1, name="setitem")
    zeros = mx.sym.zeros_like(setitem, name="setitem_value_zeros")
    value = named(zeros + 1.0, name="setitem_value")
    x = mx.sym.slice_axis(x, axis=1, begin=1, end=3, name="setitem_after")
    return mx.sym.Concat(value, x, name="setitem_joined")
    """
    value = as_stored(b, value)
    if isinstance(index, Value) and index.is_bool and index.const is None:
        return _masked(b, input, index, value)
    items = [plain_cuts(b, i) for i in _without_masks(b, expanded_index(index, input.rank))]
    kept = _kept(b, input, items)
    if any(isinstance(size, int) and size <= 0 for size in kept):
        return input
    tensors = [i for i in items if isinstance(i, Value)]
    if any(t.const is None for t in tensors):
        raise b.refuse("writing to places that a tensor names", "use torch.where or torch.scatter")
    if len(tensors) > 1 or any(t.rank != 1 for t in tensors):
        return _put(b, input, items, value)
    own = [i for i in items if i is not None]
    stepped = any(isinstance(i, slice) and i.step not in {None, 1} for i in own)
    if tensors or stepped or _parts_batch(input, own):
        return _placed(b, input, items, value)
    cuts = [cut_of(b, i, s) for i, s in zip(own, input.sizes, strict=True)]
    return _written(b, input, cuts, 0, _block(b, input, items, kept, value))


def _masked(b: Builder, x: Value, mask: Value, value: Operand) -> Value:
    """A write through a mask of all axes, or of the first ones."""
    rest = x.rank - mask.rank
    if (
        isinstance(value, Value)
        and value.rank > rest
        and any(s != 1 for s in value.sizes[: value.rank - rest])
    ):
        raise b.refuse("writing a tensor through a mask", "use torch.where")
    if isinstance(value, Value) and value.rank > rest:
        value = reshape_to(b, value, value.sizes[value.rank - rest :] or (1,), hint="row")
    if rest:
        mask = reshape_to(b, mask, (*mask.sizes, *(1,) * rest), hint="mask")
    return where_of(b, mask, value, x)


def _without_masks(b: Builder, items: list[Any]) -> list[Any]:
    """An index whose known masks are the places that they name."""
    found: list[Any] = []
    for item in items:
        if isinstance(item, Value) and item.is_bool and item.const is not None and item.rank:
            found += [b.constant(places, "index") for places in np.nonzero(item.const)]
        else:
            found.append(item)
    return found


def _kept(b: Builder, x: Value, items: list[Any]) -> Shape:
    """How much of each axis of `x` an index names; several tensors count as the number of their places."""
    own = [i for i in items if i is not None]
    return tuple(
        elements_in(i.sizes) or 0 if isinstance(i, Value) else length_of(b, s, cut_of(b, i, s))
        for i, s in zip(own, x.sizes, strict=True)
    )


def _put(b: Builder, x: Value, items: list[Any], value: Operand) -> Value:
    """A write to places that several tensors name together."""
    own = [i for i in items if i is not None]
    if any(
        isinstance(s, Dim) and not (isinstance(i, slice) and cut_of(b, i, s).whole)
        for i, s in zip(own, x.sizes, strict=True)
    ):
        raise b.refuse("writing to a part of the batch", "fix the batch size with --input")
    shape = tuple(2 if isinstance(s, Dim) else s for s in x.sizes)  # such an axis is whole at any size
    places: npt.NDArray[np.int64] = np.arange(prod(shape)).reshape(shape)
    # torch takes numbers and ranges first, and then the tensors.
    sizes_of = iter(x.sizes)
    places = places[tuple(np.newaxis if i is None else _basic(i, next(sizes_of)) for i in items)]
    left = [i for i in items if not isinstance(i, int)]
    places = places[tuple(i.const if isinstance(i, Value) else slice(None) for i in left)]
    found = places_of(places, shape)
    if isinstance(value, Value) and number_of(value) is None:
        sizes = dict(zip(found.part_axes, (x.sizes[axis] for axis in found.axes), strict=True))
        part = tuple(sizes.get(axis, size) for axis, size in enumerate(places.shape))
        extra = max(0, value.rank - len(part))
        value = reshape_to(b, value, value.sizes[extra:], hint="value_axes")
        value = spread(b, value, part, "value")
    return put(b, x, value, found)


def _basic(item: Any, size: Size) -> Any:
    """What numpy indexes with before the tensors."""
    return slice(None) if isinstance(item, Value) or isinstance(size, Dim) else item


@lowers("put_through", takes_empty=True)
def put_through(
    b: Builder, input: Value, source: Value, places: Value, axes: tuple[int, ...], part_axes: tuple[int, ...]
) -> Value:
    """A write through a view, whose elements lie at known places of its base (tracer.writes)."""
    if places.const is None:
        raise b.refuse(
            "a write through a view that changes with the batch", "fix the batch size with --input"
        )
    return put(b, input, source, Places(axes, part_axes, places.const))


def _parts_batch(x: Value, items: list[Any]) -> bool:
    """Whether an index takes a part of an axis that follows the batch."""
    return any(isinstance(s, Dim) and i != slice(None) for i, s in zip(items, x.sizes, strict=True))


def _placed(b: Builder, x: Value, items: list[Any], value: Operand) -> Value:
    """A write to single places along each axis: a mask keeps the rest."""
    own = [i for i in items if i is not None]
    places = [_places(b, item, size) for item, size in zip(own, x.sizes, strict=True)]
    mask = _mask(b, x, places)
    number = number_of(value)
    if number is not None:
        return where_of(b, mask, number, x)
    kept = tuple(s if p is None else len(p) for s, p in zip(x.sizes, places, strict=True))
    block = _block(b, x, items, kept, value)
    for axis, (size, found) in enumerate(zip(x.sizes, places, strict=True)):
        if found is None or len(found) == 1:
            continue
        if isinstance(size, Dim):
            raise b.refuse_batch("writing several samples of the batch")
        source = np.zeros(size, np.int64)
        source[found] = np.arange(len(found))
        block = take(b, block, b.constant(source, f"source{axis}"), axis, hint=f"placed{axis}")
    return where_of(b, mask, block, x)


def _places(b: Builder, item: Any, size: Size) -> npt.NDArray[np.int64] | None:
    """The places that an index names along one axis, None for all of them."""
    if item == slice(None):
        return None
    if isinstance(item, Value):
        if item.const is None:
            raise Defect("an index whose values are not known")
        if isinstance(size, int):
            return item.const % size
        if item.const.min() < 0 or not is_admitted(b, plus(size, int(item.const.max()) + 1, -1)):
            raise b.refuse_batch("writing to places that not every batch has")
        return item.const
    c = cut_of(b, item, size)
    end = size if c.end is None else c.end
    if isinstance(end, Dim) or c.begin < 0 or end < 0:
        raise b.refuse_batch("writing to a part of the batch counted from its end")
    return np.arange(c.begin, end, c.step)


def _mask(b: Builder, x: Value, places: list[npt.NDArray[np.int64] | None]) -> Value:
    shape = tuple(1 if isinstance(s, Dim) else s for s in x.sizes)
    mask = np.zeros(shape, np.float32)
    fixed = [None if isinstance(s, Dim) else p for s, p in zip(x.sizes, places, strict=True)]
    mask[np.ix_(*(np.arange(s) if p is None else p for s, p in zip(shape, fixed, strict=True)))] = 1.0
    result = b.constant(mask, "mask")
    for axis, (size, found) in enumerate(zip(x.sizes, places, strict=True)):
        if isinstance(size, Dim) and found is not None:
            count = b.op("contrib.arange_like", b.cast(x, "float32"), axis=axis, hint="sample")
            chosen = [b.with_number("x == c", count, float(p), hint=f"is{p}") for p in found]
            rows = chosen[0] if len(chosen) == 1 else b.op("add_n", chosen, hint="chosen", gives=(size,))
            rows = reshape_to(b, rows, tuple(size if a == axis else 1 for a in range(x.rank)), hint="rows")
            result = b.op("broadcast_mul", rows, result, hint="mask")
    return result


def _block(b: Builder, x: Value, items: list[Any], kept: Shape, value: Operand) -> Value:
    """The written value in the shape of the region, with every axis of `x` and no other."""
    number = number_of(value)
    if number is not None:
        own = [i for i in items if i is not None]
        cuts = [cut_of(b, i, s) for i, s in zip(own, x.sizes, strict=True)]
        region = sliced(b, x, [replace(c, drop=False) for c in cuts])
        return full_like(b, replace(region, shape=kept), number, x.dtype, "value")
    value = of_kind(value, Value)
    inner = [i for i in items if not isinstance(i, int)]
    sizes = value.sizes[max(0, value.rank - len(inner)) :]
    given = iter((1,) * (len(inner) - len(sizes)) + sizes)
    full = [1 if isinstance(i, int) else next(given) for i in items]
    of_axes = tuple(size for size, i in zip(full, items, strict=True) if i is not None)
    return spread(b, reshape_to(b, value, of_axes, hint="value"), kept, "value")


def _written(b: Builder, x: Value, cuts: list[Cut], axis: int, block: Value) -> Value:
    """`x` with `block` in the region that `cuts` name: the axis is cut, written and joined again."""
    if all(c.whole for c in cuts[axis:]):
        return block
    c = cuts[axis]
    if c.whole:
        return _written(b, x, cuts, axis + 1, block)
    size = x.sizes[axis]
    if isinstance(size, Dim):
        raise b.refuse_batch("writing to a part of the batch")
    end = size if c.end is None else c.end
    # Where several axes are cut, the names tell which.
    which = str(axis) if sum(not one.whole for one in cuts) > 1 else ""
    middle = block
    if not all(r.whole for r in cuts[axis + 1 :]):
        middle = _written(b, cut(b, x, axis, c.begin, end, hint=f"inner{which}"), cuts, axis + 1, block)
    parts = [middle]
    if c.begin > 0:
        parts.insert(0, cut(b, x, axis, 0, c.begin, hint=f"before{which}"))
    if end < size:
        parts.append(cut(b, x, axis, end, size, hint=f"after{which}"))
    if len(parts) == 1:
        return middle
    return b.op("Concat", parts, dim=axis, hint=f"joined{which}")


# The number of classes is the node's last size.
@lowers("one_hot", ignores=("num_classes",))
def one_hot(b: Builder, input: Value) -> Value:
    return b.op("one_hot", input, depth=b.out.shape[-1], dtype=made_dtype(b))


def _hot(b: Builder, index: Value, depth: Size, dtype: str) -> Value:
    if isinstance(depth, Dim):
        raise b.refuse_batch(f"{b.node.op}() along the batch axis")
    return b.op("one_hot", index, depth=depth, dtype=dtype, hint="places")


@lowers("scatter", takes_numbers=True)
@lowers("scatter_add", takes_numbers=True, reduce="add")
def scatter(
    b: Builder,
    input: Value,
    dim: int,
    index: Value,
    src: Value | None = None,
    value: float | None = None,
    reduce: str | None = None,
) -> Value:
    """Values put at the places that an index names.

    torch: scatter and scatter_add along any axis.
    MXNet: has no such op along an axis.
    We write: a one_hot row for each value, and a sum, or a choice where nothing is added: the last of several
        values for one place, as torch's CPU does.
    Source: torch.scatter_add; mx.sym.one_hot.

    >>> converted(lambda x, i, v: x.scatter_add(1, i, v), (2, 3), Ints((2, 2), 3), (2, 2))
    i_ = mx.sym.one_hot(i_, depth=3, name="scatter_add_places")
    i_ = mx.sym.broadcast_mul(
        i_, mx.sym.expand_dims(v, axis=2, name="scatter_add_column"), name="scatter_add_values"
    )
    return mx.sym.elemwise_add(x, mx.sym.sum(i_, axis=1, name="scatter_add_sum"), name="scatter_add")
    """
    axis = dim % input.rank
    if any(a != axis and s != index.sizes[a] for a, s in enumerate(input.sizes)):
        raise b.refuse(
            f"{b.node.op}() with an index that leaves rows out", "scatter along the other axes too"
        )
    if reduce not in {None, "add"}:
        raise b.refuse(f"{b.node.op}() with reduce={reduce!r}", "use torch.where")
    places = _hot(b, index, input.sizes[axis], input.dtype)
    if src is None:
        value = present(value)
        if reduce != "add":
            return where_of(b, _onto(b, "max", places, axis), as_stored(b, value), input)
        times = _onto(b, "sum", places, axis)
        return b.op("elemwise_add", input, b.with_number("x * c", times, value, hint="value"))
    for a, size in enumerate(index.sizes):
        if src.sizes[a] != size:
            size = fixed(size)
            src = cut(b, src, a, 0, size, hint=f"source{a}")
    if reduce != "add" and not _is_distinct(b, index, axis):
        places = _last(b, places, index, axis)
    column = b.op("expand_dims", src, axis=input.rank, hint="column")
    values = _onto(b, "sum", b.op("broadcast_mul", places, column, hint="values"), axis)
    if reduce == "add":
        return b.op("elemwise_add", input, values)
    return where_of(b, _onto(b, "max", places, axis), values, input)


# The ops whose indices name each place of an axis once, and which of their results these are.
_RANKS = {"topk": 1, "sort": 1, "argsort": 0}


def _is_distinct(b: Builder, index: Value, axis: int) -> bool:
    """Whether an index is known to name no place of the axis twice."""
    if index.sizes[axis] == 1:
        return True
    if index.const is not None:
        ordered = np.sort(index.const, axis=axis)
        return not (np.diff(ordered, axis=axis) == 0).any()
    node = b.graph.by_name.get(index.node)
    if node is None or node.op not in _RANKS:
        return False
    ranks = b.values.get((node.name, _RANKS[node.op]))
    is_rank = ranks is not None and ranks.operand == index.operand
    return is_rank and node.kwargs.get("dim", -1) % index.rank == axis


def _last(b: Builder, places: Value, index: Value, axis: int) -> Value:
    """The one_hot rows of an index, without those that a later one along the axis names again."""
    count = fixed(index.sizes[axis])
    # Bytes do not count so far.
    counted = "float32" if places.dtype in {"int8", "uint8", "bool"} else places.dtype
    numbers = np.arange(1, count + 1, dtype=counted).reshape(-1, *(1,) * (index.rank - axis))
    order = b.op("broadcast_mul", b.cast(places, counted), b.constant(numbers, "order"), hint="order")
    latest = b.op("max", order, axis=axis, keepdims=True, hint="latest")
    is_last = b.cast(b.op("broadcast_equal", order, latest, hint="is_last"), places.dtype)
    return replace(b.op("elemwise_mul", places, is_last, hint="last"), shape=places.shape)


def _onto(b: Builder, op: str, rows: Value, axis: int) -> Value:
    """Rows (the axes of the index, then the places along `axis`) reduced to the shape that is written to."""
    flat = b.op(op, rows, axis=axis, hint=op)
    rank = rows.rank - 1
    order = (*range(axis), rank - 1, *range(axis, rank - 1))
    return flat if axis == rank - 1 else b.op("transpose", flat, axes=order, hint=f"{op}_axes")


@lowers("index_add", takes_numbers=True)
def index_add(b: Builder, input: Value, dim: int, index: Value, source: Value, alpha: float = 1) -> Value:
    axis = dim % input.rank
    places = _hot(b, index, input.sizes[axis], "float32")
    values = apply_along(b, source, axis, places, input.sizes[axis], "values")
    if b.out.dtype == "bool":  # torch's sum of bools is their "or"
        return binary(b, "maximum", input, b.with_number("x > c", values, 0, hint="hit"))
    values = b.with_number("x * c", values, alpha, hint="alpha") if alpha != 1 else values
    return binary(b, "add", input, values)


@lowers("index_copy", takes_numbers=True)
def index_copy(b: Builder, input: Value, dim: int, index: Value, source: Value) -> Value:
    axis = dim % input.rank
    places = _hot(b, index, input.sizes[axis], "float32")
    once = places if _is_distinct(b, index, 0) else _last(b, places, index, 0)
    values = apply_along(b, source, axis, once, input.sizes[axis], "values")
    return where_of(b, _covered(b, places, axis, input), values, input)


def _covered(b: Builder, places: Value, axis: int, x: Value) -> Value:
    """1 where an index names a place along the axis."""
    flat = b.op("max", places, axis=0, hint="covered")
    shape = tuple(s if a == axis else 1 for a, s in enumerate(x.sizes))
    return reshape_to(b, flat, shape, hint="mask")


@lowers("index_fill", takes_numbers=True)
def index_fill(b: Builder, input: Value, dim: int, index: Value, value: Operand) -> Value:
    axis = dim % input.rank
    places = _hot(b, index, input.sizes[axis], "float32")
    return where_of(b, _covered(b, places, axis, input), as_stored(b, value), input)
