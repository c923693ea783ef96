"""Reductions over axes."""

from __future__ import annotations

import math

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers, lowers_each
from codegen.builder.value import MX_DTYPES, Refused, Value
from codegen.defects import of_kind
from codegen.idioms.elementwise import binary, bounded, check_floats, same_rank
from codegen.idioms.reductions import Axes, axes_of, moments, prefixes, reduction, vector_norm
from codegen.idioms.shapes import cut, reshape_to, spread
from codegen.ir import Dim, Shape, elements_in


def _computed_in(b: Builder, value: Value) -> Value:
    dtype = MX_DTYPES[b.out.dtype]
    return b.cast(value, "float32" if dtype == "bool" else dtype)


# `dtype` is the dtype of the result, in which the rule computes.
@lowers_each("op", {"mean": "mean", "sum": "sum", "prod": "prod"}, ignores=("dtype",))
def total(b: Builder, input: Value, dim: Axes = None, keepdim: bool = False, *, op: str) -> Value:
    return reduction(b, op, _computed_in(b, input), dim, keepdim)


@lowers("amax", op="max")
@lowers("amin", op="min")
def amax(b: Builder, input: Value, dim: Axes = None, keepdim: bool = False, *, op: str) -> Value:
    return reduction(b, op, input, dim, keepdim)


@lowers("max", whole_as_floats=True, op="max")
@lowers("min", whole_as_floats=True, op="min")
def extreme(
    b: Builder,
    input: Value,
    dim: Axes = None,
    keepdim: bool = False,
    other: Value | None = None,
    *,
    op: str,
) -> Value | list[Value]:
    if other is not None:
        return binary(b, f"{op}imum", input, other)
    value = reduction(b, op, _ordered(b, input), dim, keepdim)
    if dim is None:
        return value
    dim = of_kind(dim, int)
    return [value, position(b, f"arg{op}", input, dim, keepdim, hint="indices")]


@lowers("aminmax")
def aminmax(b: Builder, input: Value, dim: Axes = None, keepdim: bool = False) -> list[Value]:
    return [reduction(b, op, input, dim, keepdim, hint=op) for op in ("min", "max")]


def _ordered(b: Builder, value: Value) -> Value:
    return b.cast(value, "float32") if value.is_bool else value


def position(b: Builder, op: str, value: Value, dim: int | None, keepdim: bool, hint: str = "") -> Value:
    """The place of the largest or smallest number.

    torch: argmax and argmin give int64, of the flattened tensor where there is no dim.
    MXNet: argmax and argmin give float32, exact up to 2^24, and have no dtype; without an axis they do as
        with 0.
    We write: a flattening where there is no dim, and a cast where something asks for whole numbers. More than
        2^24 places are refused.
    Source: torch.argmax; mx.sym.argmax, measured.

    >>> converted(lambda x: x.argmax(1), (2, 3))
    return mx.sym.cast(mx.sym.argmax(x, axis=1, name="argmax"), dtype="int64", name="cast")
    >>> converted(lambda x: x.argmax(1) * 2, (2, 3))
    x = mx.sym.argmax(x, axis=1, name="argmax")
    x = mx.sym.cast(x, dtype="int64", name="mul_cast")
    return named(x * 2, name="mul")
    """
    value = b.cast(value, value.dtype if value.dtype.startswith("float") else "float32")
    size = elements_in(value.sizes) if dim is None else value.sizes[dim] if value.rank else 1
    if isinstance(size, int) and size > 2**24:
        raise Refused(f"{op}() over {size} places: MXNet gives float32, exact up to 2^24")
    if dim is None:
        if elements_in(value.sizes) is None or isinstance(elements_in(value.sizes), Dim):
            raise Refused(f"{op}() over the batch axis", "give a dim")
        flat = reshape_to(b, value, (elements_in(value.sizes) or 0,), hint="flat")
        return b.op(op, flat, axis=0, hint=hint)
    return b.op(op, value, axis=dim % max(value.rank, 1), keepdims=keepdim, hint=hint)


@lowers("argmax", whole_as_floats=True, op="argmax")
@lowers("argmin", whole_as_floats=True, op="argmin")
def argmax(b: Builder, input: Value, dim: int | None = None, keepdim: bool = False, *, op: str) -> Value:
    return position(b, op, input, dim, keepdim)


