"""Where the elements of a part lie in a whole, written so that it holds at any size of the axes in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Places:
    """Where a part's elements lie in its whole.

    The part has the whole's `axes` whole, as its own `part_axes`. Both without these axes and flattened: the
    part's elements lie at `flat`, int64, in the whole.
    """

    axes: tuple[int, ...]
    part_axes: tuple[int, ...]
    flat: npt.NDArray[np.int64]


def places_of(places: npt.NDArray[np.int64], shape: Sequence[int]) -> Places:
    """`places` has the part's shape, and for each of its elements the place in the flat whole of `shape`."""
    spots = list(np.unravel_index(places, tuple(shape))) if places.size else []
    pairs: dict[int, int] = {}
    for axis, size in enumerate(shape if spots else ()):
        for own in range(places.ndim):
            if own not in pairs.values() and places.shape[own] == size and _is_whole(spots, axis, own):
                pairs[axis] = own
                break
    rest = [axis for axis in range(len(shape)) if axis not in pairs]
    first = tuple(0 if own in pairs.values() else slice(None) for own in range(places.ndim))
    flat = np.zeros(places[first].shape, np.int64)
    for axis in rest if spots else ():
        flat = flat * shape[axis] + spots[axis][first]
    return Places(tuple(pairs), tuple(pairs.values()), flat.reshape(-1))


def _is_whole(spots: Sequence[npt.NDArray[np.int64]], axis: int, own: int) -> bool:
    """Whether the part's axis `own` is the whole's `axis`, and moves along no other."""
    counts = np.arange(spots[axis].shape[own]).reshape(-1, *[1] * (spots[axis].ndim - own - 1))
    return all(
        bool((spot == (counts if a == axis else spot.take([0], own))).all()) for a, spot in enumerate(spots)
    )
