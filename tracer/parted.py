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
        self._grown = batches[1] - batches[0]
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
        before = self._earlier.get(node.name)
        if before is None:
            return
        kinds = zip(before.meta["types"], node.meta["types"], strict=False)
        for (small, _), (large, _) in kinds:
            for a, b in zip(small, large, strict=False):
                yield Fraction(b - a, self._grown).denominator
