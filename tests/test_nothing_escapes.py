"""Whatever a conversion meets, its end is clear: a refusal, a wrong request, or an error of the user's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import codegen.lower.graph
import tracer
import tracer.capture
import tracer.command
import tracer.conversion
import tracer.free_batch
import tracer.lowering
import tracer.recorder
from tests.command import fx2mx, snapshot

ROOT = Path(__file__).parent.parent
X = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """A small net with more than one line."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 4) to (N, 3)."""
        x = self.fc(x)
        return torch.tanh(x)


SOURCE = """\
import os, sys
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)
    def forward(self, x):
        return torch.tanh(self.fc(x))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a model in it."""
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(SOURCE)
    return tmp_path


def raises(*_: Any, **__: Any) -> Any:
    """What a defect does."""
    raise KeyError("no such thing")


# A function of each stage, and how the message begins.
STAGES: dict[str, tuple[Any, str, str]] = {
    "trace": (tracer.recorder, "written_by", "tracing failed at linear() with KeyError"),
    "to_ir": (tracer.free_batch, "graph_of", "tracing failed with KeyError"),
    "lower": (codegen.lower.graph, "lower_node", "lowering failed at x (input) with KeyError"),
    "name": (codegen.lower.graph, "named", "lowering and naming failed with KeyError"),
    "fuse": (tracer.lowering, "guarded", "lowering and naming failed with KeyError"),
    "write": (tracer.conversion, "made_code", "writing the code failed with KeyError"),
    "weights": (tracer.conversion, "parameters", "converting the weights failed with KeyError"),
    "symbol": (tracer.conversion, "load_symbol", "making the symbol failed with KeyError"),
    "contrast": (tracer.conversion, "contrast", "writing the contrast table failed with KeyError"),
    "verify": (tracer.conversion, "verify", "the comparison with torch failed with KeyError"),
    "save": (tracer.conversion, "write_all", "writing the files failed with KeyError"),
    "command": (tracer.command, "_load", "the command failed with KeyError"),
}


@pytest.mark.parametrize("name", STAGES)
def test_a_defect_of_a_stage_is_a_message(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, function, text = STAGES[name]
    monkeypatch.setattr(module, function, raises)
    before = snapshot(folder)
    done = fx2mx("model.py:Net", "--out", "m.py", "--input", "1,4")
    assert done.status == 1
    assert f"{text}: 'no such thing'" in done.err
    assert "[defect]" in done.err
    assert "please report it with this text" in done.err
    assert "Traceback" not in done.err
    assert done.err.endswith("nothing was written\n")
    assert snapshot(folder) == before


def test_a_defect_of_a_rule_names_the_node_and_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lowered = codegen.lower.graph.lower_node

    def some(b: Any, node: Any, rules: Any) -> None:
        if node.op in {"linear", "tanh"}:
            raise ZeroDivisionError("by nought")
        lowered(b, node, rules)

    monkeypatch.setattr(codegen.lower.graph, "lower_node", some)
    with pytest.raises(tracer.ConversionError) as caught:
        tracer.convert(Net(), (X,))
    first, second = caught.value.problems
    assert first.what.startswith("lowering failed at fc_linear (linear) with ZeroDivisionError: by nought")
    assert first.where.path == "fc"
    assert second.where.file == __file__
    assert "return torch.tanh(x)" in Path(__file__).read_text().splitlines()[second.where.line - 1]


def test_a_defect_while_tracing_names_the_users_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracer.recorder, "written_by", {}.__getitem__)
    with pytest.raises(tracer.ConversionError) as caught:
        tracer.convert(Net(), (X,))
    (problem,) = caught.value.problems
    assert problem.code == "defect"
    assert "x = self.fc(x)" in Path(__file__).read_text().splitlines()[problem.where.line - 1]
    assert problem.what.startswith("tracing failed at linear() with TypeError")
    assert "(tracer/recorder.py:" in problem.what


