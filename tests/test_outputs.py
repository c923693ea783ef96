"""What forward calls its outputs stands in the generated file: `OUTPUTS`, and the docstring."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

import tracer

Pair = namedtuple("Pair", "mean spread")


@dataclass
class Found:
    boxes: torch.Tensor
    scores: torch.Tensor
    masks: torch.Tensor | None = None


class Net(nn.Module):
    """Gives what it is told to make of two tensors."""

    def __init__(self, make: Any) -> None:
        super().__init__()
        self.fc, self.make = nn.Linear(4, 3), make

    def forward(self, x):
        y = self.fc(x)
        return self.make(y, y.relu())


CASES = [
    (lambda a, b: {"logits": a, "features": b}, ["logits", "features"]),
    (lambda a, b: OrderedDict([("1", a), ("0", b)]), ["1", "0"]),
    (lambda a, b: {"out": a, "aux": {"deep": [b, a]}}, ["out", "aux.deep.0", "aux.deep.1"]),
    (lambda a, b: Found(a, b), ["boxes", "scores"]),
    (lambda a, b: Pair(a, b), ["mean", "spread"]),
    (lambda a, b: (a, {"it's": b}), ["0", "1.it's"]),
    (lambda a, b: (a, [b]), None),
    (lambda a, b: a, None),
]


@pytest.mark.parametrize(("make", "names"), CASES)
def test_names(make: Any, names: list[str] | None) -> None:
    conversion = tracer.convert(Net(make), (torch.randn(2, 4),), "Net")
    module: dict[str, Any] = {}
    exec(conversion.code, module)
    assert module.get("OUTPUTS") == names
    assert conversion.verify().ok
    if names:
        assert len(module["Net"]().list_outputs()) == len(names)
        assert f"Outputs: {names[0]} (N, 3), " in module["Net"].__doc__


def test_taps_have_no_names_of_forward() -> None:
    net = Net(lambda a, b: {"logits": a, "features": b})
    assert "OUTPUTS" not in tracer.convert(net, (torch.randn(2, 4),), "Net", taps=("fc",)).code


def test_softmax_keeps_the_name() -> None:
    net = Net(lambda a, b: {"logits": a})
    code = tracer.convert(net, (torch.randn(2, 4),), "Net", softmax=True).code
    assert 'OUTPUTS = ["logits"]' in code
