"""Self-attention in four forms, as seconds relative to what fx2mx writes: see `make bench`.

`python benchmarks/attention.py`, on one core. The forms take turns, so that a busy machine is busy for all
of them, and the median of the ratios stands. Relative to nn.MultiheadAttention(batch_first=True), converted:
torch itself, a Gluon net that is written by hand with a Dense for each projection, and --optimize.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import mxnet as mx
import numpy as np
import torch
from mxnet import gluon
from torch import nn

import tracer

# batch, steps, width, heads: a ViT-B/16 of one picture, a small BERT of eight sentences, a long text.
SIZES = ((1, 197, 768, 12), (8, 128, 256, 4), (1, 1024, 512, 8))
ROUNDS = 15
Run = Callable[[], object]


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


class ByHand(gluon.HybridBlock):
    """As tutorials write it: a Dense for each projection, and batch_dot."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (width // heads) ** -0.5
        with self.name_scope():
            self.query, self.key, self.value, self.out = (
                gluon.nn.Dense(width, flatten=False, in_units=width) for _ in range(4)
            )

    def _heads(self, F, x):  # noqa: N803 - Gluon's own name
        x = F.transpose(F.reshape(x, shape=(0, 0, self.heads, -1)), axes=(0, 2, 1, 3))
        return F.reshape(x, shape=(-1, 0, 0), reverse=True)

    def hybrid_forward(self, F, x):  # noqa: N803 - Gluon's own name
        q, k, v = (self._heads(F, layer(x)) for layer in (self.query, self.key, self.value))
        weights = F.softmax(F.batch_dot(q, k, transpose_b=True) * self.scale, axis=-1)
        mixed = F.reshape(F.batch_dot(weights, v), shape=(-1, self.heads, 0, 0), reverse=True)
        return self.out(F.reshape(F.transpose(mixed, axes=(0, 2, 1, 3)), shape=(0, 0, -1)))


def by_hand(net: Attention, x: mx.nd.NDArray) -> Run:
    """The Gluon net with the weights of torch's, hybridised."""
    attention = net.attention
    made = ByHand(attention.embed_dim, attention.num_heads)
    made.initialize()
    weights, biases = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
    for layer, weight, bias in zip((made.query, made.key, made.value), weights, biases, strict=True):
        layer.weight.set_data(mx.nd.array(weight.detach().numpy()))
        layer.bias.set_data(mx.nd.array(bias.detach().numpy()))
    made.out.weight.set_data(mx.nd.array(attention.out_proj.weight.detach().numpy()))
    made.out.bias.set_data(mx.nd.array(attention.out_proj.bias.detach().numpy()))
    made.hybridize(static_alloc=True, static_shape=True)
    return lambda: made(x).asnumpy()


def converted(net: Attention, x: torch.Tensor, optimize: bool) -> Run:
    """What fx2mx makes of it, bound."""
    conversion = tracer.convert(net, (x,), name="Attention", optimize=optimize)
    executor = conversion.symbol.simple_bind(mx.cpu(), grad_req="null", x=tuple(x.shape))
    executor.copy_params_from(conversion.arg_params, conversion.aux_params)
    executor.arg_dict["x"][:] = mx.nd.array(x.numpy())
    return lambda: executor.forward(is_train=False)[0].asnumpy()


def in_torch(net: Attention, x: torch.Tensor) -> Run:
    def run() -> object:
        with torch.no_grad():
            return net(x).numpy()

    return run


def seconds(run: Run) -> float:
    start = time.perf_counter()
    for _ in range(3):
        run()
    return time.perf_counter() - start


def main() -> None:
    torch.set_num_threads(1)
    print("batch  steps  width  heads   torch  by hand  --optimize")
    for batch, steps, width, heads in SIZES:
        torch.manual_seed(0)
        net, x = Attention(width, heads).eval(), torch.randn(batch, steps, width)
        base = converted(net, x, optimize=False)
        others = {
            "torch": in_torch(net, x),
            "by hand": by_hand(net, mx.nd.array(x.numpy())),
            "--optimize": converted(net, x, optimize=True),
        }
        for name, run in others.items():
            np.testing.assert_allclose(run(), base(), atol=1e-5, err_msg=name)
        ratios: dict[str, list[float]] = {name: [] for name in others}
        for _ in range(ROUNDS):
            usual = seconds(base)
            for name, run in others.items():
                ratios[name].append(seconds(run) / usual)
        shown = "  ".join(f"{statistics.median(r):>{max(6, len(n))}.2f}" for n, r in ratios.items())
        print(f"{batch:>5}  {steps:>5}  {width:>5}  {heads:>5}  {shown}", flush=True)


if __name__ == "__main__":
    main()
