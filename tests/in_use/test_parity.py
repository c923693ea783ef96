"""A converted net trains as torch trains it: gradients, moving statistics and losses."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import codegen.proof.float32_step
import tracer
import tracer.training_parity
from codegen.kinds.note import note
from tests.in_use.test_regularised import Drops
from tests.in_use.tools import NETS
from tests.test_cli import error_of, fx2mx

TWO = torch.linspace(-1, 1, 24).reshape(2, 3, 4)


class Norms(nn.Module):
    """Every kind of normalisation, one of which keeps statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8, momentum=0.3)
        self.group, self.layer = nn.GroupNorm(2, 8), nn.LayerNorm(8)
        self.kept, self.fc = nn.Parameter(torch.ones(8), requires_grad=False), nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.group(F.silu(self.bn(self.conv(x))))
        return self.fc(self.layer(x.mean((2, 3)) * self.kept))


class Dropped(nn.Module):
    """Dropout of every make, all of which the comparison leaves out."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.drop, self.path = nn.Linear(4, 4), nn.Dropout(0.5), Drops(0.5, 1, 2)
        self.attention = nn.MultiheadAttention(4, 2, dropout=0.5, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.path(self.drop(torch.tanh(self.fc(x))))
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return F.scaled_dot_product_attention(
            x, x, F.dropout(x, 0.5, self.training), None, 0.5 * self.training
        )


class Resizes(nn.Module):
    """To sizes whose places no float32 holds exactly, whose differences a BatchNorm then makes much of."""

    def __init__(self, align_corners: bool) -> None:
        super().__init__()
        self.align_corners, self.bn, self.fc = align_corners, nn.BatchNorm2d(3), nn.Conv2d(3, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.interpolate(1e-3 * x, (61, 37), mode="bilinear", align_corners=self.align_corners)
        return self.fc(self.bn(x).relu())


class Unpools(nn.Module):
    """Several windows choose one place."""

    def __init__(self, own_indices: bool) -> None:
        super().__init__()
        self.own_indices, self.conv = own_indices, nn.Conv2d(3, 3, 1)
        self.pool, self.unpool = nn.MaxPool2d(3, 2, 1, return_indices=True), nn.MaxUnpool2d(3, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled, places = self.pool(x)
        if not self.own_indices:
            places = places + 0
        return self.unpool(self.conv(pooled), places, x.shape[-2:])


class InFloat32(nn.Module):
    """A norm as transformers writes it, at the end: the mean square of what it gives is one."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.weight = nn.Linear(4, 8), nn.Parameter(torch.ones(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fc(x).float()
        return (x * torch.rsqrt(x.to(torch.float32).pow(2).mean(-1, keepdim=True) + 1e-6)) * self.weight


IMAGE = torch.randn(1, 3, 4, 8, generator=torch.Generator().manual_seed(0))
NORMS = Norms(), (IMAGE,)
MADE = {
    "norms": (Norms(), IMAGE),
    "dropouts": (Dropped(), TWO),
    "an LSTM of two layers": (nn.LSTM(4, 3, num_layers=2, dropout=0.5, batch_first=True), TWO),
    "a GRU of both directions": (nn.GRU(4, 3, bidirectional=True), TWO),
    "a mean that is nothing but rounding": (
        nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4)),
        IMAGE,
    ),
    "a shared layer": (nn.Sequential(*[nn.Linear(4, 4)] * 2), TWO),
    "weight_norm": (nn.utils.parametrizations.weight_norm(nn.Linear(4, 2)), TWO),
    "an activation of each": (
        nn.Sequential(nn.ELU(), nn.GELU(), nn.Hardswish(), nn.Mish(), nn.Linear(4, 2)),
        TWO,
    ),
}


@pytest.mark.parametrize("name", list(NETS))
def test_the_usual_nets(name: str) -> None:
    torch.manual_seed(0)
    build, x = NETS[name]
    agreement = tracer.convert(build().eval(), (x[:1],)).verify_training()
    assert agreement.ok, agreement
    assert len(agreement.gradients) >= 8
    assert agreement.losses[0] != agreement.losses[4]


