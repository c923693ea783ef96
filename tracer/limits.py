"""What a conversion cannot begin with: tensors without values, and more than the machine holds."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from codegen.problems import RequestError, UserModelError
from tracer.inputs import InputSpec

# The net is compared at twice its batch.
MOST_BATCHES = 2


class TooLarge(UserModelError):
    """Inputs that do not fit into memory: the net cannot be run on them."""


def check_values(model: nn.Module) -> None:
    """Raise RequestError for parameters and buffers on the meta device: a conversion takes their values."""
    state = (*model.named_parameters(), *model.named_buffers())
    missing = [name for name, tensor in state if tensor.is_meta and not is_lazy(tensor)]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise RequestError(
            f"{missing[0]}{more} on the meta device: they have no values to convert; build the net on "
            'the CPU, or call net.to_empty(device="cpu") and load its weights',
            code="meta-device",
        )


def check_sizes(specs: Sequence[InputSpec], batches: float = MOST_BATCHES) -> None:
    """Raise TooLarge for inputs that do not fit into the machine's memory at `batches` times their batch."""
    memory = _memory()
    for spec in specs:
        size = math.prod(spec.shape) * getattr(torch, spec.dtype).itemsize
        if memory and batches * size > memory:
            raise TooLarge(
                f"input {spec.name} of {spec.shape} {spec.dtype} takes {_gigabytes(size)}, the net is run at "
                f"{batches:g} times its batch, and there are {_gigabytes(memory)}: give a smaller one"
            )


def _memory() -> int:
    """The machine's memory in bytes; 0 where it cannot be told."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


def _gigabytes(size: int) -> str:
    return f"{size / 2**30:,.1f} GB"
