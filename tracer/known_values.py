"""Nodes of a capture whose value depends on neither inputs nor parameters, so that it is known."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy.typing as npt
import torch
from torch import fx

from codegen.ir import Dim, Shape, Size


def constant_of(nodes: Sequence[fx.Node]) -> torch.Tensor | None:
    """The value that a node has at every batch size; None where it is not known, or not the same.

    `nodes` are the node in each of the captures. A buffer itself is no constant, but what is made of it.
    """
    node = nodes[0]
    if node.meta["traced"] or len(node.meta["types"]) > 1 or (node.op == "get_attr" and node.meta["keys"]):
        return None
    values = [n.meta["value"][0] for n in nodes]
    first: torch.Tensor = values[0]
    return first if all(v.shape == first.shape and _is_equal(v, first) for v in values[1:]) else None


def block_of(nodes: Sequence[fx.Node], shape: Shape) -> tuple[torch.Tensor, int] | None:
    """(block, axis) of a known value that is one block for each sample of the batch, whatever the input.

    `shape` is the value's, in which sizes that follow the batch are `Dim`s.
    """
    axes = [axis for axis, size in enumerate(shape) if isinstance(size, Dim)]
    size = shape[axes[0]] if axes else 0
    if len(axes) != 1 or not isinstance(size, Dim) or size.const or size.coef.denominator > 1:
        return None
    axis, count = axes[0], int(size.coef)
    values = [n.meta["value"][0] for n in nodes]
    block: torch.Tensor = values[0].narrow(axis, 0, count)
    for value in values:
        times = [value.shape[axis] // count if a == axis else 1 for a in range(value.dim())]
        if not _is_equal(value, block.repeat(times)):
            return None
    return block, axis


def is_alike(before: fx.Node, now: fx.Node, batches: tuple[int, int]) -> bool:
    """Whether a known value is the same at two batch sizes, or one block for each sample."""
    if before.meta["traced"] or now.meta["traced"]:
        return False
    shapes = before.meta["types"][0][0], now.meta["types"][0][0]
    if len(shapes[0]) != len(shapes[1]):
        return False
    if shapes[0] == shapes[1]:
        return _is_equal(before.meta["value"][0], now.meta["value"][0])
    return (
        block_of((before, now), tuple(_size(*sizes, batches) for sizes in zip(*shapes, strict=True)))
        is not None
    )


def cuts_at(node: fx.Node, far: int) -> bool:
    """Whether a slice of a call begins or ends at `far` or more: a larger value would be cut by it."""
    parts = [part for arg in node.args for part in (arg if isinstance(arg, tuple | list) else (arg,))]
    ends = [end for part in parts if isinstance(part, slice) for end in (part.start, part.stop)]
    return any(isinstance(end, int) and abs(end) >= far for end in ends)


def _size(before: int, now: int, batches: tuple[int, int]) -> Size:
    coef = Fraction(now - before, batches[1] - batches[0])
    return Dim(coef, before - coef * batches[0]) if coef else now


def buffers_of(node: fx.Node) -> list[fx.Node]:
    """The buffers that a value is made of."""
    stack, seen = [node], {node}
    found = []
    while stack:
        current = stack.pop()
        if current.op == "get_attr":
            found.append(current)
        fresh = [n for n in current.all_input_nodes if n not in seen]
        seen.update(fresh)
        stack += fresh
    return found


def keys_of(node: fx.Node) -> set[str]:
    """The keys of the buffers, and the paths of a module's other tensors, that a value is made of."""
    made_of = buffers_of(node)
    attributes = {buffer.meta["attribute"] for buffer in made_of if "attribute" in buffer.meta}
    return attributes | {key for buffer in made_of for key in buffer.meta["keys"][:1]}


def size_of_buffers(node: fx.Node) -> int:
    """How many elements the buffers have that a value is made of."""
    return sum(n.meta["value"][0].numel() for n in buffers_of(node))


def array_of(tensor: torch.Tensor) -> npt.NDArray[Any]:
    """A tensor as an array; numpy has no bfloat16."""
    wide = tensor.float() if tensor.dtype is torch.bfloat16 else tensor
    array: npt.NDArray[Any] = wide.numpy()
    return array


def _is_equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal, with nan at the same places."""
    return bool(torch.equal(a, b) or torch.equal(torch.nan_to_num(a), torch.nan_to_num(b)))
