"""Matrix products of any ranks."""

from __future__ import annotations

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.value import EMPTY, Refused, Value, fixed
from codegen.idioms.around import before_swap
from codegen.idioms.reductions import vector_norm
from codegen.idioms.shapes import broadcast, reshape_to, spread, swapped_axes
from codegen.ir import Dim, Size


def product(b: Builder, left: Value, right: Value, hint: str = "") -> Value:
    """Matrix products of any two ranks.

    torch: matmul broadcasts the leading axes, and takes vectors.
    MXNet: dot sums over the last axis of one and the first of the other; batch_dot and linalg.gemm2 want
        equal leading axes.
    We write: dot for one matrix on the right, batch_dot or linalg.gemm2 for several, broadcast before; a
        vector gets an axis of 1.
    Source: torch.matmul; mx.sym.dot; mx.sym.batch_dot; mx.sym.linalg.gemm2.

    >>> converted(lambda x, y: x @ y, (2, 3, 4), (4, 5))
    return mx.sym.dot(x, y, name="matmul")
    >>> converted(lambda x, y: x @ y, (2, 1, 3, 4), (2, 5, 4, 2))
    x = mx.sym.broadcast_axis(x, axis=(1,), size=(5,), name="matmul_lhs")
    return mx.sym.linalg.gemm2(x, y, name="matmul")
    """
    # Whole numbers are multiplied in float64, which holds them up to 2^53.
    dtype = "float32" if b.out.dtype in {"float32", "float16", "bfloat16"} else "float64"
    left, right = b.cast(left, dtype), b.cast(right, dtype)
    if left.sizes[-1] == 0:
        return sum_of_nothing(b, left, right, dtype)
    if left.rank == 1:
        left = b.op("expand_dims", left, axis=0, hint="row")
    if right.rank == 1:
        right = b.op("expand_dims", right, axis=1, hint="column")
    straight = before_swap(b, right, -2, -1)
    transpose_b = straight is not None
    right = straight or right
    if right.rank == 2:
        # Every row of `left` meets the same matrix: MXNet's dot contracts last with first.
        result = b.op("dot", left, right, transpose_b=transpose_b, hint=hint)
    elif left.rank == right.rank == 3 and left.sizes[0] == right.sizes[0]:
        # linalg.gemm2 takes any number of leading axes; batch_dot one.
        result = b.op("batch_dot", left, right, transpose_b=transpose_b, hint=hint)
    else:
        result = product_of(b, left, right, hint=hint, transpose_b=transpose_b)
    return result if len(b.out.shape) == result.rank else reshape_to(b, result, b.out.shape, hint="product")


def sum_of_nothing(b: Builder, left: Value, right: Value, dtype: str) -> Value:
    """Zeros: a product over an axis without elements."""
    columns = right.sizes[-1:] if right.rank > 1 else ()
    shape = (*broadcast(left.sizes[:-2], right.sizes[:-2]), *left.sizes[-2:-1], *columns)
    if any(isinstance(s, Dim) or s == 0 for s in shape):
        raise Refused(EMPTY, "leave it out where it holds nothing", "empty")
    return b.constant(np.zeros(shape, dtype), "zeros")  # type: ignore[arg-type]


def product_of(
    b: Builder, left: Value, right: Value, hint: str = "", transpose_b: bool = False, alpha: float = 1.0
) -> Value:
    """alpha * left right (or right^T), for matrices with the same or broadcast leading axes."""
    if _is_shared(left, right):
        return _of_shared(b, left, right, hint, transpose_b=transpose_b, alpha=alpha)
    batch = broadcast(left.sizes[:-2], right.sizes[:-2])
    left = spread(b, left, (*batch, *left.sizes[-2:]), f"{hint}_lhs" if hint else "lhs")
    right = spread(b, right, (*batch, *right.sizes[-2:]), f"{hint}_rhs" if hint else "rhs")
    return b.op("linalg.gemm2", left, right, transpose_b=transpose_b, alpha=alpha, hint=hint)


def _is_shared(left: Value, right: Value) -> bool:
    """Whether each matrix of `right` meets several of `left`, side by side along the last leading axis."""
    if not left.rank == right.rank > 2 or left.sizes[:-3] != right.sizes[:-3]:
        return False
    many, rows, few = left.sizes[-3], left.sizes[-2], right.sizes[-3]
    if isinstance(many, Dim) or isinstance(rows, Dim) or isinstance(few, Dim):
        return False
    return many > few > 0 and many % few == 0


