"""Fourier transforms of real numbers that give real ones: matrices, which torch's own transforms make."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from codegen.decompositions import NotWritten, decomposes, op

Tensor = torch.Tensor


@decomposes("fft_irfft", transform=op(torch.fft.irfft))
@decomposes("fft_hfft", transform=op(torch.fft.hfft))
def along_one_axis(
    input: Tensor,
    n: int | None = None,
    dim: int = -1,
    norm: str | None = None,
    *,
    transform: Callable[..., Tensor],
) -> Tensor:
    return _mapped(input, [dim], lambda x, axes: transform(x, n, axes[0], norm))


@decomposes("fft_irfft2", transform=op(torch.fft.irfft2))
@decomposes("fft_hfft2", transform=op(torch.fft.hfft2))
def along_two_axes(
    input: Tensor,
    s: Any = None,
    dim: Any = (-2, -1),
    norm: str | None = None,
    *,
    transform: Callable[..., Tensor],
) -> Tensor:
    return along_axes(input, s, dim, norm, transform=transform)


@decomposes("fft_irfftn", transform=op(torch.fft.irfftn))
@decomposes("fft_hfftn", transform=op(torch.fft.hfftn))
def along_axes(
    input: Tensor,
    s: Any = None,
    dim: Any = None,
    norm: str | None = None,
    *,
    transform: Callable[..., Tensor],
) -> Tensor:
    if dim is None:
        dim = range(input.dim()) if s is None else range(input.dim() - len(s), input.dim())
    axes = [dim] if isinstance(dim, int) else list(dim)
    return _mapped(input, axes, lambda x, last: transform(x, s, last, norm))


def _mapped(x: Tensor, dims: list[int], transform: Callable[[Tensor, list[int]], Tensor]) -> Tensor:
    """A linear map along some axes, by the matrix that the unit vectors give."""
    axes = [d % x.dim() for d in dims]
    last = list(range(-len(axes), 0))
    moved = x.movedim(axes, last)
    sizes = moved.shape[-len(axes) :]
    count = math.prod(sizes)
    images = transform(torch.eye(count, dtype=torch.float64).reshape(count, *sizes), last)
    if x.is_complex() or images.is_complex() or not count:
        raise NotWritten
    matrix = images.reshape(count, -1).to(torch.get_default_dtype())
    found = moved.reshape(-1, count).to(matrix.dtype) @ matrix
    return found.reshape([*moved.shape[: -len(axes)], *images.shape[1:]]).movedim(last, axes)
