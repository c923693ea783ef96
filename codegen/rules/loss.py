"""Losses. torch's legacy `size_average` and `reduce` arrive as `reduction`."""

from __future__ import annotations

import math

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value, fixed
from codegen.idioms.elementwise import binary, softplus
from codegen.idioms.losses import LEGACY, as_float, finished, unary_of
from codegen.idioms.reductions import reduction as reduced
from codegen.idioms.shapes import reshape_to


@lowers("mse_loss", ignores=LEGACY, size="square")
@lowers("l1_loss", ignores=LEGACY, size="abs")
def mse_loss(
    b: Builder,
    input: Value,
    target: Value,
    reduction: str = "mean",
    weight: Value | None = None,
    *,
    size: str,
) -> Value:
    gap = as_float(b, "sub", input, target, "difference")
    loss = unary_of(b, size, gap, "loss")
    if weight is None:
        return finished(b, loss, reduction)
    return finished(b, as_float(b, "mul", loss, weight, "weighted"), reduction, weight)


@lowers("smooth_l1_loss", ignores=LEGACY)
def smooth_l1_loss(
    b: Builder, input: Value, target: Value, reduction: str = "mean", beta: float = 1.0
) -> Value:
    return _bent_loss(b, input, target, reduction, beta, None, scaled=True)


@lowers("huber_loss", ignores=LEGACY)
def huber_loss(
    b: Builder,
    input: Value,
    target: Value,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Value | None = None,
) -> Value:
    return _bent_loss(b, input, target, reduction, delta, weight, scaled=False)


def _bent_loss(
    b: Builder,
    input: Value,
    target: Value,
    reduction: str,
    bend: float,
    weight: Value | None,
    scaled: bool,
) -> Value:
    """c (|d| - c/2) with c = min(|d|, bend); over the bend where `scaled`."""
    size = unary_of(b, "abs", as_float(b, "sub", input, target, "difference"), "abs")
    if bend == 0:
        loss = size
    else:
        near = b.with_number("minimum(x, c)", size, bend, hint="near")
        far = b.op("elemwise_sub", size, b.with_number("x * c", near, 0.5, hint="half"), hint="far")
        loss = b.op("elemwise_mul", near, far, hint="loss")
        if scaled and bend != 1:
            loss = b.with_number("x / c", loss, bend, hint="scaled")
    if weight is None:
        return finished(b, loss, reduction)
    return finished(b, as_float(b, "mul", loss, weight, "weighted"), reduction, weight)


@lowers("kl_div", ignores=LEGACY, takes_numbers=True)
def kl_div(
    b: Builder, input: Value, target: Value, reduction: str = "mean", log_target: bool = False
) -> Value:
    if log_target:
        share, logarithm = unary_of(b, "exp", target, "share"), target
        loss = as_float(b, "mul", share, as_float(b, "sub", logarithm, input, "gap"), "loss")
    else:
        empty = b.with_number("x == c", target, 0, hint="empty")
        safe = b.op("elemwise_add", target, empty, hint="safe")  # log(1) where it is 0
        gap = as_float(b, "sub", unary_of(b, "log", safe, "log"), input, "gap")
        loss = as_float(b, "mul", target, gap, "loss")
    if reduction == "batchmean":
        total = reduced(b, "sum", loss, None, False, hint="total")
        rows = input.sizes[0]
        return total if rows == 1 else binary(b, "div", total, rows)  # type: ignore[arg-type]
    return finished(b, loss, reduction)


@lowers("binary_cross_entropy", ignores=LEGACY)
def binary_cross_entropy(
    b: Builder, input: Value, target: Value, weight: Value | None = None, reduction: str = "mean"
) -> Value:
    # torch bounds the logarithms at -100.
    yes = b.with_number("maximum(x, c)", unary_of(b, "log", input, "log"), -100.0, hint="yes")
    rest = b.with_number("c - x", input, 1.0, hint="rest")
    no = b.with_number("maximum(x, c)", unary_of(b, "log", rest, "rest_log"), -100.0, hint="no")
    gap = b.op("elemwise_mul", target, b.op("elemwise_sub", yes, no, hint="odds"), hint="gap")
    loss = unary_of(b, "negative", b.op("elemwise_add", no, gap, hint="sum"), "loss")
    loss = loss if weight is None else as_float(b, "mul", loss, weight, "weighted")
    return finished(b, loss, reduction)


@lowers("binary_cross_entropy_with_logits", ignores=LEGACY)
def binary_cross_entropy_with_logits(
    b: Builder,
    input: Value,
    target: Value,
    weight: Value | None = None,
    reduction: str = "mean",
    pos_weight: Value | None = None,
) -> Value:
    """(1 - t) x + (1 + (p - 1) t) softplus(-x)"""
    rest = as_float(b, "mul", b.with_number("c - x", target, 1.0, hint="rest"), input, "no")
    bend = softplus(b, unary_of(b, "negative", input, "negated"), "softplus", "softplus_")
    if pos_weight is not None:
        more = as_float(b, "mul", b.with_number("x - c", pos_weight, 1.0, hint="more"), target, "extra")
        bend = as_float(b, "mul", b.with_number("x + c", more, 1.0, hint="factor"), bend, "yes")
    loss = as_float(b, "add", rest, bend, "loss")
    loss = loss if weight is None else as_float(b, "mul", loss, weight, "weighted")
    return finished(b, loss, reduction)


