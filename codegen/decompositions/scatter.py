"""Writes to places that indices name: each place looks for its values in a table of all places and values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from codegen.decompositions import NotWritten, decomposes

Tensor = torch.Tensor


@decomposes("scatter_reduce")
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, include_self: bool = True
) -> Tensor:
    if input.dim() == 0:
        return scatter_reduce(
            input.reshape(1), 0, index.reshape(1), src.reshape(1), reduce, include_self
        ).reshape(())
    axis = dim % input.dim()
    if not index.numel():
        return input.clone()
    src = src[tuple(slice(0, s) for s in index.shape)]
    area = _area(input, dim, index)
    if all(input.shape[a] == index.shape[a] or a == axis for a in range(input.dim())):
        return _reduced(input, axis, index, src, reduce, include_self)
    out = input.clone()
    out[area] = _reduced(input[area], axis, index, src, reduce, include_self)
    return out


@decomposes("scatter_by_products_or_into_some_rows")
def scatter_by_products_or_into_some_rows(
    input: Tensor, dim: int, index: Tensor, src: Any = None, value: Any = None, reduce: str | None = None
) -> Tensor:
    if input.dim() == 0:
        given = src.reshape(1) if isinstance(src, Tensor) else src
        row, place = input.reshape(1), index.reshape(1)
        return scatter_by_products_or_into_some_rows(row, 0, place, given, value, reduce).reshape(())
    area, out = _area(input, dim, index), input.clone()
    if not isinstance(src, Tensor) and reduce is None:
        out[area] = input[area].scatter(dim, index, value if src is None else src)
        return out
    given = src if isinstance(src, Tensor) else torch.full(index.shape, value, dtype=input.dtype)
    if reduce == "multiply":
        return scatter_reduce(input, dim, index, given, "prod")
    given = given[tuple(slice(0, s) for s in index.shape)]
    if reduce == "add":
        out[area] = input[area].scatter_add(dim, index, given)
    else:
        out[area] = input[area].scatter(dim, index, given)
    return out


@decomposes("scatter_add_into_some_rows")
def scatter_add_into_some_rows(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    area = _area(input, dim, index)
    out = input.clone()
    out[area] = input[area].scatter_add(dim, index, src[tuple(slice(0, s) for s in index.shape)])
    return out


def _area(input: Tensor, dim: int, index: Tensor) -> tuple[slice, ...]:
    """The part of the input that the index reaches: all along `dim`, the index's size along the others."""
    axis = dim % input.dim()
    whole = {axis, *(a for a in range(input.dim()) if index.shape[a] == input.shape[a])}
    return tuple(slice(None) if a in whole else slice(0, index.shape[a]) for a in range(input.dim()))


@decomposes("index_reduce")
def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, include_self: bool = True
) -> Tensor:
    if input.dim() == 0:
        return index_reduce(
            input.reshape(1), 0, index.reshape(1), source.reshape(1), reduce, include_self
        ).reshape(())
    axis = dim % input.dim()
    index = index.reshape([-1 if a == axis else 1 for a in range(input.dim())]).expand(source.shape)
    return _reduced(input, axis, index, source, reduce, include_self)


def _reduced(input: Tensor, axis: int, index: Tensor, src: Tensor, reduce: str, include_self: bool) -> Tensor:
    places = torch.arange(input.shape[axis])
    hit = (index.unsqueeze(-1) == places).movedim(axis, -1).movedim(-2, axis)  # place at axis, values last
    values = src.unsqueeze(-1).movedim(axis, -1).movedim(-2, axis)
    own = input.unsqueeze(-1)
    any_hit = hit.any(-1)

    def joined(neutral: Any) -> Tensor:
        table = torch.where(hit, values, neutral)
        return torch.cat([own, table], -1) if include_self else table

    if reduce in {"sum", "mean"}:
        out = joined(0.0).sum(-1)
        if reduce == "mean":
            count = hit.to(input.dtype).sum(-1) + (1 if include_self else 0)
            out = out / count.clamp(min=1)
    elif reduce == "prod":
        out = joined(1.0).prod(-1)
    else:
        limit = torch.finfo(torch.float32).max
        out = joined(-limit if reduce == "amax" else limit)
        out = out.amax(-1) if reduce == "amax" else out.amin(-1)
    return torch.where(any_hit, out, input)


@decomposes("put")
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    if not index.numel():
        return input.clone()
    return _put_flat(input.reshape(-1), index.reshape(-1), source.reshape(-1), accumulate).reshape(
        input.shape
    )


def _put_flat(flat: Tensor, index: Tensor, values: Tensor, accumulate: bool) -> Tensor:
    size = flat.shape[0]
    index = torch.where(index < 0, index + size, index)
    hit = torch.arange(size).unsqueeze(-1) == index
    if accumulate and flat.dtype is torch.bool:
        return flat | (hit & values).any(-1)
    if accumulate:
        return flat + torch.where(hit, values, torch.zeros_like(values)).sum(-1)
    # Where several values fall on one place, the last stands.
    order = torch.where(hit, torch.arange(1, index.shape[0] + 1), torch.zeros((), dtype=torch.int64))
    last = (order.amax(-1) - 1).clamp(min=0)
    return torch.where(hit.any(-1), values[last], flat)


