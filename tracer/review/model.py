"""The review as data: everything is decided here, and a template prints it.

It holds nothing of the machine or of the time: the same net gives the same text, but for the last bits of
differences, which are rounded to one digit.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Digest:
    """A file, as it is seen from the folder of the generated code, and its sha256."""

    file: str
    sha256: str


@dataclass(frozen=True)
class OutputRow:
    """An output of the net: MXNet's name, shape, and the largest difference of all comparisons."""

    name: str
    shape: str
    difference: str


@dataclass(frozen=True)
class Summary:
    """What the first ten lines say.

    `comparisons` are batch sizes and kinds of parameters in words; `batch` and `sizes` tell what may change,
    and which line freezes the rest.
    """

    net: str
    origin: str
    command: str
    versions: tuple[tuple[str, str], ...]
    ops: int
    parameters: int
    flops: int
    batch_size: int
    sources: tuple[Digest, ...]
    weights: tuple[Digest, ...]
    tolerance: str
    comparisons: str
    outputs: tuple[OutputRow, ...]
    batch: str
    sizes: str


@dataclass(frozen=True)
class SourceRow:
    """A line of the generated code, and what it is in torch.

    `ops` are MXNet's, with how often the line makes each; `shapes` those of the results, the first few;
    `difference` is the largest of the results that were compared, empty where none was.
    """

    line: int
    places: tuple[str, ...]
    statement: str
    ops: tuple[tuple[str, int], ...]
    shapes: tuple[str, ...]
    difference: str


@dataclass(frozen=True)
class DefaultRow:
    """An attribute in which the frameworks differ, where MXNet would take another value than torch.

    `torch` is torch's value as MXNet has it: a momentum is the share that is kept.
    """

    op: str
    attribute: str
    torch: str
    mxnet: str
    layers: int
    why: str


@dataclass(frozen=True)
class WeightRow:
    """A Variable: torch's keys that it holds, or, for a constant, its value and the line that reads it."""

    name: str
    keys: tuple[str, ...]
    shape: str
    count: int
    constant: str = ""


@dataclass(frozen=True)
class UnusedRow:
    """A key of torch's that no Variable holds."""

    key: str
    why: str


@dataclass(frozen=True)
class BlockRow:
    """A child of the net: its parameters, and the FLOPs of its ops in one pass at the batch size."""

    path: str
    cls: str
    parameters: int
    flops: int


@dataclass(frozen=True)
class Review:
    """What a reviewer of a generated file asks."""

    summary: Summary
    source_map: tuple[SourceRow, ...]
    defaults: tuple[DefaultRow, ...]
    weights: tuple[WeightRow, ...]
    unused: tuple[UnusedRow, ...]
    blocks: tuple[BlockRow, ...]
