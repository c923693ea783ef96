"""Sampling at computed places: affine_grid and grid_sample."""

from __future__ import annotations

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value, fixed
from codegen.defects import present
from codegen.idioms.shapes import reshape_to, swapped_axes
from codegen.idioms.windows import numbers_of
from codegen.ir import Dim, Shape


@lowers("affine_grid", ignores=("size",))
def affine_grid(b: Builder, theta: Value, align_corners: bool = False) -> Value:
    """The places that a matrix moves.

    torch: align_corners=False: -1 and 1 are the edges of the image.
    MXNet: GridGenerator's -1 and 1 are the middles of the end cells; it knows no other.
    We write: the places of the output as a constant, times the matrix of each sample.
    Source: torch.nn.functional.affine_grid; mx.sym.GridGenerator.

    >>> converted(lambda t: F.affine_grid(t, (t.shape[0], 1, 4, 4), align_corners=False), (1, 2, 3))
    t = mx.sym.transpose(
        mx.sym.dot(t, affine_grid_places, name="affine_grid_spots"),
        axes=(0, 2, 1),
        name="affine_grid_rows",
    )
    return mx.sym.Reshape(t, shape=(0, 4, 4, 2), name="affine_grid")
    """
    *sizes, axes = b.out.shape[1:]
    if any(isinstance(s, Dim) for s in sizes):
        raise b.refuse_batch("affine_grid() of a size that follows the batch")
    axes = fixed(axes)
    lines = []
    for size in (s for s in sizes if isinstance(s, int)):
        ends = np.linspace(-1, 1, size) if size > 1 else np.zeros(1)
        lines.append(ends if align_corners else ends * (size - 1) / size)
    mesh = np.meshgrid(*lines, indexing="ij")
    places = np.stack([m.reshape(-1) for m in reversed(mesh)] + [np.ones(mesh[0].size)]).astype(np.float32)
    spots = b.op("dot", theta, b.constant(places, "places"), hint="spots")
    rows = swapped_axes(b, spots, 1, 2, hint="rows")
    return reshape_to(b, rows, b.out.shape)


_SAMPLING = ("bilinear", "nearest", "bicubic")
_PADDING = ("zeros", "border", "reflection")


@lowers("grid_sampler")
def grid_sampler(
    b: Builder,
    input: Value,
    grid: Value,
    interpolation_mode: int = 0,
    padding_mode: int = 0,
    align_corners: bool | None = None,
) -> Value:
    return grid_sample(b, input, grid, _SAMPLING[interpolation_mode], _PADDING[padding_mode], align_corners)


