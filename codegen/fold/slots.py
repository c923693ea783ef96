"""The values of statements that a use of a function may have of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from codegen.defects import Defect, of_kind
from codegen.folded import MISSING, CallItem, Item, LoopItem, OpItem, VariableItem
from codegen.ir import SAYS_NOTHING
from codegen.mxnet_ops import OPS
from codegen.op_spec import ONES, REQUIRED, ZEROS
from codegen.program import Call


def slots(together: Sequence[Item | None]) -> Iterator[tuple[str, tuple[Any, ...], str]]:
    """Each value slot of one item: its name, its values at each use, and what tells it from others."""
    first = next(item for item in together if item is not None)
    if isinstance(first, OpItem):
        ops = [item if isinstance(item, OpItem) else None for item in together]
        target = first.call.source.target
        hint = _end(first.call.stem) if target in SAYS_NOTHING else target
        calls = [i.call for i in ops if i]
        for name in attr_names(calls, [name for call in calls for name, _ in call.attrs]):
            yield name, tuple(MISSING if i is None else attr_of(i.call, name) for i in ops), hint
    elif isinstance(first, VariableItem):
        values = tuple(i.shape if isinstance(i, VariableItem) else MISSING for i in together)
        yield "shape", values, first.variable.name.rsplit("_", 1)[-1]
    elif isinstance(first, LoopItem):
        hint = _end(first.prefix.strip("_"))
        runs = [item if isinstance(item, LoopItem) else None for item in together]
        for number, (name, _) in enumerate(first.args):
            yield name, tuple(MISSING if run is None else run.args[number][1] for run in runs), hint
        yield "depth", tuple(MISSING if run is None else run.stop for run in runs), hint
    elif isinstance(first, CallItem):
        hint = _end(first.path)
        for number, (name, _) in enumerate(first.args):
            given = tuple(i.args[number][1] if isinstance(i, CallItem) else MISSING for i in together)
            yield name, given, hint


def _end(path: str) -> str:
    """The end of a path that tells what stands there: `reduce_1x1`."""
    words = path.split("_")
    start = next((n for n in range(len(words) - 1, 0, -1) if words[n][:1].isalpha()), 0)
    return "_".join(words[start:])


def attr_names(calls: Sequence[Call], written: Collection[str]) -> list[str]:
    """The attributes that are written, in the table's order."""
    table = OPS[calls[0].op].attrs if calls[0].op in OPS else dict(calls[0].attrs)
    return [name for name in (*table, "attr") if name in written]


def attr_of(call: Call, name: str) -> Any:
    """An attribute of a call as it is written, or MXNet's default."""
    written = dict(call.attrs)
    if name in written:
        return written[name]
    default = OPS[call.op].attrs[name] if name != "attr" else None
    if default is REQUIRED:
        raise Defect(f"{call.op} is written without {name}")
    if default is ONES or default is ZEROS:
        axes = len(written["kernel"]) if "kernel" in written else 0
        return (1 if default is ONES else 0,) * axes
    return default


def filled(item: Item, row: Sequence[tuple[str, Any]]) -> Item:
    """An item with these values (slot, value) in the place of its own."""
    if isinstance(item, OpItem):
        return OpItem(item.call, item.index, tuple(row), item.automatic)
    if isinstance(item, VariableItem):
        return VariableItem(item.variable, row[0][1])
    if isinstance(item, LoopItem):
        return replace(item, args=tuple(row[:-1]), stop=row[-1][1])
    item = of_kind(item, CallItem)
    return replace(item, args=tuple(row))
