"""Linear layers, matrix products and embeddings."""

from __future__ import annotations

from dataclasses import replace

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value, fixed
from codegen.idioms.elementwise import binary, factor_of
from codegen.idioms.products import bounded_rows, connected, product, sum_of_nothing
from codegen.idioms.shapes import reshape_to
from codegen.ir import elements_in


@lowers("linear", takes_empty=True)
def linear(b: Builder, input: Value, weight: Value, bias: Value | None = None) -> Value:
    if weight.rank == 1:
        return _vector_linear(b, input, weight, bias)
    if input.sizes[-1] == 0:
        zeros = sum_of_nothing(b, input, replace(weight, shape=(0, weight.sizes[0])), "float32")
        return zeros if bias is None else binary(b, "add", zeros, bias)
    if input.rank == 1:
        input = b.op("expand_dims", input, axis=0, hint="row")
        output = connected(b, input, weight, bias)
        return b.op("squeeze", output, axis=0, hint="vector")
    return connected(b, input, weight, bias)


def _vector_linear(b: Builder, input: Value, weight: Value, bias: Value | None) -> Value:
    output = matmul(b, input, weight)
    return output if bias is None else binary(b, "add", output, bias)


@lowers("matmul", takes_empty=True)
@lowers("vdot")
def matmul(b: Builder, input: Value, other: Value) -> Value:
    return product(b, input, other)


@lowers("dot", takes_empty=True)
def dot(b: Builder, input: Value, tensor: Value) -> Value:
    return product(b, input, tensor)


@lowers("mm", "bmm", takes_empty=True)
def mm(b: Builder, input: Value, mat2: Value) -> Value:
    return product(b, input, mat2)


@lowers("mv", takes_empty=True)
def mv(b: Builder, input: Value, vec: Value) -> Value:
    return product(b, input, vec)


@lowers("inner")
def inner(b: Builder, input: Value, other: Value) -> Value:
    if input.rank == 0 or other.rank == 0:
        return binary(b, "mul", input, other)
    width = other.sizes[-1]
    left = reshape_to(b, input, (1, width), hint="row") if input.rank == 1 else input
    count = elements_in(other.sizes[:-1])
    if count is None:
        raise b.refuse_batch("inner() of a tensor in which several sizes follow the batch")
    right = reshape_to(b, other, (count, width), hint="rows")
    result = b.op("dot", left, right, transpose_b=True)
    return reshape_to(b, result, b.out.shape, hint="product")


@lowers("outer", "ger")
def outer(b: Builder, input: Value, vec2: Value) -> Value:
    column = b.op("expand_dims", input, axis=1, hint="column")
    row = b.op("expand_dims", vec2, axis=0, hint="row")
    return binary(b, "mul", column, row)


@lowers("addmm", takes_empty=True)
def addmm(b: Builder, input: Value, mat1: Value, mat2: Value, beta: float = 1, alpha: float = 1) -> Value:
    return _added_product(b, input, mat1, mat2, beta, alpha)


@lowers("addbmm", takes_empty=True)
def addbmm(
    b: Builder, input: Value, batch1: Value, batch2: Value, beta: float = 1, alpha: float = 1
) -> Value:
    each = b.op("batch_dot", batch1, batch2, hint="products")
    total = b.op("sum", each, axis=0, hint="product")
    return _blended(b, input, total, beta, alpha)


@lowers("baddbmm", takes_empty=True)
def baddbmm(
    b: Builder, input: Value, batch1: Value, batch2: Value, beta: float = 1, alpha: float = 1
) -> Value:
    return _added_product(b, input, batch1, batch2, beta, alpha)


@lowers("addmv", takes_empty=True)
def addmv(b: Builder, input: Value, mat: Value, vec: Value, beta: float = 1, alpha: float = 1) -> Value:
    return _added_product(b, input, mat, vec, beta, alpha)


def _added_product(b: Builder, input: Value, left: Value, right: Value, beta: float, alpha: float) -> Value:
    return _blended(b, input, product(b, left, right, hint="product"), beta, alpha)


def _blended(b: Builder, input: Value, result: Value, beta: float, alpha: float) -> Value:
    """beta * input + alpha * result; torch does not read the input where beta is 0."""
    beta, alpha = factor_of(b, beta), factor_of(b, alpha)
    if alpha != 1:
        result = b.with_number("x * c", result, alpha, hint="alpha")
    if beta == 0:
        return result
    if beta != 1:
        input = b.with_number("x * c", input, beta, hint="beta")
    return binary(b, "add", input, result)


