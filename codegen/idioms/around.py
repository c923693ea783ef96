"""What a rule may ask of the graph around its node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from codegen.builder.builder import Builder
from codegen.builder.value import Value
from codegen.ir import Node, Shape, Size
from codegen.program import Out


def like_batch(b: Builder, size: Size, dtype: str = "") -> tuple[Value, int] | None:
    """An earlier value that has `size` along some axis, and the axis: for MXNet's `*_like` ops.

    The nearest: one that the node reads, one that the same module made, or the one around it, an input of the
    net, the latest. A module that reads no more than its own inputs reads better as a function. Values of
    `dtype` come first.
    """
    own = [ref.name for ref in b.node.refs() if ref.index == 0]
    near = [b.made_in.get((f.path, f.call), []) for f in reversed(b.node.source.frames[1:])]
    for names in (own, *near, b.graph.inputs, [name for name, _ in reversed(b.values)]):
        found = _along(b, size, names, dtype)
        if found is not None:
            return found
    return like_batch(b, size) if dtype else None


def _along(b: Builder, size: Size, names: Sequence[str], dtype: str) -> tuple[Value, int] | None:
    for name in names:
        value = b.values[name, 0]
        if value.const is None and value.dtype == (dtype or value.dtype) and size in (value.shape or ()):
            return value, (value.shape or ()).index(size)
    return None


def like_image(b: Builder, here: Shape, there: Shape, dtype: str) -> tuple[Value, int] | None:
    """An earlier value with the sizes `here`, one after the other, and `there` at another image size.

    With it the first of these axes: for MXNet's `*_like` ops. The nearest: an input of the net, what the node
    reads, the latest.
    """
    own = [ref.name for ref in b.node.refs()]
    for name in (*b.graph.inputs, *own, *(name for name, _ in reversed(b.values))):
        value, node = b.values.get((name, 0)), b.graph.elsewhere.get(name)
        if value is None or node is None or value.const is not None or value.dtype != dtype:
            continue
        for axis in range(value.rank - len(here), 0, -1):
            along = slice(axis, axis + len(here))
            if value.sizes[along] == here and node.outputs[0].shape[along] == there:
                return value, axis
    return None


def like_result(b: Builder, dtype: str) -> tuple[Value, tuple[int, ...], tuple[int, ...]] | None:
    """An earlier value with the sizes of the node's result that follow the image, these axes, and its own.

    None where none do, or they do not stand side by side.
    """
    here, there = b.out.shape, b.elsewhere()
    axes = () if there is None else tuple(i for i, size in enumerate(here) if size != there[i])
    if there is None or not axes or axes != tuple(range(axes[0], axes[-1] + 1)):
        return None
    along = slice(axes[0], axes[-1] + 1)
    found = like_image(b, here[along], there[along], dtype)
    return None if found is None else (found[0], axes, tuple(a - axes[0] + found[1] for a in axes))


def siblings(b: Builder) -> Sequence[Node]:
    """The nodes that the author's line makes in each of its uses, this one among them."""
    return b.neighbours.siblings.get(b.node.name, [b.node])


def before_swap(b: Builder, value: Value, dim0: int, dim1: int) -> Value | None:
    """What `value` is with two axes exchanged, where a transpose of them made it: read as it was."""
    if not isinstance(value.operand, Out):
        return None
    call = b.calls[value.operand.call]
    swapped = list(range(value.rank))
    swapped[dim0], swapped[dim1] = swapped[dim1], swapped[dim0]
    if call.op != "transpose" or list(dict(call.attrs)["axes"]) != swapped:
        return None
    sizes = list(value.sizes)
    sizes[dim0], sizes[dim1] = sizes[dim1], sizes[dim0]
    return replace(value, operand=call.inputs[0][1], shape=tuple(sizes), node="", wish=None)
