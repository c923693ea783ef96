"""What the command says of its checks: the comparison with torch, that of training, and the files on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tracer.console import Console
from tracer.options import Options
from tracer.report import agreement_text, diff_text, disagreement_text, training_text, untrained_text

if TYPE_CHECKING:
    from codegen.proof.compare import Agreement
    from codegen.written import Origin
    from tracer.conversion import Conversion
    from tracer.training_parity import TrainingAgreement


def agreed(
    conversion: Conversion, tolerance: float, fresh: bool, layers: bool, console: Console
) -> Agreement | None:
    """The comparison with torch, None where they differ, which is said.

    With `fresh`, under random parameters too; with `layers`, op by op too.
    """
    console.say("comparing with torch")
    agreement = conversion.verify(tolerance=tolerance, fresh=fresh, layers=layers)
    if agreement.ok:
        console.say(agreement_text(agreement))
        return agreement
    layered = agreement if layers else conversion.verify(tolerance=tolerance, fresh=fresh)
    console.error(disagreement_text(agreement, layered))
    return None


def trains_alike(conversion: Conversion, console: Console) -> TrainingAgreement | None:
    """How the converted net trains as torch trains the net; None where it does not, which is said."""
    console.say("comparing training with torch")
    agreement = conversion.verify_training()
    if agreement.ok:
        console.say(training_text(agreement))
        return agreement
    console.error(untrained_text(agreement))
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
        console.error(f"{path} is {how}")
    if not stale:
        console.say("fresh: the files on disk are what would be generated")
    return not stale


def report(
    options: Options,
    origin: Origin,
    conversion: Conversion,
    agreement: Agreement,
    trained: TrainingAgreement | None,
    console: Console,
) -> bool:
    """Write or print the review that `--report` asks for; with `--check`, whether it is fresh."""
    from codegen.artifacts import how_stale
    from tracer.review.report import made_report, report_text, write_report
    from tracer.review.text import summary

    path = options.report
    if path is None:
        return True
    review = made_report(options, origin, conversion, agreement)
    if str(path) == "-":
        console.result(summary(review), nl=False)
        return True
    text = report_text(options, path, review, conversion, agreement, trained)
    if not options.check:
        write_report(path, text)
        console.tell(f"wrote {path}")
    elif how := how_stale(path, text):
        console.error(f"{path} is {how}")
        return False
    return True
