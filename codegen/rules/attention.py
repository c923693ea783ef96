"""Attention."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Refused, Value, fixed
from codegen.idioms.elementwise import same_rank
from codegen.idioms.products import connected, product_of
from codegen.idioms.shapes import cut, reshape_to, spread
from codegen.ir import Dim, Shape

ENCODER_NOTE = (
    "nn.TransformerEncoder with a padding mask: what its layers compute, also at padded places, where "
    "torch's fused inference path gives zeros (torch.backends.mha.set_fastpath_enabled(False) in torch)"
)

# exp() of it is exactly zero in float32, and it stays finite where several masks are added.
MASKED = -1e30


def causal_mask(b: Builder, rows: int, columns: int) -> Value:
    """(rows, columns) of zeros, and of `MASKED` above the diagonal; one for the whole net."""
    mask = np.triu(np.full((rows, columns), MASKED, np.float32), k=1)
    return b.constant(mask, "causal_mask", shared=True)


def added_mask(b: Builder, scores: Value, mask: Value, hint: str = "masked") -> Value:
    """Scores with a mask.

    torch: scaled_dot_product_attention keeps what is True; any other mask is added.
    MXNet: softmax takes no mask.
    We write: -1e30, whose exponential is zero in float32, added where the mask is False.
    Source: torch.nn.functional.scaled_dot_product_attention; mx.sym.softmax.

    >>> mask = torch.ones(3, 3).tril() > 0
    >>> converted(lambda x: F.scaled_dot_product_attention(x, x, x, mask), (2, 3, 4))
    scores = mx.sym.linalg.gemm2(
        x, x, transpose_b=True, alpha=0.5, name="scaled_dot_product_attention_scores"
    )
    masked = mx.sym.broadcast_add(scores, mask, name="scaled_dot_product_attention_masked")
    weights = mx.sym.softmax(masked, name="scaled_dot_product_attention_weights")
    return mx.sym.linalg.gemm2(weights, x, name="scaled_dot_product_attention")
    """
    if not mask.is_bool:
        if mask.const is not None and np.isneginf(mask.const).all(-1).any():
            mask = b.constant(np.maximum(mask.const, MASKED).astype(np.float32), "mask", shared=True)
        return _broadcast_sum(b, scores, b.cast(mask, scores.dtype), hint)
    if mask.const is not None:
        penalty = b.constant(np.where(mask.const, 0.0, MASKED).astype(np.float32), "mask", shared=True)
    else:
        lifted = b.with_number("x - c", b.cast(mask, scores.dtype, hint="mask"), 1, hint="mask_lifted")
        penalty = b.with_number("x * c", lifted, -MASKED, hint="mask_penalty")
    return _broadcast_sum(b, scores, b.cast(penalty, scores.dtype), hint)


def seen_rows(b: Builder, weights: Value, mask: Value) -> Value:
    """Weights that are zero in rows of which a mask keeps nothing.

    torch: scaled_dot_product_attention gives zeros for a row of which the mask keeps nothing.
    MXNet: softmax has no mask: all places of such a row weigh the same.
    We write: the weights times the row's largest value of the mask; nothing where the mask is known to keep
        something in each row.
    Source: torch.nn.functional.scaled_dot_product_attention, measured.

    >>> converted(lambda x, y: F.scaled_dot_product_attention(x, x, x, y > 0), (2, 3, 4), (2, 1, 3))
    y = named(y > 0, name="gt")
    ...
    y = mx.sym.max(y, axis=-1, keepdims=True, name="scaled_dot_product_attention_seen")
    y = mx.sym.broadcast_mul(weights, y, name="scaled_dot_product_attention_seen_weights")
    return mx.sym.linalg.gemm2(y, x, name="scaled_dot_product_attention")
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


