"""Along the batch: cutting what was joined, places counted from its end, bags. Right at every size that is admitted.

A net that no symbol computes at every batch size is converted at one, or refused with the code free-batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mxnet as mx
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tracer

Inputs = Callable[[int], tuple[torch.Tensor, ...]]


class Net(nn.Module):
    """A function of tensors, with a layer that it may call."""

    def __init__(self, f: Callable[..., Any], layer: nn.Module | None = None) -> None:
        super().__init__()
        self.f, self.layer = f, layer

    def forward(self, a, b):
        return self.f(self.layer, a, b) if self.layer is not None else self.f(a, b)


@dataclass(frozen=True)
class Case:
    """`text` stands in the code; `inputs` gives the inputs at a batch size."""

    name: str
    net: nn.Module
    text: str = ""
    inputs: Inputs | None = None


def rows(batch: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(batch)
    return torch.randn(batch, 3, generator=generator), torch.randn(batch, 3, generator=generator)


def ids(members: int) -> Inputs:
    def made(batch: int) -> tuple[torch.Tensor, ...]:
        generator = torch.Generator().manual_seed(batch)
        shape = (batch, members) if members > 1 else (batch,)
        return torch.randn(batch, 4, generator=generator), torch.randint(0, 20, shape, generator=generator)

    return made


def _joined(f: Callable[[torch.Tensor, int], Any], more: int = 0) -> nn.Module:
    """`f` of the two inputs, and of the first `more` rows again, joined along the batch, and the batch size."""
    return Net(lambda a, b: f(torch.cat([a, b] + [a[:1]] * more, 0).tanh(), a.shape[0]))


def _bag(f: Callable[..., Any], **options: Any) -> nn.Module:
    torch.manual_seed(0)
    return Net(f, nn.EmbeddingBag(20, 4, **options))


FREE = [
    Case("halves by slices", _joined(lambda y, n: y[:n] - y[n:]), "mx.sym.split("),
    Case("halves by chunk", _joined(lambda y, n: y.chunk(2, 0)), "mx.sym.split("),
    Case("halves by split", _joined(lambda y, n: y.split(n)), "mx.sym.split("),
    Case("halves by sizes", _joined(lambda y, n: torch.split(y, [n, n], 0)), "mx.sym.split("),
    Case("halves by tensor_split", _joined(lambda y, n: torch.tensor_split(y, 2)), "mx.sym.split("),
    Case("halves by narrow", _joined(lambda y, n: y.narrow(0, 0, n) - y.narrow(0, n, n))),
    Case("halves by a view", _joined(lambda y, n: y.view(2, n, 3)[0] - y.view(2, -1, 3).mean(0))),
    Case("halves by unflatten", _joined(lambda y, n: y.unflatten(0, (2, -1)).unbind(0))),
    Case("half of the size", _joined(lambda y, n: y.split(y.shape[0] // 2)), "mx.sym.split("),
    Case("from the end", _joined(lambda y, n: y[-n:] - y[:-n])),
    Case("and along another axis", _joined(lambda y, n: y[:n, 1:] - y[n:, :2])),
    Case("three parts", Net(lambda a, b: _thirds(torch.cat([a, b, a * 2], 0).tanh(), a.shape[0]))),
    Case("one row more", _joined(lambda y, n: (y[:n], y[n : 2 * n], y[2 * n :], y[n:]), 1)),
    Case("one row more, before", _joined(lambda y, n: (y[: n + 1], y[n + 1 :], y[1 : n + 1]), 1)),
    Case("one row more, in pieces", _joined(lambda y, n: torch.split(y, [n, n + 1]), 1)),
    Case("two rows less", _joined(lambda y, n: (y[1 : n + 1], y[1:-1]), 1)),
    Case("one and the rest", Net(lambda a, b: torch.cat([a, b]).tanh().split([1, 2 * a.shape[0] - 1]))),
    Case("stacked", Net(lambda a, b: torch.stack([a, b]).flatten(0, 1).chunk(2))),
    Case("repeated", Net(lambda a, b: a.repeat_interleave(2, 0)[: a.shape[0]] + b.repeat(2, 1)[b.shape[0] :])),
    Case("first and last", Net(lambda a, b: a[[0, -1]] - b[torch.tensor([-1, 0])])),
    Case("last", Net(lambda a, b: a[[-1]] - b[-1])),
    Case("last twice", Net(lambda a, b: a[[-1, -1]])),
    Case("table of places", Net(lambda a, b: a[torch.tensor([[0, -1], [-1, 0]])])),
    Case("places of another axis", Net(lambda a, b: a.t()[:, [0, -1]])),
    Case("bag of one", _bag(lambda e, x, i: e(i, torch.arange(x.shape[0])) + x), "mx.sym.Embedding(", ids(1)),
    *(
        Case(f"bag of three, {mode}", _bag(lambda e, x, i: e(i.view(-1), torch.arange(0, i.numel(), 3)), mode=mode), "", ids(3))
        for mode in ("sum", "mean", "max")
    ),
    Case(
        "bag of three with its end",
        _bag(lambda e, x, i: e(i.view(-1), torch.arange(0, i.numel() + 1, 3)), include_last_offset=True),
        "",
        ids(3),
    ),
    Case(
        "bag that is padded and weighted",
        _bag(
            lambda e, x, i: e(i.view(-1), torch.arange(0, i.numel(), 3), x[:, :3].reshape(-1)),
            mode="sum",
            padding_idx=2,
        ),
        "",
        ids(3),
    ),
    Case("bag of computed offsets", _bag(lambda e, x, i: e(i, torch.arange(x.shape[0]) * 1)), "", ids(1)),
]  # fmt: skip


def _thirds(y: torch.Tensor, n: int) -> tuple[torch.Tensor, ...]:
    return y[:n], y[n : 2 * n], y[2 * n :], y[n:], y[: 2 * n]


def _modulated(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    n = a.shape[0]
    kernel = b.view(n, 1, 3, 1) * torch.ones(1, 2, 1, 1)
    return F.conv1d(a.view(1, n * 3, 1), kernel.view(n * 2, 3, 1), groups=n)


FROZEN = [
    Case("groups that are the batch", Net(_modulated)),
    Case("halves of the batch", Net(lambda a, b: a.chunk(2, 0))),
    Case("first four", Net(lambda a, b: a[:4])),
    Case("last three", Net(lambda a, b: a[-3:])),
    Case("several axes by places", Net(lambda a, b: a[[0, -1], [1, 2]])),
    Case("places written", Net(lambda a, b: _written(a * 1))),
    Case("a place that depends on the batch", Net(lambda a, b: torch.cat([a, b])[5 - a.shape[0] :])),
]


def _written(a: torch.Tensor) -> torch.Tensor:
    a[[0, -1]] = 0.0
    return a


def by_mxnet(conversion: tracer.Conversion, inputs: dict[str, torch.Tensor]) -> list[np.ndarray]:
    arrays = {k: mx.nd.array(v.numpy(), dtype=str(v.numpy().dtype)) for k, v in inputs.items()}
    arrays = {k: v for k, v in arrays.items() if k in conversion.symbol.list_inputs()}
    dtypes = {k: v.dtype for k, v in {**conversion.arg_params, **arrays}.items()}
    shapes = {k: v.shape for k, v in arrays.items()}
    executor = conversion.symbol.simple_bind(mx.cpu(), grad_req="null", type_dict=dtypes, **shapes)
    executor.copy_params_from(conversion.arg_params, conversion.aux_params)
    return [o.asnumpy() for o in executor.forward(is_train=False, **arrays)]


def check(case: Case, conversion: tracer.Conversion, batch: int) -> None:
    inputs = (case.inputs or rows)(batch)
    with torch.no_grad():
        wanted = case.net(*inputs)
    wanted = [wanted] if isinstance(wanted, torch.Tensor) else list(wanted)
    found = by_mxnet(conversion, dict(zip(("a", "b"), inputs, strict=True)))
    assert [f.shape for f in found] == [tuple(w.shape) for w in wanted]
    for f, w in zip(found, wanted, strict=True):
        np.testing.assert_allclose(f, w.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", FREE, ids=lambda c: c.name)
def test_right_at_every_batch_size(case: Case) -> None:
    conversion = tracer.convert(case.net.eval(), (case.inputs or rows)(2), name="Net")
    assert conversion.graph.free_batch, conversion.notes
    assert case.text in conversion.code
    for batch in (1, 2, 3, 7):
        check(case, conversion, batch)


@pytest.mark.parametrize("case", FROZEN, ids=lambda c: c.name)
@pytest.mark.parametrize("batch", [4, 6])
def test_frozen_or_refused(case: Case, batch: int) -> None:
    codes: set[str] = set()
    try:
        conversion = tracer.convert(case.net.eval(), rows(batch), name="Net")
    except tracer.ConversionError as error:
        codes = {p.code for p in error.problems}
    if codes:
        assert codes == {"free-batch"}
        return
    assert not conversion.graph.free_batch
    assert conversion.notes
    check(case, conversion, batch)


def test_a_place_that_a_small_batch_does_not_have_is_an_error_there() -> None:
    """torch raises; take() alone would give another sample."""
    case = Case("third", Net(lambda a, b: a[[2, 0, 2]]))
    conversion = tracer.convert(case.net.eval(), rows(3), name="Net")
    check(case, conversion, 5)
    with pytest.raises(RuntimeError, match="Invalid end"):
        by_mxnet(conversion, dict(zip(("a", "b"), rows(2), strict=True)))
