"""Embedding bags."""

from __future__ import annotations

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value, fixed
from codegen.idioms.along import plus
from codegen.idioms.products import bounded_rows
from codegen.idioms.shapes import divided, reshape_to
from codegen.idioms.windows import LOWEST
from codegen.ir import Size


# scale_grad_by_freq and sparse speak of gradients only.
@lowers("embedding_bag", ignores=("scale_grad_by_freq", "sparse"))
def embedding_bag(
    b: Builder,
    input: Value,
    weight: Value,
    offsets: Value | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    mode: str = "mean",
    per_sample_weights: Value | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Value:
    """Rows looked up, weighted by whether they belong to a bag, and reduced."""
    step = _regular_step(b, input, offsets, include_last_offset)
    if step == 1 and max_norm is None and padding_idx is None:
        return _single(b, input, weight, per_sample_weights)
    if step is not None:
        input, offsets = _in_rows(b, input, step, "bags"), None
        per_sample_weights = _in_rows(b, per_sample_weights, step, "shares") if per_sample_weights else None
    count, width = weight.sizes
    rows = b.op(
        "Embedding", input, weight=weight, input_dim=count, output_dim=width, dtype=weight.dtype, hint="rows"
    )
    if max_norm is not None:
        rows = bounded_rows(b, rows, max_norm, norm_type)
    shares = _shares(b, input, offsets, include_last_offset, padding_idx, count)
    # (bags, members, 1) beside (bags, members, width), or (1, members, width) for bags cut by offsets.
    if offsets is not None:
        rows = b.op("expand_dims", rows, axis=0, hint="rows_axes")
    belongs = b.op("expand_dims", shares, axis=2, hint="belongs")
    if mode == "max":
        return _largest(b, rows, belongs)
    if per_sample_weights is not None:
        own = per_sample_weights if offsets is None else _row(b, per_sample_weights)
        own = b.op("expand_dims", own, axis=2, hint="weights")
        belongs = b.op("broadcast_mul", belongs, own, hint="weighted")
    kept = b.op("broadcast_mul", rows, belongs, hint="kept")
    if mode == "sum":
        return b.op("sum", kept, axis=1)
    total = b.op("sum", kept, axis=1, hint="total")
    size = b.op("sum", belongs, axis=1, hint="size")
    return b.op("broadcast_div", total, b.with_number("maximum(x, c)", size, 1.0, hint="at_least_one"))


def _regular_step(b: Builder, input: Value, offsets: Value | None, last: bool) -> int | None:
    """How many members each bag has, where the offsets say that all have as many: 0, k, 2k, ..."""
    if offsets is None:
        return None
    node = b.graph.by_name.get(offsets.node)
    step = None
    if offsets.const is not None and offsets.const.size > 1:
        step = int(offsets.const[1])
        step = step if np.array_equal(offsets.const, np.arange(len(offsets.const)) * step) else None
    elif node is not None and node.op == "arange" and node.kwargs.get("start", 0) == 0:
        step = node.kwargs.get("step", 1)
    bags = plus(offsets.sizes[0], -int(last))
    return step if step and input.sizes[0] == plus(0, bags, step) else None


def _single(b: Builder, input: Value, weight: Value, shares: Value | None) -> Value:
    """The rows themselves, for bags of one member each."""
    count, width = weight.sizes
    hint = "rows" if shares is not None else ""
    rows = b.op(
        "Embedding", input, weight=weight, input_dim=count, output_dim=width, dtype=weight.dtype, hint=hint
    )
    if shares is None:
        return rows
    return b.op("broadcast_mul", rows, b.op("expand_dims", shares, axis=1, hint="weights"))


def _in_rows(b: Builder, x: Value, step: int, hint: str) -> Value:
    """The members of regular bags, a row for each bag."""
    return reshape_to(b, x, (divided(x.sizes[0], step), step), hint=hint)


def _shares(
    b: Builder, input: Value, offsets: Value | None, last: bool, padding_idx: int | None, count: Size
) -> Value:
    """1 where an index belongs to a bag and is not the padding."""
    shares = _members(b, input, offsets, last) if offsets is not None else None
    if padding_idx is not None:
        count = fixed(count)
        real = b.with_number("x != c", b.cast(input, "float32"), float(padding_idx % count), hint="real")
        return real if shares is None else b.op("broadcast_mul", shares, _row(b, real), hint="members")
    return shares or b.op("ones_like", b.cast(input, "float32"), hint="members")


def _largest(b: Builder, rows: Value, belongs: Value) -> Value:
    """The largest member of each bag, 0 in one without members."""
    kept = b.op("broadcast_mul", rows, belongs, hint="kept")
    absent = b.with_number("x * c", b.with_number("c - x", belongs, 1, hint="absent"), LOWEST, hint="lowest")
    best = b.op("max", b.op("broadcast_add", kept, absent, hint="masked"), axis=1, hint="best")
    found = b.op("max", belongs, axis=1, hint="found")
    return b.op("broadcast_mul", best, found)


def _row(b: Builder, x: Value) -> Value:
    return b.op("expand_dims", x, axis=0, hint="row")


def _members(b: Builder, input: Value, offsets: Value, last: bool) -> Value:
    """Which rows belong to which bag.

    (bags, members): 1 from a bag's offset to the next one's.

    torch: EmbeddingBag sums the rows from each offset to the next.
    MXNet: has no such op.
    We write: Embedding, and a product with this matrix.
    Source: torch.nn.EmbeddingBag; mx.sym.Embedding.

    >>> bags = lambda i, w: F.embedding_bag(i, w, torch.tensor([0, 2]), mode="sum")
    >>> converted(bags, Ints((5,), 4), (4, 3))
    rows = mx.sym.Embedding(i_, weight=w, input_dim=4, output_dim=3, name="embedding_bag_rows")
    i_ = mx.sym.contrib.arange_like(
        mx.sym.cast(i_, dtype="float32", name="embedding_bag_cast"), axis=0, name="embedding_bag_places"
    )
    tensor = mx.sym.expand_dims(tensor, axis=1, name="embedding_bag_starts")
    i_ = mx.sym.broadcast_greater_equal(
        mx.sym.expand_dims(i_, axis=0, name="embedding_bag_row"), tensor, name="embedding_bag_begun"
    )
    one = mx.sym.slice_axis(i_, axis=0, begin=0, end=1, name="embedding_bag_one")
    closed = mx.sym.Concat(
        i_, mx.sym.zeros_like(one, name="embedding_bag_none"), dim=0, name="embedding_bag_closed"
    )
    next_ = mx.sym.slice_axis(closed, axis=0, begin=1, end=None, name="embedding_bag_next")
    i_ = mx.sym.elemwise_sub(i_, next_, name="embedding_bag_members")
    axes = mx.sym.expand_dims(rows, axis=0, name="embedding_bag_rows_axes")
    kept = mx.sym.broadcast_mul(
        axes, mx.sym.expand_dims(i_, axis=2, name="embedding_bag_belongs"), name="embedding_bag_kept"
    )
    return mx.sym.sum(kept, axis=1, name="embedding_bag")
    """
    like = b.cast(input, "float32")
    count = b.op("contrib.arange_like", like, axis=0, hint="places")
    starts = b.cast(offsets, "float32")
    column = b.op("expand_dims", starts, axis=1, hint="starts")
    begun = b.op("broadcast_greater_equal", _row(b, count), column, hint="begun")
    first = b.op("slice_axis", begun, axis=0, begin=0, end=-1, hint="first") if last else begun
    if not last:
        zeros = b.op("zeros_like", b.op("slice_axis", begun, axis=0, begin=0, end=1, hint="one"), hint="none")
        begun = b.op("Concat", [begun, zeros], dim=0, hint="closed")
    later = b.op("slice_axis", begun, axis=0, begin=1, end=None, hint="next")
    return b.op("elemwise_sub", first, later, hint="members")
