"""The table of op cases: one line a case, a file a family. tests/test_ops.py runs each in both frameworks."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tracer.conversion import Conversion, convert_specs
from tracer.inputs import InputSpec, inputs_from_tensors

Input = Any  # a shape (seeded normal floats), an `Ints`, a `Bools` or a tensor


@dataclass(frozen=True)
class Ints:
    """Seeded whole numbers in [0, high)."""

    shape: tuple[int, ...]
    high: int = 5
    dtype: str = "int64"


@dataclass(frozen=True)
class Case:
    """One op case.

    `refuses` is the exact refusal that is expected, `hint` its hint, and `why` says what MXNet lacks. `frozen`
    marks a net whose batch size cannot be free.
    """

    name: str
    module: nn.Module
    inputs: tuple[Input, ...]
    tolerance: float = 1e-5
    refuses: str = ""
    hint: str = ""
    why: str = ""
    frozen: bool = False

    def specs(self) -> tuple[InputSpec, ...]:
        """The inputs as tracer.convert_specs takes them."""
        names = list(inspect.signature(self.module.forward).parameters)
        return tuple(self._spec(n, i) for n, i in zip(names, self.inputs, strict=False))

    def conversion(self) -> Conversion:
        """The case converted; raises what `convert_specs` raises."""
        return convert_specs(self.module, self.specs(), "Net")

    def _spec(self, name: str, given: Input) -> InputSpec:
        if isinstance(given, torch.Tensor):
            return inputs_from_tensors(_Named(name), (given,))[0]
        if isinstance(given, Ints):
            return InputSpec(name, given.shape, given.dtype, high=given.high)
        return InputSpec(name, tuple(given))


class _Named(nn.Module):
    """A module whose forward takes one argument of this name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        exec(f"def forward({name}): ...", scope := {})
        self.forward = scope["forward"]


class Fn(nn.Module):
    """A function as a net."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.forward = function


CASES: list[Case] = []


def case(name: str, module: nn.Module, *inputs: Input, **options: Any) -> None:
    """Add a case of a module."""
    CASES.append(Case(name, module, inputs, **options))


def fn(name: str, function: Callable[..., Any], *inputs: Input, **options: Any) -> None:
    """Add a case of a function of tensors."""
    if not inspect.isfunction(function):
        inner = function
        wrapped: dict[int, Callable[..., Any]] = {
            1: lambda x: inner(x),
            2: lambda x, y: inner(x, y),
            3: lambda x, y, z: inner(x, y, z),
        }
        function = wrapped[len(inputs)]
    case(name, Fn(function), *inputs, **options)


def positive(*shape: int, low: float = 0.1, high: float = 3.0) -> torch.Tensor:
    """Seeded floats in [low, high)."""
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.rand(shape, generator=generator) * (high - low) + low


def bools(*shape: int) -> torch.Tensor:
    """A seeded mask."""
    generator = torch.Generator().manual_seed(sum(shape) + 1)
    return torch.rand(shape, generator=generator) > 0.5


def all_cases() -> list[Case]:
    """Every case, by family; seeded, so that each process builds the same."""
    if not CASES:
        state = torch.get_rng_state()
        for info in pkgutil.iter_modules(__path__):
            torch.manual_seed(0)
            importlib.import_module(f"{__name__}.{info.name}")
        torch.set_rng_state(state)
    return CASES
