"""Convolutions and their transposes, in one, two and three dimensions."""

from __future__ import annotations

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value
from codegen.idioms.shapes import cut, reshape_to
from codegen.idioms.windows import Sizes, each, pad_zeros, with_batch, without_batch
from codegen.ir import elements_in


def _same_padding(
    kernel: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """What torch's padding='same' adds: on both sides, and (before, after) where it is uneven."""
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple(t // 2 for t in totals), tuple((t // 2, t - t // 2) for t in totals)


@lowers("conv1d", "conv2d", "conv3d")
def conv(
    b: Builder,
    input: Value,
    weight: Value,
    bias: Value | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Value:
    kernel = tuple(int(k) for k in weight.sizes[2:])  # type: ignore[arg-type]
    axes = len(kernel)
    x = with_batch(b, input, axes)
    dilate = each(dilation, axes)
    pad = (0,) * axes if padding == "valid" else None
    if padding == "same":
        pad, sides = _same_padding(kernel, dilate)
        if any(before != after for before, after in sides):
            # torch puts the odd element after; MXNet's pad is the same on both sides.
            x = pad_zeros(b, x, sides)
            pad = (0,) * axes
    if pad is None:
        assert not isinstance(padding, str)
        pad = each(padding, axes)
    output = b.op(
        "Convolution",
        x,
        weight=weight,
        bias=bias,
        kernel=kernel,
        stride=each(stride, axes),
        dilate=dilate,
        pad=pad,
        num_filter=weight.sizes[0],
        num_group=groups,
        no_bias=bias is None,
    )
    return without_batch(b, input, output, axes)


@lowers("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def conv_transpose(
    b: Builder,
    input: Value,
    weight: Value,
    bias: Value | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Value:
    kernel = tuple(int(k) for k in weight.sizes[2:])  # type: ignore[arg-type]
    axes = len(kernel)
    channels = weight.sizes[1]
    assert isinstance(channels, int)
    x = with_batch(b, input, axes)
    strides, dilate, extra = each(stride, axes), each(dilation, axes), each(output_padding, axes)
    if axes == 3 and set(dilate) != {1}:
        weight = _stretched(b, weight, kernel, dilate)
        kernel = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilate, strict=True))
        dilate = (1,) * axes
    reaches_out = any(e >= s for e, s in zip(extra, strides, strict=True))
    pad = each(padding, axes)
    output = b.op(
        "Deconvolution",
        x,
        weight=weight,
        bias=None if reaches_out else bias,
        kernel=kernel,
        stride=strides,
        dilate=dilate,
        pad=(0,) * axes if reaches_out else pad,
        adj=(0,) * axes if reaches_out else extra,
        num_filter=channels * groups,
        num_group=groups,
        no_bias=reaches_out or bias is None,
        hint="whole" if reaches_out else "",
    )
    if reaches_out:
        output = _with_wide_padding(b, output, bias, pad, extra)
    return without_batch(b, input, output, axes)


def _with_wide_padding(
    b: Builder, whole: Value, bias: Value | None, pad: tuple[int, ...], extra: tuple[int, ...]
) -> Value:
    """MXNet's adj must be below the stride: the output is cut out of the unpadded one, zeros beyond."""
    beyond = []
    for axis, (p, e) in enumerate(zip(pad, extra, strict=True), start=2):
        size = whole.sizes[axis]
        assert isinstance(size, int)
        beyond.append((0, max(0, e - p)))
        if p or e < p:
            whole = cut(b, whole, axis, p, min(size, size - p + e), hint=f"cut{axis}")
    if any(side != (0, 0) for side in beyond):
        whole = pad_zeros(b, whole, tuple(beyond))
    if bias is None:
        return whole
    row = reshape_to(b, bias, (1, *bias.sizes, *(1,) * len(pad)), hint="bias_axes")
    return b.op("broadcast_add", whole, row)


def _stretched(b: Builder, weight: Value, kernel: tuple[int, ...], dilate: tuple[int, ...]) -> Value:
    """The weight with zeros between its cells: MXNet's Deconvolution has no dilation in three dimensions."""
    for axis, (k, d) in enumerate(zip(kernel, dilate, strict=True), start=2):
        if d == 1 or k == 1:
            continue
        lead, rest = elements_in(weight.sizes[:axis]), elements_in(weight.sizes[axis + 1 :])
        assert isinstance(lead, int)
        assert isinstance(rest, int)
        cells = reshape_to(b, weight, (lead, k, 1, rest), hint=f"cells{axis}")
        wide = b.op(
            "Pad",
            cells,
            mode="constant",
            pad_width=(0, 0, 0, 0, 0, d - 1, 0, 0),
            hint=f"spaced{axis}",
        )
        spaced = reshape_to(
            b, wide, (*weight.sizes[:axis], k * d, *weight.sizes[axis + 1 :]), hint=f"joined{axis}"
        )
        weight = cut(b, spaced, axis, 0, d * (k - 1) + 1, hint=f"kernel{axis}")
    return weight
