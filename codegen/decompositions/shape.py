"""Ops that move, cut and join elements."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from codegen.decompositions import decomposes

Tensor = torch.Tensor


@decomposes("block_diag")
def block_diag(tensors: Sequence[Tensor]) -> Tensor:
    blocks = [t.reshape(1, 1) if t.dim() == 0 else t.reshape(1, -1) if t.dim() == 1 else t for t in tensors]
    width = sum(b.shape[1] for b in blocks)
    rows, before = [], 0
    for b in blocks:
        rows.append(F.pad(b, (before, width - before - b.shape[1])))
        before += b.shape[1]
    return torch.cat([r for r in rows if r.shape[0]], 0)


@decomposes("cartesian_prod")
def cartesian_prod(tensors: Sequence[Tensor]) -> Tensor:
    if len(tensors) == 1:
        return tensors[0].clone()
    grids = torch.meshgrid(*tensors, indexing="ij")
    return torch.stack([g.reshape(-1) for g in grids], 1)


@decomposes("combinations")
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = list(choose(range(input.shape[0]), r))
    if not places or not r:
        return torch.zeros(0, r, dtype=input.dtype)
    return torch.stack([input[[p[i] for p in places]] for i in range(r)], 1)


@decomposes("diag_embed")
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    size = input.shape[-1] + abs(offset)
    wide = F.pad(input, (max(offset, 0), max(-offset, 0)))  # the column's own place
    mask = torch.eye(size, dtype=torch.bool)
    mask = torch.roll(mask, offset, 1) if offset else mask
    keep = torch.ones(size, size).triu(offset).tril(offset).bool() & mask
    out = torch.where(keep, wide.unsqueeze(-2), torch.zeros((), dtype=input.dtype))
    rank = input.dim() + 1
    return out.movedim((-2, -1), (dim1 % rank, dim2 % rank))


@decomposes("diag")
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    return torch.diagonal_copy(input, diagonal) if input.dim() == 2 else torch.diag_embed(input, diagonal)


@decomposes("diagflat")
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    return torch.diag_embed(input.reshape(-1), offset)


@decomposes("linalg_diagonal")
def linalg_diagonal(A: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    return torch.diagonal(A, offset, dim1, dim2)


@decomposes("diagonal_scatter")
def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    rank = input.dim()
    moved = input.movedim((dim1, dim2), (-2, -1))
    rows, columns = moved.shape[-2:]
    on_diagonal = torch.ones(rows, columns).triu(offset).tril(offset).bool()
    before, length = max(offset, 0), src.shape[-1]
    wide = F.pad(src, (before, columns - before - length))  # each value in its own column
    return torch.where(on_diagonal, wide.unsqueeze(-2), moved).movedim((-2, -1), (dim1 % rank, dim2 % rank))


@decomposes("select_scatter")
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    axis = dim % input.dim()
    return _slices_put(input, src.unsqueeze(axis), axis, [index % input.shape[axis]])


@decomposes("slice_scatter")
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    axis = dim % input.dim()
    return _slices_put(input, src, axis, list(range(input.shape[axis]))[start:end:step])


def _slices_put(input: Tensor, src: Tensor, axis: int, places: list[int]) -> Tensor:
    if not places:
        return input.clone()
    size = input.shape[axis]
    taken = [places.index(i) if i in places else 0 for i in range(size)]
    chosen = torch.tensor([i in places for i in range(size)]).reshape(
        [-1 if a == axis else 1 for a in range(input.dim())]
    )
    return torch.where(chosen, src.index_select(axis, torch.tensor(taken)), input)


@decomposes("slice")
def slice_(
    input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    return input[(*[slice(None)] * (dim % input.dim()), slice(start, end, step))]


@decomposes("searchsorted_with_sorter")
def searchsorted_with_sorter(sorted_sequence: Tensor, input: Any, sorter: Tensor, **options: Any) -> Tensor:
    return torch.searchsorted(sorted_sequence.gather(-1, sorter), input, **options)


@decomposes("tensor_split_at_a_tensor")
def tensor_split_at_a_tensor(input: Tensor, tensor_indices_or_sections: Tensor, dim: int = 0) -> Any:
    places = tensor_indices_or_sections.tolist()  # raises where they are no constant
    return torch.tensor_split(input, places, dim)


@decomposes("hsplit")
def hsplit(input: Tensor, sections: int | None = None, indices: Any = None) -> Any:
    return torch.tensor_split(input, _parts(sections, indices), 0 if input.dim() == 1 else 1)


@decomposes("vsplit")
def vsplit(input: Tensor, sections: int | None = None, indices: Any = None) -> Any:
    return torch.tensor_split(input, _parts(sections, indices), 0)


@decomposes("dsplit")
def dsplit(input: Tensor, sections: int | None = None, indices: Any = None) -> Any:
    return torch.tensor_split(input, _parts(sections, indices), 2)


def _parts(sections: int | None, indices: Any) -> Any:
    return sections if sections is not None else indices


@decomposes("split_with_sizes_copy", "split_copy")
def split_copy(input: Tensor, split_sizes: Any = None, split_size: Any = None, dim: int = 0) -> Any:
    return torch.split(input, split_sizes if split_size is None else split_size, dim)


@decomposes("constant_pad_nd")
def constant_pad_nd(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    return F.pad(input, tuple(pad), value=value)


@decomposes("sum_to_size")
def sum_to_size(input: Tensor, size: Sequence[int]) -> Tensor:
    lead = input.dim() - len(size)
    axes = [*range(lead), *(lead + i for i, s in enumerate(size) if s == 1 and input.shape[lead + i] != 1)]
    summed = input.sum(axes, keepdim=True) if axes else input
    return summed.reshape(tuple(size))


@decomposes("fft_fftshift")
def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    axes = _axes(input, dim)
    return torch.roll(input, [input.shape[a] // 2 for a in axes], axes)


@decomposes("fft_ifftshift")
def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    axes = _axes(input, dim)
    return torch.roll(input, [-(input.shape[a] // 2) for a in axes], axes)


def _axes(input: Tensor, dim: Any) -> list[int]:
    return list(range(input.dim())) if dim is None else [dim] if isinstance(dim, int) else list(dim)


@decomposes("narrow_from_a_tensor")
def narrow_from_a_tensor(input: Tensor, dim: int, start: Tensor, length: int) -> Tensor:
    start = torch.where(start < 0, start + input.shape[dim], start)
    return input.index_select(dim, start.reshape(1) + torch.arange(length))


@decomposes("take_along_dim")
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    if dim is None:
        return take_along_dim(input.reshape(-1), indices.reshape(-1), 0)
    axis, rank = dim % input.dim(), input.dim()
    indices = torch.remainder(indices, input.shape[axis])  # torch counts from the end, and round again
    wide = torch.broadcast_tensors(input.narrow(axis, 0, 1), indices.narrow(axis, 0, 1))[0].shape

    def along(tensor: Tensor) -> Tensor:
        return tensor.expand([tensor.shape[a] if a == axis else wide[a] for a in range(rank)])

    return torch.gather(along(input), axis, along(indices))


@decomposes("take")
def take(input: Tensor, index: Tensor) -> Tensor:
    if index.dim() == 0:
        return input.reshape(-1)[index.reshape(1)].reshape(())
    return input.reshape(-1)[index]


@decomposes("kron")
def kron(input: Tensor, other: Tensor) -> Tensor:
    rank = max(input.dim(), other.dim())
    left = input.reshape((1,) * (rank - input.dim()) + tuple(input.shape))
    right = other.reshape((1,) * (rank - other.dim()) + tuple(other.shape))
    a = left.reshape([s for size in left.shape for s in (size, 1)])
    b = right.reshape([s for size in right.shape for s in (1, size)])
    return (a * b).reshape([x * y for x, y in zip(left.shape, right.shape, strict=True)])


@decomposes("tensordot")
def tensordot(input: Tensor, other: Tensor, dims: Any = 2) -> Tensor:
    dims = dims.tolist() if isinstance(dims, torch.Tensor) else dims  # raises where it is no constant
    if isinstance(dims, int):
        left, right = list(range(input.dim() - dims, input.dim())), list(range(dims))
    else:
        left = [d % input.dim() for d in ([dims[0]] if isinstance(dims[0], int) else dims[0])]
        right = [d % other.dim() for d in ([dims[1]] if isinstance(dims[1], int) else dims[1])]
    for mine, theirs in zip(left, right, strict=True):  # of the two sizes, one may be 1
        if other.shape[theirs] == 1:
            input = input.sum(mine, keepdim=True)
        elif input.shape[mine] == 1:
            other = other.sum(theirs, keepdim=True)
    rest = [a for a in range(input.dim()) if a not in left]
    other_rest = [a for a in range(other.dim()) if a not in right]
    a = input.permute(*rest, *left) if input.dim() else input
    b = other.permute(*right, *other_rest) if other.dim() else other
    inner = 1
    for d in left:
        inner *= input.shape[d]
    product = a.reshape(-1, inner) @ b.reshape(inner, -1)
    return product.reshape([input.shape[d] for d in rest] + [other.shape[d] for d in other_rest])


@decomposes("isreal")
def isreal(input: Tensor) -> Tensor:
    return torch.ones_like(input, dtype=torch.bool)


@decomposes("linalg_vander")
def linalg_vander(input: Tensor, N: int | None = None) -> Tensor:
    return vander(input, N, increasing=True)


@decomposes("vander")
def vander(input: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    line = input.reshape(1) if input.dim() == 0 else input
    line = line if line.is_floating_point() else line.long()
    count = line.shape[-1] if N is None else N
    steps = [torch.ones_like(line)]
    for _ in range(count - 1):
        steps.append(steps[-1] * line)
    return torch.stack(steps if increasing else steps[::-1], -1)


@decomposes("_chunk_cat")
def chunk_cat(tensors: Sequence[Tensor], dim: int, num_chunks: int) -> Tensor:
    parts, dim = [], dim % tensors[0].dim()
    for t in tensors:
        size = -(-t.shape[dim] // num_chunks)
        padded = F.pad(t, (*(0, 0) * (t.dim() - dim - 1), 0, size * num_chunks - t.shape[dim]))
        parts.append(padded.reshape(*t.shape[:dim], num_chunks, -1))
    return torch.cat(parts, dim + 1)