@pytest.mark.parametrize("name", list(MADE))
def test_what_nets_are_made_of(name: str) -> None:
    torch.manual_seed(0)
    net, x = MADE[name]
    agreement = tracer.convert(net, (x,)).verify_training()
    assert agreement.ok, agreement
    assert agreement.gradients or agreement.computed
    assert bool(agreement.computed) is (name == "weight_norm")
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert len(agreement.statistics) == 2 * len(norms)


def test_what_torch_does_not_train_has_no_gradient() -> None:
    agreement = tracer.convert(*NORMS).verify_training()
    assert "kept" not in agreement.gradients
    assert "conv_weight" in agreement.gradients


def test_the_models_own_weights_stay_as_they_are() -> None:
    net = Norms()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    conversion = tracer.convert(net, NORMS[1])
    conversion.verify_training()
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert np.array_equal(conversion.arg_params["fc_weight"].asnumpy(), before["fc.weight"].numpy())


def test_the_unbiased_variance_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """MXNet keeps the biased one: what torch keeps is allowed for, and no more."""
    monkeypatch.setattr(tracer.training_parity._Statistics, "biased", lambda _self, _key, now: now)
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    (difference,) = tracer.convert(net, (TWO[:, 0],)).verify_training().apart
    assert difference.startswith("1_moving_var after a step by ")


def test_the_slope_of_prelu() -> None:
    """MXNet's executor is wrong by the slope, and is told; Gluon is right. Where this fails, the note can go."""
    net = nn.Sequential(nn.Conv1d(3, 3, 1), nn.PReLU(3))
    conversion = tracer.convert(net, (TWO,))
    assert conversion.notes == (note("prelu-slope"),)
    assert note("prelu-slope").split(": ")[0] in conversion.code
    agreement = conversion.verify_training()
    assert agreement.gradients["1_gamma"] == pytest.approx(0.75)
    (name,) = [i.name for i in conversion.inputs]
    block = mx.gluon.SymbolBlock(conversion.symbol, [mx.sym.Variable(name)])
    for key, parameter in block.collect_params().items():
        parameter.initialize()
        parameter.set_data(conversion.arg_params[key])
    with mx.autograd.record():
        loss = (block(mx.nd.array(TWO.numpy())) ** 2).sum()
    loss.backward()
    net(TWO).square().sum().backward()
    gradient = block.collect_params()["1_gamma"].grad().asnumpy()
    assert np.allclose(gradient, net[1].weight.grad.numpy(), rtol=1e-5)


def test_what_stands_before_a_norm_is_seen() -> None:
    """The mean square of a norm's result is a constant, and so would say nothing of what it reads."""
    net = nn.Sequential(nn.Linear(4, 4), nn.PReLU(), nn.LayerNorm(4))
    assert tracer.convert(net, (TWO,)).verify_training().gradients["1_gamma"] == pytest.approx(0.75)


class Padded(nn.Module):
    """A table whose padding is not trained, beside layers with slopes."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.fc, self.slopes = nn.Embedding(5, 4, padding_idx=-4), nn.Linear(4, 3), nn.PReLU(3)
        self.slope, self.conv, self.maps = nn.PReLU(), nn.Conv2d(1, 2, 2), nn.PReLU(2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.slope(self.fc(self.words(ids)))
        return self.maps(self.conv(x[:, None])).flatten(1).mean(1, keepdim=True) * self.slopes(x[:, 0])


IDS = torch.tensor([[1, 2, 0], [3, 1, 4]])


def test_the_padding_of_an_embedding() -> None:
    """MXNet trains every row. Where this fails, the form of --trainable can go."""
    conversion = tracer.convert(nn.Sequential(nn.Embedding(5, 4, padding_idx=1), nn.Linear(4, 2)), (IDS,))
    assert conversion.verify_training().gradients["0_weight"] > 0.1


def test_trainable_forms() -> None:
    """PReLU and the padding train right, and what they give is the same."""
    torch.manual_seed(0)
    net = Padded()
    usual, own = tracer.convert(net, (IDS,)), tracer.convert(net, (IDS,), trainable=True)
    assert usual.notes == (note("prelu-slope"),)
    assert not usual.verify_training().ok
    assert own.notes == ()
    assert "LeakyReLU" not in own.code
    assert own.verify(tolerance=1e-6).ok
    agreement = own.verify_training()
    assert agreement.ok, agreement.apart
    assert {"words_weight", "slopes_weight", "slope_weight", "maps_weight"} <= set(agreement.gradients)


@pytest.mark.parametrize("shape", [(4,), (2, 4), (2, 4, 5, 6, 3)])
def test_a_trainable_slope_of_each_rank(shape: tuple[int, ...]) -> None:
    slopes = nn.PReLU(4 if len(shape) > 1 else 1)
    x = torch.linspace(-1, 1, int(np.prod(shape))).reshape(shape)
    conversion = tracer.convert(nn.Sequential(slopes), (x,), trainable=True)
    assert conversion.verify(tolerance=1e-6).ok
    assert conversion.verify_training().ok


class Swishes(nn.Sequential):
    """MXNet's 1 / 6 is a float32, which a BatchNorm of two samples makes much of."""

    def __init__(self) -> None:
        super().__init__(
            nn.Linear(4, 4), nn.Hardswish(), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.Hardsigmoid()
        )


