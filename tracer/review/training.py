"""How both frameworks train, as the reports tell of it."""

from __future__ import annotations

from collections.abc import Mapping

from tracer.review.model import Training
from tracer.review.words import rounded, value
from tracer.training_parity import TrainingAgreement


def training(agreement: TrainingAgreement) -> Training:
    """What was compared, the largest differences first; losses to four digits."""
    return Training(
        tolerance=f"{agreement.tolerance:g}",
        gradients=_worst_first(agreement.gradients),
        statistics=_worst_first(agreement.statistics),
        losses=tuple((f"{mine:.4g}", f"{theirs:.4g}") for mine, theirs in agreement.losses),
        uncompared=agreement.computed,
        by_rounding=len(agreement.untold),
    )


def _worst_first(differences: Mapping[str, float]) -> tuple[tuple[str, str], ...]:
    """By what is told of them: of those that are alike, the first of the net."""
    found = [(name, rounded(difference)) for name, difference in differences.items()]
    return tuple(sorted(found, key=lambda pair: -value(pair[1])))
