"""mxnet in a process of its own, under another Python: `make` gives one of another version, with mxnet and numpy alone.

This process has no mxnet then: it is blocked.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest

from codegen.artifacts import how_stale, load_symbol, write_all
from codegen.mxnet_process import VARIABLE, ArrayThere, MXNetError, SymbolThere, mxnet_array
from codegen.problems import RequestError
from codegen.proof.run import run_symbol
from tests.test_command_whole import NET

ROOT = Path(__file__).parent.parent
OTHER = ROOT / ".venv-mxnet" / "bin" / "python"
PYTHONS = [
    pytest.param(sys.executable, id="this Python"),
    pytest.param(
        str(OTHER), id="another", marks=pytest.mark.skipif(not OTHER.exists(), reason="make test makes it")
    ),
]
COMMAND = ("model.py:Net", "--out", "model_mxnet.py", "--input", "1,3,16,16")
BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "mxnet":
            raise ModuleNotFoundError("No module named 'mxnet'", name="mxnet")
sys.meta_path.insert(0, Blocker())
from tracer.gen import main
main(sys.argv[1:])
"""
CODE = """
import mxnet as mx
def Net():
    x = mx.sym.Variable("x")
    return mx.sym.Group([mx.sym.FullyConnected(x, num_hidden=2, name="fc"), mx.sym.sum(x, name="sum")])
"""


def blocked(folder: Path, *arguments: str, python: str = "") -> subprocess.CompletedProcess[str]:
    """The command in a process that has no mxnet."""
    environment = {k: v for k, v in os.environ.items() if k != VARIABLE} | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", BLOCKED, *arguments],
        cwd=folder,
        env=environment | ({VARIABLE: python} if python else {}),
        capture_output=True,
        text=True,
        check=False,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("model_mxnet*")}


@pytest.fixture
def net(tmp_path: Path) -> Path:
    (tmp_path / "model.py").write_text(NET)
    return tmp_path


@pytest.mark.parametrize("python", PYTHONS)
def test_the_same_files(net: Path, python: str) -> None:
    done = blocked(net, *COMMAND, "--verify", "training", "--mxnet-python", python)
    assert done.returncode == 0, done.stderr
    assert "agrees with torch" in done.stderr
    assert "trains as torch does" in done.stderr
    found = contents(net)
    here = {k: v for k, v in os.environ.items() if k != VARIABLE} | {"PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-m", "tracer.gen", *COMMAND], cwd=net, env=here, check=True, capture_output=True
    )
    assert contents(net) == found
    assert len(found) == 4
    done = blocked(net, *COMMAND, "--check", python=python)
    assert done.stderr.endswith("fresh: the files on disk are what would be generated\n"), done.stderr


def test_without_it(net: Path) -> None:
    done = blocked(net, *COMMAND)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "error: there is no mxnet here; install it: pip install --no-deps mxnet==1.9.1 "
        "(or name a Python that has it: --mxnet-python)  (FX240)",
    )
    assert contents(net) == {}


def test_the_code_alone_without_it(net: Path) -> None:
    done = blocked(net, *COMMAND, "--no-weights", "--no-verify")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "wrote model_mxnet.py\n"
    assert done.stderr.endswith(
        "note: model_mxnet-symbol.json was not written: there is no mxnet here  (FX404)\n"
    )
    assert list(contents(net)) == ["model_mxnet.py"]
    done = blocked(net, *COMMAND, "--no-weights", "--check")
    assert done.returncode == 0, done.stderr


def test_a_python_that_is_none(net: Path) -> None:
    done = blocked(net, *COMMAND, "--mxnet-python", "no/python")
    assert done.returncode == 2
    said = "error: --mxnet-python no/python: No such file or directory  (FX241)"
    assert done.stderr.splitlines()[-1] == said


def test_a_python_without_mxnet(net: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nPYTHONPATH={tmp_path / 'none'} exec {sys.executable} \"$@\"\n")
    python.chmod(0o755)
    (tmp_path / "none").mkdir()
    (tmp_path / "none/mxnet.py").write_text(
        "raise ModuleNotFoundError('No module named mxnet', name='mxnet')\n"
    )
    done = blocked(net, *COMMAND, "--mxnet-python", str(python))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"error: --mxnet-python {python}: there is no mxnet here")


