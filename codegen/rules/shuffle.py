"""Pixels and channels put into another order; windows as columns and back."""

from __future__ import annotations

from dataclasses import replace

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value, fixed
from codegen.idioms.shapes import divided, permuted, reshape_to, swapped_axes
from codegen.idioms.windows import Sizes, each, with_batch, without_batch


@lowers("pixel_shuffle")
def pixel_shuffle(b: Builder, input: Value, upscale_factor: int) -> Value:
    """Channels become pixels.

    torch: a channel is (c, r, r).
    MXNet: depth_to_space takes it as (r, r, c).
    We write: a Reshape, a transpose and a Reshape.
    Source: torch.nn.PixelShuffle; mx.sym.depth_to_space.

    >>> converted(nn.PixelShuffle(2), (1, 8, 3, 3))
    cells = mx.sym.Reshape(x, shape=(0, 2, 2, 2, 3, 3), name="pixelshuffle_cells")
    rows = mx.sym.transpose(cells, axes=(0, 1, 4, 2, 5, 3), name="pixelshuffle_rows")
    return mx.sym.Reshape(rows, shape=(0, 0, 6, 6), name="pixelshuffle")
    """
    *lead, channels, height, width = input.sizes
    height = fixed(height)
    width = fixed(width)
    r, c = upscale_factor, divided(channels, upscale_factor**2)
    x = reshape_to(b, input, (*lead, c, r, r, height, width), hint="cells")
    k = len(lead)
    axes = (*range(k), k, k + 3, k + 1, k + 4, k + 2)
    x = permuted(b, x, axes, hint="rows")
    return reshape_to(b, x, (*lead, c, height * r, width * r))


@lowers("pixel_unshuffle")
def pixel_unshuffle(b: Builder, input: Value, downscale_factor: int) -> Value:
    *lead, channels, height, width = input.sizes
    channels = fixed(channels)
    height = fixed(height)
    width = fixed(width)
    r = downscale_factor
    x = reshape_to(b, input, (*lead, channels, height // r, r, width // r, r), hint="cells")
    k = len(lead)
    axes = (*range(k), k, k + 2, k + 4, k + 1, k + 3)
    x = permuted(b, x, axes, hint="channels")
    return reshape_to(b, x, (*lead, channels * r * r, height // r, width // r))


@lowers("channel_shuffle", "native_channel_shuffle")
def channel_shuffle(b: Builder, input: Value, groups: int) -> Value:
    batch, channels, *rest = input.sizes
    channels = fixed(channels)
    x = reshape_to(b, input, (batch, groups, channels // groups, *rest), hint="groups")
    x = swapped_axes(b, x, 1, 2, hint="swapped")
    return reshape_to(b, replace(x), input.sizes)


@lowers("im2col")
def im2col(
    b: Builder, input: Value, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> Value:
    y = b.op(
        "im2col",
        with_batch(b, input, 2),
        kernel=each(kernel_size, 2),
        stride=each(stride, 2),
        dilate=each(dilation, 2),
        pad=each(padding, 2),
    )
    return without_batch(b, input, y, 2)


@lowers("col2im")
def col2im(
    b: Builder,
    input: Value,
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Value:
    if input.is_bool:
        raise b.refuse("fold() of bools, whose sum is their or", "call .float() on its input first")
    y = b.op(
        "col2im",
        with_batch(b, input, 1),
        output_size=each(output_size, 2),
        kernel=each(kernel_size, 2),
        stride=each(stride, 2),
        dilate=each(dilation, 2),
        pad=each(padding, 2),
    )
    return without_batch(b, input, y, 1)
