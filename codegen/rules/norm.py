"""Normalisation layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value, fixed
from codegen.idioms.elementwise import binary, check_floats
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
    """Normalisation with the running statistics.

    torch: eps is 1e-5; momentum (0.1) is the share of the new batch, None a cumulative average; gamma is
        learned, unless affine=False. Training keeps the unbiased variance of a batch.
    MXNet: eps is 1e-3; momentum (0.9) is the share that is kept; fix_gamma=True, the default, holds gamma at
        one. Training keeps the biased variance.
    We write: each that is not MXNet's; momentum as 1 - momentum, 0.9 for None, with a note. Without affine,
        gamma and beta are parameters of ones and zeros, and fix_gamma stays True. What training keeps is left
        to MXNet.
    Source: torch.nn.BatchNorm2d; mx.sym.BatchNorm.

    >>> converted(nn.BatchNorm2d(4), (1, 4, 8, 8))
    return mx.sym.BatchNorm(x, eps=1e-5, fix_gamma=False, name="batchnorm2d")
    >>> converted(nn.BatchNorm2d(4, affine=False, momentum=0.01), (1, 4, 8, 8))
    return mx.sym.BatchNorm(x, eps=1e-5, momentum=0.99, attr=FROZEN, name="batchnorm2d")
    """
    if running_mean is None or running_var is None or training:
        return _batch_statistics(b, input, weight, bias, eps)
    if not all(b.is_parameter(v) or v.const is not None for v in (running_mean, running_var)):
        return _computed_statistics(b, input, running_mean, running_var, weight, bias, eps)
    if momentum == 0.0:
        b.note("batchnorm-average")
        momentum = 0.1
    channels = (input.sizes[1],)
    plain = weight is None and bias is None
    comment = "affine=False: gamma is one and beta is zero" if plain else ""
    dtype = "float64" if input.dtype == "float64" else "float32"  # of half too
    gamma = weight if weight is not None else b.parameter("gamma", channels, 1.0, dtype)
    beta = bias if bias is not None else b.parameter("beta", channels, 0.0, dtype)
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
    """Normalisation with the statistics of the batch, also in inference.

    torch: track_running_stats=False keeps no statistics: those of the batch are taken, in inference too.
    MXNet: BatchNorm takes the moving statistics in inference, always.
    We write: the mean and the biased variance of the batch, op by op.
    Source: torch.nn.BatchNorm2d; mx.sym.BatchNorm.

    >>> converted(nn.BatchNorm2d(4, affine=False, track_running_stats=False), (2, 4, 8, 8))
    mean = mx.sym.mean(x, axis=(0, 2, 3), keepdims=True, name="batchnorm2d_mean")
    centred = mx.sym.broadcast_sub(x, mean, name="batchnorm2d_centred")
    var = mx.sym.mean(
        mx.sym.square(centred, name="batchnorm2d_squares"),
        axis=(0, 2, 3),
        keepdims=True,
        name="batchnorm2d_var",
    )
    eps = named(var + 1e-5, name="batchnorm2d_eps")
    return mx.sym.broadcast_div(
        centred, mx.sym.sqrt(eps, name="batchnorm2d_root"), name="batchnorm2d_norm"
    )
    """
    axes = tuple(i for i in range(x.rank) if i != 1)
    return affine(b, standardised(b, x, axes, eps, hint="norm"), weight, bias, axis=1)


def _computed_statistics(
    b: Builder, x: Value, mean: Value, var: Value, weight: Value | None, bias: Value | None, eps: float
) -> Value:
    """Normalisation with statistics that forward computes.

    torch: F.batch_norm takes any tensors as running_mean and running_var.
    MXNet: BatchNorm's moving_mean and moving_var are auxiliary states, which come from the checkpoint alone.
    We write: the formula, op by op.
    Source: torch.nn.functional.batch_norm; mx.sym.BatchNorm.

    >>> converted(lambda x, m, v: F.batch_norm(x, m, v.abs()), (2, 4, 8), (4,), (4,))
    v = mx.sym.abs(v, name="abs")
    m = mx.sym.Reshape(m, shape=(1, -1, 1), name="batch_norm_mean")
    v = mx.sym.Reshape(v, shape=(1, -1, 1), name="batch_norm_var")
    x = mx.sym.broadcast_sub(x, m, name="batch_norm_centred")
    v = named(v + 1e-5, name="batch_norm_eps")
    return mx.sym.broadcast_div(x, mx.sym.sqrt(v, name="batch_norm_root"), name="batch_norm_norm")
    """
    shape: Shape = tuple(s if i == 1 else 1 for i, s in enumerate(x.sizes))
    mean, var = reshape_to(b, mean, shape, hint="mean"), reshape_to(b, var, shape, hint="var")
    centred = b.op("broadcast_sub", x, mean, hint="centred")
    root = b.op("sqrt", b.with_number("x + c", var, eps, hint="eps"), hint="root")
    normed = b.op("broadcast_div", centred, root, hint="norm")
    return affine(b, normed, weight, bias, axis=1)


def standardised(b: Builder, x: Value, axes: tuple[int, ...], eps: float, hint: str) -> Value:
    """(x - mean) / sqrt(var + eps) over `axes`, with the biased variance."""
    mean = b.op("mean", x, axis=axes, keepdims=True, hint="mean")
    centred = b.op("broadcast_sub", x, mean, hint="centred")
    squares = b.op("square", centred, hint="squares")
    variance = b.op("mean", squares, axis=axes, keepdims=True, hint="var")
    root = b.op("sqrt", b.with_number("x + c", variance, eps, hint="eps"), hint="root")
    return b.op("broadcast_div", centred, root, hint=hint)


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
    """Normalisation over the last axes.

    torch: normalized_shape may hold several axes; eps is 1e-5.
    MXNet: LayerNorm normalises over one axis; its default eps is 1e-5, as torch's.
    We write: eps but for 1e-5; several axes are flattened into one, and unflattened after.
    Source: torch.nn.LayerNorm; mx.sym.LayerNorm.

    >>> converted(nn.LayerNorm(6), (2, 5, 6))
    return mx.sym.LayerNorm(x, name="layernorm")
    >>> converted(nn.LayerNorm((5, 6), elementwise_affine=False), (2, 5, 6))
    flat = mx.sym.Reshape(x, shape=(0, -1), name="layernorm_flat")
    layernorm = mx.sym.LayerNorm(flat, attr=FROZEN, name="layernorm")
    return mx.sym.Reshape(layernorm, shape=(0, 5, 6), name="layernorm_shaped")
    """
    axes = len(normalized_shape)
    if axes == 1:
        return _layer_norm(b, input, weight, bias, eps)
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
    gamma = weight if weight is not None else b.parameter("gamma", width, 1.0, x.dtype)
    beta = bias if bias is not None else b.parameter("beta", width, 0.0, x.dtype)
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
    """Normalisation by groups of channels.

    torch: one weight and one bias for each channel; eps is 1e-5.
    MXNet: GroupNorm has one gamma and one beta for each group; its default eps is 1e-5, as
        torch's.
    We write: an InstanceNorm over (N, groups, rest) with a gamma of ones and a beta of zeros, then a scale
        and a shift by channel. Its eps is 1e-3 by default.
    Source: torch.nn.GroupNorm; mx.sym.GroupNorm; mx.sym.InstanceNorm.

    >>> converted(nn.GroupNorm(2, 4), (1, 4, 8, 8))
    groups = mx.sym.Reshape(x, shape=(0, 2, -1), name="groupnorm_groups")
    norm = mx.sym.InstanceNorm(
        groups, gamma=groupnorm_ones, beta=groupnorm_zeros, eps=1e-5, name="groupnorm_norm"
    )
    channels = mx.sym.Reshape(norm, shape=(0, 4, 8, 8), name="groupnorm_channels")
    ...
    return mx.sym.broadcast_add(
        scaled,
        mx.sym.Reshape(groupnorm_bias, shape=(1, -1, 1, 1), name="groupnorm_beta_axes"),
        name="groupnorm",
    )
    """
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
    """Normalisation of each sample by itself.

    torch: eps is 1e-5; there is no weight unless affine=True; with track_running_stats=True inference
        normalises with the running statistics.
    MXNet: InstanceNorm's eps is 1e-3; gamma and beta are required; it knows no running statistics.
    We write: eps but for 1e-3, ones and zeros for what is missing, and a BatchNorm for running statistics.
    Source: torch.nn.InstanceNorm2d; mx.sym.InstanceNorm.

    >>> converted(nn.InstanceNorm2d(4), (1, 4, 8, 8))
    return mx.sym.InstanceNorm(x, eps=1e-5, attr=FROZEN, name="instancenorm2d")
    >>> converted(nn.InstanceNorm2d(4, track_running_stats=True), (1, 4, 8, 8))
    return mx.sym.BatchNorm(x, eps=1e-5, attr=FROZEN, name="instancenorm2d")
    """
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
    """Division by the response of the neighbouring channels.

    torch: k is 1; the size may be even; any rank from 2 on.
    MXNet: LRN's knorm is 2; its alpha is 1e-4, as torch's; it takes images (N, C, H, W), and gives other
        numbers where nsize is even.
    We write: knorm and alpha that are not MXNet's. For an even size or another rank, an average over padded
        channels.
    Source: torch.nn.LocalResponseNorm; mx.sym.LRN; measured for even sizes.

    >>> converted(nn.LocalResponseNorm(3), (1, 4, 8, 8))
    return mx.sym.LRN(x, nsize=3, knorm=1.0, name="localresponsenorm")
    """
    check_floats(b, "whose means torch cuts to whole numbers")
    if size % 2 == 0 or input.rank != 4:
        return _response_by_pooling(b, input, size, alpha, beta, k)
    return b.op("LRN", input, nsize=size, alpha=alpha, beta=beta, knorm=k)


def _response_by_pooling(b: Builder, x: Value, size: int, alpha: float, beta: float, k: float) -> Value:
    batch, channels = x.sizes[:2]
    rest = 1
    for s in x.sizes[2:]:
        if isinstance(s, Dim):
            raise b.refuse("local_response_norm() where a size other than the first follows the batch")
        rest = fixed(rest)
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
    """Division by the root of the mean square.

    torch: eps=None is the machine epsilon of what it computes in: 1.19e-07, or 2.22e-16 for float64.
    MXNet: has no such op.
    We write: the formula, op by op.
    Source: torch.nn.RMSNorm.

    >>> converted(nn.RMSNorm(6), (2, 6))
    mean = mx.sym.mean(
        mx.sym.square(x, name="rmsnorm_squares"), axis=(1,), keepdims=True, name="rmsnorm_mean"
    )
    ...
    return mx.sym.broadcast_mul(
        norm, mx.sym.Reshape(rmsnorm_weight, shape=(1, -1), name="rmsnorm_rhs"), name="rmsnorm"
    )
    """
    axes = tuple(range(input.rank - len(normalized_shape), input.rank))
    squares = b.op("square", input, hint="squares")
    mean = b.op("mean", squares, axis=axes, keepdims=True, hint="mean")
    epsilon = float(np.finfo("float64" if input.dtype == "float64" else "float32").eps)
    mean = b.with_number("x + c", mean, epsilon if eps is None else eps, hint="eps")
    root = b.op("sqrt", mean, hint="root")
    normed = b.op("broadcast_div", input, root, hint="norm" if weight is not None else "")
    return normed if weight is None else binary(b, "mul", normed, weight)


@lowers("normalize", takes_numbers=True)
def normalize(b: Builder, input: Value, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Value:
    """Division by a norm.

    torch: divides by max(norm, eps), along any axis, with any norm.
    MXNet: L2Normalization divides by sqrt(sum + eps); its default mode, "instance", takes a whole sample.
    We write: the norm, `maximum` with eps, and a division.
    Source: torch.nn.functional.normalize; mx.sym.L2Normalization.

    >>> converted(lambda x: F.normalize(x), (2, 6))
    sum_ = mx.sym.sum(
        mx.sym.square(x, name="normalize_squares"), axis=1, keepdims=True, name="normalize_sum"
    )
    bounded = named(
        mx.sym.maximum(mx.sym.sqrt(sum_, name="normalize_norm"), 1e-12), name="normalize_bounded"
    )
    return mx.sym.broadcast_div(x, bounded, name="normalize")
    """
    norm = vector_norm(b, input, p, (dim % input.rank,), True, hint="norm")
    bounded = b.with_number("maximum(x, c)", norm, eps, hint="bounded")
    return b.op("broadcast_div", input, bounded)
