"""The net's keys in a checkpoint: where they stand, what was taken off, what is left over, what is ambiguous."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
import pytest
import torch
from torch import nn

from codegen.problems import RequestError
from tests.command import fx2mx
from tests.test_checkpoint import Net, assert_equal, prefixed, refusal, trained
from tests.test_checkpoint_files import sharded
from tracer.checkpoint import load_weights
from tracer.options import WeightsChoice

ONES = torch.ones(3)
TWICE = "w.pth holds the weights of Net 2 times, "


def saved(folder: Path, content: Any) -> Path:
    torch.save(content, folder / "w.pth")
    return folder / "w.pth"


def chosen(path: Path, **choice: Any) -> str:
    """The note of a load that must give the values of `trained()`."""
    net = trained(2)
    note = load_weights(net, path, WeightsChoice(**choice))
    assert_equal(net, trained())
    return note.removeprefix("w.pth: 10 tensors").removeprefix(", ")


def refused(path: Path, **choice: Any) -> str:
    with pytest.raises(RequestError) as caught:
        load_weights(Net(), path, WeightsChoice(**choice))
    return str(caught.value)


# Where they stand --------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", ["params_ema", "g_ema", "generator", "state_dict.model", "a.b.c.d", "0"])
def test_under_any_key(tmp_path: Path, keys: str) -> None:
    content: Any = trained().state_dict()
    for key in reversed(keys.split(".")):
        content = {key: content, "optimizer": {"state": {0: {"exp_avg": ONES}}}, "epoch": 3}
    assert chosen(saved(tmp_path, content)) == f"under '{keys}'"


@pytest.mark.parametrize("prefix", ["net.", "net.backbone.", "model.net.", "student.module.", "0."])
def test_behind_any_prefix(tmp_path: Path, prefix: str) -> None:
    path = saved(tmp_path, prefixed(trained().state_dict(), prefix))
    assert chosen(path) == f"prefix '{prefix}' taken off"


def test_the_version_of_a_state_behind_any_prefix(tmp_path: Path) -> None:
    """BatchNorm's: without one the file would be as of old torch, and lack no num_batches_tracked."""
    holder = nn.Module()
    holder.net = nn.ModuleDict({"backbone": trained()})
    note = chosen(saved(tmp_path, {"state_dict": holder.state_dict()}))
    assert note == "under 'state_dict', prefix 'net.backbone.' taken off"


def test_beside_other_keys(tmp_path: Path) -> None:
    state = {"criterion.weight": ONES, **prefixed(trained().state_dict(), "model."), "model.total_ops": ONES}
    assert chosen(saved(tmp_path, {"state_dict": state})) == (
        "under 'state_dict', prefix 'model.' taken off, left over beside them: criterion.weight, model.total_ops"
    )


def test_what_training_leaves_beside_the_keys(tmp_path: Path) -> None:
    more = {"total_ops": ONES, "conv.total_ops": ONES, "conv.total_params": ONES, "criterion.weight": ONES}
    path = saved(tmp_path, {**trained().state_dict(), **more, "loss.a": ONES, "loss.b": ONES})
    assert chosen(path) == (
        "left over beside them: total_ops, conv.total_ops, conv.total_params, criterion.weight, loss.a ... and 1 more"
    )


def test_a_net_with_such_a_key_of_its_own(tmp_path: Path) -> None:
    net = Net()
    net.criterion = nn.BCEWithLogitsLoss(pos_weight=torch.ones(5))
    other = Net()
    other.criterion = nn.BCEWithLogitsLoss(pos_weight=torch.zeros(5))
    assert "left over" not in load_weights(net, saved(tmp_path, other.state_dict()))
    assert torch.equal(net.criterion.pos_weight, torch.zeros(5))


def test_a_layer_more_than_the_net_has(tmp_path: Path) -> None:
    """Under the net's own prefix it is one of its layers: the net was built too small."""
    state = prefixed({**trained().state_dict(), "layer5.weight": ONES}, "net.")
    assert refusal(saved(tmp_path, state)) == (
        "w.pth does not fit Net, which has fewer keys: build it to fit with --kwargs, or leave them out with "
        "--ignore-keys\n"
        "  not in the net (1): layer5.weight\n"
        "  what was read: prefix 'net.' taken off"
    )
    note = "prefix 'net.' taken off, left out by --ignore-keys: net.layer5.weight"
    for pattern in ("layer5.*", "net.layer5.weight", "*5*"):
        assert chosen(tmp_path / "w.pth", ignored=(pattern,)) == note


