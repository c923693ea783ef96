"""Modules of every make: wrapped, compiled, scripted, under autocast, and with state of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

import tracer
import tracer.capture

X = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def one_process() -> Iterator[None]:
    """A group of one process, which DistributedDataParallel asks for."""
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def inner() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU())


class Holds(nn.Module):
    """A net whose part is wrapped."""

    def __init__(self, wrap: Callable[[nn.Module], nn.Module]) -> None:
        super().__init__()
        self.part = wrap(inner())
        self.again = self.part

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.part(x) + self.again(x * 2)


WRAPS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "data parallel": nn.DataParallel,
    "distributed": nn.parallel.DistributedDataParallel,
    "averaged": AveragedModel,
    "compiled": torch.compile,
    "compiled and parallel": lambda net: torch.compile(nn.DataParallel(net)),
}


@pytest.mark.parametrize("wrap", WRAPS)
def test_a_wrapped_net_is_the_net(wrap: str) -> None:
    for net, plain in ((WRAPS[wrap](inner()), inner()), (Holds(WRAPS[wrap]), Holds(lambda net: net))):
        keys = list(net.state_dict())
        converted = tracer.convert(net, (X,), name="Net")
        wanted = tracer.convert(plain, (X,), name="Net")
        assert converted.verify().ok
        assert converted.code.partition("import")[2] == wanted.code.partition("import")[2]
        assert converted.contrast == wanted.contrast
        assert list(net.state_dict()) == keys  # the user's net is as it was


def test_a_wrapper_that_does_more_is_kept() -> None:
    class Doubles(nn.DataParallel):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.module(x) * 2

    hooked = nn.DataParallel(inner())
    hooked.register_forward_hook(lambda _module, _args, out: out + 1)
    for net in (Doubles(inner()), Holds(lambda _net: hooked)):
        converted = tracer.convert(net, (X,))
        assert converted.verify().ok
        assert "module_0" in str(converted.arg_params)


@torch.compile
def compiled_function(x: torch.Tensor) -> torch.Tensor:
    return torch.sin(x) * 2


class Functions(nn.Module):
    """Compiled functions and modules, made before forward and within it."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.fc.compile()
        self.act = torch.compile(lambda x: x * 2 + 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = compiled_function(self.act(self.fc(x)))
        return torch.compile(torch.tanh)(x)


def test_compiled_functions_are_recorded() -> None:
    converted = tracer.convert(Functions(), (X,), name="Net")
    assert converted.verify().ok
    assert "broadcast" not in converted.code
    assert "tanh" in converted.code


def scripted(net: nn.Module) -> nn.Module:
    return torch.jit.script(net)


def traced(net: nn.Module) -> nn.Module:
    return torch.jit.trace(net.eval(), (X,))


@pytest.mark.parametrize("make", [scripted, traced])
def test_a_module_of_torch_jit_is_refused(make: Callable[[nn.Module], nn.Module]) -> None:
    with pytest.raises(tracer.ConversionError) as caught:
        tracer.convert(Holds(make), (X,))
    (problem,) = caught.value.problems
    assert (problem.code, problem.where.path) == ("scripted", "part")
    assert os.path.basename(problem.where.file) == "test_makes.py"
    assert "state_dict()" in problem.hint
    with pytest.raises(tracer.RequestError, match="give the module that torch"):
        tracer.convert(make(inner()), (X,))


@torch.jit.script
def scripted_function(x: torch.Tensor) -> torch.Tensor:
    return torch.sin(x) * 2


class CallsScripted(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return scripted_function(x) + x


def test_a_scripted_function_is_recorded() -> None:
    converted = tracer.convert(CallsScripted(), (X,))
    assert converted.verify().ok
    assert "sin" in converted.code


class Fed(nn.Module):
    """A constant by way of a scripted function, which is one all the same."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * scripted_function(torch.ones(4))


def test_a_scripted_function_of_real_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a net cannot be run on FakeTensors, what a scripted function gives would pass for a constant."""
    captured = tracer.capture._capture_with

    def real(fakes: Any, *args: Any) -> Any:
        if fakes is not None:
            raise RuntimeError("this net is run on real tensors")
        return captured(fakes, *args)

    monkeypatch.setattr(tracer.capture, "_capture_with", real)
    assert "sin" in tracer.convert(CallsScripted(), (X,)).code
    for net in (CallsScripted(), Fed(), inner(), nn.LSTM(4, 3), nn.MultiheadAttention(4, 2)):
        inputs = (X[None],) * (3 if isinstance(net, nn.MultiheadAttention) else 1)
        assert tracer.convert(net, inputs).verify().ok


class Auto(nn.Module):
    """Autocast within forward."""

    def __init__(self, dtype: torch.dtype, enabled: bool = True, device: str = "cpu") -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)
        self.args = (device, dtype, enabled)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(*self.args):
            return self.fc(torch.relu(x))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_is_refused(dtype: torch.dtype) -> None:
    with pytest.raises(tracer.ConversionError) as caught:
        tracer.convert(Auto(dtype), (X,))
    (problem,) = caught.value.problems
    assert (problem.code, problem.where.path) == ("autocast", "fc")
    assert str(dtype).removeprefix("torch.") in problem.what


def test_autocast_that_changes_nothing() -> None:
    """Turned off; of ops that it leaves alone; around the conversion, where it is not the net's."""

    class Relu(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.autocast("cpu"):
                return torch.relu(x + 1)

    for net in (Auto(torch.bfloat16, enabled=False), Relu()):
        assert tracer.convert(net, (X,)).verify().ok
    with torch.autocast("cpu"):
        converted = tracer.convert(inner(), (X,))
        assert converted.verify().ok
        assert torch.is_autocast_enabled("cpu")
    assert "bfloat16" not in converted.graph.text()


class Remembers(nn.Module):
    """Changes what it keeps: a buffer in place and by a new one, a number, a list."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.register_buffer("seen", torch.zeros(4))
        self.calls = 0
        self.vocabulary = ["a", "b"]
        self.history: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen = self.seen * 0.9 + x.mean(0) * 0.1
        self.calls += 1
        self.history.append(1)
        return self.norm(x) + self.seen


class Written(nn.Module):
    """Writes to a buffer in place."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count.add_(1)
        return x + self.count


def test_what_forward_changes_is_named() -> None:
    converted = tracer.convert(nn.Sequential(Remembers(), Written()), (X,))
    (note,) = (note for note in converted.notes if "changes what its module keeps" in note)
    assert note.startswith("forward changes what its module keeps: 0.seen, 0.calls, 0.history, 1.count;")


def test_a_net_that_changes_nothing_has_no_note() -> None:
    nets = [
        nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)),
        nn.utils.weight_norm(nn.Linear(4, 3)),
        nn.utils.spectral_norm(nn.Linear(4, 3)),
        nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)),
    ]
    for net in nets:
        assert not [note for note in tracer.convert(net, (X,)).notes if "changes" in note]
