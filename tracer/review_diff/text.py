"""What changed as text, by templates/review/diff.jinja."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import jinja2

from codegen.problems import listed
from tracer.review.environment import environment
from tracer.review.model import BlockRow, DefaultRow, UnusedRow, WeightRow
from tracer.review.text import cell, code_span, marked, number_text
from tracer.review_diff.model import Change, ReportDiff, TorchLine
from tracer.review_diff.parsed import NO_PLACE

# By this line, which is not shown, a file is known to be one that we may write anew.
MARK = "<!-- what changed between two reports, by fx2mx -->"
_KINDS = ("new", "changed", "moved", "gone")
# So many lines of the generated code are named.
_MOST = 3


def markdown(diff: ReportDiff) -> str:
    """All of it, for a pull request: what changed in lines, and tables that are folded."""
    return _environment().get_template("review/diff.jinja").render(diff=diff)


def _environment() -> jinja2.Environment:
    return environment(
        code=code_span,
        cell=cell,
        marked=marked,
        number=number_text,
        counts=counts,
        layer=lambda change: sides(change, _layer, () if change.is_moved else (0, 1), "; was "),
        default=lambda change: sides(change, _default),
        weight=lambda change: sides(change, _weight),
        key=lambda change: sides(change, _key),
        block=lambda change: sides(change, _block),
    )


def counts(changes: Sequence[Change[Any]]) -> str:
    """How many are new, changed, moved and gone."""
    found: Counter[str] = Counter(change.kind for change in changes)
    return ", ".join(f"{found[kind]} {kind}" for kind in _KINDS if found[kind])


def sides(
    change: Change[Any], made: Callable[[Any], Sequence[str]], of_now: Sequence[int] = (), was: str = ", was "
) -> tuple[str, ...]:
    """The cells of a changed row: each as it is, and as it was where that is another.

    Of the columns `of_now` is not told what they were.
    """
    old, new = (made(own) if own is not None else None for own in (change.old, change.new))
    if old is None or new is None:
        return tuple(old or new or ())
    pairs = enumerate(zip(old, new, strict=True))
    return tuple(
        now if now == before or i in of_now else f"{now or 'none'}{was}{before or 'none'}"
        for i, (before, now) in pairs
    )


def _layer(line: TorchLine) -> Sequence[str]:
    ops = (f"{code_span(op)} x {count}" if count > 1 else code_span(op) for op, count in line.ops)
    return (
        listed([str(number) for number in line.lines], _MOST),
        ", ".join(map(code_span, line.places)),
        code_span(line.statement),
        ", ".join(ops),
        cell(", ".join(line.shapes)),
    )


def _default(row: DefaultRow) -> Sequence[str]:
    texts = (row.op, row.attribute, row.torch, row.mxnet)
    return (*map(code_span, texts), str(row.layers))


def _weight(row: WeightRow) -> Sequence[str]:
    held = " and ".join(map(code_span, row.keys)) if row.keys else f"constant {cell(row.constant)}"
    return (code_span(row.name), held, row.shape)


def _key(row: UnusedRow) -> Sequence[str]:
    return (code_span(row.key), row.why)


def _block(row: BlockRow) -> Sequence[str]:
    return (
        code_span(row.path or NO_PLACE),
        code_span(row.cls),
        number_text(row.parameters),
        number_text(row.flops),
    )
