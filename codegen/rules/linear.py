"""Linear layers, matrix products and embeddings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from codegen.lower import EMPTY, Builder, Refused, Value
from codegen.registry import lowers
from codegen.rules.arithmetic import binary
from codegen.rules.layout import reshape_to
from tracer.ir import Dim, Shape, Size
from tracer.ir import product as sizes_product


@lowers("linear")
def linear(b: Builder, input: Value, weight: Value, bias: Value | None = None) -> Value:
    if weight.rank == 1:
        return _vector_linear(b, input, weight, bias)
    if input.sizes[-1] == 0:
        zeros = _sum_of_nothing(b, input, replace(weight, shape=(0, weight.sizes[0])), "float32")
        return zeros if bias is None else binary(b, "add", zeros, bias)
    if input.rank == 1:
        input = b.op("expand_dims", input, axis=0, hint="row", gives=(1, *input.sizes))
        output = _fully_connected(b, input, weight, bias)
        return b.op("squeeze", output, axis=0, hint="vector")
    return _fully_connected(b, input, weight, bias)


def _fully_connected(b: Builder, input: Value, weight: Value, bias: Value | None) -> Value:
    return b.op(
        "FullyConnected",
        input,
        weight=weight,
        bias=bias,
        num_hidden=weight.sizes[0],
        no_bias=bias is None,
        flatten=False,
    )


def _vector_linear(b: Builder, input: Value, weight: Value, bias: Value | None) -> Value:
    output = matmul(b, input, weight)
    return output if bias is None else binary(b, "add", output, bias)


@lowers("matmul", "dot", "vdot", "mm", "bmm", "mv")
def matmul(
    b: Builder,
    input: Value,
    other: Value | None = None,
    mat2: Value | None = None,
    vec: Value | None = None,
    tensor: Value | None = None,
) -> Value:
    right = next(v for v in (other, mat2, vec, tensor) if v is not None)  # torch's name differs by op
    return product(b, input, right)


@lowers("inner")
def inner(b: Builder, input: Value, other: Value) -> Value:
    if input.rank == 0 or other.rank == 0:
        return binary(b, "mul", input, other)
    width = other.sizes[-1]
    left = reshape_to(b, input, (1, width), hint="row") if input.rank == 1 else input
    count = sizes_product(other.sizes[:-1])
    if count is None:
        raise b.refuse("inner() of a tensor in which several sizes follow the batch")
    right = reshape_to(b, other, (count, width), hint="rows")
    result = b.op("dot", left, right, transpose_b=True, gives=(*left.sizes[:-1], count))
    return reshape_to(b, result, b.out.shape, hint="product")


@lowers("outer", "ger")
def outer(b: Builder, input: Value, vec2: Value) -> Value:
    column = b.op("expand_dims", input, axis=1, hint="column", gives=(*input.sizes, 1))
    row = b.op("expand_dims", vec2, axis=0, hint="row", gives=(1, *vec2.sizes))
    return binary(b, "mul", column, row)


def product(b: Builder, left: Value, right: Value, hint: str = "") -> Value:
    """torch.matmul of any two ranks."""
    dtype = b.out.dtype if b.out.dtype == "float64" else "float32"
    left, right = b.cast(left, dtype), b.cast(right, dtype)
    if left.sizes[-1] == 0:
        return _sum_of_nothing(b, left, right, dtype)
    if left.rank == 1:
        left = b.op("expand_dims", left, axis=0, hint="row", gives=(1, *left.sizes))
    if right.rank == 1:
        right = b.op("expand_dims", right, axis=1, hint="column", gives=(*right.sizes, 1))
    straight = b.before_transpose(right)
    transpose_b = straight is not None
    right = straight or right
    columns = right.sizes[-2 if transpose_b else -1]
    if right.rank == 2:
        # Every row of `left` meets the same matrix: MXNet's dot contracts last with first.
        gives = (*left.sizes[:-1], columns)
        result = b.op("dot", left, right, transpose_b=transpose_b, hint=hint, gives=gives)
    elif left.rank == right.rank == 3 and left.sizes[0] == right.sizes[0]:
        # linalg.gemm2 takes any number of leading axes; batch_dot one.
        gives = (left.sizes[0], left.sizes[1], columns)
        result = b.op("batch_dot", left, right, transpose_b=transpose_b, hint=hint, gives=gives)
    else:
        result = product_of(b, left, right, hint=hint, transpose_b=transpose_b)
    return result if len(b.out.shape) == result.rank else reshape_to(b, result, b.out.shape, hint="product")


def _sum_of_nothing(b: Builder, left: Value, right: Value, dtype: str) -> Value:
    """Zeros: a product over an axis without elements."""
    columns = right.sizes[-1:] if right.rank > 1 else ()
    shape = (*_broadcast(left.sizes[:-2], right.sizes[:-2]), *left.sizes[-2:-1], *columns)
    if any(isinstance(s, Dim) or s == 0 for s in shape):
        raise Refused(EMPTY, "leave it out where it holds nothing", "empty")
    return b.constant(np.zeros(shape, dtype), "zeros")  # type: ignore[arg-type]


def product_of(
    b: Builder, left: Value, right: Value, hint: str = "", transpose_b: bool = False, alpha: float = 1.0
) -> Value:
    """alpha * left right (or right^T), for matrices with the same or broadcast leading axes."""
    batch = _broadcast(left.sizes[:-2], right.sizes[:-2])
    left = spread(b, left, (*batch, *left.sizes[-2:]), f"{hint}_lhs" if hint else "lhs")
    right = spread(b, right, (*batch, *right.sizes[-2:]), f"{hint}_rhs" if hint else "rhs")
    gives = (*batch, left.sizes[-2], right.sizes[-2 if transpose_b else -1])
    return b.op("linalg.gemm2", left, right, transpose_b=transpose_b, alpha=alpha, hint=hint, gives=gives)


def _broadcast(left: Shape, right: Shape) -> Shape:
    rank = max(len(left), len(right))
    pairs = zip((1,) * (rank - len(left)) + left, (1,) * (rank - len(right)) + right, strict=True)
    return tuple(r if x == 1 else x for x, r in pairs)


def spread(b: Builder, value: Value, shape: Shape, hint: str) -> Value:
    """`value` broadcast to `shape`, whose sizes may follow the batch."""
    if value.sizes == shape:
        return value
    if value.rank < len(shape):
        lead = (1,) * (len(shape) - value.rank)
        value = reshape_to(b, value, (*lead, *value.sizes), hint=f"{hint}_axes")
    grown = [i for i, (old, new) in enumerate(zip(value.sizes, shape, strict=True)) if old != new]
    fixed = [i for i in grown if isinstance(shape[i], int)]
    if fixed:
        sizes = tuple(shape[i] if i in fixed else s for i, s in enumerate(value.sizes))
        value = b.op(
            "broadcast_axis",
            value,
            axis=tuple(fixed),
            size=tuple(shape[i] for i in fixed),
            hint=hint,
            gives=sizes,
        )
    for axis in [i for i in grown if i not in fixed]:
        value = spread_batch(b, value, axis, shape[axis], hint)
    return value


def spread_batch(b: Builder, value: Value, axis: int, size: Size, hint: str) -> Value:
    """`value` repeated along an axis of size 1 until it has the batch's size."""
    found = b.like_batch(size, value.dtype)
    if found is None:
        raise b.refuse(f"a tensor of size {size}, which no earlier tensor has", "fix the batch size")
    like, like_axis = found
    like = b.cast(like, value.dtype)
    sizes = (*value.sizes[:axis], size, *value.sizes[axis + 1 :])
    return b.op(
        "broadcast_like",
        value,
        like,
        lhs_axes=(axis,),
        rhs_axes=(like_axis,),
        hint=f"{hint}_batch",
        gives=sizes,
    )


