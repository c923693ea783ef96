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
    factor_of,
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
    """Whole quotients.

    torch: floor_divide and rounding_mode round the exact quotient of whole numbers.
    MXNet: cuts a quotient of whole numbers off: -7 / 2 is -3.
    We write: the quotient in float64, which holds whole numbers up to 2^53, then floor or trunc.
    Source: torch.floor_divide; mx.sym.elemwise_div, measured.

    >>> converted(lambda x: x // 2, Ints((2, 3)))
    x = mx.sym.cast(x, dtype="float64", name="floor_divide_cast")
    x = named(x / 2, name="floor_divide_quotient")
    return mx.sym.cast(mx.sym.floor(x, name="floor_divide"), dtype="int64", name="floor_divide_cast2")
    """
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
    """The rest of a division, with the sign of the dividend.

    torch: fmod has the sign of the dividend, remainder that of the divisor.
    MXNet: broadcast_mod and % have that of the divisor.
    We write: x - trunc(x / y) y for fmod.
    Source: torch.fmod; mx.sym.broadcast_mod, measured.

    >>> converted(lambda x: torch.fmod(x, 2.0), (2, 3))
    quotient = named(x / 2.0, name="fmod2_quotient")
    fmod = mx.sym.trunc(quotient, name="fmod")
    whole = named(fmod * 2.0, name="fmod2_whole")
    return mx.sym.elemwise_sub(x, whole, name="fmod2")
    """
    whole = _rounded_quotient(b, input, other, "trunc")
    whole = binary(b, "mul", whole, other, hint="whole")
    return binary(b, "sub", input, whole)


@lowers("pow", "float_power")
def power(b: Builder, input: Operand, exponent: Operand) -> Value:
    number = number_of(exponent)
    if isinstance(input, Value) and number is not None:
        if number == -0.5:
            return rsqrt(b, input)
        shortcut = {2: "square", 0.5: "sqrt", -1: "reciprocal"}.get(number)
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


@lowers("rsqrt")
def rsqrt(b: Builder, input: Value) -> Value:
    """One by the square root.

    torch: rsqrt.
    MXNet: rsqrt as well, which its ONNX exporter does not know.
    We write: the reciprocal of sqrt, which has the same bits and is exported.
    Source: torch.rsqrt; mx.sym.rsqrt, measured; mxnet/onnx/mx2onnx.

    >>> converted(lambda x: torch.rsqrt(x), (2, 3))
    return mx.sym.reciprocal(mx.sym.sqrt(x, name="rsqrt_root"), name="rsqrt")
    """
    root = b.op("sqrt", b.cast(input, result_dtype(b)), hint="root")
    return b.op("reciprocal", root)


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
    return binary(b, "add", input, _times(b, inner, factor_of(b, value)))


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
    """Rounding, halves to the even number.

    torch: 0.5, 1.5 and 2.5 are rounded to 0, 2 and 2.
    MXNet: rint takes halves down, to 0, 1 and 2; round away from zero, to 1, 2 and 3.
    We write: rint, but for halves, which are twice the rint of half the number.
    Source: torch.round; mx.sym.rint, measured.

    >>> converted(lambda x: torch.round(x), (2, 3))
    part = mx.sym.elemwise_sub(x, mx.sym.trunc(x, name="round_whole"), name="round_part")
    size = mx.sym.abs(part, name="round_part_size")
    half = named(size == 0.5, name="round_is_half")
    round_half = named(x * 0.5, name="round_half")
    rounded = mx.sym.rint(round_half, name="round_half_rounded")
    even = named(rounded * 2.0, name="round_even")
    x = mx.sym.rint(x, name="round_near")
    return mx.sym.where(half, x=even, y=x, name="round")
    """
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
    """The angle of a point.

    torch: atan2 knows the quadrant.
    MXNet: has arctan alone.
    We write: arctan of the quotient, turned by pi where x is negative, and 0 at the origin.
    Source: torch.atan2; mx.sym.arctan.

    >>> converted(lambda y, x: torch.atan2(y, x), (2, 3), (2, 3))
    angle = mx.sym.arctan(mx.sym.broadcast_div(y, x, name="atan2_3_slope"), name="atan2_3_angle")
    behind = named(x < 0, name="atan2_3_behind")
    atan2 = named(y >= 0, name="atan2")
    atan2_2 = named(atan2 * 2, name="atan2_2")
    side = named(atan2_2 - 1, name="atan2_3_side")
    turned = mx.sym.broadcast_mul(behind, side, name="atan2_3_turned")
    turn = named(turned * math.pi, name="atan2_3_turn")
    full = mx.sym.elemwise_add(angle, turn, name="atan2_3_full")
    y = mx.sym.abs(y, name="atan2_3_y_size")
    y = mx.sym.broadcast_add(y, mx.sym.abs(x, name="atan2_3_x_size"), name="atan2_3_size")
    y = named(y == 0, name="atan2_3_origin")
    zeros = mx.sym.zeros_like(full, name="atan2_3_at_zeros")
    return mx.sym.where(y, x=zeros, y=full, name="atan2_3")
    """
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
    """The logarithm of a sum of exponentials.

    torch: logaddexp does not overflow.
    MXNet: has no such op.
    We write: the larger one, plus log1p of the exponential of minus the gap.
    Source: torch.logaddexp; mx.sym.log1p.

    >>> converted(lambda x, y: torch.logaddexp(x, y), (2, 3), (2, 3))
    peak = mx.sym.broadcast_maximum(x, y, name="logaddexp_peak")
    x = named(mx.sym.maximum(x, -3.4028234663852886e38), name="logaddexp_left_below")
    x = named(mx.sym.minimum(x, 3.4028234663852886e38), name="logaddexp_left")
    y = named(mx.sym.maximum(y, -3.4028234663852886e38), name="logaddexp_right_below")
    y = named(mx.sym.minimum(y, 3.4028234663852886e38), name="logaddexp_right")
    x = mx.sym.abs(mx.sym.elemwise_sub(x, y, name="logaddexp_difference"), name="logaddexp_gap")
    x = mx.sym.exp(mx.sym.negative(x, name="logaddexp_negated"), name="logaddexp_exp")
    return mx.sym.elemwise_add(peak, mx.sym.log1p(x, name="logaddexp_log1p"), name="logaddexp")
    """
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
