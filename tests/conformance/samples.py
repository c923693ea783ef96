"""Samples as nets: an `nn.Module` whose forward takes the sample's tensors.

They are torch's own; for torchvision's ops, which have no such table, they are the cases of tests/op_cases/vision.py.
"""

from __future__ import annotations

import functools
import random
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import UninitializedTensorMixin

from tests.op_cases import Case, all_cases
from tests.vision import ops as vision
from tracer.inputs import make_inputs

Rebuild = Callable[[Mapping[str, torch.Tensor]], Any]
MODULE_PREFIX = "nn."
VISION_PREFIX = "torchvision.ops."


@dataclass(frozen=True)
class Sample:
    """One sample: a net, its inputs by argument name, and what it is called with, in short."""

    op: str
    index: int
    net: nn.Module
    inputs: dict[str, torch.Tensor]
    call: str


class OpNet(nn.Module):
    """A function of torch as a net; what is no input of it is closed over."""

    def __init__(self, function: Callable[..., Any], rebuild: Rebuild) -> None:
        super().__init__()
        self._call = function
        self._rebuild = rebuild

    def forward(self, **tensors: torch.Tensor) -> Any:
        args, kwargs = self._rebuild(tensors)
        return self._call(*args, **kwargs)


class ModuleNet(nn.Module):
    """A module of torch's as a net."""

    def __init__(self, net: nn.Module, rebuild: Rebuild) -> None:
        super().__init__()
        self.net = net
        self._rebuild = rebuild

    def forward(self, **tensors: torch.Tensor) -> Any:
        args, kwargs = self._rebuild(tensors)
        return self.net(*args, **kwargs)


@functools.cache
def op_infos() -> dict[str, Any]:
    """The ops of torch's table that take float32, by name."""
    from torch.testing._internal.common_methods_invocations import op_db

    return {o.formatted_name: o for o in op_db if torch.float32 in o.supported_dtypes("cpu")}


@functools.cache
def module_infos() -> dict[str, Any]:
    """The modules of torch's table, by name."""
    from torch.testing._internal.common_modules import module_db

    return {MODULE_PREFIX + m.name.removeprefix(MODULE_PREFIX): m for m in module_db}


@functools.cache
def vision_cases() -> dict[str, list[Case]]:
    """The cases of torchvision's ops, by the name of the op; DeformConv2d stands under deform_conv2d."""
    found: dict[str, list[Case]] = {}
    for case in all_cases():
        op = case.name.split()[0].rstrip(",")
        if op in vision.__all__:
            found.setdefault(VISION_PREFIX + op, []).append(case)
    return found


def names() -> list[str]:
    """Every entry: modules, then ops, then torchvision's ops."""
    return [*module_infos(), *op_infos(), *vision_cases()]


def forms(name: str) -> str:
    """How users write the op: function, method, in place, operator."""
    if name.startswith(MODULE_PREFIX):
        return f"torch.{name}"
    if name.startswith(VISION_PREFIX):
        return name
    info = op_infos()[name]
    found = [f"torch.{info.name}"]
    found += [f"torch.{a.name}" for a in info.aliases]
    for variant in (info.method_variant, info.inplace_variant, info.operator_variant):
        written = getattr(variant, "__name__", "")
        if written and not written.startswith("<"):
            found.append(f"Tensor.{written}")
    return ", ".join(dict.fromkeys(found))


def samples(name: str) -> Iterator[Sample]:
    """The samples of an entry, the same at each call; Exception where torch cannot make them."""
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name.startswith(VISION_PREFIX):
            yield from _vision_samples(name)
        else:
            yield from _module_samples(name) if name in module_infos() else _op_samples(name)


def _module_samples(name: str) -> Iterator[Sample]:
    info = module_infos()[name]
    made = info.module_inputs_func(
        info, device="cpu", dtype=torch.float32, requires_grad=False, training=False
    )
    for index, item in enumerate(made):
        built, given = item.constructor_input, item.forward_input
        if given is None:
            continue
        net = info.module_cls(*built.args, **built.kwargs).float().eval()
        if any(isinstance(t, UninitializedTensorMixin) for t in (*net.parameters(), *net.buffers())):
            net(*given.args, **given.kwargs)  # a lazy module takes its shapes from its first input
        _randomise(net)
        rebuild, inputs = _opened((given.args, given.kwargs), "input")
        yield Sample(name, index, ModuleNet(net, rebuild), inputs, _shown(built.args, built.kwargs))


