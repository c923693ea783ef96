"""Elementwise arithmetic, comparisons and logic, with torch's broadcasting and dtypes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers, lowers_each
from codegen.builder.value import Value
from codegen.idioms.elementwise import (
    Number,
    Operand,
    binary,
    bounded,
    full_like,
    number_of,
    result_dtype,
    same_rank,
    select,
)
from codegen.idioms.shapes import spread
from codegen.ir import Dim


@lowers("add")
def add(b: Builder, input: Operand, other: Operand, alpha: Number = 1) -> Value:
    if b.out.dtype == "bool":  # torch's sum of bools is their "or"
        return binary(b, "maximum", input, other)
    return binary(b, "add", input, _times(b, other, alpha))


@lowers("sub")
def sub(b: Builder, input: Operand, other: Operand, alpha: Number = 1) -> Value:
    return binary(b, "sub", input, _times(b, other, alpha))


def _times(b: Builder, value: Operand, factor: Number) -> Operand:
    if factor == 1:
        return value
    number = number_of(value)
    return number * factor if number is not None else binary(b, "mul", value, factor, hint="alpha")


@lowers("mul")
def mul(b: Builder, input: Operand, other: Operand) -> Value:
    return binary(b, "mul", input, other)


@lowers("div")
def div(b: Builder, input: Operand, other: Operand, rounding_mode: str | None = None) -> Value:
    if rounding_mode is None:
        return binary(b, "div", input, other)
    return _rounded_quotient(b, input, other, "floor" if rounding_mode == "floor" else "trunc")


def _rounded_quotient(b: Builder, left: Operand, right: Operand, rounding: str) -> Value:
    """A quotient rounded; whole numbers go through float64, which holds them up to 2^53."""
    dtype = result_dtype(b)
    inner = dtype if dtype.startswith("float") else "float64"
    quotient = binary(b, "div", left, right, hint="quotient", dtype=inner)
    return b.op(rounding, quotient)


@lowers("floor_divide")
def floor_divide(b: Builder, input: Operand, other: Operand) -> Value:
    return _rounded_quotient(b, input, other, "floor")


@lowers("remainder")
def remainder(b: Builder, input: Operand, other: Operand) -> Value:
    return binary(b, "mod", input, other)


@lowers("fmod")
def fmod(b: Builder, input: Operand, other: Operand) -> Value:
    whole = _rounded_quotient(b, input, other, "trunc")
    whole = binary(b, "mul", whole, other, hint="whole")
    return binary(b, "sub", input, whole)


@lowers("pow", "float_power")
def power(b: Builder, input: Operand, exponent: Operand) -> Value:
    number = number_of(exponent)
    if isinstance(input, Value) and number is not None:
        shortcut = {2: "square", 0.5: "sqrt", -0.5: "rsqrt", -1: "reciprocal"}.get(number)
        if shortcut is not None:
            return b.op(shortcut, b.cast(input, result_dtype(b)))
    return binary(b, "power", input, exponent)


@lowers("neg")
def neg(b: Builder, input: Value) -> Value:
    return b.op("negative", input)


_UNARY = {
    "abs": "abs",
    "acos": "arccos",
    "acosh": "arccosh",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atanh": "arctanh",
    "ceil": "ceil",
    "cos": "cos",
    "cosh": "cosh",
    "deg2rad": "radians",
    "erf": "erf",
    "erfinv": "erfinv",
    "exp": "exp",
    "expm1": "expm1",
    "floor": "floor",
    "lgamma": "gammaln",
    "log": "log",
    "log10": "log10",
    "log1p": "log1p",
    "log2": "log2",
    "rad2deg": "degrees",
    "reciprocal": "reciprocal",
    "rsqrt": "rsqrt",
    "sign": "sign",
    "sgn": "sign",
    "sin": "sin",
    "sinh": "sinh",
    "sqrt": "sqrt",
    "square": "square",
    "tan": "tan",
    "trunc": "trunc",
}


@lowers_each("op", _UNARY)
def unary(b: Builder, input: Value, *, op: str) -> Value:
    return b.op(op, b.cast(input, result_dtype(b)))


@lowers("exp2")
def exp2(b: Builder, input: Value) -> Value:
    return binary(b, "power", 2.0, input)


@lowers("erfc")
def erfc(b: Builder, input: Value) -> Value:
    return binary(b, "sub", 1.0, b.op("erf", b.cast(input, result_dtype(b)), hint="erf"))


@lowers("frac")
def frac(b: Builder, input: Value) -> Value:
    return binary(b, "sub", input, b.op("trunc", input, hint="whole"))


@lowers("addcmul", kind="mul")
@lowers("addcdiv", kind="div")
def addcmul(
    b: Builder, input: Value, tensor1: Value, tensor2: Value, value: Number = 1, *, kind: str
) -> Value:
    inner = binary(b, kind, tensor1, tensor2, hint=kind)
    return binary(b, "add", input, _times(b, inner, value))


@lowers("lerp")
def lerp(b: Builder, input: Value, end: Value, weight: Operand) -> Value:
    step = binary(b, "sub", end, input, hint="step")
    return binary(b, "add", input, binary(b, "mul", step, weight, hint="weighted"))


@lowers("hypot")
def hypot(b: Builder, input: Value, other: Value) -> Value:
    left, right = same_rank(b, b.cast(input, result_dtype(b)), b.cast(other, result_dtype(b)))
    return b.op("broadcast_hypot", left, right)


@lowers("round")
def rounded(b: Builder, input: Value, decimals: int = 0) -> Value:
    """Halves go to the even number, as MXNet's rint does not: their half is rounded, and doubled."""
    x = b.cast(input, result_dtype(b))
    if not x.dtype.startswith("float"):
        return x
    if decimals:
        x = b.with_number("x * c", x, 10.0**decimals, hint="shifted")
    whole = b.op("trunc", x, hint="whole")
    part = b.op("abs", b.op("elemwise_sub", x, whole, hint="part"), hint="part_size")
    is_half = b.with_number("x == c", part, 0.5, hint="is_half")
    half = b.op("rint", b.with_number("x * c", x, 0.5, hint="half"), hint="half_rounded")
    even = b.with_number("x * c", half, 2.0, hint="even")
    near = b.op("rint", x, hint="near")
    result = b.op("where", is_half, x=even, y=near, hint="rounded" if decimals else "")
    result = replace(result, dtype=x.dtype)
    return b.with_number("x / c", result, 10.0**decimals) if decimals else result


