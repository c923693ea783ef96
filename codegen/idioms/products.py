"""Matrix products of any ranks."""

from __future__ import annotations

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.value import EMPTY, Refused, Value
from codegen.idioms.around import before_transpose
from codegen.idioms.reductions import vector_norm
from codegen.idioms.shapes import broadcast, reshape_to, spread
from codegen.ir import Dim, Size


def product(b: Builder, left: Value, right: Value, hint: str = "") -> Value:
    """torch.matmul of any two ranks."""
    dtype = b.out.dtype if b.out.dtype == "float64" else "float32"
    left, right = b.cast(left, dtype), b.cast(right, dtype)
    if left.sizes[-1] == 0:
        return sum_of_nothing(b, left, right, dtype)
    if left.rank == 1:
        left = b.op("expand_dims", left, axis=0, hint="row")
    if right.rank == 1:
        right = b.op("expand_dims", right, axis=1, hint="column")
    straight = before_transpose(b, right)
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
    batch = broadcast(left.sizes[:-2], right.sizes[:-2])
    left = spread(b, left, (*batch, *left.sizes[-2:]), f"{hint}_lhs" if hint else "lhs")
    right = spread(b, right, (*batch, *right.sizes[-2:]), f"{hint}_rhs" if hint else "rhs")
    return b.op("linalg.gemm2", left, right, transpose_b=transpose_b, alpha=alpha, hint=hint)


def bounded_rows(b: Builder, rows: Value, max_norm: float, norm_type: float) -> Value:
    """Rows longer than `max_norm` cut to it. torch writes them back to the weight; the result is the same."""
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
        x = b.op("SwapAxis", x, dim1=axis, dim2=last, hint=f"{name}_last")
    sizes[last] = size
    x = b.op("dot", x, weights, hint=name)
    if axis != last:
        sizes[axis], sizes[last] = sizes[last], sizes[axis]
        x = b.op("SwapAxis", x, dim1=axis, dim2=last, hint=f"{name}_back")
    return x


def connected(b: Builder, x: Value, weight: Value, bias: Value | None, hint: str = "") -> Value:
    """torch's linear: x weight^T + bias along the last axis. MXNet's FullyConnected flattens by default."""
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
