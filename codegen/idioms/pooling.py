"""Pooling, with torch's count of windows."""

from __future__ import annotations

import itertools
from dataclasses import replace

from codegen.builder.builder import Builder
from codegen.builder.value import Value, fixed
from codegen.defects import present
from codegen.idioms.shapes import cut
from codegen.idioms.windows import LOWEST, numbers_of, pad_zeros, with_batch, without_batch


def surplus(size: int, kernel: int, stride: int, pad: int) -> int:
    """Cells that torch's ceil_mode adds on the right beyond the padding (0 where it adds no window)."""
    span = size + 2 * pad - kernel
    windows = -(-span // stride) + 1
    if (windows - 1) * stride >= size + pad:
        windows -= 1  # a last window that would start in the right padding is dropped
    return max(0, (windows - 1) * stride + kernel - (size + 2 * pad))


def window_count(size: int, kernel: int, stride: int, pad: int, ceil_mode: bool) -> int:
    """The number of windows with ceil_mode.

    torch: ceil_mode drops a last window that starts in the right padding: size 7, kernel 2, stride 3 and
        padding 1 give 3 windows.
    MXNet: Pooling with pooling_convention="full" keeps it: 4 windows.
    We write: "valid" where it gives torch's number, else "full", from which the windows too many are cut.
    Source: torch.nn.MaxPool2d; mx.sym.Pooling.

    >>> converted(nn.MaxPool2d(2, 3, 1, ceil_mode=True), (1, 4, 7, 7))
    return mx.sym.Pooling(
        x, kernel=(2, 2), pool_type="max", stride=(3, 3), pad=(1, 1), name="maxpool2d"
    )
    >>> converted(nn.MaxPool2d((2, 3), (3, 2), (1, 0), ceil_mode=True), (1, 4, 7, 8))
    full = mx.sym.Pooling(
        x,
        kernel=(2, 3),
        pool_type="max",
        stride=(3, 2),
        pad=(1, 0),
        pooling_convention="full",
        name="maxpool2d_full",
    )
    return mx.sym.slice_axis(full, axis=2, begin=0, end=3, name="maxpool2d_trim2")
    """
    if not ceil_mode:
        return (size + 2 * pad - kernel) // stride + 1
    return (size + 2 * pad + surplus(size, kernel, stride, pad) - kernel) // stride + 1


def _full_windows(size: int, kernel: int, stride: int, pad: int) -> int:
    return -(-(size + 2 * pad - kernel) // stride) + 1


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
    return pool(b, x, "max", kernel_within(x, kernel, pads, b), strides, pads, ceil_mode, None)


def pool(
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
    """Pooling, of torch's defaults.

    torch: the stride is the kernel's size unless it is given; an average counts the padding.
    MXNet: Pooling's stride is 1; its pool_type is "max", and its kernel has no default; count_include_pad is
        unset, which counts the padding; pooling_convention is "valid", which rounds the number of windows
        down.
    We write: stride, pooling_convention and count_include_pad that are not MXNet's; pool_type always, without
        which plot_network fails.
    Source: torch.nn.MaxPool2d, torch.nn.AvgPool2d; mx.sym.Pooling.

    >>> converted(nn.MaxPool2d(2), (1, 4, 8, 8))
    return mx.sym.Pooling(x, kernel=(2, 2), pool_type="max", stride=(2, 2), name="maxpool2d")
    >>> converted(nn.AvgPool2d(3, 1, 1, count_include_pad=False), (1, 4, 8, 8))
    return mx.sym.Pooling(
        x, kernel=(3, 3), pool_type="avg", pad=(1, 1), count_include_pad=False, name="avgpool2d"
    )
    """
    sizes = numbers_of(x.sizes[2:], b)
    grid = list(zip(sizes, kernel, strides, pads, strict=True))
    wanted = tuple(window_count(*cell, ceil_mode) for cell in grid)
    valid = tuple(window_count(*cell, False) for cell in grid)
    full = tuple(_full_windows(*cell) for cell in grid)
    convention = "full" if wanted != valid else "valid"
    trimmed = convention == "full" and full != wanted
    pooled = b.op(
        "Pooling",
        x,
        kernel=kernel,
        pool_type=kind,
        stride=strides,
        pad=pads,
        pooling_convention=convention,
        count_include_pad=include_pad is not False,
        hint="full" if trimmed and not hint else hint,
    )
    if not trimmed:
        return pooled
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
    """Max pooling with gaps between the cells of a window.

    torch: max pooling takes a dilation.
    MXNet: Pooling has none.
    We write: the maximum of the image moved by each cell of the kernel.
    Source: torch.nn.MaxPool2d; mx.sym.Pooling.

    >>> converted(nn.MaxPool1d(2, 1, dilation=2), (1, 4, 8))
    cell0 = mx.sym.slice(
        x, begin=(None, None, 0), end=(None, None, 6), step=(1, 1, 1), name="maxpool1d_cell0"
    )
    cell1 = mx.sym.slice(
        x, begin=(None, None, 2), end=(None, None, 8), step=(1, 1, 1), name="maxpool1d_cell1"
    )
    return mx.sym.broadcast_maximum(cell0, cell1, name="maxpool1d_max1")
    """
    best: Value | None = None
    for number, window in enumerate(window_cells(b, x, kernel, strides, pads, dilation)):
        best = window if best is None else b.op("broadcast_maximum", best, window, hint=f"max{number}")
    best = present(best)
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


def kernel_within(x: Value, kernel: tuple[int, ...], pads: tuple[int, ...], b: Builder) -> tuple[int, ...]:
    """A window larger than the image.

    torch: with ceil_mode a window may be larger than the padded image, all of which it covers.
    MXNet: Pooling refuses a kernel that is larger.
    We write: a kernel of the image's size.
    Source: torch.nn.MaxPool2d; mx.sym.Pooling, whose error says so.

    >>> converted(nn.MaxPool2d(5, ceil_mode=True), (1, 4, 4, 4))
    return mx.sym.Pooling(x, kernel=(4, 4), pool_type="max", stride=(5, 5), name="maxpool2d")
    """
    cells = zip(numbers_of(x.sizes[2:], b), kernel, pads, strict=True)
    return tuple(min(k, size + 2 * pad) for size, k, pad in cells)


def adaptive_average_to(b: Builder, input: Value, outs: tuple[int, ...]) -> Value:
    """Adaptive average pooling to a size; torch's interpolate calls it `area`."""
    return adaptive_to(b, input, "avg", outs)


def adaptive_to(b: Builder, input: Value, kind: str, outs: tuple[int, ...]) -> Value:
    """Pooling to a size.

    `kind` is avg or max.

    torch: windows of uneven size where the sizes do not divide; averages and maxima of one to three axes.
    MXNet: contrib.AdaptiveAvgPooling2D alone: averages of images.
    We write: a Pooling where the sizes divide, global_pool for a size of 1, with the kernel that int8
        quantisation, plot_network and the exporter to ONNX read; else AdaptiveAvgPooling2D, or
        each window cut out and reduced, one axis after the other.
    Source: torch.nn.AdaptiveAvgPool2d; mx.sym.contrib.AdaptiveAvgPooling2D.

    >>> converted(nn.AdaptiveAvgPool2d(1), (1, 4, 8, 8))
    return mx.sym.Pooling(x, kernel=(1, 1), pool_type="avg", global_pool=True, name="adaptiveavgpool2d")
    >>> converted(nn.AdaptiveMaxPool1d(2), (1, 4, 3))
    window2_0 = mx.sym.slice_axis(x, axis=2, begin=0, end=2, name="adaptivemaxpool1d_window2_0")
    max2_0 = mx.sym.max(window2_0, axis=2, keepdims=True, name="adaptivemaxpool1d_max2_0")
    window2_1 = mx.sym.slice_axis(x, axis=2, begin=1, end=3, name="adaptivemaxpool1d_window2_1")
    max2_1 = mx.sym.max(window2_1, axis=2, keepdims=True, name="adaptivemaxpool1d_max2_1")
    return mx.sym.Concat(max2_0, max2_1, dim=2, name="adaptivemaxpool1d_joined2")
    """
    axes = len(outs)
    include = False if kind == "avg" else None
    if set(outs) == {1} and input.rank not in {axes + 1, axes + 2}:
        # torch takes any rank here.
        return b.op("mean", input, axis=tuple(range(input.rank - axes, input.rank)), keepdims=True)
    x = with_batch(b, input, axes)
    if set(outs) == {1}:
        # global_pool takes the size of the input, but int8 quantisation and ONNX's exporter read the kernel.
        pooled = b.op(
            "Pooling",
            x,
            kernel=(1,) * axes,
            pool_type=kind,
            global_pool=True,
            stride=None,
        )
        return without_batch(b, input, pooled, axes)
    sizes = numbers_of(x.sizes[2:], b)
    if kind == "avg" and axes == 2 and _reads_image(b):
        pooled = b.op("contrib.AdaptiveAvgPooling2D", x, output_size=outs)
    elif all(s % o == 0 for s, o in zip(sizes, outs, strict=True)):
        kernel = tuple(s // o for s, o in zip(sizes, outs, strict=True))
        if set(kernel) == {1}:
            return input
        pooled = pool(b, x, kind, kernel, kernel, (0,) * axes, False, include)
    elif kind == "avg" and axes == 2:
        pooled = b.op("contrib.AdaptiveAvgPooling2D", x, output_size=outs)
    else:
        pooled = _adaptive_by_axis(b, x, kind, outs)
    return without_batch(b, input, pooled, axes)


def _reads_image(b: Builder) -> bool:
    """Whether what the node reads is of another size at another image size."""
    read = next(iter(b.node.refs()))
    there = b.elsewhere(read)
    return there is not None and there != b.graph.type_of(read).shape


def covers_all(b: Builder, x: Value, kernel: tuple[int, ...], pads: tuple[int, ...]) -> bool:
    """Whether a window is the whole image, at another size of it too: avg_pool2d(x, x.shape[2:])."""
    there = b.elsewhere()
    follows = b.follows_image("kernel_size") and there is not None and set(there[-len(kernel) :]) == {1}
    return follows and x.sizes[2:] == kernel and not any(pads)


def _adaptive_by_axis(b: Builder, x: Value, kind: str, outs: tuple[int, ...]) -> Value:
    """Windows of uneven size, one axis after the other: each is cut out and reduced."""
    for axis, out in enumerate(outs, start=2):
        size = x.sizes[axis]
        size = fixed(size)
        if size == out:
            continue
        cells = []
        for i in range(out):
            begin, end = i * size // out, -(-(i + 1) * size // out)
            window = cut(b, x, axis, begin, end, hint=f"window{axis}_{i}")
            op = "mean" if kind == "avg" else "max"
            cells.append(b.op(op, window, axis=axis, keepdims=True, hint=f"{op}{axis}_{i}"))
        x = b.op("Concat", cells, dim=axis, hint=f"joined{axis}")
    return x
