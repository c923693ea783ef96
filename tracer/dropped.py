"""Modules that drop parts of what they are given in training, told by what they do to ones.

DropPath and StochasticDepth are written by every collection of nets for itself. In eval mode such a module
gives its input as it is, and so leaves nothing in a trace: what it does is seen by running it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tracer.calls import Call
from tracer.frames import is_library
from tracer.nodes import Nodes
from tracer.writes import Writes

# The op of the IR that stands for what is dropped.
DROP_PATH = "drop_path"
ROWS = 256
RUNS = 64


@dataclass(frozen=True)
class Drop:
    """A part is zero with probability `p`, and else divided by 1 - p; it is one along `axes`."""

    p: float
    axes: tuple[int, ...]


def drop_path(input: torch.Tensor, p: float, axes: tuple[int, ...]) -> torch.Tensor:
    """An op of the IR alone: dropout of `input`, whose mask is one along the axes. In inference, `input`."""
    raise NotImplementedError


def asks_for_mode(module: nn.Module) -> bool:
    """Whether the forward of a user's module reads `training`, or a method that it calls does."""
    cls = type(module)
    if is_library(cls):
        return False
    names, seen = ["forward"], {"forward"}
    while names:
        code = getattr(getattr(cls, names.pop(), None), "__code__", None)
        read = () if code is None else code.co_names
        if "training" in read:
            return True
        # What torch's own Module has (`train`) is no method of the user's.
        fresh = [name for name in read if name not in seen and not hasattr(nn.Module, name)]
        seen.update(fresh)
        names += fresh
    return False


def drop_of(module: nn.Module, rank: int) -> Drop | None:
    """What a module drops of tensors of a rank in training; None where it does anything else.

    It has neither weights nor modules of its own, and is not changed.

    Torch's random state is left as it was.
    """
    if not asks_for_mode(module) or module._parameters or module._buffers or module._modules or rank < 1:
        return None
    alike = copy.copy(module)  # not a deep one, which would copy what the hooks hold
    alike.training = True
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        try:
            return _observed(alike, rank)
        except Exception:  # noqa: BLE001 - whatever it is that raises on ones, it is no dropout
            return None


def recorded_drop(
    module: nn.Module, args: Any, output: Any, nodes: Nodes, writes: Writes
) -> torch.Tensor | None:
    """What stands for the output of a module that gives its input as it is, and in training drops parts.

    A value of its own, which is recorded; None for any other module.
    """
    if not args or output is not args[0] or not asks_for_mode(module):
        return None
    with torch._C.DisableTorchFunction():
        drop = drop_of(module, output.dim())
        if drop is None:
            return None
        call = Call(drop_path, (output, drop.p, drop.axes), {}, DROP_PATH, False)
        node = nodes.add_call(drop_path, (nodes.node_of(output), drop.p, drop.axes), {})
        own: torch.Tensor = torch.ops.aten.alias(output)
        nodes.tie(node, [own])
        writes.note_views(call, node, [output], [own])
    return own


def _observed(module: nn.Module, rank: int) -> Drop | None:
    shape = (ROWS, 3, 2, 2, 2, 2)[:rank]
    masks = list(_masks(module, shape))
    values = torch.unique(torch.cat([mask.flatten() for mask in masks]))
    if len(masks) < RUNS or len(values) != 2 or values[0] != 0 or values[1] <= 1:
        return None
    p = 1 - 1 / float(values[1])
    own = [v for v in vars(module).values() if isinstance(v, float) and abs(v - p) < 1e-6]
    axes = tuple(a for a in range(rank) if all(bool((m == m.select(a, 0).unsqueeze(a)).all()) for m in masks))
    return Drop(own[0] if own else round(p, 6), axes)


def _masks(module: nn.Module, shape: tuple[int, ...]) -> Iterator[torch.Tensor]:
    """What each run multiplies its input with, as long as it does no more than that."""
    for _ in range(RUNS):
        state = torch.get_rng_state()
        mask = module.forward(torch.ones(shape))  # without hooks
        torch.set_rng_state(state)
        given = torch.linspace(-2, 3, mask.numel()).reshape(shape)
        if mask.shape != shape or not torch.allclose(module.forward(given), given * mask):
            return
        yield mask
