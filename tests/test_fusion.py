"""What MXNet's oneDNN pass would fuse wrongly: each pattern agrees, and would not without the correction."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tracer.conversion
import tracer.lowering
from codegen.passes.layouts import OF_GRADIENT, OF_RESULT
from tracer.inputs import InputSpec


class Net(nn.Module):
    def __init__(self, after: Callable[..., object], linear: bool = False) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8) if linear else nn.Conv2d(8, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.second = nn.Linear(8, 8) if linear else nn.Conv2d(8, 8, 3, padding=1)
        self.dropout = nn.Dropout(0.3)
        self.many = nn.Sequential(*[nn.Dropout(0.3) for _ in range(6)])
        self.after = after

    def forward(self, x):
        return self.after(self, x, self.first(x))


PATTERNS = {
    "conv, bn, relu, conv, add": lambda net, x, c: net.second(F.relu(net.bn(c))) + c,
    "the same, reflected": lambda net, x, c: c + net.second(F.relu(net.bn(c))),
    "through dropout": lambda net, x, c: net.second(F.relu(net.bn(c))) + net.dropout(c),
    "conv, relu, conv, add": lambda net, x, c: net.second(F.relu(c)) + c,
    "conv, clip, conv, add": lambda net, x, c: net.second(F.relu6(c)) + c,
    "conv, leaky, conv, add": lambda net, x, c: net.second(F.leaky_relu(c)) + c,
    "conv, sigmoid, add": lambda net, x, c: c + torch.sigmoid(c),
    "conv, bn, relu, conv, add of bn": lambda net, x, c: (lambda b: net.second(F.relu(b)) + b)(net.bn(c)),
    "conv, add twice": lambda net, x, c: F.relu(c + net.second(x)) + c,
    "conv, added to itself": lambda net, x, c: c + c,
    "conv and bn are outputs": lambda net, x, c: (net.second(F.relu(net.bn(c))), c),
    "bn and relu are outputs": lambda net, x, c: (lambda b: (F.relu(b), b))(net.bn(c)),
    "add and relu are outputs": lambda net, x, c: (lambda s: (F.relu(s), s))(c + x),
}
LINEAR_PATTERNS = {
    "linear and relu are outputs": lambda net, x, c: (F.relu(c), c),
    "relu and linear are outputs": lambda net, x, c: (c, F.relu(c)),
    "linear, two activations": lambda net, x, c: torch.tanh(c) - F.relu(c),
    "linear, exp and a sum": lambda net, x, c: c.sum(-1, keepdim=True) * torch.exp(c),
    "through dropout, linear": lambda net, x, c: (net.dropout(c) * 3, F.leaky_relu(c)),
    "linear, relu of one, second linear": lambda net, x, c: net.second(c) - F.relu(c),
    "linear, abs and square": lambda net, x, c: (c * 2, torch.abs(c), torch.square(c)),
}


def _filled(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor of which nothing is left but its shape."""
    filled = tensor.clone()
    filled[:] = 2.0
    return filled


@pytest.fixture
def unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracer.lowering, "guarded", lambda program: program)


def agrees(after: Callable[..., object], linear: bool = False) -> bool:
    torch.manual_seed(0)
    shape = (1, 3, 8) if linear else (1, 8, 6, 6)
    conversion = tracer.conversion.convert_specs(Net(after, linear).eval(), (InputSpec("x", shape),), "Net")
    return conversion.verify(layers=False).ok


DROPOUTS = {
    "three dropouts": lambda net, x, c: net.second(net.dropout(net.dropout(net.dropout(c)))),
    "six dropouts": lambda net, x, c: F.relu(net.many(c)),
    "two dropouts of an input": lambda net, x, c: net.second(net.dropout(net.dropout(x))),
    "a dropout less its dropout": lambda net, x, c: (lambda d: net.dropout(d) - d)(net.dropout(x)),
}
UNREAD = {
    "the shape of a hard_sigmoid": lambda net, x, c: c[:, 0] + _filled(F.hardsigmoid(x))[:, 0],
    "the shape of a hard_sigmoid, of its own": lambda net, x, c: _filled(F.hardsigmoid(x)),
    "the shape of an Embedding": lambda net, x, c: _filled(F.embedding((x > 0).long(), torch.ones(2, 3))),
}
ALL_PATTERNS = {**PATTERNS, **LINEAR_PATTERNS, **DROPOUTS, **UNREAD}


@pytest.mark.parametrize("pattern", ALL_PATTERNS)
def test_a_pattern_agrees(pattern: str) -> None:
    assert agrees(ALL_PATTERNS[pattern], linear=pattern not in PATTERNS)


@pytest.mark.usefixtures("unguarded")
@pytest.mark.parametrize("pattern", ALL_PATTERNS)
def test_it_would_not_without_the_correction(pattern: str) -> None:
    """Where mxnet is mended, the correction can go."""
    try:
        assert not agrees(ALL_PATTERNS[pattern], linear=pattern not in PATTERNS)
    except Exception as error:  # noqa: BLE001 - MXNet's own, when it binds
        assert "MXNetError" in type(error).__name__  # noqa: PT017


