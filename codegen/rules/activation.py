"""Activations: torch.nn's, torch.nn.functional's and the methods."""

from __future__ import annotations

import math

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value
from codegen.idioms.elementwise import softplus as exact_softplus


@lowers("relu")
def relu(b: Builder, input: Value) -> Value:
    """The positive part.

    torch: relu of whole numbers too.
    MXNet: Activation refuses whole numbers.
    We write: Activation, which MXNet can fuse with the layer before; `maximum` for whole numbers.
    Source: torch.nn.ReLU; mx.sym.Activation, whose error says so.

    >>> converted(lambda x: F.relu(x), (1, 4))
    return mx.sym.Activation(x, act_type="relu", name="relu")
    >>> converted(lambda x: F.relu(x - 2), Ints((1, 4)))
    x = named(x - 2, name="sub")
    return named(mx.sym.maximum(x, 0), name="relu")
    """
    if not input.dtype.startswith("float"):
        return b.with_number("maximum(x, c)", input, 0)
    return b.op("Activation", input, act_type="relu")


@lowers("sigmoid")
def sigmoid(b: Builder, input: Value) -> Value:
    return b.op("Activation", input, act_type="sigmoid")


@lowers("tanh")
def tanh(b: Builder, input: Value) -> Value:
    return b.op("Activation", input, act_type="tanh")


@lowers("softsign")
def softsign(b: Builder, input: Value) -> Value:
    return b.op("Activation", input, act_type="softsign")


@lowers("relu6")
def relu6(b: Builder, input: Value) -> Value:
    return b.op("clip", input, a_min=0, a_max=6)


@lowers("hardtanh")
def hardtanh(b: Builder, input: Value, min_val: float = -1.0, max_val: float = 1.0) -> Value:
    return b.op("clip", input, a_min=min_val, a_max=max_val)


@lowers("hardsigmoid")
def hardsigmoid(b: Builder, input: Value) -> Value:
    """The sigmoid as three straight lines.

    torch: x / 6 + 0.5, between 0 and 1.
    MXNet: hard_sigmoid's alpha is 0.2, its beta 0.5.
    We write: alpha.
    Source: torch.nn.Hardsigmoid; mx.sym.hard_sigmoid.

    >>> converted(nn.Hardsigmoid(), (1, 4))
    return mx.sym.hard_sigmoid(x, alpha=1 / 6, name="hardsigmoid")
    """
    return b.op("hard_sigmoid", input, alpha=1 / 6, beta=0.5)


@lowers("hardswish")
def hardswish(b: Builder, input: Value) -> Value:
    """The input times its hard sigmoid.

    torch: x times x / 6 + 0.5, between 0 and 1.
    MXNet: has no such op; hard_sigmoid's alpha is 0.2.
    We write: a product with a hard_sigmoid, with its alpha.
    Source: torch.nn.Hardswish; mx.sym.hard_sigmoid.

    >>> converted(nn.Hardswish(), (1, 4))
    return mx.sym.elemwise_mul(
        x, mx.sym.hard_sigmoid(x, alpha=1 / 6, name="hardswish_gate"), name="hardswish"
    )
    """
    gate = b.op("hard_sigmoid", input, alpha=1 / 6, beta=0.5, hint="gate")
    return b.op("elemwise_mul", input, gate)


@lowers("silu")
def silu(b: Builder, input: Value) -> Value:
    gate = b.op("Activation", input, act_type="sigmoid", hint="sigmoid")
    return b.op("elemwise_mul", input, gate)


@lowers("mish")
def mish(b: Builder, input: Value) -> Value:
    softplus = b.op("Activation", input, act_type="softrelu", hint="softplus")
    gate = b.op("Activation", softplus, act_type="tanh", hint="tanh")
    return b.op("elemwise_mul", input, gate)