@lowers("any", op="max")
@lowers("all", op="min")
def any_all(b: Builder, input: Value, dim: Axes = None, keepdim: bool = False, *, op: str) -> Value:
    """Whether any or all hold.

    torch: any and all.
    MXNet: has no such ops.
    We write: the maximum or minimum of x != 0.
    Source: torch.any; mx.sym.max.

    >>> converted(lambda x: torch.any(x > 0, 1), (2, 3))
    x = named(x > 0, name="gt")
    x = named(x != 0, name="any_truth")
    return mx.sym.max(x, axis=1, name="any")
    """
    truth = b.with_number("x != c", b.cast(input, "float32"), 0, hint="truth")
    return reduction(b, op, truth, dim, keepdim)


@lowers("logsumexp")
def logsumexp(b: Builder, input: Value, dim: Axes = None, keepdim: bool = False) -> Value:
    """The logarithm of the sum of exponentials.

    torch: does not overflow, not even at infinities.
    MXNet: has no such op.
    We write: the maximum is taken off before, within float32, and added after.
    Source: torch.logsumexp; mx.sym.max.

    >>> converted(lambda x: torch.logsumexp(x, 1), (2, 3))
    peak = mx.sym.max(x, axis=1, keepdims=True, name="logsumexp_peak")
    below = named(mx.sym.maximum(peak, -3.4028234663852886e38), name="logsumexp_peak_bounded_below")
    bounded = named(mx.sym.minimum(below, 3.4028234663852886e38), name="logsumexp_peak_bounded")
    x = mx.sym.exp(mx.sym.broadcast_sub(x, bounded, name="logsumexp_shifted"), name="logsumexp_exp")
    x = mx.sym.sum(x, axis=1, keepdims=True, name="logsumexp_sum")
    x = mx.sym.elemwise_add(mx.sym.log(x, name="logsumexp_log"), bounded, name="logsumexp")
    return mx.sym.Reshape(x, shape=(-1,), name="logsumexp_shaped")
    """
    axes = axes_of(dim, input.rank)
    input = _computed_in(b, input)
    peak = reduction(b, "max", input, axes, True, hint="peak")
    peak = bounded(b, peak, "peak_bounded")  # an infinite one less itself is not a number
    shifted = b.op("broadcast_sub", input, peak, hint="shifted")
    total = reduction(b, "sum", b.op("exp", shifted, hint="exp"), axes, True, hint="sum")
    result = binary(b, "add", b.op("log", total, hint="log"), peak)
    return result if keepdim else reshape_to(b, result, b.out.shape, hint="shaped")


# Whether the axes stay is the node's shape.
@lowers("var", ignores=("keepdim",))
@lowers("std", ignores=("keepdim",), is_std=True)
@lowers("var_mean", ignores=("keepdim",), with_mean=True)
@lowers("std_mean", ignores=("keepdim",), is_std=True, with_mean=True)
def variance(
    b: Builder,
    input: Value,
    dim: Axes | bool = None,
    unbiased: bool | None = None,
    correction: float | None = None,
    *,
    is_std: bool = False,
    with_mean: bool = False,
) -> Value | list[Value]:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    lost = 1.0 if correction is None else float(correction)
    lost = lost if unbiased is None else float(unbiased)
    axes = axes_of(dim, input.rank)
    if not axes:
        raise b.refuse(f"{b.node.op}() of one number")
    mean_value, value = moments(b, input, axes, lost)
    if is_std:
        value = b.op("sqrt", value, hint="std")
    results = [value, mean_value] if with_mean else [value]
    shaped = [
        reshape_to(b, v, kind.shape, hint=f"shaped{i}")
        for i, (v, kind) in enumerate(zip(results, b.node.outputs, strict=True))
    ]
    return shaped if len(shaped) > 1 else shaped[0]


# `dtype` is the dtype of the result, in which the rule computes.
@lowers("norm", ignores=("dtype",))
def norm(
    b: Builder, input: Value, p: float | str | None = 2, dim: Axes = None, keepdim: bool = False
) -> Value:
    return _norm(b, input, 2 if p is None else p, dim, keepdim)


