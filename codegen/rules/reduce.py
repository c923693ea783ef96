"""Reductions over axes."""

from __future__ import annotations

import math

from codegen.lower import MX_DTYPES, Builder, Refused, Value
from codegen.registry import lowers
from codegen.rules.arithmetic import binary
from codegen.rules.layout import reshape_to
from tracer.ir import Dim, Shape, product

Axes = int | tuple[int, ...] | None


def axes_of(dim: Axes, rank: int) -> tuple[int, ...]:
    """The axes that torch's `dim` names: all of them for None and ()."""
    if rank == 0:
        return ()
    if dim is None or dim == ():
        return tuple(range(rank))
    return tuple(sorted({d % rank for d in ((dim,) if isinstance(dim, int) else dim)}))


def reduced(shape: Shape, axes: tuple[int, ...], keepdim: bool) -> Shape:
    """The shape after a reduction."""
    if keepdim:
        return tuple(1 if i in axes else s for i, s in enumerate(shape))
    return tuple(s for i, s in enumerate(shape) if i not in axes)


def reduction(b: Builder, op: str, x: Value, dim: Axes, keepdim: bool, hint: str = "") -> Value:
    """One of MXNet's reductions, in torch's shape."""
    axes = axes_of(dim, x.rank)
    gives = reduced(x.sizes, axes, keepdim)
    if not axes:
        return x
    axis = axes[0] if len(axes) == 1 else axes
    return b.op(op, x, axis=axis, keepdims=keepdim, hint=hint, gives=gives)


def _computed_in(b: Builder, value: Value) -> Value:
    dtype = MX_DTYPES[b.out.dtype]
    return b.cast(value, "float32" if dtype == "bool" else dtype)


# `dtype` is the dtype of the result, in which the rule computes.
@lowers("mean", "sum", ignores=("dtype",))
def mean(b: Builder, input: Value, dim: Axes = None, keepdim: bool = False) -> Value:
    return reduction(b, b.node.op, _computed_in(b, input), dim, keepdim)


@lowers("prod", ignores=("dtype",))
def prod(b: Builder, input: Value, dim: Axes = None, keepdim: bool = False) -> Value:
    return reduction(b, "prod", _computed_in(b, input), dim, keepdim)


@lowers("amax", "amin")
def amax(b: Builder, input: Value, dim: Axes = None, keepdim: bool = False) -> Value:
    return reduction(b, b.node.op[1:], input, dim, keepdim)


@lowers("max", "min")
def extreme(
    b: Builder, input: Value, dim: Axes = None, keepdim: bool = False, other: Value | None = None
) -> Value | list[Value]:
    op = b.node.op
    if other is not None:
        return binary(b, f"{op}imum", input, other)
    value = reduction(b, op, _ordered(b, input), dim, keepdim)
    if dim is None:
        return value
    assert isinstance(dim, int)
    return [value, position(b, f"arg{op}", input, dim, keepdim, hint="indices")]


@lowers("aminmax")
def aminmax(b: Builder, input: Value, dim: Axes = None, keepdim: bool = False) -> list[Value]:
    return [reduction(b, op, input, dim, keepdim, hint=op) for op in ("min", "max")]


def _ordered(b: Builder, value: Value) -> Value:
    return b.cast(value, "float32") if value.is_bool else value


def position(b: Builder, op: str, value: Value, dim: int | None, keepdim: bool, hint: str = "") -> Value:
    """argmax or argmin: MXNet gives float32, which is exact up to 2^24 places."""
    value = b.cast(value, value.dtype if value.dtype.startswith("float") else "float32")
    size = product(value.sizes) if dim is None else value.sizes[dim] if value.rank else 1
    if isinstance(size, int) and size > 2**24:
        raise Refused(f"{op}() over {size} places: MXNet gives float32, exact up to 2^24")
    if dim is None:
        if product(value.sizes) is None or isinstance(product(value.sizes), Dim):
            raise Refused(f"{op}() over the batch axis", "give a dim")
        flat = reshape_to(b, value, (product(value.sizes) or 0,), hint="flat")
        return b.op(op, flat, axis=0, hint=hint)
    return b.op(op, value, axis=dim % max(value.rank, 1), keepdims=keepdim, hint=hint)


@lowers("argmax", "argmin")
def argmax(b: Builder, input: Value, dim: int | None = None, keepdim: bool = False) -> Value:
    return position(b, b.node.op, input, dim, keepdim)


@lowers("any", "all")
def any_all(b: Builder, input: Value, dim: Axes = None, keepdim: bool = False) -> Value:
    truth = b.with_number("x != c", b.cast(input, "float32"), 0, hint="truth")
    return reduction(b, "max" if b.node.op == "any" else "min", truth, dim, keepdim)


