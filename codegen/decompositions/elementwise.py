"""Elementwise ops, reductions and statistics."""

from __future__ import annotations

import math
from typing import Any

import torch

from codegen.decompositions import NotWritten, decomposes

Tensor = torch.Tensor


@decomposes("addr")
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, beta: float = 1, alpha: float = 1) -> Tensor:
    outer = vec1.unsqueeze(1) * vec2.unsqueeze(0)
    outer = outer * alpha if alpha != 1 else outer
    return outer if beta == 0 else (input * beta if beta != 1 else input) + outer


@decomposes("angle")
def angle(input: Tensor) -> Tensor:
    return torch.where(input < 0, math.pi, torch.where(input != input, input, torch.zeros_like(input)))


@decomposes("logaddexp2")
def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    top = torch.maximum(input, other)
    return top + torch.log1p(torch.exp2(-(input - other).abs())) / math.log(2)


@decomposes("ldexp")
def ldexp(input: Tensor, other: Tensor) -> Tensor:
    return input * torch.exp2(other.float())


@decomposes("frexp")
def frexp(input: Tensor) -> tuple[Tensor, Tensor]:
    exponent = torch.floor(torch.log2(torch.where(input == 0, torch.ones_like(input), input.abs()))) + 1
    mantissa = input / torch.exp2(exponent)
    for factor, wrong in ((0.5, mantissa.abs() >= 1), (2.0, (mantissa.abs() < 0.5) & (input != 0))):
        mantissa = torch.where(wrong, mantissa * factor, mantissa)
        exponent = torch.where(wrong, exponent - math.log2(factor), exponent)
    return mantissa, torch.where(input == 0, torch.zeros_like(exponent), exponent).to(torch.int32)


@decomposes("isclose")
def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    if not input.is_floating_point():
        input, other = input.float(), other.float()
    near = (input == other) | (
        ((input - other).abs() <= atol + (rtol * other).abs()) & torch.isfinite(input) & torch.isfinite(other)
    )
    return near | ((input != input) & (other != other)) if equal_nan else near


@decomposes("isin")
def isin(elements: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False) -> Tensor:
    del assume_unique
    elements, test_elements = torch.as_tensor(elements), torch.as_tensor(test_elements)
    if not test_elements.numel():
        found = torch.zeros_like(elements, dtype=torch.bool)
    else:
        found = (elements.unsqueeze(-1) == test_elements.reshape(-1)).any(-1)
    return ~found if invert else found


@decomposes("mvlgamma")
def mvlgamma(input: Tensor, p: int) -> Tensor:
    total = input.lgamma()
    for j in range(1, p):
        total = total + (input - j / 2).lgamma()
    return total + p * (p - 1) / 4 * math.log(math.pi)


@decomposes("special_xlog1py")
def xlog1py(input: Any, other: Any) -> Tensor:
    left, right = torch.as_tensor(input), torch.as_tensor(other)
    zero = (left == 0) & (right == right)
    product = left * torch.log1p(right)
    return torch.where(zero, torch.zeros_like(product), product)


@decomposes("special_entr")
def entr(input: Tensor) -> Tensor:
    inside = -input * torch.log(torch.where(input > 0, input, torch.ones_like(input)))
    return torch.where(input < 0, -torch.inf, torch.where(input != input, input, inside))


@decomposes("special_ndtr")
def ndtr(input: Tensor) -> Tensor:
    return torch.erfc(input.double() * -math.sqrt(0.5)).float() * 0.5


@decomposes("renorm")
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    axes = [a for a in range(input.dim()) if a != dim % input.dim()]
    norm = torch.linalg.vector_norm(input, p, axes, keepdim=True)
    return input * torch.where(norm > maxnorm, maxnorm / (norm + 1e-7), torch.ones_like(norm))


@decomposes("linspace")
def linspace(start: Any, end: Any, steps: int, dtype: torch.dtype | None = None) -> Tensor:
    return _between(start, end, steps, dtype).to(dtype or torch.get_default_dtype())


@decomposes("logspace")
def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, dtype: torch.dtype | None = None
) -> Tensor:
    exponents = _between(start, end, steps, dtype).double()
    return torch.pow(float(base), exponents).to(dtype or torch.get_default_dtype())


def _between(start: Any, end: Any, steps: int, dtype: torch.dtype | None) -> Tensor:
    """Evenly spaced numbers, computed in float32 but for a result of float64, as torch does."""
    if not isinstance(start, Tensor) and not isinstance(end, Tensor):
        raise NotWritten
    if steps < 1:
        return torch.zeros(0)
    kind = torch.float64 if dtype is torch.float64 else torch.float32
    first = start.to(kind) if isinstance(start, Tensor) else torch.tensor(float(start), dtype=kind)
    last = end.to(kind) if isinstance(end, Tensor) else torch.tensor(float(end), dtype=kind)
    if steps == 1:
        return first.reshape(1)
    # From the nearer end, so that both ends are exact.
    step, places = (last - first) / (steps - 1), torch.arange(steps, dtype=kind)
    return torch.where(places < steps / 2, first + step * places, last - step * (steps - 1 - places))


@decomposes("masked_scatter")
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    shape = torch.broadcast_shapes(input.shape, mask.shape)
    chosen = mask.expand(shape).reshape(-1)
    place = (chosen.to(torch.int64).cumsum(0) - 1).clamp(0, source.numel() - 1)
    return torch.where(chosen, source.reshape(-1)[place], input.expand(shape).reshape(-1)).reshape(shape)


@decomposes("nonzero_static")
def nonzero_static(input: Tensor, size: int, fill_value: int = -1) -> Tensor:
    count = input.numel()
    if not input.dim() or not count or not size:
        return torch.full((size, input.dim()), fill_value)
    places = torch.where(input.reshape(-1) != 0, torch.arange(count), count).sort()[0]
    places = torch.cat([places, torch.full((size,), count)])[:size]
    columns: list[Tensor] = []
    rest = places
    for length in reversed(input.shape):
        columns.insert(0, rest % length)
        rest = torch.div(rest, length, rounding_mode="floor")
    found = torch.stack(columns, 1)
    return torch.where((places == count).unsqueeze(1), fill_value, found)