# scale_grad_by_freq and sparse speak of gradients only.
@lowers("embedding", ignores=("scale_grad_by_freq", "sparse"))
def embedding(
    b: Builder,
    input: Value,
    weight: Value,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
) -> Value:
    """Rows of a table.

    torch: the row of padding_idx is not trained.
    MXNet: Embedding has no padding_idx, and trains every row.
    We write: Embedding; with --trainable, BlockGrad around the row of the padding.
    Source: torch.nn.Embedding; mx.sym.Embedding, measured (tests/in_use/test_parity.py).

    >>> converted(nn.Embedding(5, 3), Ints((1, 4)))
    return mx.sym.Embedding(x, input_dim=5, output_dim=3, name="embedding")
    """
    count, width = weight.sizes
    if input.rank == 0:
        row = embedding(b, replace(input, shape=(1,)), weight, padding_idx, max_norm, norm_type)
        return reshape_to(b, replace(row, shape=(1, width)), (width,), hint="row")
    rows = b.op(
        "Embedding",
        input,
        weight=weight,
        input_dim=count,
        output_dim=width,
        dtype=weight.dtype,
        hint="" if max_norm is None and (padding_idx is None or not b.trainable) else "rows",
    )
    if max_norm is not None:
        rows = bounded_rows(b, rows, max_norm, norm_type)
    if padding_idx is None or not b.trainable:
        return rows
    return _without_gradient_of(b, rows, input, padding_idx % fixed(count))


def _without_gradient_of(b: Builder, rows: Value, input: Value, index: int) -> Value:
    """The rows of a table, of which that of one index is not trained."""
    real = b.cast(b.with_number("x != c", input, index, hint="real"), rows.dtype)
    real = b.op("expand_dims", real, axis=-1, hint="mask")
    trained = b.op("broadcast_mul", rows, real, hint="trained")
    kept = b.op("BlockGrad", b.op("elemwise_sub", rows, trained, hint="padding"), hint="kept")
    return b.op("elemwise_add", trained, kept)


@lowers("bilinear")
def bilinear(b: Builder, input1: Value, input2: Value, weight: Value, bias: Value | None = None) -> Value:
    """Bilinear layers.

    torch: y[n, k] is the sum over i and j of x1[n, i] w[k, i, j] x2[n, j].
    MXNet: has no such op.
    We write: x1 and the weight as one product, then a product with x2 for each sample.
    Source: torch.nn.Bilinear.

    >>> converted(lambda x, y, w: F.bilinear(x, y, w), (2, 3), (2, 4), (5, 3, 4))
    w = mx.sym.transpose(w, axes=(1, 0, 2), name="bilinear_columns")
    w = mx.sym.Reshape(w, shape=(0, -1), name="bilinear_matrix")
    x = mx.sym.Reshape(mx.sym.dot(x, w, name="bilinear_mixed"), shape=(0, 5, 4), name="bilinear_split")
    x = mx.sym.batch_dot(
        x, mx.sym.expand_dims(y, axis=2, name="bilinear_column"), name="bilinear_product"
    )
    return mx.sym.squeeze(x, axis=2, name="bilinear_flat")
    """
    out, left, right = (fixed(s) for s in weight.sizes)
    rows = elements_in(input1.sizes[:-1])
    if rows is None:
        raise b.refuse_batch("bilinear() of tensors in which several sizes follow the batch")
    lead = (rows,)
    input1 = reshape_to(b, input1, (rows, left), hint="rows1")
    input2 = reshape_to(b, input2, (rows, right), hint="rows2")
    # y[n, k] = sum_ij x1[n, i] w[k, i, j] x2[n, j]: x1 w as one product, then a weighted sum over j.
    columns = b.op("transpose", weight, axes=(1, 0, 2), hint="columns")
    columns = reshape_to(b, columns, (left, out * right), hint="matrix")
    mixed = b.op("dot", input1, columns, hint="mixed")
    mixed = reshape_to(b, mixed, (*lead, out, right), hint="split")
    second = b.op("expand_dims", input2, axis=2, hint="column")
    result = b.op("batch_dot", mixed, second, hint="product")
    result = b.op("squeeze", result, axis=2, hint="flat")
    if bias is not None:
        result = b.op(
            "broadcast_add",
            result,
            reshape_to(b, bias, (1, out), hint="row"),
            hint="biased",
        )
    return reshape_to(b, result, b.out.shape)
