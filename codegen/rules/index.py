"""Indexing, in torch's whole notation, and writing to an index."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from codegen.lower import Builder, Value
from codegen.registry import lowers
from codegen.rules.arithmetic import Operand, full_like, number_of
from codegen.rules.layout import cut, permute, reshape_to
from codegen.rules.linear import spread
from tracer.ir import Dim, Ref, Shape, Size, product, shape_at

Ints: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class _Cut:
    """What a basic index does to one axis: [begin, end) by step, and whether the axis goes."""

    begin: int
    end: int | None
    step: int
    drop: bool = False

    @property
    def whole(self) -> bool:
        return self.begin == 0 and self.end is None and self.step == 1


def _expanded(index: Any, rank: int) -> list[Any]:
    """The index as a list with one item for each axis (and None for each new one)."""
    items = list(index) if isinstance(index, tuple) else [index]
    taken = sum(_axes_of(i) for i in items if i is not None and i is not Ellipsis)
    missing = [slice(None)] * (rank - taken)
    place = next((k for k, i in enumerate(items) if i is Ellipsis), None)
    if place is None:
        return items + missing
    rest = [i for i in items[place + 1 :] if i is not Ellipsis]
    return items[:place] + missing + rest


def _axes_of(item: Any) -> int:
    if isinstance(item, Value) and item.is_bool:
        return item.rank
    return 1


def _cut_of(b: Builder, item: Any, size: Size) -> _Cut:
    if isinstance(item, int):
        return _at(b, item, size)
    if any(isinstance(p, Dim) for p in (item.start, item.step)) or isinstance(item.start, Value):
        raise b.refuse(
            "a slice that starts at a place that follows the batch", "fix the batch size with --input"
        )
    step = item.step or 1
    if isinstance(size, Dim):
        stops_at_end = item.stop is None or item.stop == size
        if not stops_at_end and not isinstance(item.stop, int):
            raise b.refuse("a slice of the batch axis", "fix the batch size with --input")
        return _Cut(item.start or 0, None if stops_at_end else item.stop, step)
    if isinstance(item.stop, Dim):
        raise b.refuse(
            "a slice that ends at a place that follows the batch", "fix the batch size with --input"
        )
    begin, end, step = slice(item.start, item.stop, item.step).indices(size)
    end = max(begin, end)
    return _Cut(begin, None if end == size else end, step)


def _at(b: Builder, place: int, size: Size) -> _Cut:
    if isinstance(size, Dim):
        return _Cut(place, None if place == -1 else place + 1, 1, drop=True)
    place %= size
    return _Cut(place, place + 1, 1, drop=True)


@lowers("getitem")
def getitem(b: Builder, input: Value, index: Any) -> Value:
    items = [_plain(b, i) for i in _expanded(index, input.rank)]
    input, items = _first_of_batch(b, input, items)
    tensors = [i for i in items if isinstance(i, Value)]
    one_of_all = _one_of_all(b, input)
    if one_of_all is not None:
        axis, place = one_of_all
        return b.all_along(input, axis, b.out.shape)[place]
    if not tensors:
        return _basic(b, input, items, b.out.shape)
    if len(tensors) == 1 and tensors[0].is_bool:
        raise b.refuse("indexing by a mask gives a size that depends on the data", "use torch.where")
    return _advanced(b, input, items)


def _one_of_all(b: Builder, x: Value) -> tuple[int, int] | None:
    """(axis, place) where the module takes each place of an axis: `q, k, v = qkv[0], qkv[1], qkv[2]`."""
    places = {}
    for node in b.readers("input"):
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
    items = _expanded(tuple(items), rank)
    numbers = [(axis, i) for axis, i in enumerate(items) if isinstance(i, int) and not isinstance(i, bool)]
    rest = [i for i in items if not isinstance(i, int)]
    return numbers[0] if len(numbers) == 1 and all(i == slice(None) for i in rest) else None


def _first_of_batch(b: Builder, x: Value, items: list[Any]) -> tuple[Value, list[Any]]:
    """`x[:n]` of an axis that follows the batch, n following it too: as long as a tensor that has n there."""
    axes = [k for k, i in enumerate(items) if i is not None]
    if any(isinstance(i, Value) and i.is_bool for i in items):
        return x, items
    for axis, place in enumerate(axes):
        item = items[place]
        if not isinstance(item, slice) or not isinstance(item.stop, Dim) or item.start or item.step:
            continue
        like = b.like_batch(item.stop)
        if (
            item.stop == x.sizes[axis]
            or not isinstance(x.sizes[axis], Dim)
            or like is None
            or like[1] != axis
        ):
            continue
        gives = (*x.sizes[:axis], item.stop, *x.sizes[axis + 1 :])
        x = b.op("slice_like", x, b.cast(like[0], x.dtype), axes=(axis,), hint="first", gives=gives)
        items = [*items[:place], slice(None), *items[place + 1 :]]
    return x, items


def _plain(b: Builder, item: Any) -> Any:
    """Numbers out of 0-d constants, tensors out of lists."""
    if isinstance(item, Value) and item.const is not None and item.const.ndim == 0 and not item.is_bool:
        return int(item.const)
    if isinstance(item, tuple):
        array = np.asarray(item)
        if array.dtype == np.bool_:
            array = np.nonzero(array)[0]
        return b.constant(array.astype(np.int64), "index")
    if isinstance(item, Value) and item.is_bool and item.const is not None and item.rank == 1:
        return b.constant(np.nonzero(item.const)[0].astype(np.int64), "index")
    if isinstance(item, bool):
        raise b.refuse("indexing by a bool")
    return item


def _basic(b: Builder, x: Value, items: list[Any], shape: Shape) -> Value:
    cuts = [
        _cut_of(b, item, size)
        for item, size in zip([i for i in items if i is not None], x.sizes, strict=True)
    ]
    x = _sliced(b, x, cuts)
    dropped = tuple(axis for axis, c in enumerate(cuts) if c.drop)
    news = [k for k, i in enumerate(items) if i is None]
    if not dropped and not news:
        return x
    if not shape:
        return (
            reshape_to(b, replace(x, shape=(1,)), (), hint="number")
            if x.rank == 1
            else b.op("Reshape", x, shape=(1,), hint="number")
        )
    if dropped:
        rest = tuple(s for axis, s in enumerate(x.sizes) if axis not in dropped)
        if not rest:
            return b.op("Reshape", x, shape=(1,) * max(1, len(news)), hint="shaped")
        x = b.op(
            "squeeze",
            x,
            axis=dropped[0] if len(dropped) == 1 else dropped,
            hint="" if not news else "squeezed",
            gives=rest,
        )
    if news:
        x = _with_new_axes(b, x, items, shape)
    return x


def _with_new_axes(b: Builder, x: Value, items: list[Any], shape: Shape) -> Value:
    kept = [i for i in items if i is None or not isinstance(i, int)]
    places = [k for k, i in enumerate(kept) if i is None]
    if len(places) == 1:
        return b.op("expand_dims", x, axis=places[0], gives=shape)
    return reshape_to(b, x, shape)


def _sliced(b: Builder, x: Value, cuts: list[_Cut]) -> Value:
    active = [(axis, c) for axis, c in enumerate(cuts) if not c.whole]
    if not active:
        return x
    gives = tuple(_length(b, size, c) for size, c in zip(x.sizes, cuts, strict=True))
    if len(active) == 1 and active[0][1].step == 1:
        axis, c = active[0]
        last = b.op(
            "slice_axis", x, axis=axis, begin=c.begin, end=c.end, hint="slice" if c.drop else "", gives=gives
        )
        return last
    steps = tuple(c.step for c in cuts)
    return b.op(
        "slice",
        x,
        begin=tuple(None if c.begin == 0 else c.begin for c in cuts),
        end=tuple(c.end for c in cuts),
        step=None if set(steps) == {1} else steps,
        hint="slice" if any(c.drop for c in cuts) else "",
        gives=gives,
    )


def _length(b: Builder, size: Size, c: _Cut) -> Size:
    if c.drop:
        return 1
    if isinstance(size, Dim):
        if c.whole:
            return size
        if c.end is not None and c.end > 0 and c.begin >= 0:
            return -(-(c.end - c.begin) // c.step)
        axis_sizes = [s for s in b.out.shape if isinstance(s, Dim)]
        return axis_sizes[0] if axis_sizes else size
    end = size if c.end is None else c.end
    return -(-(end - c.begin) // c.step)


def _advanced(b: Builder, x: Value, items: list[Any]) -> Value:
    """Integer tensors among the indices: `take` for one, `gather_nd` for several. Numbers go first."""
    basic: list[Any] = [slice(None) if isinstance(i, Value) else i for i in items]
    tensors = {k: i for k, i in enumerate(i for i in items if not isinstance(i, int)) if isinstance(i, Value)}
    shape = _basic_shape(b, x, basic)
    x = replace(_basic(b, x, basic, shape), shape=shape)
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
            shape.append(_length(b, size, _cut_of(b, item, size)))
    return tuple(shape)


def take(b: Builder, x: Value, index: Value, axis: int, hint: str = "") -> Value:
    """`x` at the places `index` along `axis`; negative places count from the end."""
    gives = (*x.sizes[:axis], *index.sizes, *x.sizes[axis + 1 :])
    if index.const is not None and not isinstance(x.sizes[axis], Dim):
        index = replace(index, const=index.const % x.sizes[axis], operand=None)
    mode = "clip" if index.const is not None else "wrap"
    return b.op("take", x, index, axis=axis, mode=mode, hint=hint, gives=gives)


def _laid_out(b: Builder, x: Value, tensors: dict[int, Value]) -> Value | None:
    """`mask[batch[:, None], place[None, :]]` where each index counts a whole axis: the axes, laid out anew."""
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
        counts = b.counts_up(index)
    return rank - index.rank + axes[0] if counts else None


def _gathered(b: Builder, x: Value, tensors: dict[int, Value]) -> Value:
    axes = list(tensors)
    rest = [a for a in range(x.rank) if a not in axes]
    common: Shape = ()
    for value in tensors.values():
        common = _broadcast(common, value.sizes)
    moved = permute(b, x, axes + rest)
    parts = []
    for axis, value in tensors.items():
        size = x.sizes[axis]
        value = (
            replace(value, const=value.const % size, operand=None)
            if value.const is not None and isinstance(size, int)
            else value
        )
        if value.const is None and not b.counts_up(value):
            if isinstance(size, Dim):
                raise b.refuse("indexing the batch axis by a tensor", "fix the batch size with --input")
            value = b.with_number("x % c", b.cast(value, "float32"), float(size), hint=f"wrapped{axis}")
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
    return permute(b, picked, order)


def _broadcast(left: Shape, right: Shape) -> Shape:
    rank = max(len(left), len(right))
    pairs = zip((1,) * (rank - len(left)) + left, (1,) * (rank - len(right)) + right, strict=True)
    return tuple(r if x == 1 else x for x, r in pairs)


@lowers("select")
def select(b: Builder, input: Value, dim: int, index: int) -> Value:
    items: list[Any] = [slice(None)] * input.rank
    items[dim % input.rank] = index
    return _basic(b, input, items, b.out.shape)


@lowers("narrow")
def narrow(b: Builder, input: Value, dim: int, start: int, length: int) -> Value:
    axis = dim % input.rank
    size = input.sizes[axis]
    if isinstance(size, Dim) or isinstance(start, Dim) or isinstance(length, Dim):
        raise b.refuse("narrow() along the batch axis", "fix the batch size with --input")
    return cut(b, input, axis, start % size if size else 0, start % size + length if size else 0)


@lowers("index_select")
def index_select(b: Builder, input: Value, dim: int, index: Value) -> Value:
    return take(b, input, index, dim % input.rank)


@lowers("gather", ignores=("sparse_grad",))
def gather(b: Builder, input: Value, dim: int, index: Value) -> Value:
    axis = dim % input.rank
    others = tuple(s for a, s in enumerate(index.sizes) if a != axis)
    if others != tuple(s for a, s in enumerate(input.sizes) if a != axis):
        input = _cut_to(b, input, index.sizes, axis)
    # pick() takes one place for each row: the axis goes last, and the places are one axis more.
    size = input.sizes[axis]
    count = index.sizes[axis]
    if isinstance(size, Dim) or isinstance(count, Dim):
        raise b.refuse("gather() along the batch axis", "fix the batch size with --input")
    if count == 1:
        return b.op("pick", input, b.cast(index, "float32"), axis=axis, keepdims=True, mode="clip")
    wide = spread(
        b,
        b.op(
            "expand_dims", input, axis=axis, hint="rows", gives=(*input.sizes[:axis], 1, *input.sizes[axis:])
        ),
        (*input.sizes[:axis], count, *input.sizes[axis:]),
        "rows",
    )
    return b.op("pick", wide, b.cast(index, "float32"), axis=axis + 1, mode="clip")


def _cut_to(b: Builder, x: Value, sizes: Shape, axis: int) -> Value:
    for a, (have, want) in enumerate(zip(x.sizes, sizes, strict=True)):
        if a != axis and have != want:
            if isinstance(want, Dim):
                raise b.refuse("gather() with another batch size than its input's")
            x = cut(b, x, a, 0, want, hint=f"cut{a}")
    return x


@lowers("setitem")
def setitem(b: Builder, input: Value, index: Any, value: Operand) -> Value:
    if isinstance(index, Value) and index.is_bool:
        from codegen.rules.arithmetic import where

        if isinstance(value, Value) and value.rank and index.rank != input.rank:
            raise b.refuse("writing a tensor through a mask", "use torch.where")
        mask = index
        if index.rank < input.rank:
            mask = reshape_to(b, index, (*index.sizes, *(1,) * (input.rank - index.rank)), hint="mask")
        if isinstance(value, Value) and value.rank:
            raise b.refuse("writing a tensor through a mask", "use torch.where")
        return where(b, mask, value, input)
    items = [_plain(b, i) for i in _expanded(index, input.rank) if i is not None]
    tensors = [i for i in items if isinstance(i, Value)]
    if len(tensors) > 1 or any(t.const is None or t.rank != 1 for t in tensors):
        raise b.refuse("writing to places that a tensor names", "use torch.where or torch.scatter")
    if (
        tensors
        or any(isinstance(i, slice) and i.step not in {None, 1} for i in items)
        or _parts_batch(input, items)
    ):
        return _placed(b, input, items, value)
    cuts = [_cut_of(b, i, s) for i, s in zip(items, input.sizes, strict=True)]
    kept = tuple(_length(b, s, c) for s, c in zip(input.sizes, cuts, strict=True))
    return _written(b, input, cuts, 0, _block(b, input, cuts, kept, value))


def _parts_batch(x: Value, items: list[Any]) -> bool:
    """Whether an index takes a part of an axis that follows the batch."""
    return any(isinstance(s, Dim) and i != slice(None) for i, s in zip(items, x.sizes, strict=True))


def _placed(b: Builder, x: Value, items: list[Any], value: Operand) -> Value:
    """A write to single places along each axis: a mask keeps the rest."""
    from codegen.rules.arithmetic import where

    places = [_places(b, item, size) for item, size in zip(items, x.sizes, strict=True)]
    mask = _mask(b, x, places)
    number = number_of(value)
    if number is not None:
        return where(b, mask, number, x)
    kept = tuple(s if p is None else len(p) for s, p in zip(x.sizes, places, strict=True))
    cuts = [_Cut(0, None, 1, drop=isinstance(item, int)) for item in items]
    block = _block(b, x, cuts, kept, value)
    for axis, (size, found) in enumerate(zip(x.sizes, places, strict=True)):
        if found is None or len(found) == 1:
            continue
        if isinstance(size, Dim):
            raise b.refuse("writing several samples of the batch", "fix the batch size with --input")
        source = np.zeros(size, np.int64)
        source[found] = np.arange(len(found))
        block = take(b, block, b.constant(source, f"source{axis}"), axis, hint=f"placed{axis}")
    return where(b, mask, block, x)


def _places(b: Builder, item: Any, size: Size) -> npt.NDArray[np.int64] | None:
    """The places that an index names along one axis, None for all of them."""
    if item == slice(None):
        return None
    if isinstance(item, Value):
        assert item.const is not None
        return item.const % size if isinstance(size, int) else item.const
    c = _cut_of(b, item, size)
    end = size if c.end is None else c.end
    if isinstance(end, Dim) or c.begin < 0 or end < 0:
        raise b.refuse(
            "writing to a part of the batch counted from its end", "fix the batch size with --input"
        )
    return np.arange(c.begin, end, c.step)


def _mask(b: Builder, x: Value, places: list[npt.NDArray[np.int64] | None]) -> Value:
    shape = tuple(1 if isinstance(s, Dim) else s for s in x.sizes)
    mask = np.zeros(shape, np.float32)
    fixed = [None if isinstance(s, Dim) else p for s, p in zip(x.sizes, places, strict=True)]
    mask[np.ix_(*(np.arange(s) if p is None else p for s, p in zip(shape, fixed, strict=True)))] = 1.0
    result = b.constant(mask, "mask")
    for axis, (size, found) in enumerate(zip(x.sizes, places, strict=True)):
        if isinstance(size, Dim) and found is not None:
            count = b.op("contrib.arange_like", b.cast(x, "float32"), axis=axis, hint="sample", gives=(size,))
            chosen = [b.with_number("x == c", count, float(p), hint=f"is{p}") for p in found]
            rows = chosen[0] if len(chosen) == 1 else b.op("add_n", chosen, hint="chosen", gives=(size,))
            rows = reshape_to(b, rows, tuple(size if a == axis else 1 for a in range(x.rank)), hint="rows")
            gives = tuple(size if a == axis else s for a, s in enumerate(result.sizes))
            result = b.op("broadcast_mul", rows, result, hint="mask", gives=gives)
    return result


def _block(b: Builder, x: Value, cuts: list[_Cut], kept: Shape, value: Operand) -> Value:
    """The written value in the shape of the region, with every axis."""
    number = number_of(value)
    if number is not None:
        region = _sliced(b, x, [replace(c, drop=False) for c in cuts])
        return full_like(b, replace(region, shape=kept), number, x.dtype, "value")
    assert isinstance(value, Value)
    value = b.cast(value, x.dtype)
    inner = tuple(s for s, c in zip(kept, cuts, strict=True) if not c.drop)
    sizes = value.sizes[max(0, value.rank - len(inner)) :]
    sizes = (1,) * (len(inner) - len(sizes)) + sizes
    places = iter(sizes)
    full = tuple(1 if c.drop else next(places) for c in cuts)
    return spread(b, reshape_to(b, value, full, hint="value"), kept, "value")


def _written(b: Builder, x: Value, cuts: list[_Cut], axis: int, block: Value) -> Value:
    """`x` with `block` in the region that `cuts` name: the axis is cut, written and joined again."""
    if all(c.whole for c in cuts[axis:]):
        return block
    c = cuts[axis]
    if c.whole:
        return _written(b, x, cuts, axis + 1, block)
    size = x.sizes[axis]
    if isinstance(size, Dim):
        raise b.refuse("writing to a part of the batch", "fix the batch size with --input")
    end = size if c.end is None else c.end
    middle = block
    if not all(r.whole for r in cuts[axis + 1 :]):
        middle = _written(b, cut(b, x, axis, c.begin, end, hint=f"inner{axis}"), cuts, axis + 1, block)
    parts = [middle]
    if c.begin > 0:
        parts.insert(0, cut(b, x, axis, 0, c.begin, hint=f"before{axis}"))
    if end < size:
        parts.append(cut(b, x, axis, end, size, hint=f"after{axis}"))
    if len(parts) == 1:
        return middle
    return b.op("Concat", parts, dim=axis, hint=f"joined{axis}", gives=x.shape)


def made(b: Builder, number: float) -> Value:
    """A tensor of one number in the node's shape, whose sizes may follow the batch."""
    from codegen.lower import MX_DTYPES

    dtype = MX_DTYPES[b.out.dtype]
    dtype = "float32" if dtype == "bool" else dtype
    shape = tuple(1 if isinstance(s, Dim) else s for s in b.out.shape) or (1,)
    kind = {0.0: "zeros", 1.0: "ones"}.get(float(number)) if not isinstance(number, Value) else None
    if kind is None:
        one = b.op("ones", shape=shape, dtype=dtype, hint="ones", gives=shape)
        value = b.with_number("x * c", one, number, hint="full")
    else:
        value = b.op(kind, shape=shape, dtype=dtype, hint=kind, gives=shape)
    return spread(b, value, b.out.shape or (1,), "batch")


