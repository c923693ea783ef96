"""In-place writes, also through views, become new values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class View:
    """How a tensor was cut out of `base`: the call, and which of its outputs it is."""

    base: torch.Tensor
    view: torch.Tensor
    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    index: int
    count: int


def version_of(tensor: torch.Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version


def aliases(a: torch.Tensor, b: torch.Tensor) -> bool:
    try:
        return bool(torch._C._is_alias_of(a, b))  # type: ignore[attr-defined]
    except (RuntimeError, NotImplementedError):
        return False
