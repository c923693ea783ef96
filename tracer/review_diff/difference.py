"""What changed from one review to the other."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from tracer.review.model import BlockRow, DefaultRow, InputRow, OutputRow, Review, Summary, WeightRow
from tracer.review_diff.layers import layer_changes, without_lines
from tracer.review_diff.model import Change, Fact, ReportDiff, Rounding

T = TypeVar("T")
# By what a row is paired: its place, and the row.
Key = Callable[[int, T], Hashable]


def difference_of(old: Review, new: Review) -> ReportDiff:
    """All that is not the same; where lines stand in their files, and rounding, are no change."""
    old, new = plain(old), plain(new)
    before, after = old.summary, new.summary
    is_same_batch = before.batch_size == after.batch_size
    return ReportDiff(
        net=after.net,
        facts=(*_facts(before, after), *_inputs(old.inputs, new.inputs)),
        sources=_changes(before.sources, after.sources, [lambda _, own: own.file]),
        files=_changes(before.files, after.files, [lambda _, own: own.file]),
        outputs=_outputs(before.outputs, after.outputs),
        layers=layer_changes(old.source_map, new.source_map),
        defaults=_changes(old.defaults, new.defaults, [_default, _attribute], _default_seen),
        weights=_changes(old.weights, new.weights, [lambda _, own: own.name], _weight_seen),
        unused=_changes(old.unused, new.unused, [lambda _, own: own.key]),
        blocks=_changes(
            old.blocks,
            new.blocks,
            [lambda _, own: own.path],
            _block_seen if is_same_batch else _block_seen_at_any_batch,
        ),
        rounding=tuple(_rounding(before, after)),
    )


def plain(value: T) -> T:
    """A review as Markdown holds it: a run of white space is one blank, and none stands at an end."""
    made: T = _plain(value)
    return made


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _plain(getattr(value, f.name)) for f in fields(value)})
    return value


# The summary -------------------------------------------------------------------------------------------


def _facts(old: Summary, new: Summary) -> Iterator[Fact]:
    """What the summaries say otherwise, without files and outputs."""
    versions = dict(old.versions), dict(new.versions)
    said = [
        ("Net", old.net, new.net),
        ("Made from", old.origin, new.origin),
        ("Made by", old.command, new.command),
        *((name, versions[0].get(name, ""), versions[1].get(name, "")) for name in versions[0] | versions[1]),
        ("MXNet ops", f"{old.ops:,}", f"{new.ops:,}"),
        ("Parameters", f"{old.parameters:,}", f"{new.parameters:,}"),
        ("FLOPs", _flops(old), _flops(new)),
        ("Tolerance", old.tolerance, new.tolerance),
        ("Compared", old.comparisons, new.comparisons),
        ("Batch", old.batch, new.batch),
        ("Other sizes", old.sizes, new.sizes),
    ]
    for what, before, after in said:
        if without_lines(before) != without_lines(after):
            yield Fact(what, before, after)


def _inputs(old: Sequence[InputRow], new: Sequence[InputRow]) -> Iterator[Fact]:
    """The inputs that were compared, where both reviews have them, but for their numbers."""
    before, after = (list(map(_input, rows)) for rows in (old, new))
    if before and after and before != after:
        gone = [words for words in before if words not in after]
        yield Fact("Inputs", "; ".join(gone), "; ".join(words for words in after if words not in before))


def _input(own: InputRow) -> str:
    return f"{own.name} {own.shape} {own.dtype} at {own.compared}: {own.values}"


def _flops(own: Summary) -> str:
    return f"{own.flops:,} at batch {own.batch_size}"


def _outputs(old: Sequence[OutputRow], new: Sequence[OutputRow]) -> tuple[Change[OutputRow], ...]:
    """By name; one of another name that stands at the same place is the same one."""
    keys: Sequence[Key[OutputRow]] = (lambda _, own: own.name, lambda index, _: index)
    return _changes(old, new, keys, lambda own: (own.name, own.shape))


def _rounding(old: Summary, new: Summary) -> Iterator[Rounding]:
    before = {row.name: row.difference for row in old.outputs}
    for row in new.outputs:
        if row.name in before and before[row.name] != row.difference:
            yield Rounding(row.name, before[row.name], row.difference)


# Tables ------------------------------------------------------------------------------------------------


def _changes(
    old: Sequence[T],
    new: Sequence[T],
    keys: Sequence[Key[T]],
    seen: Callable[[T], Hashable] = lambda own: own,
) -> tuple[Change[T], ...]:
    """Rows that are new, gone or changed, in the order of the new ones, and what is gone at the end.

    Rows are paired by the first key, those that are left by the next. What is `seen` of a row is compared.
    """
    gone, come = list(enumerate(old)), list(enumerate(new))
    found: list[tuple[int, Change[T]]] = []
    for key in keys:
        for i, before, j, after in _pairs(gone, come, key):
            gone.remove((i, before))
            come.remove((j, after))
            if seen(before) != seen(after):
                found.append((j, Change(before, after)))
    found += [(index, Change(None, row)) for index, row in come]
    found += [(len(new) + index, Change(row, None)) for index, row in gone]
    return tuple(change for _, change in sorted(found, key=lambda pair: pair[0]))


def _pairs(
    gone: Sequence[tuple[int, T]], come: Sequence[tuple[int, T]], key: Key[T]
) -> list[tuple[int, T, int, T]]:
    """Those of equal keys, in order."""
    waiting: dict[Hashable, list[tuple[int, T]]] = {}
    for index, row in come:
        waiting.setdefault(key(index, row), []).append((index, row))
    return [(i, row, *waiting[key(i, row)].pop(0)) for i, row in gone if waiting.get(key(i, row))]


def _default(_: int, own: DefaultRow) -> Hashable:
    return (own.op, own.attribute, own.torch, own.mxnet)


def _attribute(_: int, own: DefaultRow) -> Hashable:
    return (own.op, own.attribute)


def _default_seen(own: DefaultRow) -> Hashable:
    return (own.torch, own.mxnet, own.layers)


def _weight_seen(own: WeightRow) -> Hashable:
    return (own.keys, own.shape, without_lines(own.constant))


def _block_seen(own: BlockRow) -> Hashable:
    return (own.cls, own.parameters, own.flops)


def _block_seen_at_any_batch(own: BlockRow) -> Hashable:
    return (own.cls, own.parameters)