def _of_shared(b: Builder, left: Value, right: Value, hint: str, transpose_b: bool, alpha: float) -> Value:
    """Grouped queries.

    Each head of key and value serves several heads of the query.

    torch: enable_gqa=True lets key and value have fewer heads, and matmul one for all.
    MXNet: linalg.gemm2 wants equal leading axes; repeat, before it, takes several times as long as all the
        rest of the attention.
    We write: the heads of the query that meet one head of the key as one matrix, their rows below each other.
    Source: torch.nn.functional.scaled_dot_product_attention; mx.sym.linalg.gemm2, measured.

    >>> converted(
    ...     lambda q, k: F.scaled_dot_product_attention(q, k, k, enable_gqa=True), (1, 4, 3, 2), (1, 2, 3, 2)
    ... )
    q = mx.sym.Reshape(q, shape=(0, 2, -1, 0), name="scaled_dot_product_attention_scores_rows")
    q = mx.sym.linalg.gemm2(
        q, k, transpose_b=True, alpha=1 / 2**0.5, name="scaled_dot_product_attention_scores_product"
    )
    q = mx.sym.Reshape(q, shape=(0, 4, -1, 0), name="scaled_dot_product_attention_scores")
    q = mx.sym.softmax(q, name="scaled_dot_product_attention_weights")
    q = mx.sym.Reshape(q, shape=(0, 2, -1, 0), name="scaled_dot_product_attention_rows")
    q = mx.sym.linalg.gemm2(q, k, name="scaled_dot_product_attention_product")
    return mx.sym.Reshape(q, shape=(0, 4, -1, 0), name="scaled_dot_product_attention")
    """
    *lead, many, rows, width = left.sizes
    few, columns = right.sizes[-3], right.sizes[-2 if transpose_b else -1]
    same = (0,) * len(lead)
    left = b.op(
        "Reshape",
        left,
        shape=(*same, few, -1, 0),
        hint=f"{hint}_rows".strip("_"),
        gives=(*lead, few, fixed(rows) * (fixed(many) // fixed(few)), width),
    )
    step = f"{hint}_product".strip("_")
    together = b.op("linalg.gemm2", left, right, transpose_b=transpose_b, alpha=alpha, hint=step)
    shape = (*lead, many, rows, columns)
    return b.op("Reshape", together, shape=(*same, many, -1, 0), hint=hint, gives=shape)


def bounded_rows(b: Builder, rows: Value, max_norm: float, norm_type: float) -> Value:
    """Embeddings with a bound on their length.

    torch: max_norm shortens the rows that are read to this length, in the weight itself.
    MXNet: Embedding has no bound.
    We write: the rows times the smaller of 1 and max_norm / length. The weight stays as it is.
    Source: torch.nn.Embedding; mx.sym.Embedding.

    >>> converted(nn.Embedding(5, 3, max_norm=1.0), Ints((1, 4)))
    rows = mx.sym.Embedding(
        x, weight=embedding_weight, input_dim=5, output_dim=3, name="embedding_rows"
    )
    sum_ = mx.sym.sum(
        mx.sym.square(rows, name="embedding_squares"), axis=2, keepdims=True, name="embedding_sum"
    )
    length = mx.sym.sqrt(sum_, name="embedding_length")
    eps = named(length + 1e-7, name="embedding_eps")
    factor = named(1.0 / eps, name="embedding_factor_rdivscalar")
    bounded = named(mx.sym.minimum(factor, 1.0), name="embedding_bounded")
    return mx.sym.broadcast_mul(rows, bounded, name="embedding")
    """
    length = vector_norm(b, rows, norm_type, (rows.rank - 1,), True, hint="length")
    factor = b.with_number("c / x", b.with_number("x + c", length, 1e-7, hint="eps"), max_norm, hint="factor")
    factor = b.with_number("minimum(x, c)", factor, 1.0, hint="bounded")
    return b.op("broadcast_mul", rows, factor)


def apply_along(b: Builder, x: Value, axis: int, weights: Value, size: Size, name: str) -> Value:
    """`x` with axis `axis` multiplied by the matrix `weights` (old, new)."""
    last = x.rank - 1
    sizes = list(x.sizes)
    if axis != last:
        sizes[axis], sizes[last] = sizes[last], sizes[axis]
        x = swapped_axes(b, x, axis, last, hint=f"{name}_last")
    sizes[last] = size
    x = b.op("dot", x, weights, hint=name)
    if axis != last:
        sizes[axis], sizes[last] = sizes[last], sizes[axis]
        x = swapped_axes(b, x, axis, last, hint=f"{name}_back")
    return x


def connected(b: Builder, x: Value, weight: Value, bias: Value | None, hint: str = "") -> Value:
    """Linear layers.

    torch: acts on the last axis; has a bias unless bias=False.
    MXNet: FullyConnected joins all axes but the first, unless flatten=False; it has a bias unless
        no_bias=True.
    We write: no_bias=True where there is no bias; flatten always, which the ONNX exporter wants to be told.
    Source: torch.nn.Linear; mx.sym.FullyConnected.

    >>> converted(nn.Linear(6, 5), (1, 3, 6))
    return mx.sym.FullyConnected(x, num_hidden=5, flatten=False, name="linear")
    >>> converted(nn.Linear(6, 5, bias=False), (1, 6))
    return mx.sym.FullyConnected(x, num_hidden=5, no_bias=True, flatten=False, name="linear")
    """
    return b.op(
        "FullyConnected",
        x,
        weight=weight,
        bias=bias,
        num_hidden=weight.sizes[0],
        no_bias=bias is None,
        flatten=False,
        hint=hint,
    )