# `embed_dim_to_check` changes no number; `is_causal` says that `attn_mask` is a causal one.
@lowers("multi_head_attention_forward", ignores=("embed_dim_to_check", "is_causal"), takes_empty=True)
def multi_head_attention(
    b: Builder,
    query: Value,
    key: Value,
    value: Value,
    num_heads: int,
    in_proj_weight: Value | None,
    in_proj_bias: Value | None,
    bias_k: Value | None,
    bias_v: Value | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Value,
    out_proj_bias: Value | None,
    training: bool = True,
    key_padding_mask: Value | None = None,
    need_weights: bool = True,
    attn_mask: Value | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Value | None = None,
    k_proj_weight: Value | None = None,
    v_proj_weight: Value | None = None,
    static_k: Value | None = None,
    static_v: Value | None = None,
    average_attn_weights: bool = True,
) -> list[Value]:
    if training and dropout_p:
        raise Refused(
            "attention with dropout_p and training=True, which is random",
            "pass training=self.training",
            "random",
        )
    if static_k is not None or static_v is not None:
        raise b.refuse("multi_head_attention_forward() with static_k or static_v", "project them in forward")
    unbatched = query.rank == 2
    if unbatched:
        query, key, value = _batched(b, query, key, value)
    own = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else (in_proj_weight,)
    weights = [weight for weight in own if weight is not None]
    projected = _projections(b, (query, key, value), weights, in_proj_bias)
    rows = (bias_k, bias_v)
    projected[1:] = [
        x if row is None else _with_row(b, x, row, name)
        for x, row, name in zip(projected[1:], rows, ("key", "value"), strict=True)
    ]
    names = ("query", "key", "value")
    heads = [_heads(b, x, num_heads, name) for x, name in zip(projected, names, strict=True)]
    if add_zero_attn:
        heads[1:] = [_with_zeros(b, x, name) for x, name in zip(heads[1:], names[1:], strict=True)]
    extra = int(any(row is not None for row in rows)) + int(add_zero_attn)
    masks = _attention_masks(b, attn_mask, key_padding_mask, heads, extra)
    if key_padding_mask is not None and any(f.cls == "TransformerEncoder" for f in b.node.source.frames):
        b.note(ENCODER_NOTE)
    q, k, v = heads
    scale = 1 / math.sqrt(fixed(q.sizes[-1]))
    mixed, shares = attend(b, q, k, v, scale, masks, hint="mixed", dropout=dropout_p)
    output = _steps_first(b, mixed, (*query.sizes[:2], out_proj_weight.sizes[1]))
    output = connected(b, output, out_proj_weight, out_proj_bias, "out_proj" if unbatched else "")
    output = b.op("squeeze", output, axis=1) if unbatched else output
    return [output, _shown_shares(b, shares, average_attn_weights, unbatched)] if need_weights else [output]


def _batched(b: Builder, query: Value, key: Value, value: Value) -> tuple[Value, Value, Value]:
    """With the batch axis that torch lets out; what is one tensor stays one."""
    wide_query = b.op("expand_dims", query, axis=1, hint="query_batch")
    wide_key = wide_query if key is query else b.op("expand_dims", key, axis=1, hint="key_batch")
    wide_value = wide_key if value is key else b.op("expand_dims", value, axis=1, hint="value_batch")
    return wide_query, wide_key, wide_value


def _steps_first(b: Builder, mixed: Value, shape: Shape) -> Value:
    """(batch, heads, steps, width) as (steps, batch, heads * width)."""
    rows = b.op("transpose", mixed, axes=(2, 0, 1, 3), hint="steps_first")
    return reshape_to(b, rows, shape, hint="joined")


def _shown_shares(b: Builder, shares: Value, averaged: bool, unbatched: bool) -> Value:
    """The attention's weights as torch returns them."""
    shares = b.op("mean", shares, axis=1, hint="attention") if averaged else shares
    return b.op("squeeze", shares, axis=0, hint="attention_row") if unbatched else shares


def _order(shape: Shape, axes: Sequence[int]) -> Shape:
    return tuple(shape[a] for a in axes)


def _projections(
    b: Builder, inputs: tuple[Value, Value, Value], weights: list[Value], bias: Value | None
) -> list[Value]:
    """Query, key and value in their own spaces: one product where all three are the same tensor."""
    if len(weights) == 1 and inputs[0] is inputs[1] is inputs[2]:
        joined = connected(b, inputs[0], weights[0], bias, "in_proj")
        gives = (*joined.sizes[:-1], inputs[0].sizes[-1])
        return b.ops("split", joined, num_outputs=3, axis=2, hint="qkv", gives=(gives,) * 3)
    results = []
    size = weights[0].sizes[0] if len(weights) == 3 else weights[0].sizes[1]
    size = fixed(size)
    for i, (x, name) in enumerate(zip(inputs, ("query", "key", "value"), strict=True)):
        weight = (
            weights[i]
            if len(weights) == 3
            else cut(b, weights[0], 0, i * size, (i + 1) * size, hint=f"{name}_weight")
        )
        part = None if bias is None else cut(b, bias, 0, i * size, (i + 1) * size, hint=f"{name}_bias")
        results.append(connected(b, x, weight, part, name))
    return results


