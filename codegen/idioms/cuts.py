"""What an index cuts out along each axis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.value import Value
from codegen.idioms.along import must_hold, place_of
from codegen.idioms.around import like_result
from codegen.idioms.shapes import reshape_to
from codegen.ir import Dim, Shape, Size, elements_in

Ints: TypeAlias = tuple[int, ...]
MOST_AXES = 5  # of what MXNet's slice takes


@dataclass(frozen=True)
class Cut:
    """What a basic index does to one axis: [begin, end) by step, and whether the axis goes."""

    begin: int
    end: int | None
    step: int
    drop: bool = False

    @property
    def whole(self) -> bool:
        return self.begin == 0 and self.end is None and self.step == 1


def expanded_index(index: Any, rank: int) -> list[Any]:
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


def cut_of(b: Builder, item: Any, size: Size) -> Cut:
    if isinstance(item, int):
        return _at(item, size)
    if any(isinstance(p, Dim) for p in (item.start, item.step)) or isinstance(item.start, Value):
        raise b.refuse_batch("a slice that starts at a place that follows the batch")
    step = item.step or 1
    if isinstance(size, Dim):
        stops_at_end = item.stop is None or item.stop == size
        if not stops_at_end and not isinstance(item.stop, int):
            raise b.refuse_batch("a slice of the batch axis")
        begin = item.start or 0
        must_hold(b, place_of(begin, size), size if stops_at_end else place_of(item.stop, size), size)
        return Cut(begin, None if stops_at_end else item.stop, step)
    if isinstance(item.stop, Dim):
        raise b.refuse_batch("a slice that ends at a place that follows the batch")
    begin, end, step = slice(item.start, item.stop, item.step).indices(size)
    end = max(begin, end)
    return Cut(begin, None if end == size else end, step)


def _at(place: int, size: Size) -> Cut:
    if isinstance(size, Dim):
        return Cut(place, None if place == -1 else place + 1, 1, drop=True)
    place %= size
    return Cut(place, place + 1, 1, drop=True)


def plain_cuts(b: Builder, item: Any) -> Any:
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


def basic_index(b: Builder, x: Value, items: list[Any], shape: Shape) -> Value:
    """What numbers, slices and new axes of an index cut out.

    torch: an index of numbers alone gives a tensor without axes.
    MXNet: symbols have no such tensor: shape () is "unknown".
    We write: the cuts in one op, and the axes of numbers taken away; of numbers alone a tensor of shape (1,).
    Source: torch.Tensor.select; mx.sym.slice_axis.

    >>> converted(lambda x: x[0, 1], (2, 3))
    x = mx.sym.slice(x, begin=(None, 1), end=(1, 2), name="getitem_slice")
    return mx.sym.Reshape(x, shape=(1,), name="getitem_number")
    """
    cuts = [
        cut_of(b, item, size) for item, size in zip([i for i in items if i is not None], x.sizes, strict=True)
    ]
    x = sliced(b, x, cuts)
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
        )
    if news:
        x = _with_new_axes(b, x, items, shape)
    return x


def _with_new_axes(b: Builder, x: Value, items: list[Any], shape: Shape) -> Value:
    kept = [i for i in items if i is None or not isinstance(i, int)]
    places = [k for k, i in enumerate(kept) if i is None]
    if len(places) == 1 and not x.rank:
        return replace(x, shape=(1,))  # MXNet has no number without an axis: it has one already
    if len(places) == 1:
        return b.op("expand_dims", x, axis=places[0])
    return reshape_to(b, x, shape)


def sliced(b: Builder, x: Value, cuts: list[Cut]) -> Value:
    active = [(axis, c) for axis, c in enumerate(cuts) if not c.whole]
    if not active:
        return x
    gives = tuple(length_of(b, size, c) for size, c in zip(x.sizes, cuts, strict=True))
    like = like_result(b, x.dtype) if all(c.step == 1 and c.begin == 0 for c in cuts) else None
    if like is not None and like[1] == like[2] == tuple(axis for axis, _ in active) and gives == b.out.shape:
        return b.op("slice_like", x, like[0], axes=like[1], gives=gives)  # as large as another image
    if len(active) == 1 and active[0][1].step == 1:
        axis, c = active[0]
        return b.op("slice_axis", x, axis=axis, begin=c.begin, end=c.end, hint="slice" if c.drop else "")
    if x.rank > MOST_AXES:
        for axis, c in active:
            x = _cut_alone(b, x, axis, c)
        return x
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


def _cut_alone(b: Builder, x: Value, axis: int, c: Cut) -> Value:
    """A cut of one axis of more than `slice` takes."""
    if c.step == 1:
        return b.op("slice_axis", x, axis=axis, begin=c.begin, end=c.end, hint=f"slice{axis}")
    size, length = x.sizes[axis], length_of(b, x.sizes[axis], c)
    before, after = elements_in(x.sizes[:axis]), elements_in(x.sizes[axis + 1 :])
    if before is None or after is None:
        raise b.refuse_batch("a cut of more than five axes beside two")
    cells = reshape_to(b, x, (before, size, after), hint=f"cells{axis}")
    cut = b.op(
        "slice",
        cells,
        begin=(None, None if c.begin == 0 else c.begin),
        end=(None, c.end),
        step=(None, c.step),
        hint=f"slice{axis}",
        gives=(before, length, after),
    )
    return reshape_to(b, cut, (*x.sizes[:axis], length, *x.sizes[axis + 1 :]), hint=f"cut{axis}")


def length_of(b: Builder, size: Size, c: Cut) -> Size:
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