# The shape and the dtype of a tensor made in forward are those of the node.
@lowers("zeros", "zeros_like", "empty", "empty_like", ignores=("size", "dtype", "input"))
def zeros(b: Builder) -> Value:
    return made(b, 0)


@lowers("ones", "ones_like", ignores=("size", "dtype", "input"))
def ones(b: Builder) -> Value:
    return made(b, 1)


@lowers("full", "full_like", ignores=("size", "dtype", "input"))
def full(b: Builder, fill_value: Operand) -> Value:
    number = number_of(fill_value)
    if number is None:
        raise b.refuse("full() with a value that is computed", "use expand()")
    return made(b, number)


@lowers("arange", ignores=("dtype",))
def arange(b: Builder, end: Size | float, start: Size | float = 0, step: Size | float = 1) -> Value:
    if not isinstance(end, Dim) or isinstance(start, Dim) or isinstance(step, Dim):
        raise b.refuse("arange() of a length that is not the batch size")
    found = b.like_batch(b.out.shape[0])
    if found is None:
        raise b.refuse("arange() of a length that no tensor has")
    like, axis = found
    like = b.cast(like, "float32")
    return b.op(
        "contrib.arange_like", like, start=float(start), step=float(step), axis=axis, gives=b.out.shape
    )


@lowers("zero", ignores=("input",))
def zero(b: Builder) -> Value:
    return made(b, 0)


