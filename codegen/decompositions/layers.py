"""Layers and losses that torch's Python writes with other ops, or that it fuses."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from codegen.decompositions import NotWritten, decomposes
from codegen.decompositions.elementwise import Tensor


@decomposes("linear_cross_entropy")
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


@decomposes("_safe_softmax")
def safe_softmax(input: Tensor, dim: int, dtype: torch.dtype | None = None) -> Tensor:
    x = input if dtype is None else input.to(dtype)
    none = (x == -torch.inf).all(dim, keepdim=True)
    return torch.where(none, torch.zeros_like(x), torch.where(none, torch.zeros_like(x), x).softmax(dim))


@decomposes("native_layer_norm")
def native_layer_norm(
    input: Tensor, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> tuple[Tensor, Tensor, Tensor]:
    axes = list(range(-len(normalized_shape), 0))
    mean = input.mean(axes, keepdim=True)
    variance = (input - mean).square().mean(axes, keepdim=True)
    out = F.layer_norm(input, tuple(normalized_shape), weight, bias, eps)
    return out, mean, (variance + eps).rsqrt()


@decomposes("native_group_norm")
def native_group_norm(
    input: Tensor, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    x = input.reshape(N, group, C // group * HxW)
    mean = x.mean(-1)
    variance = (x - mean.unsqueeze(-1)).square().mean(-1)
    return F.group_norm(input, group, weight, bias, eps), mean, (variance + eps).rsqrt()


@decomposes("native_batch_norm", "_native_batch_norm_legit")
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


@decomposes("_batch_norm_with_update")
def batch_norm_with_update(
    input: Tensor, weight: Any, bias: Any, running_mean: Any, running_var: Any, momentum: float, eps: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """And what cuDNN would need for the gradient: nothing."""
    found = native_batch_norm(input, weight, bias, running_mean, running_var, True, momentum, eps)
    return *found, torch.zeros(0, dtype=torch.uint8)


@decomposes("multilabel_margin_loss")
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


_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


@decomposes("grid_sampler_2d", "grid_sampler_3d")
def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    return F.grid_sample(
        input, grid, _MODES[interpolation_mode], _PADDINGS[padding_mode], align_corners=align_corners
    )


@decomposes("_upsample_bilinear2d_aa")
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
