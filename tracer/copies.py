"""Copies of the user's module, which is never changed itself."""

from __future__ import annotations

import copy
import copyreg
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType
from typing import Any

import torch
from torch import nn
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from codegen.problems import RequestError, in_a_line

WAY = (
    "takes no copy.deepcopy: keep it outside the module, make it where it is used, or give it a __deepcopy__"
)


def full_state(model: nn.Module) -> Mapping[str, torch.Tensor]:
    """Every parameter and buffer by key, persistent or not, tied ones under each name, computed ones too."""
    state: dict[str, torch.Tensor] = dict(model.named_parameters(remove_duplicate=False))
    state.update(model.named_buffers(remove_duplicate=False))
    for path, module in model.named_modules():
        for name, tensor in _computed(module):
            state[f"{path}.{name}" if path else name] = tensor
    return state


def _computed(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """The parameters that a module computes from others: parametrizations, the old norm hooks."""
    with torch.no_grad():
        for name in getattr(module, "parametrizations", {}):
            yield name, getattr(module, name)
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, WeightNorm):
                yield hook.name, hook.compute_weight(module)
            elif isinstance(hook, SpectralNorm):
                yield hook.name, hook.compute_weight(module, do_power_iteration=False)


Copier = Callable[[str, torch.Tensor], Any]
"""(the tensor's own name in its module, the tensor) -> what the copy holds in its place."""


def module_copy(model: nn.Module, parameter: Copier | None = None, buffer: Copier | None = None) -> nn.Module:
    """A deep copy in eval mode whose parameters and buffers are what the two functions give (clones).

    A parameter that stands in several modules is one in the copy too.
    """
    parameter = parameter or (lambda _name, t: nn.Parameter(t.detach().clone(), requires_grad=False))
    buffer = buffer or (lambda _name, t: t.detach().clone())
    memo: dict[int, Any] = {}
    for module in model.modules():
        for name, tensor in module._parameters.items():
            if tensor is not None and id(tensor) not in memo:
                memo[id(tensor)] = parameter(name, tensor)
        for name, value in module._buffers.items():
            if value is not None and id(value) not in memo:
                memo[id(value)] = buffer(name, value)
        for value in vars(module).values():
            # Tensors that forward hooks leave behind are not leaves, which deepcopy refuses.
            if isinstance(value, torch.Tensor) and id(value) not in memo:
                memo[id(value)] = value.detach().clone()
    try:
        _copy_plain_modules(model, memo)
        return copy.deepcopy(model, memo).eval()
    except Exception as error:
        raise RequestError(_why_no_copy(model, memo, error), code="no-copy") from error


# What copy.deepcopy gives as it is.
_ATOMS = frozenset(
    [type(None), bool, int, float, complex, str, bytes, type, FunctionType, BuiltinFunctionType]
)


class _NotPlain(Exception):
    """A value that is left to copy.deepcopy."""


def _copy_plain_modules(model: nn.Module, memo: dict[int, Any]) -> None:
    """Put into `memo` a copy of each module that holds plain values alone, which most do.

    It is what copy.deepcopy makes, which takes four times as long.
    """
    for module in reversed([*model.modules()]):  # what is within a module before it
        state = None if id(module) in memo else _state_of(module)
        if state is None:
            continue
        try:
            copied_state = {key: _plain_copy(value, memo) for key, value in state.items()}
        except _NotPlain:
            continue
        copied = type(module).__new__(type(module))
        copied.__setstate__(copied_state)  # type: ignore[no-untyped-call]
        memo[id(module)] = copied


def _state_of(module: nn.Module) -> dict[str, Any] | None:
    """What copy.deepcopy copies of a module, None where it does more than give that to a new object."""
    cls = type(module)
    if hasattr(module, "__deepcopy__") or cls in copyreg.dispatch_table:
        return None
    how: tuple[Any, ...] = tuple(module.__reduce_ex__(4))
    is_usual = how[:2] == (copyreg.__newobj__, (cls,)) and not any(how[3:])  # type: ignore[attr-defined]
    held = vars(module)
    # nn.Module's own __getstate__ leaves out what was compiled. A value that another makes for the occasion
    # is gone after it, and its id is given again.
    if not is_usual or type(how[2]) is not dict or any(held.get(k, how) is not v for k, v in how[2].items()):
        return None
    return how[2]


def _plain_copy(value: Any, memo: dict[int, Any]) -> Any:
    """A copy of a value, whose tensors and modules are in `memo`; _NotPlain where it is none of the plain."""
    kind = type(value)
    if kind in _ATOMS or kind in (torch.dtype, torch.device):
        return value
    if id(value) in memo:
        return memo[id(value)]
    copied: Any
    if kind is tuple:
        if any(type(v) not in _ATOMS for v in value):
            raise _NotPlain
        return value
    if kind is dict or kind is OrderedDict:
        copied = kind((_plain_copy(k, memo), _plain_copy(v, memo)) for k, v in value.items())
    elif kind is list or kind is set:
        copied = kind(_plain_copy(v, memo) for v in value)
    else:
        raise _NotPlain
    memo[id(value)] = copied
    return copied


def _why_no_copy(model: nn.Module, memo: dict[int, Any], error: Exception) -> str:
    """Which attribute of which module cannot be copied: a lock, an open file, a tensor that was computed."""
    reason = in_a_line(error)
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if name in vars(nn.Module()):
                continue
            try:
                copy.deepcopy(value, dict(memo))
            except Exception:  # noqa: BLE001 - that is what is looked for
                what = f"{path}.{name}, a {type(value).__name__},".lstrip(".")
                return f"the net cannot be copied, and a copy is what is run ({reason}): {what} {WAY}"
    return f"the net cannot be copied, and a copy is what is run ({reason}): it {WAY}"


def shallow_copy(module: nn.Module) -> nn.Module:
    """A module of the same class that shares all that the module holds."""
    copied = type(module).__new__(type(module))
    vars(copied).update(vars(module))
    return copied