@lowers("fill", ignores=("input",))
def fill(b: Builder, value: Operand) -> Value:
    number = number_of(value)
    if number is not None:
        return made(b, number)
    assert isinstance(value, Value)
    return spread(b, b.cast(value, _made_dtype(b)), b.out.shape or (1,), "value")


@lowers("copy", ignores=("input",))
def copy(b: Builder, src: Value) -> Value:
    return spread(b, b.cast(src, _made_dtype(b)), b.out.shape or (1,), "copy")


def _made_dtype(b: Builder) -> str:
    from codegen.lower import MX_DTYPES

    dtype = MX_DTYPES[b.out.dtype]
    return "float32" if dtype == "bool" else dtype


# The number of classes is the node's last size.
@lowers("one_hot", ignores=("num_classes",))
def one_hot(b: Builder, input: Value) -> Value:
    return b.op("one_hot", input, depth=b.out.shape[-1], dtype=_made_dtype(b), gives=b.out.shape)


def _hot(b: Builder, index: Value, depth: Size, dtype: str) -> Value:
    if isinstance(depth, Dim):
        raise b.refuse(f"{b.node.op}() along the batch axis", "fix the batch size with --input")
    return b.op("one_hot", index, depth=depth, dtype=dtype, hint="places", gives=(*index.sizes, depth))


