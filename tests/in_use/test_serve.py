"""examples/serve as its README says: converted, served in batches, loaded, fine-tuned, served again.

`python -m tests.in_use.test_serve` writes what the README's commands print into it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from starlette.testclient import TestClient

from tests.command import fx2mx
from tests.session import BLOCK, ROOT, Session

EXAMPLE = ROOT / "examples" / "serve"
README = EXAMPLE / "README.md"
ADDRESS = "127.0.0.1:8000"
MODULES = ("model_mxnet", "net", "pictures", "server", "load_test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, converted in this process."""
    place = copied(tmp_path_factory.mktemp("serve"))
    out = place / "model_mxnet.py"
    done = fx2mx(f"{place}/model.py:Classifier", "--out", out, "--input", "1,3,32,32", "--softmax")
    assert done.status == 0, done.err
    return place


def copied(place: Path) -> Path:
    for file in EXAMPLE.glob("*.py"):
        shutil.copy(file, place)
    return place


class Beside(Session):
    """The README's commands. What is asked of the server at its usual address is asked of one on a free port."""

    def run(self, command: str) -> str:
        if ADDRESS not in command:
            return super().run(command)
        with imported(self.folder) as example, example.load_test.serving() as (_, (host, port)):
            return super().run(command.replace(ADDRESS, f"{host}:{port}"))


def rewritten(text: str, place: Path) -> str:
    """The README with what its commands print today, in a folder of their own."""
    session = Beside(copied(place))
    return BLOCK.sub(lambda m: f"```{m[1]}\n{session.block(m[1], m[2])}```", text)


@contextlib.contextmanager
def imported(place: Path) -> Iterator[Any]:
    """The example's modules, in its folder. Their names are too common to stay."""
    before = Path.cwd()
    sys.path.insert(0, str(place))
    os.chdir(place)
    try:
        yield SimpleNamespace(**{name: import_module(name) for name in MODULES})
    finally:
        os.chdir(before)
        sys.path.remove(str(place))
        for name in MODULES:
            sys.modules.pop(name, None)


@pytest.fixture
def example(folder: Path) -> Iterator[Any]:
    with imported(folder) as modules:
        yield modules


def by_torch(folder: Path, pictures: np.ndarray) -> np.ndarray:
    """What the PyTorch net says, with the weights under which it was converted."""
    code: dict[str, Any] = {"__name__": "model"}
    exec((folder / "model.py").read_text(), code)
    torch.manual_seed(0)
    net = code["Classifier"]().eval()
    with torch.no_grad():
        return net(torch.from_numpy(pictures).float()).softmax(1).numpy()


def without_numbers(text: str) -> list[str]:
    return re.sub(r"\d+(\.\d+)?(e-\d+)?", "N", text).splitlines()


def test_what_the_readme_shows_is_what_happens(tmp_path: Path) -> None:
    """But for the numbers, which are those of a machine and its load."""
    text = README.read_text(encoding="utf-8")
    assert without_numbers(text) == without_numbers(rewritten(text, tmp_path))


def test_its_requirements_are_those_of_the_tests() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    own = (EXAMPLE / "requirements.txt").read_text().splitlines()
    # pip takes mxnet's own word for the numpy beside it; fx2mx itself can do with others.
    assert own[:2] == ["mxnet==1.9.1", "numpy>=1.22,<1.24"]
    assert [line for line in own[2:] if f'"{line}"' not in project] == []


def test_it_runs_without_torch_and_without_fx2mx(folder: Path) -> None:
    code = "import sys, server, load_test, finetune; print({'torch', 'tracer', 'codegen'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stdout == "set()\n", done.stderr


def test_every_batch_size_gives_what_torch_does(example: Any, folder: Path) -> None:
    net = example.net.Net("model_mxnet", 0, largest=6)
    net.warm_up()
    pictures, _ = example.pictures.drawn(6, seed=3)
    wanted = by_torch(folder, pictures)
    assert net.sizes == [1, 2, 4, 6]
    assert np.ptp(wanted, axis=0).max() > 1e-3, "answers that are alike hide those that are exchanged"
    for count in range(1, 7):
        np.testing.assert_allclose(net.probabilities(pictures[:count]), wanted[:count], rtol=0, atol=1e-5)


