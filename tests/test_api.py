"""The Python interface, whatever was imported before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import tracer
from tests.command import fx2mx
from tracer.conversion import convert_specs
from tracer.inputs import InputSpec

ROOT = Path(__file__).parent.parent
USE = "import torch, tracer\nc = tracer.convert(torch.nn.ReLU(), (torch.ones(1, 3),), name='Net')\nprint(type(c).__name__)"


@pytest.mark.parametrize(
    "before",
    ["", "import tracer.convert\n", "from tracer.conversion import convert_specs\n", "import tracer.gen\n"],
)
def test_convert_is_a_function_whatever_was_imported(before: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", before + USE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("Conversion\n", 0), done.stderr


def test_importing_is_cheap() -> None:
    code = "import sys, tracer; print([m for m in ('torch', 'mxnet') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_module_is_left_as_it_was() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Dropout(0.5)
    ).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    attributes = {name: set(vars(m)) for name, m in model.named_modules()}
    conversion = tracer.convert(model, (torch.randn(1, 3, 8, 8),), name="Net")
    assert conversion.verify().ok
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(m.training for m in model.modules())
    assert {name: set(vars(m)) for name, m in model.named_modules()} == attributes
    assert not any(p.grad is not None or not p.requires_grad for p in model.parameters())


def test_errors_carry_their_problems() -> None:
    class Net(torch.nn.Module):
        def forward(self, x):
            return torch.special.i0(x) + torch.fft.fft(x).real

    with pytest.raises(tracer.ConversionError) as caught:
        tracer.convert(Net(), (torch.randn(1, 4),))
    assert [p.what for p in caught.value.problems] == ["i0() has no rule", "fft_fft() has no rule"]
    with pytest.raises(tracer.RequestError):
        tracer.convert(3)


def test_the_batch_of_a_recurrent_net_is_named() -> None:
    """Axis 1 here: the report names its sizes, not those of axis 0."""
    conversion = convert_specs(torch.nn.RNN(4, 3), (InputSpec("input", (5, 1, 4), batch_axis=1),))
    assert {o.batch for o in conversion.verify(layers=False).outputs} == {1, 2}


class Odd(torch.nn.Module):
    """Returns more than tensors."""

    def forward(self, x: torch.Tensor) -> object:
        return {"y": x + 1, "size": x.shape[1], "none": None, "more": [x * 2, "text"]}


class Nothing(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> None:
        x + 1


class One(torch.nn.Module):
    """Does something else for a batch of one."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2 if len(x) == 1 else x + 3


def test_what_is_no_tensor_is_named() -> None:
    conversion = tracer.convert(Odd(), (torch.ones(1, 4),))
    assert len(conversion.program.outputs) == 2
    assert conversion.notes == ("not tensors and left out of the outputs: size (int), more.1 (str)",)


def test_a_net_that_returns_nothing() -> None:
    with pytest.raises(tracer.RequestError) as caught:
        tracer.convert(Nothing(), (torch.ones(1, 4),))
    assert str(caught.value) == "forward of Nothing returns no tensor: a symbol needs an output"


def test_a_half_net_is_judged_by_its_own_rounding() -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(64, 64).half()
    agreement = tracer.convert(model, (torch.randn(1, 64).half(),)).verify()
    assert agreement.ok
    assert all(o.double for o in agreement.outputs)


def test_another_path_at_batch_one_freezes_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text("from tests.test_api import One\n")
    done = fx2mx("model.py:One", "--out", "model_mxnet.py", "--input", "1,4")
    assert done.status == 0
    assert "the batch size is frozen at 1: forward asks N == 1 of the batch size" in done.err
    assert "Inputs: x (1, 4)." in (tmp_path / "model_mxnet.py").read_text()


NET = "import torch\nclass Net(torch.nn.Linear):\n    def __init__(self):\n        super().__init__(4, 2)\n"


def test_a_file_of_the_users_called_codegen(tmp_path: Path) -> None:
    """It comes first on the path of `python -m tracer.gen` in its folder, and is not what we import."""
    (tmp_path / "codegen.py").write_text(NET)
    (tmp_path / "model.py").write_text("from codegen import Net")
    command = [sys.executable, "-m", "tracer.gen", "model.py:Net", "--out", "model_mxnet.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Net of model.py" in (tmp_path / "model_mxnet.py").read_text()


def test_a_module_called_codegen_that_came_first(tmp_path: Path) -> None:
    (tmp_path / "codegen.py").write_text("")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "import codegen, tracer"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: {tmp_path}/codegen.py is loaded as `codegen`, which is a package of fx2mx: "
        "import tracer before it, or give it another name"
    )


def test_inputs_stand_in_forwards_order() -> None:
    """A walk from the output would meet the second one first."""

    class Net(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
            return (z.exp() * y.tanh() + x) * z

    conversion = tracer.convert(Net(), (torch.ones(2, 3), torch.ones(2, 3), torch.ones(2, 3)))
    assert conversion.symbol.list_inputs() == ["x", "y", "z"]
    assert conversion.verify().ok


def test_the_file_says_where_the_batch_is() -> None:
    """Only where it is not the first axis of every input; a batch that is kept has no axis to choose."""
    rnn, specs = torch.nn.RNN(4, 3), (InputSpec("input", (5, 1, 4), batch_axis=1),)
    assert 'BATCH_AXES = {\n    "input": 1,\n}\n' in convert_specs(rnn, specs).code
    assert "BATCH_AXES" not in convert_specs(rnn, (InputSpec("input", (5, 1, 4)),)).code
    assert "BATCH_AXES" not in convert_specs(rnn, specs, frozen_batch=True).code
