"""The files of a checkpoint: several with an index, numpy's, folders; whole modules, and what is hostile."""

from __future__ import annotations

import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.command import fx2mx, snapshot
from tests.test_checkpoint import Net, assert_equal, refusal, trained
from tracer.checkpoint import load_weights

ROOT = Path(__file__).parent.parent
CORRUPT = "is corrupt or not a checkpoint: save or download it again ("
State = dict[str, torch.Tensor]


def sharded(folder: Path, state: State, kind: str = "safetensors", shards: int = 3) -> Path:
    """A state dict in several files, and the index of them."""
    stem = "model" if kind == "safetensors" else "pytorch_model"
    places = {key: f"{stem}-{i % shards + 1:05}-of-{shards:05}.{kind}" for i, key in enumerate(state)}
    for name in set(places.values()):
        part = {key: value for key, value in state.items() if places[key] == name}
        save_file(part, folder / name) if kind == "safetensors" else torch.save(part, folder / name)
    index = folder / f"{stem}.{kind}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    return index


def without_the_tied() -> State:
    return {k: v for k, v in trained().state_dict().items() if k != "tied.weight"}


def arrays() -> dict[str, Any]:
    return {key: value.numpy() for key, value in trained().state_dict().items()}


# Several files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
@pytest.mark.parametrize("prefix", ["", "model."])
def test_an_index_and_its_shards(tmp_path: Path, kind: str, prefix: str) -> None:
    net = trained(2)
    index = sharded(tmp_path, {prefix + k: v for k, v in without_the_tied().items()}, kind)
    taken = f", prefix '{prefix}' taken off" if prefix else ""
    assert load_weights(net, index) == f"{index.name}: 9 tensors{taken}"
    assert_equal(net, trained())
    assert net.tied.weight is net.fc.weight
    assert load_weights(trained(2), tmp_path) == f"{tmp_path.name}: 9 tensors{taken}"


def test_a_hook_of_the_net_sees_the_keys_of_all_shards(tmp_path: Path) -> None:
    source = nn.Sequential(nn.utils.weight_norm(nn.Linear(2, 3)))  # keys weight_g, weight_v
    net = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(2, 3)))
    load_weights(net, sharded(tmp_path, source.state_dict()))
    x = torch.randn(4, 2)
    assert torch.allclose(net(x), source(x), atol=1e-6)


