"""Whether torch runs a net at other sizes, asked of tensors without values."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import tracer
from tracer.inputs import InputSpec, inputs_from_tensors
from tracer.meta_run import failures


class Head(nn.Module):
    """Runs at 8x8 alone; with `made`, beside a tensor that is no meta one."""

    def __init__(self, made: bool = False) -> None:
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4 * 6 * 6, 2)
        self.made = made

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.made:
            x = x + torch.ones(x.shape[1:], device="cpu")
        return self.fc(self.norm(self.conv(x)).flatten(1))


def specs(model: nn.Module, size: int) -> tuple[InputSpec, ...]:
    return inputs_from_tensors(model, (torch.ones(1, 3, size, size),))


def test_what_the_net_raises_is_told_with_its_line() -> None:
    model = Head().eval()
    failure = failures(model, specs(model, 8))
    assert failure(specs(model, 8)) is None
    error = failure(specs(model, 9))
    assert error is not None
    assert error.where is not None
    assert error.where.file.endswith("test_meta_run.py")


def test_a_net_that_meta_tensors_do_not_run_tells_nothing() -> None:
    model = Head(made=True).eval()
    assert failures(model, specs(model, 8))(specs(model, 9)) is None
    conversion = tracer.convert(model, (torch.ones(1, 3, 8, 8),), "Head")
    assert "torch does not run the net at 17x25" in conversion.code
    assert conversion.verify().ok


def test_the_net_stays_as_it_was() -> None:
    model = Head().eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    failures(model, specs(model, 8))(specs(model, 9))
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert "forward" not in vars(model.norm)


class NormElsewhere(nn.Module):
    """Has a BatchNorm at other sizes than 8x8 alone."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), norm

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x) if x.shape[-1] == 8 else self.norm(self.conv(x))


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(5), nn.BatchNorm1d(4), nn.BatchNorm2d(4)])
def test_a_batch_norm_takes_what_torch_lets_it_take(norm: nn.Module) -> None:
    model = NormElsewhere(norm).eval()
    try:
        runs = model(torch.ones(1, 3, 9, 9)) is not None
    except (RuntimeError, ValueError):
        runs = False
    assert (failures(model, specs(model, 8))(specs(model, 9)) is None) is runs


class DeviceElsewhere(nn.Module):
    """Brings a tensor of a device of its own in at other sizes than 8x8 alone: that is no fault of the size."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.shape[-1] == 8 else x + torch.ones(x.shape, device="cpu")


def test_what_speaks_of_the_device_tells_nothing() -> None:
    model = DeviceElsewhere().eval()
    assert failures(model, specs(model, 8))(specs(model, 9)) is None
