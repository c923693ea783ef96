"""Ports of small nets as people write them by hand, each right unless it is asked for a mistake."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
import torch
from torch import nn

from codegen.proof.randomise import randomise
from tracer.load import load_model

MODEL = '''
import torch
import torch.nn.functional as F
from torch import nn


class Conv(nn.Module):
    def __init__(self, ceil_mode=False, include_pad=True, slope=0.01):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.act = nn.LeakyReLU(slope)
        self.maxpool = nn.MaxPool2d(3, 2, ceil_mode=ceil_mode)
        self.conv2 = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.bn2 = nn.BatchNorm2d(12)
        self.avgpool = nn.AvgPool2d(3, 2, padding=1, count_include_pad=include_pad)
        self.fc1 = nn.Linear(12 * 2 * 2, 10)
        self.fc2 = nn.Linear(10, 10)

    def forward(self, x):
        x = self.maxpool(self.act(self.bn1(self.conv1(x))))
        x = F.relu(self.bn2(self.conv2(x)))
        x = self.avgpool(x)
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc2(x)


class Shifted(nn.Module):
    """As TensorFlow's SAME pads at stride 2."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2)

    def forward(self, x):
        return F.relu(self.conv(F.pad(x, (0, 1, 0, 1))))


class Recurrent(nn.Module):
    def __init__(self, kind="LSTM"):
        super().__init__()
        self.embed = nn.Embedding(20, 6)
        self.rnn = getattr(nn, kind)(6, 5, batch_first=True)
        self.head = nn.Linear(5, 3)

    def forward(self, ids):
        out, _ = self.rnn(self.embed(ids))
        return torch.sigmoid(self.head(out[:, -1]))


class Attention(nn.Module):
    def __init__(self, dim=16, heads=2):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, x):
        b, n, c = x.shape
        y = self.qkv(self.norm(x)).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(y[0], y[1], y[2])
        x = x + self.proj(y.transpose(1, 2).reshape(b, n, c))
        return self.norm2(x)