MEASURED = """
import resource, sys, torch
from torch import nn
from tracer.checkpoint import load_weights
net = nn.Sequential(*[nn.Linear(1024, 4096, bias=False) for _ in range(8)])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
load_weights(net, sys.argv[1])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_shards_are_read_one_at_a_time(tmp_path: Path, kind: str) -> None:
    """The net has 128 MB in 8 shards of 16; those of one shard, and a little, come on top while it is loaded."""
    state = {f"{i}.weight": torch.ones(4096, 1024) for i in range(8)}
    index = sharded(tmp_path, state, kind, shards=8)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(index)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 48, done.stdout


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({"a": "../w.safetensors"}, "names '../w.safetensors', which is no weights file in its folder"),
        ({"a": "/etc/w.safetensors"}, "names '/etc/w.safetensors', which is no weights file in its folder"),
        ({"a": "x/..\\..\\w.bin"}, "which is no weights file in its folder: download it again"),
        ({"a": "model.py"}, "names 'model.py', which is no weights file in its folder"),
        ({"a": "none.bin"}, "names none.bin, which is not in its folder: download it too"),
        ({"a": "w.bin", "b": "w.bin"}, "w.bin lacks b, which "),
        ({"a": "w.bin", "c": "other.bin"}, "other.bin has a, which another shard of "),
        ({"a": "list.bin"}, "list.bin holds a list, not the tensors that "),
        ({"a": 3}, "is no index of weights, whose weight_map names a file for each key: give model.safetensors"),
        ([], "is no index of weights"),
        (None, "is no index of weights"),
    ],
)  # fmt: skip
def test_an_index_that_is_wrong(tmp_path: Path, places: Any, message: str) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "w.bin")
    torch.save({"a": torch.ones(2), "c": torch.ones(2)}, tmp_path / "other.bin")
    torch.save([torch.ones(2)], tmp_path / "list.bin")
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    assert message in refusal(index)
    assert "\n" not in refusal(index)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\x00\xff", "[]", '"a"', "3"])
def test_an_index_that_is_no_json(tmp_path: Path, text: str) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_bytes(text.encode("latin-1"))
    assert refusal(index).startswith(
        (f"{index} is no JSON that can be read", f"{index} is no index of weights")
    )


# numpy's -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_of_numpy(tmp_path: Path, save: Any) -> None:
    net = trained(2)
    save(tmp_path / "w.npz", **arrays(), epoch=np.array("three"), kept=np.zeros(2, [("x", "f4")]))
    assert load_weights(net, tmp_path / "w.npz") == "w.npz: 10 tensors, not tensors and left out: epoch, kept"
    assert_equal(net, trained())


def test_arrays_of_another_dtype(tmp_path: Path) -> None:
    net = trained(2)
    changed = {key: value.astype(">f8") if value.ndim else value for key, value in arrays().items()}
    np.savez(tmp_path / "w.npz", **changed)
    assert load_weights(net, tmp_path / "w.npz") == "w.npz: 10 tensors, rounded from float64"
    assert_equal(net, trained())


def test_arrays_with_pickles_are_not_read(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            return eval, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    np.savez(tmp_path / "w.npz", **arrays(), extra=np.array([Hostile()], dtype=object))
    assert load_weights(Net(), tmp_path / "w.npz").endswith("not tensors and left out: extra")
    np.savez(tmp_path / "w.npz", **{**arrays(), "fc.bias": np.array([Hostile()], dtype=object)})
    assert "missing from the file (1): fc.bias" in refusal(tmp_path / "w.npz")
    assert not (tmp_path / "ran").exists()


def bomb(path: Path, size: int) -> None:
    """An .npz in which a key of the net has so many numbers, all of them zero, in few bytes."""
    np.savez_compressed(path, **{key: value for key, value in arrays().items() if key != "fc.bias"})
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("fc.bias.npy", "w") as file,
    ):
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (size // 4,)}
        )
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb(tmp_path / "w.npz", 1 << 28)
    before = snapshot(tmp_path)
    (tmp_path / "model.py").write_text("from tests.test_checkpoint import Net\n")
    code = (
        "import resource, sys; from tests.test_checkpoint import refusal; from pathlib import Path; "
        "start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; print(refusal(Path(sys.argv[1]))); "
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "w.npz")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    *text, megabytes = done.stdout.splitlines()
    assert text[-1] == f"  of another shape (1): fc.bias ({1 << 26},), in the net (5,)"
    assert int(megabytes) < 64
    assert snapshot(tmp_path).items() >= before.items()


def test_a_compressed_zip_of_torch(tmp_path: Path) -> None:
    """It would be mapped as it stands: as other numbers."""
    path = tmp_path / "w.pth"
    torch.save(trained().state_dict(), path)
    with (
        zipfile.ZipFile(path) as old,
        zipfile.ZipFile(tmp_path / "new.pth", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert refusal(tmp_path / "new.pth") == (
        f"{tmp_path}/new.pth is a compressed zip, which torch.save does not write: save it again with torch.save, "
        "or name it .npz if numpy wrote it"
    )


# A folder ----------------------------------------------------------------------------------------


def test_a_folder_of_one(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert refusal(tmp_path) == (
        f"{tmp_path} is a folder without a weights file: give one, or a folder of one (.safetensors, .pth, .pt, "
        ".bin, .npz or .index.json)"
    )
    torch.save(trained().state_dict(), tmp_path / "best.pth")
    net = trained(2)
    assert load_weights(net, f"{tmp_path}/") == f"{tmp_path.name}: 10 tensors"
    assert_equal(net, trained())
    torch.save(trained().state_dict(), tmp_path / "last.pth")
    assert refusal(tmp_path) == f"{tmp_path} is a folder of 2 weights files: give one of best.pth, last.pth"


def test_the_order_in_a_folder(tmp_path: Path) -> None:
    """As transformers reads it: safetensors before torch's, one file before several."""
    torch.save(trained(3).state_dict(), tmp_path / "other.bin")
    for number, write in enumerate(
        [
            lambda state: sharded(tmp_path, state, "bin"),
            lambda state: torch.save(state, tmp_path / "pytorch_model.bin"),
            lambda state: sharded(tmp_path, state, "safetensors"),
            lambda state: save_file(state, tmp_path / "model.safetensors"),
        ],
        start=10,
    ):
        write({k: v for k, v in trained(number).state_dict().items() if k != "tied.weight"})
        net = trained(2)
        load_weights(net, tmp_path)
        assert_equal(net, trained(number))


