"""Heights and widths: where the code holds none it follows its input, and where it does it says so."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tracer
from codegen.problems import ConversionError, RequestError
from tests.command import fx2mx
from tracer.conversion import Conversion, convert_specs
from tracer.inputs import InputSpec

IMAGE = (torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)),)
Forward = Callable[[nn.Module, torch.Tensor], torch.Tensor]


class Net(nn.Module):
    """A few layers, and a forward that uses them."""

    def __init__(self, use: Forward) -> None:
        super().__init__()
        self.use, self.conv, self.down = use, nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, 2, 1)
        self.up, self.fc, self.head = (
            nn.ConvTranspose2d(3, 3, 4, 2),
            nn.Linear(3, 2),
            nn.Linear(3 * 16 * 16, 2),
        )
        self.table = nn.Parameter(torch.ones(3, 16, 16))
        self.pool, self.seven = nn.AvgPool2d(8), nn.AdaptiveAvgPool2d((4, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.use(self, x)


def attended(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    n, c, h, w = x.shape
    q = net.conv(x).view(n, c, h * w)
    return (q @ (q.transpose(1, 2) @ q).softmax(-1)).view(n, c, h, w) + x


def channels_last(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    rows = net.fc(x.flatten(2).transpose(1, 2))
    return rows.reshape(x.shape[0], x.shape[2], x.shape[3], 2).permute(0, 3, 1, 2)


def pyramid(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    half = net.down(x)
    quarter = net.down(half)
    half = half + F.interpolate(quarter, half.shape[-2:], mode="bilinear", align_corners=True)
    return F.interpolate(half, size=x.shape[2:], mode="bilinear")


def in_heads(x: torch.Tensor, count: int) -> torch.Tensor:
    return x.flatten(2).transpose(1, 2).view(x.shape[0], -1, count, 3 // count)


FREE: dict[str, Forward] = {
    "one line for other heads": lambda net, x: [in_heads(net.conv(x), 1), in_heads(net.down(x), 3)],
    "convolutions": lambda net, x: net.fc(net.down(x).mean((2, 3))),
    "a pyramid": pyramid,
    "a picture of one number": lambda net, x: F.interpolate(
        F.adaptive_avg_pool2d(net.conv(x), 1), x.shape[2:], mode="bilinear"
    ),
    "attention over all places": attended,
    "grouped queries": lambda net, x: F.scaled_dot_product_attention(
        torch.cat([x, x], 1), net.conv(x), x, scale=0.5, enable_gqa=True
    ),
    "tokens to an image": channels_last,
    "a crop": lambda net, x: x + net.up(net.down(x))[:, :, : x.shape[2], : x.shape[3]],
    "an average of the whole": lambda net, x: net.fc(F.avg_pool2d(net.conv(x), x.shape[2:]).flatten(1)),
    "a maximum of the whole": lambda net, x: net.fc(F.max_pool2d(x, x.size()[-2:]).view(-1, 3)),
    "expanded": lambda net, x: x.mean((2, 3), keepdim=True).expand(-1, -1, x.shape[2], x.shape[3]) * x,
    "adaptive": lambda net, x: net.seven(net.conv(x)),
    "a window of its own": lambda net, x: net.pool(x),
    "twice as large": lambda net, x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "twice as large by size": lambda net, x: F.interpolate(net.down(net.down(x)), scale_factor=4),
}


def converted(use: Forward) -> Conversion:
    return tracer.convert(Net(use).eval(), IMAGE, name="Net")


@pytest.mark.parametrize("name", FREE)
def test_code_that_follows_its_images(name: str) -> None:
    conversion = converted(FREE[name])
    assert (
        "H and W may change: the code is the same at 33x49." in conversion.code
    ), conversion.program.size_doc
    agreement = conversion.verify()
    assert agreement.ok
    assert {o.size for o in agreement.outputs} == {"", "33x49"}
    assert "49" not in conversion.symbol.tojson()


def turned(net: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    first, second = torch.tanh(x), torch.sigmoid(x)
    return (first, second) if x.shape[2] < 20 else (second, first)


FROZEN: dict[str, tuple[Forward, str]] = {
    "a head": (lambda net, x: net.head(x.flatten(1)), "torch does not run the net at 48x80"),
    "a table": (lambda net, x: x + net.table, "torch does not run the net at 48x80"),
    "a number": (lambda net, x: net.conv(x) / x.shape[2], "div() depends on them"),
    "places": (lambda net, x: x + torch.arange(x.shape[3]), "add() depends on them"),
    "the first half": (lambda net, x: x[:, :, : x.shape[2] // 2], "getitem() depends on them"),
    "to the nearest": (
        lambda net, x: F.interpolate(x, (x.shape[2] - 3, 5)),
        "lambda net, x: F.interpolate(x, (x.shape[2] - 3, 5)), depends on them",
    ),
    "what it returns": (turned, "at 48x80 it returns other tensors"),
    "what it asks": (
        lambda net, x: torch.tanh(net.conv(x)) if x.shape[2] > 20 else torch.sigmoid(net.conv(x)),
        "forward runs other ops at 48x80",
    ),
}


@pytest.mark.parametrize("name", FROZEN)
def test_what_keeps_a_net_at_its_size_is_said(name: str) -> None:
    use, why = FROZEN[name]
    conversion = converted(use)
    how = "were traced at" if why.startswith("torch does not run") else "are"
    assert f"H and W {how} 16x16 alone: {why}" in " ".join(conversion.code.split())
    assert conversion.verify().ok
    with pytest.raises(ConversionError, match="height and width cannot stay free") as refused:
        tracer.convert(Net(use).eval(), IMAGE, name="Net", free_sizes=True)
    (problem,) = refused.value.problems
    assert problem.code == "frozen-size"
    # What torch does not run, and what is returned, stand at no line.
    assert "torch" in why or "returns" in why or problem.where.file == __file__


def test_multiples_where_torch_takes_no_odd_size() -> None:
    conversion = converted(lambda net, x: x + F.interpolate(net.down(x), scale_factor=2))
    assert "H and W may change by multiples of 32: the code is the same at 48x80." in conversion.code
    assert conversion.verify().ok


def test_a_wrong_claim_fails_the_comparison() -> None:
    frozen = converted(lambda net, x: net.conv(x) / x.shape[2])
    larger = (InputSpec("x", (1, 3, 33, 49)),)
    vars(frozen)["larger"] = larger
    agreement = frozen.verify()
    assert {o.size for o in agreement.outputs if not o.within(agreement.tolerance)} == {"33x49"}


class Masked(nn.Module):
    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return x * mask[:, None]


def test_a_mask_of_the_image_grows_with_it() -> None:
    specs = (InputSpec("x", (1, 3, 8, 8)), InputSpec("mask", (1, 8, 8), "int64", high=2))
    conversion = convert_specs(Masked(), specs, "Net")
    assert [s.shape for s in conversion.larger] == [(1, 3, 17, 25), (1, 17, 25)]
    assert conversion.verify().ok


def test_nets_without_images_say_nothing() -> None:
    conversion = tracer.convert(nn.Linear(4, 2), (torch.ones(1, 4),))
    assert "H and W" not in conversion.code
    with pytest.raises(RequestError, match="--free H,W is for nets whose inputs are images"):
        tracer.convert(nn.Linear(4, 2), (torch.ones(1, 4),), free_sizes=True)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    body = "import torch\nfrom torch import nn\n\n\nclass Net(nn.Module):\n    def forward(self, x):\n        return {}\n"
    Path("model.py").write_text(body.format("x.flatten(2).sum(2)"))
    made = fx2mx("model.py:Net", "--input", "1,3,8,8", "--out", "net_mxnet.py", "--free", "H,W")
    assert made.status == 0, made.err
    assert "any batch size, H and W may change" in made.err
    assert "images of 17x25: largest relative difference" in made.err
    assert "--input 1,3,8,8 --free H,W" in Path("net_mxnet.py").read_text()
    Path("other.py").write_text(body.format("x / x.shape[-1]"))
    Path("net_mxnet.py").unlink()
    refused = fx2mx("other.py:Net", "--input", "1,3,8,8", "--out", "net_mxnet.py", "--free", "H,W")
    assert refused.status == 1
    assert "other.py:7" in refused.err
    assert "height and width cannot stay free: x / x.shape[-1] depends on them  [frozen-size]" in refused.err
    assert not Path("net_mxnet.py").exists()


def test_what_it_returns_at_another_size_is_said() -> None:
    """A classifier that flattens its last map has more columns there, not another batch."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AvgPool2d(8), nn.Conv2d(4, 5, 1), nn.Flatten())
    conversion = tracer.convert(net.eval(), (torch.rand(1, 3, 8, 8),), "Net")
    assert "H and W may change: the code is the same at 17x25, where it returns (N, 30)." in conversion.code
    assert conversion.verify().ok
    pooled = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert "the code is the same at 17x25." in tracer.convert(pooled.eval(), (torch.rand(1, 3, 8, 8),)).code