def test_the_server_answers_in_batches(example: Any, folder: Path) -> None:
    """Batches of 8 wait a minute for each other's pictures: 16 at once are two of them, however slow the machine."""
    pictures, _ = example.pictures.drawn(16, seed=4)
    with example.load_test.serving("--largest", "8", "--wait", "60000") as (_, address):
        run = example.load_test.load(address, pictures, clients=16)
    assert run.batches == 2
    np.testing.assert_allclose(run.answers, by_torch(folder, pictures), rtol=0, atol=1e-5)


def test_parallel_clients_get_their_own_answers(example: Any, folder: Path) -> None:
    pictures, _ = example.pictures.drawn(200, seed=5)
    with example.load_test.serving() as (_, address):
        run = example.load_test.load(address, pictures, clients=8)
    np.testing.assert_allclose(run.answers, by_torch(folder, pictures), rtol=0, atol=1e-5)


def npz(folder: Path) -> bytes:
    np.savez(folder / "pictures.npz", np.zeros((3, 32, 32), "uint8"))
    return (folder / "pictures.npz").read_bytes()


def test_what_is_no_picture_is_refused(example: Any, folder: Path) -> None:
    whole = np.zeros((3, 32, 32), "uint8")
    save = example.load_test.encoded
    bodies = {
        b"": (400, "the body is not what np.save writes for one array"),
        b"\x89PNG": (400, "the body is not what np.save writes for one array"),
        save(whole)[:-1]: (400, "the body is not what np.save writes for one array"),
        save(np.array([{}])): (400, "the body is not what np.save writes for one array"),
        npz(folder): (400, "the body is a .npz file: send one array, as np.save writes it"),
        save(whole[:, :31]): (400, "the picture is uint8 (3, 31, 32): it must be uint8 (3, 32, 32)"),
        save(whole == 0): (400, "the picture is bool (3, 32, 32): it must be uint8 (3, 32, 32)"),
        save(whole.astype("float32")): (413, "Content Too Large"),
    }
    call = example.load_test.call
    with example.load_test.serving() as (_, address):
        for body, wanted in bodies.items():
            assert call(HTTPConnection(*address), "POST", "/classify", body) == wanted
        assert call(HTTPConnection(*address), "GET", "/classify")[0] == 405
        assert call(HTTPConnection(*address), "POST", "/classify", save(whole))[0] == 200


def test_a_server_that_is_told_to_end_answers_first(example: Any) -> None:
    """Three pictures wait for a batch of four when the signal comes."""
    pictures, _ = example.pictures.drawn(3, seed=6)
    bodies = [example.load_test.encoded(picture) for picture in pictures]
    call = example.load_test.call

    def classify(body: bytes) -> int:
        return call(HTTPConnection(*address), "POST", "/classify", body)[0]

    with example.load_test.serving("--largest", "4", "--wait", "2000") as (process, address):
        with ThreadPoolExecutor(3) as threads:
            statuses = threads.map(classify, bodies)
            while json.loads(call(HTTPConnection(*address), "GET", "/health")[1])["pictures"] < 3:
                pass
            process.terminate()
            assert list(statuses) == [200, 200, 200]
        assert process.wait() == -signal.SIGTERM
        with pytest.raises(ConnectionRefusedError):
            classify(bodies[0])


class Held:
    """A net that warms up and runs when it may, and fails where a picture is not black."""

    shape, sizes = (3, 32, 32), [1]

    def __init__(self) -> None:
        self.may, self.runs = threading.Event(), threading.Event()

    def warm_up(self) -> None:
        assert self.may.wait(60)

    def probabilities(self, pictures: np.ndarray) -> np.ndarray:
        self.runs.set()
        assert self.may.wait(60)
        if pictures.any():
            raise ValueError("the net fails")
        return np.full((len(pictures), 2), 0.5)


@contextlib.contextmanager
def held(example: Any, net: Held) -> Iterator[TestClient]:
    batcher = example.server.Batcher(net, wait=0)
    with TestClient(example.server.application(batcher), raise_server_exceptions=False) as client:
        yield client
        net.may.set()


