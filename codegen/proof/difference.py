"""How far an output of MXNet is from torch's, and what no number can say: other shapes, nan, infinities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Apart:
    """How far an output is from torch's, how many values were compared, and why where no number says it."""

    difference: float
    compared: int
    why: str = ""


def difference(ours: Array, theirs: Array) -> float:
    """max|ours - theirs| / max|theirs| (absolute where torch's is all zero); inf where `apart` says why.

    Infinities and NaNs must stand at the same places; the finite rest is compared by value.
    """
    return apart(ours, theirs).difference


def apart(ours: Array, theirs: Array) -> Apart:
    """An output of MXNet beside torch's, a number beside a shape of (1,). See `difference`."""
    shape = theirs.shape or (1,)
    finite = np.isfinite(theirs).reshape(shape)
    number = int(np.count_nonzero(finite))
    if ours.shape != shape:
        why = f"MXNet gives the shape {ours.shape} where torch gives {theirs.shape}"
        return Apart(float("inf"), number, why)
    ours, theirs = _signed(ours), _signed(theirs).reshape(shape)
    if number < finite.size or not np.isfinite(ours).all():
        if why := _unlike(ours, theirs):
            return Apart(float("inf"), number, why)
        ours, theirs = ours[finite], theirs[finite]
    if not number:
        return Apart(0.0, 0)
    off = np.subtract(ours, theirs, dtype=np.float64)
    worst = float(np.max(np.abs(off, out=off)))
    scale = max(float(np.max(theirs)), -float(np.min(theirs)))
    return Apart(worst / scale if scale else worst, number)


def _unlike(ours: Array, theirs: Array) -> str:
    """The nan or infinity that stands in one of them alone, '' for none."""
    for name, holds in (("nan", np.isnan), ("inf", np.isposinf), ("-inf", np.isneginf)):
        mine, torchs = holds(ours), holds(theirs)
        if count := int((mine & ~torchs).sum()):
            return f"MXNet gives {name} at {count} of {ours.size} places where torch does not"
        if count := int((torchs & ~mine).sum()):
            return f"torch gives {name} at {count} of {ours.size} places where MXNet does not"
    return ""


def _signed(values: Array) -> Array:
    """Floats as they are; bools and whole numbers, whose differences could overflow, as float64."""
    return values if values.dtype.kind == "f" else values.astype(np.float64)
