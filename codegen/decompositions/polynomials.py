"""Orthogonal polynomials by their recurrences, up to degrees that are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from codegen.decompositions import NotWritten, decomposes_each

Tensor = torch.Tensor


@dataclass(frozen=True)
class Kind:
    """A kind of polynomials: `first` is that of degree 1, `step` gives the next one.

    `step` takes x, the degree k of the last polynomial, the last one, and the one before it.
    """

    first: Callable[[Tensor], Tensor]
    step: Callable[[Tensor, int, Tensor, Tensor], Tensor]


def _chebyshev(x: Tensor, k: int, last: Tensor, before: Tensor) -> Tensor:
    del k
    return 2 * x * last - before


def _shifted(x: Tensor, k: int, last: Tensor, before: Tensor) -> Tensor:
    del k
    return 2 * (2 * x - 1) * last - before


KINDS: Mapping[str, Kind] = {
    "special_chebyshev_polynomial_t": Kind(lambda x: x, _chebyshev),
    "special_chebyshev_polynomial_u": Kind(lambda x: 2 * x, _chebyshev),
    "special_chebyshev_polynomial_v": Kind(lambda x: 2 * x - 1, _chebyshev),
    "special_chebyshev_polynomial_w": Kind(lambda x: 2 * x + 1, _chebyshev),
    "special_shifted_chebyshev_polynomial_t": Kind(lambda x: 2 * x - 1, _shifted),
    "special_shifted_chebyshev_polynomial_u": Kind(lambda x: 2 * (2 * x - 1), _shifted),
    "special_shifted_chebyshev_polynomial_v": Kind(lambda x: 2 * (2 * x - 1) - 1, _shifted),
    "special_shifted_chebyshev_polynomial_w": Kind(lambda x: 2 * (2 * x - 1) + 1, _shifted),
    "special_hermite_polynomial_h": Kind(lambda x: 2 * x, lambda x, k, p, q: 2 * x * p - 2 * k * q),
    "special_hermite_polynomial_he": Kind(lambda x: x, lambda x, k, p, q: x * p - k * q),
    "special_laguerre_polynomial_l": Kind(
        lambda x: 1 - x, lambda x, k, p, q: ((2 * k + 1 - x) * p - k * q) / (k + 1)
    ),
    "special_legendre_polynomial_p": Kind(
        lambda x: x, lambda x, k, p, q: ((2 * k + 1) * x * p - k * q) / (k + 1)
    ),
}
# A polynomial of degree 64 is 64 steps of the recurrence, each of several ops.
MOST = 64


@decomposes_each("kind", KINDS)
def polynomial(input: Any, n: Any, *, kind: Kind) -> Tensor:
    degrees = torch.as_tensor(n)
    top = int(degrees.max())  # raises where the degrees are no constant
    if top > MOST:
        raise NotWritten
    x = input if isinstance(input, Tensor) else torch.tensor(float(input))
    wide, whole = x.double(), degrees.trunc()
    before, last = torch.ones_like(wide), kind.first(wide)
    found = torch.where(whole == 0, before, torch.zeros_like(wide))
    for k in range(1, top + 1):
        found = torch.where(whole == k, last, found)
        before, last = last, kind.step(wide, k, last, before)
    return found.to(x.dtype)