def test_until_it_is_warm_it_says_so(example: Any) -> None:
    net, picture = Held(), example.load_test.encoded(np.zeros((3, 32, 32), "uint8"))
    with held(example, net) as client:
        assert client.get("/health").status_code == 503
        assert client.post("/classify", content=picture).text == "the net is warming up"
        net.may.set()
        while client.get("/health").status_code == 503:
            pass
        assert client.post("/classify", content=picture).json() == {"probabilities": [0.5, 0.5]}


def test_a_batch_that_fails_is_not_the_last(example: Any) -> None:
    net = Held()
    net.may.set()
    with held(example, net) as client:
        while client.get("/health").status_code == 503:
            pass
        for value, status in [(1, 500), (0, 200), (1, 500), (0, 200)]:
            picture = example.load_test.encoded(np.full((3, 32, 32), value, "uint8"))
            assert client.post("/classify", content=picture).status_code == status


def test_what_it_cannot_hold_is_refused(example: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One picture runs, two wait, the fourth is refused."""
    monkeypatch.setattr(example.server, "MOST_WAITING", 2)
    net, picture = Held(), example.load_test.encoded(np.zeros((3, 32, 32), "uint8"))
    net.may.set()
    with held(example, net) as client, ThreadPoolExecutor(3) as threads:
        while client.get("/health").status_code == 503:
            pass
        net.may.clear()
        first = []
        for count in (1, 2, 3):
            first.append(threads.submit(client.post, "/classify", content=picture))
            while client.get("/health").json()["pictures"] < count or not net.runs.is_set():
                pass
        refused = client.post("/classify", content=picture)
        net.may.set()
        assert (refused.status_code, refused.text) == (503, "2 pictures are waiting already")
        assert [answer.result().status_code for answer in first] == [200, 200, 200]


def test_a_net_that_cannot_warm_up_ends_the_server(example: Any, folder: Path) -> None:
    net, arg_params, aux_params = example.net.mx.model.load_checkpoint("model_mxnet", 0)
    del arg_params["fc_weight"]
    example.net.mx.model.save_checkpoint("partial", 0, net, arg_params, aux_params)
    command = [sys.executable, "server.py", "--prefix", "partial", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == -signal.SIGTERM
    assert "the net cannot be warmed up" in done.stderr
    assert "fc_weight is not presented" in done.stderr


def test_a_net_without_softmax_is_not_served(example: Any, folder: Path) -> None:
    net, *params = example.net.mx.model.load_checkpoint("model_mxnet", 0)
    example.net.mx.model.save_checkpoint("logits", 0, net.get_internals()["fc_output"], *params)
    with pytest.raises(ValueError, match="convert it with --softmax"):
        example.net.Net("logits", 0, largest=1)


def test_fine_tuning_learns_and_is_served(example: Any, folder: Path) -> None:
    """From chance to nearly all, on pictures that nothing has seen."""
    done = subprocess.run([sys.executable, "finetune.py"], capture_output=True, text=True, check=False)
    found = re.search(r"(\d\.\d+) before, (\d\.\d+) after", done.stdout)
    assert found, done.stderr
    assert float(found[1]) < 0.4
    assert float(found[2]) > 0.9
    _, before, _ = example.net.mx.model.load_checkpoint("model_mxnet", 0)
    _, after, _ = example.net.mx.model.load_checkpoint("tuned", 6)
    same = {name for name in set(before) & set(after) if (before[name] == after[name]).asnumpy().all()}
    assert same == set(example.model_mxnet.FIXED_PARAMS)
    pictures, labels = example.pictures.drawn(200, seed=7)
    with example.load_test.serving("--prefix", "tuned", "--epoch", "6") as (_, address):
        run = example.load_test.load(address, pictures, clients=8)
    assert run.answers.shape == (200, len(example.pictures.SHAPES))
    assert (run.answers.argmax(1) == labels).mean() > 0.9


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        README.write_text(rewritten(README.read_text(encoding="utf-8"), Path(home)), encoding="utf-8")
