"""The same net gives the same bytes: under another hash seed, folder, user, zone, year, locale and torch version."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.command import snapshot
from tests.golden import CODE, GOLDENS
from tracer.inputs import InputSpec
from tracer.trace import trace

ROOT = Path(__file__).parent.parent
# Loops, flags, helper functions, constants, several inputs: whatever walks a set or a dict is in one of them.
NETS = ("flat", "two_inputs", "lstm_tagger", "bert", "mobilenetv3", "unet")

# The command in each folder, in one process: importing torch takes longer than all of them.
SCRIPT = """
import os, sys, time, torch
clock, seconds = time.time, float(sys.argv[1])
time.time = lambda: clock() + seconds
torch.__version__ = torch.torch_version.TorchVersion(sys.argv[2])
from tracer.gen import main
for line in sys.argv[3:]:
    folder, *arguments = line.split("|")
    os.chdir(folder)
    try:
        main([*arguments, "--no-weights"])
    except SystemExit as done:
        assert done.code == 0, arguments
"""


@dataclass(frozen=True)
class Machine:
    """What two people's machines do not share."""

    folder: str
    torch: str
    seconds: int
    environment: tuple[tuple[str, str], ...]


MACHINES = [
    Machine(
        "a",
        "2.9.0",
        0,
        (
            ("PYTHONHASHSEED", "1"),
            ("HOME", "/nonexistent"),
            ("USER", "alice"),
            ("LOGNAME", "alice"),
            ("TZ", "Pacific/Kiritimati"),
            ("LC_ALL", "C"),
            ("PYTHONUTF8", "0"),
        ),
    ),
    Machine(
        "zoë's nets/and more",
        "2.99.1+cu999",
        366 * 24 * 60 * 60,
        (
            ("PYTHONHASHSEED", "4000000000"),
            ("HOME", "/"),
            ("USER", "bob"),
            ("LOGNAME", "bob"),
            ("TZ", "America/Los_Angeles"),
            ("LC_ALL", "C.UTF-8"),
            ("COLUMNS", "40"),
        ),
    ),
]


def started(machine: Machine, place: Path) -> subprocess.Popen[str]:
    """The command for all nets, at work in folders of its own."""
    lines = []
    for name in NETS:
        folder = place / machine.folder / name
        folder.mkdir(parents=True)
        (folder / "model.py").write_text(GOLDENS[name].model, encoding="utf-8")
        lines.append("|".join([str(folder), *GOLDENS[name].arguments]))
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(machine.seconds), machine.torch, *lines],
        cwd=place,
        env=os.environ
        | dict(machine.environment)
        | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def test_the_same_bytes_on_every_machine(tmp_path: Path) -> None:
    """tests/test_golden.py holds them against files that a third one wrote."""
    for process in [started(machine, tmp_path) for machine in MACHINES]:
        _, said = process.communicate()
        assert process.returncode == 0, said
    for name in NETS:
        alice, bob = (snapshot(tmp_path / machine.folder / name) for machine in MACHINES)
        assert sorted(alice) == ["model.py", "model_mxnet-symbol.json", CODE]
        for file in alice:
            assert alice[file][0] == bob[file][0], f"{name}/{file}"


@pytest.mark.parametrize("name", GOLDENS)
def test_a_second_call_gives_the_same_symbol(name: str) -> None:
    """Every op is named: MXNet's own numbers, which go up with each call in a process, come in nowhere."""
    function = runpy.run_path(str(GOLDENS[name].path / CODE))[GOLDENS[name].net]
    first = function().tojson()
    assert function().tojson() == first


class MakesModules(nn.Module):
    """Modules that forward makes: each is gone before the next is made, and the next may stand at its address."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(20):
            x = nn.Softmax(dim=-1)(self.linear(x))
        return x


def test_the_calls_of_modules_that_forward_makes_are_counted() -> None:
    graph = trace(MakesModules().eval(), [InputSpec("x", (2, 4))])
    frames = [n.source.frames[-1] for n in graph.nodes if n.op == "softmax"]
    assert [frame.call for frame in frames] == list(range(20))
