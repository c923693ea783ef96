"""What the command says of its checks: the comparison with torch, that of training, and the files on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tracer.report import (
    agreement_text,
    disagreement_text,
    print_diff,
    say,
    say_error,
    training_text,
    untrained_text,
)

if TYPE_CHECKING:
    from tracer.conversion import Conversion


def agrees(conversion: Conversion, tolerance: float, fresh: bool) -> bool:
    """Whether the converted net gives what torch gives; with `fresh`, under random parameters too."""
    say("comparing with torch")
    agreement = conversion.verify(tolerance=tolerance, fresh=fresh, layers=False)
    if agreement.ok:
        say(agreement_text(agreement))
        return True
    layered = conversion.verify(tolerance=tolerance, fresh=fresh)
    say_error(disagreement_text(agreement, layered))
    return False


def trains_alike(conversion: Conversion) -> bool:
    """Whether the converted net trains as torch trains the net."""
    say("comparing training with torch")
    agreement = conversion.verify_training()
    if agreement.ok:
        say(training_text(agreement))
        return True
    say_error(untrained_text(agreement))
    return False


def are_fresh(conversion: Conversion, out: Path, weights: bool, show: bool) -> bool:
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
                print_diff(path, files[path])
    for path, how in stale.items():
        say_error(f"{path} is {how}")
    if not stale:
        say("fresh: the files on disk are what would be generated")
    return not stale
