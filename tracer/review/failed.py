"""The report of a net that is refused, or differs: made from the refusals, or from the comparison."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from codegen.ir import Source
from codegen.kinds.table import kind_of
from codegen.problems import ConversionError, Problem
from codegen.proof.compare import Agreement, Array, LayerAgreement, OutputAgreement
from tracer.conversion import Conversion, convert_specs
from tracer.heads import command_line
from tracer.inputs import InputSpec
from tracer.load import LoadedModel
from tracer.options import Options
from tracer.review.digests import digest_of
from tracer.review.failure import (
    Before,
    CodeLine,
    Failure,
    Part,
    Parting,
    Place,
    Refused,
    Smallest,
    ValueRow,
    WorstOutput,
)
from tracer.review.parts import Tried, compared_parts, converted_parts, smallest_of, smallest_with
from tracer.review.versions import versions
from tracer.review.words import place, result_shape, rounded, shown
from tracer.stopped import Stopped

# Lines of the user's file before and after the one that is meant.
AROUND = 3
# So many values are shown side by side.
MOST_VALUES = 10


@dataclass(frozen=True)
class Failing:
    """What was asked of a net that failed: the options, the net, and its inputs where they are known."""

    options: Options
    loaded: LoadedModel
    specs: tuple[InputSpec, ...]

    @property
    def folder(self) -> Path:
        """From where files are seen."""
        return self.options.out.parent


def failure_of_refusals(failing: Failing, error: ConversionError) -> Failure:
    """The report of a net that cannot be converted exactly: with what its parts show beside, if anything."""
    paths = dict.fromkeys(problem.where.path for problem in error.problems)
    tried = converted_parts(failing.loaded.model, failing.specs, paths) if failing.specs else ()
    before, more = converted_before(failing, error)
    found = (*error.problems, *more, *(problem for t in tried for problem in t.problems))
    files = dict.fromkeys(Path(p.where.file) for p in found if p.where.file)
    stops = {p for e in (error, *(t.error for t in tried)) if isinstance(e, Stopped) for p in e.problems}
    refused = tuple(_refused(failing, found, tried, {(p.code, p.what) for p in stops}))
    made = _failure(failing, "refused", refused, tuple(t.part for t in tried), tuple(files))
    smallest = next((r.smallest for r in refused if r.smallest is not None), None)
    return replace(made, smallest=smallest, before=before)


def failure_of_difference(failing: Failing, conversion: Conversion, agreement: Agreement) -> Failure:
    """The report of a net whose outputs are not torch's."""
    first = agreement.first_divergence
    parts: tuple[Part, ...] = ()
    if first is not None:
        parts = compared_parts(conversion.model, failing.specs, first.source.path, agreement.tolerance)
    files = dict.fromkeys(Path(c.source.file) for c in conversion.program.calls if c.source.file)
    made = _failure(failing, "differs", (), parts, tuple(files))
    part = smallest_of(parts)
    return replace(
        made,
        smallest=_smallest(failing, part) if part is not None else None,
        outputs=tuple(worst_outputs(agreement)),
        parting=_parting(failing, conversion, agreement, first) if first is not None else None,
    )


def _failure(
    failing: Failing,
    verdict: Literal["refused", "differs"],
    refused: tuple[Refused, ...],
    parts: tuple[Part, ...],
    files: tuple[Path, ...],
) -> Failure:
    options, loaded = failing.options, failing.loaded
    return Failure(
        net=loaded.name,
        verdict=verdict,
        origin=loaded.origin,
        command=command_line(options, loaded.file),
        versions=versions(files),
        sources=tuple(digest_of(path, shown(path, failing.folder)) for path in files if path.is_file()),
        tolerance=f"{options.tolerance:g}",
        refused=refused,
        outputs=(),
        parting=None,
        parts=parts,
        smallest=None,
    )


def _smallest(failing: Failing, part: Part) -> Smallest:
    """A part that fails, and the command that converts the net up to it."""
    return Smallest(part.path, part.cls, _tapping(failing, (part.path,)))


def _tapping(failing: Failing, taps: tuple[str, ...]) -> str:
    """The command that converts the net up to some modules, into a file that is named after the first."""
    options = failing.options
    out = options.out.with_name(f"{taps[0].replace('.', '_')}_mxnet.py")
    return command_line(replace(options, out=out, taps=taps), failing.loaded.file)


def _smallest_refused(failing: Failing, problem: Problem, tried: Sequence[Tried]) -> Smallest | None:
    """The smallest part in which a problem shows; without a command where the net is refused before it."""
    part = smallest_with(problem, tried)
    if part is None:
        return None
    made = _smallest(failing, part)
    try:
        convert_specs(failing.loaded.model, failing.specs, taps=(part.path,), proved=False)
    except ConversionError as error:
        if any(p.what == problem.what for p in error.problems):
            return made
    except Exception:  # noqa: BLE001 - whatever it is, the command would not show the problem
        pass
    return replace(made, command="")


