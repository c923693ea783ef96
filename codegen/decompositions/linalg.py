"""Linear algebra, written with what MXNet has of LAPACK. What squares the condition goes through float64."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from codegen.decompositions import NotWritten, decomposes, op

Tensor = torch.Tensor


@op
def fx2mx_eigh(input: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues and vectors of whatever signs: for results in which the signs cancel."""
    values, vectors = torch.linalg.eigh(input)
    return values, vectors


def both_of(input: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """The two with the same leading axes."""
    lead = torch.broadcast_shapes(input.shape[:-2], other.shape[:-2])
    return input.expand(*lead, *input.shape[-2:]), other.expand(*lead, *other.shape[-2:])


def none_of(input: Tensor) -> Tensor:
    """The `info` of a factorisation that worked."""
    return torch.zeros_like(input.sum((-2, -1)), dtype=torch.int32)


@decomposes("chain_matmul")
def chain_matmul(matrices: Sequence[Tensor]) -> Tensor:
    return torch.linalg.multi_dot(list(matrices))


@decomposes("logdet")
def logdet(input: Tensor) -> Tensor:
    sign, logarithm = torch.linalg.slogdet(input)
    return torch.where(sign < 0, torch.nan, logarithm)


@decomposes("linalg_inv_ex")
def inv_ex(A: Tensor, check_errors: bool = False) -> tuple[Tensor, Tensor]:
    del check_errors
    return torch.linalg.inv(A), none_of(A)


@decomposes("linalg_cholesky_ex")
def cholesky_ex(input: Tensor, upper: bool = False, check_errors: bool = False) -> tuple[Tensor, Tensor]:
    del check_errors
    return torch.linalg.cholesky(input, upper=upper), none_of(input)


@decomposes("cholesky_inverse")
def cholesky_inverse(input: Tensor, upper: bool = False) -> Tensor:
    half = (input.triu() if upper else input.tril()).double()
    product = half.mT @ half if upper else half @ half.mT
    return torch.linalg.inv(product).to(input.dtype)


@decomposes("cholesky_solve")
def cholesky_solve(input: Tensor, input2: Tensor, upper: bool = False) -> Tensor:
    half, right = both_of(input2, input)
    first = torch.linalg.solve_triangular(half.mT if upper else half, right, upper=False)
    return torch.linalg.solve_triangular(half if upper else half.mT, first, upper=True)


@decomposes("triangular_solve")
def triangular_solve(
    input: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> tuple[Tensor, Tensor]:
    matrix, right = both_of(A, input)
    solution = torch.linalg.solve_triangular(
        matrix.mT if transpose else matrix, right, upper=upper != transpose, unitriangular=unitriangular
    )
    return solution, matrix.clone()


@decomposes("linalg_solve_other_triangular")
def solve_other_triangular(
    input: Tensor, B: Tensor, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """With ones on the diagonal, or with leading axes that broadcast: both are written out first."""
    lead = torch.broadcast_shapes(input.shape[:-2], B.shape[:-2])
    if unitriangular:
        eye = torch.eye(input.shape[-1], dtype=input.dtype)
        input = (input.triu(1) if upper else input.tril(-1)) + eye
    if input.shape[:-2] == B.shape[:-2]:
        return torch.linalg.solve_triangular(input, B, upper=upper, left=left)
    return torch.linalg.solve_triangular(
        input.expand(*lead, *input.shape[-2:]), B.expand(*lead, *B.shape[-2:]), upper=upper, left=left
    )


@decomposes("linalg_solve")
def solve(A: Tensor, B: Tensor, left: bool = True) -> Tensor:
    vector = B.dim() == 1 or (A.dim() - 1 == B.dim() and A.shape[:-1] == B.shape)
    right = B.unsqueeze(-1) if vector else B
    inverse = torch.linalg.inv(A.double())
    found = (inverse @ right.double() if left else right.double() @ inverse).to(A.dtype)
    return found.squeeze(-1) if vector else found


@decomposes("linalg_solve_ex")
def solve_ex(A: Tensor, B: Tensor, left: bool = True, check_errors: bool = False) -> tuple[Tensor, Tensor]:
    del check_errors
    return torch.linalg.solve(A, B, left=left), none_of(A)


@decomposes("linalg_tensorinv")
def tensorinv(input: Tensor, ind: int = 2) -> Tensor:
    rows = math.prod(input.shape[:ind])
    inverse = torch.linalg.inv(input.reshape(rows, -1))
    return inverse.reshape([*input.shape[ind:], *input.shape[:ind]])


@decomposes("linalg_tensorsolve")
def tensorsolve(input: Tensor, other: Tensor, dims: Any = None) -> Tensor:
    axes = [d % input.dim() for d in dims] if dims else []
    moved = input.permute(*(a for a in range(input.dim()) if a not in axes), *axes) if axes else input
    shape = list(moved.shape[other.dim() :])
    return torch.linalg.solve(moved.reshape(other.numel(), -1), other.reshape(-1)).reshape(shape)


@decomposes("linalg_matrix_power")
def matrix_power(input: Tensor, n: int) -> Tensor:
    if n == 0:
        return torch.eye(input.shape[-1], dtype=input.dtype).expand(input.shape).clone()
    base = torch.linalg.inv(input.double()) if n < 0 else input.double()
    found = base
    for _ in range(abs(n) - 1):
        found = found @ base
    return found.to(input.dtype)


@decomposes("linalg_multi_dot")
def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    found = tensors[0]
    for tensor in tensors[1:]:
        found = found @ tensor
    return found


@decomposes("linalg_vecdot")
def vecdot(x: Any = None, y: Any = None, input: Any = None, dim: int = -1) -> Tensor:
    left = x if x is not None else input
    return (left * y).sum(dim)


@decomposes("cross")
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """Without `dim`, along the first axis of three of `input`, which may be the batch: its size is asked."""
    return linalg_cross(input, other, tuple(input.shape).index(3) if dim is None else dim)


@decomposes("linalg_cross")
def linalg_cross(input: Tensor, other: Tensor, dim: int = -1) -> Tensor:
    a, b = torch.broadcast_tensors(input, other)
    first, second = torch.tensor([1, 2, 0]), torch.tensor([2, 0, 1])
    return a.index_select(dim, first) * b.index_select(dim, second) - a.index_select(
        dim, second
    ) * b.index_select(dim, first)


@decomposes("linalg_qr_of_wide_matrices")
def qr_of_wide_matrices(A: Tensor, mode: str = "reduced") -> tuple[Tensor, Tensor]:
    """Q is that of the first columns, which are a square matrix."""
    del mode
    q, _ = torch.linalg.qr(A.narrow(-1, 0, A.shape[-2]))
    return q, (q.mT @ A).triu()


@decomposes("qr")
def old_qr(input: Tensor, some: bool = True) -> tuple[Tensor, Tensor]:
    q, r = torch.linalg.qr(input, "reduced" if some else "complete")
    return q, r


@decomposes("linalg_householder_product")
def householder_product(input: Tensor, tau: Tensor) -> Tensor:
    return _reflected(input, tau, torch.eye(*input.shape[-2:], dtype=input.dtype))


@decomposes("ormqr")
def ormqr(
    input: Tensor, input2: Tensor, input3: Tensor, left: bool = True, transpose: bool = False
) -> Tensor:
    size = input.shape[-2]
    q = _reflected(input, input2, torch.eye(size, dtype=input.dtype))
    q = q.mT if transpose else q
    return q @ input3 if left else input3 @ q


def _reflected(input: Tensor, tau: Tensor, onto: Tensor) -> Tensor:
    """The product of the reflections, applied to a matrix: the last one first."""
    size = input.shape[-2]
    found = onto.expand(*input.shape[:-2], *onto.shape)
    for i in reversed(range(tau.shape[-1])):
        below = (torch.arange(size) > i).to(input.dtype)
        v = input[..., i] * below + (torch.arange(size) == i).to(input.dtype)
        v = v.unsqueeze(-1)
        found = found - tau[..., i : i + 1].unsqueeze(-1) * v @ (v.mT @ found)
    return found


def squared_values(A: Tensor) -> Tensor:
    """The squares of the singular values, upwards, in float64."""
    wide = A.double()
    gram = wide.mT @ wide if A.shape[-2] >= A.shape[-1] else wide @ wide.mT
    return torch.linalg.eigvalsh(gram).clamp(min=0)


@decomposes("linalg_svdvals")
def svdvals(A: Tensor, driver: Any = None) -> Tensor:
    del driver
    return squared_values(A).sqrt().flip(-1).to(A.dtype)


@decomposes("linalg_matrix_rank")
def matrix_rank(
    input: Tensor, tol: Any = None, hermitian: bool = False, atol: Any = None, rtol: Any = None
) -> Tensor:
    if tol is not None:
        atol, rtol = tol, 0.0
    sizes = torch.linalg.eigvalsh(input.double()).abs() if hermitian else squared_values(input).sqrt()
    return (sizes > _cutoff(input, sizes, atol, rtol)).to(torch.int64).sum(-1)


def _cutoff(input: Tensor, sizes: Tensor, atol: Any, rtol: Any) -> Tensor:
    if rtol is None:
        rtol = torch.finfo(input.dtype).eps * max(input.shape[-2:])
        if isinstance(atol, Tensor):
            rtol = torch.where(atol > 0, 0.0, rtol)
        elif atol:
            rtol = 0.0
    top = sizes.max(-1, keepdim=True)[0] * (rtol.unsqueeze(-1) if isinstance(rtol, Tensor) else rtol)
    low = atol.unsqueeze(-1) if isinstance(atol, Tensor) else atol or 0.0
    return torch.maximum(top, torch.zeros_like(top) + low)


@decomposes("linalg_pinv")
def pinv(
    input: Tensor, rcond: Any = None, hermitian: bool = False, atol: Any = None, rtol: Any = None
) -> Tensor:
    if not input.numel():
        return input.mT.clone()
    rtol = rcond if rcond is not None else rtol
    tall = input.shape[-2] >= input.shape[-1]
    wide = input.double()
    if hermitian:
        values, vectors = fx2mx_eigh(wide)
        sizes = values.abs()
    else:
        values, vectors = fx2mx_eigh(wide.mT @ wide if tall else wide @ wide.mT)
        values = values.clamp(min=0)
        sizes = values.sqrt()
    small = sizes <= _cutoff(input, sizes, atol, rtol)
    inverse = torch.where(
        small, torch.zeros_like(values), 1 / torch.where(small, torch.ones_like(values), values)
    )
    middle = (vectors * inverse.unsqueeze(-2)) @ vectors.mT
    if hermitian:
        return middle.to(input.dtype)
    return (middle @ wide.mT if tall else wide.mT @ middle).to(input.dtype)


@decomposes("linalg_cond")
def cond(input: Tensor, p: Any = None) -> Tensor:
    if p in {None, 2, -2}:
        squares = squared_values(input)
        low, high = squares[..., 0], squares[..., -1]
        ratio = (high / low if p != -2 else low / high).sqrt()
        return ratio.to(input.dtype)
    if p == "nuc":
        raise NotWritten
    inverse = torch.linalg.inv(input.double()).to(input.dtype)
    return torch.linalg.matrix_norm(input, p) * torch.linalg.matrix_norm(inverse, p)


@decomposes("matrix_exp", "linalg_matrix_exp")
def matrix_exp(input: Tensor) -> Tensor:
    """Scaling and squaring in float64, for norms up to 2^10."""
    x = input.double() / 1024
    eye = torch.eye(input.shape[-1], dtype=torch.float64)
    found = eye + x / 8
    for k in range(7, 0, -1):
        found = eye + (x / k) @ found
    for _ in range(10):
        found = found @ found
    return found.to(input.dtype)
