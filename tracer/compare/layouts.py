"""Whether a value of the port is one of torch's, be its axes joined, split or in another order."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from codegen.ir import LEAVES, Node
from codegen.proof.difference import difference
from codegen.proof.port import Array
from tracer.compare.reference import Reference

MOST_AXES = 5


@dataclass(frozen=True)
class TorchValue:
    """What a call of torch gives: output `index` of a node."""

    node: Node
    index: int
    value: Array = field(repr=False)
    norm: float = 0.0


def torch_values(reference: Reference) -> dict[int, list[TorchValue]]:
    """All that torch's calls give, and the inputs, by how many elements they have."""
    found: dict[int, list[TorchValue]] = {}
    for node in reference.nodes:
        if node.op in LEAVES and node.op != "input":
            continue
        for index, value in enumerate(reference.values.get(node.name, ())):
            found.setdefault(value.size, []).append(TorchValue(node, index, value, _norm(value)))
    return found


def alike(
    outputs: Iterable[Array], by_size: Mapping[int, list[TorchValue]], tolerance: float
) -> Iterator[TorchValue]:
    """torch's values that one of the outputs agrees with; a value that is alike everywhere tells nothing."""
    for ours in outputs:
        if ours.size < 2 or not np.isfinite(ours).all() or (ours == ours.reshape(-1)[0]).all():
            continue
        norm = _norm(ours)
        for known in by_size.get(ours.size, ()):
            # |a| - |b| is at most |a - b|, of which no element is above the tolerance.
            most = tolerance * float(np.max(np.abs(known.value))) * ours.size**0.5
            if abs(norm - known.norm) <= most * 1.01 and distance(ours, known.value) <= tolerance:
                yield known


def distance(ours: Array, theirs: Array) -> float:
    """max|ours - theirs| / max|theirs|, in the order of axes in which it is smallest; inf where none fits."""
    return min((difference(ours, laid) for laid in laid_out(theirs, ours.shape)), default=float("inf"))


def laid_out(theirs: Array, shape: tuple[int, ...]) -> Iterator[Array]:
    """The value in this shape: its elements in their order, or with its axes in another one."""
    if theirs.size != int(np.prod(shape, dtype=np.int64)):
        return
    yield theirs.reshape(shape)
    slim = [size for size in theirs.shape if size != 1]
    wanted = [size for size in shape if size != 1]
    if not 2 <= len(slim) <= MOST_AXES or sorted(slim) != sorted(wanted):
        return
    squeezed = theirs.reshape(slim)
    for order in itertools.permutations(range(len(slim))):
        if order != tuple(range(len(slim))) and [slim[axis] for axis in order] == wanted:
            yield squeezed.transpose(order).reshape(shape)


def _norm(value: Array) -> float:
    return float(np.sqrt(np.square(value, dtype=np.float64).sum()))