# torch gives no rule for what happens where two values fall on one place, but for scatter_add.
@lowers("scatter", "scatter_add")
def scatter(
    b: Builder,
    input: Value,
    dim: int,
    index: Value,
    src: Value | None = None,
    value: float | None = None,
    reduce: str | None = None,
) -> Value:
    from codegen.rules.arithmetic import where

    axis = dim % input.rank
    if any(a != axis and s != index.sizes[a] for a, s in enumerate(input.sizes)):
        raise b.refuse(
            f"{b.node.op}() with an index that leaves rows out", "scatter along the other axes too"
        )
    if reduce not in {None, "add"}:
        raise b.refuse(f"{b.node.op}() with reduce={reduce!r}", "use torch.where")
    places = _hot(b, index, input.sizes[axis], input.dtype)
    order = [*range(axis), input.rank - 1, *range(axis, input.rank - 1)]
    rest = (*index.sizes[:axis], *index.sizes[axis + 1 :], input.sizes[axis])

    def onto(op: str, x: Value) -> Value:
        flat = b.op(op, x, axis=axis, hint=op, gives=rest)
        return flat if axis == input.rank - 1 else _permuted(b, flat, order, op)

    adds = b.node.op == "scatter_add" or reduce == "add"
    if src is None:
        assert value is not None
        if adds:
            return b.op(
                "elemwise_add", input, b.with_number("x * c", onto("sum", places), value, hint="value")
            )
        return where(b, onto("max", places), value, input)
    for a, size in enumerate(index.sizes):
        if src.sizes[a] != size:
            assert isinstance(size, int)
            src = cut(b, src, a, 0, size, hint=f"source{a}")
    column = b.op("expand_dims", src, axis=input.rank, hint="column", gives=(*index.sizes, 1))
    values = onto("sum", b.op("broadcast_mul", places, column, hint="values", gives=places.shape))
    if adds:
        return b.op("elemwise_add", input, values, gives=input.shape)
    return where(b, onto("max", places), values, input)