@lowers("linalg_vector_norm", ignores=("dtype",))
def linalg_vector_norm(
    b: Builder, input: Value, ord: float = 2, dim: Axes = None, keepdim: bool = False
) -> Value:
    return _norm(b, input, ord, dim, keepdim)


def _norm(b: Builder, input: Value, order: float | str, dim: Axes, keepdim: bool) -> Value:
    x = _computed_in(b, input)
    if x.rank == 0:
        return b.with_number("x != c", x, 0) if order == 0 else b.op("abs", x, gives=())
    return vector_norm(b, x, order, axes_of(dim, x.rank), keepdim)


@lowers("cumsum", ignores=("dtype",))
def cumsum(b: Builder, input: Value, dim: int) -> Value:
    if input.rank == 0:
        return input
    return b.op("cumsum", _computed_in(b, input), axis=dim % input.rank)


@lowers("cumprod", ignores=("dtype",))
def cumprod(b: Builder, input: Value, dim: int) -> Value:
    """The running product.

    torch: cumprod.
    MXNet: has cumsum alone.
    We write: the product of every prefix.
    Source: torch.cumprod; mx.sym.cumsum.

    >>> converted(lambda x: torch.cumprod(x, 1), (2, 3))
    x = mx.sym.expand_dims(x, axis=1, name="cumprod_rows")
    x = mx.sym.broadcast_mul(x, cumprod_seen, name="cumprod_kept")
    return mx.sym.prod(
        mx.sym.broadcast_add(x, cumprod_unseen, name="cumprod_filled"), axis=2, name="cumprod"
    )
    """
    if input.rank == 0:
        return input
    table, axis = prefixes(b, _computed_in(b, input), dim % input.rank, 1)
    return b.op("prod", table, axis=axis)


@lowers("logcumsumexp")
def logcumsumexp(b: Builder, input: Value, dim: int) -> Value:
    if input.rank == 0:
        return input
    table, axis = prefixes(b, input, dim % input.rank, -1e30)
    peak = b.op("max", table, axis=axis, keepdims=True, hint="peak")
    shifted = b.op("broadcast_sub", table, peak, hint="shifted")
    total = b.op("sum", b.op("exp", shifted, hint="exp"), axis=axis, hint="sum")
    flat = b.op("squeeze", peak, axis=axis, hint="peaks")
    return b.op("elemwise_add", b.op("log", total, hint="log"), flat)


def _one(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], 1, *shape[axis + 1 :])


@lowers("linalg_norm", ignores=("dtype",))
@lowers("linalg_matrix_norm", ignores=("dtype",), matrix=True)
def linalg_norm(
    b: Builder,
    input: Value,
    ord: float | str | None = None,
    dim: Axes = None,
    keepdim: bool = False,
    *,
    matrix: bool = False,
) -> Value:
    axes = axes_of((-2, -1) if matrix and dim is None else dim, input.rank)
    if len(axes) == 1 or (ord is None and not matrix):
        return vector_norm(b, input, 2 if ord is None else ord, axes, keepdim)
    order = "fro" if ord is None else ord
    if order == "fro":
        return vector_norm(b, input, 2, axes, keepdim)
    if isinstance(order, str) or abs(order) not in {1, math.inf}:
        raise b.refuse(f"a matrix norm of order {order}: MXNet has no singular values without its own layout")
    raw = (-2, -1) if dim is None else dim
    raw = of_kind(raw, tuple)
    rows, columns = (d % input.rank for d in raw)
    summed, other = (rows, columns) if abs(order) == 1 else (columns, rows)
    size = b.op("abs", input, hint="abs", gives=input.shape)
    sums = b.op("sum", size, axis=summed, keepdims=True, hint="sums", gives=_one(input.sizes, summed))
    best = b.op("max" if order > 0 else "min", sums, axis=other, keepdims=True, hint="norm")
    return reshape_to(b, _shaped(best, _one(_one(input.sizes, rows), columns)), b.out.shape)


def _shaped(value: Value, shape: Shape) -> Value:
    return Value(value.operand, shape, value.dtype)


@lowers("count_nonzero")
def count_nonzero(b: Builder, input: Value, dim: Axes = None) -> Value:
    truth = b.with_number("x != c", b.cast(input, "float32"), 0, hint="truth")
    return reduction(b, "sum", truth, dim, False)


