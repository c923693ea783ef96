"""Max pooling with the places of its maxima, and its inverse."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value, fixed
from codegen.defects import present
from codegen.idioms.pooling import adaptive_to, max_pooled, window_cells
from codegen.idioms.shapes import cut, reshape_to
from codegen.idioms.windows import Sizes, each, numbers_of, strides_of, with_batch, without_batch
from codegen.ir import Dim


@lowers("max_pool1d_with_indices", ignores=("return_indices",), axes=1)
@lowers("max_pool2d_with_indices", ignores=("return_indices",), axes=2)
@lowers("max_pool3d_with_indices", ignores=("return_indices",), axes=3)
def max_pool_with_indices(
    b: Builder,
    input: Value,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    *,
    axes: int,
) -> list[Value]:
    """Max pooling that tells the places of its maxima.

    torch: return_indices=True gives the place of each maximum in the flattened image.
    MXNet: Pooling gives the maxima alone.
    We write: the cells of all windows, stacked; argmax chooses among them, and a table makes places of cells.
    Source: torch.nn.MaxPool2d; mx.sym.Pooling.

    >>> converted(nn.MaxPool1d(2, return_indices=True), (1, 4, 8))
    maxpool1d = mx.sym.Pooling(x, kernel=(2,), pool_type="max", stride=(2,), name="maxpool1d")
    cell0 = mx.sym.slice(
        x, begin=(None, None, 0), end=(None, None, 7), step=(1, 1, 2), name="maxpool1d_cell0"
    )
    cell1 = mx.sym.slice(
        x, begin=(None, None, 1), end=(None, None, 8), step=(1, 1, 2), name="maxpool1d_cell1"
    )
    best = mx.sym.argmax(
        mx.sym.stack(cell0, cell1, name="maxpool1d_cells"), axis=0, name="maxpool1d_best"
    )
    offset = mx.sym.take(maxpool1d_offsets, best, name="maxpool1d_offset")
    cast = mx.sym.cast(
        mx.sym.broadcast_add(offset, maxpool1d_corners, name="maxpool1d_indices"),
        dtype="int64",
        name="maxpool1d_cast",
    )
    return mx.sym.Group([maxpool1d, cast])
    """
    kernel = each(kernel_size, axes)
    steps, pads, gaps = strides_of(stride, kernel), each(padding, axes), each(dilation, axes)
    x = with_batch(b, input, axes)
    pooled = max_pooled(b, x, kernel, steps, pads, gaps, ceil_mode)
    outs = numbers_of(b.out.shape[-axes:], b)
    starts = [np.arange(o) * s - p for o, s, p in zip(outs, steps, pads, strict=True)]
    cells = window_cells(b, x, kernel, steps, pads, gaps)
    places = _places(b, x, cells, kernel, starts, gaps)
    return [without_batch(b, input, v, axes) for v in (pooled, places)]


def _places(
    b: Builder,
    x: Value,
    cells: list[Value],
    kernel: tuple[int, ...],
    starts: list[np.ndarray],  # type: ignore[type-arg]
    gaps: tuple[int, ...],
) -> Value:
    """Where each window's maximum stands in the flattened image."""
    sizes = numbers_of(x.sizes[2:], b)
    if np.prod(sizes) > 2**24:
        raise b.refuse(f"indices of {np.prod(sizes)} places: MXNet counts in float32, exact up to 2^24")
    weights = [int(np.prod(sizes[a + 1 :])) for a in range(len(sizes))]
    offsets = sum(
        np.ix_(*(np.arange(k) * d * w for k, d, w in zip(kernel, gaps, weights, strict=True))), np.zeros(1)
    )
    bases = sum(np.ix_(*(s * w for s, w in zip(starts, weights, strict=True))), np.zeros(1))
    table = b.op("stack", cells, axis=0, hint="cells")
    best = b.op("argmax", table, axis=0, hint="best")
    offset = b.constant(np.asarray(offsets, np.float32).reshape(-1), "offsets")
    moved = b.op("take", offset, best, mode="clip", hint="offset")
    base = b.constant(np.asarray(bases, np.float32)[None, None], "corners")
    return b.op("broadcast_add", moved, base, hint="indices")


