"""What differs between the uses of a function becomes its parameters, as few as will do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from codegen.items import MISSING, CallItem, Item, OpItem, Parameter, VariableItem
from codegen.mxnet_ops import ONES, OPS, REQUIRED, ZEROS
from codegen.program import Call


@dataclass(frozen=True)
class Literal:
    value: Any


class Parameters:
    """Collects what differs between uses, and names as few parameters as will do.

    A value is `MISSING` where a use does not have the part: any other fits there.
    """

    def __init__(self, flags: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
        self._rows: list[tuple[str, tuple[Any, ...], str]] = []
        self._flags = list(flags)

    def place(self, slot: str, values: tuple[Any, ...], hint: str) -> Literal | int:
        """A literal where all uses agree, else the number of a row to be settled."""
        known = [v for v in values if v is not MISSING] or [MISSING]
        if all(v == known[0] and type(v) is type(known[0]) for v in known):
            return Literal(known[0])
        self._rows.append((slot, values, hint))
        return len(self._rows) - 1

    def settled(self) -> tuple[dict[int, Parameter], list[tuple[str, tuple[Any, ...]]]]:
        """(row -> Parameter, parameters with their values at each use)."""
        chosen: dict[int, Parameter] = {}
        parameters: list[tuple[str, list[Any]]] = []
        taken: set[str] = {"name", "x", "y", *(name for name, _ in self._flags)}
        # Rows without gaps first: the others may fit one of them.
        order = sorted(range(len(self._rows)), key=lambda n: MISSING in self._rows[n][1])
        names: dict[int, str] = {}
        for number in order:
            slot, values, hint = self._rows[number]
            flag = next((n for n, given in self._flags if all(map(_agree, values, given))), None)
            known = _known(values, parameters) if flag is None else Parameter(flag)
            if known is not None:
                chosen[number] = known
                continue
            name = slot if slot not in taken or hint[:1].isdigit() else f"{hint}_{slot}"
            again = 2
            while name in taken:
                name, again = f"{name.rstrip('0123456789')}{again}", again + 1
            taken.add(name)
            names[number] = name
            parameters.append((name, list(values)))
            chosen[number] = Parameter(name)
        ordered = sorted(parameters, key=lambda p: next(n for n, name in names.items() if name == p[0]))
        return chosen, [*((name, tuple(values)) for name, values in ordered), *self._flags]


def _known(values: tuple[Any, ...], parameters: Sequence[tuple[str, list[Any]]]) -> Parameter | None:
    """The parameter, or a multiple of it, that gives these values."""
    for name, other in parameters:
        if all(_agree(v, o) for v, o in zip(values, other, strict=True)):
            other[:] = [v if o is MISSING else o for v, o in zip(values, other, strict=True)]
            return Parameter(name)
    pairs = [v for v in values if v is not MISSING]
    if not all(type(v) is int and v > 0 for v in pairs):
        return None
    for name, other in parameters:
        if not all(type(o) is int and o > 0 for o in other):
            continue
        if all(v is MISSING or v % o == 0 for v, o in zip(values, other, strict=True)):
            factors = {v // o for v, o in zip(values, other, strict=True) if v is not MISSING}
            if len(factors) == 1:
                return Parameter(name, factors.pop())
    return None


def _agree(one: Any, other: Any) -> bool:
    return one is MISSING or other is MISSING or (type(one) is type(other) and one == other)


def slots(together: Sequence[Item | None]) -> Iterator[tuple[str, tuple[Any, ...], str]]:
    """Each value slot of one item: its name, its values at each use, and what tells it from others."""
    first = next(item for item in together if item is not None)
    if isinstance(first, OpItem):
        ops = [item if isinstance(item, OpItem) else None for item in together]
        hint = first.call.name.rsplit("_", 1)[-1]
        for name in _attr_names([i.call for i in ops if i]):
            yield name, tuple(MISSING if i is None else _attr(i.call, name) for i in ops), hint
    elif isinstance(first, VariableItem):
        values = tuple(i.shape if isinstance(i, VariableItem) else MISSING for i in together)
        yield "shape", values, first.variable.name.rsplit("_", 1)[-1]
    elif isinstance(first, CallItem):
        hint = first.path.rsplit("_", 1)[-1]
        for number, (name, _) in enumerate(first.args):
            given = tuple(i.args[number][1] if isinstance(i, CallItem) else MISSING for i in together)
            yield name, given, hint


def _attr_names(calls: Sequence[Call]) -> list[str]:
    """The attributes that any of the calls writes, in the table's order."""
    written = {name for call in calls for name, _ in call.attrs}
    table = OPS[calls[0].op].attrs if calls[0].op in OPS else dict(calls[0].attrs)
    return [name for name in table if name in written]


def _attr(call: Call, name: str) -> Any:
    written = dict(call.attrs)
    if name in written:
        return written[name]
    default = OPS[call.op].attrs[name]
    assert default is not REQUIRED
    if default is ONES or default is ZEROS:
        axes = len(written["kernel"]) if "kernel" in written else 0
        return (1 if default is ONES else 0,) * axes
    return default


def filled(item: Item, row: Sequence[tuple[str, Any]]) -> Item:
    if isinstance(item, OpItem):
        return OpItem(item.call, item.index, tuple(row), item.automatic)
    if isinstance(item, VariableItem):
        return VariableItem(item.variable, row[0][1])
    assert isinstance(item, CallItem)
    return replace(item, args=tuple(row))
