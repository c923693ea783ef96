"""Resizing, padding and pixel shuffling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from codegen.lower import Builder, Value
from codegen.registry import lowers
from codegen.rules.arithmetic import full_like
from codegen.rules.conv import Sizes, each
from codegen.rules.layout import cut, reshape_to
from tracer.ir import Dim, Shape, Size


def _numbers(shape: Shape, b: Builder) -> tuple[int, ...]:
    if any(isinstance(s, Dim) for s in shape):
        raise b.refuse("resizing an axis that follows the batch", "fix the batch size with --input")
    return tuple(s for s in shape if isinstance(s, int))


# `recompute_scale_factor` is honoured by torch in the sizes that it gives; `size` is the node's shape.
@lowers("interpolate", ignores=("size",))
def interpolate(
    b: Builder,
    input: Value,
    scale_factor: float | tuple[float, ...] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Value:
    old, new = _numbers(input.sizes[2:], b), _numbers(b.out.shape[2:], b)
    axes = len(old)
    scales: tuple[float | None, ...] = (None,) * axes
    if scale_factor is not None and not recompute_scale_factor:
        scales = (scale_factor,) * axes if isinstance(scale_factor, float | int) else tuple(scale_factor)
    whole = all(s is None or s * o == n for s, o, n in zip(scales, old, new, strict=True))
    if mode == "area":
        from codegen.rules.pool import adaptive_average_to

        return adaptive_average_to(b, input, new)
    if old == new and mode in {"nearest", "nearest-exact"} and whole:
        return input
    if mode == "nearest" and whole and all(n % o == 0 for n, o in zip(new, old, strict=True)):
        return _repeated(b, input, tuple(n // o for n, o in zip(new, old, strict=True)))
    # BilinearResize2D to one row or column takes the first one; torch the middle.
    if mode == "bilinear" and whole and not antialias and 1 not in new:
        if not align_corners and all(s is not None and float(s).is_integer() for s in scales):
            # Where the author gives a factor, the net stays free of its size.
            return b.op(
                "contrib.BilinearResize2D",
                input,
                scale_height=int(scales[0] or 1),
                scale_width=int(scales[1] or 1),
                align_corners=False,
                gives=b.out.shape,
            )
        return b.op(
            "contrib.BilinearResize2D",
            input,
            height=new[0],
            width=new[1],
            align_corners=bool(align_corners),
        )
    matrices = [
        resampling_matrix(o, n, mode, bool(align_corners), antialias, s)
        for o, n, s in zip(old, new, scales, strict=True)
    ]
    return _resampled(b, input, matrices)


def _repeated(b: Builder, x: Value, factors: tuple[int, ...]) -> Value:
    if len(factors) == 2 and factors[0] == factors[1]:
        return b.op("UpSampling", x, scale=factors[0], sample_type="nearest")
    for axis, factor in enumerate(factors, start=2):
        if factor > 1:
            x = b.op("repeat", x, repeats=factor, axis=axis, hint=f"repeat{axis}")
    return x


def resampling_matrix(
    old: int, new: int, mode: str, align_corners: bool, antialias: bool, scale: float | None
) -> npt.NDArray[np.float32]:
    """The (new, old) matrix by which torch resamples one axis: its own interpolate on the unit vectors.

    Every mode of torch's interpolate is separable and linear, so one matrix for each axis is exact.
    """
    import torch

    mode = {"linear": "bilinear", "trilinear": "bilinear"}.get(mode, mode)
    corners = align_corners if mode in {"bilinear", "bicubic"} else None
    # Width 2: torch's antialias misreads an image of width 1 as channels last.
    unit = torch.eye(old, dtype=torch.float64).reshape(old, 1, old, 1).repeat(1, 1, 1, 2)
    size = None if scale is not None else (new, 2)
    factor = (scale, 1.0) if scale is not None else None
    columns = torch.nn.functional.interpolate(
        unit, size=size, scale_factor=factor, mode=mode, align_corners=corners, antialias=antialias
    )
    matrix: npt.NDArray[np.float32] = columns[:, 0, :, 0].T.contiguous().numpy().astype(np.float32)
    return matrix


def _resampled(b: Builder, x: Value, matrices: list[npt.NDArray[np.float32]]) -> Value:
    rank = x.rank
    for axis, matrix in enumerate(matrices, start=2):
        new, old = matrix.shape
        if new == old and np.array_equal(matrix, np.eye(old, dtype=np.float32)):
            continue
        name = "columns" if axis == rank - 1 else f"axis{axis}"
        weights = b.constant(np.ascontiguousarray(matrix.T), f"{name}_weight")
        x = apply_along(b, x, axis, weights, new, name)
    return x


def apply_along(b: Builder, x: Value, axis: int, weights: Value, size: Size, name: str) -> Value:
    """`x` with axis `axis` multiplied by the matrix `weights` (old, new)."""
    last = x.rank - 1
    sizes = list(x.sizes)
    if axis != last:
        sizes[axis], sizes[last] = sizes[last], sizes[axis]
        x = b.op("SwapAxis", x, dim1=axis, dim2=last, hint=f"{name}_last", gives=tuple(sizes))
    sizes[last] = size
    x = b.op("dot", x, weights, hint=name, gives=tuple(sizes))
    if axis != last:
        sizes[axis], sizes[last] = sizes[last], sizes[axis]
        x = b.op("SwapAxis", x, dim1=axis, dim2=last, hint=f"{name}_back", gives=tuple(sizes))
    return x


@lowers("pad")
def pad(
    b: Builder, input: Value, pad: tuple[int, ...], mode: str = "constant", value: float | None = None
) -> Value:
    sides = {}
    for i in range(0, len(pad), 2):
        axis = input.rank - 1 - i // 2
        if (pad[i], pad[i + 1]) != (0, 0):
            sides[axis] = (pad[i], pad[i + 1])
    if any(isinstance(n, Dim) for side in sides.values() for n in side):
        raise b.refuse("padding by the batch size", "fix the batch size with --input")
    if mode == "replicate" and any(min(side) < 0 for side in sides.values()):
        return _replicated(b, input, sides)
    input, sides = _cropped(b, input, sides)
    if not sides:
        return input
    fill = float(value or 0)
    if mode == "circular":
        return _wrapped(b, input, sides)
    whole = not input.dtype.startswith("float")
    if min(sides) >= 2 and input.rank in {4, 5} and not whole:
        return _pad(b, input, sides, mode, fill)
    missing = max(4 - input.rank, 2 - min(sides), 0)
    if input.rank + missing <= 5 and not whole:
        image = reshape_to(b, input, (*(1,) * missing, *input.sizes), hint="image")
        moved = {a + missing: side for a, side in sides.items()}
        return reshape_to(b, _pad(b, image, moved, mode, fill, "pad"), b.out.shape)
    if mode != "constant":
        raise b.refuse(
            f"pad() with mode={mode!r} on the axes {sorted(sides)} of a tensor of rank {input.rank}"
        )
    return _concatenated(b, input, sides, fill)


def _grown(shape: Shape, sides: dict[int, tuple[int, int]]) -> Shape:
    def size(s: Size, side: tuple[int, int]) -> Size:
        return s + sum(side) if isinstance(s, int) else Dim(s.coef, s.const + sum(side)) if sum(side) else s

    return tuple(size(s, sides.get(i, (0, 0))) for i, s in enumerate(shape))


def _pad(
    b: Builder, x: Value, sides: dict[int, tuple[int, int]], mode: str, fill: float, hint: str = ""
) -> Value:
    width = tuple(n for axis in range(x.rank) for n in sides.get(axis, (0, 0)))
    name = {"constant": "constant", "replicate": "edge", "reflect": "reflect"}[mode]
    gives = _grown(x.sizes, sides)
    return b.op("Pad", x, mode=name, pad_width=width, constant_value=fill, hint=hint, gives=gives)


def _replicated(b: Builder, x: Value, sides: dict[int, tuple[int, int]]) -> Value:
    """Negative sides may cut more than there is; torch then repeats the end that lies nearest."""
    from codegen.rules.index import take

    for axis, (before, after) in sides.items():
        size = x.sizes[axis]
        if isinstance(size, Dim):
            raise b.refuse("cutting the batch axis", "fix the batch size with --input")
        places = np.clip(np.arange(-before, size + after), 0, size - 1)
        x = take(b, x, b.constant(places, f"places{axis}"), axis, hint=f"padded{axis}")
    return x


def _cropped(
    b: Builder, x: Value, sides: dict[int, tuple[int, int]]
) -> tuple[Value, dict[int, tuple[int, int]]]:
    """torch's negative padding cuts."""
    for axis, (before, after) in sides.items():
        size = x.sizes[axis]
        if before < 0 or after < 0:
            if isinstance(size, Dim):
                raise b.refuse("cutting the batch axis", "fix the batch size with --input")
            x = cut(b, x, axis, max(0, -before), size - max(0, -after), hint=f"crop{axis}")
    rest = {a: (max(0, p), max(0, q)) for a, (p, q) in sides.items()}
    return x, {a: side for a, side in rest.items() if side != (0, 0)}