def _permuted(b: Builder, x: Value, order: list[int], hint: str) -> Value:
    gives = tuple(x.sizes[a] for a in order)
    return b.op("transpose", x, axes=tuple(order), hint=f"{hint}_axes", gives=gives)


@lowers("index_add", "index_copy")
def index_add(b: Builder, input: Value, dim: int, index: Value, source: Value, alpha: float = 1) -> Value:
    from codegen.rules.arithmetic import binary, where
    from codegen.rules.resize import apply_along

    axis = dim % input.rank
    places = _hot(b, index, input.sizes[axis], "float32")
    values = apply_along(b, source, axis, places, input.sizes[axis], "values")
    if b.node.op == "index_add":
        values = b.with_number("x * c", values, alpha, hint="alpha") if alpha != 1 else values
        return binary(b, "add", input, values)
    return where(b, _covered(b, places, axis, input), values, input)


def _covered(b: Builder, places: Value, axis: int, x: Value) -> Value:
    """1 where an index names a place along the axis."""
    flat = b.op("max", places, axis=0, hint="covered", gives=places.sizes[1:])
    shape = tuple(s if a == axis else 1 for a, s in enumerate(x.sizes))
    return reshape_to(b, flat, shape, hint="mask")


@lowers("index_fill")
def index_fill(b: Builder, input: Value, dim: int, index: Value, value: Operand) -> Value:
    from codegen.rules.arithmetic import where

    axis = dim % input.rank
    places = _hot(b, index, input.sizes[axis], "float32")
    return where(b, _covered(b, places, axis, input), value, input)