def test_a_large_file_and_a_small_net(tmp_path: Path) -> None:
    """Of another net's many layers none is taken for the whole of a small one."""
    state = {f"layers.{i}.weight": torch.ones(2, 2) * i for i in range(9)}
    text = refusal(saved(tmp_path, state), nn.Linear(2, 2))
    assert text.splitlines()[1:] == [
        "  missing from the file (2): bias; weight",
        "  not in the net (9): layers.0.weight; layers.1.weight; layers.2.weight; layers.3.weight; "
        "layers.4.weight ... and 4 more",
    ]


# What is ambiguous -------------------------------------------------------------------------------


def test_two_keys_with_the_nets_weights(tmp_path: Path) -> None:
    path = saved(tmp_path, {"params": trained(3).state_dict(), "params_ema": trained().state_dict()})
    assert (
        refusal(path) == f"{TWICE}under 'params', under 'params_ema': say which, such as --weights-key params"
    )
    assert chosen(path, key="params_ema") == "under 'params_ema'"


def test_a_key_within_the_state(tmp_path: Path) -> None:
    path = saved(tmp_path, {**trained().state_dict(), "old": {"state": trained(3).state_dict()}})
    assert (
        refusal(path) == f"{TWICE}at its top, under 'old.state': say which, such as --weights-key old.state"
    )
    assert chosen(path, key="") == "not tensors and left out: old"


def test_two_prefixes_with_the_nets_weights(tmp_path: Path) -> None:
    query, key = prefixed(trained().state_dict(), "q."), prefixed(trained(3).state_dict(), "k.")
    path = saved(tmp_path, {**query, **key})
    text = "behind the prefix 'q.', behind the prefix 'k.': say which, such as --strip-prefix q."
    assert refusal(path) == TWICE + text
    names = [f"k.{name}" for name in trained().state_dict()]
    assert chosen(path, prefix="q.") == (
        f"prefix 'q.' taken off, left over beside them: {', '.join(names[:5])} ... and 5 more"
    )
    assert chosen(path, ignored=("k.*",)).startswith("prefix 'q.' taken off, left out by --ignore-keys: k.")


def test_many_that_fit_are_counted(tmp_path: Path) -> None:
    path = saved(tmp_path, {f"step{i}": trained(i).state_dict() for i in range(1, 9)})
    assert refusal(path) == (
        "w.pth holds the weights of Net 8 times, under 'step1', under 'step2', under 'step3', under 'step4', "
        "under 'step5' ... and 3 more: say which, such as --weights-key step1"
    )


def test_the_same_values_twice_are_not_ambiguous(tmp_path: Path) -> None:
    state = trained().state_dict()
    assert chosen(saved(tmp_path, {"model": state, "ema": state})) == "under 'model'"
    assert chosen(saved(tmp_path, {"model": state, "ema": trained().state_dict()})) == "under 'model'"


def test_two_that_the_nets_hooks_make_fit(tmp_path: Path) -> None:
    """None holds the net's keys, since it renames them when they are loaded."""
    net = nn.utils.parametrizations.weight_norm(nn.Linear(2, 3))
    states = [nn.utils.weight_norm(nn.Linear(2, 3)).state_dict() for _ in range(2)]  # weight_g, weight_v
    assert load_weights(net, saved(tmp_path, {"state_dict": states[0]})).endswith("under 'state_dict'")
    path = saved(tmp_path, dict(zip(("a", "b"), states, strict=True)))
    assert "under 'a', under 'b': say which, such as --weights-key a" in refusal(path, net)


# What the options say ----------------------------------------------------------------------------


def test_options_that_fit_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path, {"model": trained().state_dict(), "epoch": 3})
    assert refused(path, key="ema") == (
        "--weights-key ema: w.pth has no state dict there; those it has are model"
    )
    assert refused(path, key="epoch").startswith("--weights-key epoch: w.pth has no state dict there")
    assert refused(path, prefix="net.") == (
        "--strip-prefix net.: no key of w.pth begins so; they begin with conv, bn, fc, tied"
    )
    assert chosen(path, ignored=("head.*",)) == "under 'model', left out by --ignore-keys: nothing"
    flat = saved(tmp_path, trained().state_dict())
    assert refused(flat, key="ema") == (
        "--weights-key ema: w.pth has no state dict there; it holds one, under no key"
    )


