"""Attention of queries, keys and values that are given."""

from __future__ import annotations

import math

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Refused, Value, fixed
from codegen.idioms.attention import attend, causal_mask
from codegen.ir import Dim


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
    dropped: float = 0.0,
) -> Value:
    """Attention; `dropped` is the dropout_p that the net gives in training alone."""
    if dropout_p:
        raise Refused(
            "attention with dropout_p, which torch applies in inference too", "pass dropout_p=0.0", "random"
        )
    if enable_gqa:
        key, value = _grouped(b, query, key, "key"), _grouped(b, query, value, "value")
    width, rows, columns = query.sizes[-1], query.sizes[-2], key.sizes[-2]
    if isinstance(width, Dim) or isinstance(rows, Dim) or isinstance(columns, Dim):
        raise b.refuse_batch("attention along the batch axis")
    masks = (causal_mask(b, rows, columns),) if is_causal else ()
    if attn_mask is not None:
        masks = (*masks, attn_mask)
    factor = 1 / math.sqrt(width) if scale is None else scale
    return attend(b, query, key, value, factor, masks, seen=attn_mask, dropout=dropped)[0]


def _grouped(b: Builder, query: Value, shared: Value, name: str) -> Value:
    """Grouped queries.

    Each head of `shared` serves several heads of the query.

    torch: enable_gqa=True lets key and value have fewer heads.
    MXNet: linalg.gemm2 wants equal leading axes.
    We write: the heads of key and value repeated.
    Source: torch.nn.functional.scaled_dot_product_attention; mx.sym.repeat.

    >>> converted(
    ...     lambda q, k: F.scaled_dot_product_attention(q, k, k, enable_gqa=True), (1, 4, 3, 2), (1, 2, 3, 2)
    ... )
    heads = mx.sym.repeat(k, repeats=2, axis=1, name="scaled_dot_product_attention_key_heads")
    k = mx.sym.repeat(k, repeats=2, axis=1, name="scaled_dot_product_attention_value_heads")
    q = mx.sym.linalg.gemm2(
        q, heads, transpose_b=True, alpha=0.7071067811865475, name="scaled_dot_product_attention_scores"
    )
    q = mx.sym.softmax(q, name="scaled_dot_product_attention_weights")
    return mx.sym.linalg.gemm2(q, k, name="scaled_dot_product_attention")
    """
    heads, have = query.sizes[-3], shared.sizes[-3]
    if heads == have:
        return shared
    heads = fixed(heads)
    have = fixed(have)
    axis = shared.rank - 3
    return b.op("repeat", shared, repeats=heads // have, axis=axis, hint=f"{name}_heads")
