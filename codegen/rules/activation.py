"""Activations: torch.nn's, torch.nn.functional's and the methods."""

from __future__ import annotations

import math

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Refused, Value


@lowers("relu")
def relu(b: Builder, input: Value) -> Value:
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
    return b.op("hard_sigmoid", input, alpha=1 / 6, beta=0.5)


@lowers("hardswish")
def hardswish(b: Builder, input: Value) -> Value:
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
    return b.op("LeakyReLU", input, act_type="leaky", slope=negative_slope)


# `lower` and `upper` bound the random slopes of training; inference takes their mean.
@lowers("rrelu")
def rrelu(
    b: Builder, input: Value, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False
) -> Value:
    _refuse_training(b, upper - lower, training)
    b.note("RReLU is converted to its inference form: a LeakyReLU with the mean slope")
    return b.op("LeakyReLU", input, act_type="leaky", slope=(lower + upper) / 2)


@lowers("prelu")
def prelu(b: Builder, input: Value, weight: Value) -> Value:
    if input.rank == 1:
        column = b.op("Reshape", input, shape=(-1, 1), hint="column")
        column = b.op("LeakyReLU", column, gamma=weight, act_type="prelu")
        return b.op("Reshape", column, shape=(-1,), hint="flat")
    return b.op("LeakyReLU", input, gamma=weight, act_type="prelu")


@lowers("elu")
def elu(b: Builder, input: Value, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Value:
    if scale != 1.0 or input_scale != 1.0:
        raise b.refuse("elu() with scale or input_scale")
    return b.op("LeakyReLU", input, act_type="elu", slope=alpha)


@lowers("selu")
def selu(b: Builder, input: Value) -> Value:
    return b.op("LeakyReLU", input, act_type="selu")


@lowers("celu")
def celu(b: Builder, input: Value, alpha: float = 1.0) -> Value:
    if alpha == 1.0:
        return b.op("LeakyReLU", input, act_type="elu", slope=1.0)
    # celu(x) = elu(x / alpha) * alpha for the negative side, x for the positive one.
    scaled = b.with_number("x / c", input, alpha, hint="scaled")
    scaled = b.op("LeakyReLU", scaled, act_type="elu", slope=1.0, hint="elu")
    return b.with_number("x * c", scaled, alpha)


@lowers("softplus")
def softplus(b: Builder, input: Value, beta: float = 1.0, threshold: float = 20.0) -> Value:
    scaled = input if beta == 1 else b.with_number("x * c", input, beta, hint="scaled")
    # From a threshold of 15 on, the curve is the straight line in float32.
    bent = threshold < 15
    plain = beta == 1 and not bent
    curve = b.op("Activation", scaled, act_type="softrelu", hint="" if plain else "softrelu")
    if beta != 1:
        curve = b.with_number("x / c", curve, beta, hint="curve" if bent else "")
    if not bent:
        return curve
    straight = b.with_number("x > c", scaled, threshold, hint="straight")
    return b.op("where", straight, x=input, y=curve)


@lowers("log_sigmoid")
def logsigmoid(b: Builder, input: Value) -> Value:
    negated = b.op("negative", input, hint="negated")
    curve = b.op("Activation", negated, act_type="softrelu", hint="softrelu")
    return b.op("negative", curve)


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


def _refuse_training(b: Builder, p: float, training: bool) -> None:
    if training and p:
        raise Refused(
            f"{b.node.op}() with training=True, which is random", "pass training=self.training", "random"
        )


# Dropout stays in the symbol, where it is the identity in inference and works again in fine-tuning.
@lowers("dropout")
def dropout(b: Builder, input: Value, p: float = 0.5, training: bool = True) -> Value:
    _refuse_training(b, p, training)
    return input if p == 0 else b.op("Dropout", input, p=p)


@lowers("dropout1d", "dropout2d", "dropout3d", "feature_dropout")
def channel_dropout(b: Builder, input: Value, p: float = 0.5, training: bool = True) -> Value:
    _refuse_training(b, p, training)
    return input if p == 0 else b.op("Dropout", input, p=p, axes=tuple(range(2, input.rank)))


@lowers("alpha_dropout", "feature_alpha_dropout")
def alpha_dropout(b: Builder, input: Value, p: float = 0.5, training: bool = False) -> Value:
    _refuse_training(b, p, training)
    b.note("AlphaDropout has no counterpart in MXNet: left out, which changes training only")
    return input
