"""The document of a run is made from what the run found."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import tracer
from codegen.kinds.table import kind_of
from tracer.formats.document import (
    VERSION,
    AgreementRow,
    Document,
    InputRow,
    LayerRow,
    NetRow,
    NoteRow,
    OutputRow,
    ProblemRow,
    TrainingRow,
)
from tracer.outcome import Outcome

if TYPE_CHECKING:
    from codegen.ir import Note
    from codegen.problems import Problem
    from codegen.proof.compare import Agreement, LayerAgreement, OutputAgreement
    from tracer.conversion import Conversion
    from tracer.training_parity import TrainingAgreement


def document_of(outcome: Outcome, command: str, status: int) -> Document:
    """What a run found, and how it ended; files are named as they are seen from the working directory."""
    notes = [(kind_of(note.word).level, note_row(note)) for note in outcome.notes]
    return Document(
        version=VERSION,
        fx2mx=tracer.__version__,
        command=command,
        status=status,
        problems=tuple(map(problem_row, outcome.problems)),
        warnings=tuple(row for level, row in notes if level == "warning"),
        notes=tuple(row for level, row in notes if level == "note"),
        net=_net(outcome.conversion) if outcome.conversion is not None else None,
        agreement=_agreement(outcome.agreement) if outcome.agreement is not None else None,
        training=_training(outcome.training) if outcome.training is not None else None,
        written=tuple(path.as_posix() for path in outcome.written),
        review=outcome.review,
        failure=outcome.failure,
        port=outcome.port,
    )


def as_json(document: Document) -> str:
    """The text of a document."""
    return json.dumps(asdict(document), indent=2, ensure_ascii=False, allow_nan=False)


def problem_row(problem: Problem) -> ProblemRow:
    """A problem, with the number of its kind."""
    where = problem.where
    return ProblemRow(
        code=kind_of(problem.code).code,
        word=problem.code,
        what=problem.what,
        file=seen_from_here(where.file),
        line=where.line,
        module=where.path,
        hint=problem.hint,
    )


def note_row(note: Note) -> NoteRow:
    """A note, with the number of its kind."""
    file, line, path = (note.where.file, note.where.line, note.where.path) if note.where else ("", 0, "")
    return NoteRow(kind_of(note.word).code, note.word, str(note), seen_from_here(file), line, path)


def seen_from_here(file: str) -> str:
    """A file as it is seen from the working directory, where it is below it."""
    if not file:
        return ""
    path, here = Path(file).resolve(), Path.cwd().resolve()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def _net(conversion: Conversion) -> NetRow:
    graph, program = conversion.graph, conversion.program
    return NetRow(
        name=program.name,
        inputs=tuple(InputRow(s.name, tuple(s.shape), s.dtype) for s in conversion.inputs),
        outputs=len(program.outputs),
        ops=dict(sorted(Counter(call.op for call in program.calls).items())),
        any_batch=graph.free_batch,
        batch=graph.batch,
        least_batch=graph.least_batch,
        batch_step=graph.batch_step,
        free_sizes=program.free_sizes,
        free_length=program.free_length,
    )


def _agreement(agreement: Agreement) -> AgreementRow:
    first = agreement.first_divergence
    return AgreementRow(
        agrees=agreement.ok,
        tolerance=agreement.tolerance,
        outputs=tuple(_output(output, agreement.tolerance) for output in agreement.outputs),
        first_divergence=_layer(first) if first is not None and not agreement.ok else None,
    )


def _output(output: OutputAgreement, tolerance: float) -> OutputRow:
    return OutputRow(
        name=output.name,
        agrees=output.within(tolerance),
        difference=_finite(output.difference),
        batch=output.batch,
        parameters=output.parameters,
        size=output.size,
        in_float64=output.double,
        why=output.why,
    )


def _layer(layer: LayerAgreement) -> LayerRow:
    where = layer.source
    return LayerRow(layer.name, _finite(layer.difference), seen_from_here(where.file), where.line, where.path)


def _training(agreement: TrainingAgreement) -> TrainingRow:
    return TrainingRow(
        agrees=agreement.ok,
        tolerance=agreement.tolerance,
        why=agreement.why,
        apart=agreement.apart,
        gradients=_all_finite(agreement.gradients),
        statistics=_all_finite(agreement.statistics),
    )


def _all_finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _finite(value) for name, value in values.items()}


def _finite(value: float) -> float | None:
    """A number as JSON can hold it, which has neither infinity nor NaN."""
    return float(value) if math.isfinite(value) else None
