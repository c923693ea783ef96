"""A user's own ops: examples/plugin through the command line, and what a wrong plugin is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import tracer
from codegen.problems import ConversionError, RequestError
from tracer.plugins import load_plugin

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "plugin"


def _run(out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tracer.gen", str(EXAMPLE / "model.py:ClippedNet"), "--out", str(out)]
    return subprocess.run(
        [*command, "--input", "1,3,8,8", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_the_example_agrees(tmp_path: Path):
    done = _run(tmp_path / "net_mxnet.py", "--plugin", str(EXAMPLE / "plugin.py"))
    assert done.returncode == 0, done.stderr
    assert "any batch size" in done.stderr
    assert "agrees with torch" in done.stderr
    code = (tmp_path / "net_mxnet.py").read_text()
    assert 'mx.sym.Variable("scale_weight", shape=(8,), dtype="float32", init=mx.init.One())' in code
    assert "--plugin plugin.py" in code


def test_without_the_plugin_the_op_is_refused(tmp_path: Path):
    done = _run(tmp_path / "net_mxnet.py")
    assert done.returncode == 1
    assert "soft_clip() has no rule" in done.stderr


@tracer.op
def _halved(x: torch.Tensor, times: int = 1) -> torch.Tensor:
    return x / 2**times


class Halves(nn.Module):
    def forward(self, x):
        return _halved(x) + _halved(x, times=2)


def test_a_function_is_one_op_and_its_defaults_are_left_to_the_rule():
    with pytest.raises(ConversionError, match=r"_halved\(\) has no rule"):
        tracer.convert(Halves(), (torch.randn(2, 3),))

    @tracer.rule("_halved")
    def _(b, x, times=1):
        return b.with_number("x * c", x, 0.5**times)

    conversion = tracer.convert(Halves(), (torch.randn(2, 3),))
    assert conversion.verify(fresh=False).ok
    assert torch.equal(_halved(torch.ones(2)), torch.full((2,), 0.5)), "untraced, the function is itself"


def test_an_op_of_torch_keeps_its_rule():
    with pytest.raises(ValueError, match="fx2mx has a rule for relu"):
        tracer.rule("relu")(lambda b, x: x)


def test_a_plugin_that_is_not_there():
    with pytest.raises(RequestError, match="there is no such file"):
        load_plugin(Path("nowhere.py"))


def test_a_plugin_that_raises(tmp_path: Path):
    (tmp_path / "bad.py").write_text("1 / 0\n")
    with pytest.raises(RequestError, match=r"bad\.py: ZeroDivisionError"):
        load_plugin(tmp_path / "bad.py")