def _wrapped(b: Builder, x: Value, sides: dict[int, tuple[int, int]]) -> Value:
    for axis, (before, after) in sides.items():
        size = x.sizes[axis]
        if isinstance(size, Dim):
            raise b.refuse("padding the batch axis", "fix the batch size with --input")
        parts = [x]
        if before:
            parts.insert(0, cut(b, x, axis, size - before, size, hint=f"tail{axis}"))
        if after:
            parts.append(cut(b, x, axis, 0, after, hint=f"head{axis}"))
        x = b.op(
            "Concat", parts, dim=axis, hint=f"wrap{axis}", gives=_grown(x.sizes, {axis: (before, after)})
        )
    return x


def _concatenated(b: Builder, x: Value, sides: dict[int, tuple[int, int]], fill: float) -> Value:
    for axis, (before, after) in sides.items():
        parts = [x]
        for count, place, end in ((before, 0, "before"), (after, 1, "after")):
            if not count:
                continue
            cell = full_like(
                b, cut(b, x, axis, 0, 1, hint=f"{end}{axis}_cell"), fill, x.dtype, f"{end}{axis}"
            )
            gives = (*x.sizes[:axis], count, *x.sizes[axis + 1 :])
            block = b.op(
                "broadcast_axis", cell, axis=(axis,), size=(count,), hint=f"{end}{axis}_block", gives=gives
            )
            parts.insert(0 if place == 0 else len(parts), block)
        x = b.op("Concat", parts, dim=axis, hint=f"pad{axis}", gives=_grown(x.sizes, {axis: (before, after)}))
    return x