def test_what_the_net_needs_cannot_be_ignored(tmp_path: Path) -> None:
    path = saved(tmp_path, trained().state_dict())
    assert refused(path, ignored=("conv.*",)).endswith(
        "\n  missing from the file (2): conv.bias; conv.weight"
    )


def test_a_prefix_that_is_not_taken_off(tmp_path: Path) -> None:
    path = saved(tmp_path, prefixed(trained().state_dict(), "model."))
    assert "not in the net (10): model.bn.bias; " in refused(path, prefix="")


def test_keys_that_are_no_names(tmp_path: Path) -> None:
    state = {**trained().state_dict(), "": ONES, "..": ONES, "a\nb": ONES, "x" * 5000: ONES}
    first, second = refusal(saved(tmp_path, {"state_dict": state, "a.b": {"c": {}}, 3: {}})).splitlines()[:2]
    assert first.startswith("w.pth does not fit Net, which has fewer keys")
    assert second == f"  not in the net (4): ; ..; 'a\\nb'; {'x' * 300}..."


def test_two_keys_that_are_written_alike(tmp_path: Path) -> None:
    path = saved(tmp_path, {"a.b": {"c": trained().state_dict()}, "a": {"b.c": trained(3).state_dict()}})
    assert refusal(path).startswith(f"{TWICE}under 'a.b.c', under 'a.b.c'")


def test_dicts_that_hold_each_other_end(tmp_path: Path) -> None:
    content: dict[str, Any] = {"state_dict": trained().state_dict()}
    content["self"] = content
    level = content
    for _ in range(40):  # as many paths as 2 to the 40th
        level["a"] = level["b"] = {}
        level = level["a"]
    assert chosen(saved(tmp_path, content)) == "under 'state_dict'"


# The command -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "note"),
    [
        (["--weights", "w.pth", "--weights-key", "ema.params"], "w.pth: 4 tensors, under 'ema.params'"),
        (["--weights", "w.pth", "--weights-key", "both", "--strip-prefix", "q"], "w.pth: 4 tensors, under 'both', "
            "prefix 'q.' taken off, left over beside them: k.conv1.weight, k.conv1.bias, k.fc.weight, k.fc.bias"),
        (["--weights", "w.pth", "--weights-key", "more", "--ignore-keys", "a.*", "--ignore-keys", "b"], "w.pth: "
            "4 tensors, under 'more', left out by --ignore-keys: a.c, b"),
        (["--weights", "shards"], "shards: 4 tensors, prefix 'net.' taken off"),
        (["--weights", "w.npz"], "w.npz: 4 tensors"),
    ],
)  # fmt: skip
def test_the_command_converts_the_chosen_weights(
    options: list[str], note: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text((Path(__file__).parent / "nets/cli.py").read_text())
    shapes = {"conv1.weight": (4, 3, 3, 3), "conv1.bias": (4,), "fc.weight": (2, 4), "fc.bias": (2,)}
    torch.manual_seed(7)
    state, other = ({key: torch.randn(shape) for key, shape in shapes.items()} for _ in range(2))
    both = {**prefixed(state, "q."), **prefixed(other, "k.")}
    more = {**state, "a.c": ONES, "b": ONES}
    torch.save({"params": other, "ema": {"params": state}, "both": both, "more": more}, "w.pth")
    Path("shards").mkdir()
    sharded(Path("shards"), prefixed(state, "net."))
    np.savez("w.npz", **{key: value.numpy() for key, value in state.items()})
    command = ("model.py:XXNet", "--out", "model_mxnet.py", "--input", "1,3,8,8", *options)
    done = fx2mx(*command)
    assert done.status == 0, done.err
    assert f"\n{note}\n" in done.err
    assert "agrees with torch" in done.err
    _, arg_params, _ = mx.model.load_checkpoint("model_mxnet", 0)
    assert np.array_equal(arg_params["conv1_weight"].asnumpy(), state["conv1.weight"].numpy())
    assert fx2mx(*command, "--check").status == 0


def test_options_of_weights_without_weights() -> None:
    for option in ("--weights-key", "--strip-prefix", "--ignore-keys"):
        done = fx2mx("model.py:XXNet", "--out", "m.py", option, "x")
        assert done.status == 2
        assert done.err.endswith(
            "Error: --weights-key, --strip-prefix and --ignore-keys need --weights FILE\n"
        )
