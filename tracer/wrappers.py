"""Modules that only hand on to another: a net is converted without them, and keys do not name them."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from codegen.problems import RequestError
from tracer.copies import shallow_copy

# The class, and the attribute that holds the net. torch's compiler is loaded where something is compiled.
_HOLDERS: Mapping[type[nn.Module], str] = {
    nn.DataParallel: "module",
    DistributedDataParallel: "module",
    AveragedModel: "module",
}
_COMPILER = "torch._dynamo.eval_frame"


def unwrapped(model: nn.Module) -> nn.Module:
    """The net without DataParallel and torch.compile, wherever they stand in it; itself without any.

    The user's module stays as it is: those that hold a wrapper are copied, and share all else. Raises
    RequestError where the net itself is a module of torch.jit.
    """
    found = _plain(model, {})
    if is_scripted(found):
        raise RequestError(
            f"the net is {type(found).__name__} of torch.jit, whose code is not Python: give the module that "
            "torch.jit.script or torch.jit.trace was called with, and the state_dict() of this one as "
            "weights",
            code="torch-jit",
        )
    return found


def is_scripted(module: nn.Module) -> bool:
    """Whether a module is one of torch.jit's, scripted or traced: it runs without Python."""
    return hasattr(module, "_c") and type(module).__module__.startswith("torch.jit")


def _plain(module: nn.Module, done: dict[int, nn.Module]) -> nn.Module:
    if id(module) in done or is_scripted(module):
        return done.get(id(module), module)
    done[id(module)] = module  # for a module that holds itself
    inner = _held(module)
    if inner is not None:
        done[id(module)] = _plain(inner, done)
        return done[id(module)]
    children = {name: child for name, child in module._modules.items() if child is not None}
    plain = {name: _plain(child, done) for name, child in children.items()}
    if any(plain[name] is not child for name, child in children.items()):
        copied = shallow_copy(module)
        vars(copied)["_modules"] = {**module._modules, **plain}
        done[id(module)] = copied
    return done[id(module)]


def _held(module: nn.Module) -> nn.Module | None:
    """The net that a module only hands on to; None where it does more: a forward or hooks of its own."""
    if module._forward_hooks or module._forward_pre_hooks:
        return None
    compiled = getattr(sys.modules.get(_COMPILER), "OptimizedModule", None)
    if compiled is not None and isinstance(module, compiled):
        return _module(getattr(module, "_orig_mod", None))
    holder = next((c for c in _HOLDERS if isinstance(module, c)), None)
    if holder is None or type(module).forward is not holder.forward:
        return None
    return _module(getattr(module, _HOLDERS[holder], None))


def _module(value: object) -> nn.Module | None:
    return value if isinstance(value, nn.Module) else None
