"""The manual's net by the documented command, and real nets folded."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from pytorchcv.model_provider import get_model

from codegen.artifacts import load_symbol
from codegen.fold.fold import unfolded
from codegen.identifiers import identifier
from codegen.proof.same_symbol import same_symbol
from codegen.write.file import written_file
from codegen.write.templates import templates_of
from codegen.written import Origin
from tracer.conversion import convert_specs
from tracer.inputs import InputSpec

ROOT = Path(__file__).parent.parent


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tracer.gen", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_manuals_net(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples/xxnet/model.py", tmp_path)
    done = run(tmp_path, "model.py:XXNet", "--out", "model_mxnet.py")
    assert done.returncode == 0, done.stderr
    assert "agrees with torch" in done.stderr
    symbol, arg_params, aux_params = mx.model.load_checkpoint(str(tmp_path / "model_mxnet"), 0)
    assert set(arg_params) == set(symbol.list_arguments()) - {"x"}
    assert set(aux_params) == set(symbol.list_auxiliary_states())
    module = mx.mod.Module(symbol, data_names=["x"], label_names=None)
    module.bind([("x", (3, 3, 224, 224))], for_training=False)
    module.set_params(arg_params, aux_params)
    module.forward(mx.io.DataBatch([mx.nd.array(np.ones((3, 3, 224, 224)))]))
    assert module.get_outputs()[0].shape == (3, 64, 112, 112)
    assert run(tmp_path, "model.py:XXNet", "--out", "model_mxnet.py", "--check").returncode == 0
    (tmp_path / "model_mxnet.py").write_text("stale")
    assert run(tmp_path, "model.py:XXNet", "--out", "model_mxnet.py", "--check").returncode == 1


def test_a_missing_file(tmp_path: Path) -> None:
    done = run(tmp_path, "no.py:XXNet", "--out", "model_mxnet.py")
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_an_unsupported_op_is_refused(tmp_path: Path) -> None:
    code = "import torch\nfrom torch import nn\nclass N(nn.Module):\n    def forward(self, x):\n"
    (tmp_path / "m.py").write_text(code + "        return torch.special.i0(x)\n")
    done = run(tmp_path, "m.py:N", "--out", "m_mxnet.py", "--input", "2,3")
    assert done.returncode == 1
    assert "m.py:5" in done.stderr
    assert not (tmp_path / "m_mxnet.py").exists()


@pytest.mark.parametrize(
    ("name", "most"),
    [("resnet18", 45), ("densenet121", 55), ("mobilenetv2_w1", 65), ("peleenet", 60), ("seresnet18", 60)],
)
def test_a_real_net_is_folded_and_agrees(name: str, most: int) -> None:
    conversion = convert_specs(get_model(name).eval(), (InputSpec("x", (1, 3, 224, 224)),), name)
    program = conversion.program
    flat = templates_of().source(written_file(program, unfolded(program), Origin("m.py:n", "c"), []))
    assert same_symbol(conversion.symbol, load_symbol(flat, identifier(name)))
    tree = ast.parse(conversion.code)
    assert (
        sum(isinstance(node, ast.stmt) for node in ast.walk(tree)) <= most + 15
    )  # docstrings are counted too
    assert max(map(len, conversion.code.splitlines())) <= 100
    assert conversion.verify(layers=False).ok
