"""Elementwise ops, reductions and statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from tracer.composites import NotWritten, composite

Tensor = torch.Tensor


@composite("addr")
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, beta: float = 1, alpha: float = 1) -> Tensor:
    outer = vec1.unsqueeze(1) * vec2.unsqueeze(0)
    outer = outer * alpha if alpha != 1 else outer
    return outer if beta == 0 else (input * beta if beta != 1 else input) + outer


@composite("angle")
def angle(input: Tensor) -> Tensor:
    return torch.where(input < 0, math.pi, torch.where(input != input, input, torch.zeros_like(input)))


@composite("logaddexp2")
def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    top = torch.maximum(input, other)
    return top + torch.log1p(torch.exp2(-(input - other).abs())) / math.log(2)


@composite("ldexp")
def ldexp(input: Tensor, other: Tensor) -> Tensor:
    return input * torch.exp2(other.float())


@composite("frexp")
def frexp(input: Tensor) -> tuple[Tensor, Tensor]:
    exponent = torch.floor(torch.log2(torch.where(input == 0, torch.ones_like(input), input.abs()))) + 1
    mantissa = input / torch.exp2(exponent)
    for factor, wrong in ((0.5, mantissa.abs() >= 1), (2.0, (mantissa.abs() < 0.5) & (input != 0))):
        mantissa = torch.where(wrong, mantissa * factor, mantissa)
        exponent = torch.where(wrong, exponent - math.log2(factor), exponent)
    return mantissa, torch.where(input == 0, torch.zeros_like(exponent), exponent).to(torch.int32)


@composite("isclose")
def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    if not input.is_floating_point():
        input, other = input.float(), other.float()
    near = (input == other) | (
        ((input - other).abs() <= atol + (rtol * other).abs()) & torch.isfinite(input) & torch.isfinite(other)
    )
    return near | ((input != input) & (other != other)) if equal_nan else near


@composite("isin")
def isin(elements: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False) -> Tensor:
    del assume_unique
    elements, test_elements = torch.as_tensor(elements), torch.as_tensor(test_elements)
    if not test_elements.numel():
        found = torch.zeros_like(elements, dtype=torch.bool)
    else:
        found = (elements.unsqueeze(-1) == test_elements.reshape(-1)).any(-1)
    return ~found if invert else found


@composite("mvlgamma")
def mvlgamma(input: Tensor, p: int) -> Tensor:
    total = input.lgamma()
    for j in range(1, p):
        total = total + (input - j / 2).lgamma()
    return total + p * (p - 1) / 4 * math.log(math.pi)


@composite("special_xlog1py")
def xlog1py(input: Any, other: Any) -> Tensor:
    left, right = torch.as_tensor(input), torch.as_tensor(other)
    zero = (left == 0) & (right == right)
    product = left * torch.log1p(right)
    return torch.where(zero, torch.zeros_like(product), product)


@composite("special_entr")
def entr(input: Tensor) -> Tensor:
    inside = -input * torch.log(torch.where(input > 0, input, torch.ones_like(input)))
    return torch.where(input < 0, -torch.inf, torch.where(input != input, input, inside))


@composite("special_ndtr")
def ndtr(input: Tensor) -> Tensor:
    return torch.erfc(input.double() * -math.sqrt(0.5)).float() * 0.5


@composite("trapz", "trapezoid")
def trapezoid(y: Tensor, input: Tensor | None = None, dx: float = 1, dim: int = -1) -> Tensor:
    return _trapezes(y, input, dx, dim).sum(dim)


@composite("cumulative_trapezoid")
def cumulative_trapezoid(y: Tensor, input: Tensor | None = None, dx: float = 1, dim: int = -1) -> Tensor:
    return _trapezes(y, input, dx, dim).cumsum(dim)


def _trapezes(y: Tensor, x: Tensor | None, dx: float, dim: int) -> Tensor:
    size = y.shape[dim]
    if size < 2 or (x is not None and x.shape[-1 if x.dim() == 1 else dim] != size):
        raise NotWritten
    heights = y.narrow(dim, 1, size - 1) + y.narrow(dim, 0, size - 1)
    if x is None:
        return heights * (dx / 2)
    if x.dim() == 1:
        steps = x.narrow(0, 1, size - 1) - x.narrow(0, 0, size - 1)
        axis = dim % y.dim()
        steps = steps.reshape([-1 if a == axis else 1 for a in range(y.dim())])
    else:
        steps = x.narrow(dim, 1, size - 1) - x.narrow(dim, 0, size - 1)
    return heights * steps * 0.5


@composite("renorm")
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    axes = [a for a in range(input.dim()) if a != dim % input.dim()]
    norm = torch.linalg.vector_norm(input, p, axes, keepdim=True)
    return input * torch.where(norm > maxnorm, maxnorm / (norm + 1e-7), torch.ones_like(norm))


@composite("cov")
def cov(
    input: Tensor, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    x = input.reshape(1, -1) if input.dim() < 2 else input
    count = x.shape[1]
    weights: Tensor | None = None
    for given in (fweights, aweights):
        if given is not None:
            weights = given.to(x.dtype) if weights is None else weights * given.to(x.dtype)
    if weights is None:
        centred = x - x.mean(1, keepdim=True)
        if count - correction <= 0:
            raise NotWritten
        return (centred @ centred.transpose(0, 1) / (count - correction)).reshape(_cov_shape(input))
    total = weights.sum()
    centred = x - (x * weights).sum(1, keepdim=True) / total
    norm = total - correction
    if aweights is not None:
        own = weights * aweights.to(x.dtype)
        norm = total - correction * own.sum() / total
    norm = torch.where(norm < 0, torch.zeros_like(norm), norm)
    return ((centred * weights) @ centred.transpose(0, 1) / norm).reshape(_cov_shape(input))


def _cov_shape(input: Tensor) -> Sequence[int]:
    return () if input.dim() < 2 or input.shape[0] == 1 else (input.shape[0],) * 2


@composite("corrcoef")
def corrcoef(input: Tensor) -> Tensor:
    x = input.reshape(1, -1) if input.dim() < 2 else input
    centred = x - x.mean(1, keepdim=True)
    product = centred @ centred.transpose(0, 1)
    deviation = (centred * centred).sum(1).sqrt()
    found = product / deviation.unsqueeze(0) / deviation.unsqueeze(1)
    return found.clamp(-1, 1).reshape(_cov_shape(input))


@composite("quantile")
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, interpolation: str = "linear"
) -> Tensor:
    return _quantile(input, q, dim, keepdim, interpolation, skip=False)


@composite("nanquantile")
def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, interpolation: str = "linear"
) -> Tensor:
    return _quantile(input, q, dim, keepdim, interpolation, skip=True)


def _quantile(input: Tensor, q: Any, dim: int | None, keepdim: bool, how: str, skip: bool) -> Tensor:
    flat = dim is None or input.dim() == 0
    x = input.reshape(-1) if flat else input.movedim(dim, -1)  # type: ignore[arg-type]
    missing = x != x
    ordered = torch.where(missing, torch.finfo(x.dtype).max, x).sort(-1)[0]
    points = torch.as_tensor(q, dtype=x.dtype)
    single = points.dim() == 0
    points = points.reshape(-1)
    last = (~missing).to(x.dtype).sum(-1, keepdim=True) - 1 if skip else x.shape[-1] - 1
    place = points * last  # one row, or a row for each
    place = place.expand(*x.shape[:-1], points.shape[0])
    low, high = torch.floor(place), torch.ceil(place)
    if how == "nearest":
        low = high = torch.round(place)
    places = {"lower": [low], "higher": [high], "nearest": [low]}.get(how, [low, high])
    top = x.shape[-1] - 1
    found = [ordered.gather(-1, p.clamp(0, top).long()) for p in places]
    share = {"midpoint": 0.5}.get(how, place - low)
    out = found[0] if len(found) == 1 else found[0] + (found[1] - found[0]) * share
    none = missing.all(-1, keepdim=True) if skip else missing.any(-1, keepdim=True)
    out = torch.where(none, torch.nan, out)
    out = out.movedim(-1, 0)  # the points come first
    if keepdim:
        if flat:
            out = out.reshape([points.shape[0]] + [1] * input.dim())
        else:
            out = out.unsqueeze(dim % input.dim() + 1)  # type: ignore[operator]
    return out[0] if single else out


@composite("nanmedian")
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    if dim is None or input.dim() == 0:
        if dim is not None:
            return input.clone(), torch.zeros_like(input, dtype=torch.int64)
        return _nanmedian(input.reshape(-1))[0].reshape(())
    values, places = _nanmedian(input.movedim(dim, -1))
    if keepdim:
        return values.movedim(-1, dim), places.movedim(-1, dim)
    return values.squeeze(-1), places.squeeze(-1)


def _nanmedian(x: Tensor) -> tuple[Tensor, Tensor]:
    missing = x != x
    ordered, order = torch.where(missing, torch.finfo(x.dtype).max, x).sort(-1)
    last = (~missing).to(x.dtype).sum(-1, keepdim=True) - 1
    place = torch.floor(last / 2).clamp(min=0).long()
    value = ordered.gather(-1, place)
    return torch.where(missing.all(-1, keepdim=True), torch.nan, value), order.gather(-1, place)


@composite("linspace")
def linspace(start: Any, end: Any, steps: int, dtype: torch.dtype | None = None) -> Tensor:
    return _between(start, end, steps).to(dtype or torch.get_default_dtype())


@composite("logspace")
def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, dtype: torch.dtype | None = None
) -> Tensor:
    exponents = _between(start, end, steps).double()
    return torch.pow(float(base), exponents).to(dtype or torch.get_default_dtype())


def _between(start: Any, end: Any, steps: int) -> Tensor:
    if not isinstance(start, Tensor) and not isinstance(end, Tensor):
        raise NotWritten
    if steps < 1:
        return torch.zeros(0)
    first = start.float() if isinstance(start, Tensor) else torch.tensor(float(start))
    last = end.float() if isinstance(end, Tensor) else torch.tensor(float(end))
    if steps == 1:
        return first.reshape(1)
    # From the nearer end, so that both ends are exact.
    step, places = (last - first) / (steps - 1), torch.arange(steps, dtype=torch.float32)
    return torch.where(places < steps / 2, first + step * places, last - step * (steps - 1 - places))


@composite("masked_scatter")
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    shape = torch.broadcast_shapes(input.shape, mask.shape)
    chosen = mask.expand(shape).reshape(-1)
    place = (chosen.to(torch.int64).cumsum(0) - 1).clamp(0, source.numel() - 1)
    return torch.where(chosen, source.reshape(-1)[place], input.expand(shape).reshape(-1)).reshape(shape)


@composite("histc")
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    x = input.reshape(-1)
    low: Any = min
    high: Any = max
    if min == max:
        low, high = (x.min(), x.max()) if min == 0 else (min - 1, max + 1)
    if isinstance(low, Tensor):
        flat = low == high
        low, high = torch.where(flat, low - 1, low), torch.where(flat, high + 1, high)
    place = torch.floor((x - low) * bins / (high - low))
    place = torch.where(x == high, torch.full_like(place, bins - 1), place)
    inside = (x >= low) & (x <= high)
    hits = (place.unsqueeze(-1) == torch.arange(bins, dtype=input.dtype)) & inside.unsqueeze(-1)
    return hits.to(input.dtype).sum(0)


@composite("pdist")
def pdist(input: Tensor, p: float = 2) -> Tensor:
    rows, columns = torch.triu_indices(input.shape[0], input.shape[0], 1)
    if not rows.numel():
        return torch.zeros(0)
    if not input.shape[1]:
        raise NotWritten
    return torch.linalg.vector_norm(input[rows] - input[columns], p, -1)


@composite("linear_cross_entropy")
def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """`options` say in which pieces torch computes it."""
    del options
    width = linear_weight.shape[-1]
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    matrix = linear_weight if linear_weight.dim() == 2 else linear_weight.reshape(-1, width)
    logits = F.linear(input, matrix, bias)
    if linear_weight.dim() > 2:
        logits = logits.reshape([*input.shape[:-1], *linear_weight.shape[:-1]])
    return F.cross_entropy(
        logits,
        target,
        weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )


@composite("_safe_softmax")
def safe_softmax(input: Tensor, dim: int, dtype: torch.dtype | None = None) -> Tensor:
    x = input if dtype is None else input.to(dtype)
    none = (x == -torch.inf).all(dim, keepdim=True)
    return torch.where(none, torch.zeros_like(x), torch.where(none, torch.zeros_like(x), x).softmax(dim))


@composite("native_layer_norm")
def native_layer_norm(
    input: Tensor, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> tuple[Tensor, Tensor, Tensor]:
    axes = list(range(-len(normalized_shape), 0))
    mean = input.mean(axes, keepdim=True)
    variance = (input - mean).square().mean(axes, keepdim=True)
    out = F.layer_norm(input, tuple(normalized_shape), weight, bias, eps)
    return out, mean, (variance + eps).rsqrt()


@composite("native_group_norm")
def native_group_norm(
    input: Tensor, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    x = input.reshape(N, group, C // group * HxW)
    mean = x.mean(-1)
    variance = (x - mean.unsqueeze(-1)).square().mean(-1)
    return F.group_norm(input, group, weight, bias, eps), mean, (variance + eps).rsqrt()


@composite("native_batch_norm", "_native_batch_norm_legit")
def native_batch_norm(
    input: Tensor,
    weight: Any = None,
    bias: Any = None,
    running_mean: Any = None,
    running_var: Any = None,
    training: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Tensor, Tensor, Tensor]:
    """With the statistics of the batch; without, torch gives two empty tensors more."""
    del momentum
    if not training:
        nothing = torch.zeros(0)
        return F.batch_norm(input, running_mean, running_var, weight, bias, eps=eps), nothing, nothing
    axes = [a for a in range(input.dim()) if a != 1]
    mean = input.mean(axes)
    shape = [-1 if a == 1 else 1 for a in range(input.dim())]
    variance = (input - mean.reshape(shape)).square().mean(axes)
    return F.batch_norm(input, None, None, weight, bias, True, eps=eps), mean, (variance + eps).rsqrt()


@composite("_batch_norm_with_update")
def batch_norm_with_update(
    input: Tensor, weight: Any, bias: Any, running_mean: Any, running_var: Any, momentum: float, eps: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """And what cuDNN would need for the gradient: nothing."""
    found = native_batch_norm(input, weight, bias, running_mean, running_var, True, momentum, eps)
    return *found, torch.zeros(0, dtype=torch.uint8)


@composite("multilabel_margin_loss")
def multilabel_margin_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Each class of the target, up to the first -1, against each class that is none of them."""
    x = input.reshape(-1, 1) if input.dim() == 0 else input.reshape(-1, input.shape[-1])
    labels = target.reshape(x.shape)
    real = (labels >= 0).to(x.dtype).cumprod(1)
    own = labels.clamp(min=0)
    hit = ((own.unsqueeze(-1) == torch.arange(x.shape[1])).to(x.dtype) * real.unsqueeze(-1)).amax(1)
    gap = (1 - x.gather(1, own).unsqueeze(-1) + x.unsqueeze(1)).clamp(min=0)
    loss = (gap * real.unsqueeze(-1) * (1 - hit).unsqueeze(1)).sum((1, 2)) / x.shape[1]
    if reduction == "none":
        return loss.reshape(target.shape[:-1])
    return loss.mean() if reduction == "mean" else loss.sum()


