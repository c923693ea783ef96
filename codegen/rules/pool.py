"""Pooling, with torch's defaults and torch's reading of ceil_mode."""

from __future__ import annotations

import math

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value
from codegen.idioms.elementwise import check_floats
from codegen.idioms.pooling import (
    adaptive_to,
    covers_all,
    kernel_within,
    max_pooled,
    pool,
    surplus,
    window_count,
)
from codegen.idioms.windows import Sizes, each, numbers_of, strides_of, with_batch, without_batch


# With indices the op has another name: see codegen.rules.unpool.
@lowers("max_pool1d", axes=1)
@lowers("max_pool2d", axes=2)
@lowers("max_pool3d", axes=3)
def max_pool(
    b: Builder,
    input: Value,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    *,
    axes: int,
) -> Value:
    kernel = each(kernel_size, axes)
    strides, pads = strides_of(stride, kernel), each(padding, axes)
    x = with_batch(b, input, axes)
    if covers_all(b, x, kernel, pads):
        return adaptive_to(b, input, "max", (1,) * axes)
    pooled = max_pooled(b, x, kernel, strides, pads, each(dilation, axes), ceil_mode)
    return without_batch(b, input, pooled, axes)


@lowers("avg_pool1d", axes=1)
@lowers("avg_pool2d", axes=2)
@lowers("avg_pool3d", axes=3)
def avg_pool(
    b: Builder,
    input: Value,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    axes: int,
) -> Value:
    """An average with a divisor of its own.

    torch: divisor_override divides the sum of each window.
    MXNet: Pooling has no such attribute.
    We write: pool_type="sum", and a division.
    Source: torch.nn.AvgPool2d; mx.sym.Pooling.

    >>> converted(nn.AvgPool2d(2, divisor_override=3), (1, 4, 8, 8))
    sum_ = mx.sym.Pooling(x, kernel=(2, 2), pool_type="sum", stride=(2, 2), name="avgpool2d_sum")
    return named(sum_ / 3, name="avgpool2d")
    """
    check_floats(b, "whose means torch cuts to whole numbers")
    kernel = each(kernel_size, axes)
    strides, pads = strides_of(stride, kernel), each(padding, axes)
    x = with_batch(b, input, axes)
    if divisor_override is None and covers_all(b, x, kernel, pads):
        return adaptive_to(b, input, "avg", (1,) * axes)
    kernel = kernel_within(x, kernel, pads, b)
    if divisor_override is not None:
        pooled = pool(b, x, "sum", kernel, strides, pads, ceil_mode, None, hint="sum")
        pooled = b.with_number("x / c", pooled, divisor_override)
    elif ceil_mode and _uneven(x, kernel, strides, pads, b):
        pooled = _avg_ceil(b, x, kernel, strides, pads, count_include_pad)
    else:
        pooled = pool(b, x, "avg", kernel, strides, pads, ceil_mode, count_include_pad)
    return without_batch(b, input, pooled, axes)


def _uneven(
    x: Value, kernel: tuple[int, ...], strides: tuple[int, ...], pads: tuple[int, ...], b: Builder
) -> bool:
    cells = zip(numbers_of(x.sizes[2:], b), kernel, strides, pads, strict=True)
    return any(surplus(*cell) > 0 for cell in cells)


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
    sums = pool(b, x, "sum", kernel, strides, pads, True, None, hint="sum")
    counts: np.ndarray = np.ones((), np.float32)  # type: ignore[type-arg]
    for size, k, s, p in zip(numbers_of(x.sizes[2:], b), kernel, strides, pads, strict=True):
        starts = np.arange(window_count(size, k, s, p, True)) * s - p
        low, high = (-p, size + p) if include_pad else (0, size)
        along = np.minimum(starts + k, high) - np.maximum(starts, low)
        counts = np.multiply.outer(counts, along).astype(np.float32)
    divisor = b.constant(counts.reshape((1, 1, *counts.shape)), "count")
    return b.op("broadcast_div", sums, divisor)


@lowers("lp_pool1d", axes=1)
@lowers("lp_pool2d", axes=2)
@lowers("lp_pool3d", axes=3)
def lp_pool(
    b: Builder,
    input: Value,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
    *,
    axes: int,
) -> Value:
    """Pooling by a norm.

    torch: the root of the sum of x^p, for any p, infinity too.
    MXNet: Pooling with pool_type="lp" takes a p_value of 1 or 2.
    We write: the power, a sum over the window, and the root; for infinity a maximum.
    Source: torch.nn.LPPool2d; mx.sym.Pooling.

    >>> converted(nn.LPPool2d(2, 2), (1, 4, 8, 8))
    square = mx.sym.square(x, name="lppool2d_square")
    sum_ = mx.sym.Pooling(square, kernel=(2, 2), pool_type="sum", stride=(2, 2), name="lppool2d_sum")
    return mx.sym.sqrt(sum_, name="lppool2d")
    """
    kernel = each(kernel_size, axes)
    x = with_batch(b, input, axes)
    strides, pads = strides_of(stride, kernel), (0,) * axes
    if math.isinf(norm_type):
        size = b.op("abs", x, hint="abs", gives=x.shape)
        if norm_type > 0:
            return without_batch(b, input, pool(b, size, "max", kernel, strides, pads, ceil_mode, None), axes)
        size = b.op("negative", size, hint="negated", gives=x.shape)
        least = pool(b, size, "max", kernel, strides, pads, ceil_mode, None, hint="least")
        return without_batch(b, input, b.op("negative", least, gives=least.shape), axes)
    powers = b.op("square", x, hint="square") if norm_type == 2 else x
    if norm_type not in {1, 2}:
        powers = b.with_number("x ** c", x, norm_type, hint="power")
    if ceil_mode and _uneven(x, kernel, strides, pads, b):
        # torch takes the mean of each window, and multiplies it by the size of a whole one.
        means = _avg_ceil(b, powers, kernel, strides, pads, True)
        sums = b.with_number("x * c", means, math.prod(kernel), hint="sum")
    else:
        sums = pool(b, powers, "sum", kernel, strides, pads, ceil_mode, None, hint="sum")
    if norm_type == 2:
        return without_batch(b, input, b.op("sqrt", sums), axes)
    return without_batch(b, input, b.with_number("x ** c", sums, 1 / norm_type), axes)


# The size that torch takes (None keeps an axis) is the node's.
@lowers("adaptive_avg_pool1d", ignores=("output_size",), kind="avg", axes=1)
@lowers("adaptive_avg_pool2d", ignores=("output_size",), kind="avg", axes=2)
@lowers("adaptive_avg_pool3d", ignores=("output_size",), kind="avg", axes=3)
@lowers("adaptive_max_pool1d", ignores=("output_size",), kind="max", axes=1)
@lowers("adaptive_max_pool2d", ignores=("output_size",), kind="max", axes=2)
@lowers("adaptive_max_pool3d", ignores=("output_size",), kind="max", axes=3)
def adaptive_pool(b: Builder, input: Value, *, kind: str, axes: int) -> Value:
    return adaptive_to(b, input, kind, numbers_of(b.out.shape[-axes:], b))