@lowers("bucketize", "searchsorted", ignores=("out_int32",))
def bucketize(
    b: Builder,
    input: Operand,
    boundaries: Value | None = None,
    sorted_sequence: Value | None = None,
    right: bool = False,
    side: str | None = None,
) -> Value:
    """How many boundaries lie below."""
    sequence = boundaries if boundaries is not None else sorted_sequence
    assert sequence is not None
    if not isinstance(input, Value):
        input = b.constant(np.asarray([input], np.float32), "value")
    count, lead = sequence.sizes[-1], sequence.sizes[:-1] if sequence.rank > 1 else (1,) * input.rank
    column = b.op("expand_dims", input, axis=input.rank, hint="column", gives=(*input.sizes, 1))
    shape = (*lead, 1, count) if sequence.rank > 1 else (*lead, count)
    line = reshape_to(b, sequence, shape, hint="line")
    op = "broadcast_greater_equal" if right or side == "right" else "broadcast_greater"
    below = b.op(op, column, line, hint="below", gives=(*input.sizes, count))
    return b.op("sum", below, axis=input.rank, gives=input.shape)


# The size is the node's.
@lowers("resize", "resize_as", ignores=("size", "the_template", "memory_format"))
def resize(b: Builder, input: Value, input_stride: Shape = ()) -> Value:
    """The first elements, as they lie in memory. Legacy layers make an empty tensor and then its size."""
    count, wanted = product(input.sizes), product(b.out.shape)
    if input.sizes == b.out.shape:
        return input
    if count == 0:
        return new(b)
    dense = shape_at(input_stride, 1) == contiguous(shape_at(input.sizes, 1))
    if not isinstance(count, int) or not isinstance(wanted, int) or wanted > count or not dense:
        raise b.refuse(
            f"{b.node.op}() to more elements than there are, which torch leaves unset, or of the batch or a view",
            "make a new tensor",
        )
    flat = reshape_to(b, input, (count,), hint="flat")
    flat = flat if wanted == count else cut(b, flat, 0, 0, wanted, hint="first")
    return reshape_to(b, flat, b.out.shape)