@pytest.mark.parametrize(
    ("net", "x"),
    [
        (Resizes(True), IMAGE),
        (Resizes(False), IMAGE),
        (InFloat32(), TWO),
        (Swishes(), TWO[0]),
    ],
)
def test_torch_computes_by_the_numbers_that_mxnet_has(net: nn.Module, x: torch.Tensor) -> None:
    agreement = tracer.convert(net, (x,)).verify_training()
    assert agreement.ok, agreement.apart
    assert max(agreement.gradients.values()) < 1e-10


@pytest.mark.parametrize("own_indices", [True, False])
def test_unpooling_from_windows_that_overlap(own_indices: bool) -> None:
    """torch trains every value whose place is one, MXNet's usual form the last."""
    net, x = Unpools(own_indices), torch.randn(1, 3, 7, 7, generator=torch.Generator().manual_seed(0))
    usual, own = tracer.convert(net, (x,)), tracer.convert(net, (x,), trainable=True)
    assert usual.verify_training().gradients["conv_weight"] > 0.01
    assert own.verify(tolerance=1e-6).ok
    assert own.verify_training().ok


class Dense(nn.Module):
    """Convolutions of what was concatenated, 20 channels beside 12."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(16, 20, 1, bias=False), nn.AvgPool2d(2))
        self.layers = nn.ModuleList(map(self._layer, (20, 32, 44)))
        self.end = nn.Sequential(nn.BatchNorm2d(56), nn.ReLU(), nn.AdaptiveAvgPool2d(1))

    def _layer(self, channels: int) -> nn.Module:
        first = nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, 32, 1, bias=False)
        return nn.Sequential(*first, nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 12, 3, 1, 1, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = [self.stem(x)]
        for layer in self.layers:
            features.append(layer(torch.cat(features, 1)))
        return self.end(torch.cat(features, 1))


class Normed(nn.Sequential):
    def __init__(self) -> None:
        conv, norm = nn.Conv2d(16, 32, 3), nn.LocalResponseNorm(5, alpha=0.5, k=2)
        super().__init__(conv, nn.ReLU(), norm, nn.MaxPool2d(3, 2))


LARGE = torch.randn(1, 16, 32, 32, generator=torch.Generator().manual_seed(0))


def test_a_concat_whose_parts_onednn_cannot_cut() -> None:
    usual, own = tracer.convert(Dense(), (LARGE,)), tracer.convert(Dense(), (LARGE,), trainable=True)
    assert usual.verify_training().why.startswith("MXNet cannot train the symbol in float32: ")
    assert own.code.count("slice_axis") == 3, own.code
    assert own.verify().ok
    assert own.verify_training().ok


def test_a_max_pool_of_an_lrn() -> None:
    usual, own = tracer.convert(Normed(), (LARGE,)), tracer.convert(Normed(), (LARGE,), trainable=True)
    assert usual.verify_training().gradients["0_weight"] > 0.01
    assert own.verify().ok
    assert own.verify_training().ok


@pytest.mark.parametrize("between", [[], [nn.ReLU()], [nn.Dropout(0.0)]])
@pytest.mark.parametrize(
    ("conv", "norm", "axes"),
    [(nn.Conv1d, nn.BatchNorm1d, 1), (nn.Conv3d, nn.BatchNorm3d, 3), (nn.ConvTranspose3d, nn.BatchNorm3d, 3)],
)
def test_a_batch_norm_of_a_convolution_of_no_image(
    conv: Any, norm: Any, axes: int, between: list[nn.Module]
) -> None:
    net = nn.Sequential(conv(3, 8, 3), *between, norm(8), nn.Flatten(2))
    inputs = (torch.randn(2, 3, *[6] * axes, generator=torch.Generator().manual_seed(0)),)
    own = tracer.convert(net, inputs, "Net", trainable=True)
    assert own.verify().ok
    assert own.verify_training().ok
    if conv is nn.Conv1d:
        usual = tracer.convert(net, inputs, "Net").verify_training()
        assert usual.why.startswith("MXNet cannot train the symbol in float32: ")


class Halves(nn.Module):
    """Runs in float32 alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ torch.from_numpy(np.ones((4, 4), np.float32))


