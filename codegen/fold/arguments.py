"""What differs between the uses of a function becomes its arguments, as few as will do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from codegen.defects import Defect, of_kind
from codegen.folded import MISSING, Argument, CallItem, Item, LoopItem, OpItem, VariableItem
from codegen.ir import SAYS_NOTHING
from codegen.mxnet_ops import OPS
from codegen.op_spec import ONES, REQUIRED, ZEROS
from codegen.program import Call


@dataclass(frozen=True)
class Literal:
    value: Any


class Arguments:
    """Collects what differs between uses, and names as few arguments as will do.

    A value is `MISSING` where a use does not have the part: any other fits there.
    """

    def __init__(self, flags: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
        self._rows: list[tuple[str, tuple[Any, ...], str]] = []
        self._handed_on: set[int] = set()
        self._flags = list(flags)

    def place(self, slot: str, values: tuple[Any, ...], hint: str, handed_on: bool = False) -> Literal | int:
        """A literal where all uses agree, else the number of a row to be settled.

        What is `handed_on` to another function is made of what the function's own ops take, if it can be.
        """
        known = [v for v in values if v is not MISSING] or [MISSING]
        if len(known) == len(values) and _is_one(known):
            return Literal(known[0])
        self._rows.append((slot, values, hint))
        if handed_on:
            self._handed_on.add(len(self._rows) - 1)
        return len(self._rows) - 1

    def settled(self) -> tuple[dict[int, Any], list[tuple[str, tuple[Any, ...]]]]:
        """(row -> an Argument or a tuple that holds some, arguments with their values at each use)."""
        chosen: dict[int, Any] = {}
        made: list[int] = []
        arguments: list[tuple[str, list[Any]]] = []
        for number in self._order():
            slot, values, hint = self._rows[number]
            known = [v for v in values if v is not MISSING]
            if MISSING in values and _is_one(known or [MISSING]):
                # One value wherever the part is there: what gives it elsewhere in the function, or a literal.
                chosen[number] = self._of_slot(slot, values, chosen)
                continue
            flag = next((n for n, given in self._flags if all(map(_agree, values, given))), None)
            chosen[number] = Argument(flag) if flag is not None else _known(values, arguments, slot)
            if chosen[number] is None and number in self._handed_on and "num_" in slot:
                chosen[number] = _part(values, arguments)
            if chosen[number] is None:
                made.append(number)
                arguments.append((f"num_{number}" if "num_" in slot else str(number), list(values)))
                chosen[number] = Argument(arguments[-1][0])
        given = dict(zip(made, arguments, strict=True))
        names: dict[str, str] = {}
        for number in sorted(made):
            slot, _, hint = self._rows[number]
            names[given[number][0]] = self._new_name(slot, hint, {*names.values()})
        in_order = [(names[given[number][0]], tuple(given[number][1])) for number in sorted(made)]
        return {n: _renamed(choice, names) for n, choice in chosen.items()}, [*in_order, *self._flags]

    def _of_slot(self, slot: str, values: tuple[Any, ...], chosen: dict[int, Any]) -> Any:
        """What gives these values to another op in the same slot, or the value itself."""
        for number, choice in chosen.items():
            own, other, _ = self._rows[number]
            if own == slot and MISSING not in other and all(map(_agree, values, other)):
                return choice
        return next((v for v in values if v is not MISSING), MISSING)

    def _order(self) -> list[int]:
        """Rows without gaps first, as others may fit one of them, and a row before its multiples."""
        rows = range(len(self._rows))
        order = sorted(rows, key=lambda n: (MISSING in self._rows[n][1], n in self._handed_on))
        placed: dict[int, None] = {}
        for number in order:
            values = self._rows[number][1]
            own = [m for m in order if m not in self._handed_on or number in self._handed_on]
            divisors = [m for m in own if (_factor(values, self._rows[m][1]) or 0) > 1]
            placed.update(
                dict.fromkeys(sorted(divisors, key=lambda m: -(_factor(values, self._rows[m][1]) or 0)))
            )
            placed.setdefault(number)
        return list(placed)

    def _new_name(self, slot: str, hint: str, names: set[str]) -> str:
        taken = {"name", "x", "y", *names, *(name for name, _ in self._flags)}
        name = slot if slot not in taken or hint[:1].isdigit() else f"{hint}_{slot}"
        again = 2
        while name in taken:
            name, again = f"{name.rstrip('0123456789')}{again}", again + 1
        return name


def _renamed(choice: Any, names: dict[str, str]) -> Any:
    if isinstance(choice, tuple):
        return tuple(_renamed(part, names) for part in choice)
    return (
        replace(choice, name=names.get(choice.name, choice.name)) if isinstance(choice, Argument) else choice
    )


def _is_one(known: Sequence[Any]) -> bool:
    return all(v == known[0] and type(v) is type(known[0]) for v in known)


def _known(values: tuple[Any, ...], arguments: Sequence[tuple[str, list[Any]]], slot: str) -> Any:
    """The argument, a multiple of one, or a tuple of such that gives these values; None where none does."""
    for name, other in arguments:
        if all(_agree(v, o) for v, o in zip(values, other, strict=True)):
            other[:] = [v if o is MISSING else o for v, o in zip(values, other, strict=True)]
            return Argument(name)
    for name, other in arguments:
        factor = _factor(values, other)
        if factor is not None:
            return Argument(name, factor)
    known = [v for v in values if v is not MISSING]
    if not slot.endswith("shape") or len({len(v) if isinstance(v, tuple) else -1 for v in known}) > 1:
        return None
    return _sizes(values, known, arguments)


def _sizes(values: tuple[Any, ...], known: Sequence[Any], arguments: Sequence[tuple[str, list[Any]]]) -> Any:
    """A shape of which each size is the same everywhere, or given by a argument."""
    sizes: list[Any] = []
    for place, size in enumerate(known[0]):
        column = tuple(MISSING if v is MISSING else v[place] for v in values)
        alike = all(v[place] == size for v in known)
        sizes.append(size if alike else _known(column, arguments, ""))
    return None if None in sizes else tuple(sizes)


def _part(values: tuple[Any, ...], arguments: Sequence[tuple[str, list[Any]]]) -> Argument | None:
    """A whole part of a argument that gives these values."""
    if MISSING in values:
        return None
    for name, other in arguments:
        divisor = _factor(other, values) if "num_" in name and MISSING not in other else None
        if divisor is not None:
            return Argument(name, divisor=divisor)
    return None


def _factor(values: Sequence[Any], other: Sequence[Any]) -> int | None:
    """The whole number by which one row of positive whole numbers is a multiple of another."""
    pairs = [(v, o) for v, o in zip(values, other, strict=True) if v is not MISSING]
    if not all(type(v) is int and type(o) is int and v > 0 and o > 0 and v % o == 0 for v, o in pairs):
        return None
    factors = {v // o for v, o in pairs}
    return factors.pop() if len(factors) == 1 else None


def _agree(one: Any, other: Any) -> bool:
    return one is MISSING or other is MISSING or (type(one) is type(other) and one == other)


def slots(together: Sequence[Item | None]) -> Iterator[tuple[str, tuple[Any, ...], str]]:
    """Each value slot of one item: its name, its values at each use, and what tells it from others."""
    first = next(item for item in together if item is not None)
    if isinstance(first, OpItem):
        ops = [item if isinstance(item, OpItem) else None for item in together]
        target = first.call.source.target
        hint = first.call.stem.rsplit("_", 1)[-1] if target in SAYS_NOTHING else target
        calls = [i.call for i in ops if i]
        for name in attr_names(calls, [name for call in calls for name, _ in call.attrs]):
            yield name, tuple(MISSING if i is None else attr_of(i.call, name) for i in ops), hint
    elif isinstance(first, VariableItem):
        values = tuple(i.shape if isinstance(i, VariableItem) else MISSING for i in together)
        yield "shape", values, first.variable.name.rsplit("_", 1)[-1]
    elif isinstance(first, LoopItem):
        hint = first.prefix.strip("_").rsplit("_", 1)[-1]
        runs = [item if isinstance(item, LoopItem) else None for item in together]
        for number, (name, _) in enumerate(first.args):
            yield name, tuple(MISSING if run is None else run.args[number][1] for run in runs), hint
        yield "depth", tuple(MISSING if run is None else run.stop for run in runs), hint
    elif isinstance(first, CallItem):
        hint = first.path.rsplit("_", 1)[-1]
        for number, (name, _) in enumerate(first.args):
            given = tuple(i.args[number][1] if isinstance(i, CallItem) else MISSING for i in together)
            yield name, given, hint


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
