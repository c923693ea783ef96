"""Factors of matrices: what LU factors and pivots stand for, and norms by singular values."""

from __future__ import annotations

from typing import Any

import torch

from codegen.decompositions import NotWritten, decomposes
from codegen.decompositions.linalg import both_of, none_of, squared_values

Tensor = torch.Tensor


def _order(pivots: Tensor, size: int) -> Tensor:
    """The permutation matrix of LAPACK's pivots: in turn, each row i was swapped with row pivots[i] - 1."""
    found = torch.eye(size)
    for i in range(pivots.shape[-1]):
        here = (torch.arange(size) == i).float()
        there = (torch.arange(size) == (pivots[..., i : i + 1] - 1)).float()
        apart = (here - there).unsqueeze(-1)
        found = found @ (torch.eye(size) - apart @ apart.mT)
    return found


def _triangles(packed: Tensor) -> tuple[Tensor, Tensor]:
    rows, columns = packed.shape[-2:]
    short = min(rows, columns)
    lower = packed[..., :, :short].tril(-1) + torch.eye(rows, short, dtype=packed.dtype)
    return lower, packed[..., :short, :].triu()


def _places(size: int) -> Tensor:
    return torch.arange(size, dtype=torch.float64)


def _factored(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """LAPACK's getrf: the largest of each column goes up, and is taken from the rows below it."""
    rows, columns = matrix.shape[-2:]
    packed, pivots = matrix.double(), []
    for k in range(min(rows, columns)):
        sizes = torch.where(_places(rows) >= k, packed[..., k].abs(), -1.0)
        pivot = sizes.argmax(-1, keepdim=True)
        apart = ((_places(rows) == k).double() - (_places(rows) == pivot).double()).unsqueeze(-1)
        packed = packed - apart @ (apart.mT @ packed)
        row, below = packed[..., k : k + 1, :], (_places(rows) > k).double().unsqueeze(-1)
        factor = packed[..., k : k + 1] / row[..., k : k + 1] * below
        right = (_places(columns) > k).double()
        here = (_places(columns) == k).double()
        packed = packed * (1 - below * here) + factor * here - factor @ (row * right)
        pivots.append(pivot + 1)
    return packed.to(matrix.dtype), torch.cat(pivots, -1).to(torch.int32)


@decomposes("linalg_lu_factor")
def lu_factor(A: Tensor, pivot: bool = True) -> tuple[Tensor, Tensor]:
    if not pivot or not A.numel():
        raise NotWritten
    return _factored(A)


@decomposes("linalg_lu_factor_ex")
def lu_factor_ex(A: Tensor, pivot: bool = True, check_errors: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    del check_errors
    return *lu_factor(A, pivot), none_of(A)


@decomposes("lu")
def lu(A: Tensor, pivot: bool = True, get_infos: bool = False, out: Any = None) -> tuple[Tensor, ...]:
    return lu_factor_ex(A, pivot) if get_infos else lu_factor(A, pivot)


@decomposes("linalg_lu")
def linalg_lu(A: Tensor, pivot: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    packed, pivots = lu_factor(A, pivot)
    return lu_unpack(packed, pivots)


@decomposes("geqrf")
def geqrf(input: Tensor) -> tuple[Tensor, Tensor]:
    """LAPACK's: each column becomes its length and the vector of the reflection that made it so."""
    rows, columns = input.shape[-2:]
    if not input.numel():
        raise NotWritten
    packed, factors = input.double(), []
    for k in range(min(rows, columns)):
        column = packed[..., k : k + 1]
        here, below = (
            (_places(rows) == k).double().unsqueeze(-1),
            (_places(rows) > k).double().unsqueeze(-1),
        )
        first = (column * here).sum(-2, keepdim=True)
        rest = (column * below).square().sum(-2, keepdim=True)
        turned = rest > 0
        length = torch.where(first < 0, 1.0, -1.0) * (first.square() + rest).sqrt()
        length = torch.where(turned, length, first)
        tau = torch.where(turned, (length - first) / length, torch.zeros_like(first))
        vector = here + torch.where(turned, column * below / (first - length), torch.zeros_like(column))
        right = (_places(columns) > k).double()
        own = (_places(columns) == k).double()
        packed = packed - tau * (vector @ (vector.mT @ packed)) * right
        packed = packed * (1 - own * (here + below)) + (length * here + vector * below) * own
        factors.append(tau.squeeze(-1))
    return packed.to(input.dtype), torch.cat(factors, -1).to(input.dtype)


@decomposes("lu_unpack")
def lu_unpack(
    LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    if not unpack_data and not unpack_pivots:
        raise NotWritten
    rows = LU_data.shape[-2]
    nothing = torch.zeros(0, dtype=LU_data.dtype)
    order = _order(LU_pivots, rows).to(LU_data.dtype) if unpack_pivots else nothing
    lower, upper = _triangles(LU_data) if unpack_data else (nothing, nothing)
    return order, lower, upper


@decomposes("linalg_lu_solve")
def linalg_lu_solve(
    LU: Tensor, pivots: Tensor, B: Tensor, left: bool = True, adjoint: bool = False
) -> Tensor:
    lower, upper = _triangles(LU)
    matrix = (_order(pivots, LU.shape[-1]).to(LU.dtype) @ lower @ upper).double()
    matrix, right = both_of(matrix.mT if adjoint else matrix, B.double())
    inverse = torch.linalg.inv(matrix)
    return (inverse @ right if left else right @ inverse).to(B.dtype)


@decomposes("lu_solve")
def lu_solve(input: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    return linalg_lu_solve(LU_data, LU_pivots, input)


@decomposes("linalg_lstsq")
def lstsq(
    input: Tensor, other: Tensor, rcond: Any = None, driver: Any = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For matrices of full rank, whose residuals have a shape that does not hang on the values."""
    if rcond is not None or not input.numel() or not other.numel():
        raise NotWritten
    vector = other.dim() == 1 or (input.dim() - 1 == other.dim() and input.shape[:-1] == other.shape)
    wide = other.unsqueeze(-1) if vector else other
    found = (torch.linalg.pinv(input.double()) @ wide.double()).to(input.dtype)
    over = input.shape[-2] > input.shape[-1] and driver not in {None, "gelsy"}  # torch gives none with gelsy
    residuals = (input @ found - wide).square().sum(-2) if over else torch.zeros(0, dtype=input.dtype)
    found = found.squeeze(-1) if vector else found
    return found, residuals, torch.linalg.matrix_rank(input), torch.zeros(0, dtype=input.dtype)


@decomposes("svd")
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    if compute_uv:
        raise NotWritten  # vectors of either sign
    rows, columns = input.shape[-2:]
    lead = input.shape[:-2]
    left = torch.zeros(*lead, rows, rows, dtype=input.dtype)
    right = torch.zeros(*lead, columns, columns, dtype=input.dtype)
    return left, torch.linalg.svdvals(input), right


@decomposes("linalg_matrix_norm_by_values")
def matrix_norm_by_values(
    A: Any = None, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, **rest: Any
) -> Tensor:
    return _by_values(A if A is not None else rest["input"], ord, dim, keepdim)


@decomposes("linalg_norm_by_values")
def linalg_norm_by_values(
    A: Any = None, ord: Any = None, dim: Any = None, keepdim: bool = False, input: Any = None
) -> Tensor:
    return _by_values(A if A is not None else input, ord, (-2, -1) if dim is None else dim, keepdim)


@decomposes("norm_nuclear")
def norm_nuclear(input: Tensor, p: str, dim: Any = None, keepdim: bool = False) -> Tensor:
    return _by_values(input, p, (-2, -1) if dim is None else dim, keepdim)


def _by_values(matrix: Tensor, order: Any, dim: Any, keepdim: bool) -> Tensor:
    """A norm that is a function of the singular values: the largest (2), the smallest (-2), or their sum."""
    first, second = (d % matrix.dim() for d in dim)
    values = squared_values(matrix.movedim((first, second), (-2, -1))).sqrt()
    found = values.sum(-1) if order == "nuc" else values[..., -1 if order == 2 else 0]
    if keepdim:
        for axis in sorted((first, second)):
            found = found.unsqueeze(axis)
    return found.to(matrix.dtype)
