"""Values to compare on: seeded floats, integers and masks, and samples like those that are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

Tensor = torch.Tensor


@dataclass(frozen=True)
class Variation:
    """How values differ from the plain ones of a seed.

    `edges` puts zeros, ties and halves among floats. `way` says how given values are extended to more
    samples: the ways are tried in turn, since a net may take some values alone, and the last one, `REPEAT`,
    is sure. `is_anew` leaves out the given samples themselves.
    """

    edges: bool = False
    way: int = 0
    is_anew: bool = False


def floats(shape: Sequence[int], generator: torch.Generator, edges: bool) -> Tensor:
    """Normal floats; with `edges` every other row holds -1, 0 and 1, and the rest halves among others.

    So there are zeros, equal ones, also where a row is largest, and what rounding finds in the middle.
    A known gap: -0.0 is never among them, so what tells it from 0.0 (1 / x, signbit) is not compared there.
    """
    values = torch.randn(tuple(shape), generator=generator)
    if not edges or not shape:
        return values
    halves = torch.rand(values.shape, generator=generator) < 0.5
    values = torch.where(halves, (values * 2).round() / 2 + 0.0, values)  # no -0.0
    rows = torch.arange(values.numel() // shape[-1]).reshape(*shape[:-1], 1)
    return torch.where(rows % 2 == 0, values.round().clamp(-1, 1) + 0.0, values)


def integers(
    shape: Sequence[int], axis: int | None, low: int, high: int, generator: torch.Generator
) -> Tensor:
    """Uniform in [low, high); no two samples along the axis alike where there are enough numbers."""

    def drawn(size: Sequence[int]) -> Tensor:
        return torch.randint(low, high, tuple(size), generator=generator)

    return _distinct(drawn(shape), axis, drawn)


def mask(shape: Sequence[int], axis: int | None, generator: torch.Generator) -> Tensor:
    """Random 0s and 1s with both in each row: a net may drop a mask of ones, or divide by none."""

    def drawn(size: Sequence[int]) -> Tensor:
        made = torch.randint(2, tuple(size), generator=generator)
        if not size or size[-1] < 2:
            return torch.ones_like(made)
        made[..., 0], made[..., -1] = 1, 0
        return made

    return _distinct(drawn(shape), axis, drawn)


def _distinct(values: Tensor, axis: int | None, drawn: Callable[[Sequence[int]], Tensor]) -> Tensor:
    """The values with each sample that is like an earlier one drawn again, some times."""
    if axis is None or values.dim() <= axis:
        return values
    samples, tries = values.movedim(axis, 0), 4 * values.shape[axis]
    for place in range(1, len(samples)):
        while tries and any(torch.equal(samples[place], other) for other in samples[:place]):
            tries -= 1
            shape = [1 if a == axis else s for a, s in enumerate(values.shape)]
            samples[place] = drawn(shape).movedim(axis, 0)[0]
    return values


def fitted(value: Tensor, size: int, axis: int, variation: Variation, generator: torch.Generator) -> Tensor:
    """Given values cut or extended to so many samples along the axis.

    No sample is like another one, but by the last way.
    """
    given = value.movedim(axis, 0)
    kept = 0 if variation.is_anew else min(size, len(given))
    way = WAYS[variation.way]
    whole = _whole(given) if kept < size else None
    more = [_like(given, place % len(given), way, whole, generator) for place in range(kept, size)]
    return (
        torch.stack([*given[:kept], *more]).to(value.dtype).movedim(0, axis)
        if more
        else (given[:kept].movedim(0, axis))
    )


def _whole(given: Tensor) -> Tensor | None:
    """The places that hold whole numbers in all given samples; None where all or none do."""
    if not given.dtype.is_floating_point:
        return None
    whole = (given == given.round()).all(0)
    return whole if whole.any() and not whole.all() else None


def _like(
    given: Tensor,
    place: int,
    way: Callable[[Tensor, int, torch.Generator], Tensor],
    whole: Tensor | None,
    generator: torch.Generator,
) -> Tensor:
    """One more sample; among floats, a place that has `whole` numbers in all given samples keeps its own.

    Such a one counts or points, as the image of a box does: torch would read foreign memory for another.
    """
    made = way(given, place, generator)
    return made if whole is None else torch.where(whole, given[place], made)


def _mixed(given: Tensor, place: int, generator: torch.Generator) -> Tensor:
    """Within the range of the given ones: means of two samples whose elements have changed places."""
    if not given.dtype.is_floating_point:
        return _shuffled(given, place, generator)
    if bool((given == given.reshape(-1)[0]).all()):
        return torch.randn(given.shape[1:], generator=generator)
    share = 0.25 + 0.5 * torch.rand((), generator=generator)
    other = int(torch.randint(len(given), (), generator=generator))
    mean = share * _permuted(given[place], generator) + (1 - share) * _permuted(given[other], generator)
    # By a last bit a mean can lie beyond both, where acos has no value.
    low, high = given.min(), given.max()
    return mean.clamp(low, high) if bool(low.isfinite() & high.isfinite()) else mean


def _permuted(sample: Tensor, generator: torch.Generator) -> Tensor:
    order = torch.randperm(sample.numel(), generator=generator)
    return sample.reshape(-1)[order].reshape(sample.shape)


def _shuffled(given: Tensor, place: int, generator: torch.Generator) -> Tensor:
    """Elements of the sample at other places; where these are all alike, another of the given numbers."""
    made = _permuted(given[place], generator)
    if not torch.equal(made, given[place]):
        return made
    others = [v for v in sorted(set(given.reshape(-1).tolist())) if v != given[place].reshape(-1)[0]]
    return _with_one(made, others[place % len(others)]) if others else _next(given, place, generator)


def _columns(given: Tensor, place: int, generator: torch.Generator) -> Tensor:
    """Each element from any sample, at its own place; floats of the given sample, smaller by one factor."""
    if given.dtype.is_floating_point:
        return given[place] * (1 - 0.3 * torch.rand((), generator=generator))
    chosen = torch.randint(len(given), (1, *given.shape[1:]), generator=generator)
    made = given.gather(0, chosen)[0]
    return _next(given, place, generator) if torch.equal(made, given[place]) else made


def _next(given: Tensor, place: int, generator: torch.Generator) -> Tensor:
    """One number larger by one (a bool turned); floats larger by one factor."""
    return _moved(given[place], 1, generator)


def _before(given: Tensor, place: int, generator: torch.Generator) -> Tensor:
    """One number smaller by one (a bool turned); floats a little off."""
    return _moved(given[place], -1, generator)


def _moved(sample: Tensor, step: int, generator: torch.Generator) -> Tensor:
    if sample.dtype.is_floating_point:
        if step > 0:
            return sample * (1 + 0.3 * torch.rand((), generator=generator))
        return sample * (1 + 1e-3 * torch.randn(sample.shape, generator=generator))
    first = sample.reshape(-1)[-1]
    return _with_one(sample, (~first if sample.dtype is torch.bool else first + step).item())


def _with_one(sample: Tensor, value: float) -> Tensor:
    """The sample with this value as its last element."""
    made = sample.clone()
    made.view(-1)[-1] = value
    return made


def _same(given: Tensor, place: int, _generator: torch.Generator) -> Tensor:
    return given[place]


WAYS = (_mixed, _columns, _next, _before, _same)
REPEAT = len(WAYS) - 1
