"""What the comparison was made on: each input, and what it held at each batch size and image size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codegen.batch_words import size_words
from codegen.proof.compare import Agreement, Sample, Trial
from tracer.review.model import InputRow, TrialRow
from tracer.review.words import rounded, shape_text


def input_rows(trials: Sequence[Trial]) -> tuple[InputRow, ...]:
    """Each input at each batch and image size; once where all sets of parameters were run on the same values.

    In the order of forward, then of the comparisons.
    """
    found: dict[tuple[str, Sample], list[str]] = {}
    for trial, words in zip(trials, trial_words(trials), strict=True):
        for sample in trial.inputs:
            found.setdefault((words, sample), []).append(trial.parameters)
    names = list(dict.fromkeys(sample.name for _, sample in found))
    alone = {
        words for words, sample in found for other, its in found if other == words and _differs(sample, its)
    }
    rows = [
        (names.index(sample.name), _row(f"{words}, {parameters[0]}" if words in alone else words, sample))
        for (words, sample), parameters in found.items()
    ]
    return tuple(row for _, row in sorted(rows, key=lambda pair: pair[0]))


def _differs(sample: Sample, other: Sample) -> bool:
    """Whether one input held other values with other parameters."""
    return sample.name == other.name and sample != other


def trial_words(trials: Sequence[Trial]) -> Iterator[str]:
    """Batch size and image size of each comparison; where both are as before, that the values are others."""
    seen: set[tuple[str, str]] = set()
    for trial in trials:
        words = f"batch {trial.batch}{f', {size_words(trial.size)}' if trial.size else ''}"
        words += ", on other values" if (words, trial.parameters) in seen else ""
        seen.add((words, trial.parameters))
        yield words


def trial_rows(agreement: Agreement) -> Iterator[TrialRow]:
    """The difference of each output in each comparison, in which the outputs stand one after the other."""
    count = len(agreement.outputs) // max(len(agreement.trials), 1)
    for number, (trial, words) in enumerate(
        zip(agreement.trials, trial_words(agreement.trials), strict=True)
    ):
        own = agreement.outputs[number * count : (number + 1) * count]
        in_double = (", in float64" if output.double else "" for output in own)
        told = (f"{rounded(output.difference)}{more}" for output, more in zip(own, in_double, strict=True))
        yield TrialRow(f"{words}, {trial.parameters}", tuple(told))


def _row(words: str, sample: Sample) -> InputRow:
    count = 1
    for size in sample.shape:
        count *= size
    return InputRow(
        name=sample.name,
        shape=shape_text(sample.shape),
        dtype=sample.dtype,
        compared=words,
        values=sample.values,
        seed=str(sample.seed) if sample.seed is not None else "",
        low=_number(sample.low),
        high=_number(sample.high),
        zeros=f"{sample.zeros:,} of {count:,}",
    )


def _number(value: float | None) -> str:
    """A whole number as it is, another to two digits, which is as much as machines share; '' for none."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.2g}"
