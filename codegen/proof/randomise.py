"""Random parameters and statistics in the place of those that hide errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn


def randomise(model: nn.Module, inputs: Mapping[str, Any], seed: int = 0) -> None:
    """Make random, in place, what hides errors: constant parameters and BatchNorm statistics.

    Parameters that are already random keep their values, whose scale their layers chose. Statistics
    are drawn around those of `inputs`, layer by layer, so that signals neither vanish nor explode and
    float32 is precise enough to compare in.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            _randomise(parameter, generator)
        hooks = [
            module.register_forward_pre_hook(_statistics_hook(generator))
            for module in model.modules()
            if isinstance(getattr(module, "running_mean", None), torch.Tensor)
        ]
        if hooks:
            model(**inputs)
        for hook in hooks:
            hook.remove()


def _uniform(shape: Any, generator: torch.Generator, low: float, high: float) -> torch.Tensor:
    import torch

    return torch.rand(shape, generator=generator) * (high - low) + low


def _normal(shape: Any, generator: torch.Generator, scale: float) -> torch.Tensor:
    import torch

    return torch.randn(shape, generator=generator) * scale


def _randomise(parameter: torch.Tensor, generator: torch.Generator) -> None:
    """Give a parameter of one value (zeros, ones, a layer scale of 1e-6) random ones."""
    if not parameter.is_floating_point() or not parameter.numel() or parameter.is_sparse:
        return
    first = float(parameter.reshape(-1)[0])
    if not bool((parameter == first).all()):
        return
    if abs(first) > 0.05:
        parameter.copy_(_uniform(parameter.shape, generator, 0.5 * first, 1.5 * first))
    elif parameter.dim() >= 2 and parameter[0].numel() > 1:
        parameter.copy_(_normal(parameter.shape, generator, parameter[0].numel() ** -0.5))
    else:
        parameter.copy_(_normal(parameter.shape, generator, 0.3))


def _statistics_hook(generator: torch.Generator) -> Any:
    """A forward hook that draws a norm layer's statistics around those of its input, once."""
    seen: set[int] = set()

    def draw(module: Any, args: tuple[Any, ...]) -> None:
        if id(module) in seen or not args:
            return
        seen.add(id(module))
        x = args[0].detach().float()
        x = x.transpose(0, 1).reshape(x.shape[1], -1) if x.dim() > 1 else x[None]
        shape = module.running_mean.shape
        # One value in each channel has no spread: the channels' takes its place, and their mean the mean's.
        own = x.shape[0] == shape[0] and x.dim() > 1 and x.shape[1] > 1
        spread = x.std(1, unbiased=False).clamp_min(1e-3) if own else x.std().expand(shape)
        centre = x.mean(1) if own else x.mean().expand(shape)
        module.running_mean.copy_(centre + 0.3 * spread * _normal(shape, generator, 1.0))
        # An input of one value has no spread, and would leave a variance of zero.
        variance = spread.square().clamp_min(1e-2 * float(x.square().mean()) + 1e-6)
        module.running_var.copy_(variance * _uniform(shape, generator, 0.5, 1.5))

    return draw