def _with_row(b: Builder, x: Value, row: Value, name: str) -> Value:
    """One more step, the same for the whole batch."""
    wide = spread(b, row, (1, *x.sizes[1:]), f"{name}_row")
    return b.op("Concat", [x, wide], dim=0, hint=f"{name}_longer")


def _heads(b: Builder, x: Value, heads: int, name: str) -> Value:
    """(steps, batch, width) as (batch, heads, steps, width of a head)."""
    steps, batch, width = x.sizes
    width = fixed(width)
    x = reshape_to(b, x, (steps, batch, heads, width // heads), hint=f"{name}_split")
    return b.op("transpose", x, axes=(1, 2, 0, 3), hint=f"{name}_heads")


def _with_zeros(b: Builder, x: Value, name: str) -> Value:
    first = cut(b, x, 2, 0, 1, hint=f"{name}_first")
    zeros = b.op("zeros_like", first, hint=f"{name}_zeros")
    return b.op("Concat", [x, zeros], dim=2, hint=f"{name}_and_zero")


def _attention_masks(
    b: Builder, mask: Value | None, padding: Value | None, heads: list[Value], extra: int
) -> tuple[Value, ...]:
    """The masks as numbers to be added to (batch, heads, rows, columns); here True leaves a place out."""
    found = []
    batch, count, rows, _ = heads[0].sizes
    if mask is not None:
        columns = mask.sizes[-1]
        shape: Shape = (1, 1, *mask.sizes) if mask.rank == 2 else (batch, count, rows, columns)
        found.append((reshape_to(b, _penalty(b, mask, "mask"), shape, hint="mask_axes"), "mask"))
    if padding is not None:
        shape = (batch, 1, 1, padding.sizes[-1])
        found.append((reshape_to(b, _penalty(b, padding, "padding"), shape, hint="padding_axes"), "padding"))
    return tuple(_longer(b, x, extra, name) for x, name in found)


def _penalty(b: Builder, mask: Value, name: str) -> Value:
    """The mask of nn.MultiheadAttention, as numbers to be added.

    torch: here True leaves a place out, in attn_mask and in key_padding_mask.
    MXNet: softmax takes no mask.
    We write: -1e30 where it is True; a mask of floats is bounded by it, so that no row is all infinities.
    Source: torch.nn.MultiheadAttention; mx.sym.softmax.

    >>> attention = nn.MultiheadAttention(4, 2, bias=False).eval()
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.attention = attention
    ...     def forward(self, x, padding):
    ...         return self.attention(x, x, x, key_padding_mask=padding > 1.5)[0]
    >>> converted(Net(), (3, 2, 4), (2, 3))
    padding = named(padding > 1.5, name="gt")
    ...
    padding_bounded = named(mx.sym.maximum(masked_fill, -1e30), name="attention_padding_bounded")
    padding_axes = mx.sym.Reshape(padding_bounded, shape=(0, 1, 1, -1), name="attention_padding_axes")
    ...
    """
    if mask.const is not None:
        const = np.where(mask.const, MASKED, 0.0) if mask.is_bool else np.maximum(mask.const, MASKED)
        return b.constant(const.astype(np.float32), name)
    if mask.is_bool:
        return b.with_number("x * c", b.cast(mask, "float32"), MASKED, hint=f"{name}_penalty")
    return b.with_number("maximum(x, c)", mask, MASKED, hint=f"{name}_bounded")


def _longer(b: Builder, mask: Value, extra: int, name: str) -> Value:
    """The steps that bias_k and add_zero_attn add are always seen."""
    if not extra:
        return mask
    zeros = b.op("zeros_like", cut(b, mask, 3, 0, 1, hint=f"{name}_first"), hint=f"{name}_zero")
    return b.op("Concat", [mask, *[zeros] * extra], dim=3, hint=f"{name}_longer")
