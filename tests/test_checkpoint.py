"""Checkpoints: every form that is read, and the exact words for those that are not."""

from __future__ import annotations

import argparse
import os
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from codegen.problems import RequestError, UserModelError
from tracer.checkpoint import load_weights

RESAVE = 'torch.save(model.state_dict(), "weights.pth")'


class Net(nn.Module):
    """A convolution, a BatchNorm, a tied pair of Linears and a constant that is not persistent."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, classes)
        self.tied = nn.Linear(4, classes, bias=False)
        self.tied.weight = self.fc.weight
        self.register_buffer("ids", torch.arange(3), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) to (N, classes)."""
        x = self.bn(self.conv(x)).mean((2, 3))
        return self.fc(x) + self.tied(x)


class Wrapped(nn.Module):
    """A net whose own keys begin with `model.`."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Linear(2, 2)


class Custom:
    """What a checkpoint should not hold."""


def trained(seed: int = 1) -> Net:
    """A net with values that no other seed gives."""
    torch.manual_seed(seed)
    net = Net().eval()
    with torch.no_grad():
        for tensor in net.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5)
    return net


def prefixed(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + key: value for key, value in state.items()}


def assert_equal(net: nn.Module, other: nn.Module) -> None:
    state, wanted = net.state_dict(), other.state_dict()
    assert list(state) == list(wanted)
    assert all(torch.equal(state[key], wanted[key]) for key in state)


def refusal(path: Path, net: nn.Module | None = None) -> str:
    with pytest.raises(RequestError) as caught:
        load_weights(net or Net(), path)
    return str(caught.value)


# What is read ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["pth", "pt", "bin"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_dict(tmp_path: Path, suffix: str, zipped: bool) -> None:
    source, net, path = trained(), trained(2), tmp_path / f"weights.{suffix}"
    torch.save(source.state_dict(), path, _use_new_zipfile_serialization=zipped)
    assert load_weights(net, path) == f"weights.{suffix}: 10 tensors"
    assert_equal(net, source)
    assert net.tied.weight is net.fc.weight


@pytest.mark.parametrize("dropped", [["tied.weight"], ["fc.weight"], ["fc.weight", "bn.num_batches_tracked"]])
def test_safetensors_without_the_tied_name(tmp_path: Path, dropped: list[str]) -> None:
    source, net, path = trained(), trained(2), tmp_path / "model.safetensors"
    state = {k: v for k, v in source.state_dict().items() if k not in dropped}
    save_file(state, path)
    assert load_weights(net, path) == f"model.safetensors: {len(state)} tensors"
    assert_equal(net, source)
    assert net.tied.weight is net.fc.weight


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict", "net", "ema"])
def test_under_a_key(tmp_path: Path, key: str) -> None:
    source, net, path = trained(), trained(2), tmp_path / "weights.pth"
    torch.save({"epoch": 3, key: source.state_dict(), "optimizer": {"lr": 0.1}}, path)
    assert load_weights(net, path) == f"weights.pth: 10 tensors, under '{key}'"
    assert_equal(net, source)


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod.", "model._orig_mod.module."]
)
def test_prefixes_come_off(tmp_path: Path, prefix: str) -> None:
    source, net, path = trained(), trained(2), tmp_path / "weights.pth"
    torch.save({"state_dict": prefixed(source.state_dict(), prefix)}, path)
    note = f"weights.pth: 10 tensors, under 'state_dict', prefix '{prefix}' taken off"
    assert load_weights(net, path) == note
    assert_equal(net, source)


def test_a_prefix_of_the_nets_own_stays(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source, net, path = Wrapped(), Wrapped(), tmp_path / "weights.pth"
    torch.save(source.state_dict(), path)
    assert load_weights(net, path) == "weights.pth: 2 tensors"
    assert_equal(net, source)
    torch.save(prefixed(source.state_dict(), "module."), path)
    assert load_weights(net, path) == "weights.pth: 2 tensors, prefix 'module.' taken off"


def test_a_prefix_that_one_key_lacks_stays(tmp_path: Path) -> None:
    state = prefixed(trained().state_dict(), "module.")
    state["fc.bias"] = state.pop("module.fc.bias")
    torch.save(state, tmp_path / "weights.pth")
    assert refusal(tmp_path / "weights.pth").endswith(
        "\n  missing from the file (1): fc.bias"
        "\n  what was read: prefix 'module.' taken off, left over beside them: fc.bias"
    )


@pytest.mark.parametrize(
    ("dtype", "note"),
    [
        (torch.float16, "widened from float16"),
        (torch.bfloat16, "widened from bfloat16"),
        (torch.float64, "rounded from float64"),
    ],
)
def test_other_dtypes(tmp_path: Path, dtype: torch.dtype, note: str) -> None:
    source, net, path = trained().to(dtype), trained(2), tmp_path / "weights.pth"
    torch.save(source.state_dict(), path)
    assert load_weights(net, path) == f"weights.pth: 10 tensors, {note}"
    assert net.conv.weight.dtype is torch.float32
    assert torch.equal(net.conv.weight, source.conv.weight.float())


def test_a_half_net_takes_a_half_file(tmp_path: Path) -> None:
    torch.save(trained().half().state_dict(), tmp_path / "weights.pth")
    assert load_weights(trained(2).half(), tmp_path / "weights.pth") == "weights.pth: 10 tensors"


def test_inert_types_beside_the_weights(tmp_path: Path) -> None:
    extras = {
        "args": argparse.Namespace(lr=0.1, name="x"),
        "best": np.float64(0.9),
        "count": np.int64(3),
        "flag": np.bool_(True),
        "dtype": np.dtype("float32"),
    }
    for zipped in (True, False):
        net, path = trained(2), tmp_path / "weights.pth"
        content = {**extras, "state_dict": trained().state_dict()}
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        assert load_weights(net, path) == "weights.pth: 10 tensors, under 'state_dict'"


def test_numpy_scalars_of_numpy_2(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    content = {"best": np.float64(0.9), "net": trained().state_dict()}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    old, new = b"cnumpy.core.multiarray\nscalar", b"cnumpy._core.multiarray\nscalar"
    assert path.read_bytes().count(old) == 1
    path.write_bytes(path.read_bytes().replace(old, new))
    assert load_weights(trained(2), path) == "weights.pth: 10 tensors, under 'net'"


def test_what_is_no_tensor_is_named(tmp_path: Path) -> None:
    torch.save({"epoch": 4, **trained().state_dict()}, tmp_path / "weights.pth")
    note = load_weights(Net(), tmp_path / "weights.pth")
    assert note == "weights.pth: 10 tensors, not tensors and left out: epoch"


def test_counters_of_old_torch_and_constants_are_no_matter(tmp_path: Path) -> None:
    source, net, path = trained(), trained(2), tmp_path / "weights.pth"
    state = OrderedDict(source.state_dict())
    del state["bn.num_batches_tracked"]
    state._metadata = source.state_dict()._metadata  # type: ignore[attr-defined]
    state["ids"] = torch.arange(3)
    torch.save(state, path)
    load_weights(net, path)
    assert_equal(net, source)
    torch.save({**state, "ids": torch.arange(1, 4)}, path)
    assert refusal(path).endswith("not in the net (1): ids")


def test_renaming_hooks_of_the_net_work(tmp_path: Path) -> None:
    source = nn.utils.weight_norm(nn.Linear(2, 3))  # keys weight_g, weight_v
    net, path = nn.utils.parametrizations.weight_norm(nn.Linear(2, 3)), tmp_path / "weights.pth"
    torch.save(source.state_dict(), path)
    load_weights(net, path)
    x = torch.randn(4, 2)
    assert torch.allclose(net(x), source(x), atol=1e-6)


def test_what_a_hook_of_the_net_drops_stays_the_nets_own(tmp_path: Path) -> None:
    source, net = trained(), trained(2)
    own = net.fc.bias.clone()

    def drop(module: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        del state[f"{prefix}bias"]

    net.fc.register_load_state_dict_pre_hook(drop)
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    load_weights(net, tmp_path / "weights.pth")
    assert torch.equal(net.fc.bias, own)
    assert torch.equal(net.conv.weight, source.conv.weight)


def test_layers_without_sizes_take_those_of_the_file(tmp_path: Path) -> None:
    source, path = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4)), tmp_path / "weights.pth"
    net = nn.Sequential(nn.LazyLinear(3), nn.Linear(3, 4))
    torch.save(source.state_dict(), path)
    load_weights(net, path)
    assert torch.equal(net[0].weight, source[0].weight)
    torch.save({**source.state_dict(), "1.bias": torch.ones(9)}, path)
    net = nn.Sequential(nn.LazyLinear(3), nn.Linear(3, 4))
    assert refusal(path, net).endswith("of another shape (1): 1.bias (9,), in the net (4,)")


def test_a_mapped_file_is_not_changed(tmp_path: Path) -> None:
    net, path = Net(), tmp_path / "weights.pth"
    torch.save(trained().state_dict(), path)
    before = path.read_bytes()
    load_weights(net, path)
    with torch.no_grad():
        net.conv.weight.zero_()
    assert path.read_bytes() == before


# What is refused ---------------------------------------------------------------------------------


def test_every_key_that_does_not_fit_is_listed(tmp_path: Path) -> None:
    state = trained().state_dict()
    del state["conv.bias"], state["bn.running_var"]
    state["head.weight"] = torch.ones(1)
    state["fc.bias"] = torch.ones(1000)
    state["bn.weight"] = torch.ones(8)
    state["conv.weight"] = state["conv.weight"].to(torch.int8)
    torch.save(state, tmp_path / "weights.pth")
    assert refusal(tmp_path / "weights.pth") == "\n".join(
        [
            "weights.pth does not fit Net: give the weights of this net, or build it to fit with --kwargs",
            "  missing from the file (2): bn.running_var; conv.bias",
            "  not in the net (1): head.weight",
            "  of another shape (2): bn.weight (8,), in the net (4,); fc.bias (1000,), in the net (5,)",
            "  of another kind (1): conv.weight int8, in the net float32",
        ]
    )


def test_complex_values_lose_no_half(tmp_path: Path) -> None:
    torch.save(
        {**trained().state_dict(), "conv.bias": torch.ones(4, dtype=torch.complex64)}, tmp_path / "w.pth"
    )
    text = refusal(tmp_path / "w.pth")
    assert text.endswith("  of another kind (1): conv.bias complex64, in the net float32")


def test_a_checkpoint_of_another_net(tmp_path: Path) -> None:
    torch.save({"module.body.weight": torch.ones(3)}, tmp_path / "weights.pth")
    text = refusal(tmp_path / "weights.pth", nn.Linear(2, 2))
    assert text.endswith(
        "missing from the file (2): bias; weight\n  not in the net (1): body.weight"
        "\n  what was read: prefix 'module.' taken off"
    )


def test_no_file_an_empty_file_a_device(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pth"
    empty.touch()
    assert refusal(tmp_path / "none.pth") == f"no such file: {tmp_path}/none.pth"
    assert refusal(empty) == f"{empty} is empty: save or download it again"
    os.mkfifo(tmp_path / "pipe.pth")
    for path in (tmp_path / "pipe.pth", Path("/dev/zero")):
        assert refusal(path) == f"{path} is neither a file nor a folder: give the weights file"


def test_a_git_lfs_pointer(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert refusal(path) == f"{path} is a Git LFS pointer, not the weights: run `git lfs pull`"


@pytest.mark.parametrize("kind", ["cut zip", "cut legacy", "noise", "cut safetensors"])
def test_corrupt_files(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("w.safetensors" if "safetensors" in kind else "w.pth")
    if kind == "cut safetensors":
        save_file({"a": torch.ones(1000)}, path)
    elif kind.startswith("cut"):
        torch.save(trained().state_dict(), path, _use_new_zipfile_serialization="zip" in kind)
    else:
        path.write_bytes(bytes(range(255, 0, -1)) * 9)
    if kind.startswith("cut"):
        path.write_bytes(path.read_bytes()[:-500])
    text = refusal(path)
    assert text.startswith(f"{path} is corrupt or not a checkpoint: save or download it again (")
    assert "\n" not in text
    assert "Weights only load failed" not in text


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("text", ["<html>not found</html>", "hello\n", "{}", "import torch\n" * 20])
def test_a_text_file(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert refusal(path) == (
        f"{path} is a text file, not a checkpoint: give the file that torch.save or safetensors wrote"
    )


@pytest.mark.parametrize("content", [b"e\x00", b"\xe9\x00", b"\x00", b"\x80\x02}q\x00.", b"(\xff" * 99])
def test_the_reason_is_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    reason = refusal(path).removeprefix(f"{path} is corrupt or not a checkpoint: save or download it again (")
    assert re.fullmatch(r"[A-Za-z].{8,}\)", reason)


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    np.savez(path.with_suffix(".npz"), a=np.ones(3))
    path.with_suffix(".npz").rename(path)
    assert refusal(path).startswith(f"{path} is corrupt or not a checkpoint: save or download it again (")


def test_a_checkpoint_with_code_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"state_dict": trained().state_dict(), "extra": Custom()}, path)
    name = f"{Custom.__module__}.Custom"
    expected = (
        f"{path} cannot be read without running code of its own ({name}): where you trust it, load it "
        f"with torch.load(..., weights_only=False) and save the state dict alone with {RESAVE}"
    )
    assert refusal(path) == expected
    torch.save({"extra": Custom()}, path, _use_new_zipfile_serialization=False)
    assert refusal(path) == expected


def test_a_hostile_pickle_runs_nothing(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            return eval, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    for protocol_zip in (True, False):
        torch.save({"a": Hostile()}, tmp_path / "w.pth", _use_new_zipfile_serialization=protocol_zip)
        assert "cannot be read without running code of its own (" in refusal(tmp_path / "w.pth")
    (tmp_path / "w.pth").write_bytes(pickle.dumps(Hostile()))
    assert str(tmp_path / "w.pth") in refusal(tmp_path / "w.pth")
    assert not (tmp_path / "ran").exists()


def test_a_torchscript_archive(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), path)
    save = 'torch.save(torch.jit.load("w.pt").state_dict(), "weights.pth")'
    assert refusal(path) == f"{path} is a TorchScript archive: save its state dict with {save}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"epoch": 3, "lr": 0.1},
            "w.pth holds no tensors (its keys: epoch, lr): give a state dict, or one under "
            "state_dict, model, model_state_dict, net, ema",
        ),
        (
            {},
            "w.pth holds no tensors (its keys: nothing): give a state dict, or one under "
            "state_dict, model, model_state_dict, net, ema",
        ),
        (torch.ones(3), f"w.pth holds one tensor, not a state dict: save one with {RESAVE}"),
        ([torch.ones(3)], f"w.pth holds a list, not a state dict: save one with {RESAVE}"),
    ],
)
def test_no_state_dict(tmp_path: Path, content: Any, message: str) -> None:
    torch.save(content, tmp_path / "w.pth")
    assert refusal(tmp_path / "w.pth") == message


class Versioned(nn.Module):
    """Asks for the version of its state, as nets do whose state has changed its form; keeps a text too."""

    _version = 3

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))
        self.classes = "none"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 2) to (N, 2)."""
        return x * self.scale

    def get_extra_state(self) -> Any:
        """What load_state_dict hands back."""
        return {"classes": self.classes}

    def set_extra_state(self, state: Any) -> None:
        """What get_extra_state gave."""
        self.classes = state["classes"]

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args) -> None:  # type: ignore[no-untyped-def]
        if local_metadata.get("version") < 3:  # the old form had the inverse
            state_dict[prefix + "scale"] = 1 / state_dict[prefix + "scale"]
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


