"""Which op of a net in training is which of the same net in inference.

In training a net makes the same calls, and more. Two calls are one where they stand on the same line of the
same module, call the same op, and read values that are one. What training drops parts of stands for the value
itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from torch import fx
from torch.fx.node import map_arg

from tracer.canonical import op_name
from tracer.captured import Capture
from tracer.dropped import DROP_PATH, Drop
from tracer.random_parts import Region, drop_of_region, region_of
from tracer.to_ir import used_nodes

# The numbers of these are the same in training.
ARITHMETIC = frozenset(["add", "sub", "mul", "div", "pow"])
Key: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True)
class Dropped:
    """A value of the trained run that is `drop` of the value of `region.source`."""

    node: fx.Node
    region: Region
    drop: Drop


@dataclass(frozen=True)
class Alignment:
    """The nodes of a trained run: `same` holds that of the evaluated run which is the same call.

    `values` holds that which has the same value, but for what is dropped. `dropped` are the values that are
    parts of others, `kept` those that the evaluated run has as they are.
    """

    same: dict[fx.Node, fx.Node]
    values: dict[fx.Node, fx.Node]
    dropped: tuple[Dropped, ...]
    kept: tuple[Dropped, ...]


def aligned(evaluated: Capture, trained: Capture) -> Alignment:
    """The trained run beside the evaluated one."""
    return _Aligner(evaluated, trained).result()


class _Aligner:
    def __init__(self, evaluated: Capture, trained: Capture) -> None:
        self._trained = used_nodes(trained)
        self._values: dict[fx.Node, fx.Node] = {}
        self._dropped: dict[fx.Node, Dropped] = {}
        self._kept: list[Dropped] = []
        self._own: dict[tuple[fx.Node, str], fx.Node] = {}
        self._leaves: dict[Key, fx.Node] = {}
        self._items: dict[tuple[fx.Node, int], fx.Node] = {}
        self._by_line: dict[Key, list[fx.Node]] = {}
        self._by_path: dict[Key, list[fx.Node]] = {}
        # How many calls of the trained run have a key.
        self._hits: Counter[Key] = Counter()
        self._keys: dict[fx.Node, Key] = {}
        used = used_nodes(evaluated)
        for node in used:
            self._note(node)
        self._by_state = _by_state(used, self._trained)

    def result(self) -> Alignment:
        for node in self._trained:
            found = self._found(node)
            if found is not None:
                self._values[node] = found
        by_key = {**self._by_line, **self._by_path}
        taken = Counter(v for k, v in self._values.items() if self._is_call(k))
        same = {
            node: own
            for node, own in self._values.items()
            if self._is_call(node)
            and taken[own] == 1
            and (node not in self._keys or self._hits[self._keys[node]] == len(by_key[self._keys[node]]))
        }
        return Alignment(same, self._values, tuple(self._dropped.values()), tuple(self._kept))

    def _is_call(self, node: fx.Node) -> bool:
        """Whether a node of the trained run is a call, and no value that stands for another."""
        return node.op == "call_function" and "item" not in node.meta and not self._stands(node)

    def _stands(self, node: fx.Node) -> bool:
        return node in self._dropped or any(k.node is node for k in self._kept)

    def _note(self, node: fx.Node) -> None:
        """Note how a node of the evaluated run is found."""
        if node.op in {"placeholder", "get_attr"}:
            self._leaves[_leaf(node)] = node
        elif "item" in node.meta:
            self._items[node.meta["item"]] = node
        elif node.op == "call_function" and node.meta["traced"]:
            inputs = tuple(n if n.meta["traced"] else None for n in _inputs(node))
            self._by_line.setdefault(_key(node, inputs, True), []).append(node)
            self._by_path.setdefault(_key(node, inputs, False), []).append(node)
            if _op(node) == DROP_PATH:
                self._own[(node.all_input_nodes[0], _path(node))] = node

    def _found(self, node: fx.Node) -> fx.Node | None:
        """The evaluated node that has the value of a trained one, but for what is dropped."""
        if node.op in {"placeholder", "get_attr"}:
            return self._leaves.get(_leaf(node))
        if node.op != "call_function" or not node.meta["traced"]:
            return None
        if "item" in node.meta:
            call, index = node.meta["item"]
            return self._items.get((self._values[call], index)) if call in self._values else None
        return self._same_call(node) or self._by_state.get(node) or self._standing(node)

    def _same_call(self, node: fx.Node) -> fx.Node | None:
        inputs = tuple(self._values.get(n) if n.meta["traced"] else None for n in _inputs(node))
        if not any(inputs) or any(
            own is None and n.meta["traced"] for own, n in zip(inputs, _inputs(node), strict=True)
        ):
            return None
        key = _key(node, inputs, True)
        alike = self._by_line.get(key, [])
        if not alike:
            key = _key(node, inputs, False)
            alike = self._by_path.get(key, [])
            alike = alike if len(alike) == 1 else []
        if not alike:
            return None
        place = self._hits[key]
        self._hits[key] += 1
        self._keys[node] = key
        return alike[place] if place < len(alike) else None

    def _standing(self, node: fx.Node) -> fx.Node | None:
        """The value of which a trained one is a part, or which it is."""
        region = region_of(node, self._values.__contains__)
        if region is None:
            return None
        drop = drop_of_region(region)
        if drop is None:
            return None
        source = self._values[region.source]
        own = self._own.get((source, _path(node)))
        found = Dropped(node, region, drop)
        if own is not None or not drop.p:
            self._kept.append(found)
        else:
            self._dropped[node] = found
        return own or source


def _by_state(evaluated: list[fx.Node], trained: list[fx.Node]) -> dict[fx.Node, fx.Node]:
    """The calls that read parameters, which tell them apart whatever else they read."""

    def sorted_by_key(nodes: list[fx.Node]) -> dict[Key, list[fx.Node]]:
        found: dict[Key, list[fx.Node]] = {}
        for node in nodes:
            keys = tuple(str(n.target) for n in _inputs(node) if n.op == "get_attr" and n.meta["keys"])
            if keys and node.op == "call_function" and "item" not in node.meta:
                found.setdefault((_op(node), _path(node), keys), []).append(node)
        return found

    theirs = sorted_by_key(trained)
    return {
        other: own
        for key, own_nodes in sorted_by_key(evaluated).items()
        if len(own_nodes) == len(theirs.get(key, []))
        for own, other in zip(own_nodes, theirs[key], strict=True)
    }


def _key(node: fx.Node, inputs: tuple[fx.Node | None, ...], with_line: bool) -> Key:
    source = node.meta["source"]
    line = (source.file, source.line) if with_line else ()
    numbers = tuple(_numbers(node)) if _op(node) in ARITHMETIC else ()
    return (_op(node), source.path, line, inputs, numbers)


def _numbers(node: fx.Node) -> Iterator[float]:
    yield from (a for a in (*node.args, *node.kwargs.values()) if isinstance(a, float))


def _inputs(node: fx.Node) -> list[fx.Node]:
    """What a call reads, as often as it does."""
    found: list[fx.Node] = []

    def note(own: fx.Node) -> fx.Node:
        found.append(own)
        return own

    map_arg((node.args, node.kwargs), note)
    return found


def _leaf(node: fx.Node) -> Key:
    return (node.op, str(node.target), node.meta.get("keys", ()))


def _op(node: fx.Node) -> str:
    return op_name(cast("Any", node.target))


def _path(node: fx.Node) -> str:
    return str(node.meta["source"].path)
