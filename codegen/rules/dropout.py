"""What acts in training alone: the identity in inference, kept for those who train the net further."""

from __future__ import annotations

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import lowers
from codegen.builder.value import Refused, Value

# Stochastic depth grows in equal steps over no more blocks.
MOST_PARTS = 100


def _refuse_training(b: Builder, p: float, training: bool) -> None:
    if training and p:
        raise Refused(
            f"{b.node.op}() with training=True, which is random", "pass training=self.training", "random"
        )


def _rate(p: float) -> float:
    """A rate that a float32 has held (torch.linspace): the number that it was, which MXNet reads as the same.

    Dropout keeps p as a float32.
    """
    if float(np.float32(p)) != p or len(repr(p)) <= len(repr(float(str(np.float32(p))))):
        return p
    for parts in range(2, MOST_PARTS + 1):
        for rate in (tenths / 10 for tenths in range(1, 10)):
            share = rate * round(p / rate * parts) / parts
            if np.float32(share) == np.float32(p):
                return share
    return float(str(np.float32(p)))


# Dropout stays in the symbol, where it is the identity in inference and works again in fine-tuning.
@lowers("dropout")
def dropout(b: Builder, input: Value, p: float = 0.5, training: bool = True) -> Value:
    _refuse_training(b, p, training)
    return input if p == 0 else b.op("Dropout", input, p=_rate(p))


@lowers("dropout1d", "dropout2d", "dropout3d", "feature_dropout")
def channel_dropout(b: Builder, input: Value, p: float = 0.5, training: bool = True) -> Value:
    """Dropout of whole channels.

    torch: Dropout2d drops whole channels.
    MXNet: Dropout drops single numbers, unless axes names those along which it repeats itself.
    We write: axes. It is the identity in inference, and works again when the net is trained further.
    Source: torch.nn.Dropout2d; mx.sym.Dropout.

    >>> converted(nn.Dropout2d(0.3), (1, 4, 8, 8))
    return mx.sym.Dropout(x, p=0.3, axes=(2, 3), name="dropout2d")
    """
    _refuse_training(b, p, training)
    return input if p == 0 else b.op("Dropout", input, p=_rate(p), axes=tuple(range(2, input.rank)))


@lowers("drop_path")
def drop_path(b: Builder, input: Value, p: float, axes: tuple[int, ...]) -> Value:
    """Dropout of whole samples: DropPath, StochasticDepth.

    torch: has no such layer; modules and functions of users that give their input as it is in inference, and
        in training all of a sample or nothing, are told by what they do to ones.
    MXNet: Dropout repeats itself along `axes`.
    We write: axes. It is the identity in inference, and works again when the net is trained further.
    Source: Huang et al., Deep Networks with Stochastic Depth; mx.sym.Dropout, measured.

    >>> class DropPath(nn.Module):
    ...     def forward(self, x):
    ...         kept = torch.rand(x.shape[0], 1, 1) < 0.75
    ...         return x / 0.75 * kept if self.training else x
    >>> converted(DropPath(), (2, 3, 4))
    return mx.sym.Dropout(x, p=0.25, axes=(1, 2), name="droppath_drop_path")
    >>> class Block(nn.Module):
    ...     def forward(self, x):
    ...         y = torch.relu(x)
    ...         if self.training:
    ...             y = y / 0.75 * torch.floor(0.75 + torch.rand(x.shape[0], 1, 1))
    ...         return x + y
    >>> converted(Block(), (2, 3, 4))
    block = mx.sym.Dropout(
        mx.sym.Activation(x, act_type="relu", name="block_relu"),
        p=0.25,
        axes=(1, 2),
        name="block_drop_path",
    )
    return mx.sym.elemwise_add(x, block, name="block_add")
    """
    return b.op("Dropout", input, p=_rate(p), axes=axes)


@lowers("alpha_dropout", "feature_alpha_dropout")
def alpha_dropout(b: Builder, input: Value, p: float = 0.5, training: bool = False) -> Value:
    """Dropout that keeps mean and variance.

    torch: the identity in inference.
    MXNet: has no such op.
    We write: nothing, with a note: training changes.
    Source: torch.nn.AlphaDropout.

    >>> converted(nn.Sequential(nn.Tanh(), nn.AlphaDropout()), (1, 4))
    return mx.sym.Activation(x, act_type="tanh", name="sequential_0")
    """
    _refuse_training(b, p, training)
    b.note("alpha-dropout")
    return input


@lowers("rrelu")
def rrelu(
    b: Builder, input: Value, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False
) -> Value:
    """A random slope, which inference has as its mean.

    torch: inference takes the mean of the bounds, 1/8 and 1/3.
    MXNet: LeakyReLU with act_type="rrelu" takes the mean of its own bounds, 0.125 and 0.334.
    We write: act_type="leaky" with the mean as slope, and a note: training is no longer random.
    Source: torch.nn.RReLU; mx.sym.LeakyReLU.

    >>> converted(nn.RReLU(), (1, 4))
    return mx.sym.LeakyReLU(x, slope=11 / 48, name="rrelu")
    """
    _refuse_training(b, upper - lower, training)
    b.note("rrelu")
    return b.op("LeakyReLU", input, act_type="leaky", slope=(lower + upper) / 2)
