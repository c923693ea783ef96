"""Losses. torch's legacy `size_average` and `reduce` arrive as `reduction`."""

from __future__ import annotations

import math
from typing import Any

from codegen.lower import Builder, Value
from codegen.registry import lowers
from codegen.rules.arithmetic import binary
from codegen.rules.layout import reshape_to
from codegen.rules.reduce import reduction as reduced
from tracer.ir import Dim, product

LEGACY = ("size_average", "reduce")


def _finished(b: Builder, loss: Value, how: str, hint_weight: Value | None = None) -> Value:
    """The loss of each place, or their sum or mean."""
    if how == "none":
        return loss
    if hint_weight is None:
        return reduced(b, "mean" if how == "mean" else "sum", loss, None, False)
    total = reduced(b, "sum", loss, None, False, hint="" if how == "sum" else "total")
    if how == "sum":
        return total
    return binary(b, "div", total, reduced(b, "sum", hint_weight, None, False, hint="weight"))


def _float(b: Builder, op: str, left: Value | float, right: Value | float, hint: str) -> Value:
    return binary(b, op, left, right, hint=hint, dtype="float32")


def _unary(b: Builder, op: str, x: Value, hint: str) -> Value:
    return b.op(op, x, hint=hint, gives=x.shape)


def _relu(b: Builder, x: Value, hint: str) -> Value:
    return b.op("Activation", x, act_type="relu", hint=hint, gives=x.shape)


def _softplus(b: Builder, x: Value, hint: str) -> Value:
    return b.op("Activation", x, act_type="softrelu", hint=hint, gives=x.shape)


@lowers("mse_loss", "l1_loss", ignores=LEGACY)
def mse_loss(
    b: Builder, input: Value, target: Value, reduction: str = "mean", weight: Value | None = None
) -> Value:
    gap = _float(b, "sub", input, target, "difference")
    loss = _unary(b, "square" if b.node.op == "mse_loss" else "abs", gap, "loss")
    if weight is None:
        return _finished(b, loss, reduction)
    return _finished(b, _float(b, "mul", loss, weight, "weighted"), reduction, weight)


@lowers("smooth_l1_loss", "huber_loss", ignores=LEGACY)
def smooth_l1_loss(
    b: Builder,
    input: Value,
    target: Value,
    reduction: str = "mean",
    beta: float = 1.0,
    delta: float = 1.0,
    weight: Value | None = None,
) -> Value:
    """c (|d| - c/2) with c = min(|d|, bend), over the bend for smooth_l1."""
    bend = beta if b.node.op == "smooth_l1_loss" else delta
    size = _unary(b, "abs", _float(b, "sub", input, target, "difference"), "abs")
    if bend == 0:
        loss = size
    else:
        near = b.with_number("minimum(x, c)", size, bend, hint="near")
        far = b.op(
            "elemwise_sub", size, b.with_number("x * c", near, 0.5, hint="half"), hint="far", gives=size.shape
        )
        loss = b.op("elemwise_mul", near, far, hint="loss", gives=size.shape)
        if b.node.op == "smooth_l1_loss" and bend != 1:
            loss = b.with_number("x / c", loss, bend, hint="scaled")
    if weight is None:
        return _finished(b, loss, reduction)
    return _finished(b, _float(b, "mul", loss, weight, "weighted"), reduction, weight)


@lowers("kl_div", ignores=LEGACY)
def kl_div(
    b: Builder, input: Value, target: Value, reduction: str = "mean", log_target: bool = False
) -> Value:
    if log_target:
        share, logarithm = _unary(b, "exp", target, "share"), target
        loss = b.op(
            "elemwise_mul", share, _float(b, "sub", logarithm, input, "gap"), hint="loss", gives=share.shape
        )
    else:
        empty = b.with_number("x == c", target, 0, hint="empty")
        safe = b.op("elemwise_add", target, empty, hint="safe", gives=target.shape)  # log(1) where it is 0
        gap = _float(b, "sub", _unary(b, "log", safe, "log"), input, "gap")
        loss = _float(b, "mul", target, gap, "loss")
    if reduction == "batchmean":
        total = reduced(b, "sum", loss, None, False, hint="total")
        rows = input.sizes[0]
        return total if rows == 1 else binary(b, "div", total, rows)  # type: ignore[arg-type]
    return _finished(b, loss, reduction)


