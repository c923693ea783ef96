"""Elementwise arithmetic, comparisons and logic, with torch's broadcasting and dtypes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from codegen.lower import MX_DTYPES, Builder, Value
from codegen.registry import lowers
from tracer.ir import Dim

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
    dtype = dtype or _dtype(b)
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
                sizes = b.op("shape_array", like, hint="sizes", gives=(like.rank,))
                number = b.op("slice_axis", sizes, axis=0, begin=axis, end=axis + 1, hint="batch", gives=(1,))
                number = b.op("cast", number, dtype=dtype, hint="batch_number", gives=(1,))
                factor = size.coef / own.coef
                if factor != 1:
                    number = b.with_number("x * c", number, float(factor), hint="scaled_batch")
                rest = size.const - own.const * factor
                number = b.with_number("x + c", number, float(rest), hint="size") if rest else number
                return replace(number, shape=())
    raise b.refuse("arithmetic with the batch size", "fix the batch size with --input")


def _dtype(b: Builder) -> str:
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
        return b.op(f"elemwise_{op}", left, right, hint=hint, gives=left.shape)
    left, right = same_rank(b, left, right)
    name = {"power": "broadcast_power", "mod": "broadcast_mod"}.get(op, f"broadcast_{op}")
    gives = tuple(r if x == 1 else x for x, r in zip(left.sizes, right.sizes, strict=True))
    return b.op(name, left, right, hint=hint, gives=gives)


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
    return b.op("Reshape", value, shape=code, hint="lhs" if number == 0 else "rhs", gives=sizes)


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
    dtype = _dtype(b)
    inner = dtype if dtype.startswith("float") else "float64"
    quotient = binary(b, "div", left, right, hint="quotient", dtype=inner)
    return b.op(rounding, quotient, gives=b.out.shape)


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
            return b.op(shortcut, b.cast(input, _dtype(b)), gives=input.shape)
    return binary(b, "power", input, exponent)


@lowers("neg")
def neg(b: Builder, input: Value) -> Value:
    return b.op("negative", input, gives=input.shape)


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
    dtype = _dtype(b)
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


@lowers(*_COMPARISONS)
def compare(b: Builder, input: Operand, other: Operand) -> Value:
    return binary(b, _COMPARISONS[b.node.op], input, other, dtype=_common(input, other))


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


@lowers("logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor")
def logic(b: Builder, input: Operand, other: Operand) -> Value:
    kind = b.node.op.rpartition("_")[2]
    if b.node.op.startswith("bitwise") and b.out.dtype != "bool":
        raise b.refuse(
            f"{b.node.op}() on whole numbers: MXNet has no bitwise ops", "compute the mask with comparisons"
        )
    left, right = (_truth(b, v) for v in (input, other))
    left, right = same_rank(b, left, right)
    gives = tuple(r if x == 1 else x for x, r in zip(left.sizes, right.sizes, strict=True))
    return b.op(f"broadcast_logical_{kind}", left, right, gives=gives)


def _truth(b: Builder, operand: Operand) -> Value:
    if isinstance(operand, Value):
        return b.cast(operand, "float32")
    return b.constant(np.asarray([float(bool(operand))], np.float32), "flag")


@lowers("logical_not", "bitwise_not")
def logical_not(b: Builder, input: Value) -> Value:
    if b.out.dtype != "bool":
        if b.node.op == "logical_not":
            return b.op("logical_not", input, gives=input.shape)
        return binary(b, "sub", -1, input)  # ~x is -x - 1
    return b.op("logical_not", b.cast(input, "float32"), gives=input.shape)


@lowers("where")
def where(b: Builder, condition: Value, input: Operand, other: Operand) -> Value:
    dtype = _dtype(b)
    shape = b.out.shape or (1,)
    from codegen.rules.linear import spread

    def filled(operand: Operand, hint: str) -> Value:
        number = number_of(operand)
        if number is None:
            assert isinstance(operand, Value)
            return spread(b, b.cast(operand, dtype), shape, hint)
        return full_like(b, condition, number, dtype, hint)

    condition = spread(b, b.cast(condition, "float32"), shape, "condition")
    return _where(b, condition, filled(input, "x"), filled(other, "y"))


def _where(b: Builder, condition: Value, left: Value, right: Value, hint: str = "") -> Value:
    value = b.op("where", condition, x=left, y=right, hint=hint, gives=condition.shape)
    return replace(value, dtype=left.dtype)


def full_like(b: Builder, like: Value, number: Number, dtype: str, hint: str) -> Value:
    """A tensor of one number in the shape of `like`."""
    zeros = b.op("zeros_like", b.cast(like, dtype), hint=f"{hint}_zeros", gives=like.shape)
    if number == 0:
        return zeros
    return b.with_number("x + c", zeros, float(number) if dtype.startswith("float") else number, hint=hint)


@lowers("masked_fill")
def masked_fill(b: Builder, input: Value, mask: Value, value: Operand) -> Value:
    return where(b, mask, value, input)


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


@lowers(*_UNARY)
def unary(b: Builder, input: Value) -> Value:
    return b.op(_UNARY[b.node.op], b.cast(input, _dtype(b)), gives=input.shape)


@lowers("exp2")
def exp2(b: Builder, input: Value) -> Value:
    return binary(b, "power", 2.0, input)


@lowers("erfc")
def erfc(b: Builder, input: Value) -> Value:
    return binary(b, "sub", 1.0, b.op("erf", b.cast(input, _dtype(b)), hint="erf", gives=input.shape))


@lowers("frac")
def frac(b: Builder, input: Value) -> Value:
    return binary(b, "sub", input, b.op("trunc", input, hint="whole", gives=input.shape))


@lowers("addcmul", "addcdiv")
def addcmul(b: Builder, input: Value, tensor1: Value, tensor2: Value, value: Number = 1) -> Value:
    kind = "mul" if b.node.op == "addcmul" else "div"
    inner = binary(b, kind, tensor1, tensor2, hint=kind)
    return binary(b, "add", input, _times(b, inner, value))


@lowers("lerp")
def lerp(b: Builder, input: Value, end: Value, weight: Operand) -> Value:
    step = binary(b, "sub", end, input, hint="step")
    return binary(b, "add", input, binary(b, "mul", step, weight, hint="weighted"))


@lowers("hypot")
def hypot(b: Builder, input: Value, other: Value) -> Value:
    left, right = same_rank(b, b.cast(input, _dtype(b)), b.cast(other, _dtype(b)))
    return b.op("broadcast_hypot", left, right)


@lowers("round")
def rounded(b: Builder, input: Value, decimals: int = 0) -> Value:
    """Halves go to the even number, which MXNet's rint does not do: there the half is rounded, and doubled."""
    x = b.cast(input, _dtype(b))
    if not x.dtype.startswith("float"):
        return x
    if decimals:
        x = b.with_number("x * c", x, 10.0**decimals, hint="shifted")
    whole = b.op("trunc", x, hint="whole", gives=x.shape)
    part = b.op("abs", b.op("elemwise_sub", x, whole, hint="part"), hint="part_size", gives=x.shape)
    is_half = b.with_number("x == c", part, 0.5, hint="is_half")
    half = b.op("rint", b.with_number("x * c", x, 0.5, hint="half"), hint="half_rounded", gives=x.shape)
    even = b.with_number("x * c", half, 2.0, hint="even")
    near = b.op("rint", x, hint="near", gives=x.shape)
    result = b.op("where", is_half, x=even, y=near, hint="rounded" if decimals else "", gives=x.shape)
    result = replace(result, dtype=x.dtype)
    return b.with_number("x / c", result, 10.0**decimals) if decimals else result


