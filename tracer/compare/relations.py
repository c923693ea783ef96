"""How a weight of the port holds torch's: as it is, turned, mirrored, in other rows, or not at all."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from codegen.proof.port import Array
from codegen.weights import by_heads

# Gates of LSTM, of GRU.
GATES = {4: ("i", "f", "g", "o"), 3: ("r", "z", "n")}
MOST_AXES = 5


@dataclass(frozen=True)
class Relation:
    """What makes the port's array of torch's.

    Attributes:
        kind: `equal` (but for the shape), `permuted`, `mirrored`, `blocks`, `columns`, `heads`, `constant`,
            `other`.
        order: of the axes, the mirrored axes, the blocks of rows, how many channels or heads there are.
        off: the largest difference, of `other`.
    """

    kind: str
    order: tuple[int, ...] = ()
    off: float = 0.0

    @property
    def is_equal(self) -> bool:
        return self.kind == "equal"

    @property
    def is_known(self) -> bool:
        return self.kind != "other"


def as_written(tensors: Sequence[Array], shape: tuple[int, ...]) -> Array | None:
    """What a parameter should hold: a tensor in its shape, several in one; None where they do not fit."""
    size = int(np.prod(shape, dtype=np.int64))
    if tensors[0].size == size and all(t.size == size for t in tensors):  # one, or tied ones
        return np.reshape(tensors[0], shape)
    if sum(t.size for t in tensors) == size:
        joined: Array = np.concatenate([t.reshape(-1) for t in tensors])
        return joined.reshape(shape)
    return None


def relation(ours: Array, tensors: Sequence[Array]) -> Relation:
    """How the port's array holds these tensors."""
    plain = as_written(tensors, ours.shape)
    if plain is None:
        return Relation("other", off=float("inf"))
    if _same(ours, plain):
        return Relation("equal")
    for found in _relations(tensors):
        if holds(ours, found, tensors):
            return found
    return Relation("other", off=float(np.max(np.abs(ours.astype(np.float64) - plain))))


def applied(relation: Relation, tensors: Sequence[Array], shape: tuple[int, ...]) -> Array | None:
    """The port's array, made of torch's tensors; None where they do not fit, or the relation is not known."""
    if relation.kind == "heads":
        return by_heads(np.concatenate(tensors), relation.order[0]).reshape(shape)
    make = _MAKERS.get(relation.kind)
    if make is None:
        return None
    made = [make(tensor, relation.order) for tensor in tensors]
    if any(m is None for m in made):
        return None
    # A turned array in the turned shape: what only fits by its number of elements is another thing.
    if relation.kind == "permuted" and made[0] is not None and made[0].shape != shape:
        return None
    return as_written([m for m in made if m is not None], shape)


def holds(ours: Array, found: Relation, tensors: Sequence[Array]) -> bool:
    """Whether the port's array is what the relation makes of torch's."""
    made = applied(found, tensors, ours.shape)
    return made is not None and _same(ours, made)


def _same(ours: Array, theirs: Array) -> bool:
    """Equal, but for the rounding of what was cast or computed."""
    if np.array_equal(ours, theirs):
        return True
    scale = float(np.max(np.abs(theirs), initial=0.0))
    return bool(np.allclose(ours, theirs, rtol=1e-5, atol=1e-6 * scale, equal_nan=True))


def _relations(tensors: Sequence[Array]) -> Iterator[Relation]:
    """What is worth a try, the likeliest first."""
    first = tensors[0]
    if len(tensors) == 1 and first.ndim <= MOST_AXES:
        for axes in itertools.permutations(range(first.ndim)):
            if axes != tuple(range(first.ndim)):
                yield Relation("permuted", axes)
        for axes in mirrors(first.ndim):
            yield Relation("mirrored", axes)
    for count in (4, 3, 2):
        if all(t.ndim and t.shape[0] % count == 0 for t in tensors):
            for order in itertools.permutations(range(count)):
                if order != tuple(range(count)):
                    yield Relation("blocks", (count, *order))
    rows = sum(t.shape[0] for t in tensors if t.ndim)
    if rows % 3 == 0 and all(t.ndim and t.shape[1:] == first.shape[1:] for t in tensors):
        yield from (Relation("heads", (heads,)) for heads in range(2, rows // 3) if rows // 3 % heads == 0)
    if len(tensors) == 1 and first.ndim == 2:
        width = first.shape[1]
        for channels in range(2, width):
            if width % channels == 0:
                yield Relation("columns", (channels,))


def mirrors(rank: int) -> Iterator[tuple[int, ...]]:
    """Axes to mirror: the last ones together (a kernel turned by 180 degrees), then each by itself."""
    if rank > 3:
        yield tuple(range(2, rank))
    yield from ((axis,) for axis in reversed(range(rank)))


def _permuted(tensor: Array, order: tuple[int, ...]) -> Array | None:
    return tensor.transpose(order) if len(order) == tensor.ndim else None


def _mirrored(tensor: Array, order: tuple[int, ...]) -> Array | None:
    return np.flip(tensor, order) if max(order) < tensor.ndim else None


def _in_blocks(tensor: Array, order: tuple[int, ...]) -> Array | None:
    count, *places = order
    if not tensor.ndim or tensor.shape[0] % count:
        return None
    blocks = np.split(tensor, count)
    made: Array = np.concatenate([blocks[place] for place in places])
    return made


def _in_columns(tensor: Array, order: tuple[int, ...]) -> Array | None:
    """Columns that run over places and then channels, where torch's run over channels and then places."""
    rows, width = tensor.shape
    return tensor.reshape(rows, order[0], width // order[0]).swapaxes(1, 2).reshape(rows, width)


_MAKERS: dict[str, Callable[[Array, tuple[int, ...]], Array | None]] = {
    "equal": lambda tensor, _order: tensor,
    "permuted": _permuted,
    "mirrored": _mirrored,
    "blocks": _in_blocks,
    "columns": _in_columns,
}


def words(found: Relation) -> str:
    """The relation as it ends `NAME holds KEY ...`; empty for what is equal."""
    if found.kind == "permuted":
        turned = "transposed" if found.order == (1, 0) else f"with its axes in the order {found.order}"
        return turned
    if found.kind == "mirrored":
        return (
            f"mirrored along {'axis' if len(found.order) == 1 else 'axes'} {', '.join(map(str, found.order))}"
        )
    if found.kind == "blocks":
        count, *order = found.order
        names = GATES.get(count)
        if names is not None:
            own = ", ".join(names[o] for o in order)
            return f"with the gates in the order {own} instead of {', '.join(names)}"
        return f"with its {count} blocks of rows in the order {', '.join(map(str, order))}"
    if found.kind == "heads":
        return f"with its rows by head: ({found.order[0]}, 3, width)"
    if found.kind == "columns":
        return f"with its columns in the order of NHWC (places, then {found.order[0]} channels)"
    return "" if found.is_equal else "with other values"
