"""What acts in training alone stays in the symbol, acts there as in torch, or is told of."""

from __future__ import annotations

import functools
from collections.abc import Callable

import mxnet as mx
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tracer
from codegen.kinds.note import note
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
    """Looks at its input in training."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2 if self.training and x.sum() < 0.5 else x


class LayerDrop(nn.Module):
    """Layers that are skipped at random, as a whole; asked for by what skips or by what keeps them."""

    def __init__(self, by_keeping: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Calls(0.25), Calls(0.5)])
        self.by_keeping = by_keeping

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            if self.by_keeping:
                x = layer(x) if not self.training or torch.rand([]) > 0.1 else x
            elif not (self.training and torch.rand([]) < 0.1):
                x = layer(x)
        return x


def drop_path(
    x: torch.Tensor, drop_prob: float = 0.0, training: bool = False, scale_by_keep: bool = True
) -> torch.Tensor:
    """The function of many collections of nets."""
    if drop_prob == 0.0 or not training:
        return x
    keep_prob = 1 - drop_prob
    mask = x.new_empty((x.shape[0], *(1,) * (x.ndim - 1))).bernoulli_(keep_prob)
    if keep_prob > 0.0 and scale_by_keep:
        mask.div_(keep_prob)
    return x * mask


def drop_connect(inputs: torch.Tensor, p: float, training: bool) -> torch.Tensor:
    """That of EfficientNets."""
    if not training:
        return inputs
    keep_prob = 1 - p
    random_tensor = keep_prob
    random_tensor += torch.rand([inputs.shape[0], 1, 1], dtype=inputs.dtype)
    return inputs / keep_prob * torch.floor(random_tensor)


class Calls(nn.Module):
    """A function that drops, between a layer and its shortcut."""

    def __init__(self, p: float, function: Callable[..., torch.Tensor] = drop_path) -> None:
        super().__init__()
        self.fc, self.p, self.function = nn.Linear(4, 4), p, function
        nn.init.constant_(self.fc.weight, 0.5)  # what ReLU gives for ones is not zero

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.function(F.relu(self.fc(x)), self.p, training=self.training)


class InLine(nn.Module):
    """Lines that drop, in forward itself."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x * 2
        if self.training:
            keep = 0.75
            y = y.div(keep) * torch.floor(keep + torch.rand(y.shape[0], 1, 1, dtype=y.dtype))
        return x + y


class InMethod(nn.Module):
    """A method that reads the mode, which forward calls."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.dropped(x * 2)

    def dropped(self, x: torch.Tensor) -> torch.Tensor:
        return drop_path(x, 0.25, self.training)


class HandedOn(nn.Module):
    """A module that is told the mode by another."""

    class Inner(nn.Module):
        def forward(self, x: torch.Tensor, training: bool) -> torch.Tensor:
            return x + drop_path(x * 2, 0.25, training)

    def __init__(self) -> None:
        super().__init__()
        self.inner = HandedOn.Inner()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x, self.training)


class Dropout(nn.Module):
    """torch's own dropout, in training alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x * 2
        if self.training:
            y = F.dropout(y, 0.25)
        return x + y


class OneOfTwo(nn.Module):
    """One value, which some read as it is and others with parts of it gone."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = x * 2
        dropped = drop_path(y, 0.25, self.training)
        return torch.relu(y), torch.relu(dropped), dropped - y, y - dropped, dropped


class OneMask(nn.Module):
    """One mask for two values."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = x * 2
        if self.training:
            mask = (torch.rand(x.shape[0], 1) < 0.75).float() / 0.75
            x, y = x * mask, y * mask
        return torch.relu(x), torch.relu(y)