def _by_class(
    b: Builder,
    logs: Value,
    target: Value,
    weight: Value | None,
    ignore_index: int,
    how: str,
    smoothing: float = 0.0,
) -> Value:
    """-log p of the target's class, weighted; ignored targets count for nothing."""
    axis = 1 if logs.rank > 1 else 0
    classes = logs.sizes[axis]
    classes = fixed(classes)
    place = b.cast(target, "float32")
    real = b.with_number("x != c", place, float(ignore_index), hint="real")
    picked = b.op("pick", logs, place, axis=axis, mode="clip", hint="picked")
    if logs.rank == 1:
        picked = reshape_to(b, picked, target.sizes, hint="picked_axes")
    shares = real
    if weight is not None:
        own = b.op("take", weight, place, mode="clip", hint="own_weight")
        shares = b.op("elemwise_mul", own, real, hint="weights")
    loss = unary_of(b, "negative", b.op("elemwise_mul", picked, shares, hint="weighted"), "loss")
    if smoothing:
        spread_logs = logs
        if weight is not None:
            row = reshape_to(
                b, weight, tuple(classes if a == axis else 1 for a in range(logs.rank)), hint="row"
            )
            spread_logs = b.op("broadcast_mul", logs, row, hint="logs_weighted")
        even = b.op("sum", spread_logs, axis=axis, hint="even")
        even = b.op("elemwise_mul", even, real, hint="even_real")
        even = b.with_number("x * c", even, -smoothing / classes, hint="smooth")
        loss = b.op(
            "elemwise_add",
            b.with_number("x * c", loss, 1 - smoothing, hint="sharp"),
            even,
            hint="both",
        )
    return finished(b, loss, how, shares)


@lowers("nll_loss", ignores=LEGACY)
def nll_loss(
    b: Builder,
    input: Value,
    target: Value,
    weight: Value | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Value:
    return _by_class(b, input, target, weight, ignore_index, reduction)


@lowers("cross_entropy", ignores=LEGACY)
def cross_entropy(
    b: Builder,
    input: Value,
    target: Value,
    weight: Value | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Value:
    axis = 1 if input.rank > 1 else 0
    logs = b.op("log_softmax", input, axis=axis, hint="logs")
    if not target.dtype.startswith("float"):
        return _by_class(b, logs, target, weight, ignore_index, reduction, label_smoothing)
    classes = input.sizes[axis]
    classes = fixed(classes)
    if label_smoothing:
        target = b.with_number("x * c", target, 1 - label_smoothing, hint="sharp")
        target = b.with_number("x + c", target, label_smoothing / classes, hint="smooth")
    if weight is not None:
        row = reshape_to(b, weight, tuple(classes if a == axis else 1 for a in range(input.rank)), hint="row")
        target = b.op("broadcast_mul", target, row, hint="weighted")
    each = b.op("elemwise_mul", logs, target, hint="each")
    loss = unary_of(b, "negative", reduced(b, "sum", each, axis, False, hint="sum"), "loss")
    return finished(b, loss, reduction) if loss.rank else loss


@lowers("poisson_nll_loss", ignores=LEGACY)
def poisson_nll_loss(
    b: Builder,
    input: Value,
    target: Value,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Value:
    if log_input:
        loss = as_float(
            b, "sub", unary_of(b, "exp", input, "exp"), as_float(b, "mul", target, input, "product"), "loss"
        )
    else:
        logarithm = unary_of(b, "log", b.with_number("x + c", input, eps, hint="eps"), "log")
        loss = as_float(b, "sub", input, as_float(b, "mul", target, logarithm, "product"), "loss")
    if full:
        # Stirling's t log t - t + log(2 pi t) / 2, above 1 only; log(1) stands in below.
        large = b.with_number("x > c", target, 1.0, hint="large")
        safe = b.with_number("maximum(x, c)", target, 1.0, hint="safe")
        half = b.with_number("x + c", safe, 0.5, hint="half")
        stirling = b.op("elemwise_mul", half, unary_of(b, "log", safe, "safe_log"), hint="main")
        stirling = b.op("elemwise_sub", stirling, safe, hint="less")
        stirling = b.with_number("x + c", stirling, 0.5 * math.log(2 * math.pi), hint="stirling")
        extra = b.op("elemwise_mul", stirling, large, hint="extra")
        loss = as_float(b, "add", loss, extra, "full")
    return finished(b, loss, reduction)


@lowers("gaussian_nll_loss")
def gaussian_nll_loss(
    b: Builder,
    input: Value,
    target: Value,
    var: Value | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Value:
    square = unary_of(b, "square", as_float(b, "sub", input, target, "difference"), "square")
    if isinstance(var, Value):
        if var.rank == input.rank - 1:
            var = reshape_to(b, var, (*var.sizes, 1), hint="var_axes")
        spread = b.with_number("maximum(x, c)", var, eps, hint="bounded")
        ratio = as_float(b, "div", square, spread, "ratio")
        loss = as_float(b, "add", ratio, unary_of(b, "log", spread, "log"), "sum")
    else:
        number = max(var, eps)
        ratio = b.with_number("x / c", square, number, hint="ratio")
        loss = b.with_number("x + c", ratio, math.log(number), hint="sum")
    loss = b.with_number("x * c", loss, 0.5, hint="loss")
    loss = b.with_number("x + c", loss, 0.5 * math.log(2 * math.pi), hint="full") if full else loss
    return finished(b, loss, reduction)
