"""Converted nets as a user of MXNet trains them: the generated file is imported, its .params loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import mxnet as mx
import numpy as np
import torch
from torch import nn

import tracer


@dataclass(frozen=True)
class Ported:
    """The files of a converted net: the imported code, its symbol and the weights."""

    module: ModuleType
    symbol: mx.sym.Symbol
    arg_params: Mapping[str, mx.nd.NDArray]
    aux_params: Mapping[str, mx.nd.NDArray]


def ported(model: nn.Module, inputs: Sequence[torch.Tensor], folder: Path) -> Ported:
    """A net's files, written into a folder and read again."""
    conversion = tracer.convert(model, tuple(inputs), name="Net")
    conversion.save(folder / "model_mxnet.py")
    module = imported(folder / "model_mxnet.py")
    symbol, arg_params, aux_params = mx.model.load_checkpoint(str(folder / "model_mxnet"), 0)
    return Ported(module, symbol, arg_params, aux_params)


def imported(path: Path) -> ModuleType:
    """A generated file as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def bound(net: Ported, inputs: Sequence[torch.Tensor], **given: Any) -> mx.mod.Module:
    """The net under a loss, the mean of its squares, bound for training."""
    loss = mx.sym.MakeLoss(mx.sym.mean(mx.sym.square(net.symbol)), name="loss")
    names = list(net.module.DATA_SHAPES)
    module = mx.mod.Module(loss, data_names=names, label_names=(), **given)
    module.bind([mx.io.DataDesc(n, tuple(x.shape)) for n, x in zip(names, inputs, strict=True)])
    return module


def trained(module: mx.mod.Module, inputs: Sequence[torch.Tensor], steps: int) -> dict[str, Any]:
    """The arguments after some steps."""
    batch = mx.io.DataBatch([mx.nd.array(x.numpy()) for x in inputs])
    for _ in range(steps):
        module.forward_backward(batch)
        module.update()
    return {name: value.asnumpy() for name, value in module.get_params()[0].items()}


def moved(before: Mapping[str, mx.nd.NDArray], after: Mapping[str, Any]) -> set[str]:
    """The arguments that are no longer what they were."""
    return {name for name, value in before.items() if not np.array_equal(value.asnumpy(), after[name])}