class Otherwise(nn.Module):
    """Training goes on from what was dropped in another way than inference."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(x)
        return drop_path(y, 0.25, True) * 3 + x if self.training else y + x


class Twice(nn.Module):
    """Two ops that are alike but for what is dropped; training may return them the other way round."""

    def __init__(self, turned: bool) -> None:
        super().__init__()
        self.turned = turned

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = x * 2
        found = tuple(torch.relu(v) for v in (y, drop_path(y, 0.25, self.training)))
        return found[::-1] if self.training and self.turned else found


def in_training(conversion: tracer.Conversion, *shape: int) -> np.ndarray:
    """What the symbol gives for ones in training."""
    mx.random.seed(1)
    executor = conversion.symbol.simple_bind(mx.cpu(), grad_req="write", **{conversion.inputs[0].name: shape})
    executor.copy_params_from(conversion.arg_params, conversion.aux_params)
    return executor.forward(is_train=True, **{conversion.inputs[0].name: mx.nd.ones(shape)})[0].asnumpy()


def in_inference(conversion: tracer.Conversion, *shape: int) -> np.ndarray:
    """What the symbol gives for ones in inference."""
    executor = conversion.symbol.simple_bind(mx.cpu(), grad_req="null", **{conversion.inputs[0].name: shape})
    executor.copy_params_from(conversion.arg_params, conversion.aux_params)
    return executor.forward(is_train=False, **{conversion.inputs[0].name: mx.nd.ones(shape)})[0].asnumpy()


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


@pytest.mark.parametrize("net", [Calls(0.25), Calls(0.25, drop_connect), InLine(), InMethod(), HandedOn()])
def test_a_function_that_drops(net: nn.Module) -> None:
    """Without a module of its own: the mask is one along the axes, and the shortcut is whole."""
    conversion = tracer.convert(net, (torch.rand(2, 3, 4),))
    assert [n.kwargs["p"] for n in conversion.graph.nodes if n.op == "drop_path"] == [0.25]
    assert conversion.notes == ()
    assert conversion.verify().ok
    found = in_training(conversion, 400, 3, 4) - 1
    whole = in_inference(conversion, 400, 3, 4) - 1
    kept = (found != 0).any((1, 2))
    np.testing.assert_allclose(found[kept], whole[kept] / 0.75, rtol=1e-5)
    assert not found[~kept].any()
    assert abs(kept.mean() - 0.75) < 0.1


def test_torchs_dropout_in_training_alone() -> None:
    conversion = tracer.convert(Dropout(), (torch.rand(2, 3, 4),))
    assert conversion.notes == ()
    assert "p=0.25" in conversion.code
    assert abs((in_training(conversion, 40, 30, 4) > 1).mean() - 0.75) < 0.1


@pytest.mark.parametrize("p", [0.0, 0.0125, 0.5, 0.9])
def test_how_much_a_function_drops(p: float) -> None:
    conversion = tracer.convert(nn.Sequential(Calls(p), Calls(p, drop_connect)), (torch.rand(2, 3, 4),))
    assert [n.kwargs["p"] for n in conversion.graph.nodes if n.op == "drop_path"] == ([p, p] if p else [])
    assert conversion.notes == ()


def test_a_value_of_which_one_reader_is_dropped() -> None:
    conversion = tracer.convert(OneOfTwo(), (torch.rand(2, 4),))
    assert conversion.notes == ()
    assert conversion.verify().ok
    given = {"x": mx.nd.ones((400, 4))}
    executor = conversion.symbol.simple_bind(mx.cpu(), grad_req="write", x=(400, 4))
    plain, dropped, less, more, last = (o.asnumpy() for o in executor.forward(is_train=True, **given))
    assert (plain == 2).all()
    np.testing.assert_allclose(less, dropped - 2, rtol=1e-5)
    np.testing.assert_allclose(more, 2 - dropped, rtol=1e-5)
    np.testing.assert_array_equal(last, dropped)
    assert 0 < (dropped == 0).mean() < 0.5


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (OneMask(), "div, float, lt, mul, rand of the net itself (OneMask)"),
        (Otherwise(), "bernoulli, div, mul, zeros of the net itself (Otherwise)"),
        (Twice(True), "bernoulli, div, mul, zeros of the net itself (Twice)"),
        (
            Calls(0.25, functools.partial(drop_path, scale_by_keep=False)),
            "bernoulli, mul, zeros of the net itself (Calls)",
        ),
    ],
)
def test_where_it_is_not_certain_what_is_dropped(net: nn.Module, said: str) -> None:
    """MXNet's Dropout draws for itself, and takes the place of a value: the rest is told."""
    conversion = tracer.convert(net, (torch.rand(2, 4),))
    assert "drop_path" not in {n.op for n in conversion.graph.nodes}
    assert conversion.notes == (f"left out, since it is computed in training alone: {said}",)


def test_two_ops_that_are_alike() -> None:
    conversion = tracer.convert(Twice(False), (torch.rand(2, 4),))
    assert conversion.notes == ()
    executor = conversion.symbol.simple_bind(mx.cpu(), grad_req="write", x=(400, 4))
    first, second = (o.asnumpy() for o in executor.forward(is_train=True, x=mx.nd.ones((400, 4))))
    assert (first == 2).all()
    assert 0 < (second == 0).mean() < 0.5


def test_training_without_what_functions_drop() -> None:
    """--verify training: BatchNorm trains on both sides where nothing is dropped."""
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), Calls(0.25), Calls(0.5, drop_path))
    conversion = tracer.convert(net, (torch.rand(4, 4),))
    agreement = conversion.verify_training()
    assert agreement.ok, agreement.apart
    assert agreement.statistics


def test_training_with_what_the_symbol_lacks() -> None:
    """Beside what is dropped, noise: torch trains with it, and the two differ."""
    conversion = tracer.convert(nn.Sequential(Calls(0.25), Noise()), (torch.rand(4, 4),))
    before = torch.get_rng_state()
    agreement = conversion.verify_training()
    assert not agreement.ok
    assert torch.equal(torch.get_rng_state(), before)
    # What torch draws is the same in each of its runs: it is not taken for its rounding.
    assert max(agreement.rounding.values()) < 1e-5
    assert not agreement.untold


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


@pytest.mark.parametrize("by_keeping", [False, True])
def test_what_is_skipped_at_random_is_told(by_keeping: bool) -> None:
    """What is dropped in the layers is kept."""
    conversion = tracer.convert(LayerDrop(by_keeping), (torch.ones(2, 4),))
    (note,) = conversion.notes
    assert note.startswith(
        "left out, since a random number decides on it in training alone: what runs or not"
    )
    assert "the net itself" in note
    assert [n.kwargs["p"] for n in conversion.graph.nodes if n.op == "drop_path"] == [0.25, 0.5]


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
    said = note("rnn-dropout")
    assert conversion.notes == (said,)
    assert f"The{said[3:]}." in conversion.code
    assert tracer.convert(nn.LSTM(4, 3, dropout=0.0), (torch.ones(2, 3, 4),)).notes == ()
