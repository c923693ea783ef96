"""What the command says of its checks: the comparison with torch, that of training, and the files on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tracer.console import Console
from tracer.report import agreement_text, diff_text, disagreement_text, training_text, untrained_text

if TYPE_CHECKING:
    from tracer.conversion import Conversion


def agrees(conversion: Conversion, tolerance: float, fresh: bool, console: Console) -> bool:
    """Whether the converted net gives what torch gives; with `fresh`, under random parameters too."""
    console.say("comparing with torch")
    agreement = conversion.verify(tolerance=tolerance, fresh=fresh, layers=False)
    if agreement.ok:
        console.say(agreement_text(agreement))
        return True
    layered = conversion.verify(tolerance=tolerance, fresh=fresh)
    console.error(disagreement_text(agreement, layered))
    return False


def trains_alike(conversion: Conversion, console: Console) -> bool:
    """Whether the converted net trains as torch trains the net."""
    console.say("comparing training with torch")
    agreement = conversion.verify_training()
    if agreement.ok:
        console.say(training_text(agreement))
        return True
    console.error(untrained_text(agreement))
    return False


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