@composite("nonzero_static")
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


_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


@composite("grid_sampler_2d", "grid_sampler_3d")
def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    return F.grid_sample(
        input, grid, _MODES[interpolation_mode], _PADDINGS[padding_mode], align_corners=align_corners
    )


@composite("_upsample_bilinear2d_aa")
def upsample_aa(
    input: Tensor,
    output_size: Any = None,
    align_corners: bool = False,
    scales_h: Any = None,
    scales_w: Any = None,
    scale_factors: Any = None,
) -> Tensor:
    if scales_h is not None or scales_w is not None:
        raise NotWritten
    return F.interpolate(
        input,
        None if output_size is None else tuple(output_size),
        None if scale_factors is None else tuple(scale_factors),
        mode="bilinear",
        align_corners=align_corners,
        antialias=True,
    )


@composite("gradient")
def gradient(input: Tensor, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> list[Tensor]:
    axes = list(range(input.dim())) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    given = (
        [1.0 if spacing is None else spacing] * len(axes)
        if not isinstance(spacing, list | tuple)
        else spacing
    )
    if len(given) != len(axes):
        raise NotWritten
    return [
        _slope(input, step, axis % input.dim(), edge_order) for step, axis in zip(given, axes, strict=True)
    ]


def _edge(x0: Tensor, x1: Tensor, x2: Tensor, gap: Tensor, gap2: Tensor) -> Tensor:
    """The slope at x0 of the parabola through three points, `gap` and `gap2` apart."""
    both = gap + gap2
    return x1 * both / (gap * gap2) - x0 * (gap + both) / (gap * both) - x2 * gap / (gap2 * both)


def _slope(x: Tensor, step: Any, axis: int, edge_order: int) -> Tensor:
    n = x.shape[axis]

    def part(start: int, length: int) -> Tensor:
        return x.narrow(axis, start, length)

    if isinstance(step, Tensor):
        if step.dim() == 0:
            raise NotWritten
        shape = [-1 if a == axis else 1 for a in range(x.dim())]
        gaps = (step[1:] - step[:-1]).reshape(shape)
        before, after = gaps.narrow(axis, 0, n - 2), gaps.narrow(axis, 1, n - 2)
        a = -after / (before * (before + after))
        b = (after - before) / (before * after)
        c = before / (after * (before + after))
        inner = a * part(0, n - 2) + b * part(1, n - 2) + c * part(2, n - 2)
        first, last = gaps.narrow(axis, 0, 1), gaps.narrow(axis, n - 2, 1)
        if edge_order == 1:
            ends = (part(1, 1) - part(0, 1)) / first, (part(n - 1, 1) - part(n - 2, 1)) / last
        else:
            second, last_but_one = gaps.narrow(axis, 1, 1), gaps.narrow(axis, n - 3, 1)
            ends = (
                _edge(part(0, 1), part(1, 1), part(2, 1), first, second),
                -_edge(part(n - 1, 1), part(n - 2, 1), part(n - 3, 1), last, last_but_one),
            )
        return torch.cat([ends[0], inner, ends[1]], axis)
    inner = (part(2, n - 2) - part(0, n - 2)) / (2 * step)
    if edge_order == 1:
        ends = (part(1, 1) - part(0, 1)) / step, (part(n - 1, 1) - part(n - 2, 1)) / step
    else:
        ends = (
            (-3 * part(0, 1) + 4 * part(1, 1) - part(2, 1)) / (2 * step),
            (3 * part(n - 1, 1) - 4 * part(n - 2, 1) + part(n - 3, 1)) / (2 * step),
        )
    return torch.cat([ends[0], inner, ends[1]], axis)