def contiguous(shape: Ints) -> Ints:
    """The strides of a tensor that lies in memory without gaps, the last axis first."""
    return tuple(int(np.prod(shape[axis + 1 :], dtype=np.int64)) for axis in range(len(shape)))


# A tensor that torch leaves unset: nothing of it is read.
@lowers("new", ignores=("input",))
def new(b: Builder) -> Value:
    if any(isinstance(s, Dim) for s in b.out.shape):
        return made(b, 0)
    return b.constant(np.zeros(b.out.shape, _made_dtype(b)), "new")  # type: ignore[arg-type]


@lowers("tensor", "as_tensor", "scalar_tensor", ignores=("dtype",))
def tensor(b: Builder, t: Any = None, data: Any = None, s: Any = None) -> Value:
    """A tensor of numbers, of which some follow the batch."""
    from codegen.rules.arithmetic import batch_number, binary

    data = next(v for v in (t, data, s) if v is not None)  # torch's name differs by op
    if isinstance(data, Value):
        return b.cast(data, _made_dtype(b))

    def part(item: Any, of: Any) -> Any:
        return [part(i, of) for i in item] if isinstance(item, tuple) else of(item)

    dtype = _made_dtype(b)
    coefs = np.asarray(part(data, lambda i: float(i.coef) if isinstance(i, Dim) else 0.0), dtype)
    consts = np.asarray(part(data, lambda i: float(i.const) if isinstance(i, Dim) else i), dtype)
    batch = batch_number(b, Dim(Fraction(1)), dtype)
    if not coefs.shape:
        scaled = b.with_number("x * c", batch, float(coefs), hint="scaled") if coefs != 1 else batch
        return b.with_number("x + c", scaled, float(consts)) if consts else scaled
    scaled = binary(b, "mul", b.constant(coefs, "factors"), batch, hint="scaled")
    return binary(b, "add", scaled, b.constant(consts, "numbers"))


