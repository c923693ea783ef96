"""Attention with its projections: nn.MultiheadAttention."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Refused, Value, fixed
from codegen.idioms.around import before_swap
from codegen.idioms.attention import MASKED, attend
from codegen.idioms.products import connected
from codegen.idioms.shapes import cut, reshape_to, spread, swapped_axes
from codegen.ir import Shape

NAMES = ("query", "key", "value")


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
    inputs, steps = _laid_out(b, (query, key, value))
    own = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else (in_proj_weight,)
    weights = [weight for weight in own if weight is not None]
    heads = _heads(b, inputs, weights, in_proj_bias, num_heads, steps)
    rows = (bias_k, bias_v)
    heads[1:] = [
        x if row is None else _with_row(b, x, row, name)
        for x, row, name in zip(heads[1:], rows, ("key", "value"), strict=True)
    ]
    if add_zero_attn:
        heads[1:] = [_with_zeros(b, x, name) for x, name in zip(heads[1:], ("key", "value"), strict=True)]
    extra = int(any(row is not None for row in rows)) + int(add_zero_attn)
    masks = _attention_masks(b, attn_mask, key_padding_mask, heads, extra)
    if key_padding_mask is not None and any(f.cls == "TransformerEncoder" for f in b.node.source.frames):
        b.note("encoder-padding")
    q, k, v = heads
    scale = 1 / math.sqrt(fixed(q.sizes[-1]))
    mixed, shares = attend(b, q, k, v, scale, masks, hint="mixed", dropout=dropout_p)
    output = _heads_joined(b, mixed, steps, (*inputs[0].sizes[:2], out_proj_weight.sizes[1]))
    output = _as_torch(b, output, out_proj_weight, out_proj_bias, query, steps)
    return (
        [output, _shown_shares(b, shares, average_attn_weights, query.rank == 2)]
        if need_weights
        else [output]
    )


def _laid_out(b: Builder, inputs: tuple[Value, Value, Value]) -> tuple[tuple[Value, Value, Value], int]:
    """Query, key and value with a batch axis, and the axis of their steps; what is one tensor stays one.

    nn.MultiheadAttention(batch_first=True) exchanges the two axes before and after the op: where that is
    what made them, they are read as they were.
    """
    if inputs[0].rank == 2:
        found = {id(x): b.op("expand_dims", x, axis=0, hint=f"{name}_batch") for x, name in _once(inputs)}
        return _each(found, inputs), 1
    before = {id(x): before_swap(b, x, 0, 1) for x, _ in _once(inputs)}
    straight = {place: x for place, x in before.items() if x is not None}
    return (_each(straight, inputs), 1) if len(straight) == len(before) else (inputs, 0)


def _once(inputs: tuple[Value, Value, Value]) -> Iterator[tuple[Value, str]]:
    """Each tensor once, with the name of its first place."""
    seen: set[int] = set()
    for x, name in zip(inputs, NAMES, strict=True):
        if id(x) not in seen:
            yield x, name
        seen.add(id(x))


def _each(found: Mapping[int, Value], inputs: tuple[Value, Value, Value]) -> tuple[Value, Value, Value]:
    query, key, value = inputs
    return found[id(query)], found[id(key)], found[id(value)]


def _heads_joined(b: Builder, mixed: Value, steps: int, shape: Shape) -> Value:
    """(batch, heads, steps, width) with the batch and the steps in their places, and the heads joined."""
    axes = (0, 2, 1, 3) if steps == 1 else (2, 0, 1, 3)
    rows = b.op("transpose", mixed, axes=axes, hint="heads_last")
    return reshape_to(b, rows, shape, hint="joined")


def _as_torch(
    b: Builder, joined: Value, weight: Value, bias: Value | None, query: Value, steps: int
) -> Value:
    """The projected result in the layout of the query."""
    output = connected(b, joined, weight, bias)
    if query.rank == 2:
        return b.op("squeeze", output, axis=0)
    return output if steps == 0 else swapped_axes(b, output, 0, 1)


def _shown_shares(b: Builder, shares: Value, averaged: bool, unbatched: bool) -> Value:
    """The attention's weights as torch returns them."""
    shares = b.op("mean", shares, axis=1, hint="attention") if averaged else shares
    return b.op("squeeze", shares, axis=0, hint="attention_row") if unbatched else shares


def _heads(
    b: Builder,
    inputs: tuple[Value, Value, Value],
    weights: list[Value],
    bias: Value | None,
    heads: int,
    steps: int,
) -> list[Value]:
    """Query, key and value in their own spaces, as (batch, heads, steps, width of a head).

    One product and one transpose where all three are the same tensor.
    """
    order = (1 - steps, steps)
    if len(weights) == 1 and inputs[0] is inputs[1] is inputs[2]:
        joined = connected(b, inputs[0], weights[0], bias, "in_proj")
        width = fixed(inputs[0].sizes[2]) // heads
        parts = reshape_to(b, joined, (*joined.sizes[:2], 3, heads, width), hint="qkv_split")
        parts = b.op("transpose", parts, axes=(2, order[0], 3, order[1], 4), hint="qkv_heads")
        gives = parts.sizes[1:]
        return b.ops("split", parts, num_outputs=3, axis=0, squeeze_axis=True, hint="qkv", gives=(gives,) * 3)
    results = []
    for x, name in zip(_projections(b, inputs, weights, bias), NAMES, strict=True):
        width = fixed(x.sizes[2]) // heads
        split = reshape_to(b, x, (*x.sizes[:2], heads, width), hint=f"{name}_split")
        results.append(b.op("transpose", split, axes=(order[0], 2, order[1], 3), hint=f"{name}_heads"))
    return results


def _projections(
    b: Builder, inputs: tuple[Value, Value, Value], weights: list[Value], bias: Value | None
) -> list[Value]:
    """Query, key and value in their own spaces, of different tensors or by weights of their own."""
    results = []
    size = weights[0].sizes[0] if len(weights) == 3 else weights[0].sizes[1]
    size = fixed(size)
    for i, (x, name) in enumerate(zip(inputs, NAMES, strict=True)):
        weight = (
            weights[i]
            if len(weights) == 3
            else cut(b, weights[0], 0, i * size, (i + 1) * size, hint=f"{name}_weight")
        )
        part = None if bias is None else cut(b, bias, 0, i * size, (i + 1) * size, hint=f"{name}_bias")
        results.append(connected(b, x, weight, part, name))
    return results


def _with_row(b: Builder, x: Value, row: Value, name: str) -> Value:
    """One more step, the same for the whole batch: (batch, heads, steps, width) and a row (1, 1, width)."""
    batch, heads, _, width = x.sizes
    row = reshape_to(b, row, (1, heads, 1, width), hint=f"{name}_row_heads")
    wide = spread(b, row, (batch, heads, 1, width), f"{name}_row")
    return b.op("Concat", [x, wide], dim=2, hint=f"{name}_longer")


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
