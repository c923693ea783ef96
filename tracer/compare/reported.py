"""The report of a port as data: a template prints it. It holds nothing of the machine or of the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tracer.review.failure import Place, ValueRow, WorstOutput
from tracer.review.model import Digest

LayerVerdict = Literal["agrees", "parts", "not known", "cannot be run"]


@dataclass(frozen=True)
class Mending:
    """A change that makes an op agree: what is changed, in a word, and what to write."""

    subject: str
    said: str


@dataclass(frozen=True)
class PortCause:
    """A layer that parts, and what makes it agree.

    Attributes:
        name: the port's op, by MXNet's name.
        op: MXNet's op.
        end: the op, from there on, of which torch's value is known; the op itself where that is known.
        calls: torch's calls from what agrees to there.
        where: the line of the first of them.
        difference: how far it is from torch's value; empty where there is no number, which `why` says.
        why: why MXNet cannot run it, or that its shape is another one.
        agree: how many ops before it agree; 0 behind the first.
        mending: what makes it agree, empty where nothing was found.
        tried: what was tried where nothing was found.
        hint: what can be said where nothing was found.
        shape: that of torch's value.
        values: the places that differ the most, of the first layer that parts.
    """

    name: str
    op: str
    end: str
    calls: tuple[str, ...]
    where: Place
    difference: str
    why: str
    agree: int
    mending: tuple[Mending, ...]
    tried: tuple[str, ...]
    hint: str
    shape: str
    values: tuple[ValueRow, ...]


@dataclass(frozen=True)
class PortLayer:
    """An op of the port beside torch.

    Attributes:
        name: MXNet's name.
        op: MXNet's op.
        torch: the call of torch whose value it gives, or should give; empty where none is known.
        place: where that stands.
        difference: from that value; empty where there is no number.
        verdict: whether it agrees.
    """

    name: str
    op: str
    torch: str
    place: str
    difference: str
    verdict: LayerVerdict


@dataclass(frozen=True)
class PortWeight:
    """A weight of the port, and torch's keys that it holds.

    Attributes:
        name: MXNet's name; empty for a key that no weight of the port holds.
        shape: its shape.
        keys: torch's keys, none where they are not known, and for a constant.
        shapes: the shapes of these.
        matched: how they were found: by the table, by name, by value, by shape and order; or the constant.
        held: how it holds them where that is not as they are: transposed, with other values.
    """

    name: str
    shape: str
    keys: tuple[str, ...]
    shapes: tuple[str, ...]
    matched: str
    held: str


@dataclass(frozen=True)
class PortNote:
    """A note, with the number of its kind."""

    code: str
    what: str


@dataclass(frozen=True)
class PortReport:
    """What a comparison of a port with the net leaves to read.

    Attributes:
        net: the net's name.
        port: PREFIX without its folder.
        verdict: whether it agrees.
        origin: SPEC.
        command: what compares them again, from the folder of the port.
        versions: of both frameworks.
        sources: the files of torch's net.
        files: those of the port: symbol, weights, and the contrast table where there is one.
        weights: the checkpoint, none where the net has values of its own.
        ops: of the port.
        parameters: of the port.
        tolerance: the largest difference that counts as equal.
        comparisons: batch sizes and parameters that were compared, in words.
        outputs: each output at its worst.
        inputs: which variable of the port is which input of forward.
        foreign: weights that hold other values than torch's throughout.
        causes: what makes both part, in order: each was mended before the next was looked for.
        is_rounding: no layer alone parts by as much as the outputs do.
        is_mended: once all causes are mended, the port agrees.
        after: how far it is from torch then; empty where that was not tried.
        layers: the port's ops in the order of execution; empty where the net cannot be followed.
        compared: what of these were compared at: batch size and parameters.
        table: its weights, and the keys that none of them holds.
        notes: what one should know beside.
    """

    net: str
    port: str
    verdict: Literal["agrees", "differs"]
    origin: str
    command: str
    versions: tuple[tuple[str, str], ...]
    sources: tuple[Digest, ...]
    files: tuple[Digest, ...]
    weights: tuple[Digest, ...]
    ops: int
    parameters: int
    tolerance: str
    comparisons: str
    outputs: tuple[WorstOutput, ...]
    inputs: tuple[str, ...]
    foreign: tuple[str, ...]
    causes: tuple[PortCause, ...]
    is_rounding: bool
    is_mended: bool
    after: str
    layers: tuple[PortLayer, ...]
    compared: str
    table: tuple[PortWeight, ...]
    notes: tuple[PortNote, ...]
