"""Orthogonal polynomials by their recurrences, up to degrees that are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from codegen.decompositions import Composite, NotWritten, composite

Tensor = torch.Tensor
Step = Callable[[Tensor, int, Tensor, Tensor], Tensor]
"""The next from x, the degree k of the last one, the last one and the one before."""


def _chebyshev(x: Tensor, k: int, last: Tensor, before: Tensor) -> Tensor:
    del k
    return 2 * x * last - before


def _shifted(x: Tensor, k: int, last: Tensor, before: Tensor) -> Tensor:
    del k
    return 2 * (2 * x - 1) * last - before


KINDS: dict[str, tuple[Callable[[Tensor], Tensor], Step]] = {
    "chebyshev_polynomial_t": (lambda x: x, _chebyshev),
    "chebyshev_polynomial_u": (lambda x: 2 * x, _chebyshev),
    "chebyshev_polynomial_v": (lambda x: 2 * x - 1, _chebyshev),
    "chebyshev_polynomial_w": (lambda x: 2 * x + 1, _chebyshev),
    "shifted_chebyshev_polynomial_t": (lambda x: 2 * x - 1, _shifted),
    "shifted_chebyshev_polynomial_u": (lambda x: 2 * (2 * x - 1), _shifted),
    "shifted_chebyshev_polynomial_v": (lambda x: 2 * (2 * x - 1) - 1, _shifted),
    "shifted_chebyshev_polynomial_w": (lambda x: 2 * (2 * x - 1) + 1, _shifted),
    "hermite_polynomial_h": (lambda x: 2 * x, lambda x, k, p, q: 2 * x * p - 2 * k * q),
    "hermite_polynomial_he": (lambda x: x, lambda x, k, p, q: x * p - k * q),
    "laguerre_polynomial_l": (lambda x: 1 - x, lambda x, k, p, q: ((2 * k + 1 - x) * p - k * q) / (k + 1)),
    "legendre_polynomial_p": (lambda x: x, lambda x, k, p, q: ((2 * k + 1) * x * p - k * q) / (k + 1)),
}
MOST = 64


def _polynomial(first: Callable[[Tensor], Tensor], step: Step) -> Composite:
    def polynomial(input: Any, n: Any) -> Tensor:
        degrees = torch.as_tensor(n)
        top = int(degrees.max())  # raises where the degrees are no constant
        if top > MOST:
            raise NotWritten
        x = input if isinstance(input, Tensor) else torch.tensor(float(input))
        wide, whole = x.double(), degrees.trunc()
        before, last = torch.ones_like(wide), first(wide)
        found = torch.where(whole == 0, before, torch.zeros_like(wide))
        for k in range(1, top + 1):
            found = torch.where(whole == k, last, found)
            before, last = last, step(wide, k, last, before)
        return found.to(x.dtype)

    return polynomial


for _name, (_first, _step) in KINDS.items():
    composite(f"special_{_name}")(_polynomial(_first, _step))
