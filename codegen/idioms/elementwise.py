"""Arithmetic between tensors and numbers, with torch's broadcasting and dtypes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.value import MX_DTYPES, Value
from codegen.defects import of_kind
from codegen.idioms.shapes import as_bool, spread
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
    """Arithmetic of any two operands.

    `left op right` computed in `dtype`, the result's by default.

    torch: operands of different dtypes are promoted; a quotient of whole numbers is no whole number.
    MXNet: refuses operands of different dtypes; a quotient of whole numbers is cut off: 7 / 2 is 3.
    We write: casts to the dtype in which torch computes; nothing where a number changes nothing (x * 1).
    Source: torch.div; mx.sym.elemwise_div, measured.

    >>> converted(lambda x: x / 2, Ints((2, 3)))
    x = mx.sym.cast(x, dtype="float32", name="div_cast")
    return named(x / 2, name="div")
    >>> converted(lambda x, y: x + y, Ints((2, 3)), (2, 3))
    return mx.sym.elemwise_add(mx.sym.cast(x, dtype="float32", name="add_cast"), y, name="add")
    """
    dtype = dtype or result_dtype(b)
    left = batch_number(b, left, dtype) if isinstance(left, Dim) else left
    right = batch_number(b, right, dtype) if isinstance(right, Dim) else right
    if op not in _EXPRESSIONS:
        return _of_tensors(b, op, _as_tensor(b, left, dtype), _as_tensor(b, right, dtype), hint)
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
    left = of_kind(left, Value)
    right = of_kind(right, Value)
    return _of_tensors(b, op, b.cast(left, dtype), b.cast(right, dtype), hint)


def _as_tensor(b: Builder, operand: Operand, dtype: str) -> Value:
    if isinstance(operand, Value):
        return b.cast(operand, dtype)
    return b.constant(np.asarray([operand], dtype), "number")


def batch_number(b: Builder, size: Dim, dtype: str) -> Value:
    """Arithmetic with the size of the batch.

    torch: x.shape[0] is a number.
    MXNet: a symbol has no sizes until it is bound.
    We write: shape_array, from which the size is cut: a tensor of one number.
    Source: torch.Tensor.shape; mx.sym.shape_array.

    >>> converted(lambda x: x.sum() / x.shape[0], (2, 3))
    sum_ = mx.sym.sum(x, axis=(0, 1), name="sum")
    x = mx.sym.shape_array(x, name="div_sizes")
    x = mx.sym.slice_axis(x, axis=0, begin=0, end=1, name="div_batch")
    return mx.sym.elemwise_div(
        sum_, mx.sym.cast(x, dtype="float32", name="div_batch_number"), name="div"
    )
    """
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
    raise b.refuse_batch("arithmetic with the batch size")


def as_stored(b: Builder, operand: Operand) -> Operand:
    """What is written into a tensor of the node's dtype.

    torch: casts to the tensor's dtype: 2.7 into int64 is 2, anything but 0 into bool is True.
    MXNet: has no bools, which are 0 and 1 here; int32 takes no 2.7.
    We write: the cast number; a tensor cast, or compared with 0.
    Source: torch.Tensor.copy_; mx.sym.cast.

    >>> converted(lambda x: (x > 0).fill_(5), (2, 3))
    x = named(x > 0, name="gt")
    return mx.sym.broadcast_like(
        mx.sym.ones(shape=(1, 3), name="fill_ones"),
        x,
        lhs_axes=(0,),
        rhs_axes=(0,),
        name="fill_batch_batch",
    )
    """
    number, dtype = number_of(operand), b.out.dtype
    if number is None:
        operand = of_kind(operand, Value)
        is_cast = dtype != "bool" or operand.is_bool
        return b.cast(operand, result_dtype(b)) if is_cast else as_bool(b, operand)
    if dtype == "bool":
        return float(bool(number))
    if dtype.startswith(("int", "uint")):
        return int(np.asarray(number).astype(dtype))
    return float(number) if isinstance(number, bool) else number


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
    """Arithmetic of two tensors.

    torch: every operator broadcasts.
    MXNet: elemwise_add and its like do not broadcast, broadcast_add and its like do.
    We write: elemwise_* for equal shapes, which MXNet can fuse with the layer before, broadcast_* for others.
    Source: torch.add; mx.sym.elemwise_add; mx.sym.broadcast_add.

    >>> converted(lambda x, y: x + y, (2, 3), (2, 3))
    return mx.sym.elemwise_add(x, y, name="add")
    >>> converted(lambda x, y: x + y, (2, 3), (2, 1))
    return mx.sym.broadcast_add(x, y, name="add")
    """
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


def check_floats(b: Builder, so: str, like: str = "int") -> None:
    """Refused for dtypes like `like`, with which torch computes in a way of its own: `so` says how.

    The first operand of the node tells: that of the rule may have been cast already.
    """
    dtype = b.graph.type_of(next(iter(b.node.refs()))).dtype
    if like in dtype:
        raise b.refuse(f"{b.node.op}() of {dtype}, {so}", "call .float() on its input first")


def factor_of(b: Builder, number: float) -> float:
    """A factor in the result's dtype: torch cuts it where that is one of whole numbers."""
    return int(number) if isinstance(number, float) and "int" in b.out.dtype else number


