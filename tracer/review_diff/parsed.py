"""A review in Markdown becomes data again: what templates/review/*.jinja print is read line by line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tracer.review.model import (
    BlockRow,
    DefaultRow,
    Digest,
    InputRow,
    MadeRow,
    OpRow,
    OutputRow,
    Review,
    SourceRow,
    Summary,
    TrialRow,
    UnusedRow,
    WeightRow,
)
from tracer.review.text import MARK
from tracer.review_diff.spans import (
    NotAsWritten,
    cells,
    first_span,
    listed_shapes,
    number,
    span,
    spans,
    unescaped,
    unmarked,
)

T = TypeVar("T")

# The tables by their first columns, and which part of the review each is.
_TABLES: Mapping[tuple[str, ...], str] = {
    ("output", "shape"): "outputs",
    ("input", "shape"): "inputs",
    ("op", "does, in MXNet's words"): "ops",
    ("not given", "made in forward"): "made",
    ("line", "torch"): "lines",
    ("op", "attribute"): "defaults",
    ("MXNet", "torch"): "weights",
    ("unused key of torch", "why"): "unused keys",
    ("block", "class"): "blocks",
    # What is told of training is beside the review, and is not read.
    ("gradient", "difference"): "gradients",
    ("moving statistic", "difference"): "statistics",
    ("step", "MXNet's loss"): "losses",
}
_HEAD = re.compile(r"### (.*) in MXNet agrees with torch")
_FACT = re.compile(r"- \*\*(.+?)\*\*: (.*)")
_OUTPUT = re.compile(r" (.*?) differs by (0|below 1e-7|\de[+-]\d+)(, (?=`)|$)")
_COMPARED = re.compile(r"(.*); the largest relative difference that counts as equal is (\S+)(?: \(.*\))?")
_NET = re.compile(r", ([\d,]+) MXNet ops, ([\d,]+) parameters, ([\d,]+) FLOPs at batch (\d+)")
_SHA = re.compile(r" sha256 `([0-9a-f]{64})`(, |$)")
_FOLDED = re.compile(r"<details><summary>these \d+, (.*?)</summary>(.*)</details>")
_COUNTS = re.compile(
    r"<summary>(?:Differences of the outputs: (\d+)(?: outputs?,(?: each)?)? in"
    r"|Inputs of the comparison: (\d+) rows"
    r"|MXNet ops used here: (\d+)|Source map: (\d+) lines|Corrected defaults: (\d+)"
    r"|Weights: (\d+); unused keys: (\d+))"
)
# Parts that reports of an earlier fx2mx do not have.
_LATER = frozenset({"inputs", "outputs", "ops"})
NO_PLACE = "(the net itself)"
NO_SOURCE, NO_WEIGHTS = "none of the user's", "not written"


class Unreadable(Exception):
    """A line that no review has.

    Attributes:
        line: its number, from 1 on.
    """

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


class Cut(Exception):
    """The text ends before the review does; what is missing, in words."""


@dataclass(frozen=True)
class Line:
    """A line with its number, from 1 on."""

    number: int
    text: str

    def read(self, made: Callable[[str], T]) -> T:
        """What is made from the text. Unreadable where it cannot be."""
        try:
            return made(self.text)
        except NotAsWritten as error:
            raise Unreadable(self.number, str(error)) from error


def parsed(text: str) -> Review:
    """The review that a Markdown is of, but for white space in code. Unreadable or Cut where it is none."""
    if MARK not in text:
        raise Cut("it has no last line")
    lines = [Line(n, line) for n, line in enumerate(text.rpartition(MARK)[0].split("\n"), start=1)]
    tables = _tables(lines)
    _check_counts(lines, tables)
    return Review(
        summary=_summary(lines),
        source_map=_rows(tables, "lines", _source_row),
        defaults=_rows(tables, "defaults", _default_row),
        weights=_rows(tables, "weights", _weight_row),
        unused=_rows(tables, "unused keys", _unused_row),
        blocks=_rows(tables, "blocks", _block_row),
        inputs=_rows(tables, "inputs", _input_row),
        ops=_rows(tables, "ops", _op_row),
        made=_rows(tables, "made", _made_row),
        trials=_trials(lines, tables.get("outputs", [])),
    )


# Tables ------------------------------------------------------------------------------------------------


def _tables(lines: list[Line]) -> Mapping[str, list[Line]]:
    """The rows of each table that is there."""
    found: dict[str, list[Line]] = {}
    rows: list[Line] | None = None
    for line in lines:
        if not line.text.startswith("|"):
            rows = None
        elif rows is None:
            name = _TABLES.get(cells(line.text)[:2])
            if name is None or name in found:
                raise Unreadable(line.number, "no review has this table")
            rows = found[name] = []
        elif not line.text.startswith("|---"):
            rows.append(line)
    return found


def _check_counts(lines: list[Line], tables: Mapping[str, list[Line]]) -> None:
    """Raise Cut where a table has fewer rows than its heading says."""
    names = ("outputs", "inputs", "ops", "lines", "defaults", "weights", "unused keys")
    said: dict[str, int] = {}
    for line in lines:
        if found := _COUNTS.match(line.text):
            said |= {name: int(count) for name, count in zip(names, found.groups(), strict=True) if count}
    for name in names:
        if name in _LATER and name not in said and name not in tables:
            continue
        if name not in said:
            raise Cut(f"the table of {name} is missing")
        rows = tables.get(name, ())
        has = (
            len(rows) if name != "unused keys" else sum(row.count for row in _rows(tables, name, _unused_row))
        )
        if has != said[name]:
            raise Cut(f"the table of {name} has {has} of {said[name]} lines")


def _rows(tables: Mapping[str, list[Line]], name: str, made: Callable[[tuple[str, ...]], T]) -> tuple[T, ...]:
    return tuple(line.read(lambda text: made(cells(text))) for line in tables.get(name, ()))


def _trials(lines: list[Line], rows: list[Line]) -> tuple[TrialRow, ...]:
    """The comparisons, each of which is a column; the heads of these stand two lines above the first row."""
    if not rows:
        return ()
    head = [unescaped(cell) for cell in cells(lines[rows[0].number - 3].text)]
    table = [line.read(lambda text: _width(cells(text), len(head))) for line in rows]
    return tuple(TrialRow(head[i], tuple(row[i] for row in table)) for i in range(2, len(head)))


def _width(row: tuple[str, ...], count: int) -> tuple[str, ...]:
    if len(row) != count:
        raise NotAsWritten(f"a row of {count} cells has {len(row)}")
    return row


def _input_row(row: tuple[str, ...]) -> InputRow:
    name, shape, dtype, compared, values, *numbers = _width(row, 9)
    return InputRow(span(name), shape, dtype, unescaped(compared), unescaped(values), *numbers)


def _op_row(row: tuple[str, ...]) -> OpRow:
    op, does, count, torch, link = _width(row, 5)
    return OpRow(span(op), number(count), spans(torch, ", "), unescaped(does), link[1:-1])


def _made_row(row: tuple[str, ...]) -> MadeRow:
    name, values, shape, place = _width(row, 4)
    return MadeRow(span(name), unescaped(values), shape, span(place))


def _source_row(row: tuple[str, ...]) -> SourceRow:
    # An earlier fx2mx did not tell why.
    line, places, statement, ops, shapes, difference, why = _width(row if len(row) != 6 else (*row, ""), 7)
    return SourceRow(
        line=number(line),
        places=spans(places, ", "),
        statement=span(statement),
        ops=_ops(ops),
        shapes=listed_shapes(unescaped(shapes)),
        difference=difference,
        why=unescaped(why),
    )


def _ops(text: str) -> tuple[tuple[str, int], ...]:
    """Ops with how often each is made: `Convolution` x 3, `Pooling`."""
    found = []
    while text:
        op, text = first_span(text)
        times = re.match(r"(?: x (\d+))?(?:, |$)", text)
        if times is None:
            raise NotAsWritten(f"{text!r} does not tell how often an op is made")
        found.append((op, int(times[1] or 1)))
        text = text[times.end() :]
    return tuple(found)


def _default_row(row: tuple[str, ...]) -> DefaultRow:
    # An earlier fx2mx told neither lines nor modules.
    op, attribute, torch, mxnet, layers, lines, modules, why = _width(
        row if len(row) != 6 else (*row[:5], "", "", row[5]), 8
    )
    numbers = tuple(map(number, lines.split(", "))) if lines else ()
    of = tuple(unescaped(modules).split(", ")) if modules else ()
    texts = (span(op), span(attribute), span(torch), span(mxnet))
    return DefaultRow(*texts, number(layers), unescaped(why), numbers, of)


def _weight_row(row: tuple[str, ...]) -> WeightRow:
    name, keys, shape, count = _width(row, 4)
    if keys.startswith("constant "):
        constant = unescaped(keys.removeprefix("constant "))
        return WeightRow(span(name), (), shape, number(count), constant)
    if folded := _FOLDED.fullmatch(keys):
        return WeightRow(span(name), spans(folded[2], ", "), shape, number(count), joined=folded[1])
    plain, _, joined = keys.partition("`, ")
    held = spans(f"{plain}`" if joined else keys, " and ")
    return WeightRow(span(name), held, shape, number(count), joined=joined)


def _unused_row(row: tuple[str, ...]) -> UnusedRow:
    # An earlier fx2mx wrote a row for each key.
    key, why, count = _width(row if len(row) != 2 else (*row, "1"), 3)
    return UnusedRow(span(key), why, number(count))


def _block_row(row: tuple[str, ...]) -> BlockRow:
    path, cls, parameters, flops = _width(row, 4)
    name = span(path)
    return BlockRow("" if name == NO_PLACE else name, span(cls), number(parameters), number(flops))


# The summary -------------------------------------------------------------------------------------------


def _summary(lines: list[Line]) -> Summary:
    heads = [found for line in lines if (found := _HEAD.fullmatch(line.text))]
    if len(heads) != 1:
        raise Unreadable(1, "there is no heading that says which net agrees with torch")
    said = [m for line in lines if (m := _FACT.fullmatch(line.text))]
    facts = {m[1]: Line(line.number, m[2].strip()) for line in lines if (m := _FACT.fullmatch(line.text))}

    def read(name: str, made: Callable[[str], T]) -> T:
        if name not in facts:
            raise Unreadable(1, f"the summary has no line {name}")
        return facts[name].read(made)

    origin, ops, parameters, flops, batch_size = read("Net", _net)
    comparisons, tolerance = read("Compared", _compared)
    return Summary(
        net=unescaped(heads[0][1]),
        origin=origin,
        command=read("Made by", span),
        versions=read("With", _versions),
        ops=ops,
        parameters=parameters,
        flops=flops,
        batch_size=batch_size,
        sources=read("Source", _digests),
        files=read("Files", lambda text: _digests(_files(text)[0])),
        tolerance=tolerance,
        comparisons=comparisons,
        outputs=read("Outputs", _outputs),
        batch=read("Batch", unmarked),
        sizes=read("Other sizes", unmarked),
        weights=read("Files", lambda text: unmarked(_files(text)[1])),
        notes=tuple(unescaped(m[2]) for m in said if m[1] == "Note"),
    )


def _net(text: str) -> tuple[str, int, int, int, int]:
    origin, rest = first_span(text)
    found = _NET.fullmatch(rest)
    if found is None:
        raise NotAsWritten(f"{rest!r} does not count ops, parameters and FLOPs")
    ops, parameters, flops = map(number, found.groups()[:3])
    return origin, ops, parameters, flops, int(found[4])


def _versions(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [tuple(part.split(" ")) for part in text.split(", ")]
    if any(len(pair) != 2 for pair in pairs):
        raise NotAsWritten(f"{text!r} are not names with a version each")
    return tuple((name, version) for name, version in pairs)


def _digests(text: str) -> tuple[Digest, ...]:
    found = []
    while text and text not in {NO_SOURCE, NO_WEIGHTS}:
        file, rest = first_span(text)
        sha = _SHA.match(rest)
        if sha is None:
            raise NotAsWritten(f"{rest!r} is no sha256")
        found.append(Digest(file, sha[1]))
        text = rest[sha.end() :]
    return tuple(found)


def _files(text: str) -> tuple[str, str]:
    """The files with their sha256, and what is said of the weights."""
    files, found, weights = text.partition("; the weights are ")
    return files, f"the weights are {weights}" if found else ""


def _compared(text: str) -> tuple[str, str]:
    found = _COMPARED.fullmatch(text)
    if found is None:
        raise NotAsWritten(f"{text!r} does not say what counts as equal")
    return found[1], found[2]


def _outputs(text: str) -> tuple[OutputRow, ...]:
    found = []
    while text:
        name, rest = first_span(text)
        row = _OUTPUT.match(rest)
        if row is None:
            raise NotAsWritten(f"{rest!r} is no shape with a difference")
        found.append(OutputRow(name, row[1], row[2]))
        text = rest[row.end() :]
    return tuple(found)
