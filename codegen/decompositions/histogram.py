"""Histograms: each value against the edges of each bin, and counts of what fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from codegen.decompositions import NotWritten, decomposes

Tensor = torch.Tensor


@decomposes("histogram")
def histogram(
    input: Tensor, bins: Any = 100, range: Any = None, weight: Tensor | None = None, density: bool = False
) -> tuple[Tensor, Tensor]:
    edges = _edges(input.reshape(-1), bins, range)
    hits = _hits(input.reshape(-1), edges, isinstance(bins, Tensor))
    counts = (hits if weight is None else hits * weight.reshape(-1, 1)).sum(0)
    return _dense(counts, [edges]) if density else counts, edges


@decomposes("histogramdd")
def histogramdd(
    input: Tensor, bins: Any, range: Any = None, weight: Tensor | None = None, density: bool = False
) -> tuple[Tensor, list[Tensor]]:
    places = input.reshape(-1, input.shape[-1])
    axes = places.shape[1]
    listed = [bins] * axes if isinstance(bins, int) else list(bins)
    ranges = [None] * axes if range is None else [range[2 * i : 2 * i + 2] for i in _range(axes)]
    edges = [_edges(places[:, i], listed[i], ranges[i]) for i in _range(axes)]
    table = torch.ones_like(places[:, 0]) if weight is None else weight.reshape(-1)
    for i in _range(axes):
        hits = _hits(places[:, i], edges[i], isinstance(listed[i], Tensor))
        table = table.unsqueeze(-1) * hits.reshape([hits.shape[0], *[1] * i, hits.shape[1]])
    counts = table.sum(0)
    return _dense(counts, edges) if density else counts, edges


_range = range  # the ops have an argument of this name


def _edges(x: Tensor, bins: Any, limits: Sequence[float] | None) -> Tensor:
    if isinstance(bins, Tensor):
        return bins
    if limits is not None:
        low, high = limits
        wide = (low - 0.5, high + 0.5) if low == high else (low, high)
        return torch.linspace(*wide, bins + 1, dtype=x.dtype)
    if not x.numel():
        raise NotWritten
    least, most = x.min(), x.max()
    half = torch.where(least == most, 0.5, torch.zeros_like(least))  # one value has a bin of its own
    least, most = least - half, most + half
    return torch.linspace(least, most, bins + 1, dtype=x.dtype)


def _hits(x: Tensor, edges: Tensor, given: bool) -> Tensor:
    """1 where a value lies in a bin; the last bin has its right edge."""
    bins = torch.arange(edges.shape[0] - 1)
    column = x.unsqueeze(-1)
    if given:
        inside = (column >= edges[0]) & (column <= edges[-1])
        place = (_above(x, edges) - 1).clamp(max=edges.shape[0] - 2)
        return ((place.unsqueeze(-1) == bins) & inside).to(x.dtype)
    inside = (column >= edges[:-1]) & (column < edges[1:])
    return (inside | ((bins == edges.shape[0] - 2) & (column == edges[1:]))).to(x.dtype)


def _above(x: Tensor, edges: Tensor) -> Tensor:
    """The place of the first edge above each value: C++'s bisection, also where edges do not ascend."""
    first = torch.zeros_like(x)
    count = torch.full_like(x, edges.shape[0])
    for _ in _range(edges.shape[0].bit_length()):
        half = torch.floor(count / 2)
        middle = (first + half).clamp(max=edges.shape[0] - 1)
        right = (x >= edges[middle.long()]) & (count > 0)
        first = torch.where(right, first + half + 1, first)
        count = torch.where(right, count - half - 1, half)
    return first.long()


def _dense(counts: Tensor, edges: Sequence[Tensor]) -> Tensor:
    """Shares of the whole for each unit of volume."""
    shares = counts / counts.sum()
    for i, line in enumerate(edges):
        widths = line[1:] - line[:-1]
        shares = shares / widths.reshape([-1 if a == i else 1 for a in range(len(edges))])
    return shares
