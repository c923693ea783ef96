"""Fourier transforms of real numbers that give real ones: matrices, which torch's own transforms make."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from codegen.decompositions import Composite, NotWritten, composite

Tensor = torch.Tensor


def _one(transform: Callable[..., Tensor]) -> Composite:
    def mapped(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
        return _mapped(input, [dim], lambda x, axes: transform(x, n, axes[0], norm))

    return mapped


def _many(transform: Callable[..., Tensor], default: Any) -> Composite:
    def mapped(input: Tensor, s: Any = None, dim: Any = default, norm: str | None = None) -> Tensor:
        if dim is None:
            dim = range(input.dim()) if s is None else range(input.dim() - len(s), input.dim())
        return _mapped(
            input, [dim] if isinstance(dim, int) else list(dim), lambda x, axes: transform(x, s, axes, norm)
        )

    return mapped


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


for _name in ("irfft", "hfft"):
    composite(f"fft_{_name}")(_one(getattr(torch.fft, _name)))
    composite(f"fft_{_name}2")(_many(getattr(torch.fft, f"{_name}2"), (-2, -1)))
    composite(f"fft_{_name}n")(_many(getattr(torch.fft, f"{_name}n"), None))