def _op_samples(name: str) -> Iterator[Sample]:
    info = op_infos()[name]
    for index, item in enumerate(info.sample_inputs("cpu", torch.float32, requires_grad=False)):
        whole = ((item.input, *item.args), item.kwargs)
        rebuild, inputs = _opened(whole, "x")
        yield Sample(name, index, OpNet(info.op, rebuild), inputs, _shown(*whole))


def _vision_samples(name: str) -> Iterator[Sample]:
    for index, item in enumerate(vision_cases()[name]):
        rebuild, inputs = _opened((tuple(make_inputs(item.specs(), None, 0).values()), {}), "x")
        yield Sample(name, index, ModuleNet(item.module, rebuild), inputs, item.name)


def constants_but_first(sample: Sample) -> Sample | None:
    """The sample with its first tensor as the only input, and the others as constants.

    None for one input, and for a case of our own, which says what its inputs are.
    """
    if sample.op.startswith(VISION_PREFIX):
        return None
    first = next(iter(sample.inputs), None)
    if first is None or len(sample.inputs) < 2:
        return None
    rest = {k: v for k, v in sample.inputs.items() if k != first}
    rebuild: Rebuild = sample.net._rebuild  # type: ignore[assignment]

    def with_rest(tensors: Mapping[str, torch.Tensor]) -> Any:
        return rebuild({**rest, **tensors})

    if isinstance(sample.net, ModuleNet):
        net: nn.Module = ModuleNet(sample.net.net, with_rest)
    else:
        net = OpNet(sample.net._call, with_rest)  # type: ignore[arg-type]
    return Sample(sample.op, sample.index, net, {first: sample.inputs[first]}, sample.call)


def _randomise(net: nn.Module) -> None:
    """Statistics and scales of one value hide errors."""
    generator = torch.Generator().manual_seed(1)
    for key, tensor in [*net.named_parameters(), *net.named_buffers()]:
        if tensor.is_floating_point() and tensor.numel() and bool((tensor == tensor.flatten()[0]).all()):
            low, high = (0.5, 1.5) if "var" in key or float(tensor.flatten()[0]) else (-0.5, 0.5)
            tensor.data.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)


def _opened(value: Any, base: str) -> tuple[Rebuild, dict[str, torch.Tensor]]:
    """The tensors in a value, by new names, and a function that puts tensors of these names in their place."""
    found: dict[str, torch.Tensor] = {}

    def taken(item: Any) -> Any:
        if isinstance(item, torch.Tensor):
            name = f"{base}{len(found)}" if found else base
            found[name] = item.detach()
            return _Slot(name)
        if isinstance(item, tuple) and hasattr(item, "_fields"):
            return type(item)(*(taken(i) for i in item))
        if isinstance(item, tuple | list):
            return type(item)(taken(i) for i in item) if type(item) in (tuple, list) else item
        if isinstance(item, dict):
            return {k: taken(v) for k, v in item.items()}
        return item

    tree = taken(value)

    def rebuilt(item: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
        if isinstance(item, _Slot):
            return tensors[item.name]
        if isinstance(item, tuple) and hasattr(item, "_fields"):
            return type(item)(*(rebuilt(i, tensors) for i in item))
        if type(item) in (tuple, list):
            return type(item)(rebuilt(i, tensors) for i in item)
        if isinstance(item, dict):
            return {k: rebuilt(v, tensors) for k, v in item.items()}
        return item

    return lambda tensors: rebuilt(tree, tensors), found


@dataclass(frozen=True)
class _Slot:
    name: str


def _shown(args: Any, kwargs: Any) -> str:
    parts = [_short(a) for a in args] + [f"{k}={_short(v)}" for k, v in kwargs.items()]
    return ", ".join(parts)[:200]


def _short(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"{dtype}{list(value.shape)}"
    if isinstance(value, tuple | list):
        inner = ", ".join(_short(v) for v in value)
        return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    if callable(value):
        return str(getattr(value, "__name__", type(value).__name__))
    return str(value)[:60]
