"""--optimize: self-attention by MXNet's interleaved products, whatever the author wrote for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tracer
from tests.command import fx2mx
from tracer.conversion import Conversion

QK, VALATT = "contrib.interleaved_matmul_selfatt_qk", "contrib.interleaved_matmul_selfatt_valatt"
X = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(0))
HEADS, WIDTH = 3, 4


class Joint(nn.Module):
    """As timm and nanoGPT write it: one projection, cut into heads as `form` says."""

    def __init__(self, form: Callable[[nn.Module, torch.Tensor], torch.Tensor], bias: bool = True) -> None:
        super().__init__()
        self.form, self.qkv, self.proj = form, nn.Linear(12, 36, bias=bias), nn.Linear(12, 12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.form(self, x)


class Parted(nn.Module):
    """As transformers write it: three projections."""

    def __init__(self, of_key: bool = True) -> None:
        super().__init__()
        self.query, self.key, self.value = (
            nn.Linear(12, 12),
            nn.Linear(12, 12, bias=of_key),
            nn.Linear(12, 12),
        )

    def heads(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(x.shape[0], 5, HEADS, WIDTH).transpose(1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.heads(self.query(x)), self.heads(self.key(x)), self.heads(self.value(x))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape[0], 5, 12)


class Layer(nn.Module):
    def __init__(self, batch_first: bool, mask: torch.Tensor | None = None, shown: bool = False) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(12, HEADS, batch_first=batch_first, dropout=0.1)
        self.mask, self.shown = mask, shown

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | torch.Tensor:
        y, weights = self.attention(x, x, x, attn_mask=self.mask, need_weights=self.shown)
        return (y, weights) if self.shown else y


def joined(mixed: torch.Tensor) -> torch.Tensor:
    return mixed.transpose(1, 2).reshape(mixed.shape[0], 5, 12)


def five_axes(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    q, k, v = net.qkv(x).reshape(x.shape[0], 5, 3, HEADS, WIDTH).permute(2, 0, 3, 1, 4)
    return net.proj(joined(((q * WIDTH**-0.5) @ k.transpose(-2, -1)).softmax(-1) @ v))


def chunks(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    q, k, v = (t.view(x.shape[0], 5, HEADS, WIDTH).transpose(1, 2) for t in net.qkv(x).chunk(3, -1))
    return joined((q @ k.transpose(-2, -1) / 2).softmax(-1) @ v)


def other_scale(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    q, k, v = net.qkv(x).reshape(x.shape[0], 5, 3, HEADS, WIDTH).permute(2, 0, 3, 1, 4).unbind(0)
    return joined(F.scaled_dot_product_attention(q, k, v, scale=0.3))


def causal(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    q, k, v = net.qkv(x).reshape(x.shape[0], 5, 3, HEADS, WIDTH).permute(2, 0, 3, 1, 4).unbind(0)
    return joined(F.scaled_dot_product_attention(q, k, v, is_causal=True))


def masked(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    q, k, v = net.qkv(x).reshape(x.shape[0], 5, 3, HEADS, WIDTH).permute(2, 0, 3, 1, 4).unbind(0)
    return joined(F.scaled_dot_product_attention(q, k, v, x[:, None, None, :, 0]))


def optimized(net: nn.Module, x: torch.Tensor = X) -> Conversion:
    return tracer.convert(net.eval(), (x,), name="Net", optimize=True)


def ops(conversion: Conversion) -> list[str]:
    return [call.op for call in conversion.program.calls]


@pytest.mark.parametrize(
    ("net", "parts_heads"),
    [
        (Joint(five_axes), False),
        (Joint(five_axes, bias=False), False),
        (Joint(chunks), False),
        (Joint(other_scale), False),
        (Joint(causal), True),
        (Joint(masked), True),
        (Parted(), False),
        (Layer(batch_first=True), False),
        (Layer(batch_first=False), False),
        (Layer(True, torch.ones(5, 5).tril() < 1), True),
        (Layer(True, shown=True), True),
        (nn.TransformerEncoderLayer(12, HEADS, 24, batch_first=True), False),
    ],
    ids=lambda x: getattr(x, "form", x).__class__.__name__ if isinstance(x, nn.Module) else "",
)
def test_what_is_written_for_self_attention(net: nn.Module, parts_heads: bool) -> None:
    conversion = optimized(net)
    found = ops(conversion)
    assert (found.count(QK), found.count(VALATT), found.count("linalg.gemm2")) == (1, 1, 0)
    codes = [dict(call.attrs)["shape"] for call in conversion.program.calls if call.op == "Reshape"]
    assert ((-3, 0, 0) in codes) is ((-4, -1, HEADS, 0, 0) in codes) is parts_heads
    agreement = conversion.verify()
    assert agreement.ok
    assert agreement.difference < 1e-6
    assert all(layer.difference < 1e-5 for layer in agreement.layers)


class Shown(Joint):
    """Hands out a key as well, as a cache does."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        q, k, v = self.qkv(x).reshape(x.shape[0], 5, 3, HEADS, WIDTH).permute(2, 0, 3, 1, 4)
        return joined((q @ k.transpose(-2, -1)).softmax(-1) @ v), k


