"""Arithmetic between tensors and numbers, with torch's broadcasting and dtypes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.value import MX_DTYPES, Value
from codegen.idioms.shapes import spread
from codegen.ir import Dim

Number = float | int | bool
Operand = Value | Number
_EXPRESSIONS = {
    "add": ("x + c", "x + c"),
    "sub": ("x - c", "c - x"),
    "mul": ("x * c", "x * c"),
    "div": ("x / c", "c / x"),
    "power": ("x ** c", "c ** x"),
    "mod": ("x % c", "c % x"),
    "equal": ("x == c", "x == c"),
    "not_equal": ("x != c", "x != c"),
    "greater": ("x > c", "x < c"),
    "greater_equal": ("x >= c", "x <= c"),
    "lesser": ("x < c", "x > c"),
    "lesser_equal": ("x <= c", "x >= c"),
    "maximum": ("maximum(x, c)", "maximum(x, c)"),
    "minimum": ("minimum(x, c)", "minimum(x, c)"),
}


def number_of(operand: Operand) -> Number | None:
    """The number that an operand is: a Python one, or a 0-d constant."""
    if not isinstance(operand, Value):
        return operand
    if operand.const is not None and operand.const.ndim == 0:
        number: Number = operand.const.item()
        return number
    return None


def binary(b: Builder, op: str, left: Operand, right: Operand, hint: str = "", dtype: str = "") -> Value:
    """`left op right` computed in `dtype` (the result's by default), for any mix of tensors and numbers."""
    dtype = dtype or result_dtype(b)
    left = batch_number(b, left, dtype) if isinstance(left, Dim) else left
    right = batch_number(b, right, dtype) if isinstance(right, Dim) else right
    left_number, right_number = number_of(left), number_of(right)
    if (
        isinstance(left, Value)
        and isinstance(right, Value)
        and left_number is not None
        and right_number is not None
    ):
        left_number = None  # two 0-d constants: one stays a tensor
        left = b.constant(np.asarray([left.const], dtype), "left") if left.const is not None else left
    if right_number is not None and isinstance(left, Value):
        return _with_number(b, _EXPRESSIONS[op][0], left, right_number, hint, dtype)
    if left_number is not None and isinstance(right, Value):
        return _with_number(b, _EXPRESSIONS[op][1], right, left_number, hint, dtype)
    assert isinstance(left, Value)
    assert isinstance(right, Value)
    return _of_tensors(b, op, b.cast(left, dtype), b.cast(right, dtype), hint)


def batch_number(b: Builder, size: Dim, dtype: str) -> Value:
    """A size that follows the batch, as a tensor of one number."""
    for name in b.graph.inputs:
        like = b.input(name)
        for axis, own in enumerate(like.sizes):
            if isinstance(own, Dim):
                sizes = b.op("shape_array", like, hint="sizes")
                number = b.op("slice_axis", sizes, axis=0, begin=axis, end=axis + 1, hint="batch")
                number = b.op("cast", number, dtype=dtype, hint="batch_number")
                factor = size.coef / own.coef
                if factor != 1:
                    number = b.with_number("x * c", number, float(factor), hint="scaled_batch")
                rest = size.const - own.const * factor
                number = b.with_number("x + c", number, float(rest), hint="size") if rest else number
                return replace(number, shape=())
    raise b.refuse("arithmetic with the batch size", "fix the batch size with --input")


def result_dtype(b: Builder) -> str:
    dtype = MX_DTYPES[b.out.dtype]
    return "float32" if dtype == "bool" else dtype


def _with_number(b: Builder, expression: str, value: Value, number: Number, hint: str, dtype: str) -> Value:
    value = b.cast(value, dtype)
    number = float(number) if isinstance(number, bool) else number
    if isinstance(number, complex):
        raise b.refuse("arithmetic with a complex number, which MXNet does not have")
    if _is_neutral(expression, number):
        return value
    return b.with_number(expression, value, number, hint=hint)


def _is_neutral(expression: str, number: Number) -> bool:
    return (expression in {"x + c", "x - c"} and number == 0) or (
        expression in {"x * c", "x / c", "x ** c"} and number == 1
    )


def _of_tensors(b: Builder, op: str, left: Value, right: Value, hint: str) -> Value:
    if left.sizes == right.sizes and op in {"add", "sub", "mul", "div"}:
        return b.op(f"elemwise_{op}", left, right, hint=hint)
    left, right = same_rank(b, left, right)
    name = {"power": "broadcast_power", "mod": "broadcast_mod"}.get(op, f"broadcast_{op}")
    return b.op(name, left, right, hint=hint)


def same_rank(b: Builder, *values: Value) -> list[Value]:
    """The values with axes of size 1 in front, as torch broadcasts them; MXNet wants equal ranks."""
    rank = max(v.rank for v in values)
    return [_ranked(b, v, rank, i) for i, v in enumerate(values)]


def _ranked(b: Builder, value: Value, rank: int, number: int) -> Value:
    missing = rank - (value.rank or 1) if rank else 0
    if missing <= 0:
        return replace(value, shape=value.shape or (1,) * min(rank, 1))
    sizes = (1,) * (rank - value.rank) + value.sizes
    if value.const is not None:
        return replace(value, shape=sizes, const=value.const.reshape(sizes), operand=None)  # type: ignore[arg-type]
    if value.rank == 1:
        code = (1,) * (rank - 1) + (-1,)
    else:
        code = tuple(-1 if isinstance(s, Dim) else s for s in sizes)
    return b.op("Reshape", value, shape=code, hint="lhs" if number == 0 else "rhs")


def select(b: Builder, condition: Value, left: Value, right: Value, hint: str = "") -> Value:
    value = b.op("where", condition, x=left, y=right, hint=hint)
    return replace(value, dtype=left.dtype)


def full_like(b: Builder, like: Value, number: Number, dtype: str, hint: str) -> Value:
    """A tensor of one number in the shape of `like`."""
    zeros = b.op("zeros_like", b.cast(like, dtype), hint=f"{hint}_zeros")
    if number == 0:
        return zeros
    return b.with_number("x + c", zeros, float(number) if dtype.startswith("float") else number, hint=hint)


FLOAT_MAX = float(np.finfo(np.float32).max)


def bounded(b: Builder, x: Value, hint: str) -> Value:
    """The ends of float32 in place of infinities, by comparison: clip reads its own limits as infinities."""
    low = b.with_number("maximum(x, c)", x, -FLOAT_MAX, hint=f"{hint}_below")
    return b.with_number("minimum(x, c)", low, FLOAT_MAX, hint=hint)


def made(b: Builder, number: float) -> Value:
    """A tensor of one number in the node's shape, whose sizes may follow the batch."""
    dtype = MX_DTYPES[b.out.dtype]
    dtype = "float32" if dtype == "bool" else dtype
    shape = tuple(1 if isinstance(s, Dim) else s for s in b.out.shape) or (1,)
    kind = {0.0: "zeros", 1.0: "ones"}.get(float(number)) if not isinstance(number, Value) else None
    if kind is None:
        one = b.op("ones", shape=shape, dtype=dtype, hint="ones")
        value = b.with_number("x * c", one, number, hint="full")
    else:
        value = b.op(kind, shape=shape, dtype=dtype, hint=kind)
    return spread(b, value, b.out.shape or (1,), "batch")


def made_dtype(b: Builder) -> str:
    dtype = MX_DTYPES[b.out.dtype]
    return "float32" if dtype == "bool" else dtype


def where_of(b: Builder, condition: Value, input: Operand, other: Operand) -> Value:
    """`input` where `condition` holds, else `other`, for any mix of tensors and numbers."""
    dtype = result_dtype(b)
    shape = b.out.shape or (1,)

    def filled(operand: Operand, hint: str) -> Value:
        number = number_of(operand)
        if number is None:
            assert isinstance(operand, Value)
            return spread(b, b.cast(operand, dtype), shape, hint)
        return full_like(b, condition, number, dtype, hint)

    condition = spread(b, b.cast(condition, "float32"), shape, "condition")
    return select(b, condition, filled(input, "x"), filled(other, "y"))
