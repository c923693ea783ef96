"""Quantiles, covariances, histograms, integrals and gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from codegen.decompositions import NotWritten, decomposes
from codegen.decompositions.elementwise import Tensor


@decomposes("trapz", "trapezoid")
def trapezoid(y: Tensor, input: Tensor | None = None, dx: float = 1, dim: int = -1) -> Tensor:
    return _trapezes(y, input, dx, dim).sum(dim)


@decomposes("cumulative_trapezoid")
def cumulative_trapezoid(y: Tensor, input: Tensor | None = None, dx: float = 1, dim: int = -1) -> Tensor:
    return _trapezes(y, input, dx, dim).cumsum(dim)


def _trapezes(y: Tensor, x: Tensor | None, dx: float, dim: int) -> Tensor:
    size = y.shape[dim]
    if size < 2 or (x is not None and x.shape[-1 if x.dim() == 1 else dim] != size):
        raise NotWritten
    heights = y.narrow(dim, 1, size - 1) + y.narrow(dim, 0, size - 1)
    if x is None:
        return heights * (dx / 2)
    if x.dim() == 1:
        steps = x.narrow(0, 1, size - 1) - x.narrow(0, 0, size - 1)
        axis = dim % y.dim()
        steps = steps.reshape([-1 if a == axis else 1 for a in range(y.dim())])
    else:
        steps = x.narrow(dim, 1, size - 1) - x.narrow(dim, 0, size - 1)
    return heights * steps * 0.5


@decomposes("cov")
def cov(
    input: Tensor, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    x = input.reshape(1, -1) if input.dim() < 2 else input
    count = x.shape[1]
    weights: Tensor | None = None
    for given in (fweights, aweights):
        if given is not None:
            weights = given.to(x.dtype) if weights is None else weights * given.to(x.dtype)
    if weights is None:
        centred = x - x.mean(1, keepdim=True)
        if count - correction <= 0:
            raise NotWritten
        return (centred @ centred.transpose(0, 1) / (count - correction)).reshape(_cov_shape(input))
    total = weights.sum()
    centred = x - (x * weights).sum(1, keepdim=True) / total
    norm = total - correction
    if aweights is not None:
        own = weights * aweights.to(x.dtype)
        norm = total - correction * own.sum() / total
    norm = torch.where(norm < 0, torch.zeros_like(norm), norm)
    return ((centred * weights) @ centred.transpose(0, 1) / norm).reshape(_cov_shape(input))


def _cov_shape(input: Tensor) -> Sequence[int]:
    return () if input.dim() < 2 or input.shape[0] == 1 else (input.shape[0],) * 2


@decomposes("corrcoef")
def corrcoef(input: Tensor) -> Tensor:
    x = input.reshape(1, -1) if input.dim() < 2 else input
    centred = x - x.mean(1, keepdim=True)
    product = centred @ centred.transpose(0, 1)
    deviation = (centred * centred).sum(1).sqrt()
    found = product / deviation.unsqueeze(0) / deviation.unsqueeze(1)
    return found.clamp(-1, 1).reshape(_cov_shape(input))


@decomposes("quantile")
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, interpolation: str = "linear"
) -> Tensor:
    return _quantile(input, q, dim, keepdim, interpolation, skip=False)


@decomposes("nanquantile")
def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, interpolation: str = "linear"
) -> Tensor:
    return _quantile(input, q, dim, keepdim, interpolation, skip=True)


def _quantile(input: Tensor, q: Any, dim: int | None, keepdim: bool, how: str, skip: bool) -> Tensor:
    flat = dim is None or input.dim() == 0
    x = input.reshape(-1) if flat else input.movedim(dim, -1)  # type: ignore[arg-type]
    missing = x != x
    ordered = torch.where(missing, torch.finfo(x.dtype).max, x).sort(-1)[0]
    points = torch.as_tensor(q, dtype=x.dtype)
    single = points.dim() == 0
    points = points.reshape(-1)
    last = (~missing).to(x.dtype).sum(-1, keepdim=True) - 1 if skip else x.shape[-1] - 1
    place = points * last  # one row, or a row for each
    place = place.expand(*x.shape[:-1], points.shape[0])
    low, high = torch.floor(place), torch.ceil(place)
    if how == "nearest":
        low = high = torch.round(place)
    places = {"lower": [low], "higher": [high], "nearest": [low]}.get(how, [low, high])
    top = x.shape[-1] - 1
    found = [ordered.gather(-1, p.clamp(0, top).long()) for p in places]
    share = {"midpoint": 0.5}.get(how, place - low)
    out = found[0] if len(found) == 1 else found[0] + (found[1] - found[0]) * share
    none = missing.all(-1, keepdim=True) if skip else missing.any(-1, keepdim=True)
    out = torch.where(none, torch.nan, out)
    out = out.movedim(-1, 0)  # the points come first
    if keepdim:
        if flat:
            out = out.reshape([points.shape[0]] + [1] * input.dim())
        else:
            out = out.unsqueeze(dim % input.dim() + 1)  # type: ignore[operator]
    return out[0] if single else out


@decomposes("nanmedian")
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    if dim is None or input.dim() == 0:
        if dim is not None:
            return input.clone(), torch.zeros_like(input, dtype=torch.int64)
        return _nanmedian(input.reshape(-1))[0].reshape(())
    values, places = _nanmedian(input.movedim(dim, -1))
    if keepdim:
        return values.movedim(-1, dim), places.movedim(-1, dim)
    return values.squeeze(-1), places.squeeze(-1)


def _nanmedian(x: Tensor) -> tuple[Tensor, Tensor]:
    missing = x != x
    ordered, order = torch.where(missing, torch.finfo(x.dtype).max, x).sort(-1)
    last = (~missing).to(x.dtype).sum(-1, keepdim=True) - 1
    place = torch.floor(last / 2).clamp(min=0).long()
    value = ordered.gather(-1, place)
    return torch.where(missing.all(-1, keepdim=True), torch.nan, value), order.gather(-1, place)


@decomposes("histc")
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    x = input.reshape(-1)
    low: Any = min
    high: Any = max
    if min == max:
        low, high = (x.min(), x.max()) if min == 0 else (min - 1, max + 1)
    if isinstance(low, Tensor):
        flat = low == high
        low, high = torch.where(flat, low - 1, low), torch.where(flat, high + 1, high)
    place = torch.floor((x - low) * bins / (high - low))
    place = torch.where(x == high, torch.full_like(place, bins - 1), place)
    inside = (x >= low) & (x <= high)
    hits = (place.unsqueeze(-1) == torch.arange(bins, dtype=input.dtype)) & inside.unsqueeze(-1)
    return hits.to(input.dtype).sum(0)


@decomposes("pdist")
def pdist(input: Tensor, p: float = 2) -> Tensor:
    rows, columns = torch.triu_indices(input.shape[0], input.shape[0], 1)
    if not rows.numel():
        return torch.zeros(0)
    if not input.shape[1]:
        raise NotWritten
    return torch.linalg.vector_norm(input[rows] - input[columns], p, -1)


@decomposes("gradient")
def gradient(input: Tensor, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> list[Tensor]:
    axes = list(range(input.dim())) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    given = (
        [1.0 if spacing is None else spacing] * len(axes)
        if not isinstance(spacing, list | tuple)
        else spacing
    )
    if len(given) != len(axes):
        raise NotWritten
    return [
        _slope(input, step, axis % input.dim(), edge_order) for step, axis in zip(given, axes, strict=True)
    ]


def _edge(x0: Tensor, x1: Tensor, x2: Tensor, gap: Tensor, gap2: Tensor) -> Tensor:
    """The slope at x0 of the parabola through three points, `gap` and `gap2` apart."""
    both = gap + gap2
    return x1 * both / (gap * gap2) - x0 * (gap + both) / (gap * both) - x2 * gap / (gap2 * both)


def _slope(x: Tensor, step: Any, axis: int, edge_order: int) -> Tensor:
    n = x.shape[axis]

    def part(start: int, length: int) -> Tensor:
        return x.narrow(axis, start, length)

    if isinstance(step, Tensor):
        if step.dim() == 0:
            raise NotWritten
        shape = [-1 if a == axis else 1 for a in range(x.dim())]
        gaps = (step[1:] - step[:-1]).reshape(shape)
        m = gaps.shape[axis]  # as torch: not always n - 1
        before, after = gaps.narrow(axis, 0, m - 1), gaps.narrow(axis, 1, m - 1)
        a = -after / (before * (before + after))
        b = (after - before) / (before * after)
        c = before / (after * (before + after))
        inner = a * part(0, n - 2) + b * part(1, n - 2) + c * part(2, n - 2)
        first, last = gaps.narrow(axis, 0, 1), gaps.narrow(axis, m - 1, 1)
        if edge_order == 1:
            ends = (part(1, 1) - part(0, 1)) / first, (part(n - 1, 1) - part(n - 2, 1)) / last
        else:
            second, last_but_one = gaps.narrow(axis, 1, 1), gaps.narrow(axis, m - 2, 1)
            ends = (
                _edge(part(0, 1), part(1, 1), part(2, 1), first, second),
                -_edge(part(n - 1, 1), part(n - 2, 1), part(n - 3, 1), last, last_but_one),
            )
        return torch.cat([ends[0], inner, ends[1]], axis)
    inner = (part(2, n - 2) - part(0, n - 2)) / (2 * step)
    if edge_order == 1:
        ends = (part(1, 1) - part(0, 1)) / step, (part(n - 1, 1) - part(n - 2, 1)) / step
    else:
        ends = (
            (-3 * part(0, 1) + 4 * part(1, 1) - part(2, 1)) / (2 * step),
            (3 * part(n - 1, 1) - 4 * part(n - 2, 1) + part(n - 3, 1)) / (2 * step),
        )
    return torch.cat([ends[0], inner, ends[1]], axis)
