"""Special functions that have a series of one length: the derivatives of the logarithm of gamma."""

from __future__ import annotations

import math

import torch

from codegen.decompositions import decomposes

Tensor = torch.Tensor
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)  # of order 2, 4, 6, ...


@decomposes("digamma")
def digamma(input: Tensor) -> Tensor:
    """The asymptotic series from 10 on, reached by the recurrence; left of 0, the mirror of the right."""
    x = input.double()
    left = x <= 0
    z = torch.where(left, 1 - x, x)
    found = torch.zeros_like(z)
    for k in range(10):
        found = found - 1 / (z + k)
    z = z + 10
    square = 1 / (z * z)
    series = torch.zeros_like(z)
    for coefficient in (1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12):
        series = series * square + coefficient
    found = found + torch.log(z) - 0.5 / z - series * square
    part = x - torch.trunc(x)
    mirrored = found - math.pi / torch.tan(math.pi * part)
    whole = torch.where(x == 0, torch.where(torch.signbit(1 / x), torch.inf, -torch.inf), torch.nan)
    found = torch.where(left, torch.where(part == 0, whole, mirrored), found)
    return found.to(input.dtype)


@decomposes("polygamma")
def polygamma(n: int, input: Tensor) -> Tensor:
    """Hurwitz's zeta by Euler and Maclaurin from 12 on; left of 0, the mirror of the right."""
    if n == 0:
        return torch.digamma(input)
    x = input.double()
    left = x < 0
    z = torch.where(left, 1 - x, x)
    total = torch.zeros_like(z)
    for k in range(12):
        total = total + (z + k) ** -(n + 1.0)
    z = z + 12
    total = total + z ** -float(n) / n + z ** -(n + 1.0) / 2
    for j, number in enumerate(BERNOULLI, start=1):
        factor = number / math.factorial(2 * j) * math.prod(range(n + 1, n + 2 * j))
        total = total + factor * z ** -float(n + 2 * j)
    sign = -1.0 if n % 2 == 0 else 1.0
    found = total * (sign * math.factorial(n))
    part = x - torch.trunc(x)
    mirrored = (-1) ** n * found - _cotangent(n, part)
    poles = (part == 0) & (x <= 0)
    return torch.where(poles, sign * torch.inf, torch.where(left, mirrored, found)).to(input.dtype)


def _cotangent(n: int, x: Tensor) -> Tensor:
    """The n-th derivative of pi cot(pi x), a polynomial of the cotangent: cot' is -(1 + cot^2)."""
    powers = [0.0, 1.0]
    for _ in range(n):
        slope = [*(i * c for i, c in enumerate(powers) if i), 0.0, 0.0, 0.0]
        powers = [-(slope[i] + (slope[i - 2] if i > 1 else 0.0)) for i in range(len(powers) + 1)]
    cotangent = 1 / torch.tan(math.pi * x)
    found = torch.zeros_like(x)
    for factor in reversed(powers):
        found = found * cotangent + factor
    return found * math.pi ** (n + 1)
