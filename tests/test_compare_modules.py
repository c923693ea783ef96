"""Ports of nets that cannot be followed: what their modules give, by hooks, stands beside the port's ops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
import pytest
import torch
from torch import nn

from codegen.proof.randomise import randomise
from tests.command import Done, fx2mx
from tests.ports import save
from tracer.compare.by_modules import values_by_modules
from tracer.load import load_model

MODEL = """
import torch
from torch import nn


class Residual(nn.Module):
    '''A block that runs twice, and ReLUs that write to what they are given.'''

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        if x.sum() > 1e9:
            return x
        x = self.conv(x)
        y = self.block(x)
        y += x
        y = self.block(self.relu(y))
        return self.relu(y * 2)


class Attention(nn.Module):
    '''A layer of torch's own, which reads the weights of a layer within it.'''

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.fc = nn.Linear(8, 3)

    def attended(self, x):
        y = self.norm(x)
        return self.fc(x + self.attention(y, y, y)[0])

    def forward(self, x):
        return self.attended(x)


class Looks(Attention):
    def forward(self, x):
        return x if x.sum() > 1e9 else self.attended(x)
"""


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL)


def weighted(name: str, *shape: int) -> nn.Module:
    """The net with weights that hide nothing, which are saved."""
    model = load_model(f"model.py:{name}", {}).model
    randomise(model, {"x": torch.randn(shape, generator=torch.Generator().manual_seed(1))})
    torch.save(model.state_dict(), "net.pth")
    return model


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(MODEL.splitlines(), start=1) if text in line)


def residual_port(last_eps: float = 1e-5, skip: bool = True) -> mx.sym.Symbol:
    shared = {end: mx.sym.Variable(f"b_{end}") for end in ("weight", "bias")}
    normed = {end: mx.sym.Variable(f"n_{end}") for end in ("gamma", "beta", "moving_mean", "moving_var")}

    def block(x: mx.sym.Symbol, turn: int, eps: float) -> mx.sym.Symbol:
        x = mx.sym.Convolution(x, **shared, kernel=(3, 3), pad=(1, 1), num_filter=4, name=f"b{turn}")
        x = mx.sym.BatchNorm(x, **normed, fix_gamma=False, eps=eps, name=f"n{turn}")
        return mx.sym.Activation(x, act_type="relu", name=f"r{turn}")

    first = mx.sym.Convolution(mx.sym.Variable("x"), kernel=(3, 3), pad=(1, 1), num_filter=4, name="conv")
    x = block(first, 0, 1e-5)
    x = mx.sym.elemwise_add(x, first, name="added") if skip else x
    x = block(mx.sym.Activation(x, act_type="relu", name="after"), 1, last_eps)
    return mx.sym.Activation(mx.sym.elemwise_add(x, x, name="twice"), act_type="relu", name="last")


def residual_values(model: nn.Module) -> dict[str, Any]:
    keys = {
        **{f"conv_{end}": f"conv.{end}" for end in ("weight", "bias")},
        **{f"b_{end}": f"block.0.{end}" for end in ("weight", "bias")},
        "n_gamma": "block.1.weight",
        "n_beta": "block.1.bias",
        "n_moving_mean": "block.1.running_mean",
        "n_moving_var": "block.1.running_var",
    }
    state = model.state_dict()
    return {name: state[key] for name, key in keys.items()}


def compared(name: str, prefix: str, shape: str) -> Done:
    options = ["--input", shape, "--weights", "net.pth", "--report", "port.md"]
    return fx2mx("compare", f"model.py:{name}", prefix, *options)


def layers() -> dict[str, tuple[str, str]]:
    """The value of torch's and the verdict, by the port's op, as the report has them."""
    text = Path("port.md").read_text().partition("<summary>Agreement by layer")[2].partition("</details>")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): (row[2].strip(" `"), row[-1].strip()) for row in rows}


def test_each_op_is_beside_what_a_module_gives() -> None:
    """Before an in-place module writes to its input, and at each call of a module that runs twice."""
    save("port", residual_port(), residual_values(weighted("Residual", 2, 3, 8, 8)))
    done = compared("Residual", "port", "1,3,8,8")
    assert done.status == 0, done.err
    assert layers() == {
        "conv": ("Conv2d", "agrees"),
        "b0": ("Conv2d", "agrees"),
        "n0": ("BatchNorm2d", "agrees"),
        "r0": ("ReLU", "agrees"),
        "added": ("what forward does before relu", "agrees"),
        "after": ("ReLU", "agrees"),
        "b1": ("Conv2d", "agrees"),
        "n1": ("BatchNorm2d", "agrees"),
        "r1": ("ReLU", "agrees"),
        "twice": ("what forward does before relu", "agrees"),
        "last": ("what forward does before relu", "agrees"),
    }
    assert "`model.py` sha256 `" in Path("port.md").read_text()


def test_the_second_call_is_what_parts() -> None:
    save("port", residual_port(last_eps=0.1), residual_values(weighted("Residual", 2, 3, 8, 8)))
    done = compared("Residual", "port", "1,3,8,8")
    assert done.status == 1
    assert "the first layer that parts is n1 (BatchNorm): it parts by " in done.err
    place = f"{Path('model.py').resolve()}:{line_of('self.block(self.relu(y))')}"
    assert f"    torch: BatchNorm2d (block.1, {place})\n" in done.err
    assert "    cause: eps: write eps=1e-5 where the port has 0.1\n" in done.err
    assert "once that is mended the port agrees with torch: " in done.err
    assert layers()["n0"][1] == "agrees"
    assert layers()["n1"] == ("BatchNorm2d", "parts")


def test_a_shortcut_that_is_missing() -> None:
    save("port", residual_port(skip=False), residual_values(weighted("Residual", 2, 3, 8, 8)))
    done = compared("Residual", "port", "1,3,8,8")
    assert done.status == 1
    # A ReLU of a ReLU gives the same: it is seen at what reads it.
    assert "the first layer that parts is b1 (Convolution): it parts by " in done.err
    assert "    cause: its input: b1 reads after: give it as torch reads what ReLU gives (relu, " in done.err


def test_a_layer_that_reads_the_weights_of_one_within() -> None:
    """The port is what fx2mx makes of the same net where it does not look, edited after."""
    weighted("Attention", 2, 5, 8)
    made = fx2mx("model.py:Attention", "--out", "net.py", "--input", "1,5,8", "--weights", "net.pth")
    assert made.status == 0, made.err
    assert compared("Looks", "net", "1,5,8").status == 0
    assert layers()["attention_out_proj"] == ("MultiheadAttention", "agrees")
    text = Path("net-symbol.json").read_text()
    assert text.count('"op": "softmax"') == 1
    symbol = mx.sym.load_json(text.replace('"axis": "-1"', '"axis": "1"'))
    if symbol.tojson() == mx.sym.load_json(text).tojson():
        symbol = mx.sym.load_json(
            text.replace('"op": "softmax", ', '"op": "softmax", "attrs": {"axis": "1"}, ')
        )
    symbol.save("net-symbol.json")
    done = compared("Looks", "net", "1,5,8")
    assert done.status == 1
    assert "    torch: MultiheadAttention (attention, " in done.err
    assert "    cause: axis: write axis=-1 where the port has 1\n" in done.err


def test_what_is_recorded() -> None:
    """Each value as it was, and each node after what it reads."""
    model = weighted("Residual", 2, 3, 8, 8)
    x = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    found = values_by_modules(model.eval(), {"x": x})
    seen: set[str] = set()
    for node in found.nodes:
        assert {ref.name for ref in node.refs()} <= seen, node
        seen.add(node.name)
    calls = [node.name for node in found.nodes if node.op not in {"input", "param"}]
    assert calls == [
        "conv",
        "block.0",
        "block.1",
        "block.2",
        "before relu",
        "relu",
        "block.0, call 2",
        "block.1, call 2",
        "block.2, call 2",
        "before relu, call 2",
        "relu, call 2",
    ]
    (added,), (block,), (first,) = (found.values[name] for name in ("before relu", "block.2", "conv"))
    np.testing.assert_allclose(added, block + first, rtol=1e-6)
    np.testing.assert_array_equal(found.values["x"][0], x.numpy())
    read = {ref.name for node in found.nodes if node.name == "block.1, call 2" for ref in node.refs()}
    assert {"weight block.1.running_var", "block.0, call 2"} <= read
