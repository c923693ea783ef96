"""What is told of nets by fake tensors alone: as torch's own fakes, and its own tensors, tell it."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

import tracer
from tracer.calls import Call
from tracer.failures import fails_for_real
from tracer.fakes import SharedFakes

CASES = {
    "images": (torch.ones(2, 3, 4, 5), torch.float32, False),
    "one pixel": (torch.ones(1, 3, 1, 1), torch.float32, False),
    "rows": (torch.ones(4, 3), torch.float64, False),
    "transposed": (torch.ones(2, 5, 4, 3).transpose(1, 3), torch.float32, False),
    "channels last": (torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last), torch.float32, False),
    "half, with floats": (torch.ones(2, 3, 4, 5, dtype=torch.float16), torch.float32, False),
    "training": (torch.ones(2, 3, 4, 5), torch.float32, True),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_is_what_torchs_fakes_give(case: str, affine: bool) -> None:
    x, dtype, training = CASES[case]
    found = []
    for mode in (FakeTensorMode(), SharedFakes()):
        fake, mean, var = (
            mode.from_tensor(t) for t in (x, torch.zeros(3, dtype=dtype), torch.ones(3, dtype=dtype))
        )
        weight = mode.from_tensor(torch.ones(3, dtype=dtype)) if affine else None
        with torch.no_grad():
            outs = torch.native_batch_norm(fake, weight, weight, mean, var, training, 0.1, 1e-5)
        found.append([(type(o), o.shape, o.stride(), o.dtype, o.device) for o in outs])
    assert found[0] == found[1]


def test_batch_norm_of_other_channels_is_refused() -> None:
    mode = SharedFakes()
    x, statistics = mode.from_tensor(torch.ones(2, 4, 3)), mode.from_tensor(torch.ones(3))
    with pytest.raises(RuntimeError):
        torch.native_batch_norm(x, None, None, statistics, statistics, False, 0.1, 1e-5)


def _facts(tensor: torch.Tensor) -> tuple[Any, ...]:
    return type(tensor), tensor.shape, tensor.stride(), tensor.dtype, tensor.device, tensor.requires_grad


def _of_fakes(
    mode: FakeTensorMode, layer: nn.Module, x: torch.Tensor, by_parameter: dict[str, torch.Tensor]
) -> tuple[Any, ...] | str:
    fakes = {name: mode.from_tensor(t) for name, t in by_parameter.items()}
    try:
        with torch.no_grad():
            return _facts(torch.func.functional_call(layer, fakes, (mode.from_tensor(x),)))
    except RuntimeError as error:
        return type(error).__name__


CONVS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


@pytest.mark.parametrize("seed", range(60))
def test_a_convolution_is_what_torchs_fakes_give(seed: int) -> None:
    draw = random.Random(seed)
    dims, groups = draw.choice([1, 2, 2, 2, 3]), draw.choice([1, 1, 2, 4])
    layer = CONVS[dims](
        4 * draw.choice([1, 2]),
        4 * draw.choice([1, 3]),
        tuple(draw.choice([1, 2, 3, 5]) for _ in range(dims)),
        stride=tuple(draw.choice([1, 2, 3]) for _ in range(dims)),
        padding=draw.choice([0, 1, tuple(draw.choice([0, 1, 2]) for _ in range(dims))]),
        dilation=draw.choice([1, 1, 2]),
        groups=groups,
        bias=draw.choice([True, False]),
        dtype=draw.choice([torch.float32, torch.float64]),
    )
    # Too small an image, other channels or another dtype are refused, or not, as torch does.
    channels = draw.choice([layer.in_channels, layer.in_channels, layer.in_channels + 1])
    x = torch.ones(
        *draw.choice([(draw.choice([0, 1, 3]),), (2,), ()]),
        channels,
        *(draw.choice([1, 2, 5, 8, 9]) for _ in range(dims)),
        dtype=draw.choice([layer.weight.dtype, layer.weight.dtype, torch.float16]),
    )
    if draw.random() < 0.3:
        x = x.transpose(-1, -2) if dims > 1 else x
    parameters = {name: p.detach() for name, p in layer.named_parameters()}
    mine, its = (_of_fakes(mode, layer, x, parameters) for mode in (SharedFakes(), FakeTensorMode()))
    assert mine == its


WRITING = {
    "relu_": lambda x: x.relu_(),
    "hardtanh_": lambda x: nn.functional.hardtanh_(x, 0, 6),
    "sigmoid_": lambda x: x.sigmoid_(),
    "add_ of a number": lambda x: x.add_(2),
    "add_ of a row": lambda x: x.add_(x[:1]),
    "clamp_": lambda x: x.clamp_(0, 1),
    "transpose_": lambda x: x.transpose_(0, 1),
    "squeeze_": lambda x: x.squeeze_(),
    "mul_ of all": lambda x: x.mul_(x.clone()),
}


@pytest.mark.parametrize("name", WRITING)
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_what_writes_is_what_torchs_fakes_give(name: str, dtype: torch.dtype) -> None:
    def told(mode: FakeTensorMode) -> tuple[Any, ...] | str:
        fake = mode.from_tensor(torch.ones(2, 1, 3, dtype=dtype))
        before = fake._version
        try:
            with torch.no_grad():
                out = WRITING[name](fake)
        except RuntimeError as error:
            return type(error).__name__
        return out is fake, _facts(fake), fake._version - before

    assert told(SharedFakes()) == told(FakeTensorMode())


def test_the_usual_calls_do_not_ask_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    dispatch = FakeTensorMode.dispatch

    def noted(self: FakeTensorMode, func: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(str(func))
        return dispatch(self, func, *args, **kwargs)

    monkeypatch.setattr(FakeTensorMode, "dispatch", noted)
    block = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU6(inplace=True), nn.ReLU(inplace=True)
    )
    tracer.convert(block.eval(), (torch.ones(1, 3, 8, 8),), "Net")
    assert not {"aten.convolution.default", "aten.native_batch_norm.default"} & set(asked)
    assert not {"aten.hardtanh_.default", "aten.relu_.default"} & set(asked)


class Flat(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4 * 6 * 6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(x).flatten(1))


def test_a_net_is_not_run_at_a_size_at_which_a_call_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    forward, seen = nn.Conv2d.forward, []

    def noted(self: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
        kind = "fake" if isinstance(x, FakeTensor) else x.device.type
        seen.append((kind, tuple(x.shape)))
        return forward(self, x)

    monkeypatch.setattr(nn.Conv2d, "forward", noted)
    conversion = tracer.convert(Flat().eval(), (torch.ones(1, 3, 8, 8),), "Flat")
    assert "torch does not run the net at 17x25" in conversion.code
    assert {kind for kind, shape in seen if shape[2:] != (8, 8)} == {"meta"}
    assert conversion.verify().ok


def recorded(call: Call) -> Any:
    return call.func(*call.args, **call.kwargs)


def fails_as_fake_alone(x: torch.Tensor) -> torch.Tensor:
    if isinstance(x, FakeTensor):
        raise RuntimeError
    return x


@pytest.mark.parametrize(
    ("func", "for_real"),
    [(lambda x: x @ x, True), (lambda x: torch.cat([x, x[0]]), True), (fails_as_fake_alone, False)],
)
def test_whose_fault_a_failure_is(func: Any, for_real: bool) -> None:
    call = Call(func, (FakeTensorMode().from_tensor(torch.ones(2, 3)),), {}, "func")
    with pytest.raises(RuntimeError) as caught:
        recorded(call)
    assert fails_for_real(caught.value, recorded.__code__) is for_real


def test_what_the_net_raises_itself_is_no_call_that_failed() -> None:
    assert not fails_for_real(ValueError(), recorded.__code__)
