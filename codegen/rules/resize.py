"""Resizing, padding and pixel shuffling."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value
from codegen.idioms.around import like_result
from codegen.idioms.elementwise import check_floats
from codegen.idioms.pooling import adaptive_average_to
from codegen.idioms.products import apply_along
from codegen.idioms.windows import numbers_of


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
    """Resizing.

    torch: align_corners=False; many modes of one to three axes.
    MXNet: contrib.BilinearResize2D has align_corners=True, takes images alone, and to one row or column takes
        the first, torch the middle. Its scale is a float32 in a float64 net too.
    We write: align_corners=False; other modes and sizes as a product with a matrix for each axis. The
        scale's rounding stays: float32 is what ships.
    Source: torch.nn.functional.interpolate; mx.sym.contrib.BilinearResize2D, measured.

    >>> converted(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), (1, 4, 5, 5))
    return mx.sym.contrib.BilinearResize2D(
        x, scale_height=2, scale_width=2, align_corners=False, name="interpolate"
    )
    """
    old, new = numbers_of(input.sizes[2:], b, "resizing"), numbers_of(b.out.shape[2:], b, "resizing")
    axes = len(old)
    scales: tuple[float | None, ...] = (None,) * axes
    if scale_factor is not None and not recompute_scale_factor:
        scales = (scale_factor,) * axes if isinstance(scale_factor, float | int) else tuple(scale_factor)
    whole = all(s is None or s * o == n for s, o, n in zip(scales, old, new, strict=True))
    if not mode.startswith("nearest"):
        check_floats(b, "whose means torch rounds in a way of its own")
    if mode == "area":
        return adaptive_average_to(b, input, new)
    if old == new and mode in {"nearest", "nearest-exact"} and whole:
        return input
    if mode == "nearest" and whole and all(n % o == 0 for n, o in zip(new, old, strict=True)):
        return _repeated(b, input, tuple(n // o for n, o in zip(new, old, strict=True)))
    if mode == "bilinear" and whole and not antialias and 1 not in new:
        like = like_result(b, input.dtype) if scale_factor is None else None
        if like is not None and like[1] == like[2] == (2, 3):
            return _as_large_as(b, input, like[0], bool(align_corners))
        return _bilinear(b, input, scales, new, bool(align_corners))
    matrices = [
        resampling_matrix(o, n, mode, bool(align_corners), antialias, s)
        for o, n, s in zip(old, new, scales, strict=True)
    ]
    return _resampled(b, input, matrices)


def _bilinear(
    b: Builder, x: Value, scales: tuple[float | None, ...], new: tuple[int, ...], align_corners: bool
) -> Value:
    """Where the author gives whole factors, by these: the net then stays free of its size."""
    factors = [int(s) for s in scales if s is not None and float(s).is_integer()]
    if align_corners or len(factors) < len(scales):
        height, width = new
        sizes: dict[str, Any] = {"height": height, "width": width}
    else:
        sizes = {"scale_height": factors[0], "scale_width": factors[1]}
    return b.op("contrib.BilinearResize2D", x, align_corners=align_corners, gives=b.out.shape, **sizes)


def _as_large_as(b: Builder, x: Value, like: Value, align_corners: bool) -> Value:
    """An image as large as another.

    torch: size=y.shape[-2:] is two numbers by the time that torch sees them.
    MXNet: contrib.BilinearResize2D has mode="like", which takes the size of another image when it runs.
    We write: that, where the size is another's at two sizes of the input.
    Source: mx.sym.contrib.BilinearResize2D, measured.

    >>> converted(lambda x: F.interpolate(F.max_pool2d(x, 2), x.shape[2:], mode="bilinear"), (1, 2, 8, 8))
    pool2d = mx.sym.Pooling(x, kernel=(2, 2), pool_type="max", stride=(2, 2), name="max_pool2d")
    return mx.sym.contrib.BilinearResize2D(
        pool2d, x, mode="like", align_corners=False, name="interpolate"
    )
    """
    return b.op(
        "contrib.BilinearResize2D",
        x,
        like,
        mode="like",
        align_corners=align_corners,
        gives=b.out.shape,
    )


def _repeated(b: Builder, x: Value, factors: tuple[int, ...]) -> Value:
    """Resizing by whole factors, to the nearest.

    torch: nearest by any factors, of one to three axes.
    MXNet: UpSampling takes images, and one factor for both axes.
    We write: UpSampling there, else a repeat along each axis.
    Source: torch.nn.Upsample; mx.sym.UpSampling, whose error says so.

    >>> converted(lambda x: F.interpolate(x, scale_factor=2), (1, 4, 5, 5))
    return mx.sym.UpSampling(x, scale=2, sample_type="nearest", name="interpolate")
    >>> converted(lambda x: F.interpolate(x, scale_factor=2), (1, 4, 5))
    return mx.sym.repeat(x, repeats=2, axis=2, name="repeat2")
    """
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
    """Resizing by a matrix for each axis.

    torch: bicubic, linear, trilinear, nearest to any size, antialias.
    MXNet: has none of them.
    We write: a product along each axis with torch's own resampling of the unit vectors, which is exact: each
        mode is linear, axis by axis.
    Source: torch.nn.functional.interpolate; mx.sym.dot.

    >>> converted(lambda x: F.interpolate(x, size=7, mode="linear"), (1, 4, 5))
    return mx.sym.dot(x, weight, name="columns")
    """
    rank = x.rank
    for axis, matrix in enumerate(matrices, start=2):
        new, old = matrix.shape
        if new == old and np.array_equal(matrix, np.eye(old, dtype=np.float32)):
            continue
        name = "columns" if axis == rank - 1 else f"axis{axis}"
        weights = b.constant(np.ascontiguousarray(matrix.T), f"{name}_weight")
        x = apply_along(b, x, axis, weights, new, name)
    return x
