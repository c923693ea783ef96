"""Normalisation layers."""

from __future__ import annotations

from dataclasses import replace

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value
from codegen.idioms.elementwise import binary
from codegen.idioms.reductions import vector_norm
from codegen.idioms.shapes import reshape_to
from codegen.idioms.windows import pad_zeros
from codegen.ir import Dim, Shape, Size


def _rounded(number: float) -> float:
    """1 - 0.1 as a person writes it: 0.9, not 0.9000000000000000222."""
    return round(number, 10)


@lowers("batch_norm")
def batch_norm(
    b: Builder,
    input: Value,
    running_mean: Value | None,
    running_var: Value | None,
    weight: Value | None = None,
    bias: Value | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Value:
    if running_mean is None or running_var is None or training:
        return _batch_statistics(b, input, weight, bias, eps)
    if not all(b.is_parameter(v) or v.const is not None for v in (running_mean, running_var)):
        return _computed_statistics(b, input, running_mean, running_var, weight, bias, eps)
    if momentum == 0.0:
        b.note(
            "BatchNorm with momentum=None averages all batches in training, which MXNet cannot: written as "
            "momentum=0.9; inference is the same"
        )
        momentum = 0.1
    channels = (input.sizes[1],)
    plain = weight is None and bias is None
    comment = "affine=False: gamma is one and beta is zero" if plain else ""
    gamma = weight if weight is not None else b.parameter("gamma", channels, 1.0)
    beta = bias if bias is not None else b.parameter("beta", channels, 0.0)
    return b.op(
        "BatchNorm",
        input,
        gamma=gamma,
        beta=beta,
        moving_mean=running_mean,
        moving_var=running_var,
        eps=eps,
        momentum=_rounded(1 - momentum),
        fix_gamma=weight is None,
        comment=comment,
    )


def _batch_statistics(b: Builder, x: Value, weight: Value | None, bias: Value | None, eps: float) -> Value:
    """track_running_stats=False: the statistics of the batch, also in inference."""
    axes = tuple(i for i in range(x.rank) if i != 1)
    return affine(b, standardised(b, x, axes, eps, hint="norm"), weight, bias, axis=1)


def _computed_statistics(
    b: Builder, x: Value, mean: Value, var: Value, weight: Value | None, bias: Value | None, eps: float
) -> Value:
    """Statistics that are inputs or are computed: MXNet's BatchNorm takes them from the checkpoint alone."""
    shape: Shape = tuple(s if i == 1 else 1 for i, s in enumerate(x.sizes))
    mean, var = reshape_to(b, mean, shape, hint="mean"), reshape_to(b, var, shape, hint="var")
    centred = b.op("broadcast_sub", x, mean, hint="centred")
    scale = b.op("rsqrt", b.with_number("x + c", var, eps, hint="eps"), hint="scale")
    normed = b.op("broadcast_mul", centred, scale, hint="norm")
    return affine(b, normed, weight, bias, axis=1)


def standardised(b: Builder, x: Value, axes: tuple[int, ...], eps: float, hint: str) -> Value:
    """(x - mean) / sqrt(var + eps) over `axes`, with the biased variance."""
    mean = b.op("mean", x, axis=axes, keepdims=True, hint="mean")
    centred = b.op("broadcast_sub", x, mean, hint="centred")
    squares = b.op("square", centred, hint="squares")
    variance = b.op("mean", squares, axis=axes, keepdims=True, hint="var")
    scale = b.op("rsqrt", b.with_number("x + c", variance, eps, hint="eps"), hint="scale")
    return b.op("broadcast_mul", centred, scale, hint=hint)


def affine(b: Builder, x: Value, weight: Value | None, bias: Value | None, axis: int) -> Value:
    """x * gamma + beta, with one number for each place along `axis`."""
    shape: Shape = tuple(1 if i != axis else s for i, s in enumerate(x.sizes))
    if weight is not None:
        x = b.op("broadcast_mul", x, reshape_to(b, weight, shape, hint="gamma_axes"), hint="scaled")
    if bias is not None:
        x = b.op("broadcast_add", x, reshape_to(b, bias, shape, hint="beta_axes"), hint="")
    return x


@lowers("layer_norm", ignores=("cudnn_enable",))
def layer_norm(
    b: Builder,
    input: Value,
    normalized_shape: tuple[int, ...],
    weight: Value | None = None,
    bias: Value | None = None,
    eps: float = 1e-5,
) -> Value:
    axes = len(normalized_shape)
    if axes == 1:
        return _layer_norm(b, input, weight, bias, eps)
    # MXNet's LayerNorm takes one axis: the last ones are flattened into it, and unflattened after.
    lead = input.sizes[: input.rank - axes]
    width = 1
    for size in normalized_shape:
        width *= size
    flat = _flat_tail(b, input, lead, width, "flat")
    normed = _layer_norm(b, flat, _flat_parameter(b, weight, width), _flat_parameter(b, bias, width), eps)
    return reshape_to(b, replace(normed, shape=(*lead, width)), input.sizes, hint="shaped")


def _flat_tail(b: Builder, x: Value, lead: Shape, width: int, hint: str) -> Value:
    return reshape_to(b, x, (*lead, width), hint=hint)


def _flat_parameter(b: Builder, value: Value | None, width: int) -> Value | None:
    return None if value is None else reshape_to(b, value, (width,), hint="parameter")


def _layer_norm(b: Builder, x: Value, weight: Value | None, bias: Value | None, eps: float) -> Value:
    width = (x.sizes[-1],)
    comment = (
        "" if weight is not None or bias is not None else "without affine: gamma is one and beta is zero"
    )
    gamma = weight if weight is not None else b.parameter("gamma", width, 1.0)
    beta = bias if bias is not None else b.parameter("beta", width, 0.0)
    return b.op("LayerNorm", x, gamma=gamma, beta=beta, eps=eps, comment=comment)


@lowers("group_norm", ignores=("cudnn_enabled",))
def group_norm(
    b: Builder,
    input: Value,
    num_groups: int,
    weight: Value | None = None,
    bias: Value | None = None,
    eps: float = 1e-5,
) -> Value:
    # MXNet's GroupNorm has one gamma and beta for each group, torch's one for each channel: the groups
    # are normalised by an InstanceNorm over (N, groups, rest), and scaled by channel after.
    shape = input.sizes
    grouped_shape = (shape[0], num_groups, _rest(b, shape, num_groups))
    grouped = input
    if grouped_shape != shape:
        grouped = b.op("Reshape", input, shape=(0, num_groups, -1), hint="groups")
    normed = _instance_norm(b, grouped, num_groups, eps, "norm")
    back = reshape_to(b, normed, shape, hint="channels")
    return affine(b, back, weight, bias, axis=1)


def _rest(b: Builder, shape: Shape, groups: int) -> int:
    size = 1
    for s in shape[1:]:
        if isinstance(s, Dim):
            raise b.refuse("group_norm() where a size other than the first follows the batch")
        size *= s
    return size // groups


def _instance_norm(b: Builder, x: Value, channels: Size, eps: float, hint: str) -> Value:
    gamma = b.parameter("ones", (channels,), 1.0)
    beta = b.parameter("zeros", (channels,), 0.0)
    comment = "plain normalisation: gamma is one and beta is zero"
    return b.op("InstanceNorm", x, gamma=gamma, beta=beta, eps=eps, hint=hint, comment=comment)


# `momentum` and, where there are statistics of its own, `use_input_stats` speak of training.
@lowers("instance_norm", ignores=("momentum",))
def instance_norm(
    b: Builder,
    input: Value,
    running_mean: Value | None = None,
    running_var: Value | None = None,
    weight: Value | None = None,
    bias: Value | None = None,
    use_input_stats: bool = True,
    eps: float = 1e-5,
) -> Value:
    x = input
    if not use_input_stats:
        return batch_norm(b, x, running_mean, running_var, weight, bias, eps=eps)
    channels = (x.sizes[1],)
    comment = "" if weight is not None else "without affine: gamma is one and beta is zero"
    gamma = weight if weight is not None else b.parameter("gamma", channels, 1.0)
    beta = bias if bias is not None else b.parameter("beta", channels, 0.0)
    return b.op("InstanceNorm", x, gamma=gamma, beta=beta, eps=eps, comment=comment)


@lowers("local_response_norm")
def local_response_norm(
    b: Builder, input: Value, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Value:
    if size % 2 == 0 or input.rank != 4:
        # MXNet's LRN has odd windows on (N, C, H, W) only: the same as a padded mean over channels.
        return _response_by_pooling(b, input, size, alpha, beta, k)
    return b.op("LRN", input, nsize=size, alpha=alpha, beta=beta, knorm=k)


def _response_by_pooling(b: Builder, x: Value, size: int, alpha: float, beta: float, k: float) -> Value:
    batch, channels = x.sizes[:2]
    rest: Size = 1
    for s in x.sizes[2:]:
        if isinstance(s, Dim):
            raise b.refuse("local_response_norm() where a size other than the first follows the batch")
        assert isinstance(rest, int)
        rest *= s
    squares = b.op("square", x, hint="squares")
    image = reshape_to(b, squares, (batch, 1, channels, rest), hint="image")
    image = pad_zeros(b, image, ((size // 2, (size - 1) // 2), (0, 0)))
    window = b.op(
        "Pooling",
        image,
        kernel=(size, 1),
        pool_type="avg",
        stride=(1, 1),
        count_include_pad=True,
        hint="window",
    )
    window = reshape_to(b, window, x.sizes, hint="shaped")
    divisor = b.with_number("x + c", b.with_number("x * c", window, alpha, hint="alpha"), k, hint="k")
    divisor = b.with_number("x ** c", divisor, beta, hint="beta")
    return b.op("elemwise_div", x, divisor)


@lowers("rms_norm")
def rms_norm(
    b: Builder,
    input: Value,
    normalized_shape: tuple[int, ...],
    weight: Value | None = None,
    eps: float | None = None,
) -> Value:
    axes = tuple(range(input.rank - len(normalized_shape), input.rank))
    squares = b.op("square", input, hint="squares")
    mean = b.op("mean", squares, axis=axes, keepdims=True, hint="mean")
    # torch's eps=None is the machine epsilon of the dtype.
    mean = b.with_number("x + c", mean, 1.1920928955078125e-07 if eps is None else eps, hint="eps")
    scale = b.op("rsqrt", mean, hint="scale")
    normed = b.op("broadcast_mul", input, scale, hint="norm" if weight is not None else "")
    return normed if weight is None else binary(b, "mul", normed, weight)


@lowers("normalize", takes_numbers=True)
def normalize(b: Builder, input: Value, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Value:
    # torch divides by max(norm, eps); MXNet's L2Normalization by sqrt(sum + eps).
    norm = vector_norm(b, input, p, (dim % input.rank,), True, hint="norm")
    bounded = b.with_number("maximum(x, c)", norm, eps, hint="bounded")
    return b.op("broadcast_div", input, bounded)
