"""What MXNet's ONNX exporter asks of a form, in onnxruntime: run by `make in-use-zoo`, in its environment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tracer
from tests.in_use.uses import in_onnx, subject
from tests.op_cases import Fn

pytest.importorskip("onnxruntime")

Forward = Callable[..., torch.Tensor]


def _shuffled(x: torch.Tensor) -> torch.Tensor:
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


X, MASK = torch.rand(2, 4, 6, 8, generator=torch.Generator().manual_seed(1)) + 0.5, torch.tensor(
    [[1, 0], [2, 1]]
)
FORMS: dict[str, tuple[Forward, Sequence[torch.Tensor]]] = {
    "a number first": (lambda x: 1 - x, [X]),
    "a number by a tensor": (lambda x: 1 / x, [X]),
    "several numbers first": (lambda x: (1 - x) - 1 / (2 - (3 - x)), [X / 4]),
    "rsqrt": (lambda x: torch.rsqrt(x), [X]),
    "a mask": (lambda x, m: x[:, :2, 0, 0] * m.bool(), [X, MASK]),
    "grouped queries": (
        lambda q, k: F.scaled_dot_product_attention(q, k, k, enable_gqa=True),
        [X, X[:, :2]],
    ),
    "channel shuffle": (_shuffled, [X]),
    # What the exporter takes for left out is not MXNet's default.
    "a response normalized, k of 2": (lambda x: F.local_response_norm(x, 3, 1e-2, 0.75, 2.0), [X]),
    "a convolution transposed, without a bias": (
        lambda x: F.conv_transpose2d(x, X[:, :, :3, :3].transpose(0, 1), stride=2),
        [X],
    ),
    "places of the largest": (lambda x: x[torch.arange(x.shape[0]), x[:, :, 0, 0].argmax(1)], [X]),
}


@pytest.mark.parametrize("name", FORMS)
def test_form(name: str, tmp_path: Path):
    forward, inputs = FORMS[name]
    conversion = tracer.convert(Fn(forward), tuple(inputs), "Net")
    assert float(in_onnx(subject(conversion, tmp_path))) < 1e-5


@pytest.mark.parametrize("cls", [nn.LSTM, nn.GRU, nn.RNN])
def test_a_recurrent_layer(cls: type[nn.RNNBase], tmp_path: Path):
    torch.manual_seed(0)
    layer = cls(8, 16, batch_first=True).eval()
    conversion = tracer.convert(Fn(lambda x: layer(x)[0]), (X[:, 0],), "Net")
    assert float(in_onnx(subject(conversion, tmp_path))) < 1e-5