# Refusals ----------------------------------------------------------------------------------------------


def converted_before(
    failing: Failing, error: ConversionError
) -> tuple[tuple[Before, ...], tuple[Problem, ...]]:
    """What converts of that which comes before the line at which tracing stopped, and what does not.

    All modules that were done are tried at once, then, where that is refused, one by one.
    """
    if not isinstance(error, Stopped) or not failing.specs:
        return (), ()
    found: dict[tuple[str, ...], Before] = {}
    refused: dict[Problem, None] = {}
    for taps in (error.done, *((path,) for path in error.done)):
        if not taps or error.done in found:
            break
        if taps in found:
            continue
        try:
            program = convert_specs(failing.loaded.model, failing.specs, taps=taps, proved=False).program
        except ConversionError as own:
            refused |= dict.fromkeys(own.problems)
        except Exception:  # noqa: BLE001 - what cannot be tried is not told as a way
            pass
        else:
            found[taps] = Before(taps, len(program.calls), _tapping(failing, taps))
    return tuple(sorted(found.values(), key=lambda before: -before.ops)), tuple(refused)


def _refused(
    failing: Failing, problems: Sequence[Problem], tried: Sequence[Tried], stops: Collection[tuple[str, str]]
) -> Iterator[Refused]:
    """Each refusal once, with all places where it stands; at those of `stops` tracing ended."""
    found: dict[tuple[str, str, str], dict[tuple[str, int], list[Source]]] = {}
    for p in problems:
        lines = found.setdefault((p.code, p.what, p.hint), {})
        lines.setdefault((p.where.file, p.where.line), []).append(p.where)
    for (word, what, hint), lines in found.items():
        places = tuple(place_of(sources, failing.folder) for sources in lines.values())
        first = next(iter(lines.values()))[0]
        smallest = _smallest_refused(failing, Problem(word, what, first, hint), tried)
        yield Refused(kind_of(word).code, word, what, hint, places, smallest, (word, what) in stops)


def place_of(sources: Sequence[Source], folder: Path) -> Place:
    """A line of the user's code, which several modules may run, with the lines around it."""
    modules = tuple(dict.fromkeys(source.path for source in sources))
    return Place(modules, place(sources[0], folder), tuple(_lines(sources[0])))


def _lines(source: Source) -> Iterator[CodeLine]:
    path = Path(source.file)
    if not source.file or not path.is_file():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number in range(max(1, source.line - AROUND), min(len(lines), source.line + AROUND) + 1):
        yield CodeLine(number, lines[number - 1], number == source.line)


# Differences -------------------------------------------------------------------------------------------


def worst_outputs(agreement: Agreement) -> Iterator[WorstOutput]:
    """Each output at its worst."""
    worst: dict[str, OutputAgreement] = {}
    for o in agreement.outputs:
        if o.name not in worst or not o.difference <= worst[o.name].difference:
            worst[o.name] = o
    for name, o in worst.items():
        yield WorstOutput(name, difference_text(o.difference), o.within(agreement.tolerance), o.why)


def difference_text(value: float) -> str:
    """A difference to one digit, or what else it is."""
    return rounded(value) if np.isfinite(value) else str(value)


def _parting(
    failing: Failing, conversion: Conversion, agreement: Agreement, first: LayerAgreement
) -> Parting:
    call = next(call for call in conversion.program.calls if call.name == first.name)
    values = conversion.values_at(first.name, agreement)
    return Parting(
        name=first.name,
        op=call.op,
        where=place_of([first.source], failing.folder),
        shape=result_shape(call),
        difference=difference_text(first.difference),
        agree=agreement.layers.index(first),
        compared=len(agreement.layers),
        parameters=values.parameters,
        values=tuple(values_beside(values.theirs, values.ours)),
    )


def values_beside(theirs: Array | None, ours: Array | None) -> Iterator[ValueRow]:
    """The places that differ the most, the worst first; none where the shapes are not the same."""
    if theirs is None or ours is None or theirs.shape != ours.shape:
        return
    wide = theirs.astype(np.float64), ours.astype(np.float64)
    with np.errstate(invalid="ignore"):
        off = np.abs(wide[0] - wide[1]).ravel()
    off[np.isnan(off)] = np.inf
    # Both are infinite, or no number, at the same places where they agree.
    off[np.ravel((wide[0] == wide[1]) | (np.isnan(wide[0]) & np.isnan(wide[1])))] = 0
    for at in np.argsort(-off, kind="stable")[:MOST_VALUES]:
        if off[at] == 0:
            return
        index = np.unravel_index(at, theirs.shape)
        text = ", ".join(str(int(i)) for i in index)
        yield ValueRow(f"[{text}]", f"{wide[0][index]:.5g}", f"{wide[1][index]:.5g}")