@lowers("binary_cross_entropy", ignores=LEGACY)
def binary_cross_entropy(
    b: Builder, input: Value, target: Value, weight: Value | None = None, reduction: str = "mean"
) -> Value:
    # torch bounds the logarithms at -100.
    yes = b.with_number("maximum(x, c)", _unary(b, "log", input, "log"), -100.0, hint="yes")
    rest = b.with_number("c - x", input, 1.0, hint="rest")
    no = b.with_number("maximum(x, c)", _unary(b, "log", rest, "rest_log"), -100.0, hint="no")
    gap = b.op(
        "elemwise_mul", target, b.op("elemwise_sub", yes, no, hint="odds"), hint="gap", gives=yes.shape
    )
    loss = _unary(b, "negative", b.op("elemwise_add", no, gap, hint="sum", gives=yes.shape), "loss")
    loss = loss if weight is None else _float(b, "mul", loss, weight, "weighted")
    return _finished(b, loss, reduction)


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
    rest = _float(b, "mul", b.with_number("c - x", target, 1.0, hint="rest"), input, "no")
    bend = _softplus(b, _unary(b, "negative", input, "negated"), "softplus")
    if pos_weight is not None:
        more = _float(b, "mul", b.with_number("x - c", pos_weight, 1.0, hint="more"), target, "extra")
        bend = _float(b, "mul", b.with_number("x + c", more, 1.0, hint="factor"), bend, "yes")
    loss = _float(b, "add", rest, bend, "loss")
    loss = loss if weight is None else _float(b, "mul", loss, weight, "weighted")
    return _finished(b, loss, reduction)


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
    assert isinstance(classes, int)
    place = b.cast(target, "float32")
    real = b.with_number("x != c", place, float(ignore_index), hint="real")
    picked = b.op("pick", logs, place, axis=axis, mode="clip", hint="picked", gives=target.shape)
    if logs.rank == 1:
        picked = reshape_to(b, picked, target.sizes, hint="picked_axes")
    shares = real
    if weight is not None:
        own = b.op("take", weight, place, mode="clip", hint="own_weight", gives=target.shape)
        shares = b.op("elemwise_mul", own, real, hint="weights", gives=target.shape)
    loss = _unary(
        b, "negative", b.op("elemwise_mul", picked, shares, hint="weighted", gives=target.shape), "loss"
    )
    if smoothing:
        spread_logs = logs
        if weight is not None:
            row = reshape_to(
                b, weight, tuple(classes if a == axis else 1 for a in range(logs.rank)), hint="row"
            )
            spread_logs = b.op("broadcast_mul", logs, row, hint="logs_weighted", gives=logs.shape)
        even = b.op("sum", spread_logs, axis=axis, hint="even", gives=target.shape)
        even = b.op("elemwise_mul", even, real, hint="even_real", gives=target.shape)
        even = b.with_number("x * c", even, -smoothing / classes, hint="smooth")
        loss = b.op(
            "elemwise_add",
            b.with_number("x * c", loss, 1 - smoothing, hint="sharp"),
            even,
            hint="both",
            gives=target.shape,
        )
    return _finished(b, loss, how, shares)


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
    logs = b.op("log_softmax", input, axis=axis, hint="logs", gives=input.shape)
    if not target.dtype.startswith("float"):
        return _by_class(b, logs, target, weight, ignore_index, reduction, label_smoothing)
    classes = input.sizes[axis]
    assert isinstance(classes, int)
    if label_smoothing:
        target = b.with_number("x * c", target, 1 - label_smoothing, hint="sharp")
        target = b.with_number("x + c", target, label_smoothing / classes, hint="smooth")
    if weight is not None:
        row = reshape_to(b, weight, tuple(classes if a == axis else 1 for a in range(input.rank)), hint="row")
        target = b.op("broadcast_mul", target, row, hint="weighted", gives=input.shape)
    each = b.op("elemwise_mul", logs, target, hint="each", gives=input.shape)
    loss = _unary(b, "negative", reduced(b, "sum", each, axis, False, hint="sum"), "loss")
    return _finished(b, loss, reduction) if loss.rank else loss


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
        loss = _float(
            b, "sub", _unary(b, "exp", input, "exp"), _float(b, "mul", target, input, "product"), "loss"
        )
    else:
        logarithm = _unary(b, "log", b.with_number("x + c", input, eps, hint="eps"), "log")
        loss = _float(b, "sub", input, _float(b, "mul", target, logarithm, "product"), "loss")
    if full:
        # Stirling's t log t - t + log(2 pi t) / 2, above 1 only; log(1) stands in below.
        large = b.with_number("x > c", target, 1.0, hint="large")
        safe = b.with_number("maximum(x, c)", target, 1.0, hint="safe")
        half = b.with_number("x + c", safe, 0.5, hint="half")
        stirling = b.op(
            "elemwise_mul", half, _unary(b, "log", safe, "safe_log"), hint="main", gives=safe.shape
        )
        stirling = b.op("elemwise_sub", stirling, safe, hint="less", gives=safe.shape)
        stirling = b.with_number("x + c", stirling, 0.5 * math.log(2 * math.pi), hint="stirling")
        extra = b.op("elemwise_mul", stirling, large, hint="extra", gives=safe.shape)
        loss = _float(b, "add", loss, extra, "full")
    return _finished(b, loss, reduction)


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
    square = _unary(b, "square", _float(b, "sub", input, target, "difference"), "square")
    if isinstance(var, Value):
        if var.rank == input.rank - 1:
            var = reshape_to(b, var, (*var.sizes, 1), hint="var_axes")
        spread = b.with_number("maximum(x, c)", var, eps, hint="bounded")
        ratio = _float(b, "div", square, spread, "ratio")
        loss = _float(b, "add", ratio, _unary(b, "log", spread, "log"), "sum")
    else:
        number = max(var, eps)
        ratio = b.with_number("x / c", square, number, hint="ratio")
        loss = b.with_number("x + c", ratio, math.log(number), hint="sum")
    loss = b.with_number("x * c", loss, 0.5, hint="loss")
    loss = b.with_number("x + c", loss, 0.5 * math.log(2 * math.pi), hint="full") if full else loss
    return _finished(b, loss, reduction)