@lowers("gelu")
def gelu(b: Builder, input: Value, approximate: str = "none") -> Value:
    """The Gaussian error linear unit.

    torch: approximate="tanh" is another curve.
    MXNet: LeakyReLU with act_type="gelu" is the exact one.
    We write: the exact one so; the other as x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)).
    Source: torch.nn.GELU; mx.sym.LeakyReLU.

    >>> converted(nn.GELU(), (1, 4))
    return mx.sym.LeakyReLU(x, act_type="gelu", name="gelu")
    >>> converted(nn.GELU(approximate="tanh"), (1, 4))
    square = mx.sym.square(x, name="gelu_square")
    cubic = named(square * 0.07135481627260025, name="gelu_cubic")
    slope = named(cubic + 1.5957691216057308, name="gelu_slope")
    sigmoid = mx.sym.Activation(
        mx.sym.elemwise_mul(x, slope, name="gelu_inner"), act_type="sigmoid", name="gelu_sigmoid"
    )
    return mx.sym.elemwise_mul(x, sigmoid, name="gelu")
    """
    if approximate == "none":
        return b.op("LeakyReLU", input, act_type="gelu")
    # 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), which is x sigmoid(2 sqrt(2/pi) (...)).
    scale = 2 * math.sqrt(2 / math.pi)
    square = b.op("square", input, hint="square")
    slope = b.with_number("x * c", square, 0.044715 * scale, hint="cubic")
    slope = b.with_number("x + c", slope, scale, hint="slope")
    inner = b.op("elemwise_mul", input, slope, hint="inner")
    gate = b.op("Activation", inner, act_type="sigmoid", hint="sigmoid")
    return b.op("elemwise_mul", input, gate)


@lowers("leaky_relu")
def leaky_relu(b: Builder, input: Value, negative_slope: float = 0.01) -> Value:
    """A slope for what is negative.

    torch: the slope is 0.01.
    MXNet: LeakyReLU's slope is 0.25; act_type is "leaky".
    We write: slope; act_type is "leaky" by default.
    Source: torch.nn.LeakyReLU; mx.sym.LeakyReLU.

    >>> converted(nn.LeakyReLU(), (1, 4))
    return mx.sym.LeakyReLU(x, slope=0.01, name="leakyrelu")
    """
    return b.op("LeakyReLU", input, act_type="leaky", slope=negative_slope)


# mx.mod.Module and simple_bind; tests/in_use/test_parity.py measures it.
@lowers("prelu")
def prelu(b: Builder, input: Value, weight: Value) -> Value:
    """A learned slope.

    torch: PReLU trains its slope.
    MXNet: LeakyReLU with act_type="prelu" gives the slope's gradient times the slope in a symbol's executor;
        Gluon's is right.
    We write: LeakyReLU, with a note for those who train the net further. With --trainable, what is positive
        and what is negative by themselves, which trains right.
    Source: torch.nn.PReLU; mx.sym.LeakyReLU, measured (tests/in_use/test_parity.py).

    >>> converted(nn.PReLU(), (1, 4))
    return mx.sym.LeakyReLU(x, gamma=prelu_gamma, act_type="prelu", name="prelu")
    """
    if b.trainable:
        positive = b.with_number("maximum(x, c)", input, 0, hint="positive")
        negative = b.with_number("minimum(x, c)", input, 0, hint="negative")
        axes = (1, -1, *(1,) * (input.rank - 2)) if input.rank > 1 else (-1,)
        slope = b.op("Reshape", weight, shape=axes, hint="slope")
        return b.op("elemwise_add", positive, b.op("broadcast_mul", negative, slope, hint="sloped"))
    b.note("prelu-slope")
    if input.rank == 1:
        column = b.op("Reshape", input, shape=(-1, 1), hint="column")
        column = b.op("LeakyReLU", column, gamma=weight, act_type="prelu")
        return b.op("Reshape", column, shape=(-1,), hint="flat")
    return b.op("LeakyReLU", input, gamma=weight, act_type="prelu")


