"""Losses that ask for a margin."""

from __future__ import annotations

from typing import Any

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Value
from codegen.idioms.elementwise import check_floats, softplus
from codegen.idioms.losses import LEGACY, as_float, finished, relu_of, unary_of
from codegen.idioms.reductions import reduction as reduced
from codegen.idioms.reductions import vector_norm
from codegen.idioms.shapes import reshape_to
from codegen.ir import Dim, elements_in


@lowers("hinge_embedding_loss", ignores=LEGACY)
def hinge_embedding_loss(
    b: Builder, input: Value, target: Value, margin: float = 1.0, reduction: str = "mean"
) -> Value:
    """The margin's part where the target is not 1, and the input where it is not -1: both for any other."""
    sign = b.cast(target, "float32")
    apart = relu_of(b, b.with_number("c - x", input, margin, hint="margin"), "apart")
    apart = as_float(b, "mul", apart, b.with_number("x != c", sign, 1.0, hint="not_alike"), "far")
    alike = as_float(b, "mul", input, b.with_number("x != c", sign, -1.0, hint="not_apart"), "near")
    return finished(b, as_float(b, "add", apart, alike, "loss"), reduction)


@lowers("margin_ranking_loss", ignores=LEGACY)
def margin_ranking_loss(
    b: Builder, input1: Value, input2: Value, target: Value, margin: float = 0.0, reduction: str = "mean"
) -> Value:
    order = as_float(b, "mul", target, as_float(b, "sub", input2, input1, "difference"), "order")
    order = b.with_number("x + c", order, margin, hint="margin") if margin else order
    return finished(b, relu_of(b, order, "loss"), reduction)


@lowers("soft_margin_loss", ignores=LEGACY)
def soft_margin_loss(b: Builder, input: Value, target: Value, reduction: str = "mean") -> Value:
    """log1p(exp(-t x)): infinite where torch is, and exact where it is small, which softrelu is not."""
    wrong = unary_of(b, "negative", as_float(b, "mul", target, input, "product"), "wrong")
    return finished(b, unary_of(b, "log1p", unary_of(b, "exp", wrong, "odds"), "loss"), reduction)


@lowers("cosine_embedding_loss", ignores=LEGACY)
def cosine_embedding_loss(
    b: Builder, input1: Value, input2: Value, target: Value, margin: float = 0.0, reduction: str = "mean"
) -> Value:
    axis = input1.rank - 1
    dot = reduced(b, "sum", as_float(b, "mul", input1, input2, "products"), axis, False, hint="dot")
    sizes = []
    for name, x in (("input1", input1), ("input2", input2)):
        total = reduced(
            b, "sum", unary_of(b, "square", x, f"{name}_squares"), axis, False, hint=f"{name}_sum"
        )
        sizes.append(b.with_number("x + c", total, 1e-12, hint=f"{name}_size"))
    root = unary_of(b, "sqrt", as_float(b, "mul", sizes[0], sizes[1], "sizes"), "root")
    cosine = as_float(b, "div", dot, root, "cosine")
    same = b.with_number("c - x", cosine, 1.0, hint="same")
    other = relu_of(b, b.with_number("x - c", cosine, margin, hint="margin") if margin else cosine, "other")
    # A target that is neither 1 nor -1 loses nothing.
    sign = b.cast(target, "float32")
    near = as_float(b, "mul", b.with_number("x == c", sign, 1.0, hint="alike"), same, "near")
    far = as_float(b, "mul", b.with_number("x == c", sign, -1.0, hint="unlike"), other, "far")
    return finished(b, as_float(b, "add", near, far, "loss"), reduction)


@lowers("multilabel_soft_margin_loss", ignores=LEGACY)
def multilabel_soft_margin_loss(
    b: Builder, input: Value, target: Value, weight: Value | None = None, reduction: str = "mean"
) -> Value:
    """(1 - t) x + softplus(-x), averaged over the classes."""
    no = as_float(b, "mul", b.with_number("c - x", b.cast(target, "float32"), 1.0, hint="rest"), input, "no")
    each = as_float(
        b, "add", no, softplus(b, unary_of(b, "negative", input, "negated"), "softplus", "softplus_"), "each"
    )
    each = each if weight is None else as_float(b, "mul", each, weight, "weighted")
    return finished(b, reduced(b, "mean", each, input.rank - 1, False, hint="loss"), reduction)


@lowers("multi_margin_loss", ignores=LEGACY, takes_numbers=True)
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
    if isinstance(classes, Dim) or elements_in(target.sizes) is None:
        raise b.refuse("multi_margin_loss() over the batch axis")
    place = b.cast(target, "float32")
    own = b.op("pick", input, place, axis=axis, keepdims=True, mode="clip", hint="own")
    gap = b.with_number("x + c", b.op("broadcast_sub", input, own, hint="gap"), margin, hint="margin")
    over = relu_of(b, gap, "over")
    over = unary_of(b, "square", over, "squared") if p == 2 else over
    hot = b.op("one_hot", reshape_to(b, place, input.sizes[:axis], hint="rows"), depth=classes, hint="hot")
    hot = reshape_to(b, hot, input.sizes, hint="hot_axes")
    others = b.op("elemwise_mul", over, b.with_number("c - x", hot, 1.0, hint="not_own"), hint="others")
    if weight is not None:
        share = b.op("take", weight, place, mode="clip", hint="share")
        share = reshape_to(b, share, (*input.sizes[:axis], 1), hint="share_axes")
        others = b.op("broadcast_mul", others, share, hint="weighted")
    return finished(b, reduced(b, "mean", others, axis, False, hint="loss"), reduction)


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
    check_floats(b, "whose differences wrap round", "uint8")

    def distance(left: Value, right: Value, name: str) -> Value:
        gap = b.with_number(
            "x + c", as_float(b, "sub", left, right, f"{name}_difference"), eps, hint=f"{name}_eps"
        )
        return vector_norm(b, gap, p, (gap.rank - 1,), False, hint=name)

    near, far = distance(anchor, positive, "near"), distance(anchor, negative, "far")
    if swap:
        far = as_float(b, "minimum", far, distance(positive, negative, "other"), "nearest")
    gap = b.with_number("x + c", as_float(b, "sub", near, far, "gap"), margin, hint="margin")
    return finished(b, relu_of(b, gap, "loss"), reduction)
