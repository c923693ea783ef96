"""Attention."""

from __future__ import annotations

import math

import numpy as np

from codegen.lower import Builder, Value
from codegen.registry import lowers
from codegen.rules.arithmetic import binary
from codegen.rules.linear import product_of
from tracer.ir import Dim, Shape

# exp() of it is exactly zero in float32, and it stays finite where several masks are added.
MASKED = -1e30


def causal_mask(b: Builder, rows: int, columns: int) -> Value:
    """(rows, columns) of zeros, and of `MASKED` above the diagonal; one for the whole net."""
    mask = np.triu(np.full((rows, columns), MASKED, np.float32), k=1)
    return b.constant(mask, "causal_mask", shared=True)


def added_mask(b: Builder, scores: Value, mask: Value, hint: str = "masked") -> Value:
    """Scores with a mask: a bool one keeps what is True, any other is added."""
    if not mask.is_bool:
        return binary(b, "add", scores, mask, hint=hint, dtype=scores.dtype)
    if mask.const is not None:
        penalty = b.constant(np.where(mask.const, 0.0, MASKED).astype(np.float32), "mask", shared=True)
    else:
        lifted = b.with_number("x - c", b.cast(mask, scores.dtype, hint="mask"), 1, hint="mask_lifted")
        penalty = b.with_number("x * c", lifted, -MASKED, hint="mask_penalty")
    return binary(b, "add", scores, penalty, hint=hint, dtype=scores.dtype)


def attend(
    b: Builder,
    query: Value,
    key: Value,
    value: Value,
    scale: float,
    masks: tuple[Value, ...],
    hint: str = "",
) -> tuple[Value, Value]:
    """(softmax(query key^T * scale + masks) value, the weights) for any leading axes."""
    scores = product_of(b, query, key, transpose_b=True, alpha=scale, hint="scores")
    for number, mask in enumerate(masks):
        scores = added_mask(b, scores, mask, "masked" if number == 0 else f"masked{number + 1}")
    weights = b.op("softmax", scores, hint="weights", gives=scores.shape)
    return product_of(b, weights, value, hint=hint), weights


@lowers("scaled_dot_product_attention")
def scaled_dot_product_attention(
    b: Builder,
    query: Value,
    key: Value,
    value: Value,
    attn_mask: Value | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Value:
    if dropout_p:
        raise b.refuse("attention with dropout_p, which torch applies in inference too", "pass dropout_p=0.0")
    if enable_gqa:
        key, value = _grouped(b, query, key, "key"), _grouped(b, query, value, "value")
    width, rows, columns = query.sizes[-1], query.sizes[-2], key.sizes[-2]
    if isinstance(width, Dim) or isinstance(rows, Dim) or isinstance(columns, Dim):
        raise b.refuse("attention along the batch axis", "fix the batch size with --input")
    masks = (causal_mask(b, rows, columns),) if is_causal else ()
    if attn_mask is not None:
        masks = (*masks, attn_mask)
    factor = 1 / math.sqrt(width) if scale is None else scale
    return attend(b, query, key, value, factor, masks)[0]


def _grouped(b: Builder, query: Value, shared: Value, name: str) -> Value:
    """Grouped queries: each head of `shared` serves several heads of the query."""
    heads, have = query.sizes[-3], shared.sizes[-3]
    if heads == have:
        return shared
    assert isinstance(heads, int)
    assert isinstance(have, int)
    axis = shared.rank - 3
    gives: Shape = (*shared.sizes[:axis], heads, *shared.sizes[axis + 1 :])
    return b.op("repeat", shared, repeats=heads // have, axis=axis, hint=f"{name}_heads", gives=gives)
