"""What a run found: filled while it goes, and told to machines when it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from codegen.ir import Note
    from codegen.problems import Problem
    from codegen.proof.compare import Agreement
    from tracer.compare.reported import PortReport
    from tracer.conversion import Conversion
    from tracer.review.failure import Failure
    from tracer.review.model import Review
    from tracer.training_parity import TrainingAgreement


@dataclass
class Outcome:
    """What was found so far.

    Attributes:
        problems: why the result is not good, or the request wrong; empty where all is well.
        notes: what was said beside.
        conversion: the net, from when it is converted on.
        agreement: the comparison with torch, where there was one.
        training: the comparison of training.
        written: the files that were written, in order.
        review: the report's data, where `--report` asked for it.
        failure: the same of a net that is refused, or differs.
        port: the same of a port that is compared.
    """

    problems: list[Problem] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    conversion: Conversion | None = None
    agreement: Agreement | None = None
    training: TrainingAgreement | None = None
    written: list[Path] = field(default_factory=list)
    review: Review | None = None
    failure: Failure | None = None
    port: PortReport | None = None