@lowers("hinge_embedding_loss", ignores=LEGACY)
def hinge_embedding_loss(
    b: Builder, input: Value, target: Value, margin: float = 1.0, reduction: str = "mean"
) -> Value:
    """The margin's part where the target is not 1, and the input where it is not -1: both for any other."""
    sign = b.cast(target, "float32")
    apart = _relu(b, b.with_number("c - x", input, margin, hint="margin"), "apart")
    apart = _float(b, "mul", apart, b.with_number("x != c", sign, 1.0, hint="not_alike"), "far")
    alike = _float(b, "mul", input, b.with_number("x != c", sign, -1.0, hint="not_apart"), "near")
    return _finished(b, _float(b, "add", apart, alike, "loss"), reduction)


@lowers("margin_ranking_loss", ignores=LEGACY)
def margin_ranking_loss(
    b: Builder, input1: Value, input2: Value, target: Value, margin: float = 0.0, reduction: str = "mean"
) -> Value:
    order = _float(b, "mul", target, _float(b, "sub", input2, input1, "difference"), "order")
    order = b.with_number("x + c", order, margin, hint="margin") if margin else order
    return _finished(b, _relu(b, order, "loss"), reduction)


@lowers("soft_margin_loss", ignores=LEGACY)
def soft_margin_loss(b: Builder, input: Value, target: Value, reduction: str = "mean") -> Value:
    wrong = _unary(b, "negative", _float(b, "mul", target, input, "product"), "wrong")
    return _finished(b, _softplus(b, wrong, "loss"), reduction)


@lowers("cosine_embedding_loss", ignores=LEGACY)
def cosine_embedding_loss(
    b: Builder, input1: Value, input2: Value, target: Value, margin: float = 0.0, reduction: str = "mean"
) -> Value:
    axis = input1.rank - 1
    dot = reduced(b, "sum", _float(b, "mul", input1, input2, "products"), axis, False, hint="dot")
    sizes = []
    for name, x in (("input1", input1), ("input2", input2)):
        total = reduced(b, "sum", _unary(b, "square", x, f"{name}_squares"), axis, False, hint=f"{name}_sum")
        sizes.append(b.with_number("x + c", total, 1e-12, hint=f"{name}_size"))
    root = _unary(b, "sqrt", _float(b, "mul", sizes[0], sizes[1], "sizes"), "root")
    cosine = _float(b, "div", dot, root, "cosine")
    same = b.with_number("c - x", cosine, 1.0, hint="same")
    other = _relu(b, b.with_number("x - c", cosine, margin, hint="margin") if margin else cosine, "other")
    alike = b.with_number("x == c", b.cast(target, "float32"), 1.0, hint="alike")
    gap = _float(b, "mul", alike, _float(b, "sub", same, other, "gap"), "chosen")
    return _finished(b, _float(b, "add", other, gap, "loss"), reduction)