class Ends(nn.Module):
    """Ends in the way that it is told."""

    def __init__(self, how: Callable[[], Any]) -> None:
        super().__init__()
        self.how = [how]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 4) to (N, 4)."""
        self.how[0]()
        return x + 1


class Odd(BaseException):
    """No Exception."""


def odd() -> None:
    """Raise what `except Exception` does not catch."""
    raise Odd("odd")


def deep() -> None:
    """Recursion without an end."""
    deep()


@pytest.mark.parametrize(
    ("how", "text"),
    [
        (lambda: sys.exit(0), "SystemExit: 0"),
        (odd, "Odd: odd"),
        (deep, "RecursionError"),
        (lambda: Path("/no/such/file").read_text(), "FileNotFoundError"),
        (lambda: torch.empty(10**13), "RuntimeError"),
    ],
)
def test_a_net_that_ends_in_its_own_way(how: Callable[[], Any], text: str) -> None:
    with pytest.raises(tracer.UserModelError) as caught:
        tracer.convert(Ends(how), (X,))
    assert text in str(caught.value)
    assert "tracer/" not in str(caught.value)


def test_what_cannot_be_copied_is_named() -> None:
    net = nn.Sequential(Net(), Net())
    net[1].lock = threading.Lock()
    with pytest.raises(tracer.RequestError, match=r"cannot pickle.*1\.lock, a lock, takes no copy\.deepcopy"):
        tracer.convert(net, (X,))


def test_parameters_without_values() -> None:
    with torch.device("meta"):
        net = Net()
    with pytest.raises(tracer.RequestError, match=r"fc\.weight and 1 more on the meta device"):
        tracer.convert(net, (X,))


def test_sizes_beyond_memory() -> None:
    done = fx2mx("model.py:Net", "--out", "m.py", "--input", "1000000,1000000")
    assert (done.status, done.err.count("\n")) == (2, 4)
    assert "input x of (1000000, 1000000) float32 takes 3,725.3 GB" in done.err
    Path("model.py").write_text(SOURCE.replace("nn.Linear(4, 3)", "nn.Linear(10**7, 10**7)"))
    done = fx2mx("model.py:Net", "--out", "m.py")
    assert done.status == 2
    assert "Net raised when it was built" in done.err


def test_a_result_beyond_memory() -> None:
    """No memory is asked for while a net is traced: the refusal comes before the comparison."""

    class Outer(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x[:, :, None] * x[:, None]).sum((1, 2))

    with pytest.raises(tracer.ConversionError) as caught:
        tracer.convert(Outer(), (torch.ones(1, 10**5),))
    assert {p.code for p in caught.value.problems} == {"too-large"}


@pytest.mark.parametrize("length", [300, 245])
def test_names_beyond_the_file_systems_length(length: int, folder: Path) -> None:
    before = snapshot(folder)
    done = fx2mx("model.py:Net", "--out", f"{'m' * (length - 3)}.py", "--input", "1,4")
    assert done.status == 2
    assert "is too long for the file system; give a shorter one" in done.err
    for option in ("--weights", "--plugin", "--templates"):
        done = fx2mx("model.py:Net", "--out", "m.py", "--input", "1,4", option, "w" * 300)
        assert done.status == 2
        assert "Traceback" not in done.err
    assert fx2mx(f"{'m' * 300}.py:Net", "--out", "m.py").status == 2
    assert snapshot(folder) == before


def test_a_name_as_long_as_the_file_system_takes() -> None:
    longest = "m" * (255 - len("-layer_contrast.txt"))
    assert fx2mx("model.py:Net", "--out", f"{longest}.py", "--input", "1,4", "--no-verify").status == 0


@pytest.mark.parametrize("place", ["import", "build", "forward"])
def test_a_spec_that_changes_the_folder(place: str, folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    go = "os.chdir('elsewhere')"
    Path("model.py").write_text(
        {
            "import": f"{SOURCE}\n{go}\n",
            "build": SOURCE.replace("        self.fc", f"        {go}\n        self.fc"),
            "forward": SOURCE.replace("        return", f"        {go}\n        return"),
        }[place]
    )
    torch.save(Net().state_dict(), "w.pth")
    done = fx2mx("model.py:Net", "--out", "m.py", "--input", "1,4", "--weights", "w.pth")
    assert done.status == 0, done.err
    assert Path.cwd() == folder
    assert (folder / "m.py").exists()
    assert not list((folder / "elsewhere").iterdir())


def command(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, "-m", "tracer.gen", *arguments], text=True, env=environment, **options
    )


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_went_away(stream: str, folder: Path) -> None:
    """As after `| head -1`: the files are written all the same, and nothing is said of it."""
    Path("model.py").write_text(
        SOURCE.replace("        return", "        print('hello ' * 9999)\n        return")
    )
    read, write = os.pipe()
    os.close(read)
    other = "stderr" if stream == "stdout" else "stdout"
    done = command(
        "model.py:Net", "--out", "m.py", "--input", "1,4", **{stream: write, other: subprocess.PIPE}
    )
    said = "".join(filter(None, done.communicate()))
    os.close(write)
    assert done.returncode == 0, said
    assert (folder / "m-0000.params").exists()
    assert "Error" not in said


def test_an_interrupt_ends_quietly(folder: Path) -> None:
    slow = SOURCE.replace(
        "        return", "        import time; open('begun', 'w'); time.sleep(60)\n        return"
    )
    Path("model.py").write_text(slow)
    # A job in the background of a shell ignores interrupts, and so would what these tests start.
    done = command(
        "model.py:Net",
        "--out",
        "m.py",
        "--input",
        "1,4",
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    for _ in range(600):
        if Path("begun").exists():
            break
        time.sleep(0.1)
    done.send_signal(signal.SIGINT)
    _, said = done.communicate(timeout=60)
    assert done.returncode == 130
    assert said.splitlines()[-1] == "tracing Net"
    assert not (folder / "m.py").exists()


@pytest.mark.parametrize("level", ["1", "2"])
def test_optimised_python(level: str, folder: Path) -> None:
    """Without asserts, and without docstrings, the files are the same."""
    assert fx2mx("model.py:Net", "--out", "m.py", "--input", "1,4").status == 0
    before = {name: content for name, (content, _) in snapshot(folder).items()}
    done = command(
        "model.py:Net",
        "--out",
        "m.py",
        "--input",
        "1,4",
        stderr=subprocess.PIPE,
        env={"PYTHONOPTIMIZE": level},
    )
    assert (done.communicate()[1].count("agrees with torch"), done.returncode) == (1, 0)
    assert {name: content for name, (content, _) in snapshot(folder).items()} == before