@lowers("as_strided")
def as_strided(
    b: Builder,
    input: Value,
    size: Shape,
    stride: Shape,
    input_stride: Shape,
    storage_offset: int | None = None,
) -> Value:
    """A gather: each place of the result is the place of the input that lies at the same address."""
    lead = 1 if isinstance(size[0], Dim) else 0
    if lead and (size[0] != input.sizes[0] or stride[0] != input_stride[0]):
        raise b.refuse("as_strided() across the samples of the batch", "write it with unfold()")
    shapes = input.sizes[lead:], input_stride[lead:], size[lead:], stride[lead:]
    found = [_same_addresses(*(shape_at(s, batch) for s in shapes)) for batch in (1, 2)]
    if storage_offset or found[0] is None or found[1] is None or not np.array_equal(found[0], found[1]):
        raise b.refuse("as_strided() of memory that is not the tensor's own", "write it with unfold()")
    elements = int(np.prod(shape_at(input.sizes[lead:], 1)))
    flat = reshape_to(b, input, (*input.sizes[:lead], elements), hint="flat")
    return take(b, flat, b.constant(found[0], "places"), lead)


def _same_addresses(sizes: Ints, strides: Ints, new_sizes: Ints, new_strides: Ints) -> Any:
    """Which element of the first tensor each element of the second is; None where it is none of them."""
    addresses, wanted = _addresses(sizes, strides).reshape(-1), _addresses(new_sizes, new_strides)
    table = np.full(int(max(addresses.max(), wanted.max())) + 1, -1, np.int64)
    table[addresses] = np.arange(addresses.size)
    places = table[wanted]
    return None if (places < 0).any() else places


def _addresses(sizes: Ints, strides: Ints) -> Any:
    """The address of every element, from the first."""
    found = np.zeros((), np.int64)
    for size, stride in zip(sizes, strides, strict=True):
        found = found[..., None] + np.arange(size) * stride
    return found
