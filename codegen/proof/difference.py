"""How far an output of MXNet is from torch's, and what no number can say: other shapes, nan, infinities."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def difference(ours: Array, theirs: Array) -> float:
    """max|ours - theirs| / max|theirs| (absolute where torch's is all zero); inf where there is a `fault`.

    Infinities and NaNs must stand at the same places; the finite rest is compared by value.
    """
    if fault(ours, theirs):
        return float("inf")
    ours, theirs = _wide(ours, theirs)
    finite = np.isfinite(theirs)
    if not finite.any():
        return 0.0
    if not finite.all():
        ours, theirs = ours[finite], theirs[finite]
    scale = float(np.max(np.abs(theirs)))
    worst = float(np.max(np.abs(ours - theirs)))
    return worst / scale if scale else worst


def fault(ours: Array, theirs: Array) -> str:
    """What makes both incomparable: the shape, or a nan or infinity that stands in one of them alone."""
    shape = theirs.shape or (1,)
    if ours.shape != shape:
        return f"MXNet gives the shape {ours.shape} where torch gives {theirs.shape}"
    ours, theirs = _wide(ours, theirs)
    if np.isfinite(ours).all() and np.isfinite(theirs).all():
        return ""
    for name, holds in (("nan", np.isnan), ("inf", np.isposinf), ("-inf", np.isneginf)):
        mine, torchs = holds(ours), holds(theirs)
        if count := int((mine & ~torchs).sum()):
            return f"MXNet gives {name} at {count} of {ours.size} places where torch does not"
        if count := int((torchs & ~mine).sum()):
            return f"torch gives {name} at {count} of {ours.size} places where MXNet does not"
    return ""


def compared(theirs: Array) -> int:
    """How many values of an output are compared by value: the finite ones."""
    return int(np.isfinite(theirs.astype(np.float64)).sum())


def _wide(ours: Array, theirs: Array) -> tuple[Array, Array]:
    return ours.astype(np.float64), theirs.astype(np.float64).reshape(ours.shape)