@lowers("logsumexp")
def logsumexp(b: Builder, input: Value, dim: Axes = None, keepdim: bool = False) -> Value:
    axes = axes_of(dim, input.rank)
    input = _computed_in(b, input)
    peak = reduction(b, "max", input, axes, True, hint="peak")
    shifted = b.op("broadcast_sub", input, peak, hint="shifted", gives=input.shape)
    total = reduction(b, "sum", b.op("exp", shifted, hint="exp", gives=input.shape), axes, True, hint="sum")
    result = binary(b, "add", b.op("log", total, hint="log", gives=total.shape), peak)
    return result if keepdim else reshape_to(b, result, b.out.shape, hint="shaped")


def moments(b: Builder, x: Value, axes: tuple[int, ...], correction: float) -> tuple[Value, Value]:
    """Mean and variance over `axes`, both with the axes kept."""
    kept = reduced(x.sizes, axes, True)
    count = product([x.sizes[a] for a in axes])
    if not isinstance(count, int):
        raise b.refuse("a variance over the batch axis", "fix the batch size with --input")
    mean = b.op("mean", x, axis=axes, keepdims=True, hint="mean", gives=kept)
    centred = b.op("broadcast_sub", x, mean, hint="centred", gives=x.shape)
    squares = b.op("square", centred, hint="squares", gives=x.shape)
    total = b.op("sum", squares, axis=axes, keepdims=True, hint="sum", gives=kept)
    if count <= correction:
        raise b.refuse(f"a variance of {count} numbers with correction {correction}, which is not a number")
    return mean, b.with_number("x / c", total, count - correction, hint="var")


@lowers("var", "std", "var_mean", "std_mean")
def variance(
    b: Builder,
    input: Value,
    dim: Axes | bool = None,
    unbiased: bool | None = None,
    correction: float | None = None,
    keepdim: bool = False,
) -> Value | list[Value]:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    lost = 1.0 if correction is None else float(correction)
    lost = lost if unbiased is None else float(unbiased)
    axes = axes_of(dim, input.rank)
    if not axes:
        raise b.refuse(f"{b.node.op}() of one number")
    mean_value, value = moments(b, input, axes, lost)
    if b.node.op.startswith("std"):
        value = b.op("sqrt", value, hint="std", gives=value.shape)
    results = [value, mean_value] if b.node.op.endswith("mean") else [value]
    shaped = [
        reshape_to(b, v, kind.shape, hint=f"shaped{i}")
        for i, (v, kind) in enumerate(zip(results, b.node.outputs, strict=True))
    ]
    return shaped if len(shaped) > 1 else shaped[0]


def vector_norm(
    b: Builder, x: Value, p: float | str, axes: tuple[int, ...], keepdim: bool, hint: str = ""
) -> Value:
    """The p-norm over axes, for any p."""
    if p == "fro" or p == 2:
        squares = b.op("square", x, hint="squares", gives=x.shape)
        total = reduction(b, "sum", squares, axes, keepdim, hint="sum")
        return b.op("sqrt", total, hint=hint, gives=total.shape)
    if isinstance(p, str):
        raise b.refuse(f"norm() with p={p!r}")
    size = b.op("abs", x, hint="abs", gives=x.shape)
    if math.isinf(p):
        return reduction(b, "max" if p > 0 else "min", size, axes, keepdim, hint=hint)
    if p == 0:
        counted = b.with_number("x != c", x, 0, hint="counted")
        return reduction(b, "sum", counted, axes, keepdim, hint=hint)
    if p == 1:
        return reduction(b, "sum", size, axes, keepdim, hint=hint)
    powers = b.with_number("x ** c", size, p, hint="power")
    total = reduction(b, "sum", powers, axes, keepdim, hint="sum")
    return b.with_number("x ** c", total, 1 / p, hint=hint)


# `dtype` is the dtype of the result, in which the rule computes.
@lowers("norm", "linalg_vector_norm", ignores=("dtype",))
def norm(
    b: Builder,
    input: Value,
    p: float | str | None = 2,
    dim: Axes = None,
    keepdim: bool = False,
    ord: float = 2,
) -> Value:
    order = ord if b.node.op.startswith("linalg") else 2 if p is None else p
    x = _computed_in(b, input)
    if x.rank == 0:
        return b.op("abs", x, gives=())
    return vector_norm(b, x, order, axes_of(dim, x.rank), keepdim)


@lowers("cumsum", ignores=("dtype",))
def cumsum(b: Builder, input: Value, dim: int) -> Value:
    if input.rank == 0:
        return input
    return b.op("cumsum", _computed_in(b, input), axis=dim % input.rank, gives=input.shape)