@lowers("multilabel_soft_margin_loss", ignores=LEGACY)
def multilabel_soft_margin_loss(
    b: Builder, input: Value, target: Value, weight: Value | None = None, reduction: str = "mean"
) -> Value:
    """(1 - t) x + softplus(-x), averaged over the classes."""
    no = _float(b, "mul", b.with_number("c - x", b.cast(target, "float32"), 1.0, hint="rest"), input, "no")
    each = _float(b, "add", no, _softplus(b, _unary(b, "negative", input, "negated"), "softplus"), "each")
    each = each if weight is None else _float(b, "mul", each, weight, "weighted")
    return _finished(b, reduced(b, "mean", each, input.rank - 1, False, hint="loss"), reduction)


@lowers("multi_margin_loss", ignores=LEGACY)
def multi_margin_loss(
    b: Builder,
    input: Value,
    target: Value,
    p: int = 1,
    margin: float = 1.0,
    weight: Value | None = None,
    reduction: str = "mean",
) -> Value:
    axis = input.rank - 1
    classes = input.sizes[axis]
    if isinstance(classes, Dim) or product(target.sizes) is None:
        raise b.refuse("multi_margin_loss() over the batch axis")
    place = b.cast(target, "float32")
    kept = (*input.sizes[:axis], 1)
    own = b.op("pick", input, place, axis=axis, keepdims=True, mode="clip", hint="own", gives=kept)
    gap = b.with_number(
        "x + c", b.op("broadcast_sub", input, own, hint="gap", gives=input.shape), margin, hint="margin"
    )
    over = _relu(b, gap, "over")
    over = _unary(b, "square", over, "squared") if p == 2 else over
    hot = b.op(
        "one_hot",
        reshape_to(b, place, input.sizes[:axis], hint="rows"),
        depth=classes,
        hint="hot",
        gives=(*input.sizes[:axis], classes) if axis else (1, classes),
    )
    hot = reshape_to(b, hot, input.sizes, hint="hot_axes")
    others = b.op(
        "elemwise_mul",
        over,
        b.with_number("c - x", hot, 1.0, hint="not_own"),
        hint="others",
        gives=input.shape,
    )
    if weight is not None:
        share = b.op("take", weight, place, mode="clip", hint="share", gives=target.shape)
        others = b.op(
            "broadcast_mul",
            others,
            reshape_to(b, share, kept, hint="share_axes"),
            hint="weighted",
            gives=input.shape,
        )
    return _finished(b, reduced(b, "mean", others, axis, False, hint="loss"), reduction)


@lowers("triplet_margin_with_distance_loss", ignores=LEGACY)
def triplet_margin_with_distance_loss(
    b: Builder,
    anchor: Value,
    positive: Value,
    negative: Value,
    distance_function: Any = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Value:
    options = {}
    if distance_function is not None:
        if type(distance_function).__name__ != "PairwiseDistance" or distance_function.keepdim:
            raise b.refuse("a triplet loss with a distance of its own", "compute the distances in forward")
        options = {"p": distance_function.norm, "eps": distance_function.eps}
    return triplet_margin_loss(
        b, anchor, positive, negative, margin, swap=swap, reduction=reduction, **options
    )


@lowers("triplet_margin_loss", ignores=LEGACY)
def triplet_margin_loss(
    b: Builder,
    anchor: Value,
    positive: Value,
    negative: Value,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Value:
    from codegen.rules.reduce import vector_norm

    def distance(left: Value, right: Value, name: str) -> Value:
        gap = b.with_number(
            "x + c", _float(b, "sub", left, right, f"{name}_difference"), eps, hint=f"{name}_eps"
        )
        return vector_norm(b, gap, p, (gap.rank - 1,), False, hint=name)

    near, far = distance(anchor, positive, "near"), distance(anchor, negative, "far")
    if swap:
        far = _float(b, "minimum", far, distance(positive, negative, "other"), "nearest")
    gap = b.with_number("x + c", _float(b, "sub", near, far, "gap"), margin, hint="margin")
    return _finished(b, _relu(b, gap, "loss"), reduction)