FLOAT_MAX = float(np.finfo(np.float32).max)


def bounded(b: Builder, x: Value, hint: str) -> Value:
    """The ends of float32 in place of infinities. clip would read them as infinities: its limits are floats."""
    low = b.with_number("maximum(x, c)", x, -FLOAT_MAX, hint=f"{hint}_below")
    return b.with_number("minimum(x, c)", low, FLOAT_MAX, hint=hint)


@lowers("isnan")
def isnan(b: Builder, input: Value) -> Value:
    return b.op("broadcast_not_equal", input, input, gives=input.shape)


@lowers("isinf", "isfinite", "isposinf", "isneginf")
def isinf(b: Builder, input: Value) -> Value:
    kind = b.node.op
    if kind in {"isposinf", "isneginf"}:
        sign = 1 if kind == "isposinf" else -1
        return b.with_number("x > c" if sign > 0 else "x < c", input, sign * FLOAT_MAX)
    size = b.op("abs", input, hint="abs", gives=input.shape)
    return b.with_number("x > c" if kind == "isinf" else "x <= c", size, FLOAT_MAX)


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
            x = _where(b, beyond, full_like(b, x, limit, x.dtype, name), x, hint=f"without_{name}")
    known = b.op("broadcast_equal", input, input, hint="known", gives=input.shape)
    return _where(b, known, bounded(b, x, "bounded"), full_like(b, input, nan or 0, input.dtype, "nan"))