@lowers("adaptive_max_pool1d_with_indices", ignores=("return_indices", "output_size"), axes=1)
@lowers("adaptive_max_pool2d_with_indices", ignores=("return_indices", "output_size"), axes=2)
@lowers("adaptive_max_pool3d_with_indices", ignores=("return_indices", "output_size"), axes=3)
def adaptive_max_pool_with_indices(b: Builder, input: Value, *, axes: int) -> list[Value]:
    x = with_batch(b, input, axes)
    outs = numbers_of(b.out.shape[-axes:], b)
    sizes = numbers_of(x.sizes[2:], b)
    starts = [np.arange(o) * n // o for o, n in zip(outs, sizes, strict=True)]
    ends = [-(-(np.arange(o) + 1) * n // o) for o, n in zip(outs, sizes, strict=True)]
    kernel = tuple(int((e - s).max()) for s, e in zip(starts, ends, strict=True))
    cells = []
    for cell in np.ndindex(*kernel):
        value = x
        for axis, (c, start, end) in enumerate(zip(cell, starts, ends, strict=True), start=2):
            spots = b.constant(np.minimum(start + c, end - 1), f"spots{axis}_{c}", shared=True)
            value = b.op("take", value, spots, axis=axis, mode="clip", hint=f"cell{axis}")
        cells.append(value)
    places = _places(b, x, cells, kernel, starts, (1,) * axes)
    return [adaptive_to(b, input, "max", outs), without_batch(b, input, places, axes)]


# The size of the result is the node's.
@lowers("max_unpool1d", ignores=("output_size",), axes=1)
@lowers("max_unpool2d", ignores=("output_size",), axes=2)
@lowers("max_unpool3d", ignores=("output_size",), axes=3)
def max_unpool(
    b: Builder,
    input: Value,
    indices: Value,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    *,
    axes: int,
) -> Value:
    """Maxima put back in their places.

    torch: MaxUnpool2d writes each value to the place that an index names, zeros elsewhere.
    MXNet: has no such op.
    We write: each value repeated over its window, and kept where the index is the place; where windows
        overlap, a choice among the windows over each place. torch trains every value whose index is the
        place: with --trainable, so does what we write.
    Source: torch.nn.MaxUnpool2d, measured (tests/in_use/test_parity.py).

    >>> converted(lambda x: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2), (1, 2, 4))
    indices = mx.sym.Pooling(
        x, kernel=(2,), pool_type="max", stride=(2,), name="max_pool1d_with_indices"
    )
    ...
    cast = mx.sym.cast(cast, dtype="float32", name="max_unpool1d_cast")
    values2 = mx.sym.repeat(indices, repeats=2, axis=2, name="max_unpool1d_values2")
    places2 = mx.sym.repeat(cast, repeats=2, axis=2, name="max_unpool1d_places2")
    return mx.sym.elemwise_mul(
        values2,
        mx.sym.broadcast_equal(places2, max_unpool1d_here, name="max_unpool1d_chosen"),
        name="max_unpool1d",
    )
    """
    kernel = each(kernel_size, axes)
    x, places = with_batch(b, input, axes), with_batch(b, indices, axes)
    places = b.cast(places, "float32")
    outs = numbers_of(b.out.shape[-axes:], b)
    steps = strides_of(stride, kernel)
    own = _from_plain_pool(b, indices, kernel)
    if steps == kernel and own and set(each(padding, axes)) == {0}:
        result = _spread_windows(b, x, places, kernel, outs)
    elif (windows := _candidates(b, indices, numbers_of(x.sizes[2:], b), outs)) is not None:
        result = _gathered(b, x, places, outs, windows)
    else:
        result = _scattered(b, x, places, outs)
    return without_batch(b, input, result, axes)


def _from_plain_pool(b: Builder, indices: Value, kernel: tuple[int, ...]) -> bool:
    """Whether the indices come from a pool whose windows do not overlap: each lies in its own window."""
    node = b.graph.by_name.get(indices.node)
    if node is None or not node.op.startswith("max_pool"):
        return False
    kwargs = node.kwargs
    pooled = each(kwargs["kernel_size"], len(kernel))
    plain = all(set(each(kwargs.get(k, d), len(kernel))) == {d} for k, d in (("padding", 0), ("dilation", 1)))
    return plain and pooled == kernel and strides_of(kwargs.get("stride"), pooled) == kernel


def _spread_windows(
    b: Builder, x: Value, places: Value, kernel: tuple[int, ...], outs: tuple[int, ...]
) -> Value:
    """Every cell of a window gets its value; those that are not at the value's place become 0."""
    spread = []
    for value, name, filler in ((x, "values", 0.0), (places, "places", -1.0)):
        for axis, (k, out) in enumerate(zip(kernel, outs, strict=True), start=2):
            size = value.sizes[axis]
            size = fixed(size)
            value = b.op("repeat", value, repeats=k, axis=axis, hint=f"{name}{axis}")
            if size * k > out:
                value = cut(b, value, axis, 0, out, hint=f"{name}{axis}_cut")
            if size * k < out:
                edge = cut(b, value, axis, 0, 1, hint=f"{name}{axis}_edge")
                edge = b.op("zeros_like", edge, hint=f"{name}{axis}_zeros")
                edge = b.with_number("x + c", edge, filler, hint=f"{name}{axis}_fill") if filler else edge
                parts = [value, *[edge] * (out - size * k)]
                value = b.op("Concat", parts, dim=axis, hint=f"{name}{axis}_wide")
        spread.append(value)
    here = np.arange(int(np.prod(outs)), dtype=np.float32).reshape((1, 1, *outs))
    chosen = b.op("broadcast_equal", spread[1], b.constant(here, "here"), hint="chosen")
    return b.op("elemwise_mul", spread[0], chosen)


def _candidates(
    b: Builder, indices: Value, pooled: tuple[int, ...], outs: tuple[int, ...]
) -> list[npt.NDArray[np.int64]] | None:
    """The windows that may have chosen each place of the result, in the order in which torch writes them.

    One array for the first window of each place, one for the second and so on; -1 where there is none.
    """
    node = b.graph.by_name.get(indices.node)
    if node is None or not node.op.startswith("max_pool"):
        return None
    kwargs, axes = node.kwargs, len(outs)
    if b.graph.type_of(kwargs["input"]).shape[-axes:] != outs:
        return None
    kernel = each(kwargs["kernel_size"], axes)
    steps = strides_of(kwargs.get("stride"), kernel)
    pads, gaps = each(kwargs.get("padding", 0), axes), each(kwargs.get("dilation", 1), axes)
    lists = [_windows_of_axis(*axis) for axis in zip(outs, pooled, kernel, steps, pads, gaps, strict=True)]
    found = []
    for ranks in np.ndindex(*(len(windows) for windows in lists)):
        grid = np.meshgrid(*(w[r] for w, r in zip(lists, ranks, strict=True)), indexing="ij")
        flat = np.ravel_multi_index([g.clip(0) for g in grid], pooled)
        found.append(np.where(np.min(grid, axis=0) < 0, -1, flat))
    return found


def _windows_of_axis(
    out: int, pooled: int, kernel: int, step: int, pad: int, gap: int
) -> npt.NDArray[np.int64]:
    """Row r holds the r-th window over each place, -1 where there are fewer."""
    over = [
        [
            w
            for w in range(pooled)
            if (q - w * step + pad) % gap == 0 and 0 <= (q - w * step + pad) // gap < kernel
        ]
        for q in range(out)
    ]
    rows = max(map(len, over))
    return np.array([[w[r] if r < len(w) else -1 for w in over] for r in range(rows)], np.int64)


def _gathered(
    b: Builder, x: Value, places: Value, outs: tuple[int, ...], windows: list[npt.NDArray[np.int64]]
) -> Value:
    """Each place takes the value of the last window that chose it, and 0 where none did."""
    depth = int(np.prod(outs))
    count = int(np.prod(numbers_of(x.sizes[2:], b)))
    values = reshape_to(b, x, (*x.sizes[:2], count), hint="values")
    chosen = reshape_to(b, places, (*x.sizes[:2], count), hint="places")
    result: Value | None = None
    trained = []
    for number, window in enumerate(windows):
        flat = window.reshape(-1)
        spots = b.constant(flat.clip(0), f"window{number}")
        here = np.where(flat < 0, -1, np.arange(depth)).astype(np.float32)[None, None]
        value = b.op("take", values, spots, axis=2, mode="clip", hint=f"value{number}")
        place = b.op("take", chosen, spots, axis=2, mode="clip", hint=f"place{number}")
        mask = b.op("broadcast_equal", place, b.constant(here, f"here{number}"), hint=f"chosen{number}")
        if b.trainable:
            trained.append(b.op("elemwise_mul", mask, value, hint=f"trained{number}"))
        if result is None:
            result = b.op("elemwise_mul", mask, value, hint=f"kept{number}")
        else:
            result = b.op("where", mask, value, result, hint=f"kept{number}")
    result = present(result)
    if len(trained) > 1:
        result = _trained_as(b, result, b.op("add_n", trained, hint="all"))
    return reshape_to(b, result, (*x.sizes[:2], *outs))


def _trained_as(b: Builder, x: Value, other: Value) -> Value:
    """The values of one, with the gradient of another."""
    nothing = b.op("elemwise_sub", other, b.op("BlockGrad", other, hint="held"), hint="nothing")
    return b.op("elemwise_add", b.op("BlockGrad", x, hint="last"), nothing, hint="trained")


def _scattered(b: Builder, x: Value, places: Value, outs: tuple[int, ...]) -> Value:
    """Any indices: a one-hot row for each value, of which a place takes the last."""
    depth = int(np.prod(outs))
    count = int(np.prod(numbers_of(x.sizes[2:], b)))
    lead = x.sizes[:2]
    if any(isinstance(s, Dim) for s in lead[1:]):
        raise b.refuse("max_unpool() where a size other than the first follows the batch")
    if depth * count * numbers_of(lead[1:], b)[0] >= 2**27:
        raise b.refuse(
            f"max_unpool of {count} values into {depth} places each: "
            "MXNet would need a one-hot row for each value",
            "give it the indices of a pool of this net",
        )
    flat = reshape_to(b, x, (*lead, count, 1), hint="values")
    rows = reshape_to(b, places, (*lead, count), hint="places")
    hot = b.op("one_hot", rows, depth=depth, hint="rows", gives=(*lead, count, depth))
    filled = b.op("broadcast_mul", hot, flat, hint="filled", gives=hot.shape)
    order = b.constant(np.arange(1, count + 1, dtype=np.float32).reshape(1, 1, count, 1), "order")
    ranks = b.op("broadcast_mul", hot, order, hint="ranks", gives=hot.shape)
    highest = b.op("max", ranks, axis=2, keepdims=True, hint="highest", gives=(*lead, 1, depth))
    chosen = b.op("broadcast_equal", ranks, highest, hint="chosen", gives=hot.shape)
    kept = b.op("elemwise_mul", filled, chosen, hint="kept", gives=hot.shape)
    result = b.op("sum", kept, axis=2, hint="placed", gives=(*lead, depth))
    if b.trainable:
        total = b.op("sum", filled, axis=2, hint="all", gives=(*lead, depth))
        result = _trained_as(b, result, total)
    return reshape_to(b, result, (*lead, *outs))