@lowers("elu")
def elu(b: Builder, input: Value, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Value:
    """An exponential for what is negative.

    torch: alpha is 1.
    MXNet: LeakyReLU with act_type="elu" has alpha in slope, which is 0.25.
    We write: act_type, and slope but for 0.25.
    Source: torch.nn.ELU; mx.sym.LeakyReLU.

    >>> converted(nn.ELU(), (1, 4))
    return mx.sym.LeakyReLU(x, act_type="elu", slope=1.0, name="elu")
    """
    if scale != 1.0 or input_scale != 1.0:
        raise b.refuse("elu() with scale or input_scale")
    return b.op("LeakyReLU", input, act_type="elu", slope=alpha)


@lowers("selu")
def selu(b: Builder, input: Value) -> Value:
    return b.op("LeakyReLU", input, act_type="selu")


@lowers("celu")
def celu(b: Builder, input: Value, alpha: float = 1.0) -> Value:
    """An exponential for what is negative, smooth for any alpha.

    torch: alpha (exp(x / alpha) - 1) where x is negative.
    MXNet: LeakyReLU has an "elu" alone, whose slope is 0.25.
    We write: alpha times the elu, of slope 1, of x / alpha.
    Source: torch.nn.CELU; mx.sym.LeakyReLU.

    >>> converted(nn.CELU(2.0), (1, 4))
    scaled = named(x / 2.0, name="celu_scaled")
    elu = mx.sym.LeakyReLU(scaled, act_type="elu", slope=1.0, name="celu_elu")
    return named(elu * 2.0, name="celu")
    """
    if alpha == 1.0:
        return b.op("LeakyReLU", input, act_type="elu", slope=1.0)
    # celu(x) = elu(x / alpha) * alpha for the negative side, x for the positive one.
    scaled = b.with_number("x / c", input, alpha, hint="scaled")
    scaled = b.op("LeakyReLU", scaled, act_type="elu", slope=1.0, hint="elu")
    return b.with_number("x * c", scaled, alpha)


@lowers("softplus")
def softplus(b: Builder, input: Value, beta: float = 1.0, threshold: float = 20.0) -> Value:
    """The logarithm of 1 + exp(x).

    torch: beta scales it, and above a threshold (20) it is x itself.
    MXNet: Activation with act_type="softrelu" has neither.
    We write: a scale around it, and a choice where a threshold below 15 makes a difference in float32.
    Source: torch.nn.Softplus; mx.sym.Activation.

    >>> converted(nn.Softplus(beta=2), (1, 4))
    scaled = named(x * 2, name="softplus_scaled")
    negated = mx.sym.negative(mx.sym.abs(scaled, name="softplus_size"), name="softplus_negated")
    rest = mx.sym.log1p(mx.sym.exp(negated, name="softplus_exp"), name="softplus_rest")
    softplus = mx.sym.elemwise_add(
        mx.sym.Activation(scaled, act_type="relu", name="softplus_line"), rest, name="softplus_softplus"
    )
    return named(softplus / 2, name="softplus")
    >>> converted(nn.Softplus(threshold=5), (1, 4))
    negated = mx.sym.negative(mx.sym.abs(x, name="softplus_size"), name="softplus_negated")
    rest = mx.sym.log1p(mx.sym.exp(negated, name="softplus_exp"), name="softplus_rest")
    softplus = mx.sym.elemwise_add(
        mx.sym.Activation(x, act_type="relu", name="softplus_line"), rest, name="softplus_softplus"
    )
    straight = named(x > 5, name="softplus_straight")
    return mx.sym.where(straight, x=x, y=softplus, name="softplus")
    """
    scaled = input if beta == 1 else b.with_number("x * c", input, beta, hint="scaled")
    # From a threshold of 15 on, the curve is the straight line in float32.
    bent = threshold < 15
    plain = beta == 1 and not bent
    curve = exact_softplus(b, scaled, "" if plain else "softplus")
    if beta != 1:
        curve = b.with_number("x / c", curve, beta, hint="curve" if bent else "")
    if not bent:
        return curve
    straight = b.with_number("x > c", scaled, threshold, hint="straight")
    return b.op("where", straight, x=input, y=curve)


@lowers("log_sigmoid")
def logsigmoid(b: Builder, input: Value) -> Value:
    return b.op(
        "negative", exact_softplus(b, b.op("negative", input, hint="negated"), "softplus", "softplus_")
    )


@lowers("tanhshrink")
def tanhshrink(b: Builder, input: Value) -> Value:
    return b.op("elemwise_sub", input, b.op("Activation", input, act_type="tanh", hint="tanh"))


@lowers("hardshrink")
def hardshrink(b: Builder, input: Value, lambd: float = 0.5) -> Value:
    size = b.op("abs", input, hint="abs")
    kept = b.with_number("x > c", size, lambd, hint="kept")
    return b.op("elemwise_mul", input, kept)


@lowers("softshrink")
def softshrink(b: Builder, input: Value, lambd: float = 0.5) -> Value:
    middle = b.op("clip", input, a_min=-lambd, a_max=lambd, hint="middle")
    return b.op("elemwise_sub", input, middle)


@lowers("threshold")
def threshold(b: Builder, input: Value, threshold: float, value: float) -> Value:
    above = b.with_number("x > c", input, threshold, hint="above")
    kept = b.op("elemwise_mul", input, above, hint="kept")
    if value == 0:
        return kept
    below = b.with_number("x <= c", input, threshold, hint="below")
    return b.op("elemwise_add", kept, b.with_number("x * c", below, value, hint="filled"))


def _axis(dim: int | None, rank: int) -> int:
    """torch's implicit choice: axis 0 for ranks 0, 1 and 3, else axis 1 (torch.nn.functional)."""
    if dim is None:
        return 0 if rank in {0, 1, 3} else 1
    return dim % rank if rank else 0


def _softmax(b: Builder, op: str, value: Value, dim: int | None, hint: str = "") -> Value:
    """Softmax along an axis.

    torch: without dim, axis 0 for ranks 0, 1 and 3, else axis 1.
    MXNet: softmax's axis is -1.
    We write: axis, unless it is the last one.
    Source: torch.nn.functional.softmax; mx.sym.softmax.

    >>> converted(lambda x: F.softmax(x, dim=1), (1, 4, 5))
    return mx.sym.softmax(x, axis=1, name="softmax")
    """
    axis = _axis(dim, value.rank)
    axis = -1 if axis == value.rank - 1 or value.rank == 0 else axis
    return b.op(op, b.cast(value, _floating(b)), axis=axis, hint=hint)


def _floating(b: Builder) -> str:
    return "float64" if b.out.dtype == "float64" else "float32"


# `dtype` is the dtype of the result, to which every rule's result is cast.
@lowers("softmax", ignores=("dtype",))
def softmax(b: Builder, input: Value, dim: int | None = None) -> Value:
    return _softmax(b, "softmax", input, dim)


@lowers("log_softmax", ignores=("dtype",))
def log_softmax(b: Builder, input: Value, dim: int | None = None) -> Value:
    return _softmax(b, "log_softmax", input, dim)


@lowers("softmin", ignores=("dtype",))
def softmin(b: Builder, input: Value, dim: int | None = None) -> Value:
    negated = b.op("negative", input, hint="negated")
    return _softmax(b, "softmax", negated, dim)


@lowers("glu")
def glu(b: Builder, input: Value, dim: int = -1) -> Value:
    halves = b.ops(
        "split",
        input,
        num_outputs=2,
        axis=dim % input.rank,
        hint="halves",
        gives=(b.out.shape, b.out.shape),
    )
    gate = b.op("Activation", halves[1], act_type="sigmoid", hint="sigmoid")
    return b.op("elemwise_mul", halves[0], gate)
