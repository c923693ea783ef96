"""A user's own ops: their functions and modules become ops of one node, which their rules lower.

    @tracer.op                          # in the model's file: the function is one op, `soft_clip`
    def soft_clip(x, limit): ...

    @tracer.rule("soft_clip")           # in a plugin: how MXNet computes it
    def soft_clip(b, x, limit): ...

    @tracer.rule("Scale", module=True)  # every module of that class is one op, its code untouched
    def scale(b, x, weight, power): ...

A rule's first argument is the `codegen.builder.builder.Builder`. The others are the function's arguments by
name, or those of the module's forward and, after them, parameters, buffers and plain attributes of it.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

import torch
from torch import nn
from torch.overrides import handle_torch_function

from codegen.builder.rule import RuleEntry
from codegen.problems import RequestError, in_a_line
from codegen.rules import add_rule
from tracer.bytecode import nothing_compiled

_F = TypeVar("_F", bound=Callable[..., Any])
_MODULES: dict[str, RuleEntry] = {}


def rule(name: str, *, module: bool = False, ignores: tuple[str, ...] = ()) -> Callable[[_F], _F]:
    """Mark a function as the rule of an op called `name`, or of the modules of the class `name`.

    Args:
        name: of the op: of a function under `tracer.op`, of an op of torch that has no rule, or of a class.
        module: whether it is a class, each module of which becomes one op.
        ignores: arguments that change nothing in inference; any other that the rule does not take is refused.

    Returns:
        What marks the function. Its first argument is the `Builder`, the others are the op's by name.

    Raises:
        ValueError: the op has a rule.
    """

    def mark(function: _F) -> _F:
        entry = add_rule(name, function, ignores)
        if module:
            _MODULES[name] = entry
        return function

    return mark


def load_plugin(path: Path) -> None:
    """Run a plugin file, whose rules hold from then on. RequestError where it cannot be run."""
    if not path.is_file():
        raise RequestError(f"--plugin {path}: there is no such file", code="plugin")
    spec = importlib.util.spec_from_file_location(f"fx2mx_plugin_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise RequestError(f"--plugin {path}: it is not a Python file", code="plugin")
    plugin = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = plugin
    try:
        with nothing_compiled():
            spec.loader.exec_module(plugin)
    except Exception as error:
        raise RequestError(f"--plugin {path}: {in_a_line(error)}", code="plugin") from error


def close_modules(model: nn.Module) -> None:
    """Make each module that has a rule one op, in place: for the tracer's own copy of a net."""
    for module in model.modules():
        entry = _MODULES.get(type(module).__name__)
        if entry is not None:
            module.forward = _closed(module, entry)


def _closed(module: nn.Module, entry: RuleEntry) -> Callable[..., Any]:
    """A forward that is recorded as one call, with the attributes that the rule reads as arguments."""
    forward = type(module).forward.__get__(module)
    signature = inspect.signature(forward)
    wanted = [n for n in entry.signature.parameters if n != "b" and n not in signature.parameters]
    extras = {name: _attribute(module, name) for name in wanted if hasattr(module, name)}

    def call(*args: Any, **kwargs: Any) -> Any:
        return forward(*args, **{k: v for k, v in kwargs.items() if k not in extras})

    function = FunctionType(call.__code__, call.__globals__, type(module).__name__, None, call.__closure__)
    function.__kwdefaults__ = call.__kwdefaults__
    named = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in extras]
    function.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *named])  # type: ignore[attr-defined]

    function.is_user_op = True  # type: ignore[attr-defined]

    def recorded(*args: Any, **kwargs: Any) -> Any:
        if torch._C._is_torch_function_mode_enabled():
            return handle_torch_function(function, (), *args, **kwargs, **extras)
        return forward(*args, **kwargs)

    return recorded


def _attribute(module: nn.Module, name: str) -> Any:
    value = getattr(module, name)
    if value is None or isinstance(value, torch.Tensor | int | float | str | tuple):
        return value
    raise RequestError(
        f"the rule of {type(module).__name__} reads {name}, a {type(value).__name__}: it must be a tensor, "
        "a number, a text or a tuple",
        code="plugin",
    )
