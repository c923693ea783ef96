"""Weights of an op that might hold torch's in another way than the op reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from codegen.problems import listed
from codegen.proof.port import Array, Port
from tracer.compare.changes import Change
from tracer.compare.matching import Pair
from tracer.compare.relations import as_written, relation, words


def held_otherwise(
    port: Port, index: int, pairs: Sequence[Pair], state: Mapping[str, Array]
) -> Iterator[Change]:
    """torch's values for each weight of the op that does not hold them as they are."""
    for pair in _read(port, index, pairs):
        tensors = [state[key] for key in pair.keys]
        plain_values = tensors[0] if len(tensors) == 1 else as_written(tensors, pair.shape)
        if pair.relation.is_equal and pair.shape == (plain_values.shape if plain_values is not None else ()):
            continue
        if plain_values is not None:
            said = _said(pair, port.params[pair.name], state)
            yield Change(index, pair.name, said, params={pair.name: plain_values})


def _read(port: Port, index: int, pairs: Sequence[Pair]) -> Iterator[Pair]:
    names = [port.nodes[source].name for source, _ in port.nodes[index].inputs]
    return (pair for pair in pairs if pair.name in names and pair.keys)


def _said(pair: Pair, ours: Array, state: Mapping[str, Array]) -> str:
    keys = listed(pair.keys, most=4, between=" + ")
    if pair.relation.is_known:
        how = words(pair.relation) or f"in the shape {pair.shape}"
        them = "it as it is" if len(pair.keys) == 1 else "them as they are"
        return f"{pair.name} holds {keys} {how}: assign {them}"
    other = next(
        (key for key, tensor in state.items() if _holds(ours, tensor) and key not in pair.keys), None
    )
    if other is not None:
        return f"{pair.name} holds {other}: assign {keys}"
    return f"{pair.name} holds other values than {keys} (apart by {pair.relation.off:.1e}): assign these"


def _holds(ours: Array, tensor: Array) -> bool:
    return ours.size == tensor.size > 1 and np.ptp(ours) > 0 and relation(ours, [tensor]).is_equal
