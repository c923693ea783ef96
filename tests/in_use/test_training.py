"""What torch does not train, MXNet does not train; and nets begin from scratch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
import pytest
import torch
from torch import nn

import tracer
from tests.in_use.training import bound, moved, ported, trained

OPTIMIZERS: dict[str, dict[str, float]] = {
    "sgd": {"learning_rate": 0.1, "momentum": 0.9, "wd": 0.1},
    "nag": {"learning_rate": 0.1, "momentum": 0.9, "wd": 0.1},
    "adam": {"learning_rate": 0.1, "wd": 0.1},
    "rmsprop": {"learning_rate": 0.1, "wd": 0.1},
}


class NoAffine(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(self.conv(x)) + 1


class Tables(nn.Module):
    """A buffer of numbers, one of places, one of whole numbers that are computed with, a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1))
        self.register_buffer("order", torch.tensor([2, 0, 1]))
        self.register_buffer("shift", torch.tensor([3, 1, 2]))
        self.table = nn.Parameter(torch.randn(5, 3))
        self.linear = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = (x - self.mean).mean((2, 3))
        x = self.linear(x[:, self.order]) + self.table[self.shift].sum(0) * torch.tensor([1.0, 2.0, 3.0])
        return x + self.shift


class Frozen(nn.Module):
    """A backbone that is frozen, a head that is trained: blocks of one class on both sides."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = self.block().requires_grad_(False)
        self.head = self.block()
        self.head[1].bias.requires_grad_(False)
        self.scale = nn.Parameter(torch.ones(4, 1, 1), requires_grad=False)

    @staticmethod
    def block() -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.stem(x) * self.scale)


class Embedded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding.from_pretrained(torch.randn(7, 4), freeze=True)
        self.lstm = nn.LSTM(4, 5, batch_first=True)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.lstm(self.words(ids))[0]


def _nets() -> dict[str, tuple[nn.Module, tuple[torch.Tensor, ...], set[str]]]:
    torch.manual_seed(0)
    image, maps = torch.randn(2, 3, 8, 8), torch.randn(2, 4, 6, 6)
    still = {"stem_0_weight", "stem_0_bias", "stem_1_gamma", "stem_1_beta", "head_1_beta", "scale"}
    return {
        "no_affine": (NoAffine(), (image,), {"bn_gamma", "bn_beta"}),
        "tables": (Tables(), (image,), {"mean", "order", "shift", "x2"}),
        "frozen": (Frozen(), (maps,), still),
        "embedded": (Embedded(), (torch.randint(0, 7, (2, 3)),), {"words_weight"}),
        "all_frozen": (
            nn.Sequential(nn.Conv2d(4, 4, 3), nn.PReLU(4)).requires_grad_(False),
            (maps,),
            {"0_weight", "0_bias", "1_gamma"},
        ),
    }


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("net", _nets())
def test_what_torch_does_not_train_stays(net: str, optimizer: str, tmp_path: Path) -> None:
    model, inputs, still = _nets()[net]
    own = ported(model, inputs, tmp_path)
    assert set(own.module.FIXED_PARAMS) == still
    module = bound(own, inputs)
    module.set_params(own.arg_params, own.aux_params)
    module.init_optimizer(optimizer=optimizer, optimizer_params=OPTIMIZERS[optimizer])
    # The oneDNN convolution without gradient of fix_gamma's gamma is the op's own affair: it writes ones.
    assert moved(own.arg_params, trained(module, inputs, 3)) == set(own.arg_params) - still


def test_what_is_trained_in_part_is_told() -> None:
    """MXNet's RNN takes all of a layer's parameters as one."""
    lstm = nn.LSTM(4, 5)
    lstm.bias_hh_l0.requires_grad_(False)
    (note,) = tracer.convert(lstm, (torch.zeros(3, 2, 4),), "Net").notes
    assert note.startswith("training moves bias_hh_l0 too, which torch does not train")


@pytest.mark.parametrize("net", _nets())
def test_fixed_params_are_what_a_module_takes(net: str, tmp_path: Path) -> None:
    model, inputs, still = _nets()[net]
    own = ported(model, inputs, tmp_path)
    module = bound(own, inputs, fixed_param_names=own.module.FIXED_PARAMS)
    module.set_params(own.arg_params, own.aux_params)
    module.init_optimizer(optimizer="adam")
    assert moved(own.arg_params, trained(module, inputs, 2)) == set(own.arg_params) - still


@pytest.mark.parametrize("net", _nets())
def test_from_scratch_constants_keep_their_values(net: str, tmp_path: Path) -> None:
    model, inputs, _ = _nets()[net]
    own = ported(model, inputs, tmp_path)
    module = bound(own, inputs)
    module.init_params(mx.init.Xavier())
    made: dict[str, Any] = {name: value.asnumpy() for name, value in module.get_params()[0].items()}
    constants = {line.split("\t")[0] for line in _contrast(tmp_path) if line.split("\t")[2] == "constant"}
    buffers = {k for k, _ in model.named_buffers()} & set(made)
    for name in constants | buffers:
        np.testing.assert_array_equal(made[name], own.arg_params[name].asnumpy())
    assert all(np.isfinite(value).all() for value in made.values())


def _contrast(folder: Path) -> list[str]:
    return (folder / "model_mxnet-layer_contrast.txt").read_text().splitlines()
