"""Linear algebra."""

import torch

from tests.op_cases import fn


def _square(*lead: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(*lead, 4, 4, generator=generator) + 3 * torch.eye(4)


def _positive(*lead: int) -> torch.Tensor:
    half = _square(*lead)
    return half @ half.mT


fn("inverse", torch.linalg.inv, _square(2))
fn("det", torch.linalg.det, _square(2))
fn("slogdet", lambda x: tuple(torch.linalg.slogdet(x)), _square(2))
fn("cholesky", torch.linalg.cholesky, _positive(2))
fn("cholesky_upper", lambda x: torch.linalg.cholesky(x, upper=True), _positive(2))
fn("solve", lambda x, y: torch.linalg.solve(x, y), _square(2), (2, 4, 3))
fn(
    "solve_triangular",
    lambda x, y: torch.linalg.solve_triangular(x.tril(), y, upper=False),
    _square(2),
    (2, 4, 3),
)
fn("qr", lambda x: tuple(torch.linalg.qr(x)), (2, 5, 3))
fn("eigvalsh", lambda x: torch.linalg.eigvalsh(x), _positive(2))
fn("pinv", torch.linalg.pinv, (2, 5, 3))
fn("lu_factor", lambda x: tuple(torch.linalg.lu_factor(x)), _square(2))
fn("lu", lambda x: tuple(torch.linalg.lu(x)), (2, 5, 3))
fn("geqrf", lambda x: tuple(torch.geqrf(x)), (2, 5, 3))
fn("matrix_norm by singular values", lambda x: torch.linalg.matrix_norm(x, 2), (2, 5, 3))
fn("irfft of real numbers", lambda x: torch.fft.irfft(x), (2, 5))
fn("tensordot", lambda x, y: torch.tensordot(x, y, dims=([1], [0])), (2, 5), (5, 3))
fn(
    "tensordot, a size of 1 contracted with another",
    lambda x: torch.tensordot(x, torch.arange(20.0).reshape(4, 5, 1), dims=([1, 2], [2, 0])),
    (2, 3, 4),
)
