"""Differences on a logarithmic scale: where each point and each line of the scale stands, in percent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tracer.review.words import value

# What is below 1e-7 is a last bit: it stands at the foot of the scale, like 0.
FOOT = 1e-8


@dataclass(frozen=True)
class Plot:
    """Points (which, across, down), the scale's lines (text, down), and how far down the tolerance is.

    `above` counts the points that are above the tolerance.
    """

    points: tuple[tuple[int, str, str], ...]
    scale: tuple[tuple[str, str], ...]
    tolerance: str
    above: int


def plot_of(found: Sequence[tuple[int, str]], count: int, tolerance: float) -> Plot:
    """The plot of differences by their places of `count`; the scale has the tolerance well within."""
    sizes = [FOOT, tolerance, *(value(text) for _, text in found)]
    largest = max(size for size in sizes if math.isfinite(size))
    foot = round(math.log10(FOOT))
    top = max(math.floor(math.log10(largest)) + 1, foot + 2)

    def down(size: float) -> str:
        place = foot if size <= 0 else min(max(math.log10(size), foot), top)
        return f"{100 * (top - place) / (top - foot):.1f}"

    points = tuple(
        (index, f"{100 * (index + 0.5) / max(count, 1):.2f}", down(value(text))) for index, text in found
    )
    step = 1 if top - foot <= 10 else 2
    scale = [(f"1e{power}", down(10.0**power)) for power in range(top, foot, -step)]
    above = sum(value(text) > tolerance for _, text in found)
    return Plot(points, (*scale, ("0", down(0.0))), down(tolerance), above)
