"""How much memory a conversion takes beside its imports: the weights, once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

ROOT = Path(__file__).parent.parent
NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1 = nn.Linear(width, width)
        self.fc2 = nn.Linear(width, width)

    def forward(self, x):
        return self.fc2(self.fc1(x).relu())
"""
WIDE, NARROW = 6144, 64
MEASURED = """
import re, sys
from tracer.gen import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
# Not ru_maxrss, which begins with what the parent had in memory.
print(1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]))
"""


def peak(folder: Path, width: int, name: str) -> int:
    """The most bytes that a conversion without comparison had in memory at a time."""
    path = folder / name
    state = {f"fc{i}.weight": torch.ones(width, width) for i in (1, 2)}
    state |= {f"fc{i}.bias": torch.ones(width) for i in (1, 2)}
    (save_file if name.endswith("safetensors") else torch.save)(state, path)
    arguments = ["model.py:Net", "--kwargs", f"width={width}", "--input", f"1,{width}", "--weights", name]
    arguments += ["--out", "m_mxnet.py", "--no-verify"]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    path.unlink()
    return int(done.stdout.splitlines()[-1])


@pytest.mark.skipif(sys.platform != "linux", reason="the pages of a file are let go by a call of Linux")
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_the_weights_are_in_memory_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "model.py").write_text(NET)
    more = peak(tmp_path, WIDE, name) - peak(tmp_path, NARROW, name)
    assert more < 1.15 * 2 * 4 * WIDE * WIDE
