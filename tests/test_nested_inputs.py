"""Lists, tuples and dicts of tensors as inputs of forward."""

from __future__ import annotations

from typing import NamedTuple

import mxnet as mx
import numpy as np
import pytest
import torch
from torch import nn

import tracer

A, B, C = (torch.randn(2, 4, generator=torch.Generator().manual_seed(seed)) for seed in range(3))


class Pair(NamedTuple):
    """A state of two tensors."""

    hidden: torch.Tensor
    cell: torch.Tensor | None


class Net(nn.Module):
    """Takes inputs of every make; every one has its own part in the result."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc = nn.Linear(4, 3)
        self.other = nn.Linear(4, 3)

    def forward(self, xs, batch, xs_0=None, state=None):  # type: ignore[no-untyped-def]
        """(N, 4) each, to (N, 3)."""
        assert isinstance(xs, list | tuple)
        out = self.fc(xs[0]) - self.other(xs[1]) * batch["image"][:, :3]
        for mask, extra in batch.get("pairs", ()):
            out = out * mask[:, :3] + extra[:, :3]
        if xs_0 is not None:
            out = out + 2 * xs_0[:, :3]
        if state is not None:
            assert isinstance(state, Pair)
            out = out * state.hidden[:, :3]
        return out


@pytest.mark.parametrize(
    ("inputs", "names"),
    [
        (([A, B], {"image": C}), ["xs_0_", "xs_1", "batch_image"]),
        (
            ((A, B), {"image": C, "pairs": [(B, C)]}),
            ["xs_0_", "xs_1", "batch_image", "batch_pairs_0_0", "batch_pairs_0_1"],
        ),
        (([A, B], {"image": C}, B, Pair(A, None)), ["xs_0_", "xs_1", "batch_image", "xs_0", "state_hidden"]),
        (
            ([A, B.numpy()], {"image": C}, None, Pair(A, None)),
            ["xs_0_", "xs_1", "batch_image", "state_hidden"],
        ),
    ],
)
def test_each_tensor_is_an_input(inputs: tuple[object, ...], names: list[str]) -> None:
    net = Net().eval()
    before = set(vars(net))
    converted = tracer.convert(net, inputs, name="Net")
    assert set(vars(net)) == before
    known = {*converted.arg_params, *converted.aux_params}
    assert [n for n in converted.symbol.list_inputs() if n not in known] == names
    assert converted.verify().ok
    assert "(N, 4)" in converted.code
    flat = {
        "xs_0_": A,
        "xs_1": B,
        "batch_image": C,
        "batch_pairs_0_0": B,
        "batch_pairs_0_1": C,
        "xs_0": B,
        "state_hidden": A,
    }
    arrays = {n: mx.nd.array(flat[n].numpy()) for n in names}
    got = converted.symbol.eval(mx.cpu(), **arrays, **converted.arg_params)[0].asnumpy()
    tensors = [[A, B], *inputs[1:]]
    with torch.no_grad():
        assert np.allclose(got, net(*tensors).numpy(), atol=1e-5)


def test_what_is_no_tensor_in_a_list() -> None:
    with pytest.raises(tracer.RequestError, match="input xs_1 is of type int: inputs are tensors, or lists"):
        tracer.convert(Net(), ([A, 3], {"image": C}))
    with pytest.raises(tracer.RequestError, match="5 inputs given, but forward"):
        tracer.convert(Net(), ([A, B], {"image": C}, A, A, A))


def test_an_error_of_the_net_shows_its_own_frames() -> None:
    with pytest.raises(tracer.UserModelError) as caught:
        tracer.convert(Net(), ([A], {"image": C}))
    assert "IndexError" in str(caught.value)
    assert "tracer/nested_inputs.py" not in str(caught.value)