class HoldsVersioned(nn.Module):
    """Two of them: in a wrapper, and not."""

    def __init__(self, wrap: Callable[[nn.Module], nn.Module] = lambda net: net) -> None:
        super().__init__()
        self.part = wrap(Versioned())
        self.other = Versioned()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 2) to (N, 2)."""
        return self.part(x) + self.other(x)


def with_values(net: nn.Module) -> nn.Module:
    """The net with a scale of 2 and 4, and a text, in each part."""
    for module in net.modules():
        if isinstance(module, Versioned):
            module.scale.data = torch.tensor([2.0, 4.0])
            module.classes = "cat"
    return net


@pytest.mark.parametrize(
    ("wrap", "within"),
    [(None, None), (nn.DataParallel, None), (None, nn.DataParallel), (torch.compile, torch.compile)],
)
@pytest.mark.parametrize("version", [2, 3])
def test_the_version_of_a_state_survives(
    tmp_path: Path, wrap: Any, within: Any, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = with_values(HoldsVersioned(within) if within else HoldsVersioned())
    monkeypatch.setattr(Versioned, "_version", version)
    state = {"epoch": 3, "state_dict": (wrap(saved) if wrap else saved).state_dict()}
    torch.save(state, tmp_path / "w.pth")
    net = HoldsVersioned()
    load_weights(net, tmp_path / "w.pth")
    wanted = [2.0, 4.0] if version == 3 else [0.5, 0.25]
    assert net.part.scale.tolist() == net.other.scale.tolist() == wanted
    assert net.part.classes == net.other.classes == "cat"


def test_a_net_that_raises_when_it_is_loaded(tmp_path: Path) -> None:
    """safetensors keeps no versions, and torch's own load_state_dict would end in this error too."""
    save_file({"scale": torch.ones(2)}, tmp_path / "w.safetensors")
    with pytest.raises(UserModelError) as caught:
        load_weights(Versioned(), tmp_path / "w.safetensors")
    first, second, *_ = str(caught.value).splitlines()
    assert first.startswith("Versioned raised when the weights were loaded: TypeError: '<' not supported")
    assert second == "Traceback (most recent call last):"
    assert "in _load_from_state_dict" in str(caught.value)
    assert "tracer" not in str(caught.value).replace(str(Path(__file__).parent), "")


@pytest.mark.parametrize("content", [nn.ReLU().state_dict(), {"state_dict": {}, "epoch": 3}])
def test_a_net_without_parameters(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "w.pth")
    assert load_weights(nn.ReLU(), tmp_path / "w.pth").startswith("w.pth: 0 tensors")
    with pytest.raises(RequestError, match=r"w\.pth holds no tensors"):
        load_weights(Net(), tmp_path / "w.pth")


def test_keys_with_wrappers_within(tmp_path: Path) -> None:
    saved = trained()
    saved.conv = nn.DataParallel(saved.conv)
    saved.fc = torch.compile(saved.fc)
    torch.save(saved.state_dict(), tmp_path / "w.pth")
    net = Net()
    assert "module and _orig_mod taken out of the keys" in load_weights(net, tmp_path / "w.pth")
    assert torch.equal(net.conv.weight, saved.conv.module.weight)
