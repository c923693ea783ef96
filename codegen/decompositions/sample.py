"""Pooling and sampling at places that are computed: fractional windows, volumes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch

from codegen.decompositions import NotWritten, decomposes
from codegen.defects import present

Tensor = torch.Tensor


@decomposes("fractional_max_pool2d", "fractional_max_pool3d")
def fractional_max_pool(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    values, places = _fractional(input, kernel_size, output_size, output_ratio, _random_samples)
    return (values, places) if return_indices else values


@decomposes("fractional_max_pool2d_with_indices", "fractional_max_pool3d_with_indices")
def fractional_max_pool_with_indices(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    del return_indices
    return _fractional(input, kernel_size, output_size, output_ratio, _random_samples)


def _fractional(
    input: Tensor, kernel_size: Any, output_size: Any, output_ratio: Any, samples: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Window i begins at trunc((i + u) a) - trunc(u a), with u the random sample of a plane and an axis."""
    if samples is None:
        raise NotWritten  # the windows are drawn
    axes = samples.shape[-1]
    samples = samples[:1] if input.dim() == axes + 1 else samples
    sizes = input.shape[-axes:]
    kernel = [kernel_size] * axes if isinstance(kernel_size, int) else list(kernel_size)
    if output_size is None:
        ratio = [output_ratio] * axes if isinstance(output_ratio, float) else list(output_ratio)
        output_size = [int(s * r) for s, r in zip(sizes, ratio, strict=True)]
    output = [output_size] * axes if isinstance(output_size, int) else list(output_size)
    planes = input.reshape(*samples.shape[:2], *sizes)
    flat: Tensor = torch.zeros((), dtype=torch.float32)
    for axis in range(axes):
        # torch counts the samples from the last axis: width, height, depth.
        start = _starts(
            samples[..., axis if axes == 3 else 1 - axis], sizes[axis], output[axis], kernel[axis]
        )
        place = start.unsqueeze(-1) + torch.arange(kernel[axis], dtype=torch.float32)
        shape = [1] * (2 * axes)
        shape[axis], shape[axes + axis] = output[axis], kernel[axis]
        flat = flat * sizes[axis] + place.reshape(*samples.shape[:2], *shape)
    cells, count = math.prod(output), math.prod(kernel)
    places = (
        flat.expand(*samples.shape[:2], *output, *kernel).reshape(*samples.shape[:2], cells * count).long()
    )
    windows = planes.reshape(*samples.shape[:2], -1).gather(-1, places)
    best, which = windows.reshape(*samples.shape[:2], cells, count).max(-1)
    chosen = places.reshape(*samples.shape[:2], cells, count).gather(-1, which.unsqueeze(-1)).squeeze(-1)
    shape = [*input.shape[:-axes], *output]
    return best.reshape(shape), chosen.reshape(shape)


def _starts(sample: Tensor, size: int, windows: int, kernel: int) -> Tensor:
    """Where the windows of each plane begin along an axis; the last one ends at its end."""
    last = torch.full_like(sample.unsqueeze(-1), size - kernel)
    if windows == 1:
        return last
    step = (size - kernel) / (windows - 1)
    counts = torch.arange(windows - 1, dtype=torch.float32)
    u = sample.unsqueeze(-1)
    return torch.cat([torch.trunc((counts + u) * step) - torch.trunc(u * step), last], -1)


@decomposes("grid_sample_of_volumes")
def grid_sample_of_volumes(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """The weighted sum of the eight voxels around each place, or the nearest voxel."""
    sizes = input.shape[2:]
    places = [
        _padded(
            _unnormalised(grid[..., 2 - axis], size, bool(align_corners)), size, padding_mode, align_corners
        )
        for axis, size in enumerate(sizes)
    ]
    if mode == "nearest":
        return _at(input, [torch.round(p) for p in places], sizes)
    low = [torch.floor(p) for p in places]
    total: Tensor | None = None
    for corner in itertools.product((0, 1), repeat=3):
        weight = torch.ones(())
        for p, start, step in zip(places, low, corner, strict=True):
            weight = weight * ((p - start) if step else (start + 1 - p))
        part = weight.unsqueeze(1) * _at(input, [s + c for s, c in zip(low, corner, strict=True)], sizes)
        total = part if total is None else total + part
    total = present(total)
    return total


def _unnormalised(place: Tensor, size: int, corners: bool) -> Tensor:
    return (place + 1) / 2 * (size - 1) if corners else ((place + 1) * size - 1) / 2


def _padded(place: Tensor, size: int, padding: str, corners: bool | None) -> Tensor:
    if padding == "zeros":
        return place
    if padding == "reflection":
        low, span = (0.0, size - 1.0) if corners else (-0.5, float(size))
        if span == 0:
            return torch.zeros_like(place)
        away = torch.remainder((place - low).abs(), 2 * span)
        place = torch.where(away > span, 2 * span - away, away) + low
    return place.clamp(0, size - 1)


def _at(input: Tensor, places: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    """The voxels at whole places, zeros outside."""
    batch, channels = input.shape[:2]
    inside: Any = torch.ones(())
    flat: Any = torch.zeros(())
    for place, size in zip(places, sizes, strict=True):
        inside = inside * ((place >= 0) & (place < size)).to(input.dtype)
        flat = flat * size + place.clamp(0, size - 1)
    count = math.prod(sizes)
    start = torch.arange(batch).reshape(-1, 1) * count
    rows = input.reshape(batch, channels, count).transpose(1, 2).reshape(batch * count, channels)
    found = rows.index_select(0, (flat.reshape(batch, -1).long() + start).reshape(-1))
    found = found.reshape(batch, -1, channels).transpose(1, 2).reshape(batch, channels, *places[0].shape[1:])
    return found * inside.unsqueeze(1)