# A whole module ----------------------------------------------------------------------------------


class Opaque:
    """What a checkpoint should not hold."""


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("keys", [(), ("model",), ("ema", "net")])
def test_a_pickled_module(tmp_path: Path, zipped: bool, keys: tuple[str, ...]) -> None:
    """The two lines of the refusal make a state dict of it, which loads."""
    content: Any = trained()
    for key in reversed(keys):
        content = {"epoch": 3, "args": Opaque(), key: content}
    path = tmp_path / "w.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    first, *lines = refusal(path).splitlines()
    under = f", under {'.'.join(keys)!r}" if keys else ""
    assert first == (
        f"{path} holds a whole pickled nn.Module, tests.test_checkpoint.Net{under}, and to read it runs its code: "
        "where you trust it, and its class can be imported, save its state dict"
    )
    subscripts = "".join(f'["{key}"]' for key in keys)
    assert lines == [
        f'  import torch; net = torch.load("{path}", map_location="cpu", weights_only=False){subscripts}',
        '  torch.save(net.state_dict(), "w_state.pth")',
    ]
    code = "\n".join(line.strip() for line in lines)
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True
    )
    net = trained(2)
    load_weights(net, tmp_path / "w_state.pth")
    assert_equal(net, trained())


@pytest.mark.parametrize("protocol", range(5))
def test_a_module_in_a_plain_pickle(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "w.pkl"
    path.write_bytes(pickle.dumps(trained(), protocol=protocol))
    assert "holds a whole pickled nn.Module, tests.test_checkpoint.Net, " in refusal(path)


def test_a_module_that_is_hostile_is_not_run(tmp_path: Path) -> None:
    class Hostile(nn.Module):
        def __reduce__(self) -> Any:
            return eval, (f"open({str(tmp_path / 'ran')!r}, 'w')",), self.__dict__

    for zipped in (True, False):
        torch.save({"model": Hostile()}, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
        assert "holds a whole pickled nn.Module, builtins.eval, under 'model'" in refusal(
            tmp_path / "w.pth"
        ).replace("__builtin__", "builtins")
    assert not (tmp_path / "ran").exists()


# Hostile -----------------------------------------------------------------------------------------

HOSTILE: dict[str, bytes] = {
    "huge header.safetensors": struct.pack("<Q", 1 << 62) + b"{}",
    "no header.safetensors": struct.pack("<Q", 8) + b"[1, 2, 3",
    "noise.npz": bytes(range(255, 0, -1)) * 9,
    "half.npz": b"PK\x03\x04" + bytes(200),
    "half.pth": b"PK\x03\x04" + bytes(200),
    "recursion.pth": b"\x80\x02" + b"(" * 100_000,
    "memory.pth": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"x",
    "list.pth": pickle.dumps([1, 2], protocol=2),
    "none.pth": pickle.dumps(None, protocol=2),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_a_plain_error(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(HOSTILE[name])
    Path("model.py").write_text((ROOT / "tests/nets/cli.py").read_text())
    before = snapshot(tmp_path)
    done = fx2mx("model.py:XXNet", "--out", "m.py", "--input", "1,3,8,8", "--weights", name)
    assert done.status == 2
    text = done.err.partition("error: ")[2]
    assert text.startswith(name)
    assert text.count("\n") == 1
    assert "defect" not in text
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("kind", ["pth", "npz", "safetensors"])
def test_files_that_are_cut_anywhere(tmp_path: Path, kind: str) -> None:
    """Whatever is missing at the end: an error, or, where it was of no matter, the right values."""
    path = tmp_path / f"w.{kind}"
    if kind == "npz":
        np.savez(path, **arrays())
    else:
        torch.save(trained().state_dict(), path) if kind == "pth" else save_file(without_the_tied(), path)
    whole = path.read_bytes()
    for place in range(1, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:place])
        text = refusal(path)
        assert CORRUPT in text or "is a text file" in text or "missing from the file" in text, text