def largest(dtype: str) -> float:
    """The largest number of a float dtype, and of float32 for others; numpy has no bfloat16."""
    if dtype == "bfloat16":
        return (2 - 2**-7) * 2.0**127
    return float(np.finfo(dtype if dtype.startswith("float") else "float32").max)


def bounded(b: Builder, x: Value, hint: str) -> Value:
    """The ends of the dtype in place of infinities.

    torch: nan_to_num, and the logarithm of a sum of exponentials, put the largest float for an infinity.
    MXNet: clip's limits are parsed as floats: it reads 3.4028235e38 as infinity.
    We write: `maximum` and `minimum` with the number, which is a double there.
    Source: torch.nan_to_num; mx.sym.clip, measured.

    >>> converted(lambda x: torch.nan_to_num(x), (2, 3))
    known = mx.sym.broadcast_equal(x, x, name="nan_to_num_known")
    below = named(mx.sym.maximum(x, -3.4028234663852886e38), name="nan_to_num_bounded_below")
    bounded = named(mx.sym.minimum(below, 3.4028234663852886e38), name="nan_to_num_bounded")
    x = mx.sym.zeros_like(x, name="nan_to_num_nan_zeros")
    return mx.sym.where(known, x=bounded, y=x, name="nan_to_num")
    """
    end = largest(b.out.dtype if b.out.dtype in {"float16", "bfloat16"} else x.dtype)
    low = b.with_number("maximum(x, c)", x, -end, hint=f"{hint}_below")
    return b.with_number("minimum(x, c)", low, end, hint=hint)


def made(b: Builder, number: float) -> Value:
    """A tensor of one number.

    It has the node's shape, whose sizes may follow the batch.

    torch: zeros, ones and full take any sizes.
    MXNet: zeros and ones take numbers: the batch is not known yet, and a size of 0 is "to be inferred".
    We write: one row, repeated as far as an earlier tensor goes.
    Source: torch.zeros; mx.sym.zeros; mx.sym.broadcast_like.

    >>> converted(lambda x: torch.cat([x, torch.zeros(x.shape[0], 2)], 1), (2, 3))
    batch = mx.sym.broadcast_like(
        mx.sym.zeros(shape=(1, 2), name="full_zeros"),
        x,
        lhs_axes=(0,),
        rhs_axes=(0,),
        name="full_batch_batch",
    )
    return mx.sym.Concat(x, batch, name="cat")
    """
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
    """A choice between tensors or numbers.

    `input` where `condition` holds, else `other`.

    torch: where broadcasts, and takes numbers.
    MXNet: where takes three tensors of one shape.
    We write: each operand spread to the shape of the result; a number as zeros_like, plus the number.
    Source: torch.where; mx.sym.where, measured.

    >>> converted(lambda x: torch.where(x > 0, x, 0.5), (2, 3))
    gt = named(x > 0, name="gt")
    zeros = mx.sym.zeros_like(gt, name="where_y_zeros")
    y = named(zeros + 0.5, name="where_y")
    return mx.sym.where(gt, x=x, y=y, name="where")
    """
    dtype = result_dtype(b)
    shape = b.out.shape or (1,)

    def filled(operand: Operand, hint: str) -> Value:
        number = number_of(operand)
        if number is None:
            operand = of_kind(operand, Value)
            return spread(b, b.cast(operand, dtype), shape, hint)
        return full_like(b, condition, number, dtype, hint)

    condition = spread(b, b.cast(condition, "float32"), shape, "condition")
    return select(b, condition, filled(input, "x"), filled(other, "y"))


def softplus(b: Builder, x: Value, hint: str = "", step: str = "") -> Value:
    """log(1 + exp(x)) where it is small.

    The names of the steps begin with `step`.

    torch: 2e-9 at -20, where the exponential is all that is left.
    MXNet: Activation with act_type="softrelu" is off by up to 2e-6 there, and negative at some places, whose
        logarithm is no number.
    We write: max(x, 0) + log(1 + exp(-|x|)), which is exact, and whose exponential is at most 1.
    Source: torch.nn.functional.softplus; mx.sym.Activation, measured.

    >>> converted(nn.LogSigmoid(), (1, 4))
    negated = mx.sym.negative(x, name="logsigmoid_negated")
    softplus_negated = mx.sym.negative(
        mx.sym.abs(negated, name="logsigmoid_softplus_size"), name="logsigmoid_softplus_negated"
    )
    softplus_rest = mx.sym.log1p(
        mx.sym.exp(softplus_negated, name="logsigmoid_softplus_exp"), name="logsigmoid_softplus_rest"
    )
    softplus = mx.sym.elemwise_add(
        mx.sym.Activation(negated, act_type="relu", name="logsigmoid_softplus_line"),
        softplus_rest,
        name="logsigmoid_softplus",
    )
    return mx.sym.negative(softplus, name="logsigmoid")
    """
    size = b.op("negative", b.op("abs", x, hint=f"{step}size"), hint=f"{step}negated")
    rest = b.op("log1p", b.op("exp", size, hint=f"{step}exp"), hint=f"{step}rest")
    line = b.op("Activation", x, act_type="relu", hint=f"{step}line")
    return b.op("elemwise_add", line, rest, hint=hint)
