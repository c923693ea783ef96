"""Pooling, with torch's defaults and torch's reading of ceil_mode."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

from codegen.lower import Builder, Value
from codegen.registry import lowers
from codegen.rules.conv import Sizes, each, pad_zeros
from codegen.rules.layout import cut
from tracer.ir import Dim, Shape

LOWEST = -3.4028234663852886e38  # float32's, which torch's max pooling pads with


def numbers_of(shape: Shape, b: Builder) -> tuple[int, ...]:
    if any(isinstance(s, Dim) for s in shape):
        raise b.refuse("pooling over an axis that follows the batch", "fix the batch size with --input")
    return tuple(s for s in shape if isinstance(s, int))


def strides_of(stride: Sizes | None, kernel: tuple[int, ...]) -> tuple[int, ...]:
    return kernel if stride is None or stride == () else each(stride, len(kernel))


def with_batch(b: Builder, x: Value, axes: int) -> Value:
    """torch lets the batch axis out: (C, H, W) is (1, C, H, W)."""
    return x if x.rank == axes + 2 else b.op("expand_dims", x, axis=0, hint="batched", gives=(1, *x.sizes))


def without_batch(b: Builder, x: Value, y: Value, axes: int) -> Value:
    return y if x.rank == axes + 2 else b.op("squeeze", y, axis=0, hint="unbatched")


def _surplus(size: int, kernel: int, stride: int, pad: int) -> int:
    """Cells that torch's ceil_mode adds on the right beyond the padding (0 where it adds no window)."""
    span = size + 2 * pad - kernel
    windows = -(-span // stride) + 1
    if (windows - 1) * stride >= size + pad:
        windows -= 1  # a last window that would start in the right padding is dropped
    return max(0, (windows - 1) * stride + kernel - (size + 2 * pad))


def _windows(size: int, kernel: int, stride: int, pad: int, ceil_mode: bool) -> int:
    if not ceil_mode:
        return (size + 2 * pad - kernel) // stride + 1
    return (size + 2 * pad + _surplus(size, kernel, stride, pad) - kernel) // stride + 1


def _full_windows(size: int, kernel: int, stride: int, pad: int) -> int:
    return -(-(size + 2 * pad - kernel) // stride) + 1


# With indices the op has another name: see codegen.rules.unpool.
@lowers("max_pool1d", "max_pool2d", "max_pool3d")
def max_pool(
    b: Builder,
    input: Value,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Value:
    axes = int(b.node.op[-2])
    kernel = each(kernel_size, axes)
    strides, pads = strides_of(stride, kernel), each(padding, axes)
    x = with_batch(b, input, axes)
    pooled = max_pooled(b, x, kernel, strides, pads, each(dilation, axes), ceil_mode)
    return without_batch(b, input, pooled, axes)


def max_pooled(
    b: Builder,
    x: Value,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    pads: tuple[int, ...],
    dilation: tuple[int, ...],
    ceil_mode: bool,
) -> Value:
    """Max pooling of (N, C, ...)."""
    if any(d != 1 for d in dilation):
        return _dilated_max(b, x, kernel, strides, pads, dilation)
    return _pool(b, x, "max", _within(x, kernel, pads, b), strides, pads, ceil_mode, None)


def _pool(
    b: Builder,
    x: Value,
    kind: str,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    pads: tuple[int, ...],
    ceil_mode: bool,
    include_pad: bool | None,
    hint: str = "",
) -> Value:
    sizes = numbers_of(x.sizes[2:], b)
    grid = list(zip(sizes, kernel, strides, pads, strict=True))
    wanted = tuple(_windows(*cell, ceil_mode) for cell in grid)
    valid = tuple(_windows(*cell, False) for cell in grid)
    full = tuple(_full_windows(*cell) for cell in grid)
    convention = "full" if wanted != valid else "valid"
    gives = (*x.sizes[:2], *(full if convention == "full" else valid))
    trimmed = convention == "full" and full != wanted
    pooled = b.op(
        "Pooling",
        x,
        kernel=kernel,
        pool_type=kind,
        stride=strides,
        pad=pads,
        pooling_convention=convention,
        count_include_pad=include_pad,
        hint="full" if trimmed and not hint else hint,
        gives=gives,
    )
    if not trimmed:
        return pooled
    # MXNet keeps a last window that starts in the right padding; torch drops it.
    for axis, (have, want) in enumerate(zip(full, wanted, strict=True), start=2):
        if have != want:
            pooled = cut(b, pooled, axis, 0, want, hint=f"trim{axis}")
    return pooled


def _dilated_max(
    b: Builder,
    x: Value,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    pads: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Value:
    """Max pooling with gaps: the maximum of the input shifted by each cell of the kernel."""
    best: Value | None = None
    for number, window in enumerate(window_cells(b, x, kernel, strides, pads, dilation)):
        best = (
            window
            if best is None
            else b.op("broadcast_maximum", best, window, hint=f"max{number}", gives=window.shape)
        )
    assert best is not None
    return best


def window_cells(
    b: Builder,
    x: Value,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    pads: tuple[int, ...],
    dilation: tuple[int, ...],
) -> list[Value]:
    """For each cell of the kernel, what all windows have there."""
    outs = numbers_of(b.out.shape[-len(kernel) :], b)
    x = _padded_for(b, x, kernel, strides, pads, dilation, outs)
    cells = []
    for cell in itertools.product(*(range(k) for k in kernel)):
        begin = tuple(c * d for c, d in zip(cell, dilation, strict=True))
        end = tuple(s + (o - 1) * t + 1 for s, o, t in zip(begin, outs, strides, strict=True))
        name = "_".join(map(str, cell))
        window = b.op(
            "slice",
            x,
            begin=(None, None, *begin),
            end=(None, None, *end),
            step=(1, 1, *strides),
            hint=f"cell{name}",
            gives=(*x.sizes[:2], *outs),
        )
        cells.append(window)
    return cells


def _padded_for(
    b: Builder,
    x: Value,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    pads: tuple[int, ...],
    dilation: tuple[int, ...],
    outs: tuple[int, ...],
) -> Value:
    sides = []
    for size, k, s, p, d, o in zip(
        numbers_of(x.sizes[2:], b), kernel, strides, pads, dilation, outs, strict=True
    ):
        reach = (o - 1) * s + d * (k - 1) + 1
        sides.append((p, max(0, reach - size - p)))
    if all(side == (0, 0) for side in sides):
        return x
    grown = tuple(s + a + z for s, (a, z) in zip(numbers_of(x.sizes[2:], b), sides, strict=True))
    return replace(pad_zeros(b, x, tuple(sides), LOWEST), shape=(*x.sizes[:2], *grown))


@lowers("avg_pool1d", "avg_pool2d", "avg_pool3d")
def avg_pool(
    b: Builder,
    input: Value,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Value:
    axes = int(b.node.op[-2])
    kernel = each(kernel_size, axes)
    strides, pads = strides_of(stride, kernel), each(padding, axes)
    x = with_batch(b, input, axes)
    kernel = _within(x, kernel, pads, b)
    if divisor_override is not None:
        pooled = _pool(b, x, "sum", kernel, strides, pads, ceil_mode, None, hint="sum")
        pooled = b.with_number("x / c", pooled, divisor_override)
    elif ceil_mode and _uneven(x, kernel, strides, pads, b):
        pooled = _avg_ceil(b, x, kernel, strides, pads, count_include_pad)
    else:
        pooled = _pool(b, x, "avg", kernel, strides, pads, ceil_mode, count_include_pad)
    return without_batch(b, input, pooled, axes)


def _within(x: Value, kernel: tuple[int, ...], pads: tuple[int, ...], b: Builder) -> tuple[int, ...]:
    """With ceil_mode torch takes a window larger than the input, which covers all of it; MXNet does not."""
    cells = zip(numbers_of(x.sizes[2:], b), kernel, pads, strict=True)
    return tuple(min(k, size + 2 * pad) for size, k, pad in cells)


def _uneven(
    x: Value, kernel: tuple[int, ...], strides: tuple[int, ...], pads: tuple[int, ...], b: Builder
) -> bool:
    cells = zip(numbers_of(x.sizes[2:], b), kernel, strides, pads, strict=True)
    return any(_surplus(*cell) > 0 for cell in cells)


def _avg_ceil(
    b: Builder,
    x: Value,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    pads: tuple[int, ...],
    include_pad: bool,
) -> Value:
    """Sums divided by torch's count: cells inside the input, or inside input and padding.

    The windows that ceil_mode adds reach beyond the padding, and torch does not count those cells.
    """
    import numpy as np

    sums = _pool(b, x, "sum", kernel, strides, pads, True, None, hint="sum")
    counts: np.ndarray = np.ones((), np.float32)  # type: ignore[type-arg]
    for size, k, s, p in zip(numbers_of(x.sizes[2:], b), kernel, strides, pads, strict=True):
        starts = np.arange(_windows(size, k, s, p, True)) * s - p
        low, high = (-p, size + p) if include_pad else (0, size)
        along = np.minimum(starts + k, high) - np.maximum(starts, low)
        counts = np.multiply.outer(counts, along).astype(np.float32)
    divisor = b.constant(counts.reshape((1, 1, *counts.shape)), "count")
    return b.op("broadcast_div", sums, divisor, gives=sums.shape)


@lowers("lp_pool1d", "lp_pool2d", "lp_pool3d")
def lp_pool(
    b: Builder,
    input: Value,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Value:
    axes = int(b.node.op[-2])
    kernel = each(kernel_size, axes)
    x = with_batch(b, input, axes)
    strides, pads = strides_of(stride, kernel), (0,) * axes
    if math.isinf(norm_type):
        size = b.op("abs", x, hint="abs", gives=x.shape)
        if norm_type > 0:
            return without_batch(
                b, input, _pool(b, size, "max", kernel, strides, pads, ceil_mode, None), axes
            )
        size = b.op("negative", size, hint="negated", gives=x.shape)
        least = _pool(b, size, "max", kernel, strides, pads, ceil_mode, None, hint="least")
        return without_batch(b, input, b.op("negative", least, gives=least.shape), axes)
    powers = b.op("square", x, hint="square", gives=x.shape) if norm_type == 2 else x
    if norm_type not in {1, 2}:
        powers = b.with_number("x ** c", x, norm_type, hint="power")
    if ceil_mode and _uneven(x, kernel, strides, pads, b):
        # torch takes the mean of each window, and multiplies it by the size of a whole one.
        means = _avg_ceil(b, powers, kernel, strides, pads, True)
        sums = b.with_number("x * c", means, math.prod(kernel), hint="sum")
    else:
        sums = _pool(b, powers, "sum", kernel, strides, pads, ceil_mode, None, hint="sum")
    if norm_type == 2:
        return without_batch(b, input, b.op("sqrt", sums, gives=sums.shape), axes)
    return without_batch(b, input, b.with_number("x ** c", sums, 1 / norm_type), axes)


# The size that torch takes (None keeps an axis) is the node's.
@lowers("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", ignores=("output_size",))
def adaptive_avg_pool(b: Builder, input: Value) -> Value:
    return _adaptive(b, input, "avg")


@lowers("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d", ignores=("output_size",))
def adaptive_max_pool(b: Builder, input: Value) -> Value:
    return _adaptive(b, input, "max")


def adaptive_average_to(b: Builder, input: Value, outs: tuple[int, ...]) -> Value:
    """Adaptive average pooling to a size; torch's interpolate calls it `area`."""
    return adaptive_to(b, input, "avg", outs)


def _adaptive(b: Builder, input: Value, kind: str) -> Value:
    axes = int(b.node.op[-2])
    return adaptive_to(b, input, kind, numbers_of(b.out.shape[-axes:], b))


def adaptive_to(b: Builder, input: Value, kind: str, outs: tuple[int, ...]) -> Value:
    """Adaptive pooling to a size, of `kind` avg or max."""
    axes = len(outs)
    x = with_batch(b, input, axes)
    include = False if kind == "avg" else None
    if set(outs) == {1}:
        # No kernel: global_pool takes the size of the input.
        pooled = b.op(
            "Pooling",
            x,
            pool_type=kind,
            global_pool=True,
            stride=None,
            gives=(*x.sizes[:2], *outs),
        )
        return without_batch(b, input, pooled, axes)
    sizes = numbers_of(x.sizes[2:], b)
    if all(s % o == 0 for s, o in zip(sizes, outs, strict=True)):
        kernel = tuple(s // o for s, o in zip(sizes, outs, strict=True))
        if set(kernel) == {1}:
            return input
        pooled = _pool(b, x, kind, kernel, kernel, (0,) * axes, False, include)
    elif kind == "avg" and axes == 2:
        pooled = b.op("contrib.AdaptiveAvgPooling2D", x, output_size=outs)
    else:
        pooled = _adaptive_by_axis(b, x, kind, outs)
    return without_batch(b, input, pooled, axes)


def _adaptive_by_axis(b: Builder, x: Value, kind: str, outs: tuple[int, ...]) -> Value:
    """Windows of uneven size, one axis after the other: each is cut out and reduced."""
    for axis, out in enumerate(outs, start=2):
        size = x.sizes[axis]
        assert isinstance(size, int)
        if size == out:
            continue
        cells = []
        for i in range(out):
            begin, end = i * size // out, -(-(i + 1) * size // out)
            window = cut(b, x, axis, begin, end, hint=f"window{axis}_{i}")
            op = "mean" if kind == "avg" else "max"
            gives = (*x.sizes[:axis], 1, *x.sizes[axis + 1 :])
            cells.append(b.op(op, window, axis=axis, keepdims=True, hint=f"{op}{axis}_{i}", gives=gives))
        gives = (*x.sizes[:axis], out, *x.sizes[axis + 1 :])
        x = b.op("Concat", cells, dim=axis, hint=f"joined{axis}", gives=gives)
    return x
