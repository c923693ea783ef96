"""Cuts along the batch that only a larger batch would feel: x[:100] of a batch of 2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from codegen.ir import Dim, Graph, Node, Ref, Shape, Size, Source

# Ops that part their first axis unless they are told another.
ALONG_FIRST = frozenset(["chunk", "split", "split_with_sizes", "tensor_split"])


def far_cut(graph: Graph, far: int) -> tuple[str, Source] | None:
    """What cuts the batch at `far` samples or more, and where; or a cut that ends before a large batch
    does."""
    for node in graph.nodes:
        args = dict(node.args)
        tensor = args.get("input")
        if not isinstance(tensor, Ref):
            continue
        shape = graph.type_of(tensor).shape
        cuts = _indices(args["index"], shape) if node.op == "getitem" else _along_dim(node, shape)
        for number in cuts:
            if isinstance(number, Dim) or abs(number) >= far:
                return f"{node.op} at {number} depends on how large the batch is", node.source
    return None


def _indices(index: Any, shape: Shape) -> Iterator[Size]:
    """The ends of slices that may lie beyond their axis at some batch size."""
    parts = index if isinstance(index, tuple) else (index,)
    place = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
    before, after = parts[:place], parts[place + 1 :]
    axes = [*_with_axes(before, shape), *_with_axes(after[::-1], shape[::-1])]
    for part, size in axes:
        ends = (part.start, part.stop) if isinstance(part, slice) else ()
        for end in ends:
            if isinstance(end, Dim) != isinstance(size, Dim) and end not in (None, 0):
                yield end


def _with_axes(parts: tuple[Any, ...], shape: Shape) -> list[tuple[Any, Size]]:
    """Each part of an index with the size of its axis; None makes a new axis."""
    return list(zip((p for p in parts if p is not None), shape, strict=False))


def _along_dim(node: Node, shape: Shape) -> Iterator[Size]:
    """The numbers that an op is given for an axis that follows the batch."""
    dim = dict(node.args).get("dim", 0 if node.op in ALONG_FIRST else None)
    if not isinstance(dim, int) or not -len(shape) <= dim < len(shape) or not isinstance(shape[dim], Dim):
        return
    for name, value in node.args:
        if name != "dim":
            yield from (v for v in (value if isinstance(value, tuple) else (value,)) if type(v) is int)
