"""Every error: its cause in the first line, ten lines at most, long lists cut and counted; nothing written."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import tracer
from tests.command import fx2mx, snapshot

MANY = ", ".join(f"arg{i}" for i in range(50))
MANY_DEFAULTS = ", ".join(f"arg{i}=0" for i in range(50))
LINES = "\n".join("        x = torch.special.i0(x)" for _ in range(50))
MODEL = f"""
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(50)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Cuda(Net):
    def forward(self, x):
        return super().forward(x.cuda())


class To(Net):
    def forward(self, x):
        return super().forward(x.to("cuda"))


class Made(Net):
    def forward(self, x):
        return super().forward(x) + torch.zeros(4, device="cuda:0")


class CudaBuilt(Net):
    def __init__(self):
        super().__init__()
        self.table = torch.ones(3).cuda()


class Needs(nn.Module):
    def __init__(self, {MANY}):
        super().__init__()


class Many(nn.Module):
    def __init__(self, {MANY_DEFAULTS}):
        super().__init__()


class Deep(Net):
    def __init__(self, depth=40):
        super().__init__()
        if depth == 0:
            raise ValueError("too deep\\n" * 30)
        Deep(depth - 1)


class DeepForward(Net):
    def forward(self, x, depth=0):
        if depth > 40:
            raise ValueError("x" * 5000)
        return self.forward(x, depth + 1)


class Mixed(Net):
    def forward(self, x):
        x = torch.special.i0(x) + torch.special.i1(x)
        x = torch.special.i0e(x) + torch.fft.fft(x).real + torch.rand_like(x)
        x = torch.special.bessel_j0(x) + torch.special.airy_ai(x) + torch.special.erfcx(x)
        return torch.special.ndtri(x)


class Same(Net):
    def forward(self, x):
{LINES}
        return x


class Names(Net):
    def forward(self, {MANY}):
        return arg0.view(7, 13)


class Odd(Net):
    def __init__(self):
        super().__init__()
        self.lock = __import__("threading").Lock()


class Looks(Net):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def two():
    return Net(), Net()
"""
CLASSES = "from torch import nn\n" + "\n".join(f"class Net{i}(nn.Module): pass" for i in range(50))
SCRIPT = "import argparse\np = argparse.ArgumentParser()\n" + "".join(
    f"p.add_argument('--option{i}', required=True)\n" for i in range(50)
)


def other_net() -> dict[str, torch.Tensor]:
    return nn.ModuleDict({f"block{i}": nn.Linear(9, 9) for i in range(60)}).state_dict()


def misshaped() -> dict[str, torch.Tensor]:
    return nn.ModuleDict({"layers": nn.ModuleList([nn.Linear(5, 4) for _ in range(50)])}).state_dict()


def own(layers: int = 50) -> dict[str, torch.Tensor]:
    return nn.ModuleDict({"layers": nn.ModuleList([nn.Linear(4, 4) for _ in range(layers)])}).state_dict()


WEIGHTS: dict[str, tuple[Callable[[], Any], str]] = {
    "of another net": (other_net, "w.pth does not fit Net"),
    "of other shapes": (misshaped, "w.pth does not fit Net"),
    "of too many layers": (lambda: own(90), "w.pth does not fit Net, which has fewer keys"),
    "of too few layers": (lambda: own(9), "w.pth does not fit Net"),
    "of all sorts": (lambda: {**misshaped(), **other_net(), "layers.0.bias": torch.ones(4).int()}, "w.pth does not fit Net"),
    "often": (lambda: {f"step{i}": own() for i in range(50)}, "w.pth holds the weights of Net 50 times"),
    "no tensors": (lambda: {f"key{i}": i for i in range(50)}, "w.pth holds no tensors"),
    "a module": (lambda: nn.Sequential(*[nn.Linear(2, 2) for _ in range(50)]), "w.pth holds a whole pickled nn.Module"),
}  # fmt: skip
SPECS = [
    ("net.py:Cuda", (), "the net's code asks for a GPU"),
    ("net.py:To", (), "the net's code asks for a GPU"),
    ("net.py:Made", (), "the net's code asks for a GPU"),
    ("net.py:To", ("--input", "1,4"), "the net's code asks for a GPU"),
    ("net.py:CudaBuilt", (), "the net's code asks for a GPU"),
    ("net.py:Needs", (), "Needs needs the arguments arg0, arg1"),
    ("net.py:Many", ("--kwargs", "other=1"), "Many takes no argument 'other'"),
    ("net.py:Deep", (), "Deep raised when it was built: ValueError: too deep"),
    ("net.py:DeepForward", ("--input", "1,4"), "the net raised when it was run: ValueError: xxx"),
    ("net.py:Net", ("--input", "1,5"), "the net raised when it was run: RuntimeError: mat1 and mat2"),
    ("net.py:Mixed", ("--input", "1,4"), "cannot be converted exactly, 9 problems: i0() has no rule"),
    ("net.py:Same", ("--input", "1,4"), "cannot be converted exactly: i0() has no rule (50 times)"),
    ("net.py:Looks", ("--input", "1,4"), "cannot be converted exactly: the net looks at the values"),
    ("net.py:Names", (), "no input was found"),
    ("net.py:Names", ("--input", "1,4"), "forward(arg0, arg1, arg2, arg3, arg4, arg5, arg6, arg7 ... and 42 more) needs"),
    ("net.py:Names", ("--input", "y=1,4"), "--input y=1,4: forward has no parameter 'y'"),
    ("net.py:Odd", ("--input", "1,4"), "the net cannot be copied"),
    ("net.py:two", (), "two() returned a tuple"),
    ("net.py:Net", ("--input", "1,4", "--tap", "layer"), "--tap layer: the net has no module of that path"),
    ("classes.py:Other", (), "no 'Other' in classes.py"),
    ("script.py:Net", (), "script.py ends the process when it is imported"),
    ("exits.py:Net", (), "exits.py ends the process when it is imported"),
    ("syntax.py:Net", (), "syntax.py raised when it was imported: SyntaxError: "),
    ("lacks.py:Net", (), "lacks.py raised when it was imported: ModuleNotFoundError: No module named 'nothing'"),
    ("gpu.py:net", (), "the net's code asks for a GPU"),
    ("net.py:Net", ("--input", "1,4", "--plugin", "plugin.py"), "--plugin plugin.py: ValueError: too long ... and 29 more lines"),
    ("net.py:Net", ("--weights", "folder"), "folder is a folder of 50 weights files"),
    ("net.py:Net", ("--weights", "model.safetensors.index.json"), "model.safetensors.index.json names w0.safetensors"),
    ("net.py:Net", ("--weights", "all.npz"), "all.npz does not fit Net"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the nets, and what stands beside them."""
    monkeypatch.chdir(tmp_path)
    texts = {
        "net.py": MODEL,
        "classes.py": CLASSES,
        "script.py": SCRIPT + "p.parse_args()\n",
        "exits.py": "def main(n):\n    main(n - 1) if n else exit(3)\n\nmain(40)\n",
        "syntax.py": "x = (\n" * 30,
        "lacks.py": "import nothing\n",
        "gpu.py": "from torch import nn\nnet = nn.Linear(2, 2).cuda()\n",
        "plugin.py": "raise ValueError('too long\\n' * 30)\n",
        "model.safetensors.index.json": json.dumps(
            {"weight_map": {f"k{i}": f"w{i}.safetensors" for i in range(50)}}
        ),
    }
    for name, text in texts.items():
        Path(name).write_text(text)
    Path("folder").mkdir()
    for i in range(50):
        Path(f"folder/w{i}.pth").touch()
    np.savez("all.npz", **{f"key{i}": np.ones(3) for i in range(50)})
    return tmp_path


