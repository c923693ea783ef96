"""The report of a net that is refused, or that differs from torch, as data: a template prints it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tracer.review.model import Digest

Verdict = Literal["converts", "refused", "agrees", "differs", "not tried"]


@dataclass(frozen=True)
class CodeLine:
    """A line of the user's file; `is_it` marks the one that is meant."""

    number: int
    text: str
    is_it: bool


@dataclass(frozen=True)
class Place:
    """A line of torch, the modules that run it, and the lines around it, none where the file is not known."""

    modules: tuple[str, ...]
    place: str
    lines: tuple[CodeLine, ...]


@dataclass(frozen=True)
class Smallest:
    """The smallest module that shows what is wrong, and the command that shows it, empty where none does."""

    path: str
    cls: str
    command: str


@dataclass(frozen=True)
class Refused:
    """A refusal, everywhere where it stands: its kind's number and word, what it is, and the way out.

    `smallest` is the smallest module that shows it, None for the net itself. `stops` tells that tracing ended
    there, so that what follows was not looked at.
    """

    code: str
    word: str
    what: str
    hint: str
    places: tuple[Place, ...]
    smallest: Smallest | None = None
    stops: bool = False


@dataclass(frozen=True)
class Before:
    """What comes before the line at which tracing stopped: modules that were done by then.

    `command` converts the net up to them, which was tried: `ops` are its MXNet ops.
    """

    modules: tuple[str, ...]
    ops: int
    command: str


@dataclass(frozen=True)
class Part:
    """A module that was converted by itself, on what the net hands to it.

    `ops` are its MXNet ops, 0 where it is refused; `difference` is that of its outputs, where they were
    compared; `why` tells why it is refused, or was not tried.
    """

    path: str
    cls: str
    verdict: Verdict
    ops: int = 0
    difference: str = ""
    why: str = ""


@dataclass(frozen=True)
class WorstOutput:
    """An output of the net, how far it is from torch's at worst, and why no number says it."""

    name: str
    difference: str
    agrees: bool
    why: str


@dataclass(frozen=True)
class ValueRow:
    """One place of a tensor, and what both frameworks have there."""

    index: str
    torch: str
    mxnet: str


@dataclass(frozen=True)
class Parting:
    """The first op at which the frameworks part; `agree` counts those before it, of `compared` in all.

    `values` are the places that differ the most. `parameters` says which were compared.
    """

    name: str
    op: str
    where: Place
    shape: str
    difference: str
    agree: int
    compared: int
    parameters: str
    values: tuple[ValueRow, ...]


@dataclass(frozen=True)
class Failure:
    """What a net that did not convert leaves to read.

    `parting` is None where the net is refused, or where no op by itself differs; `parts` are empty where the
    net could not be run in parts, `before` where tracing went to the end, or nothing converts before it.
    """

    net: str
    verdict: Literal["refused", "differs"]
    origin: str
    command: str
    versions: tuple[tuple[str, str], ...]
    sources: tuple[Digest, ...]
    tolerance: str
    refused: tuple[Refused, ...]
    outputs: tuple[WorstOutput, ...]
    parting: Parting | None
    parts: tuple[Part, ...]
    smallest: Smallest | None
    before: tuple[Before, ...] = ()
