"""Reshapes, which hold no size of the batch, nor of an image where MXNet can say so."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value
from codegen.idioms.around import like_image, siblings
from codegen.idioms.shapes import reshape_to
from codegen.ir import Dim, Node, Ref, Shape
from codegen.reshape_codes import Code, Pair, alike, shared


# The shape that torch computed from its arguments is the node's.
@lowers(
    "view",
    "reshape",
    "unflatten",
    "ravel",
    "view_as",
    "reshape_as",
    ignores=("size", "shape", "start_dim", "end_dim", "dim", "sizes", "other"),
)
def reshape(b: Builder, input: Value) -> Value:
    if input.sizes == b.out.shape:
        return input
    there = _elsewhere(b, b.node)
    code = _code_of_the_line(b, input.sizes, there)
    if code is None and there:
        code = shared([(input.sizes, b.out.shape), *there])
        like = _as_image(b, input, *there[0]) if code is None else None
        if like is not None:
            return like
    code = code or _code_of_the_line(b, input.sizes, [])
    if code is None:
        return reshape_to(b, input, b.out.shape)
    if code.has_own_codes:
        code = alike([((input.sizes, b.out.shape), *there), *_other_uses(b)]) or code
    return b.op("Reshape", input, shape=code.shape, reverse=code.reverse, gives=b.out.shape)


# The shape that torch computed from its arguments is the node's.
@lowers("flatten", ignores=("start_dim", "end_dim"))
def flatten(b: Builder, input: Value) -> Value:
    shape = b.out.shape
    if len(shape) == 2 and input.rank > 2 and input.sizes[0] == shape[0] and isinstance(shape[0], Dim):
        return b.op("Flatten", input)  # all axes but the first
    return reshape(b, input)


def _code_of_the_line(b: Builder, old: Shape, more: Sequence[Pair]) -> Code | None:
    """A code that holds wherever the author's line is run, and for `more`: sizes that differ drop out."""
    pairs = [(old, b.out.shape), *more]
    return shared(pairs + [use[0] for use in _other_uses(b)])


def _other_uses(b: Builder) -> list[tuple[Pair, ...]]:
    """What the author's line reshapes wherever it is run, each use also at another image size; each once."""
    uses: dict[tuple[Pair, ...], None] = {}
    for node in siblings(b):
        before, after = b.graph.type_of(next(iter(node.refs()))).shape, node.outputs[0].shape
        if before != after:
            uses[((before, after), *_elsewhere(b, node))] = None
    return list(uses)


def _elsewhere(b: Builder, node: Node) -> list[Pair]:
    """The reshape at another image size: a code that does for both holds no size of the image."""
    before, after = b.elsewhere(next(iter(node.refs()))), b.elsewhere(Ref(node.name, 0))
    return [] if before is None or after is None or before == after else [(before, after)]


def _as_image(b: Builder, x: Value, before: Shape, after: Shape) -> Value | None:
    """A reshape to the size of an image, which is no number.

    torch: view(b, c, h, w) is given numbers.
    MXNet: Reshape takes them as numbers; one may be -1. reshape_like takes sizes of another tensor.
    We write: reshape_like, where no code of Reshape does at two sizes of the image.
    Source: mx.sym.reshape_like.

    >>> converted(lambda x: x.flatten(2).softmax(2).view(x.shape), (1, 2, 8, 8))
    flatten = mx.sym.Reshape(x, shape=(0, 0, -1), name="flatten")
    softmax = mx.sym.softmax(flatten, name="softmax")
    return mx.sym.reshape_like(softmax, x, lhs_begin=2, lhs_end=3, rhs_begin=2, rhs_end=4, name="view")
    """
    new = b.out.shape
    first = _alike(x.sizes, new, before, after)
    last = _alike(x.sizes[first:][::-1], new[first:][::-1], before[first:][::-1], after[first:][::-1])
    ends = len(new) - last
    if not first < min(x.rank - last, ends):
        return None
    found = like_image(b, new[first:ends], after[first:ends], x.dtype)
    if found is None:
        return None
    like, axis = found
    return b.op(
        "reshape_like",
        x,
        like,
        lhs_begin=first,
        lhs_end=x.rank - last,
        rhs_begin=axis,
        rhs_end=axis + ends - first,
        gives=new,
    )


def _alike(*shapes: Shape) -> int:
    """How many of the first sizes stay, here and elsewhere."""
    old, new, before, after = shapes
    same = [a == c and b == d for a, c, b, d in zip(old, new, before, after, strict=False)]
    return (*same, False).index(False)
