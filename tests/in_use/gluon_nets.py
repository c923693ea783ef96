"""Nets as a user of Gluon writes them, with the layers in the order of pytorchcv's and transformers'."""

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


def _twice(channels: int) -> nn.HybridSequential:
    made = _sequence()
    for _ in range(2):
        made.add(nn.Conv2D(channels, 3, padding=1), nn.BatchNorm(epsilon=1e-5), nn.Activation("relu"))
    return made


class UNet(nn.HybridBlock):
    """Four times down and up again, each way up beside what the way down had at that size."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = _twice(64)
        self.down = _sequence(*[_sequence(nn.MaxPool2D(2, 2), _twice(c)) for c in (128, 256, 512, 512)])
        self.up = _sequence(*[_twice(c) for c in (64, 128, 256)])
        self.head = _sequence(_twice(64), nn.Conv2D(classes, 1))

    def hybrid_forward(self, ops: Any, x: Any) -> Any:
        kept = [self.stem(x)]
        for down in self.down:
            kept.append(down(kept[-1]))
        x = kept.pop()
        for up in [*list(self.up)[::-1], self.head]:
            x = ops.contrib.BilinearResize2D(x, scale_height=2, scale_width=2)
            x = up(ops.concat(x, kept.pop(), dim=1))
        return x


def unet() -> UNet:
    """The U-Net of Cityscapes' 19 classes."""
    return UNet(19)


def _linear(width: int) -> nn.Dense:
    return nn.Dense(width, flatten=False)


class Layer(nn.HybridBlock):
    """A layer of BERT: attention and two linear layers, each added to what it read and normalised."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (width // heads) ** -0.5
        self.query, self.key, self.value = _linear(width), _linear(width), _linear(width)
        self.out, self.first_norm = _linear(width), nn.LayerNorm(epsilon=1e-12)
        self.wide, self.gelu, self.narrow = _linear(hidden), nn.GELU(), _linear(width)
        self.second_norm = nn.LayerNorm(epsilon=1e-12)

    def hybrid_forward(self, ops: Any, x: Any) -> Any:
        query, key, value = (
            ops.transpose(ops.reshape(part(x), shape=(0, 0, self.heads, -1)), axes=(0, 2, 1, 3))
            for part in (self.query, self.key, self.value)
        )
        scores = ops.linalg.gemm2(query, key, transpose_b=True, alpha=self.scale)
        seen = ops.linalg.gemm2(ops.softmax(scores), value)
        seen = ops.reshape(ops.transpose(seen, axes=(0, 2, 1, 3)), shape=(0, 0, -1))
        x = self.first_norm(x + self.out(seen))
        return self.second_norm(x + self.narrow(self.gelu(self.wide(x))))


class Bert(nn.HybridBlock):
    """BERT with a classifier of the first word."""

    def __init__(self, words: int, width: int, layers: int, heads: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(512, width)
        self.kinds, self.norm = nn.Embedding(2, width), nn.LayerNorm(epsilon=1e-12)
        self.layers = _sequence(*[Layer(width, heads, hidden) for _ in range(layers)])
        self.pooler, self.classifier = nn.Dense(width, activation="tanh"), nn.Dense(classes)

    def hybrid_forward(self, ops: Any, ids: Any) -> Any:
        places = self.places(ops.contrib.arange_like(ids, axis=1))
        x = self.words(ids) + self.kinds(ops.zeros_like(ids))
        x = self.norm(ops.broadcast_add(x, ops.expand_dims(places, axis=0)))
        x = self.layers(x)
        return self.classifier(self.pooler(ops.slice_axis(x, axis=1, begin=0, end=1)))


def with_weights(net: nn.HybridBlock, model: torch.nn.Module, shape: tuple[int, ...]) -> None:
    """Give a Gluon net the weights of a torch net whose layers stand in the same order."""
    net.initialize()
    net(mx.nd.zeros(shape))
    own = list(net.collect_params().values())
    theirs = [v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")]
    for parameter, value in zip(own, theirs, strict=True):
        parameter.set_data(mx.nd.array(value.numpy()))