def divided(size: Size, number: int) -> Size:
    """A size divided by a number that it holds."""
    return size // number if isinstance(size, int) else Dim(size.coef / number, size.const / number)


@lowers("pixel_shuffle")
def pixel_shuffle(b: Builder, input: Value, upscale_factor: int) -> Value:
    # torch's channel is (c, r, r), the depth_to_space of MXNet has (r, r, c): axes by hand.
    *lead, channels, height, width = input.sizes
    assert isinstance(height, int)
    assert isinstance(width, int)
    r, c = upscale_factor, divided(channels, upscale_factor**2)
    x = reshape_to(b, input, (*lead, c, r, r, height, width), hint="cells")
    k = len(lead)
    axes = (*range(k), k, k + 3, k + 1, k + 4, k + 2)
    gives = (*lead, c, height, r, width, r)
    x = b.op("transpose", x, axes=axes, hint="rows", gives=gives)
    return reshape_to(b, x, (*lead, c, height * r, width * r))


@lowers("pixel_unshuffle")
def pixel_unshuffle(b: Builder, input: Value, downscale_factor: int) -> Value:
    *lead, channels, height, width = input.sizes
    assert isinstance(channels, int)
    assert isinstance(height, int)
    assert isinstance(width, int)
    r = downscale_factor
    x = reshape_to(b, input, (*lead, channels, height // r, r, width // r, r), hint="cells")
    k = len(lead)
    axes = (*range(k), k, k + 2, k + 4, k + 1, k + 3)
    gives = (*lead, channels, r, r, height // r, width // r)
    x = b.op("transpose", x, axes=axes, hint="channels", gives=gives)
    return reshape_to(b, x, (*lead, channels * r * r, height // r, width // r))


@lowers("channel_shuffle", "native_channel_shuffle")
def channel_shuffle(b: Builder, input: Value, groups: int) -> Value:
    batch, channels, *rest = input.sizes
    assert isinstance(channels, int)
    x = reshape_to(b, input, (batch, groups, channels // groups, *rest), hint="groups")
    x = b.op("SwapAxis", x, dim1=1, dim2=2, hint="swapped", gives=(batch, channels // groups, groups, *rest))
    return reshape_to(b, replace(x), input.sizes)


@lowers("im2col")
def im2col(
    b: Builder, input: Value, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> Value:
    return b.op(
        "im2col",
        input,
        kernel=each(kernel_size, 2),
        stride=each(stride, 2),
        dilate=each(dilation, 2),
        pad=each(padding, 2),
    )


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
    return b.op(
        "col2im",
        input,
        output_size=each(output_size, 2),
        kernel=each(kernel_size, 2),
        stride=each(stride, 2),
        dilate=each(dilation, 2),
        pad=each(padding, 2),
    )


@lowers("affine_grid", ignores=("size",))
def affine_grid(b: Builder, theta: Value, align_corners: bool = False) -> Value:
    """The places of the output, times each sample's matrix."""
    *sizes, axes = b.out.shape[1:]
    if any(isinstance(s, Dim) for s in sizes):
        raise b.refuse("affine_grid() of a size that follows the batch", "fix the batch size with --input")
    assert isinstance(axes, int)
    lines = []
    for size in (s for s in sizes if isinstance(s, int)):
        ends = np.linspace(-1, 1, size) if size > 1 else np.zeros(1)
        lines.append(ends if align_corners else ends * (size - 1) / size)
    mesh = np.meshgrid(*lines, indexing="ij")
    places = np.stack([m.reshape(-1) for m in reversed(mesh)] + [np.ones(mesh[0].size)]).astype(np.float32)
    count = places.shape[1]
    spots = b.op(
        "dot", theta, b.constant(places, "places"), hint="spots", gives=(theta.sizes[0], axes, count)
    )
    rows = b.op("SwapAxis", spots, dim1=1, dim2=2, hint="rows", gives=(theta.sizes[0], count, axes))
    return reshape_to(b, rows, b.out.shape)


_SAMPLING = ("bilinear", "nearest", "bicubic")
_PADDING = ("zeros", "border", "reflection")


@lowers("grid_sample", "grid_sampler")
def grid_sample(
    b: Builder,
    input: Value,
    grid: Value,
    mode: str | int = "bilinear",
    padding_mode: str | int = "zeros",
    align_corners: bool | None = None,
    interpolation_mode: int = 0,
) -> Value:
    kind = _SAMPLING[mode or interpolation_mode] if isinstance(mode, int) else mode
    kind = _SAMPLING[interpolation_mode] if b.node.op == "grid_sampler" else kind
    padding = _PADDING[padding_mode] if isinstance(padding_mode, int) else padding_mode
    if input.rank != 4:
        raise b.refuse(
            "grid_sample() of volumes: MXNet's BilinearSampler and GridGenerator take images",
            "sample slice by slice",
        )
    sizes = _numbers(input.sizes[2:], b)
    order: Shape = (grid.sizes[0], 2, grid.sizes[1], grid.sizes[2])
    places = b.op("transpose", grid, axes=(0, 3, 1, 2), hint="grid", gives=order)
    half: Shape = (order[0], 1, *order[2:])
    x, y = b.ops("split", places, num_outputs=2, axis=1, hint="xy", gives=(half, half))
    corners = bool(align_corners)
    if kind == "bicubic":
        return _bicubic(b, input, x, y, sizes, padding, corners)
    columns = _sampling_line(b, x, sizes[1], kind, padding, corners, "x")
    rows = _sampling_line(b, y, sizes[0], kind, padding, corners, "y")
    joined = b.op("Concat", [columns, rows], dim=1, hint="sampling_grid", gives=order)
    return b.op("BilinearSampler", input, joined)


def _bicubic(
    b: Builder, image: Value, x: Value, y: Value, sizes: tuple[int, ...], padding: str, corners: bool
) -> Value:
    """Sixteen samples at whole cells, weighted by torch's cubic (a = -0.75)."""
    taps: dict[str, list[tuple[Value, Value]]] = {}
    for name, place, size in (("x", x, sizes[1]), ("y", y, sizes[0])):
        last = max(size - 1, 1)
        scaled = place if corners else b.with_number("x * c", place, size / last, hint=f"{name}_cells")
        cell = b.with_number("x + c", scaled, 1, hint=f"{name}_from_0")
        cell = b.with_number("x * c", cell, last / 2, hint=f"{name}_cell")
        low = b.op("floor", cell, hint=f"{name}_low", gives=cell.shape)
        part = b.op("elemwise_sub", cell, low, hint=f"{name}_part", gives=cell.shape)
        taps[name] = []
        for step in range(-1, 3):
            label = f"{name}{step + 1}"
            at = b.with_number("x + c", low, float(step), hint=f"{label}_at") if step else low
            at = b.with_number("x * c", at, 2 / last, hint=f"{label}_place")
            at = b.with_number("x - c", at, 1, hint=f"{label}_line")
            at = _sampling_line(b, at, size, "bilinear", padding, corners, label, scaled=True)
            taps[name].append((at, _cubic(b, part, step, label)))
    total: Value | None = None
    order: Shape = (x.sizes[0], 2, *x.sizes[2:])
    for i, (row, row_weight) in enumerate(taps["y"]):
        for j, (column, column_weight) in enumerate(taps["x"]):
            grid = b.op("Concat", [column, row], dim=1, hint=f"grid{i}{j}", gives=order)
            shape: Shape = (x.sizes[0], image.sizes[1], *x.sizes[2:])
            sample = b.op("BilinearSampler", image, grid, hint=f"sample{i}{j}", gives=shape)
            weight = b.op("elemwise_mul", row_weight, column_weight, hint=f"weight{i}{j}", gives=x.shape)
            sample = b.op("broadcast_mul", sample, weight, hint=f"weighted{i}{j}", gives=shape)
            name = "" if (i, j) == (3, 3) else f"sum{i}{j}"
            total = sample if total is None else b.op("elemwise_add", total, sample, hint=name, gives=shape)
    assert total is not None
    return total


def _cubic(b: Builder, part: Value, step: int, name: str) -> Value:
    """The weight of the cell `step` away, a cubic in the part of a cell (Horner's form)."""
    a = -0.75
    factors = {
        -1: (a, -2 * a, a, 0.0),
        0: (a + 2, -(a + 3), 0.0, 1.0),
        1: (-(a + 2), 2 * a + 3, -a, 0.0),
        2: (-a, a, 0.0, 0.0),
    }[step]
    value = b.with_number("x * c", part, factors[0], hint=f"{name}_cubic")
    for power, factor in enumerate(factors[1:], start=1):
        if factor:
            value = b.with_number("x + c", value, factor, hint=f"{name}_plus{power}")
        if power < 3:
            value = b.op("elemwise_mul", value, part, hint=f"{name}_times{power}", gives=part.shape)
    return value


def _sampling_line(
    b: Builder,
    place: Value,
    size: int,
    kind: str,
    padding: str,
    corners: bool,
    name: str,
    scaled: bool = False,
) -> Value:
    """Places along one axis, brought to BilinearSampler's: -1 and 1 are the middles of the end cells."""
    last = max(size - 1, 1)
    if not corners and not scaled:
        place = b.with_number("x * c", place, size / last, hint=f"{name}_cells")
    if padding == "reflection":
        # A triangle wave between the middles (or edges) of the end cells.
        edge = 1.0 if corners else size / last
        away = b.with_number("x + c", place, edge, hint=f"{name}_shifted")
        away = b.with_number("x % c", away, 4 * edge, hint=f"{name}_period")
        away = b.with_number("x - c", away, 2 * edge, hint=f"{name}_centred")
        away = b.op("abs", away, hint=f"{name}_folded", gives=place.shape)
        place = b.with_number("c - x", away, edge, hint=f"{name}_reflected")
    if padding != "zeros":
        place = b.op("clip", place, a_min=-1.0, a_max=1.0, hint=f"{name}_clipped", gives=place.shape)
    if kind == "nearest":
        cell = b.with_number("x + c", place, 1, hint=f"{name}_from_0")
        cell = b.with_number("x * c", cell, last / 2, hint=f"{name}_cell")
        cell = b.op("rint", cell, hint=f"{name}_rounded", gives=place.shape)
        cell = b.with_number("x * c", cell, 2 / last, hint=f"{name}_place")
        place = b.with_number("x - c", cell, 1, hint=f"{name}_back")
    return place
