"""Into how many parts a net cuts its batch on the way to a size that it asks for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction

from torch import fx


class Parts:
    """What must divide the batch size N for the sizes of nodes to be whole, by two runs at other batches.

    `x[1::2]` has N / 2 samples where N is even, and so has what is made of it: the size that a net asks of
    `x[1::2].reshape(-1)` looks like a whole multiple of N, and is one for even N alone.
    """

    def __init__(self, earlier: Mapping[str, fx.Node], batches: tuple[int, int]) -> None:
        self._earlier = earlier
        self._batches = batches
        self._steps: dict[fx.Node, int] = {}

    def step_of(self, node: fx.Node) -> int:
        """What divides N for the node and all that it is made of. No recursion: nets are deep."""
        stack = [node]
        while stack:
            missing = [n for n in stack[-1].all_input_nodes if n not in self._steps]
            if missing:
                stack += missing
                continue
            current = stack.pop()
            self._steps[current] = math.lcm(
                *self._own(current), *(self._steps[n] for n in current.all_input_nodes)
            )
        return self._steps[node]

    def _own(self, node: fx.Node) -> Iterator[int]:
        """What divides N, or N and an offset, for the sizes of the node to be whole."""
        before = self._earlier.get(node.name)
        if before is None or not _is_same(before, node):
            return
        kinds = zip(before.meta["types"], node.meta["types"], strict=False)
        for (small, _), (large, _) in kinds:
            for a, b in zip(small, large, strict=False):
                yield Fraction(b - a, self._batches[1] - self._batches[0]).denominator


def _is_same(before: fx.Node, now: fx.Node) -> bool:
    """Whether two nodes of one name are one call: after a cache is filled, others have its name."""
    if before.target is not now.target and before.target != now.target:
        return False
    read = [[n.name for n in node.all_input_nodes] for node in (before, now)]
    ranks = [[len(shape) for shape, _ in node.meta["types"]] for node in (before, now)]
    return (
        read[0] == read[1]
        and ranks[0] == ranks[1]
        and before.meta["source"].file == now.meta["source"].file
        and before.meta["source"].line == now.meta["source"].line
    )