@lowers("sinc")
def sinc(b: Builder, input: Value) -> Value:
    angle = b.with_number("x * c", b.cast(input, _dtype(b)), math.pi, hint="angle")
    at_zero = b.with_number("x == c", angle, 0, hint="at_zero")
    ratio = b.op("elemwise_div", b.op("sin", angle, hint="sin"), angle, hint="ratio", gives=angle.shape)
    return _where(b, at_zero, full_like(b, angle, 1, angle.dtype, "one"), ratio)


@lowers("logit")
def logit(b: Builder, input: Value, eps: float | None = None) -> Value:
    x = b.cast(input, _dtype(b))
    if eps is not None:
        x = b.op("clip", x, a_min=eps, a_max=1 - eps, hint="clipped", gives=input.shape)
    rest = b.with_number("c - x", x, 1, hint="rest")
    return b.op("log", b.op("elemwise_div", x, rest, hint="odds"), gives=input.shape)


@lowers("atan2")
def atan2(b: Builder, input: Value, other: Value) -> Value:
    """MXNet's arctan of the quotient, turned by pi where x is negative, and 0 at the origin."""
    y, x = same_rank(b, b.cast(input, _dtype(b)), b.cast(other, _dtype(b)))
    shape = b.out.shape
    angle = b.op("arctan", b.op("broadcast_div", y, x, hint="slope"), hint="angle", gives=shape)
    behind = b.with_number("x < c", x, 0, hint="behind")
    side = b.with_number("x - c", b.with_number("x * c", b.with_number("x >= c", y, 0), 2), 1, hint="side")
    turn = b.with_number("x * c", b.op("broadcast_mul", behind, side, hint="turned"), math.pi, hint="turn")
    turned = b.op("elemwise_add", angle, turn, hint="full", gives=shape)
    sizes = b.op("broadcast_add", b.op("abs", y, hint="y_size"), b.op("abs", x, hint="x_size"), hint="size")
    origin = b.with_number("x == c", sizes, 0, hint="origin", gives=shape)
    return _where(b, origin, full_like(b, replace(turned), 0, turned.dtype, "at"), turned)


@lowers("xlogy")
def xlogy(b: Builder, input: Operand, other: Operand) -> Value:
    logarithm = b.op("log", _tensor(b, other), hint="log", gives=_shape(other))
    result = binary(b, "mul", input, logarithm, hint="product")
    none = b.with_number("x == c", _tensor(b, input), 0, hint="none", gives=_shape(input))
    none, result = same_rank(b, none, result)
    if none.sizes != result.sizes:
        from codegen.rules.linear import spread

        none = spread(b, none, result.sizes, "none")
    return _where(b, none, full_like(b, result, 0, result.dtype, "zero"), result)


def _tensor(b: Builder, operand: Operand) -> Value:
    """The operand as a tensor of the result's dtype."""
    if isinstance(operand, Value):
        return b.cast(operand, _dtype(b))
    return b.constant(np.asarray([operand], _dtype(b)), "number")


def _shape(operand: Operand) -> tuple[int | Dim, ...]:
    return operand.sizes if isinstance(operand, Value) else (1,)


@lowers("logaddexp")
def logaddexp(b: Builder, input: Value, other: Value) -> Value:
    peak = binary(b, "maximum", input, other, hint="peak")
    left, right = bounded(b, input, "left"), bounded(b, other, "right")  # equal infinities have no gap
    gap = b.op("abs", binary(b, "sub", left, right, hint="difference"), hint="gap", gives=b.out.shape)
    small = b.op("exp", b.op("negative", gap, hint="negated"), hint="exp", gives=b.out.shape)
    return binary(b, "add", peak, b.op("log1p", small, hint="log1p", gives=b.out.shape))


@lowers("copysign")
def copysign(b: Builder, input: Value, other: Operand) -> Value:
    size = b.op("abs", b.cast(input, _dtype(b)), hint="abs", gives=input.shape)
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
