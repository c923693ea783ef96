"""ResNet-50 and MobileNetV2 as a user of Gluon writes them, with the layers in the order of pytorchcv's."""

from __future__ import annotations

from typing import Any

import mxnet as mx
import torch
from mxnet.gluon import nn

# Of MobileNetV2: expansion, channels, units, stride of the first.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _conv(channels: int, kernel: int, stride: int = 1, groups: int = 1) -> list[Any]:
    padding = kernel // 2
    conv = nn.Conv2D(channels, kernel, stride, padding, groups=groups, use_bias=False)
    return [conv, nn.BatchNorm(epsilon=1e-5)]


def _sequence(*layers: Any) -> nn.HybridSequential:
    made = nn.HybridSequential()
    made.add(*layers)
    return made


class Relu6(nn.HybridBlock):
    """ReLU, cut at 6."""

    def hybrid_forward(self, ops: Any, x: Any) -> Any:
        return ops.clip(x, 0, 6)


class Residual(nn.HybridBlock):
    """A body beside a shortcut, or beside a convolution where the sizes differ."""

    def __init__(self, body: Any, shortcut: Any = None, activation: Any = None) -> None:
        super().__init__()
        self.body, self.shortcut, self.activation = body, shortcut, activation

    def hybrid_forward(self, ops: Any, x: Any) -> Any:
        x = self.body(x) + (self.shortcut(x) if self.shortcut else x)
        return ops.relu(x) if self.activation else x


def resnet50() -> nn.HybridSequential:
    """ResNet-50 with the stride of a unit in its second convolution."""
    net = _sequence(*_conv(64, 7, 2), nn.Activation("relu"), nn.MaxPool2D(3, 2, 1))
    for stage, units in enumerate((3, 4, 6, 3)):
        width = 64 * 2**stage
        for unit in range(units):
            stride = 2 if stage and not unit else 1
            body = _sequence(
                *_conv(width, 1),
                nn.Activation("relu"),
                *_conv(width, 3, stride),
                nn.Activation("relu"),
                *_conv(4 * width, 1),
            )
            net.add(Residual(body, None if unit else _sequence(*_conv(4 * width, 1, stride)), True))
    net.add(nn.AvgPool2D(7, 1), nn.Flatten(), nn.Dense(1000))
    return net


def mobilenetv2() -> nn.HybridSequential:
    """MobileNetV2 of width 1, the last layer with a bias."""
    net = _sequence(*_conv(32, 3, 2), Relu6())
    before = 32
    for expansion, width, units, stride in STAGES:
        for unit in range(units):
            own = 1 if unit else stride
            middle = before * expansion
            body = _sequence(
                *_conv(middle, 1), Relu6(), *_conv(middle, 3, own, middle), Relu6(), *_conv(width, 1)
            )
            net.add(Residual(body) if own == 1 and before == width else body)
            before = width
    net.add(*_conv(1280, 1), Relu6(), nn.AvgPool2D(7, 1), nn.Conv2D(1000, 1), nn.Flatten())
    return net


def with_weights(net: nn.HybridSequential, model: torch.nn.Module, shape: tuple[int, ...]) -> None:
    """Give a Gluon net the weights of a torch net whose layers stand in the same order."""
    net.initialize()
    net(mx.nd.zeros(shape))
    own = list(net.collect_params().values())
    theirs = [v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")]
    for parameter, value in zip(own, theirs, strict=True):
        parameter.set_data(mx.nd.array(value.numpy()))