@decomposes("index_put", "_index_put_impl")
def index_put(
    input: Tensor, indices: Sequence[Any], values: Tensor, accumulate: bool = False, unsafe: bool = False
) -> Tensor:
    del unsafe
    if any(i is not None and i.dtype is torch.bool for i in indices):
        # The places of a mask that is known; nonzero raises where it is computed.
        found = [
            i.nonzero(as_tuple=True) if i is not None and i.dtype is torch.bool else (i,) for i in indices
        ]
        return index_put(input, [i for group in found for i in group], values, accumulate)
    given = [a for a, i in enumerate(indices) if i is not None]
    if given != list(range(len(given))) or not given:
        raise NotWritten
    shape = torch.broadcast_shapes(*(indices[a].shape for a in given))
    rest = input.shape[len(given) :]
    flat = torch.zeros((), dtype=torch.int64)
    for a in given:
        index = indices[a]
        flat = flat * input.shape[a] + torch.where(index < 0, index + input.shape[a], index)
    flat = flat.expand(shape).reshape(-1)
    width = math.prod(rest)
    places = (flat.unsqueeze(-1) * width + torch.arange(width)).reshape(-1)
    wide = values.expand(*shape, *rest).reshape(-1)
    if not wide.numel():
        return input.clone()
    return _put_flat(input.reshape(-1), places, wide, accumulate).reshape(input.shape)


@decomposes("_unsafe_masked_index")
def unsafe_masked_index(input: Tensor, mask: Tensor, indices: Sequence[Any], fill: float) -> Tensor:
    return input[_bounded(input, indices)].masked_fill(~mask, fill)


@decomposes("_unsafe_masked_index_put_accumulate")
def unsafe_masked_index_put(input: Tensor, mask: Tensor, indices: Sequence[Any], values: Tensor) -> Tensor:
    places = [None if isinstance(i, slice) else i for i in _bounded(input, indices)]
    return index_put(input, places, values.masked_fill(~mask, 0), accumulate=True)


def _bounded(input: Tensor, indices: Sequence[Any]) -> tuple[Any, ...]:
    """The indices with those outside, which the mask leaves out, brought in."""
    return tuple(
        slice(None) if i is None else i.clamp(-size, size - 1)
        for i, size in zip(indices, input.shape, strict=False)
    )


@decomposes("segment_reduce")
def segment_reduce(
    data: Tensor,
    reduce: str,
    lengths: Tensor | None = None,
    indices: Tensor | None = None,
    offsets: Tensor | None = None,
    dim: int = 0,
    unsafe: bool = False,
    initial: float | None = None,
) -> Tensor:
    """A table of all segments and places: what lies outside a segment is the neutral number."""
    del unsafe
    if indices is not None or not data.numel():
        raise NotWritten
    if lengths is not None:
        stops = lengths.cumsum(-1)
        starts = stops - lengths
    elif offsets is not None:
        starts, stops = offsets[..., :-1], offsets[..., 1:]
    else:
        raise NotWritten
    axis = dim % data.dim()
    places = torch.arange(data.shape[axis])
    inside = (places >= starts.unsqueeze(-1)) & (places < stops.unsqueeze(-1))
    inside = inside.reshape([*inside.shape, *[1] * (data.dim() - axis - 1)])
    neutral = {"max": -torch.inf, "min": torch.inf, "prod": 1.0}.get(reduce, 0.0)
    table = torch.where(inside, data.unsqueeze(axis), neutral)
    first = torch.full_like(table.narrow(axis + 1, 0, 1), neutral if initial is None else initial)
    table = torch.cat([first, table], axis + 1)
    if reduce in {"max", "min"}:
        return table.amax(axis + 1) if reduce == "max" else table.amin(axis + 1)
    if reduce == "prod":
        return table.prod(axis + 1)
    total = table.sum(axis + 1)
    if reduce == "sum":
        return total
    count = inside.to(data.dtype).sum(axis + 1)
    none = torch.full_like(total, torch.nan if initial is None else initial)
    return torch.where(count == 0, none, total / count.clamp(min=1))


@decomposes("mode")
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    if input.dim() == 0:
        return input.clone(), torch.zeros_like(input, dtype=torch.int64)
    x = input.movedim(dim, -1)
    counts = (x.unsqueeze(-1) == x.unsqueeze(-2)).to(torch.float32).sum(-1)
    most = counts == counts.amax(-1, keepdim=True)
    limit = torch.finfo(torch.float32).max
    value = torch.where(most, x, limit).amin(-1, keepdim=True)
    place = torch.where(x == value, torch.arange(x.shape[-1]), -1).amax(-1, keepdim=True)
    if keepdim:
        return value.movedim(-1, dim), place.movedim(-1, dim)
    return value.squeeze(-1), place.squeeze(-1)
