"""Corrections of docs/traps.md, each undone as if its rule had forgotten it, make the default command fail.

What inference cannot show, so that no run can:
- BatchNorm momentum=0.9 (torch 0.1), biased against unbiased running_var: read in training only.
- BatchNorm fix_gamma=True with affine=False: MXNet's default, and gamma is one. tests/test_nets.py reads it.
- GroupNorm and LayerNorm eps 1e-5, Concat dim=1, SliceChannel axis=1, stack axis=0 and the like: MXNet's
  default is torch's, so that it is left out.
- Pooling count_include_pad=True on an average pool: unset is the same in 1.9.1; False is tested below.
- Pooling pooling_convention="valid": MXNet's default; "full" is tested below.
- Deconvolution no_bias=True without a bias: MXNet's default; False is tested below.
- Zero-d tensors, tensors above 2^31 elements, the numpy pin: there is nothing to leave out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import codegen.builder.builder
import codegen.idioms.pooling
import tracer.conversion
import tracer.lowering
from tests.command import fx2mx

HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n\nclass Net(nn.Module):\n"
IMAGE = "1,4,7,7"


@dataclass(frozen=True)
class Undone:
    """A correction: the attribute of an op that is forgotten, a net that touches it, the op to be named."""

    op: str
    attr: str
    layers: str
    forward: str
    names: str
    shape: str = IMAGE

    @property
    def id(self) -> str:
        return f"{self.op} {self.attr} {self.names}"

    def code(self) -> str:
        layers = "".join(f"        self.{line}\n" for line in self.layers.split("; "))
        init = f"    def __init__(self):\n        super().__init__()\n{layers}\n"
        return f"{HEAD}{init}    def forward(self, x):\n        {self.forward}\n"


CONV = "conv = nn.Conv2d(4, 8, 3, padding=1, bias=False)"
UNDONE = [
    Undone("BatchNorm", "eps", f"{CONV}; bn = nn.BatchNorm2d(8)", "return self.bn(self.conv(x))", "bn"),
    Undone("BatchNorm", "eps", "bn = nn.BatchNorm1d(6)", "return self.bn(x)", "bn", "1,6"),
    Undone("BatchNorm", "fix_gamma", f"{CONV}; bn = nn.BatchNorm2d(8)", "return self.bn(self.conv(x))", "bn"),
    Undone("Convolution", "no_bias", CONV, "return self.conv(x)", "conv"),
    Undone(
        "Deconvolution",
        "no_bias",
        "up = nn.ConvTranspose2d(4, 3, 2, stride=2); act = nn.ReLU()",
        "return self.act(self.up(x))",
        "up",
    ),
    Undone(
        "Deconvolution",
        "adj",
        "up = nn.ConvTranspose2d(4, 3, 3, stride=2, output_padding=1)",
        "return self.up(x).flatten(1)",
        "up",
    ),
    Undone("Pooling", "stride", f"{CONV}; pool = nn.MaxPool2d(2)", "return self.pool(self.conv(x))", "pool"),
    Undone("Pooling", "stride", "pool = nn.AvgPool2d(3)", "return F.relu(self.pool(x))", "pool"),
    Undone(
        "Pooling",
        "stride",
        "pool = nn.MaxPool2d(2); fc = nn.Linear(36, 5)",
        "return self.fc(self.pool(x).flatten(1))",
        "pool",
    ),
    Undone(
        "Pooling",
        "pooling_convention",
        "pool = nn.MaxPool2d(2, ceil_mode=True)",
        "return self.pool(x)",
        "pool",
    ),
    Undone(
        "Pooling",
        "count_include_pad",
        "pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)",
        "return self.pool(x)",
        "pool",
    ),
    Undone("FullyConnected", "no_bias", "fc = nn.Linear(6, 5, bias=False)", "return self.fc(x)", "fc", "1,6"),
    Undone("FullyConnected", "flatten", "fc = nn.Linear(6, 5)", "return F.relu(self.fc(x))", "fc", "1,3,6"),
    Undone(
        "contrib.BilinearResize2D",
        "align_corners",
        CONV,
        'return F.interpolate(self.conv(x), scale_factor=2, mode="bilinear", align_corners=False)',
        "interpolate",
    ),
    Undone("LeakyReLU", "slope", f"{CONV}; act = nn.LeakyReLU()", "return self.act(self.conv(x))", "act"),
    Undone("LeakyReLU", "slope", f"{CONV}; act = nn.ELU()", "return self.act(self.conv(x))", "act"),
    Undone("LeakyReLU", "act_type", f"{CONV}; act = nn.PReLU(8)", "return self.act(self.conv(x))", "act"),
    Undone("LeakyReLU", "act_type", f"{CONV}; act = nn.GELU()", "return self.act(self.conv(x))", "act"),
    Undone("hard_sigmoid", "alpha", "act = nn.Hardsigmoid()", "return self.act(x)", "act"),
    Undone("hard_sigmoid", "alpha", "act = nn.Hardswish()", "return self.act(x)", "act_gate|act"),
    Undone("InstanceNorm", "eps", "norm = nn.InstanceNorm2d(4)", "return self.norm(0.1 * x)", "norm"),
    Undone("InstanceNorm", "eps", "norm = nn.GroupNorm(2, 4)", "return self.norm(0.1 * x)", "norm.*"),
    Undone("LayerNorm", "eps", "norm = nn.LayerNorm(6, eps=1e-3)", "return self.norm(x)", "norm", "1,5,6"),
    Undone("LRN", "knorm", "lrn = nn.LocalResponseNorm(3)", "return self.lrn(x)", "lrn"),
    Undone("LRN", "alpha", "lrn = nn.LocalResponseNorm(3, alpha=0.5)", "return self.lrn(x)", "lrn"),
    Undone("Concat", "dim", "act = nn.ReLU()", "return torch.cat([x, self.act(x)], 2)", "cat"),
    Undone("stack", "axis", "act = nn.ReLU()", "return torch.stack([x, self.act(x)], 2)", "stack"),
]


def forget(monkeypatch: pytest.MonkeyPatch, op: str, attr: str) -> list[str]:
    """Let no call of `op` write `attr`; the list is filled where one would have."""
    written = codegen.builder.builder.written_attrs
    forgotten: list[str] = []

    def without(name: str, attrs: Any) -> tuple[tuple[str, Any], ...]:
        found = written(name, attrs)
        if name == op and attr in dict(found):
            forgotten.append(name)
            found = tuple((k, v) for k, v in found if k != attr)
        return found

    monkeypatch.setattr(codegen.builder.builder, "written_attrs", without)
    return forgotten


def refuse(folder: Path, code: str, shape: str, names: str) -> None:
    """The default command exits with 1, names the layer, and writes nothing."""
    (folder / "model.py").write_text(code)
    done = fx2mx("model.py:Net", "--out", "model_mxnet.py", "--input", shape)
    assert done.status == 1, done.err
    assert "error: the MXNet net differs from torch: output " in done.err
    first = re.search(r"the first layer at which they diverge is (\S+) \(", done.err)
    assert first, done.err
    assert re.fullmatch(names, first[1]), done.err
    assert done.err.endswith("\nnothing was written\n")
    assert done.out == ""
    assert os.listdir(folder) == ["model.py"]


@pytest.mark.parametrize("undone", UNDONE, ids=lambda u: u.id)
def test_a_forgotten_attribute(undone: Undone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(undone.code())
    done = fx2mx("model.py:Net", "--out", "good.py", "--input", undone.shape)
    assert done.status == 0, done.err
    for path in tmp_path.iterdir():
        path.unlink()
    forgotten = forget(monkeypatch, undone.op, undone.attr)
    refuse(tmp_path, undone.code(), undone.shape, undone.names)
    assert forgotten


CEIL = Undone("", "", "pool = nn.MaxPool2d(2, 3, 1, ceil_mode=True)", "return self.pool(x)", "")
BOTH = Undone(
    "",
    "",
    "pool = nn.MaxPool2d((2, 3), (3, 2), (1, 0), ceil_mode=True)",
    "return self.pool(x)",
    "",
    "1,4,7,8",
)
FUSION = Undone(
    "", "", f"{CONV}; fc = nn.Conv2d(8, 8, 1)", "c = self.conv(x); return self.fc(F.relu(c)) + c", ""
)


def test_ceil_modes_last_window_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch drops a last window that starts in the right padding; MXNet's "full" keeps it."""
    monkeypatch.chdir(tmp_path)

    def windows(size: int, kernel: int, stride: int, pad: int, ceil_mode: bool) -> int:
        span = size + 2 * pad - kernel
        return (-(-span // stride) if ceil_mode else span // stride) + 1

    monkeypatch.setattr(codegen.idioms.pooling, "window_count", windows)
    refuse(tmp_path, CEIL.code(), CEIL.shape, "pool")


def test_ceil_modes_last_window_not_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where another axis needs "full"."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(codegen.idioms.pooling, "cut", lambda b, x, *args, **kwargs: x)
    refuse(tmp_path, BOTH.code(), BOTH.shape, "pool_full")


def test_fusion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """oneDNN's pass gives an add the fused value. No single layer is at fault: none is named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tracer.lowering, "guarded", lambda program: program)
    (tmp_path / "model.py").write_text(FUSION.code())
    done = fx2mx("model.py:Net", "--out", "model_mxnet.py", "--input", FUSION.shape)
    assert done.status == 1
    assert "each layer alone agrees, the fused whole does not" in done.err
    assert os.listdir(tmp_path) == ["model.py"]


def weights_changed(change: Callable[[Any], Any]) -> Callable[..., Any]:
    import codegen.weights

    plain = codegen.weights.parameters

    def changed(*args: Any) -> Any:
        arg, aux = plain(*args)
        return {k: change(v) if k == "fc_weight" else v for k, v in arg.items()}, aux

    return changed


def test_a_transposed_weight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not an attribute, but what a packing rule could get wrong: the layer is named all the same."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tracer.conversion, "parameters", weights_changed(lambda v: v.T.copy()))
    net = Undone("", "", "fc = nn.Linear(6, 6); act = nn.ReLU()", "return self.act(self.fc(x))", "fc")
    refuse(tmp_path, net.code(), "1,6", "fc")
