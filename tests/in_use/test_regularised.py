"""What acts in training alone stays in the symbol, acts there as in torch, or is told of."""

from __future__ import annotations

import mxnet as mx
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tracer
from codegen.rules.rnn import DROPS_ON_GPU
from tracer.dropped import Drop, drop_of


class Drops(nn.Module):
    """A module as people write it: some parts of what it is given are zero in training."""

    def __init__(self, p: float, *shared: int, scaled: bool = True) -> None:
        super().__init__()
        self.p, self.shared, self.scaled = p, shared, scaled

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0:
            return x
        shape = [1 if axis in self.shared else size for axis, size in enumerate(x.shape)]
        kept = (torch.rand(shape) >= self.p).float()
        return x * kept / (1 - self.p) if self.scaled else x * kept


class Noise(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 0.1 * torch.randn_like(x) if self.training else x


class Head(nn.Module):
    """A second head for training."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.aux = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        return (self.fc(x), self.aux(x)) if self.training else self.fc(x)


class Attends(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(x, x, x, dropout_p=0.25 if self.training else 0.0)


class Decides(nn.Module):
    """Looks at a random number in training."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2 if self.training and torch.rand(()) < 0.5 else x


def in_training(conversion: tracer.Conversion, *shape: int) -> np.ndarray:
    """What the symbol gives for ones in training."""
    mx.random.seed(1)
    executor = conversion.symbol.simple_bind(mx.cpu(), grad_req="write", **{conversion.inputs[0].name: shape})
    executor.copy_params_from(conversion.arg_params, conversion.aux_params)
    return executor.forward(is_train=True, **{conversion.inputs[0].name: mx.nd.ones(shape)})[0].asnumpy()


@pytest.mark.parametrize("shared", [(1, 2, 3), (2, 3), (), (0, 1, 2, 3)])
def test_a_module_that_drops(shared: tuple[int, ...]) -> None:
    """The mask is one along the axes, and what is kept is divided by the share that is."""
    assert drop_of(Drops(0.25, *shared), 4) == Drop(0.25, shared)
    conversion = tracer.convert(nn.Sequential(Drops(0.25, *shared)), (torch.ones(2, 3, 4, 5),))
    assert "p=0.25" in conversion.code
    assert conversion.notes == ()
    assert conversion.verify().ok
    found = in_training(conversion, 400, 3, 4, 5)
    for axis in shared:
        assert (found == found.take([0], axis)).all()
    assert set(np.unique(found)) <= {np.float32(0), np.float32(1 / 0.75)}
    if 0 not in shared:
        assert abs((found > 0).mean() - 0.75) < 0.1


def test_a_module_that_drops_otherwise() -> None:
    """Without the division it is no Dropout of MXNet's: told, and left out."""
    module = Drops(0.25, 1, scaled=False)
    assert drop_of(module, 2) is None
    assert module.training
    notes = tracer.convert(module, (torch.ones(2, 3),)).notes
    assert notes == (
        "left out, since it is computed in training alone: float, ge, mul, rand of the net itself (Drops)",
    )


def test_torchs_random_state_is_left_as_it_was() -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    drop_of(Drops(0.5, 1), 2)
    assert torch.equal(torch.rand(3), wanted)


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (nn.Sequential(nn.Linear(4, 4), Noise()), "add, mul, randn_like of 1 (Noise)"),
        (Head(), "linear of aux (Linear)"),
    ],
)
def test_what_cannot_be_kept_is_told(net: nn.Module, said: str) -> None:
    conversion = tracer.convert(net, (torch.ones(2, 4),))
    assert conversion.notes == (f"left out, since it is computed in training alone: {said}",)
    assert f"Left out, since it is computed in training alone: {said}." in conversion.code


class Looks(nn.Module):
    """Computes something in training that nothing reads."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            x.expand(3, *x.shape)
        return x * 2


def test_what_nothing_reads_is_not_told() -> None:
    assert tracer.convert(Looks(), (torch.ones(2, 4),)).notes == ()


def test_what_cannot_be_seen_is_told() -> None:
    (note,) = tracer.convert(Decides(), (torch.ones(2, 4),)).notes
    assert note.startswith(
        "what the net does in training alone is left out, since it could not be looked at: "
    )
    assert "bool()" in note


def test_torchs_own_layers_need_no_note() -> None:
    net = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.1), nn.Linear(4, 4), Drops(0.5, 1))
    assert tracer.convert(net, (torch.ones(2, 4),)).notes == ()


@pytest.mark.parametrize(
    ("net", "p"),
    [
        (Attends(), 0.25),
        (nn.TransformerEncoderLayer(4, 2, 8, dropout=0.125, batch_first=True), 0.125),
    ],
)
def test_dropout_within_torchs_layers(net: nn.Module, p: float) -> None:
    """In training the symbol's outputs differ from run to run; without dropout they would not."""
    conversion = tracer.convert(net, (torch.ones(2, 3, 4),))
    assert f"p={p}" in conversion.code
    assert conversion.verify().ok
    executor = conversion.symbol.simple_bind(
        mx.cpu(), grad_req="write", **{conversion.inputs[0].name: (2, 3, 4)}
    )
    executor.copy_params_from(conversion.arg_params, conversion.aux_params)
    given = mx.nd.array(np.linspace(-1, 1, 24).reshape(2, 3, 4))
    runs = [
        executor.forward(is_train=True, **{conversion.inputs[0].name: given})[0].asnumpy() for _ in range(2)
    ]
    assert not np.array_equal(*runs)


def test_dropout_between_the_layers_of_an_rnn() -> None:
    """MXNet's p does not act on a CPU with oneDNN: told."""
    conversion = tracer.convert(nn.LSTM(4, 3, num_layers=2, dropout=0.375), (torch.ones(2, 3, 4),))
    assert "p=0.375" in conversion.code
    assert conversion.notes == (DROPS_ON_GPU,)
    assert f"The{DROPS_ON_GPU[3:]}." in conversion.code
    assert tracer.convert(nn.LSTM(4, 3, dropout=0.0), (torch.ones(2, 3, 4),)).notes == ()
