"""The review as data: everything is decided here, and a template prints it.

It holds nothing of the machine or of the time: the same net gives the same text, but for the last bits of
differences, which are rounded to one digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
class InputRow:
    """An input in the comparisons at one batch size, or of one image size: `compared` says which in words.

    `values` tell what kind of values it had, `seed` that of the torch.Generator which they were drawn from
    (empty where they were given), `low`, `high` and `zeros` what they were.
    """

    name: str
    shape: str
    dtype: str
    compared: str
    values: str
    seed: str
    low: str
    high: str
    zeros: str


@dataclass(frozen=True)
class MadeRow:
    """An argument of forward that was not given, and what forward makes in its place: `values` in words."""

    name: str
    values: str
    shape: str
    place: str


@dataclass(frozen=True)
class TrialRow:
    """One comparison: batch size, image size and parameters in words, and the difference of each output.

    `differences` are in the order of the summary's outputs; one that was taken in float64 says so.
    """

    compared: str
    differences: tuple[str, ...]


@dataclass(frozen=True)
class OpRow:
    """An op of MXNet's: how often it is called, and the ops of torch that it stands for in this net.

    `does` is MXNet's own first sentence on it, empty where it has none; `link` leads to its
    manual, and is empty for Python's operators on symbols.
    """

    op: str
    count: int
    torch: tuple[str, ...]
    does: str
    link: str


@dataclass(frozen=True)
class Summary:
    """What the first ten lines say.

    `files` are the checkpoint and what was written; `comparisons` are batch sizes and kinds of parameters in
    words; `batch` and `sizes` tell what may change, and which lines hold the rest; `weights` that they are of
    no checkpoint, empty where they are of one. `notes` are what else the docstring of the net says.
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
    files: tuple[Digest, ...]
    tolerance: str
    comparisons: str
    outputs: tuple[OutputRow, ...]
    batch: str
    sizes: str
    # What follows came later: a report without it is read all the same.
    weights: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceRow:
    """A line of the generated code, and what it is in torch.

    `ops` are MXNet's, with how often the line makes each; `shapes` those of the results, the first few;
    `difference` is the largest of the results that were compared, empty where none was. `why` tells why it is
    written so, where a call of torch's takes several ops and a reason is known.
    """

    line: int
    places: tuple[str, ...]
    statement: str
    ops: tuple[tuple[str, int], ...]
    shapes: tuple[str, ...]
    difference: str
    why: str = ""


@dataclass(frozen=True)
class DefaultRow:
    """An attribute in which the frameworks differ, where MXNet would take another value than torch.

    `torch` is torch's value as MXNet has it: a momentum is the share that is kept. `lines` are those of the
    generated code that write it, `modules` those of torch's that it is of, the first few.
    """

    op: str
    attribute: str
    torch: str
    mxnet: str
    layers: int
    why: str
    lines: tuple[int, ...] = ()
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class WeightRow:
    """A Variable: torch's keys that it holds, or, for a constant, its value and the line that reads it.

    `joined` tells how it holds several keys, empty where it has one.
    """

    name: str
    keys: tuple[str, ...]
    shape: str
    count: int
    constant: str = ""
    joined: str = ""


@dataclass(frozen=True)
class UnusedRow:
    """A key of torch's that no Variable holds; or so many, all that a pattern such as `criterion.*` is of."""

    key: str
    why: str
    count: int = 1


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
    # What follows came later: a report without it is read all the same.
    inputs: tuple[InputRow, ...] = ()
    trials: tuple[TrialRow, ...] = ()
    ops: tuple[OpRow, ...] = ()
    made: tuple[MadeRow, ...] = ()


# What the page shows beside ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """An op of the net, where it is made and how far it is from torch's.

    `lines` are those of the generated code, that of the op itself first, then those of the calls around it;
    `places` the same in torch: (which of the sources, line); `modules` the path of the module that each of
    them calls, "" for none. `corrected` tells which of the review's defaults it has. `difference` is empty
    where the op was not compared. `weights` are those of the review's that it reads. `torch` is the op of
    torch's that it is written for, `node` that very call:
    several ops may be of one; both are empty where it is of none. `why` is as in a SourceRow.
    """

    name: str
    op: str
    path: str
    lines: tuple[int, ...]
    places: tuple[tuple[int, int], ...]
    modules: tuple[str, ...]
    shape: str
    difference: str
    corrected: tuple[int, ...]
    weights: tuple[int, ...] = ()
    torch: str = ""
    node: str = ""
    why: str = ""


@dataclass(frozen=True)
class SourceText:
    """A file of code; `ranges` are the first and last lines of the parts that are shown."""

    name: str
    text: str
    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Node:
    """A node of the picture of a block: another block or an op by index, or an end by what it is called."""

    kind: Literal["block", "op", "end"]
    index: int = 0
    text: str = ""


@dataclass(frozen=True)
class Layout:
    """Where dot puts the nodes of a picture: their middles; its edges: from, to, a curve's points."""

    width: int
    height: int
    middles: tuple[tuple[int, int], ...]
    curves: tuple[tuple[int, int, tuple[tuple[int, int], ...]], ...]


@dataclass(frozen=True)
class Flow:
    """How data goes through a block: pairs of nodes; `layout` is None where there is no graphviz."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]
    layout: Layout | None = None


@dataclass(frozen=True)
class Block:
    """A module with all that is in it: parameters, FLOPs, the largest difference of its ops.

    `children` are blocks by index, in the order of execution; `layer` is its first op, -1 where it has none;
    `flow` is None where a block is one op.
    """

    path: str
    cls: str
    parameters: int
    flops: int
    difference: str
    layer: int
    children: tuple[int, ...]
    flow: Flow | None


@dataclass(frozen=True)
class Histogram:
    """The values of a Variable in both frameworks: heights of the same bins, as parts of the highest one.

    `low` and `high` are the least and the largest value.
    """

    low: str
    high: str
    torch: tuple[int, ...]
    mxnet: tuple[int, ...]


@dataclass(frozen=True)
class Training:
    """How both train: what differs by how much, by MXNet's names, and the losses, MXNet's and torch's.

    `uncompared` are parameters that torch computes from others; `by_rounding` counts what is apart by no more
    than torch is from itself when the last bits of its weights move.
    """

    tolerance: str
    gradients: tuple[tuple[str, str], ...]
    statistics: tuple[tuple[str, str], ...]
    losses: tuple[tuple[str, str], ...]
    uncompared: tuple[str, ...]
    by_rounding: int


@dataclass(frozen=True)
class Page:
    """The review with all that a person looks at beside it.

    `histograms` are in the order of the review's weights, None for a constant; `training` is None where it
    was not compared. `declared` are lines of the generated code that make a Variable, with its place among
    the weights.
    """

    review: Review
    layers: tuple[Layer, ...]
    sources: tuple[SourceText, ...]
    code: SourceText
    blocks: tuple[Block, ...]
    histograms: tuple[Histogram | None, ...]
    training: Training | None
    declared: tuple[tuple[int, int], ...] = ()
