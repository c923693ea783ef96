"""Whether torch runs a net at other sizes of its inputs, asked of tensors that have no values.

On torch's meta device a run costs a fraction of a recorded one, and nothing is computed. Not every net runs
there, so an error tells of the sizes only where the net runs there at its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import nn

from codegen.problems import UserModelError
from tracer.capture import called
from tracer.copies import module_copy
from tracer.inputs import InputSpec, make_inputs
from tracer.settings import traced_settings

Specs: TypeAlias = "tuple[InputSpec, ...]"


def failures(model: nn.Module, own: Specs) -> Callable[[Specs], UserModelError | None]:
    """What tells what the net raises on other inputs than its `own`: None where it runs, or none is told."""
    runs_at_its_own = functools.cache(lambda: _raised(model, own) is None)

    def failure(tried: Specs) -> UserModelError | None:
        error = _raised(model, tried)
        # What speaks of the device may be no fault of the sizes.
        if error is None or "meta" in str(error.__cause__) or not runs_at_its_own():
            return None
        return error

    return failure


def _raised(model: nn.Module, specs: Specs) -> UserModelError | None:
    copied = module_copy(model, parameter=_meta_parameter, buffer=lambda _name, t: _meta(t))
    for module in copied.modules():
        if isinstance(module, _NORMS) and type(module) in _NORMS:
            vars(module)["forward"] = functools.partial(_normalised, module)
        elif type(module) in _ELEMENTWISE:
            vars(module)["forward"] = torch.empty_like
    inputs = {
        name: _meta(value) if isinstance(value, torch.Tensor) else value
        for name, value in make_inputs(specs, None, 0).items()
    }
    try:
        with traced_settings():
            called(copied, inputs)
    except UserModelError as error:
        return error
    return None


# What gives a tensor like its input, which torch works out by several ops of Python: most of a run.
_ELEMENTWISE = (nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.LeakyReLU, nn.ELU, nn.GELU)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def _normalised(module: nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d, x: torch.Tensor) -> torch.Tensor:
    """What BatchNorm gives: ten ops of Python in torch."""
    module._check_input_dim(x)
    is_plain = module.running_mean is not None and x.shape[1] == module.num_features
    return torch.empty_like(x) if is_plain else type(module).forward(module, x)


def _meta(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(tensor, device="meta")


def _meta_parameter(_name: str, tensor: torch.Tensor) -> nn.Parameter:
    return nn.Parameter(_meta(tensor), requires_grad=False)
