"""What the ops that a run makes in training alone do to ones: whether they drop parts of a value."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import fx
from torch.fx.node import map_arg

from codegen.refusals import RANDOM
from tracer.canonical import op_name
from tracer.dropped import Drop

# A mask that drops a part in a hundred is seen to do so only in many runs.
RUNS, MOST_RUNS, SEEN = 64, 4096, 16
# How many numbers are made at most for one value.
MOST_NUMBERS = 2e8
MOST_OPS = 32
DROPOUTS = frozenset(["dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout"])
Run = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Region:
    """The ops between a value of a run and what is made of it, in their order: the last gives the result."""

    source: fx.Node
    ops: tuple[fx.Node, ...]

    def on(self, value: torch.Tensor) -> torch.Tensor:
        """The result for another value of the source."""
        values: dict[fx.Node, Any] = {self.source: value}
        for node in self.ops:
            values[node] = _computed(node, values)
        return cast("torch.Tensor", values[self.ops[-1]])

    @property
    def drawn(self) -> tuple[fx.Node, ...]:
        """Those whose values are drawn, or hang on such alone or beside the source."""
        found: set[fx.Node] = set()
        for node in self.ops:
            if is_drawn(node) or any(n in found for n in node.all_input_nodes):
                found.add(node)
        return tuple(n for n in self.ops if n in found)


def region_of(result: fx.Node, is_known: Callable[[fx.Node], bool]) -> Region | None:
    """The ops that make a value of one that is known, with what they draw; None where they read several."""
    ops: set[fx.Node] = set()
    sources: set[fx.Node] = set()
    stack = [result]
    while stack:
        node = stack.pop()
        if node in ops or not node.meta["traced"]:
            continue
        if node is not result and is_known(node):
            sources.add(node)
        elif node.op != "call_function" or "item" in node.meta:
            return None
        else:
            ops.add(node)
            stack += node.all_input_nodes
        if len(ops) > MOST_OPS or len(sources) > 1:
            return None
    if len(sources) != 1 or not any(map(is_drawn, ops)):
        return None
    return Region(sources.pop(), tuple(n for n in result.graph.nodes if n in ops))


def is_drawn(node: fx.Node) -> bool:
    """Whether an op gives random numbers."""
    return callable(node.target) and op_name(node.target) in RANDOM | DROPOUTS


def drop_of_region(region: Region) -> Drop | None:
    """What a region drops of its source: a Drop of p = 0 where it gives its source as it is.

    None where it does anything else. Torch's random state is left as it was.
    """
    ((shape, dtype),) = region.source.meta["types"]
    if region.ops[-1].meta["types"] != ((shape, dtype),) or not shape:
        return None
    small = (shape[0], *(min(size, 2) for size in shape[1:]))
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        try:
            masks = _masks(region.on, small, getattr(torch, dtype))
        except Exception:  # noqa: BLE001 - sizes that stand in the ops are those of the net
            masks = None
        try:
            masks = masks or _masks(region.on, shape, getattr(torch, dtype))
        except Exception:  # noqa: BLE001 - whatever it is that raises on ones, it is no dropout
            return None
    return _drop(masks) if masks else None


def _masks(run: Run, shape: tuple[int, ...], dtype: torch.dtype) -> list[torch.Tensor] | None:
    """What each run multiplies its input with; None where it does anything else."""
    masks: list[torch.Tensor] = []
    seen, most = 0, min(MOST_RUNS, max(RUNS, int(MOST_NUMBERS / math.prod(shape))))
    given = torch.linspace(-2, 3, math.prod(shape)).reshape(shape).to(dtype)
    while len(masks) < most and (len(masks) < RUNS or seen < SEEN):
        state = torch.get_rng_state()
        mask = run(torch.ones(shape, dtype=dtype))
        torch.set_rng_state(state)
        if mask.shape != shape or not torch.allclose(run(given), given * mask):
            return None
        masks.append(mask)
        seen += bool((mask == 0).any())
    return masks


def _drop(masks: Sequence[torch.Tensor]) -> Drop | None:
    together = torch.stack(list(masks))
    values = torch.unique(together)
    if len(values) == 1 and values[0] == 1:
        return Drop(0.0, ())
    if len(values) != 2 or values[0] != 0 or values[1] <= 1:
        return None
    p = 1 - 1 / float(values[1])
    axes = tuple(_shared(together))
    drawn = [s for axis, s in enumerate(together.shape[1:]) if axis not in axes]
    # What is zero is as much as the factor says, as far as so many draws tell.
    spread = math.sqrt(p * (1 - p) / (len(masks) * math.prod(drawn)))
    if abs(float((together == 0).float().mean()) - p) > 6 * spread:
        return None
    return Drop(round(p, 6), axes)


def _shared(masks: torch.Tensor) -> Iterator[int]:
    """The axes along which each mask is one; one of a single place is, where all others but the first are."""
    shape = masks.shape[1:]
    alike = [bool((masks == masks.select(a + 1, 0).unsqueeze(a + 1)).all()) for a in range(len(shape))]
    whole = all(a for a, size in zip(alike[1:], shape[1:], strict=True) if size > 1)
    for axis, (is_alike, size) in enumerate(zip(alike, shape, strict=True)):
        if is_alike and (size > 1 or (whole and axis > 0)):
            yield axis


def _computed(node: fx.Node, values: Mapping[fx.Node, Any]) -> Any:
    def given(own: fx.Node) -> Any:
        # Ops may write to what they are given, and each value is its node's own.
        return values[own].clone() if own in values else own.meta["value"][0].clone()

    args, kwargs = map_arg((node.args, node.kwargs), given)
    found = cast("Callable[..., Any]", node.target)(*args, **kwargs)
    return args[0] if found is None else found
