"""What is told of nets by fake tensors alone: as torch's own fakes, and its own tensors, tell it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

import tracer
from tracer.calls import Call
from tracer.capture import SharedFakes
from tracer.failures import fails_for_real

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
