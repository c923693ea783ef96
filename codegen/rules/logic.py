"""Comparisons, logic, choices and limits."""

from __future__ import annotations

import math

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers, lowers_each
from codegen.builder.value import Value
from codegen.idioms.elementwise import (
    FLOAT_MAX,
    Number,
    Operand,
    binary,
    bounded,
    full_like,
    number_of,
    result_dtype,
    same_rank,
    select,
    where_of,
)


@lowers("maximum", "fmax")
def maximum(b: Builder, input: Operand, other: Operand) -> Value:
    return binary(b, "maximum", input, other)


@lowers("minimum", "fmin")
def minimum(b: Builder, input: Operand, other: Operand) -> Value:
    return binary(b, "minimum", input, other)


def _finite_limit(limit: Operand | None) -> Operand | None:
    number = None if limit is None else number_of(limit)
    return None if number is not None and math.isinf(number) else limit


def _clips(low: Number, high: Number) -> bool:
    """Whether MXNet's clip takes the limits: it reads the ends of float32 as infinities."""
    return abs(low) < 3.4e38 and abs(high) < 3.4e38


@lowers("clamp", "clamp_min", "clamp_max")
def clamp(b: Builder, input: Value, min: Operand | None = None, max: Operand | None = None) -> Value:
    min, max = (_finite_limit(limit) for limit in (min, max))
    low, high = (None if limit is None else number_of(limit) for limit in (min, max))
    dtype = result_dtype(b)
    if low is not None and high is not None and dtype.startswith("float") and _clips(low, high):
        if low > high:
            low = high
        return b.op("clip", b.cast(input, dtype), a_min=low, a_max=high)
    value = b.cast(input, dtype)
    if min is not None:
        value = binary(b, "maximum", value, min, hint="" if max is None else "low")
    return value if max is None else binary(b, "minimum", value, max)


_COMPARISONS = {
    "eq": "equal",
    "ne": "not_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "lt": "lesser",
    "le": "lesser_equal",
}


@lowers_each("relation", _COMPARISONS)
def compare(b: Builder, input: Operand, other: Operand, *, relation: str) -> Value:
    return binary(b, relation, input, other, dtype=_common(input, other))


def _common(left: Operand, right: Operand) -> str:
    """The dtype in which two operands are compared, as torch promotes them."""
    dtypes = [v.dtype for v in (left, right) if isinstance(v, Value)]
    if any(isinstance(v, float) for v in (left, right)):
        dtypes.append("float32")
    if "float64" in dtypes:
        return "float64"
    whole = [d for d in dtypes if not d.startswith("float")]
    if len(whole) == len(dtypes):
        return "int64" if len(set(whole)) > 1 else whole[0]
    return "float32"


@lowers_each("kind", {"bitwise_and": "and", "bitwise_or": "or", "bitwise_xor": "xor"})
def bitwise(b: Builder, input: Operand, other: Operand, *, kind: str) -> Value:
    if b.out.dtype != "bool":
        raise b.refuse(
            f"{b.node.op}() on whole numbers: MXNet has no bitwise ops", "compute the mask with comparisons"
        )
    return logic(b, input, other, kind=kind)


@lowers_each("kind", {"logical_and": "and", "logical_or": "or", "logical_xor": "xor"})
def logic(b: Builder, input: Operand, other: Operand, *, kind: str) -> Value:
    left, right = (_truth(b, v) for v in (input, other))
    left, right = same_rank(b, left, right)
    return b.op(f"broadcast_logical_{kind}", left, right)


def _truth(b: Builder, operand: Operand) -> Value:
    if isinstance(operand, Value):
        return b.cast(operand, "float32")
    return b.constant(np.asarray([float(bool(operand))], np.float32), "flag")


@lowers("bitwise_not")
def bitwise_not(b: Builder, input: Value) -> Value:
    if b.out.dtype != "bool":
        return binary(b, "sub", -1, input)  # ~x is -x - 1
    return logical_not(b, input)


@lowers("logical_not")
def logical_not(b: Builder, input: Value) -> Value:
    if b.out.dtype != "bool":
        return b.op("logical_not", input, gives=input.shape)
    return b.op("logical_not", b.cast(input, "float32"))


@lowers("where")
def where(b: Builder, condition: Value, input: Operand, other: Operand) -> Value:
    return where_of(b, condition, input, other)


@lowers("masked_fill")
def masked_fill(b: Builder, input: Value, mask: Value, value: Operand) -> Value:
    return where_of(b, mask, value, input)


@lowers("isnan")
def isnan(b: Builder, input: Value) -> Value:
    return b.op("broadcast_not_equal", input, input)


@lowers("isposinf")
def isposinf(b: Builder, input: Value) -> Value:
    return b.with_number("x > c", input, FLOAT_MAX)


@lowers("isneginf")
def isneginf(b: Builder, input: Value) -> Value:
    return b.with_number("x < c", input, -FLOAT_MAX)


@lowers_each("relation", {"isinf": "x > c", "isfinite": "x <= c"})
def isinf(b: Builder, input: Value, *, relation: str) -> Value:
    size = b.op("abs", input, hint="abs")
    return b.with_number(relation, size, FLOAT_MAX)


@lowers("signbit")
def signbit(b: Builder, input: Value) -> Value:
    return b.with_number("x < c", input, 0)


@lowers("nan_to_num")
def nan_to_num(
    b: Builder,
    input: Value,
    nan: float | None = None,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Value:
    x = input
    for limit, sign, name in ((posinf, 1, "posinf"), (neginf, -1, "neginf")):
        if limit is not None:
            beyond = b.with_number("x > c" if sign > 0 else "x < c", x, sign * FLOAT_MAX, hint=f"is_{name}")
            x = select(b, beyond, full_like(b, x, limit, x.dtype, name), x, hint=f"without_{name}")
    known = b.op("broadcast_equal", input, input, hint="known")
    return select(b, known, bounded(b, x, "bounded"), full_like(b, input, nan or 0, input.dtype, "nan"))
