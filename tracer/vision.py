"""torchvision, as it is met in a net: known by names, never imported."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from codegen.decompositions import op

_FILE = re.compile(r"[/\\]torchvision[/\\]ops[/\\](\w+)\.py$")
# Python around one op that torchvision registers: to a reader, the call and the op are one.
_FRONTS = frozenset("_utils deform_conv roi_align roi_pool ps_roi_align ps_roi_pool".split())
_FROZEN = ".torchvision.ops.misc.FrozenBatchNorm2d"
_STATISTICS = ("running_mean", "running_var", "weight", "bias")


def is_front(file: str) -> bool:
    """Whether a file of torchvision's holds no more than the Python around its registered ops."""
    found = _FILE.search(file)
    return found is not None and found[1] in _FRONTS


def is_file(file: str) -> bool:
    """Whether a file is one of torchvision's ops."""
    return _FILE.search(file) is not None


def is_layer(cls: type) -> bool:
    """Whether a class is a layer of one op of torchvision's: DeformConv2d, RoIAlign."""
    package, _, file = f".{cls.__module__}".rpartition(".")
    return package.endswith(".torchvision.ops") and file in _FRONTS


def is_function(file: str, name: str) -> bool:
    """Whether a function that runs is one of torchvision's ops: `batched_nms`, or what it calls."""
    return is_file(file) and name != "forward"


@op
def frozen_batch_norm2d(
    input: torch.Tensor,
    running_mean: torch.Tensor,
    running_var: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    eps: float,
) -> torch.Tensor:
    """What FrozenBatchNorm2d computes, as one op: (N, C, H, W) by statistics and scales of (C,)."""
    scale = weight * (running_var + eps).rsqrt()
    shift = bias - running_mean * scale
    return input * scale.reshape(1, -1, 1, 1) + shift.reshape(1, -1, 1, 1)


def close_frozen(model: nn.Module) -> None:
    """Make each FrozenBatchNorm2d one op where it is recorded: for the tracer's own copy of a net."""
    for module in model.modules():
        cls = type(module)
        is_frozen = f".{cls.__module__}.{cls.__name__}".endswith(_FROZEN)
        if is_frozen and all(name in module._buffers for name in _STATISTICS):
            module.forward = _frozen(module, cls.forward.__get__(module))


def _frozen(module: Any, forward: Callable[[torch.Tensor], torch.Tensor]) -> Callable[..., torch.Tensor]:
    def recorded(x: torch.Tensor) -> torch.Tensor:
        if x.dim() != 4 or not torch._C._is_torch_function_mode_enabled():
            return forward(x)
        statistics = {name: getattr(module, name) for name in _STATISTICS}
        return frozen_batch_norm2d(x, **statistics, eps=module.eps)

    return recorded