@lowers("grid_sample")
def grid_sample(
    b: Builder,
    input: Value,
    grid: Value,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Value:
    kind, padding = mode, padding_mode
    if input.rank != 4:
        raise b.refuse(
            "grid_sample() of volumes: MXNet's BilinearSampler and GridGenerator take images",
            "sample slice by slice",
        )
    sizes = numbers_of(input.sizes[2:], b, "resizing")
    order: Shape = (grid.sizes[0], 2, grid.sizes[1], grid.sizes[2])
    places = b.op("transpose", grid, axes=(0, 3, 1, 2), hint="grid")
    half: Shape = (order[0], 1, *order[2:])
    x, y = b.ops("split", places, num_outputs=2, axis=1, hint="xy", gives=(half, half))
    corners = bool(align_corners)
    if kind == "bicubic":
        return _bicubic(b, input, x, y, sizes, padding, corners)
    columns = _sampling_line(b, x, sizes[1], kind, padding, corners, "x")
    rows = _sampling_line(b, y, sizes[0], kind, padding, corners, "y")
    joined = b.op("Concat", [columns, rows], dim=1, hint="sampling_grid")
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
        low = b.op("floor", cell, hint=f"{name}_low")
        part = b.op("elemwise_sub", cell, low, hint=f"{name}_part")
        taps[name] = []
        for step in range(-1, 3):
            label = f"{name}{step + 1}"
            at = b.with_number("x + c", low, float(step), hint=f"{label}_at") if step else low
            at = b.with_number("x * c", at, 2 / last, hint=f"{label}_place")
            at = b.with_number("x - c", at, 1, hint=f"{label}_line")
            at = _sampling_line(b, at, size, "bilinear", padding, corners, label, scaled=True)
            taps[name].append((at, _cubic(b, part, step, label)))
    total: Value | None = None
    for i, (row, row_weight) in enumerate(taps["y"]):
        for j, (column, column_weight) in enumerate(taps["x"]):
            grid = b.op("Concat", [column, row], dim=1, hint=f"grid{i}{j}")
            shape: Shape = (x.sizes[0], image.sizes[1], *x.sizes[2:])
            sample = b.op("BilinearSampler", image, grid, hint=f"sample{i}{j}", gives=shape)
            weight = b.op("elemwise_mul", row_weight, column_weight, hint=f"weight{i}{j}")
            sample = b.op("broadcast_mul", sample, weight, hint=f"weighted{i}{j}")
            name = "" if (i, j) == (3, 3) else f"sum{i}{j}"
            total = sample if total is None else b.op("elemwise_add", total, sample, hint=name)
    total = present(total)
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
            value = b.op("elemwise_mul", value, part, hint=f"{name}_times{power}")
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
    """Places along one axis of an image that is sampled.

    torch: align_corners=False: -1 and 1 are the edges; what lies outside is zeros, border or reflection.
    MXNet: BilinearSampler's -1 and 1 are the middles of the end cells; outside is zeros.
    We write: the places scaled, and clipped or folded back before.
    Source: torch.nn.functional.grid_sample; mx.sym.BilinearSampler.

    >>> converted(
    ...     lambda x, g: F.grid_sample(x, g, padding_mode="border", align_corners=False),
    ...     (1, 2, 4, 4),
    ...     (1, 3, 3, 2),
    ... )
    g = mx.sym.transpose(g, axes=(0, 3, 1, 2), name="grid_sample_grid")
    xy = mx.sym.split(g, num_outputs=2, name="grid_sample_xy")
    cells = named(xy[0] * (4 / 3), name="grid_sample_x_cells")
    clipped = mx.sym.clip(cells, a_min=-1.0, a_max=1.0, name="grid_sample_x_clipped")
    cells = named(xy[1] * (4 / 3), name="grid_sample_y_cells")
    grid_sample_y_clipped = mx.sym.clip(cells, a_min=-1.0, a_max=1.0, name="grid_sample_y_clipped")
    return mx.sym.BilinearSampler(
        x,
        mx.sym.Concat(clipped, grid_sample_y_clipped, name="grid_sample_sampling_grid"),
        name="grid_sample",
    )
    """
    last = max(size - 1, 1)
    if not corners and not scaled:
        place = b.with_number("x * c", place, size / last, hint=f"{name}_cells")
    if padding == "reflection":
        # A triangle wave between the middles (or edges) of the end cells.
        edge = 1.0 if corners else size / last
        away = b.with_number("x + c", place, edge, hint=f"{name}_shifted")
        away = b.with_number("x % c", away, 4 * edge, hint=f"{name}_period")
        away = b.with_number("x - c", away, 2 * edge, hint=f"{name}_centred")
        away = b.op("abs", away, hint=f"{name}_folded")
        place = b.with_number("c - x", away, edge, hint=f"{name}_reflected")
    if padding != "zeros":
        place = b.op("clip", place, a_min=-1.0, a_max=1.0, hint=f"{name}_clipped")
    if kind == "nearest":
        cell = b.with_number("x + c", place, 1, hint=f"{name}_from_0")
        cell = b.with_number("x * c", cell, last / 2, hint=f"{name}_cell")
        cell = b.op("rint", cell, hint=f"{name}_rounded")
        cell = b.with_number("x * c", cell, 2 / last, hint=f"{name}_place")
        place = b.with_number("x - c", cell, 1, hint=f"{name}_back")
    return place
