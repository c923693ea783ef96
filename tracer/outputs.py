"""The tensors in what forward returns, and what taps catch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import nn

from codegen.problems import RequestError

_T = TypeVar("_T")


def flatten_outputs(result: Any, path: str = "output") -> tuple[list[tuple[str, torch.Tensor]], list[str]]:
    """The tensors of a net's result in order, each with its path; and what else it holds."""
    if result is None:
        return [], []
    if isinstance(result, torch.Tensor):
        return [(path, result)], []
    items: list[tuple[str, Any]]
    if isinstance(result, Mapping):
        items = [(str(k), v) for k, v in result.items()]
    elif dataclasses.is_dataclass(result) and not isinstance(result, type):
        items = [(f.name, getattr(result, f.name)) for f in dataclasses.fields(result)]
    elif isinstance(result, tuple) and hasattr(result, "_fields"):
        items = list(zip(result._fields, result, strict=True))
    elif isinstance(result, list | tuple):
        items = [(str(i), v) for i, v in enumerate(result)]
    else:
        return [], [f"{path} ({type(result).__name__})"]
    tensors: list[tuple[str, torch.Tensor]] = []
    others: list[str] = []
    for key, value in items:
        inner, left_out = flatten_outputs(value, key if path == "output" else f"{path}.{key}")
        tensors += inner
        others += left_out
    return tensors, others


def has_names(result: Any) -> bool:
    """Whether a net's result names its parts: keys of a dict, fields of a dataclass or of a named tuple."""
    if isinstance(result, Mapping) or hasattr(result, "_fields") or dataclasses.is_dataclass(result):
        return True
    return isinstance(result, list | tuple) and any(map(has_names, result))


def tap_hook(
    model: nn.Module, tap: str, caught: dict[str, list[_T]], taken: Callable[[torch.Tensor], _T]
) -> Any:
    """Take each tensor that the module returns, at once: what follows may write to it."""

    def keep(_module: nn.Module, _args: Any, output: Any) -> None:
        caught[tap] = [taken(tensor) for _, tensor in flatten_outputs(output)[0]]

    return model.get_submodule(tap).register_forward_hook(keep)


def in_order(caught: Mapping[str, list[_T]], taps: Sequence[str]) -> list[_T]:
    """All that the taps caught. RequestError for a tap that is not called, or that returns no tensor."""
    for tap in taps:
        if tap not in caught:
            raise RequestError(
                f"--tap {tap}: forward does not call this module, so that it has no output", code="tap"
            )
        if not caught[tap]:
            raise RequestError(f"--tap {tap}: this module returns no tensor", code="tap")
    return [item for tap in taps for item in caught[tap]]
