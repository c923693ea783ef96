"""What the command says of its checks: the comparison with torch, that of training, and the files on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from codegen.kinds.note import note
from codegen.problems import Problem
from tracer.console import Console
from tracer.options import Options
from tracer.report import (
    NOTHING,
    agreement_text,
    diff_text,
    disagreement_text,
    training_text,
    untrained_text,
)

if TYPE_CHECKING:
    from codegen.proof.compare import Agreement
    from codegen.written import Origin
    from tracer.conversion import Conversion
    from tracer.load import LoadedModel
    from tracer.training_parity import TrainingAgreement

STALE = "generate it again, by the same command without --check; --diff shows how they differ"


def agreed(
    conversion: Conversion,
    tolerance: float,
    fresh: bool,
    layers: bool,
    console: Console,
    written: str = NOTHING,
) -> Agreement | None:
    """The comparison with torch, None where they differ, which is said, and what was `written` all the same.

    With `fresh`, under random parameters too; with `layers`, op by op too.
    """
    from codegen.ir import Source

    console.say("comparing with torch")
    agreement = conversion.verify(tolerance=tolerance, fresh=fresh, layers=layers)
    console.outcome.agreement = agreement
    if agreement.ok:
        if any(output.double for output in agreement.outputs):
            console.outcome.notes.append(note("in-float64"))
        console.say(agreement_text(agreement))
        return agreement
    layered = agreement if layers else conversion.verify(tolerance=tolerance, fresh=fresh)
    console.outcome.agreement = layered
    first, text = layered.first_divergence, disagreement_text(agreement, layered)
    problem = Problem("differs", text, first.source if first is not None else Source())
    console.found(problem, f"{text}\n{written}")
    return None


def trains_alike(conversion: Conversion, console: Console) -> TrainingAgreement | None:
    """How the converted net trains as torch trains the net; None where it does not, which is said."""
    from codegen.ir import Source

    console.say("comparing training with torch")
    agreement = conversion.verify_training()
    console.outcome.training = agreement
    if agreement.ok:
        if agreement.untold:
            console.outcome.notes.append(note("training-untold", names=", ".join(agreement.untold)))
        console.say(training_text(agreement))
        return agreement
    text = untrained_text(agreement)
    console.found(Problem("trains-otherwise", text, Source()), f"{text}\n{NOTHING}")
    return None


def are_fresh(conversion: Conversion, out: Path, weights: bool, show: bool, console: Console) -> bool:
    """Whether the files on disk are what would be generated; without `weights`, the code alone is compared.

    With `show`, how they differ is printed.
    """
    from codegen.artifacts import Paths, how_stale

    paths = Paths(out)
    files = conversion.files(out) if weights else {paths.code: conversion.code}
    stale = {path: how for path, content in files.items() if (how := how_stale(path, content))}
    if show:
        for path in stale:
            if isinstance(files[path], str) and path != paths.symbol:
                console.result(diff_text(path, files[path]), nl=False)
    for path, how in stale.items():
        console.found(stale_problem(path, how))
    if not stale:
        console.say("fresh: the files on disk are what would be generated")
    return not stale


def stale_problem(path: Path, how: str) -> Problem:
    """That a file is not what would be written."""
    from codegen.ir import Source

    return Problem("stale", f"{path} is {how}", Source(file=str(path)), STALE)


def report(
    options: Options,
    loaded: LoadedModel,
    origin: Origin,
    conversion: Conversion,
    agreement: Agreement,
    trained: TrainingAgreement | None,
    console: Console,
) -> bool:
    """Write or print the review that `--report` asks for; with `--check`, whether it is fresh."""
    if not options.reports:
        return True
    from codegen.artifacts import how_stale
    from tracer.review.report import made_report, report_text, write_reports
    from tracer.review.text import summary

    review = made_report(options, loaded, origin, conversion, agreement)
    console.outcome.review = review
    if options.prints_report:
        console.result(summary(review), nl=False)
    texts = {
        path: report_text(options, path, review, conversion, agreement, trained)
        for path in options.report_files
    }
    if not options.check:
        write_reports(texts)
        for path in texts:
            console.wrote(path)
        return True
    stale = {path: how for path, text in texts.items() if (how := how_stale(path, text))}
    for path, how in stale.items():
        console.found(stale_problem(path, how))
    return not stale