def test_what_follows_the_batch_at_another_size_alone() -> None:
    """At a batch of one the code would be the same at both sizes, and wrong at every other batch."""

    def forward(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return net.conv(x).reshape(x.shape[0] if x.shape[2] > 20 else 1, -1)

    code = " ".join(tracer.convert(Net(forward).eval(), IMAGE).code.split())
    held = "net.conv(x).reshape(x.shape[0] if x.shape[2] > 20 else 1, -1)"
    assert f"H and W are 16x16 alone: {held} depends on them" in code


BRANCHES = {
    "a pad": """
        x = self.conv(x)
        if x.shape[-1] % 5:  # here
            x = F.pad(x, (0, 5 - x.shape[-1] % 5))
        return self.down(x)
    """,
    "an else": """
        x = self.conv(x)
        if x.shape[-1] == 16:  # here
            x = torch.tanh(x)
        else:
            x = torch.sigmoid(x)
        return x
    """,
    "one of several": """
        if x.dim() == 4:
            x = self.conv(x)
            if x.shape[-1] == 16:  # here
                return torch.tanh(x)
            x = torch.sigmoid(x)
        return x
    """,
    "either of two": """
        x = self.conv(x)
        if x.dim() == 4:
            if x.shape[-1] == 16:
                return torch.tanh(x)  # here
        return torch.sigmoid(x)
    """,
    "no statement": """
        x = self.conv(x)
        return torch.tanh(x) if x.shape[-1] == 16 else torch.sigmoid(x)  # here
    """,
}


@pytest.mark.parametrize("name", BRANCHES)
def test_the_branch_that_parts_two_sizes_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = """
import torch
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.down = nn.Conv2d(4, 4, 4, stride=4)

    def forward(self, x):"""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / f"branching_{list(BRANCHES).index(name)}.py"
    file.write_text(head + BRANCHES[name])
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "# here" in text)
    done = fx2mx(f"{file.name}:Net", "--out", "net.py", "--input", "1,3,16,16", "--quiet")
    assert done.status == 0, done.err
    said = " ".join((tmp_path / "net.py").read_text().split())
    assert re.search(rf"forward runs other ops at \d+x\d+, {file.name}:{line}\.", said), said