class Turned(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(16, 4, bias=False)

    def forward(self, x):
        return self.fc(torch.flatten(x.transpose(1, 2), 1))


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(6, 4)
        self.two = nn.Linear(5, 4)

    def forward(self, image, vector):
        return self.one(image) - self.two(vector)
'''
INPUTS = {
    "Conv": ["--input", "1,3,16,16"],
    "Looks": ["--input", "1,3,16,16"],
    "Shifted": ["--input", "1,3,12,12"],
    "Recurrent": ["--input", "ids=1,7:int64"],
    "Attention": ["--input", "1,9,16"],
    "Turned": ["--input", "1,4,4"],
    "Two": ["--input", "image=1,6", "--input", "vector=1,5"],
}


def net_with_weights(name: str, **kwargs: Any) -> nn.Module:
    """The net of model.py with weights that hide nothing; they are saved as NAME.pth."""
    model = load_model(f"model.py:{name}", kwargs).model
    generator = torch.Generator().manual_seed(1)
    shapes = {
        "Conv": (2, 3, 16, 16),
        "Looks": (2, 3, 16, 16),
        "Shifted": (2, 3, 12, 12),
        "Attention": (2, 9, 16),
        "Turned": (2, 4, 4),
    }
    first = torch.randn(shapes.get(name, (2, 6)), generator=generator)
    others = {
        "Recurrent": {"ids": torch.randint(20, (2, 7), generator=generator)},
        "Two": {"image": first, "vector": torch.randn((2, 5), generator=generator)},
    }
    randomise(model, others.get(name, {"x": first}))
    torch.save(model.state_dict(), f"{name}.pth")
    return model


def save(prefix: str | Path, symbol: mx.sym.Symbol, values: Mapping[str, Any], epoch: int = 0) -> None:
    """A checkpoint of the weights, by MXNet's names, auxiliary ones among them."""
    arrays = {
        k: mx.nd.array(v.detach().numpy() if isinstance(v, torch.Tensor) else v) for k, v in values.items()
    }
    auxiliary = set(symbol.list_auxiliary_states())
    arg = {k: v for k, v in arrays.items() if k not in auxiliary}
    mx.model.save_checkpoint(
        str(prefix), epoch, symbol, arg, {k: v for k, v in arrays.items() if k in auxiliary}
    )


def batch_norm(name: str, key: str, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    ends = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_var": "running_var"}
    return {f"{name}_{mine}": state[f"{key}.{theirs}"] for mine, theirs in ends.items()}


def conv_port(
    *,
    data: str = "data",
    bn1: Mapping[str, Any] | None = None,
    slope: float = 0.01,
    pool1: Mapping[str, Any] | None = None,
    conv2: Mapping[str, Any] | None = None,
    pool2: Mapping[str, Any] | None = None,
    relu: str | None = "relu",
    extra: bool = False,
    momentum: float = 0.9,
) -> mx.sym.Symbol:
    """The net Conv, in names of its author's own."""
    right = {"eps": 1e-5, "fix_gamma": False}
    x = mx.sym.Variable(data)
    x = mx.sym.Convolution(x, kernel=(3, 3), pad=(1, 1), num_filter=8, no_bias=True, name="c0")
    x = mx.sym.BatchNorm(x, name="b0", momentum=momentum, **(right if bn1 is None else bn1))
    x = mx.sym.LeakyReLU(x, act_type="leaky", slope=slope, name="a0")
    x = mx.sym.Pooling(
        x, kernel=(3, 3), pool_type="max", name="p0", **({"stride": (2, 2)} if pool1 is None else pool1)
    )
    window = {"stride": (2, 2), "pad": (1, 1)} if conv2 is None else conv2
    x = mx.sym.Convolution(x, kernel=(3, 3), num_filter=12, name="c1", **window)
    x = mx.sym.BatchNorm(x, name="b1", **right)
    if relu is not None:
        x = mx.sym.Activation(x, act_type=relu, name="a1")
    window = {"stride": (2, 2), "pad": (1, 1), "count_include_pad": True} if pool2 is None else pool2
    x = mx.sym.Pooling(x, kernel=(3, 3), pool_type="avg", name="p1", **window)
    x = mx.sym.FullyConnected(mx.sym.Flatten(x), num_hidden=10, name="d0")
    x = mx.sym.Activation(x, act_type="relu", name="a2")
    x = mx.sym.FullyConnected(x, num_hidden=10, name="d1")
    return mx.sym.Activation(x, act_type="tanh", name="a3") if extra else x


def conv_values(model: nn.Module, **others: Any) -> dict[str, Any]:
    """Its weights, some of them others."""
    s = model.state_dict()
    named = {"c0_weight": "conv1.weight", "c1_weight": "conv2.weight", "c1_bias": "conv2.bias"}
    named |= {f"d{i}_{e}": f"fc{i + 1}.{e}" for i in (0, 1) for e in ("weight", "bias")}
    values = {mine: s[theirs] for mine, theirs in named.items()}
    return {**values, **batch_norm("b0", "bn1", s), **batch_norm("b1", "bn2", s), **others}


def recurrent_port(mode: str = "lstm", last: str = "sigmoid") -> mx.sym.Symbol:
    x = mx.sym.Embedding(mx.sym.Variable("words"), input_dim=20, output_dim=6, name="emb")
    x = mx.sym.transpose(x, axes=(1, 0, 2))
    cell = mx.rnn.FusedRNNCell(5, mode=mode, prefix="rnn_")
    x, _ = cell.unroll(7, x, layout="TNC", merge_outputs=True)
    x = mx.sym.squeeze(mx.sym.slice_axis(x, axis=0, begin=-1, end=None), axis=0)
    return mx.sym.Activation(mx.sym.FullyConnected(x, num_hidden=3, name="out"), act_type=last, name="prob")


def recurrent_values(model: nn.Module, order: tuple[int, ...] | None = None) -> dict[str, Any]:
    """Its weights, the blocks of the gates in another order."""
    s = model.state_dict()

    def laid(key: str) -> np.ndarray:
        array = s[key].numpy()
        blocks = np.split(array, len(order)) if order else [array]
        return np.concatenate([blocks[i] for i in order or (0,)]).reshape(-1)

    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    packed = np.concatenate([laid(f"rnn.{kind}_l0") for kind in kinds])
    head = {"out_weight": s["head.weight"], "out_bias": s["head.bias"]}
    return {"emb_weight": s["embed.weight"], "rnn_parameters": packed, **head}


def attention_port(
    *,
    eps: float = 1e-5,
    scale: float = 8**-0.5,
    axis: int = -1,
    by_hand: float | None = None,
    around_norm: bool = False,
) -> mx.sym.Symbol:
    """The net Attention: heads in the batch; with `by_hand`, the last norm written with means, of this eps.

    `around_norm`: what is added is the normed input, not the input.
    """
    x = mx.sym.Variable("x")
    normed = mx.sym.LayerNorm(x, eps=eps, name="ln")
    y = mx.sym.FullyConnected(normed, num_hidden=48, flatten=False, name="qkv")
    y = mx.sym.transpose(mx.sym.reshape(y, shape=(0, 0, 3, 2, 8)), axes=(2, 0, 3, 1, 4))
    q, k, v = mx.sym.split(y, num_outputs=3, axis=0, squeeze_axis=True, name="heads")
    q, k, v = (mx.sym.reshape(t, shape=(-3, 0, 0)) for t in (q, k, v))
    scores = mx.sym.batch_dot(q, k, transpose_b=True, name="scores") * scale
    y = mx.sym.batch_dot(mx.sym.softmax(scores, axis=axis, name="shares"), v, name="mixed")
    y = mx.sym.transpose(mx.sym.reshape(y, shape=(-4, -1, 2, 0, 0)), axes=(0, 2, 1, 3))
    y = mx.sym.FullyConnected(mx.sym.reshape(y, shape=(0, 0, -3)), num_hidden=16, flatten=False, name="proj")
    x = mx.sym.elemwise_add(normed if around_norm else x, y, name="added")
    if by_hand is None:
        return mx.sym.LayerNorm(x, eps=1e-6, name="ln2")
    centred = mx.sym.broadcast_sub(x, mx.sym.mean(x, axis=-1, keepdims=True))
    spread = mx.sym.sqrt(mx.sym.mean(mx.sym.square(centred), axis=-1, keepdims=True) + by_hand)
    gamma, beta = mx.sym.Variable("ln2_gamma", shape=(1, 1, 16)), mx.sym.Variable(
        "ln2_beta", shape=(1, 1, 16)
    )
    normal = mx.sym.broadcast_div(centred, spread)
    return mx.sym.broadcast_add(mx.sym.broadcast_mul(normal, gamma), beta)


def attention_values(model: nn.Module, by_hand: bool = False) -> dict[str, Any]:
    s = model.state_dict()
    values = {f"{n}_{e}": s[f"{n}.{e}"] for n in ("qkv", "proj") for e in ("weight", "bias")}
    for mine, theirs in (("ln", "norm"), ("ln2", "norm2")):
        values |= {f"{mine}_gamma": s[f"{theirs}.weight"], f"{mine}_beta": s[f"{theirs}.bias"]}
    if by_hand:
        values |= {k: values[k].reshape(1, 1, 16) for k in ("ln2_gamma", "ln2_beta")}
    return values