@lowers("sinc")
def sinc(b: Builder, input: Value) -> Value:
    angle = b.with_number("x * c", b.cast(input, result_dtype(b)), math.pi, hint="angle")
    at_zero = b.with_number("x == c", angle, 0, hint="at_zero")
    ratio = b.op("elemwise_div", b.op("sin", angle, hint="sin"), angle, hint="ratio")
    return select(b, at_zero, full_like(b, angle, 1, angle.dtype, "one"), ratio)


@lowers("logit")
def logit(b: Builder, input: Value, eps: float | None = None) -> Value:
    x = b.cast(input, result_dtype(b))
    if eps is not None:
        x = b.op("clip", x, a_min=eps, a_max=1 - eps, hint="clipped")
    rest = b.with_number("c - x", x, 1, hint="rest")
    return b.op("log", b.op("elemwise_div", x, rest, hint="odds"))


@lowers("atan2")
def atan2(b: Builder, input: Value, other: Value) -> Value:
    """MXNet's arctan of the quotient, turned by pi where x is negative, and 0 at the origin."""
    y, x = same_rank(b, b.cast(input, result_dtype(b)), b.cast(other, result_dtype(b)))
    shape = b.out.shape
    angle = b.op("arctan", b.op("broadcast_div", y, x, hint="slope"), hint="angle")
    behind = b.with_number("x < c", x, 0, hint="behind")
    side = b.with_number("x - c", b.with_number("x * c", b.with_number("x >= c", y, 0), 2), 1, hint="side")
    turn = b.with_number("x * c", b.op("broadcast_mul", behind, side, hint="turned"), math.pi, hint="turn")
    turned = b.op("elemwise_add", angle, turn, hint="full")
    sizes = b.op("broadcast_add", b.op("abs", y, hint="y_size"), b.op("abs", x, hint="x_size"), hint="size")
    origin = b.with_number("x == c", sizes, 0, hint="origin", gives=shape)
    return select(b, origin, full_like(b, replace(turned), 0, turned.dtype, "at"), turned)


@lowers("xlogy")
def xlogy(b: Builder, input: Operand, other: Operand) -> Value:
    logarithm = b.op("log", _tensor(b, other), hint="log")
    result = binary(b, "mul", input, logarithm, hint="product")
    none = b.with_number("x == c", _tensor(b, input), 0, hint="none", gives=_shape(input))
    none, result = same_rank(b, none, result)
    if none.sizes != result.sizes:
        none = spread(b, none, result.sizes, "none")
    return select(b, none, full_like(b, result, 0, result.dtype, "zero"), result)


def _tensor(b: Builder, operand: Operand) -> Value:
    """The operand as a tensor of the result's dtype."""
    if isinstance(operand, Value):
        return b.cast(operand, result_dtype(b))
    return b.constant(np.asarray([operand], result_dtype(b)), "number")


def _shape(operand: Operand) -> tuple[int | Dim, ...]:
    return operand.sizes if isinstance(operand, Value) else (1,)


@lowers("logaddexp")
def logaddexp(b: Builder, input: Value, other: Value) -> Value:
    peak = binary(b, "maximum", input, other, hint="peak")
    left, right = bounded(b, input, "left"), bounded(b, other, "right")  # equal infinities have no gap
    gap = b.op("abs", binary(b, "sub", left, right, hint="difference"), hint="gap")
    small = b.op("exp", b.op("negative", gap, hint="negated"), hint="exp")
    return binary(b, "add", peak, b.op("log1p", small, hint="log1p"))


@lowers("copysign")
def copysign(b: Builder, input: Value, other: Operand) -> Value:
    size = b.op("abs", b.cast(input, result_dtype(b)), hint="abs")
    if not isinstance(other, Value):
        return b.with_number("x * c", size, math.copysign(1, other))
    sign = b.with_number("x >= c", other, 0, hint="positive")
    sign = b.with_number("x - c", b.with_number("x * c", sign, 2, hint="twice"), 1, hint="sign")
    return binary(b, "mul", size, sign)


@lowers("heaviside")
def heaviside(b: Builder, input: Value, values: Value) -> Value:
    at_zero = b.with_number("x == c", input, 0, hint="at_zero")
    step = b.with_number("x > c", input, 0, hint="step")
    return binary(b, "add", binary(b, "mul", at_zero, values, hint="values"), step)
