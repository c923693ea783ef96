"""Convolutions and their transposes, in one, two and three dimensions."""

from __future__ import annotations

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value, fixed
from codegen.defects import Defect
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
    """Convolution, with a bias or without.

    torch: padding="same" adds the odd cell behind; the batch axis may be left out.
    MXNet: Convolution has a bias unless no_bias=True; pad is the same on both sides; the batch axis is
        required.
    We write: no_bias=True where there is none; an uneven "same" as a Pad before; an axis of 1 for the batch.
    Source: torch.nn.Conv2d; mx.sym.Convolution.

    >>> converted(nn.Conv2d(4, 8, 3, padding=1, bias=False), (1, 4, 8, 8))
    return mx.sym.Convolution(x, kernel=(3, 3), pad=(1, 1), num_filter=8, no_bias=True, name="conv2d")
    >>> converted(nn.Conv2d(4, 8, 2, padding="same"), (1, 4, 8, 8))
    pad = mx.sym.Pad(x, mode="constant", pad_width=(0, 0, 0, 0, 0, 1, 0, 1), name="conv2d_pad")
    return mx.sym.Convolution(pad, kernel=(2, 2), num_filter=8, name="conv2d")
    """
    kernel = tuple(fixed(k) for k in weight.sizes[2:])
    axes = len(kernel)
    x = with_batch(b, input, axes)
    dilate = each(dilation, axes)
    pad = (0,) * axes if padding == "valid" else None
    if padding == "same":
        pad, sides = _same_padding(kernel, dilate)
        if any(before != after for before, after in sides):
            x = pad_zeros(b, x, sides)
            pad = (0,) * axes
    if pad is None:
        if isinstance(padding, str):
            raise Defect(f"padding {padding!r} is not read")
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
    """Transposed convolution, with a bias or without.

    torch: has a bias unless bias=False; output_padding makes the result larger at its end.
    MXNet: Deconvolution has no bias unless no_bias=False; output_padding is called adj.
    We write: no_bias=False where there is one, and adj where it is not zero.
    Source: torch.nn.ConvTranspose2d; mx.sym.Deconvolution.

    >>> converted(nn.ConvTranspose2d(4, 3, 2, stride=2), (1, 4, 8, 8))
    return mx.sym.Deconvolution(
        x, kernel=(2, 2), stride=(2, 2), num_filter=3, no_bias=False, name="convtranspose2d"
    )
    >>> converted(nn.ConvTranspose2d(4, 3, 3, stride=2, output_padding=1), (1, 4, 8, 8))
    return mx.sym.Deconvolution(
        x, kernel=(3, 3), stride=(2, 2), adj=(1, 1), num_filter=3, no_bias=False, name="convtranspose2d"
    )
    """
    kernel = tuple(fixed(k) for k in weight.sizes[2:])
    axes = len(kernel)
    channels = weight.sizes[1]
    channels = fixed(channels)
    if axes == 3 and input.dtype == "float64":
        raise b.refuse("a transposed convolution in three dimensions of float64", "compute in float32")
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
    """A transposed convolution whose output_padding reaches the stride.

    torch: output_padding need only be below the stride or the dilation.
    MXNet: Deconvolution refuses an adj that is not below the stride.
    We write: the result without padding, from which torch's is cut, with zeros beyond it; then the bias.
    Source: torch.nn.ConvTranspose2d; mx.sym.Deconvolution, whose error says so.

    >>> converted(nn.ConvTranspose1d(4, 3, 3, dilation=2, output_padding=1), (1, 4, 8))
    whole = mx.sym.Deconvolution(
        x,
        weight=convtranspose1d_weight,
        kernel=(3,),
        dilate=(2,),
        num_filter=3,
        no_bias=True,
        name="convtranspose1d_whole",
    )
    pad = mx.sym.Pad(
        mx.sym.expand_dims(whole, axis=2, name="convtranspose1d_row"),
        mode="constant",
        pad_width=(0, 0, 0, 0, 0, 0, 0, 1),
        name="convtranspose1d_pad",
    )
    unrow = mx.sym.squeeze(pad, axis=2, name="convtranspose1d_unrow")
    bias_axes = mx.sym.Reshape(convtranspose1d_bias, shape=(1, -1, 1), name="convtranspose1d_bias_axes")
    return mx.sym.broadcast_add(unrow, bias_axes, name="convtranspose1d")
    """
    beyond = []
    for axis, (p, e) in enumerate(zip(pad, extra, strict=True), start=2):
        size = whole.sizes[axis]
        size = fixed(size)
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
    """A transposed convolution in three dimensions with a dilation.

    torch: ConvTranspose3d takes a dilation.
    MXNet: Deconvolution refuses dilate in three dimensions.
    We write: a weight with zeros between its cells.
    Source: torch.nn.ConvTranspose3d; mx.sym.Deconvolution, whose error says so.

    >>> converted(nn.ConvTranspose3d(1, 1, (1, 1, 2), dilation=(1, 1, 2), bias=False), (1, 1, 3, 3, 3))
    cells4 = mx.sym.Reshape(convtranspose3d_weight, shape=(0, -1, 1, 1), name="convtranspose3d_cells4")
    spaced4 = mx.sym.Pad(
        cells4, mode="constant", pad_width=(0, 0, 0, 0, 0, 1, 0, 0), name="convtranspose3d_spaced4"
    )
    joined4 = mx.sym.Reshape(spaced4, shape=(0, 1, 1, 1, -1), name="convtranspose3d_joined4")
    kernel4 = mx.sym.slice_axis(joined4, axis=4, begin=0, end=3, name="convtranspose3d_kernel4")
    return mx.sym.Deconvolution(
        x, weight=kernel4, kernel=(1, 1, 3), num_filter=1, no_bias=True, name="convtranspose3d"
    )
    """
    for axis, (k, d) in enumerate(zip(kernel, dilate, strict=True), start=2):
        if d == 1 or k == 1:
            continue
        lead, rest = elements_in(weight.sizes[:axis]), elements_in(weight.sizes[axis + 1 :])
        lead = fixed(lead)
        rest = fixed(rest)
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
