"""What many read: the gradients of all are summed, in place where they are eight or more."""

from __future__ import annotations

from collections.abc import Callable

import mxnet as mx
import numpy as np
import pytest
import torch
from torch import nn

import tracer
from codegen.mxnet_ops import OPS
from codegen.passes.sums import MANY

SQUARE = torch.linspace(0.1, 0.9, 18).reshape(2, 3, 3)
SUMMED = 3.0
# What each op is given, beside the value whose gradient is looked at.
GIVEN = {
    "flip": {"axis": 1},
    "cumsum": {"axis": 1},
    "mean": {"axis": 1},
    "sum": {"axis": 1},
    "max": {"axis": 1},
    "clip": {"a_min": 0.3, "a_max": 0.7},
    "Reshape": {"shape": (-2,)},
    "transpose": {"axes": (0, 2, 1)},
    "slice_axis": {"axis": 1, "begin": 0, "end": 2},
    "expand_dims": {"axis": 1},
    "tile": {"reps": (1, 2, 1)},
    "Activation": {"act_type": "relu"},
    "FullyConnected": {"num_hidden": 4, "flatten": False},
    "Convolution": {"num_filter": 4, "kernel": (3,)},
    "split": {"num_outputs": 3, "axis": 1},
}
OF_TWO = (
    "linalg.gemm2 linalg.trsm batch_dot broadcast_add broadcast_sub broadcast_mul broadcast_div "
    "broadcast_maximum elemwise_sub elemwise_mul elemwise_div Concat stack"
)
OF_ONE = (
    "softmax log_softmax sigmoid tanh exp log sqrt square abs relu erf identity Flatten L2Normalization "
    "LayerNorm linalg.inverse linalg.gelqf"
)


def summed(name: str) -> bool:
    """Whether the gradient of an op in MXNet is added to what is there, where MXNet asks for that."""
    op = mx.sym
    for part in name.split("."):
        op = getattr(op, part)
    x = mx.sym.Variable("x")
    others = [mx.sym.Variable("y")] if name in OF_TWO.split() else []
    result = op(x, *others, **GIVEN.get(name, {}))
    shapes, _, _ = result.infer_shape(x=(2, 3, 3), **({"y": (2, 3, 3)} if others else {}))
    made = np.random.default_rng(0)
    given = {
        k: mx.nd.array(made.uniform(0.2, 0.9, s))
        for k, s in zip(result.list_arguments(), shapes, strict=True)
    }
    found = []
    for request, start in (("write", 0.0), ("add", SUMMED)):
        gradients = {k: mx.nd.full(v.shape, start) for k, v in given.items()}
        executor = result.bind(mx.cpu(), given, args_grad=gradients, grad_req=request)
        outputs = executor.forward(is_train=True)
        heads = np.random.default_rng(1)
        executor.backward([mx.nd.array(heads.uniform(0.5, 1, o.shape)) for o in outputs])
        found.append({k: g.asnumpy() - start for k, g in gradients.items()})
    return all(np.allclose(found[0][k], found[1][k], rtol=1e-3, atol=1e-3) for k in given)


@pytest.mark.parametrize("name", sorted({*GIVEN, *OF_ONE.split(), *OF_TWO.split()}))
def test_which_ops_overwrite(name: str) -> None:
    """The marks in the table of MXNet's ops are what MXNet does."""
    assert OPS[name].overwrites is not summed(name)


def test_no_mark_is_untried() -> None:
    assert {name for name, spec in OPS.items() if spec.overwrites} <= {
        *GIVEN,
        *OF_ONE.split(),
        *OF_TWO.split(),
    }


class Newton(nn.Module):
    """Steps of Newton's method for an inverse, as a Nystromformer takes them: each reads the matrix."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.fc, self.steps = nn.Linear(3, 3), steps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        key = torch.softmax(self.fc(x), -1)[:, None]
        value = 1 / torch.max(torch.sum(key, dim=-2)) * key.transpose(-1, -2)
        one = torch.eye(3)
        for _ in range(self.steps):
            both = key @ value
            value = 0.25 * value @ (13 * one - both @ (15 * one - both @ (7 * one - both)))
        return value


class Read(nn.Module):
    """A value that one op reads beside seven products, or that is returned beside six."""

    def __init__(self, op: Callable[[torch.Tensor], torch.Tensor], products: int = MANY - 1) -> None:
        super().__init__()
        self.fc, self.op, self.products = nn.Linear(3, 3), op, products

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...] | torch.Tensor:
        y = torch.tanh(self.fc(x)) + 2 * torch.eye(3)
        # Of two products that are alike MXNet makes one.
        found = torch.sin(self.op(y)) + sum(torch.sin(y * (x + k)) for k in range(self.products))
        return found if self.products == MANY - 1 else (found, y)


class Shared(nn.Module):
    """A weight that many matrix products read."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(3).expand(2, 1, 3, 3) + 0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x[:, None]
        for k in range(15):
            x = torch.tanh(x @ self.weight + k / 20)
        return x


NETS = {
    "newton": Newton(7),
    "mean": Read(lambda y: y.mean(1, keepdim=True)),
    "clip": Read(lambda y: y.clamp(-0.2, 0.2)),
    "flip": Read(lambda y: y.flip(1)),
    "cumsum": Read(lambda y: y.cumsum(1)),
    "inverse": Read(torch.linalg.inv),
    "returned": Read(lambda y: y.mean(1, keepdim=True), MANY - 2),
    "weight": Shared(),
}


@pytest.mark.parametrize("name", NETS)
def test_gradients_of_many_readers(name: str) -> None:
    """The usual form trains otherwise, and is told of; that of --trainable trains as torch does."""
    usual = tracer.convert(NETS[name], (SQUARE,)).verify_training()
    assert usual.apart or "nan" in repr(usual.losses)
    assert not usual.ok
    conversion = tracer.convert(NETS[name], (SQUARE,), trainable=True)
    own = conversion.verify_training()
    assert own.ok, own.apart
    assert conversion.verify().ok
    assert "a copy: MXNet 1.9.1 would sum the gradients" in conversion.code


def test_few_readers_have_no_copy() -> None:
    conversion = tracer.convert(Newton(MANY - 3), (SQUARE,), trainable=True)
    assert "a copy" not in conversion.code
    assert conversion.verify_training().ok
