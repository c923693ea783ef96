"""What a rule may ask of the graph around its node."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.builder.builder import Builder
from codegen.builder.value import Value
from codegen.ir import Node, Shape, Size, elements_in
from codegen.program import Out

# Ops that leave the elements and their order as they are where the number of elements stays the same.
_SHAPES_ONLY = frozenset(["getitem", "view", "reshape", "unsqueeze", "squeeze", "to"])


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


def siblings(b: Builder) -> Sequence[Node]:
    """The nodes that the author's line makes in each of its uses, this one among them."""
    return b.neighbours.siblings.get(b.node.name, [b.node])


def readers(b: Builder, key: str) -> Sequence[Node]:
    """The nodes that read the tensor that this one has as argument `key`, this one among them."""
    ref = dict(b.node.args)[key]
    return b.neighbours.readers[ref.name, ref.index]


def all_along(b: Builder, value: Value, axis: int, gives: Shape) -> list[Value]:
    """The slices at each place of an axis, each of shape `gives`; one op, however often a net asks."""
    operand, size = value.operand, value.sizes[axis]
    assert operand is not None
    assert isinstance(size, int)
    if (operand, axis) not in b.slices:
        b.slices[operand, axis] = b.ops(
            "split",
            value,
            num_outputs=size,
            axis=axis,
            squeeze_axis=True,
            hint="split",
            gives=(gives,) * size,
        )
    return b.slices[operand, axis]


def before_transpose(b: Builder, value: Value) -> Value | None:
    """What `value` is the transpose of, in its last two axes: MXNet's products transpose by themselves."""
    if not isinstance(value.operand, Out) or value.rank < 2:
        return None
    call = b.calls[value.operand.call]
    attrs, last = dict(call.attrs), {value.rank - 2, value.rank - 1}
    if call.op != "SwapAxis" or {attrs.get("dim1", 0), attrs.get("dim2", 0)} != last:
        return None
    shape = (*value.sizes[:-2], value.sizes[-1], value.sizes[-2])
    return Value(call.inputs[0][1], shape, value.dtype)


def is_zeros(b: Builder, value: Value) -> bool:
    """Whether the value was made in forward as zeros for each sample."""
    node = b.graph.by_name.get(value.node)
    return node is not None and node.op == "full" and node.kwargs.get("fill_value") == 0


def is_own(b: Builder, value: Value) -> bool:
    """Whether the module that the node stands in made the value."""
    node = b.graph.by_name.get(value.node)
    return node is not None and node.source.frames == b.node.source.frames


def counts_up(b: Builder, value: Value) -> bool:
    """Whether the elements are 0, 1, 2, ... to the last: an arange from 0, with axes of 1 about it."""
    node = b.graph.by_name.get(value.node)
    while node is not None and node.op in _SHAPES_ONLY:
        refs = list(node.refs())
        if len(refs) != 1:
            return False
        if elements_in(node.outputs[0].shape) != elements_in(b.graph.type_of(refs[0]).shape):
            return False
        node = b.graph.by_name[refs[0].name]
    if node is None or node.op != "arange":
        return False
    return bool(node.kwargs.get("start", 0) == 0 and node.kwargs.get("step", 1) == 1)
