"""The document of `--format json` as data; docs/schema/report.schema.json is made from these classes."""

from __future__ import annotations

from dataclasses import dataclass

from tracer.compare.reported import PortReport
from tracer.review.failure import Failure
from tracer.review.model import Review

# Counts up when a field goes or means something else; new fields may come without.
VERSION = 1


@dataclass(frozen=True)
class ProblemRow:
    """A refusal, a result that is not good, or a wrong request.

    Attributes:
        code: the number of its kind, FX101; `--explain FX101` prints its page.
        word: the name of its kind, which stays the same: no-rule.
        what: what is wrong, in words.
        file: the user's file, seen from the working directory where it is below it; empty where none is
            known.
        line: the line in it, 0 where none is known.
        module: the path of the module in the net, empty for the net itself and where none is known.
        hint: the way out, empty where there is none beside the page's.
    """

    code: str
    word: str
    what: str
    file: str
    line: int
    module: str
    hint: str


@dataclass(frozen=True)
class NoteRow:
    """A warning (the result is right, but something is frozen, left out or approximate), or a note.

    Attributes:
        code: the number of its kind, FX301.
        word: the name of its kind, which stays the same: batch-frozen.
        what: what a user should know, in words.
        file: the user's file, seen from the working directory where it is below it; empty where none is
            known.
        line: the line in it, 0 where none is known.
        module: the path of the module in the net, empty for the net itself and where none is known.
    """

    code: str
    word: str
    what: str
    file: str
    line: int
    module: str


@dataclass(frozen=True)
class InputRow:
    """An input of the net.

    Attributes:
        name: the parameter of forward.
        shape: the shape at which the net was traced.
        dtype: torch's dtype.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class NetRow:
    """The net, from when it is converted on.

    Attributes:
        name: the function of the generated code.
        inputs: the inputs in the order of forward.
        outputs: how many there are.
        ops: how often each op of MXNet's is called.
        any_batch: whether the symbol is right at every batch size.
        batch: the batch size at which the net was traced.
        least_batch: where not every batch size is right: right from here on, if larger than 1.
        batch_step: where not every batch size is right: right at those that this divides, if larger than 1.
        free_sizes: whether height and width of images may change.
        free_length: whether the length of sequences may.
    """

    name: str
    inputs: tuple[InputRow, ...]
    outputs: int
    ops: dict[str, int]
    any_batch: bool
    batch: int
    least_batch: int
    batch_step: int
    free_sizes: bool
    free_length: bool


@dataclass(frozen=True)
class OutputRow:
    """An output of one comparison with torch.

    Attributes:
        name: MXNet's name of it.
        agrees: whether the difference is within the tolerance.
        difference: max|mxnet - torch| / max|torch|; null where it is no finite number.
        batch: the batch size of the inputs.
        parameters: which parameters were compared, in words.
        size: the height and width of its images, or `length 86` of its sequences, where not the net's own.
        in_float64: whether both were compared in float64, since float32 rounds the net too coarsely.
        why: why the difference is no finite number.
    """

    name: str
    agrees: bool
    difference: float | None
    batch: int
    parameters: str
    size: str
    in_float64: bool
    why: str


@dataclass(frozen=True)
class LayerRow:
    """The first op at which the frameworks part.

    Attributes:
        name: MXNet's name of it.
        difference: max|mxnet - torch| / max|torch| of its results; null where it is no finite number.
        file: the user's file, seen from the working directory where it is below it.
        line: the line in it.
        module: the path of the module in the net.
    """

    name: str
    difference: float | None
    file: str
    line: int
    module: str


@dataclass(frozen=True)
class AgreementRow:
    """The comparison with torch.

    Attributes:
        agrees: whether every output does.
        tolerance: the largest difference that counts as equal.
        outputs: each output at each batch size, with each set of parameters.
        first_divergence: the first op at which they part, null where they agree, or where each op does.
    """

    agrees: bool
    tolerance: float
    outputs: tuple[OutputRow, ...]
    first_divergence: LayerRow | None


@dataclass(frozen=True)
class TrainingRow:
    """The comparison of training with torch, of `--verify training`.

    Attributes:
        agrees: whether nothing differs by more than rounding.
        tolerance: the largest difference that counts as equal.
        why: why training could not be compared, empty where it was.
        apart: what differs, the worst first, in words.
        gradients: the difference of each parameter's gradient; null where it is no finite number.
        statistics: the difference of each moving statistic after a step.
    """

    agrees: bool
    tolerance: float
    why: str
    apart: tuple[str, ...]
    gradients: dict[str, float | None]
    statistics: dict[str, float | None]


@dataclass(frozen=True)
class Document:
    """What a run of fx2mx found: the one document that `--format json` prints on stdout.

    Attributes:
        version: of this form; it counts up when a field goes or means something else.
        fx2mx: the version of fx2mx.
        command: the line that was typed.
        status: the exit status: 0 done, 1 the result is not good, 2 the request is wrong.
        problems: why the status is not 0, in the order of the net's execution; empty where it is.
        warnings: the result is right, but something is frozen, left out or approximate.
        notes: what else a user should know.
        net: the net, null where it was not converted.
        agreement: the comparison with torch, null where there was none.
        training: the comparison of training with torch, null where it was not asked for.
        written: the files that were written, in order, as --out and --report name them.
        review: the data of --report, null where it was not asked for: it is made from every op's results.
        failure: the data of --report where the net is refused or differs, null elsewhere.
        port: the data of `fx2mx compare --report`, null elsewhere.
    """

    version: int
    fx2mx: str
    command: str
    status: int
    problems: tuple[ProblemRow, ...]
    warnings: tuple[NoteRow, ...]
    notes: tuple[NoteRow, ...]
    net: NetRow | None
    agreement: AgreementRow | None
    training: TrainingRow | None
    written: tuple[str, ...]
    review: Review | None
    failure: Failure | None
    port: PortReport | None
