"""Changes are tried on torch's own input of a layer: those that make it agree are the cause."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from codegen.mxnet_ops import OPS
from codegen.program import Call, Leaf, Program
from codegen.proof.port import Array, Port, run_nodes
from tracer.compare.attributes import differing, other_op, right_call, without_bias
from tracer.compare.changes import Change, changed, moved
from tracer.compare.layers import Laid, Parted, plain
from tracer.compare.layouts import distance
from tracer.compare.matching import Pair
from tracer.compare.reference import Reference
from tracer.compare.usual import numbers, pads_of, usual_changes
from tracer.compare.weights import held_otherwise
from tracer.compare.wiring import other_inputs

# So many changes are made together, and so many are tried in all.
MOST_TOGETHER = 3
MOST_TRIALS = 400
MOST_OPS_OF_PAIRS = 3
TURNING = frozenset(["transpose", "reshape", "swapaxis", "expand_dims", "flatten", "squeeze"])


@dataclass(frozen=True)
class Tried:
    """The changes that make an op agree, none where none do, and all that were tried, by subject."""

    changes: tuple[Change, ...]
    subjects: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """An op that parts, with what is needed to try changes of it."""

    laid: Laid
    parted: Parted
    inputs: Mapping[str, Array]
    reference: Reference
    pairs: tuple[Pair, ...]
    program: Program | None
    tolerance: float

    @property
    def port(self) -> Port:
        return self.laid.port


def tried(case: Case) -> Tried:
    """Try what differs from fx2mx's own code, then what is usual, alone and then together."""
    subjects: dict[str, None] = {}
    left = MOST_TRIALS
    for group in _groups(case):
        best: tuple[float, tuple[Change, ...]] = (case.tolerance, ())
        for changes in itertools.islice(group, left):
            left -= 1
            subjects.update(dict.fromkeys(change.subject for change in changes))
            off = _off(case, changes)
            if off < best[0] or (off <= best[0] and not best[1]):
                best = off, changes
        if best[1]:
            return Tried(best[1], tuple(subjects))
    return Tried((), tuple(subjects))


Changes: TypeAlias = tuple[Change, ...]


def _groups(case: Case) -> Iterator[Iterable[Changes]]:
    """Sets of changes, the smallest and likeliest first; of a group the one that comes nearest is taken."""
    ops = _ops(case)
    known = [c for index in ops for c in _known_changes(case, index)]
    for count in range(1, MOST_TOGETHER + 1):
        yield from ([changes] for changes in _together(known, count))
    usual = [c for index in ops for c in _usual_changes(case, index)]
    yield from _by_subject(usual)
    yield from ([(c,)] for c in other_inputs(case.laid, case.parted, case.reference, case.program))
    for index in ops:
        yield [(c,) for c in pads_of(case.port, index)]
        yield from ([(c,)] for c in _left_out(case, index))
    if len(ops) <= MOST_OPS_OF_PAIRS:
        yield from ([changes] for changes in _together([*known, *usual], 2))


def _by_subject(changes: Iterable[Change]) -> Iterator[list[Changes]]:
    """Changes of one attribute of one node in a group."""
    for _, group in itertools.groupby(changes, key=lambda c: (c.index, c.subject)):
        yield [(change,) for change in group]


def _usual_changes(case: Case, index: int) -> Iterator[Change]:
    return usual_changes(case.port, index, numbers(case.reference.nodes, case.program))


def _together(changes: Sequence[Change], count: int) -> Iterator[Changes]:
    for chosen in itertools.combinations(changes, count):
        if len({(c.index, c.subject) for c in chosen}) == count:
            yield chosen


def _ops(case: Case) -> list[int]:
    """The ops from the one that parts to the one of which torch's value is known that do not agree."""
    port, end = case.port, case.parted.end
    needed, stack = {end}, [end]
    while stack:
        for source, _ in port.nodes[stack.pop()].inputs:
            is_wrong = source not in case.laid.agreeing and not port.nodes[source].is_variable
            if is_wrong and source >= case.parted.index and source not in needed:
                needed.add(source)
                stack.append(source)
    return sorted(
        index for index in {*needed, *_turned_before(port, case.parted.index)} if port.nodes[index].inputs
    )


def _turned_before(port: Port, index: int) -> Iterator[int]:
    """Ops before one that give what they read in another layout: they agree in whatever order of axes."""
    for source, _ in port.nodes[index].inputs:
        if plain(port.nodes[source].op) in TURNING:
            yield source
            yield from _turned_before(port, source)


def _known_changes(case: Case, index: int) -> Iterator[Change]:
    """What fx2mx would write, and torch's values for weights that hold others."""
    node = case.port.nodes[index]
    of = case.parted.target.value.node.name
    call = right_call(node, of, case.program)
    if call is not None:
        yield from differing(index, node, call)
        if "no_bias" in OPS[call.op].attrs:
            held = {key for pair in case.pairs for key in pair.keys}
            keys = case.program.variable(bias).keys if case.program and (bias := _bias_of(call)) else ()
            yield from without_bias(
                index, node, call, {k: case.reference.state[k] for k in keys if k not in held}
            )
    if index == case.parted.end:
        yield from other_op(index, node, of, case.program)
    yield from held_otherwise(case.port, index, case.pairs, case.reference.state)


def _bias_of(call: Call) -> str:
    """The Variable of a layer's bias."""
    return next((o.name for slot, o in call.inputs if slot == "bias" and isinstance(o, Leaf)), "")


def _left_out(case: Case, index: int) -> Iterator[Change]:
    """The op without what it does, and with its two inputs in the other order."""
    node = case.port.nodes[index]
    data = [ref for ref in node.inputs if case.port.nodes[ref[0]].name not in case.port.params]
    if len(data) >= 1:
        said = f"leave {node.name} out: torch has no {node.op} there"
        if "softmax" in plain(node.op):
            said += ", or compare with --softmax where it is meant"
        yield Change(index, "left out", said, op="_copy", inputs=tuple(data[:1]))
    if len(data) == 2 and len(node.inputs) == 2:
        said = f"give {node.name} its two inputs in the other order"
        yield Change(index, "order of inputs", said, inputs=(data[1], data[0]))


# One trial ---------------------------------------------------------------------------------------------


def _off(case: Case, changes: Changes) -> float:
    """How far from torch's the op is with the changes, on what the port gives before it."""
    port = changed(case.port, changes)
    again = _run_again(case, changes)
    known = {
        moved(index, changes): given
        for index, given in case.laid.given.items()
        if isinstance(given, tuple) and index not in again
    }
    end = moved(case.parted.end, changes)
    given = run_nodes(port, case.inputs, known, [end]).get(end)
    return distance(given[0], case.parted.target.value.value) if isinstance(given, tuple) else float("inf")


def _run_again(case: Case, changes: Changes) -> set[int]:
    """The nodes that give something else with the changes."""
    params = {name for change in changes for name in change.params}
    again = {change.index for change in changes}
    for index, node in enumerate(case.port.nodes[: case.parted.end + 1]):
        if node.name in params or any(source in again for source, _ in node.inputs):
            again.add(index)
    return again
