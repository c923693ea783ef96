"""Comparisons, logic, choices and limits."""

from __future__ import annotations

import math

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers, lowers_each
from codegen.builder.value import Value
from codegen.idioms.elementwise import (
    Number,
    Operand,
    as_stored,
    binary,
    bounded,
    full_like,
    largest,
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


def _in_range(operand: Operand, dtype: str) -> Operand:
    """A number as the dtype has it: torch wraps what lies beyond an unsigned one, so that -1 is 255."""
    number = number_of(operand)
    return operand if dtype != "uint8" or number is None else int(number) % 256


def _clips(low: Number, high: Number) -> bool:
    """Whether MXNet's clip takes the limits: it reads the ends of float32 as infinities."""
    return abs(low) < 3.4e38 and abs(high) < 3.4e38


@lowers("clamp", "clamp_min", "clamp_max")
def clamp(b: Builder, input: Value, min: Operand | None = None, max: Operand | None = None) -> Value:
    """Limits.

    torch: a limit may be a tensor, an infinity, or missing; the upper one wins where they cross.
    MXNet: clip takes two numbers, and reads the ends of float32, 3.4028235e38, as infinities.
    We write: clip for two numbers within; else `maximum` and `minimum`.
    Source: torch.clamp; mx.sym.clip, measured.

    >>> converted(lambda x: x.clamp(0, 1), (2, 3))
    return mx.sym.clip(x, a_min=0, a_max=1, name="clamp")
    >>> converted(lambda x: x.clamp(min=0), (2, 3))
    return named(mx.sym.maximum(x, 0), name="clamp")
    """
    min, max = (
        None if limit is None else _in_range(limit, result_dtype(b))
        for limit in map(_finite_limit, (min, max))
    )
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
    """Comparisons.

    torch: give bool, whatever they compare, and promote operands of different dtypes.
    MXNet: give 0 and 1 in the dtype of their operands, which must be the same.
    We write: casts to the dtype in which torch compares. What is a bool in torch is 0 and 1 in any dtype, and
        is cast where something computes with it.
    Source: torch.gt; mx.sym.broadcast_greater, measured.

    >>> converted(lambda x: x > 1, Ints((2, 3)))
    return named(x > 1, name="gt")
    >>> converted(lambda x, y: (x > y) * y, Ints((2, 3)), (2, 3))
    x = mx.sym.broadcast_greater(mx.sym.cast(x, dtype="float32", name="gt_cast"), y, name="gt")
    return mx.sym.elemwise_mul(x, y, name="mul")
    """
    dtype = _common(input, other)
    return binary(b, relation, _in_range(input, dtype), _in_range(other, dtype), dtype=dtype)


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
    """Logic by the bitwise operators.

    torch: bitwise ops of bools and of whole numbers.
    MXNet: has none.
    We write: logical ops for bools; whole numbers are refused.
    Source: torch.bitwise_and; mx.sym.broadcast_logical_and.

    >>> converted(lambda x: (x > 0) & (x < 1), (2, 3))
    gt = named(x > 0, name="gt")
    x = named(x < 1, name="lt")
    return mx.sym.broadcast_logical_and(gt, x, name="bitwise_and")
    """
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
    return where_of(b, mask, as_stored(b, value), input)


@lowers("isnan")
def isnan(b: Builder, input: Value) -> Value:
    """The places that hold no number.

    torch: isnan.
    MXNet: has no such op.
    We write: x != x, which holds for NaN alone.
    Source: torch.isnan; mx.sym.broadcast_not_equal.

    >>> converted(lambda x: torch.isnan(x), (2, 3))
    return mx.sym.broadcast_not_equal(x, x, name="isnan")
    """
    return b.op("broadcast_not_equal", input, input)


@lowers("isposinf")
def isposinf(b: Builder, input: Value) -> Value:
    return b.with_number("x > c", input, largest(input.dtype))


@lowers("isneginf")
def isneginf(b: Builder, input: Value) -> Value:
    return b.with_number("x < c", input, -largest(input.dtype))


@lowers_each("relation", {"isinf": "x > c", "isfinite": "x <= c"})
def isinf(b: Builder, input: Value, *, relation: str) -> Value:
    """The places that hold an infinity, or none.

    torch: isinf and isfinite.
    MXNet: has no such ops.
    We write: a comparison of |x| with the largest number of the dtype.
    Source: torch.isinf; mx.sym.abs.

    >>> converted(lambda x: torch.isinf(x), (2, 3))
    x = mx.sym.abs(x, name="isinf_abs")
    return named(x > 3.4028234663852886e38, name="isinf")
    """
    size = b.op("abs", input, hint="abs")
    return b.with_number(relation, size, largest(input.dtype))


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
            beyond = b.with_number(
                "x > c" if sign > 0 else "x < c", x, sign * largest(x.dtype), hint=f"is_{name}"
            )
            x = select(b, beyond, full_like(b, x, limit, x.dtype, name), x, hint=f"without_{name}")
    known = b.op("broadcast_equal", input, input, hint="known")
    return select(b, known, bounded(b, x, "bounded"), full_like(b, input, nan or 0, input.dtype, "nan"))