def assert_short(text: str, cause: str) -> None:
    """`text` is what the command printed, from `error: ` on."""
    lines = text.rstrip("\n").splitlines()
    assert lines[0].startswith(cause), text
    assert len(lines) <= 10, text
    assert max(map(len, lines)) < 700, text


@pytest.mark.parametrize(("spec", "options", "cause"), SPECS, ids=lambda value: str(value)[:40])
def test_an_error_of_the_net(
    spec: str, options: tuple[str, ...], cause: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    before = snapshot(folder)
    done = fx2mx(spec, "--out", "m.py", *options)
    assert done.status == (1 if cause.startswith("cannot be converted") else 2)
    assert done.out == ""
    assert_short(done.err.partition("error: ")[2], cause)
    assert snapshot(folder) == before


@pytest.mark.parametrize("name", WEIGHTS)
def test_an_error_of_the_weights(name: str, folder: Path) -> None:
    make, cause = WEIGHTS[name]
    torch.save(make(), "w.pth")
    before = snapshot(folder)
    done = fx2mx("net.py:Net", "--out", "m.py", "--input", "1,4", "--weights", "w.pth")
    assert (done.status, done.out) == (2, "")
    assert_short(done.err.partition("error: ")[2], cause)
    assert snapshot(folder) == before


def test_a_gpu_is_told_with_the_line_and_at_once(folder: Path) -> None:
    """It is not looked for inputs that would do without."""
    line = MODEL.splitlines().index("        return super().forward(x.cuda())") + 1
    for options in ((), ("--input", "1,4")):
        done = fx2mx("net.py:Cuda", "--out", "m.py", *options)
        assert done.err.partition("error: ")[2] == (
            f"the net's code asks for a GPU, and fx2mx runs it on the CPU, at {folder}/net.py:{line}: "
            "return super().forward(x.cuda())\n"
            "  take the device of what is there, such as x.to(next(self.parameters()).device), or leave this "
            "out (AssertionError: Torch not compiled with CUDA enabled)\n"
        )


def test_what_is_cut_is_counted(folder: Path) -> None:
    done = fx2mx("net.py:Same", "--out", "m.py", "--input", "1,4")
    lines = done.err.partition("error: ")[2].splitlines()
    first = MODEL.splitlines().index("        x = torch.special.i0(x)") + 1
    assert lines[0] == "cannot be converted exactly: i0() has no rule (50 times)  [no-rule]"
    assert lines[1] == f"    at the net itself, {folder}/net.py:{first}, and 49 more places"
    assert len(lines) == 4
    done = fx2mx("net.py:Mixed", "--out", "m.py", "--input", "1,4")
    lines = done.err.partition("error: ")[2].splitlines()
    assert lines[-2:] == ["  ... and 5 more: --dry-run lists them all", "nothing was written"]


def test_a_dry_run_lists_all(folder: Path) -> None:
    for name, count in (("Same", 50), ("Mixed", 9)):
        done = fx2mx(f"net.py:{name}", "--out", "m.py", "--input", "1,4", "--dry-run")
        assert done.status == 1
        assert sum(line.startswith("    at the net itself") for line in done.err.splitlines()) == count


def test_python_has_all_problems() -> None:
    class Net(nn.Module):
        """Asks for much."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """What has no rule."""
            for op in (
                torch.special.i0,
                torch.special.i1,
                torch.special.i0e,
                torch.special.i1e,
                torch.special.ndtri,
            ):
                x = op(x)
            return x

    with pytest.raises(tracer.ConversionError) as caught:
        tracer.convert(Net(), (torch.ones(1, 4),))
    assert len(caught.value.problems) == 5
    assert len(str(caught.value).splitlines()) <= 9
    assert caught.value.full.count("has no rule") == 5
