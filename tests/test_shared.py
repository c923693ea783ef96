"""One Variable for one weight, however often the net reads it, and in whatever way it is packed or computed."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, spectral_norm, weight_norm

import tracer
from codegen.lower.graph import lower
from tests.op_cases import Case, all_cases
from tracer.conversion import Conversion
from tracer.trace import trace

STATELESS = 8  # of the cases without weights, one in so many: their constants are made alike


class _Calls(nn.Module):
    """Calls a module, once or twice, on the same inputs."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net


def _calling(case: Case, times: int) -> nn.Module:
    inputs = ", ".join(s.name for s in case.specs())
    calls = ", ".join([f"self.net({inputs})"] * times)
    exec(f"def forward(self, {inputs}): return [{calls}]", scope := {})
    return type("Calls", (_Calls,), {"forward": scope["forward"]})(case.module)


def _made(case: Case, times: int) -> list[str]:
    net = _calling(case, times)
    program = lower(trace(net, case.specs()), "Net", tuple(net.state_dict()))
    return [v.name for v in program.variables if v.kind != "input"]


def _cases() -> list[Case]:
    stateful, others = [], []
    for case in all_cases():
        is_stateful = bool(case.module.state_dict())
        if not case.refuses and not case.frozen:
            (stateful if is_stateful else others).append(case)
    return stateful + others[::STATELESS]


@pytest.mark.parametrize("part", range(4))
def test_a_module_that_is_called_twice_makes_no_more_variables(part: int):
    wrong = [case.name for case in _cases()[part::4] if len(_made(case, 2)) > len(_made(case, 1))]
    assert wrong == []


class Two(nn.Module):
    """One module read twice: two branches of one net."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, a, b):
        first, second = self.layer(a), self.layer(b)
        return first[0] - second[0] if isinstance(first, tuple) else first - second


class Tied(nn.Module):
    """Two modules that have the same parameters."""

    def __init__(self, first: nn.Module, second: nn.Module, at: str, names: tuple[str, ...]) -> None:
        super().__init__()
        self.first, self.second = first, second
        for name in names:
            setattr(second.get_submodule(at), name, getattr(first.get_submodule(at), name))

    def forward(self, a, b):
        first, second = self.first(a), self.second(b)
        return first[0] - second[0] if isinstance(first, tuple) else first - second


class Pruned(nn.Module):
    def forward(self, weight):
        return weight * torch.tensor([1.0, 0.0, 1.0, 1.0])


def _pruned() -> nn.Module:
    layer = nn.Linear(4, 3)
    parametrize.register_parametrization(layer, "weight", Pruned())
    return layer


def _converted(net: nn.Module) -> Conversion:
    torch.manual_seed(0)
    a, b = torch.randn(2, 5, 4), torch.randn(2, 5, 4)
    conversion = tracer.convert(net, (a, b), name="Net")
    assert conversion.verify().ok
    return conversion


def _told(conversion: Conversion) -> list[str]:
    """The torch keys of each line of the contrast table."""
    return [line.split("\t")[2] for line in conversion.contrast.splitlines()]


LSTM = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
LAYERS = {
    "lstm": (lambda: nn.LSTM(4, 6, batch_first=True), [LSTM]),
    "gru": (lambda: nn.GRU(4, 6, batch_first=True), [LSTM]),
    "rnn": (lambda: nn.RNN(4, 6, batch_first=True), [LSTM]),
    "weight_norm": (lambda: weight_norm(nn.Linear(4, 3)), [["weight_g", "weight_v"], ["bias"]]),
    "spectral_norm": (
        lambda: spectral_norm(nn.Linear(4, 3)),
        [["weight_orig", "weight_u", "weight_v"], ["bias"]],
    ),
    "weight_norm of an lstm": (
        lambda: weight_norm(nn.LSTM(4, 6, batch_first=True), "weight_hh_l0"),
        [["weight_ih_l0", "weight_hh_l0_g", "weight_hh_l0_v", "bias_ih_l0", "bias_hh_l0"]],
    ),
    "new weight_norm": (
        lambda: parametrizations.weight_norm(nn.Linear(4, 3)),
        [["parametrizations.weight.original0", "parametrizations.weight.original1"], ["bias"]],
    ),
    "new spectral_norm": (
        lambda: parametrizations.spectral_norm(nn.Linear(4, 3)),
        [[f"parametrizations.weight.{n}" for n in ("original", "0._u", "0._v")], ["bias"]],
    ),
    "one's own": (_pruned, [["parametrizations.weight.original"], ["bias"]]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_weights_that_are_packed_or_computed_stand_once(name: str):
    make, expected = LAYERS[name]
    conversion = _converted(Two(make()))
    # list_arguments() names a Variable twice where two of one name are made
    assert len(conversion.symbol.list_arguments()) == 2 + len(expected)
    assert _told(conversion) == ["+".join(f"layer.{key}" for key in keys) for keys in expected]


def test_packed_weights_of_tied_modules_stand_once():
    layers = (nn.LSTM(4, 6, batch_first=True), nn.LSTM(4, 6, batch_first=True))
    conversion = _converted(Tied(*layers, "", tuple(LSTM)))
    assert sorted(conversion.symbol.list_arguments()) == ["a", "b", "first_parameters"]
    (keys,) = _told(conversion)
    assert sorted(keys.split("+")) == sorted(conversion.model.state_dict())


@pytest.mark.parametrize(
    ("norm", "at", "names"),
    [
        (weight_norm, "", ("weight_g", "weight_v")),
        (parametrizations.weight_norm, "parametrizations.weight", ("original0", "original1")),
    ],
)
def test_computed_weights_of_tied_modules_stand_once(norm, at: str, names: tuple[str, ...]):
    conversion = _converted(Tied(norm(nn.Linear(4, 3)), norm(nn.Linear(4, 3)), at, names))
    assert sorted(conversion.symbol.list_arguments()) == ["a", "b", "first_bias", "first_weight", "second_bias"]
    told = [key for line in _told(conversion) for key in line.split("+")]
    assert sorted(told) == sorted(conversion.model.state_dict())


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.by = 1.0

    def forward(self, weight):
        return weight * self.by


class Rescaled(nn.Module):
    """A weight that is computed in another way the second time."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.scale = nn.Linear(4, 3), Scale()
        parametrize.register_parametrization(self.layer, "weight", self.scale)

    def forward(self, a, b):
        first = self.layer(a)
        self.scale.by = 2.0
        second = self.layer(b)
        self.scale.by = 1.0
        return first - second


def test_a_weight_that_is_computed_in_another_way_is_another():
    conversion = _converted(Rescaled())
    assert len(conversion.symbol.list_arguments()) == 5
    assert "* 2.0" in conversion.code


class Enlarged(nn.Module):
    """Constants that a rule makes, two of a kind in one call."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Upsample(7, mode="bicubic")

    def forward(self, x):
        return self.up(x) + self.up(x * 2)


def test_constants_of_a_module_that_is_called_twice_stand_once():
    torch.manual_seed(0)
    conversion = tracer.convert(Two(Enlarged()), (torch.randn(2, 3, 5, 5), torch.randn(2, 3, 5, 5)), name="Net")
    assert conversion.verify().ok
    once = tracer.convert(Enlarged(), (torch.randn(2, 3, 5, 5),), name="Net")
    assert len(conversion.arg_params) == len(once.arg_params) > 0
