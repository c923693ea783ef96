"""Small nets of the usual kinds, and what MXNet's own tools make of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import mxnet as mx
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.in_use.training import Ported

Arrays = Mapping[str, np.ndarray]


class Residual(nn.Module):
    """The layers of a ResNet: a stem with a max pool, blocks with a shortcut, a global average."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.first, self.second = nn.Conv2d(16, 16, 3, 1, 1), nn.Conv2d(16, 16, 3, 1, 1)
        self.bn = nn.BatchNorm2d(16)
        self.fc = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.stem(x))
        x = F.relu(x + self.bn(self.second(F.relu(self.first(x)))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Mobile(nn.Module):
    """Depthwise convolutions, clipped activations and squeeze-and-excite."""

    def __init__(self) -> None:
        super().__init__()
        self.expand, self.depth = nn.Conv2d(3, 24, 1), nn.Conv2d(24, 24, 3, 2, 1, groups=24)
        self.squeeze, self.excite = nn.Conv2d(24, 8, 1), nn.Conv2d(8, 24, 1)
        self.project = nn.Conv2d(24, 10, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu6(self.depth(F.relu6(self.expand(x))))
        x = x * torch.sigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))))
        return self.project(x).mean((2, 3))


class UNet(nn.Module):
    """Down and up again, with a bridge."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.bottom = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.up, self.out = nn.ConvTranspose2d(16, 8, 2, 2), nn.Conv2d(16, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        down = F.relu(self.down(x))
        bottom = F.relu(self.bottom(F.max_pool2d(down, 2)))
        return self.out(torch.cat([down, self.up(bottom)], 1))


class Bert(nn.Module):
    """Ids to vectors, one layer of attention, a classifier of the first."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(30, 16), nn.Parameter(torch.randn(1, 6, 16))
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, activation="gelu", batch_first=True)
        self.fc = nn.Linear(16, 4)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.fc(self.layer(self.words(ids) + self.places)[:, 0])


NETS: dict[str, tuple[Callable[[], nn.Module], torch.Tensor]] = {
    "residual": (Residual, torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))),
    "mobile": (Mobile, torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(2))),
    "unet": (UNet, torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(3))),
    "bert": (Bert, torch.randint(0, 30, (4, 6), generator=torch.Generator().manual_seed(4))),
}


def through_module(
    symbol: mx.sym.Symbol,
    arg_params: Mapping[str, mx.nd.NDArray],
    aux_params: Mapping[str, mx.nd.NDArray],
    data: Mapping[str, mx.nd.NDArray],
) -> np.ndarray:
    """The first output of a symbol in inference."""
    module = mx.mod.Module(symbol, data_names=list(data), label_names=None, context=mx.cpu())
    module.bind([(name, value.shape) for name, value in data.items()], for_training=False)
    module.set_params(arg_params, aux_params)
    module.forward(mx.io.DataBatch(list(data.values())), is_train=False)
    return module.get_outputs()[0].astype("float32").asnumpy()


def given(net: Ported, x: torch.Tensor) -> dict[str, mx.nd.NDArray]:
    """The input of a net by its name."""
    (name,) = net.module.DATA_SHAPES
    return {name: mx.nd.array(x.numpy())}


def apart(ours: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference, relative to the largest value."""
    return float(np.abs(ours - wanted).max() / np.abs(wanted).max())
