"""The command as a user types it: code, weights and comparison, then the files are loaded without torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
NET = """
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.bn(self.conv(x)).relu().mean((2, 3))).softmax(1)
"""
LOAD = """
import sys, tracer
mx = tracer.import_mxnet()
from model_mxnet import DATA_SHAPES, Net
symbol, arg_params, aux_params = mx.model.load_checkpoint("model_mxnet", 0)
assert symbol.tojson() == Net().tojson()
module = mx.mod.Module(symbol, data_names=list(DATA_SHAPES), label_names=None)
module.bind(list(DATA_SHAPES.items()), for_training=False)
module.set_params(arg_params, aux_params)
module.forward(mx.io.DataBatch([mx.nd.ones(shape) for shape in DATA_SHAPES.values()]), is_train=False)
assert module.get_outputs()[0].shape == (1, 2)
assert "torch" not in sys.modules
"""
COMMAND = ("-m", "tracer.gen", "model.py:Net", "--out", "model_mxnet.py", "--input", "1,3,16,16")


def python(folder: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_files_are_written_agree_and_load(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(NET)
    said = python(tmp_path, *COMMAND, "--verify", "training")
    assert "agrees with torch" in said
    assert "wrote model_mxnet-0000.params" in said
    assert "fresh" in python(tmp_path, *COMMAND, "--check")
    python(tmp_path, "-c", LOAD)