class Tied(Joint):
    """Uses the weight of its projection once more."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return five_axes(self, x) + self.qkv(x)[..., :12]


class Crossed(Joint):
    """The values come before the keys."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, v, k = self.qkv(x).reshape(x.shape[0], 5, 3, HEADS, WIDTH).permute(2, 0, 3, 1, 4)
        return joined((q @ k.transpose(-2, -1)).softmax(-1) @ v)


class Scaled(Joint):
    """The values are multiplied."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).reshape(x.shape[0], 5, 3, HEADS, WIDTH).permute(2, 0, 3, 1, 4)
        return joined((q @ k.transpose(-2, -1)).softmax(-1) @ (v * 2))


class Other(Joint):
    """Heads of another tensor."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).reshape(x.shape[0], 5, 3, HEADS, WIDTH).permute(2, 0, 3, 1, 4)
        q = self.proj(x).view(x.shape[0], 5, HEADS, WIDTH).transpose(1, 2)
        return joined((q @ k.transpose(-2, -1)).softmax(-1) @ v)


class Unsoftened(Joint):
    """Linear attention: a product of three, without a softmax."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).reshape(x.shape[0], 5, 3, HEADS, WIDTH).permute(2, 0, 3, 1, 4)
        return joined(q @ k.transpose(-2, -1) @ v)


@pytest.mark.parametrize("kind", [Shown, Tied, Crossed, Scaled, Other])
def test_what_stays_as_it_is(kind: type[Joint]) -> None:
    conversion = optimized(kind(five_axes))
    assert QK not in ops(conversion)
    assert conversion.verify().ok


def test_a_key_without_bias_stays_as_it_is() -> None:
    assert QK not in ops(optimized(Parted(of_key=False)))


def test_without_a_softmax() -> None:
    conversion = optimized(Unsoftened(five_axes))
    assert QK not in ops(conversion)
    assert conversion.verify().ok


@pytest.mark.parametrize("net", [Joint(five_axes), Parted(), Layer(batch_first=True)])
def test_it_trains_as_torch_does(net: nn.Module) -> None:
    agreement = optimized(net).verify_training()
    assert agreement.ok, agreement.apart


def test_the_contrast_table_and_the_code_say_the_order_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversion = optimized(Parted())
    assert conversion.contrast.splitlines()[0] == (
        "qkv_weight\t(36,12)\tquery.weight+key.weight+value.weight\t(12,12)+(12,12)+(12,12)"
        "\trows by head: (3, 3, width)"
    )
    assert "# the rows of its weight stand head by head: query, key and value of each\n" in conversion.code
    (tmp_path / "model.py").write_text(
        "from torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)\n\n"
        "    def forward(self, x):\n        return self.layer(x)\n"
    )
    monkeypatch.chdir(tmp_path)
    made = fx2mx("model.py:Net", "--input", "1,3,8", "--out", "net_mxnet.py", "--optimize")
    assert made.status == 0, made.err
    code = (tmp_path / "net_mxnet.py").read_text()
    assert "mx.sym.contrib.interleaved_matmul_selfatt_qk(" in code
    assert "--optimize: 1 self-attention by MXNet's interleaved products" in made.err
    assert "--out net_mxnet.py --input 1,3,8 --optimize" in code


def test_a_net_without_attention_is_the_same_and_says_so() -> None:
    net = nn.Sequential(nn.Linear(12, 12)).eval()
    conversion = optimized(net)
    assert conversion.symbol.tojson() == tracer.convert(net, (X,), name="Net").symbol.tojson()
    assert "--optimize found nothing to write in another way" in conversion.notes
