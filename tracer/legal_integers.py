"""Integers that a net takes: the range is found by running it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from codegen.ir import Note
from codegen.kinds.note import note
from codegen.problems import UserModelError
from tracer.capture import run
from tracer.inputs import InputSpec, integer_range, make_inputs

# How a range was found that no layer has.
RUN = "from runs of the net"
Range = tuple[int, int]
Ranges = Mapping[str, Range]


@dataclass(frozen=True)
class _Trial:
    """Runs the net on integers from given ranges."""

    model: nn.Module
    specs: tuple[InputSpec, ...]

    def error(self, ranges: Ranges, with_largest: bool = True) -> Exception | None:
        """What the net raises: on random integers, or where all are the largest."""
        specs = _ranged(self.specs, ranges)
        # Three draws where the largest alone is no fair question.
        made = [make_inputs(specs, None, seed) for seed in range(1 if with_largest else 3)]
        if with_largest:
            full = {name: torch.full_like(made[0][name], high - 1) for name, (_, high) in ranges.items()}
            made.append(made[0] | full)
        try:
            for inputs in made:
                run(self.model, inputs)
        except Exception as error:  # noqa: BLE001 - whatever a net raises on numbers that it does not take
            return error
        return None

    def fits(self, ranges: Ranges) -> bool:
        return self.error(ranges) is None


def with_legal_integers(
    model: nn.Module, specs: tuple[InputSpec, ...]
) -> tuple[tuple[InputSpec, ...], tuple[Note, ...]]:
    """The specs with ranges of integers on which the net runs, and notes of those that are narrower.

    Without a known bound negative ones are tried too. Raises UserModelError, which names --input, where the
    net runs on none.
    """
    wanted = {s.name: integer_range(s) for s in specs if _is_open(s)}
    if not wanted or any(is_lazy(t) for t in (*model.parameters(), *model.buffers())):
        return specs, ()
    trial = _Trial(model, specs)
    bounds = {s.name: s.high for s in specs}
    signed = {n: (-high if bounds[n] is None else low, high) for n, (low, high) in wanted.items()}
    limits = {s.name: torch.iinfo(getattr(torch, s.dtype)).min for s in specs if s.name in wanted}
    signed = {n: (max(low, limits[n]), high) for n, (low, high) in signed.items()}
    positive = {n: (1, max(high, 2)) for n, (_, high) in wanted.items()}
    first = trial.error(wanted)
    for ranges in (signed, wanted, positive):
        if (first is None) if ranges == wanted else trial.fits(ranges):
            return _ranged(specs, ranges, wanted), _notes(wanted, ranges)
    found = _narrowed(trial, wanted)
    if found is None and trial.error(wanted, with_largest=False) is None:
        return specs, ()
    if found is None:
        raise _no_integers(first, wanted)
    return _ranged(specs, found, wanted), _notes(wanted, found)


def _is_open(spec: InputSpec) -> bool:
    """Integers that are chosen here."""
    return "int" in spec.dtype and spec.value is None and "mask" not in spec.name


def _ranged(
    specs: Sequence[InputSpec], ranges: Ranges, wanted: Ranges | None = None
) -> tuple[InputSpec, ...]:
    """The specs with these ranges; of one that is not as `wanted`, running the net told."""

    def ranged(spec: InputSpec) -> InputSpec:
        low, high = ranges[spec.name]
        is_found = wanted is not None and (low, high) != wanted[spec.name]
        return replace(spec, low=low, high=high, bound=RUN if is_found else spec.bound)

    return tuple(ranged(s) if s.name in ranges else s for s in specs)


def _narrowed(trial: _Trial, wanted: Ranges) -> Ranges | None:
    """The largest ranges that run, each found beside the others' smallest; None where not even these run."""
    for low in (0, 1):
        base = dict.fromkeys(wanted, (low, low + 1))
        if not trial.fits(base):
            continue
        found = {n: _largest(trial, base, n, high) for n, (_, high) in wanted.items()}
        while not trial.fits(found):  # the smallest ranges end this, if nothing else does
            found = {n: (low, low + max(1, (high - low) // 2)) for n, (low, high) in found.items()}
        return found
    return None


def _largest(trial: _Trial, base: Ranges, name: str, bound: int) -> Range:
    """The largest range of one input: those within one that runs are taken to run."""
    low, runs = base[name]
    fails = max(bound, runs) + 1
    while fails - runs > 1:
        middle = (runs + fails) // 2
        if trial.fits({**base, name: (low, middle)}):
            runs = middle
        else:
            fails = middle
    return low, runs


def _notes(wanted: Ranges, found: Ranges) -> tuple[Note, ...]:
    return tuple(
        note("integer-range", name=name, low=low, high=high - 1)
        for name, (low, high) in found.items()
        if low > wanted[name][0] or high < wanted[name][1]
    )


def _no_integers(error: Exception | None, wanted: Ranges) -> UserModelError:
    tried = " and ".join(f"{name} from {low} to {high - 1}" for name, (low, high) in wanted.items())
    files = " ".join(f"--input {name}=@{name}.npy" for name in wanted)
    return UserModelError(
        f"{error}\nintegers were tried for {tried}, and fewer: if it takes others, give {files}",
        code="no-integers",
    )