# Its parts ---------------------------------------------------------------------------------------------


@pytest.fixture(params=PYTHONS)
def there(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, request.param)


ARRAYS = [np.zeros((0, 3), np.int32), np.arange(6, dtype=np.float32).reshape(2, 3)]


@pytest.mark.usefixtures("there")
def test_a_symbol_and_its_values() -> None:
    symbol = load_symbol(CODE, "Net")
    assert isinstance(symbol, SymbolThere)
    assert (symbol.list_outputs(), symbol.list_arguments()) == (
        ["fc_output", "sum_output"],
        ["x", "fc_weight", "fc_bias"],
    )
    params = {
        "fc_weight": mxnet_array(np.ones((2, 3), np.float32)),
        "fc_bias": mxnet_array(np.ones(2, np.float32)),
    }
    assert isinstance(params["fc_bias"], ArrayThere)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::-1]
    products, total = run_symbol(symbol, params, {}, {"x": x})
    assert products.tolist() == [[4, 4], [13, 13]]
    assert total.tolist() == [15]


@pytest.mark.usefixtures("there")
def test_what_mxnet_refuses() -> None:
    symbol = load_symbol(CODE.replace("mx.sym.sum(x", "mx.sym.elemwise_add(x, mx.sym.transpose(x)"), "Net")
    with pytest.raises(MXNetError, match="Error in operator sum"):
        run_symbol(symbol, {}, {}, {"x": np.ones((2, 3), np.float32)})
    with pytest.raises(RuntimeError, match="no_such_op"):
        load_symbol(CODE.replace("sym.sum", "sym.no_such_op"), "Net")
    assert load_symbol(CODE, "Net").list_outputs() == ["fc_output", "sum_output"]


@pytest.mark.usefixtures("there")
def test_arrays_go_and_come_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.params"
    write_all({path: {str(i): mxnet_array(np.ascontiguousarray(a)) for i, a in enumerate(ARRAYS)}})
    assert how_stale(path, {str(i): mxnet_array(np.ascontiguousarray(a)) for i, a in enumerate(ARRAYS)}) == ""
    changed = {str(i): mxnet_array(np.ascontiguousarray(a) + 1) for i, a in enumerate(ARRAYS)}
    assert how_stale(path, changed) == "stale: 1 of 2 parameters differ: 1"
    path.write_text("no parameters")
    assert how_stale(path, changed) == "stale: it is not a file of parameters"


@pytest.mark.usefixtures("there")
def test_a_process_that_ends_is_an_error_and_another_is_started() -> None:
    with pytest.raises(MXNetError, match=r"mxnet's process ended with 7"):
        load_symbol("import os; os._exit(7)", "Net")
    with pytest.raises(MXNetError, match=r"mxnet's process ended \(SIGFPE\)"):
        load_symbol("import os, signal; os.kill(os.getpid(), signal.SIGFPE)", "Net")
    assert load_symbol(CODE, "Net").list_outputs() == ["fc_output", "sum_output"]


def test_here_it_is_mxnet_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert isinstance(load_symbol(CODE, "Net"), mx.sym.Symbol)
    assert isinstance(mxnet_array(ARRAYS[1]), mx.nd.NDArray)


def test_a_python_that_cannot_be_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/bin/true")
    with pytest.raises(RequestError, match="--mxnet-python /bin/true: no Python with numpy runs there"):
        load_symbol(CODE, "Net")


@pytest.mark.parametrize("python", PYTHONS)
def test_a_port_is_compared_there(net: Path, python: str) -> None:
    """Layer by layer too: what parts and why is told as in one process."""
    assert blocked(net, *COMMAND, python=python).returncode == 0
    compare = ("compare", "model.py:Net", "model_mxnet", "--input", "1,3,16,16")
    done = blocked(net, *compare, python=python)
    assert done.returncode == 0, done.stderr
    symbol = net / "model_mxnet-symbol.json"
    text = symbol.read_text()
    assert '"fix_gamma": "False"' in text
    symbol.write_text(text.replace('"fix_gamma": "False"', '"fix_gamma": "True"'))
    done = blocked(net, *compare, python=python)
    assert done.returncode == 1, done.stderr
    assert "cause: fix_gamma: write fix_gamma=False where the port has True\n" in done.stderr