@lowers("addmm")
def addmm(b: Builder, input: Value, mat1: Value, mat2: Value, beta: float = 1, alpha: float = 1) -> Value:
    return _added_product(b, input, mat1, mat2, beta, alpha)


@lowers("baddbmm", "addbmm")
def baddbmm(
    b: Builder, input: Value, batch1: Value, batch2: Value, beta: float = 1, alpha: float = 1
) -> Value:
    if b.node.op == "addbmm":
        gives = (batch1.sizes[0], batch1.sizes[1], batch2.sizes[2])
        each = b.op("batch_dot", batch1, batch2, hint="products", gives=gives)
        total = b.op("sum", each, axis=0, hint="product", gives=gives[1:])
        return _blended(b, input, total, beta, alpha)
    return _added_product(b, input, batch1, batch2, beta, alpha)


@lowers("addmv")
def addmv(b: Builder, input: Value, mat: Value, vec: Value, beta: float = 1, alpha: float = 1) -> Value:
    return _added_product(b, input, mat, vec, beta, alpha)


def _added_product(b: Builder, input: Value, left: Value, right: Value, beta: float, alpha: float) -> Value:
    return _blended(b, input, product(b, left, right, hint="product"), beta, alpha)


def _blended(b: Builder, input: Value, result: Value, beta: float, alpha: float) -> Value:
    """beta * input + alpha * result; torch does not read the input where beta is 0."""
    if alpha != 1:
        result = b.with_number("x * c", result, alpha, hint="alpha")
    if beta == 0:
        return result
    if beta != 1:
        input = b.with_number("x * c", input, beta, hint="beta")
    return binary(b, "add", input, result)


