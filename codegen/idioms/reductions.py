"""Reductions over axes, moments and norms."""

from __future__ import annotations

import math

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.value import Value
from codegen.ir import Dim, Shape, elements_in

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
    if not axes:
        return x
    axis = axes[0] if len(axes) == 1 else axes
    return b.op(op, x, axis=axis, keepdims=keepdim, hint=hint)


def moments(b: Builder, x: Value, axes: tuple[int, ...], correction: float) -> tuple[Value, Value]:
    """Mean and variance.

    Over `axes`, which are kept.

    torch: var and std divide by the number less one, unless correction says otherwise.
    MXNet: has no variance as a symbol.
    We write: the mean of the squares about the mean, divided by what torch divides by.
    Source: torch.var; mx.sym.mean.

    >>> converted(lambda x: x.var(1), (2, 3))
    mean = mx.sym.mean(x, axis=(1,), keepdims=True, name="var_mean")
    x = mx.sym.square(mx.sym.broadcast_sub(x, mean, name="var_centred"), name="var_squares")
    x = mx.sym.sum(x, axis=(1,), keepdims=True, name="var_sum")
    x = named(x / 2.0, name="var_var")
    return mx.sym.Reshape(x, shape=(-1,), name="var_shaped0")
    """
    count = elements_in([x.sizes[a] for a in axes])
    if not isinstance(count, int):
        raise b.refuse_batch("a variance over the batch axis")
    mean = b.op("mean", x, axis=axes, keepdims=True, hint="mean")
    centred = b.op("broadcast_sub", x, mean, hint="centred")
    squares = b.op("square", centred, hint="squares")
    total = b.op("sum", squares, axis=axes, keepdims=True, hint="sum")
    if count <= correction:
        raise b.refuse(f"a variance of {count} numbers with correction {correction}, which is not a number")
    return mean, b.with_number("x / c", total, count - correction, hint="var")


def vector_norm(
    b: Builder, x: Value, p: float | str, axes: tuple[int, ...], keepdim: bool, hint: str = ""
) -> Value:
    """Norms of any order.

    torch: norm takes any order, infinities and 0 too; 2 is the default.
    MXNet: norm refuses any ord but 1 and 2.
    We write: its parts: squares, powers, a maximum or a count.
    Source: torch.linalg.vector_norm; mx.sym.norm, whose error says so.

    >>> converted(lambda x: x.norm(dim=1), (2, 3))
    x = mx.sym.sum(mx.sym.square(x, name="norm_squares"), axis=1, name="norm_sum")
    return mx.sym.sqrt(x, name="norm")
    >>> converted(lambda x: x.norm(p=3, dim=1), (2, 3))
    x = mx.sym.abs(x, name="norm_abs")
    x = named(x**3, name="norm_power")
    x = mx.sym.sum(x, axis=1, name="norm_sum")
    return named(x ** (1 / 3), name="norm")
    """
    if p == "fro" or p == 2:
        squares = b.op("square", x, hint="squares")
        total = reduction(b, "sum", squares, axes, keepdim, hint="sum")
        return b.op("sqrt", total, hint=hint)
    if isinstance(p, str):
        raise b.refuse(f"norm() with p={p!r}")
    size = b.op("abs", x, hint="abs")
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


def prefixes(b: Builder, x: Value, axis: int, filler: float) -> tuple[Value, int]:
    """For each place along `axis` (the new last axis but one), the places up to it; others are `filler`."""
    size = x.sizes[axis]
    if isinstance(size, Dim):
        raise b.refuse_batch(f"{b.node.op}() along the batch axis")
    rows = b.op("expand_dims", x, axis=axis, hint="rows")
    mask_shape = tuple(size if a in {axis, axis + 1} else 1 for a in range(x.rank + 1))
    seen = b.constant(np.tril(np.ones((size, size), x.dtype)).reshape(mask_shape), "seen")
    kept = b.op("broadcast_mul", rows, seen, hint="kept")
    unseen = b.constant(np.triu(np.full((size, size), filler, x.dtype), 1).reshape(mask_shape), "unseen")
    return b.op("broadcast_add", kept, unseen, hint="filled"), axis + 1