@lowers("nansum", ignores=("dtype",), is_mean=False)
@lowers("nanmean", ignores=("dtype",), is_mean=True)
def nansum(b: Builder, input: Value, dim: Axes = None, keepdim: bool = False, *, is_mean: bool) -> Value:
    x = _computed_in(b, input)
    known = b.op("broadcast_equal", x, x, hint="known")  # a NaN is not equal to itself
    zeros = b.op("zeros_like", x, hint="zeros")
    total = reduction(b, "sum", b.op("where", known, x=x, y=zeros, hint="kept"), dim, keepdim)
    if not is_mean:
        return total
    return binary(b, "div", total, reduction(b, "sum", known, dim, keepdim, hint="count"))


@lowers("diff")
def diff(
    b: Builder,
    input: Value,
    n: int = 1,
    dim: int = -1,
    prepend: Value | None = None,
    append: Value | None = None,
) -> Value:
    if n == 0:
        return input  # torch joins nothing then
    axis = dim % input.rank
    ends = [v for v in (prepend, input, append) if v is not None]
    x = input
    if len(ends) > 1:
        total = sum(s for s in (v.sizes[axis] for v in ends) if isinstance(s, int))
        x = b.op("Concat", ends, dim=axis, hint="joined", gives=_sized(input.sizes, axis, total))
    for step in range(n):
        size = x.sizes[axis]
        if isinstance(size, Dim):
            raise b.refuse_batch("diff() along the batch axis")
        later = cut(b, x, axis, 1, size, hint=f"later{step}")
        earlier = cut(b, x, axis, 0, size - 1, hint=f"earlier{step}")
        name = "" if step == n - 1 else f"step{step}"
        x = b.op(
            "elemwise_sub" if b.out.dtype != "bool" else "broadcast_not_equal", later, earlier, hint=name
        )
    return x


def _sized(shape: Shape, axis: int, size: int) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])


@lowers("cosine_similarity", takes_numbers=True)
def cosine_similarity(b: Builder, x1: Value, x2: Value, dim: int = 1, eps: float = 1e-8) -> Value:
    axis = (dim % (len(b.out.shape) + 1),)
    products = binary(b, "mul", x1, x2, hint="products")
    top = reduction(b, "sum", products, axis, False, hint="dot")
    parts = []
    for name, x in (("x1", x1), ("x2", x2)):
        rank = products.rank
        x = same_rank(b, x, Value(None, (1,) * rank, x.dtype))[0]
        length = products.sizes[axis[0]]
        if x.sizes[axis[0]] != length:  # broadcast along the axis: each place counts
            x = spread(b, x, (*x.sizes[: axis[0]], length, *x.sizes[axis[0] + 1 :]), f"{name}_wide")
        norm = vector_norm(b, x, 2, axis, False, hint=f"{name}_norm")
        parts.append(b.with_number("maximum(x, c)", norm, eps, hint=f"{name}_bounded"))
    return binary(b, "div", binary(b, "div", top, parts[0], hint="scaled"), parts[1])


@lowers("pairwise_distance")
def pairwise_distance(
    b: Builder, x1: Value, x2: Value, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Value:
    check_floats(b, "whose differences wrap round", "uint8")
    gap = binary(b, "add", binary(b, "sub", x1, x2, hint="difference"), eps, hint="eps")
    return vector_norm(b, gap, p, (gap.rank - 1,), keepdim)


# How the distances are computed is torch's business.
@lowers("cdist", ignores=("compute_mode",))
def cdist(b: Builder, x1: Value, x2: Value, p: float = 2.0) -> Value:
    rows = b.op("expand_dims", x1, axis=x1.rank - 1, hint="rows")
    columns = b.op("expand_dims", x2, axis=x2.rank - 2, hint="columns")
    gap = binary(b, "sub", rows, columns, hint="difference")
    return vector_norm(b, gap, p, (gap.rank - 1,), False)


@lowers("dist")
def dist(b: Builder, input: Value, other: Value, p: float = 2.0) -> Value:
    gap = binary(b, "sub", input, other, hint="difference")
    return vector_norm(b, gap, p, axes_of(None, gap.rank), False)