# padding_idx, scale_grad_by_freq and sparse speak of gradients only.
@lowers("embedding", ignores=("padding_idx", "scale_grad_by_freq", "sparse"))
def embedding(
    b: Builder, input: Value, weight: Value, max_norm: float | None = None, norm_type: float = 2.0
) -> Value:
    count, width = weight.sizes
    if input.rank == 0:
        row = embedding(b, replace(input, shape=(1,)), weight, max_norm, norm_type)
        return reshape_to(b, replace(row, shape=(1, width)), (width,), hint="row")
    rows = b.op(
        "Embedding",
        input,
        weight=weight,
        input_dim=count,
        output_dim=width,
        dtype=weight.dtype,
        hint="" if max_norm is None else "rows",
        gives=(*input.sizes, width),
    )
    return rows if max_norm is None else bounded_rows(b, rows, max_norm, norm_type)


def bounded_rows(b: Builder, rows: Value, max_norm: float, norm_type: float) -> Value:
    """Rows longer than `max_norm` cut to it. torch writes them back to the weight; the result is the same."""
    from codegen.rules.reduce import vector_norm

    length = vector_norm(b, rows, norm_type, (rows.rank - 1,), True, hint="length")
    factor = b.with_number("c / x", b.with_number("x + c", length, 1e-7, hint="eps"), max_norm, hint="factor")
    factor = b.with_number("minimum(x, c)", factor, 1.0, hint="bounded")
    return b.op("broadcast_mul", rows, factor, gives=rows.shape)


@lowers("bilinear")
def bilinear(b: Builder, input1: Value, input2: Value, weight: Value, bias: Value | None = None) -> Value:
    out, left, right = (int(s) for s in weight.sizes)  # type: ignore[arg-type]
    rows = sizes_product(input1.sizes[:-1])
    if rows is None:
        raise b.refuse("bilinear() of tensors in which several sizes follow the batch")
    lead = (rows,)
    input1 = reshape_to(b, input1, (rows, left), hint="rows1")
    input2 = reshape_to(b, input2, (rows, right), hint="rows2")
    # y[n, k] = sum_ij x1[n, i] w[k, i, j] x2[n, j]: x1 w as one product, then a weighted sum over j.
    columns = b.op("transpose", weight, axes=(1, 0, 2), hint="columns", gives=(left, out, right))
    columns = reshape_to(b, columns, (left, out * right), hint="matrix")
    mixed = b.op("dot", input1, columns, hint="mixed", gives=(*lead, out * right))
    mixed = reshape_to(b, mixed, (*lead, out, right), hint="split")
    second = b.op("expand_dims", input2, axis=2, hint="column", gives=(*lead, right, 1))
    result = b.op("batch_dot", mixed, second, hint="product", gives=(*lead, out, 1))
    result = b.op("squeeze", result, axis=2, hint="flat", gives=(*lead, out))
    if bias is not None:
        result = b.op(
            "broadcast_add",
            result,
            reshape_to(b, bias, (1, out), hint="row"),
            hint="biased",
            gives=(*lead, out),
        )
    return reshape_to(b, result, b.out.shape)
