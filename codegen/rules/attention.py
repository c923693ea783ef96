"""Attention of queries, keys and values that are given."""

from __future__ import annotations

import math

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Refused, Value
from codegen.idioms.attention import attend, causal_mask
from codegen.ir import Dim


# Without enable_gqa torch refuses a key of fewer heads than the query.
@lowers("scaled_dot_product_attention", ignores=("enable_gqa",))
def scaled_dot_product_attention(
    b: Builder,
    query: Value,
    key: Value,
    value: Value,
    attn_mask: Value | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    dropped: float = 0.0,
) -> Value:
    """Attention; `dropped` is the dropout_p that the net gives in training alone."""
    if dropout_p:
        raise Refused(
            "attention with dropout_p, which torch applies in inference too", "pass dropout_p=0.0", "random"
        )
    width, rows, columns = query.sizes[-1], query.sizes[-2], key.sizes[-2]
    if isinstance(width, Dim) or isinstance(rows, Dim) or isinstance(columns, Dim):
        raise b.refuse_batch("attention along the batch axis")
    masks = (causal_mask(b, rows, columns),) if is_causal else ()
    if attn_mask is not None:
        masks = (*masks, attn_mask)
    factor = 1 / math.sqrt(width) if scale is None else scale
    return attend(b, query, key, value, factor, masks, seen=attn_mask, dropout=dropped)[0]