def test_softmax_of_a_convolution_that_is_an_output() -> None:
    """Without the copy this ends the process (the convolution's layout is oneDNN's own)."""
    conversion = tracer.conversion.convert_specs(
        Net(lambda net, x, c: (c, c.softmax(-1))).eval(), (InputSpec("x", (1, 8, 6, 6)),), "Net"
    )
    assert "first_copy" in conversion.code
    assert conversion.verify().ok


def test_a_linear_with_its_gate_has_no_copy() -> None:
    """MXNet does these right: the one that could be read wrongly needs the other first."""
    for after in (lambda net, x, c: c * torch.sigmoid(c), lambda net, x, c: torch.cat([c, F.relu(c)], -1)):
        net = Net(after, linear=True).eval()
        conversion = tracer.conversion.convert_specs(net, (InputSpec("x", (1, 3, 8)),), "Net")
        assert "copy" not in conversion.code
        assert conversion.verify(layers=False).ok


def test_common_nets_keep_elemwise_add() -> None:
    """Fusion is worth having where it is right: a plain residual block is left as it is."""
    net = Net(lambda net, x, c: F.relu(net.bn(net.second(c)) + x)).eval()
    code = tracer.conversion.convert_specs(net, (InputSpec("x", (1, 8, 6, 6)),), "Net").code
    assert "elemwise_add" in code
    assert "broadcast_add" not in code


class InThree(nn.Module):
    """A convolution in three dimensions, whose result is reshaped and transposed."""

    def __init__(self, after: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.conv, self.after = nn.Conv3d(1, 16, 2, 2), after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.after(self.conv(x))


RESHAPED: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "at once": lambda x: x.flatten(2).transpose(1, 2),
    "after an activation": lambda x: F.relu(x).exp().flatten(2).permute(0, 2, 1),
    "activated between": lambda x: torch.tanh(x.view(x.shape[0], 16, 4, -1) * 2).permute(0, 3, 2, 1),
    "reshaped twice": lambda x: x.flatten(2).unsqueeze(1).permute(0, 1, 3, 2),
    "all of it": lambda x: x.flatten(1).transpose(0, 1)[:7],
}


def in_three(name: str) -> tracer.conversion.Conversion:
    net, inputs = InThree(RESHAPED[name]).eval(), (InputSpec("x", (1, 1, 4, 4, 4)),)
    return tracer.conversion.convert_specs(net, inputs, "Net")


@pytest.mark.parametrize("name", RESHAPED)
def test_what_a_convolution_in_three_dimensions_gives_is_transposed(name: str) -> None:
    conversion = in_three(name)
    assert OF_RESULT.why in " ".join(conversion.code.replace("# ", "").split())
    assert conversion.verify(layers=False).ok


@pytest.mark.usefixtures("unguarded")
@pytest.mark.parametrize("name", RESHAPED)
def test_it_could_not_be_without_the_copy(name: str) -> None:
    assert not in_three(name).verify(layers=False).ok


class ToImage(nn.Module):
    """Tokens that are transposed and reshaped to an image, which a convolution reads."""

    def __init__(self, use: Callable[[nn.Module, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.use, self.fc, self.bn = use, nn.Linear(16, 16), nn.BatchNorm2d(16)
        self.conv, self.up = nn.Conv2d(16, 16, 1), nn.ConvTranspose2d(16, 16, 2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.use(self, self.fc(x))


TO_IMAGE: dict[str, Callable[[nn.Module, torch.Tensor], torch.Tensor]] = {
    "at once": lambda net, x: net.conv(x.transpose(1, 2).unflatten(2, (4, 4))),
    "permuted": lambda net, x: net.conv(x.permute(0, 2, 1).reshape(x.shape[0], 16, 2, 8)),
    "activated before": lambda net, x: net.conv((x.transpose(1, 2) * 2).unflatten(2, (4, 4))),
    "activated after": lambda net, x: net.up(F.relu(net.bn(x.transpose(1, 2).unflatten(2, (4, 4))))),
    "of heads": lambda net, x: net.conv(x.unflatten(1, (4, 4)).transpose(1, 2).reshape(-1, 16, 4, 4)),
}


@pytest.mark.parametrize("name", TO_IMAGE)
def test_what_a_convolution_reads_of_tokens_is_trained(name: str) -> None:
    conversion = to_image(name)
    assert OF_GRADIENT.why in " ".join(conversion.code.replace("# ", "").split())
    agreement = conversion.verify_training()
    assert agreement.ok, (agreement.why, agreement.apart)


@pytest.mark.usefixtures("unguarded")
@pytest.mark.parametrize("name", TO_IMAGE)
def test_it_could_not_be_trained_without_the_copy(name: str) -> None:
    assert "MXNet cannot train the symbol in float32" in to_image(name).verify_training().why


def to_image(name: str) -> tracer.conversion.Conversion:
    net, inputs = ToImage(TO_IMAGE[name]).eval(), (InputSpec("x", (1, 16, 16)),)
    return tracer.conversion.convert_specs(net, inputs, "Net")


def test_channels_last_needs_no_copy() -> None:
    """A permute without a reshape is read right, and so is a shuffle of five axes."""
    net = ToImage(lambda net, x: net.conv(x[..., None].permute(0, 2, 1, 3)))
    conversion = tracer.conversion.convert_specs(net.eval(), (InputSpec("x", (1, 16, 16)),), "Net")
    assert "cannot transpose" not in conversion.code
    assert conversion.verify_training().ok