def test_given_samples_do_not_tie_in_a_max_over_the_batch() -> None:
    """MXNet gives each of several largest values the whole gradient, torch a share of it."""

    class Most(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.fc(x)
            return y - y.max()

    agreement = tracer.convert(Most(), (torch.randn(2, 3),), "Net").verify_training()
    assert agreement.ok, (agreement.why, agreement.apart)


def test_a_process_that_oneDNN_ends_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the gradient of a Concat whose parts have no multiple of its blocks as channels."""
    dying = "import os, signal; os.kill(os.getpid(), signal.SIGFPE)"
    command = [sys.executable, "-c", dying]
    monkeypatch.setattr(codegen.proof.float32_step, "start_command", lambda *_: command)
    why = tracer.convert(nn.Linear(3, 2), (torch.ones(2, 3),), "Net").verify_training().why
    assert why.startswith("MXNet cannot train the symbol in float32: the process ends (SIGFPE)")


def test_a_net_that_does_not_run_in_float64() -> None:
    agreement = tracer.convert(Halves(), (TWO,)).verify_training()
    assert not agreement.ok
    assert agreement.why.startswith("torch cannot train the net: RuntimeError: ")


MODEL = """
import torch
from torch import nn


class Good(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.bn, self.drop = nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.bn(self.fc(x)))


class Slope(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.prelu = nn.Linear(4, 3), nn.PReLU()

    def forward(self, x):
        return self.prelu(self.fc(x))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL)
    return tmp_path


def test_the_command(folder: Path) -> None:
    done = fx2mx("model.py:Good", "--out", "good_mxnet.py", "--input", "2,4", "--verify", "training")
    assert done.status == 0, done.err
    assert (
        "comparing training with torch\ntrains as torch does: the gradients of 4 parameters within "
        in done.err
    )
    assert ", and the losses of 5 steps of SGD\n" in done.err
    assert "Warning" not in done.err
    assert (folder / "good_mxnet.py").exists()


def test_the_command_in_trainable_forms(folder: Path) -> None:
    arguments = ("model.py:Slope", "--out", "slope_mxnet.py", "--input", "2,4", "--trainable")
    done = fx2mx(*arguments, "--verify", "training")
    assert done.status == 0, done.err
    assert "--trainable" in (folder / "slope_mxnet.py").read_text().partition("import mxnet")[0]
    assert fx2mx(*arguments, "--check").status == 0


def test_the_command_where_training_differs(folder: Path) -> None:
    done = fx2mx("model.py:Slope", "--out", "slope_mxnet.py", "--input", "2,4", "--verify", "training")
    assert done.status == 1
    assert error_of(done).startswith(
        "the MXNet net trains otherwise than torch's:\n  the gradient of prelu_gamma by 7.5e-01\n"
    )
    assert not list(folder.glob("slope*"))
