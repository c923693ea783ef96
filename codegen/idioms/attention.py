"""Scores, masks and weights: what every kind of attention is made of."""

from __future__ import annotations

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.value import Value
from codegen.idioms.elementwise import same_rank
from codegen.idioms.products import product_of

# exp() of it is exactly zero in float32, and it stays finite where several masks are added.
MASKED = -1e30


def causal_mask(b: Builder, rows: int, columns: int) -> Value:
    """(rows, columns) of zeros, and of `MASKED` above the diagonal; one for the whole net."""
    mask = np.triu(np.full((rows, columns), MASKED, np.float32), k=1)
    return b.constant(mask, "causal_mask", shared=True)


def added_mask(b: Builder, scores: Value, mask: Value, hint: str = "masked") -> Value:
    """The scores with a mask."""
    if mask.is_bool:
        mask = _penalty(b, mask, scores.dtype)
    elif mask.const is not None and np.isneginf(mask.const).all(-1).any():
        mask = b.constant(np.maximum(mask.const, MASKED).astype(np.float32), "mask", shared=True)
    return _broadcast_sum(b, scores, b.cast(mask, scores.dtype), hint)


def _penalty(b: Builder, mask: Value, dtype: str) -> Value:
    """Scores with a mask.

    torch: scaled_dot_product_attention keeps what is True; any other mask is added.
    MXNet: softmax takes no mask.
    We write: -1e30, whose exponential is zero in float32, added where the mask is False: (mask - 1) * 1e30.
    Source: torch.nn.functional.scaled_dot_product_attention; mx.sym.softmax.

    >>> mask = torch.ones(3, 3).tril() > 0
    >>> converted(lambda x: F.scaled_dot_product_attention(x, x, x, mask), (2, 3, 4))
    scores = mx.sym.linalg.gemm2(
        x, x, transpose_b=True, alpha=0.5, name="scaled_dot_product_attention_scores"
    )
    weights = mx.sym.softmax(
        mx.sym.broadcast_add(scores, mask, name="scaled_dot_product_attention_masked"),
        name="scaled_dot_product_attention_weights",
    )
    return mx.sym.linalg.gemm2(weights, x, name="scaled_dot_product_attention")
    """
    if mask.const is not None:
        return b.constant(np.where(mask.const, 0.0, MASKED).astype(np.float32), "mask", shared=True)
    lifted = b.with_number("x - c", b.cast(mask, dtype, hint="mask"), 1, hint="mask_lifted")
    return b.with_number("x * c", lifted, -MASKED, hint="mask_penalty")


def seen_rows(b: Builder, weights: Value, mask: Value) -> Value:
    """Weights that are zero in rows of which a mask keeps nothing.

    torch: scaled_dot_product_attention gives zeros for a row of which the mask keeps nothing.
    MXNet: softmax has no mask: all places of such a row weigh the same.
    We write: the weights times the row's largest value of the mask; nothing where the mask is known to keep
        something in each row.
    Source: torch.nn.functional.scaled_dot_product_attention, measured.

    >>> converted(lambda x, y: F.scaled_dot_product_attention(x, x, x, y > 0), (2, 3, 4), (2, 1, 3))
    y = named(y > 0, name="gt")
    scores = mx.sym.linalg.gemm2(
        x, x, transpose_b=True, alpha=0.5, name="scaled_dot_product_attention_scores"
    )
    lifted = named(y - 1, name="scaled_dot_product_attention_mask_lifted")
    penalty = named(lifted * 1e30, name="scaled_dot_product_attention_mask_penalty")
    weights = mx.sym.softmax(
        mx.sym.broadcast_add(scores, penalty, name="scaled_dot_product_attention_masked"),
        name="scaled_dot_product_attention_weights",
    )
    y = mx.sym.max(y, axis=-1, keepdims=True, name="scaled_dot_product_attention_seen")
    return mx.sym.linalg.gemm2(
        mx.sym.broadcast_mul(weights, y, name="scaled_dot_product_attention_seen_weights"),
        x,
        name="scaled_dot_product_attention",
    )
    """
    if mask.const is not None:
        kept = mask.const if mask.is_bool else ~np.isneginf(mask.const)
        rows = kept.any(-1, keepdims=True)
        if rows.all():
            return weights
        seen = b.constant(rows.astype(np.float32), "seen", shared=True)
    elif mask.is_bool:
        seen = b.op("max", b.cast(mask, "float32", hint="mask"), axis=-1, keepdims=True, hint="seen")
    else:
        return weights
    weights, seen = same_rank(b, weights, b.cast(seen, weights.dtype))
    return b.op("broadcast_mul", weights, seen, hint="seen_weights")


def _broadcast_sum(b: Builder, scores: Value, mask: Value, hint: str) -> Value:
    """A mask is broadcast, also where its shape happens to be that of the scores: layers then look alike."""
    scores, mask = same_rank(b, scores, mask)
    return b.op("broadcast_add", scores, mask, hint=hint)


def attend(
    b: Builder,
    query: Value,
    key: Value,
    value: Value,
    scale: float,
    masks: tuple[Value, ...],
    hint: str = "",
    seen: Value | None = None,
    dropout: float = 0.0,
) -> tuple[Value, Value]:
    """(softmax(query key^T * scale + masks) value, the weights) for any leading axes.

    `seen` is the mask whose rows may keep nothing, and then give zeros; `dropout` drops weights in training.
    """
    scores = product_of(b, query, key, transpose_b=True, alpha=scale, hint="scores")
    for number, mask in enumerate(masks):
        scores = added_mask(b, scores, mask, "masked" if number == 0 else f"masked{number + 1}")
    weights = b.op("softmax", scores, hint="weights")
    weights = weights if seen is None else seen_rows(b, weights, seen)
    weights = b.op("Dropout", weights, p=dropout, hint="dropout") if dropout else weights
    return product_of(b, weights, value, hint=hint), weights
