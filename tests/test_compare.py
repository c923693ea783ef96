"""`fx2mx compare`: hand-written ports with one classic mistake each, which is told; right ones agree."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mxnet as mx
import pytest
import torch
from torch import nn

from codegen.ir import Source
from codegen.problems import ConversionError, Problem
from tests.command import Done, fx2mx
from tests.ports import (
    INPUTS,
    MODEL,
    attention_port,
    attention_values,
    conv_port,
    conv_values,
    net_with_weights,
    recurrent_port,
    recurrent_values,
    save,
)
from tests.session import ROOT
from tracer.load import load_model

WINDOW = {"stride": (2, 2), "pad": (1, 1)}


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL)


def compared(
    name: str, symbol: mx.sym.Symbol, values: Mapping[str, Any], *more: str, fresh: bool = False
) -> Done:
    """The command on a port that is saved under these weights; `fresh`: the net has its own, of seed 0."""
    save("port", symbol, values)
    weights = [] if fresh else ["--weights", f"{name}.pth"]
    return fx2mx("compare", f"model.py:{name}", "port", *INPUTS[name], *weights, *more)


def causes(done: Done) -> list[str]:
    """What is told of each cause, of a port that agrees once they are mended."""
    assert done.status == 1, done.err
    assert "mended the port agrees with torch: " in done.err, done.err
    return [
        line.strip().removeprefix("cause: ")
        for line in done.err.splitlines()
        if line.startswith("    cause: ")
    ]


def parted(done: Done) -> list[str]:
    """The names of the layers that part."""
    lines = [
        line for line in done.err.splitlines() if line.startswith(("the first layer", "with that mended"))
    ]
    return [line.split(" is ")[1].split(" (")[0] for line in lines]


# Ports that are right ----------------------------------------------------------------------------


def test_a_right_port_agrees() -> None:
    done = compared("Conv", conv_port(), conv_values(net_with_weights("Conv")))
    assert done.status == 0, done.err
    assert "inputs: data is forward's x, by order\n" in done.err
    assert "agrees with torch: largest relative difference " in done.err
    assert "note" not in done.err


@pytest.mark.parametrize("mode", ["LSTM", "GRU"])
def test_a_right_recurrent_port_agrees(mode: str) -> None:
    """Time first, and the states made for whatever batch comes."""
    values = recurrent_values(net_with_weights("Recurrent", kind=mode))
    done = compared("Recurrent", recurrent_port(mode.lower()), values, "--kwargs", f"kind={mode}")
    assert done.status == 0, done.err
    assert "words is forward's ids" in done.err


@pytest.mark.parametrize("by_hand", [None, 1e-6])
def test_a_right_attention_agrees(by_hand: float | None) -> None:
    """Heads in the batch, which torch has apart; the norm as one op, and as several."""
    values = attention_values(net_with_weights("Attention"), by_hand is not None)
    done = compared("Attention", attention_port(by_hand=by_hand), values)
    assert done.status == 0, done.err


def test_fresh_weights_are_compared_with_random_ones_too() -> None:
    done = compared("Conv", conv_port(), conv_values(load_model("model.py:Conv", {}).model), fresh=True)
    assert done.status == 0, done.err
    assert "its own parameters and random parameters" in done.err


# One mistake -------------------------------------------------------------------------------------

DEFAULT = "where the port has MXNet's default,"
CONV: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "eps": ({"bn1": {"fix_gamma": False}}, "b0", [f"eps: write eps=1e-5 {DEFAULT} 0.001"]),
    "fix_gamma": ({"bn1": {"eps": 1e-5}}, "b0", [f"fix_gamma: write fix_gamma=False {DEFAULT} True"]),
    "eps and fix_gamma": (
        {"bn1": {}},
        "b0",
        [f"eps: write eps=1e-5 {DEFAULT} 0.001", f"fix_gamma: write fix_gamma=False {DEFAULT} True"],
    ),
    "slope": ({"slope": 0.25}, "a0", ["slope: write slope=0.01 where the port has 0.25"]),
    "stride of a pool": ({"pool1": {}}, "p0", [f"stride: write stride=(2, 2) {DEFAULT} 1 for each axis"]),
    "pooling convention": (
        {"pool1": {"stride": (2, 2), "pooling_convention": "full"}},
        "p0",
        ['pooling_convention: write pooling_convention="valid" where the port has "full"'],
    ),
    "count_include_pad": (
        {"pool2": {**WINDOW, "count_include_pad": False}},
        "p1",
        ["count_include_pad: write count_include_pad=True where the port has False"],
    ),
    "pad": ({"conv2": {"stride": (2, 2)}}, "c1", [f"pad: write pad=(1, 1) {DEFAULT} 0 for each axis"]),
    "another activation": (
        {"relu": "sigmoid"},
        "a1",
        ['act_type: write act_type="relu" where the port has "sigmoid"'],
    ),
    "a step too many": ({"extra": True}, "a3", ["left out: leave a3 out: torch has no Activation there"]),
}


@pytest.mark.parametrize("mistake", CONV)
def test_a_mistake_is_told(mistake: str) -> None:
    port, layer, told = CONV[mistake]
    done = compared("Conv", conv_port(**port), conv_values(net_with_weights("Conv")))
    assert (parted(done), causes(done)) == ([layer], told)


def test_where_it_stands_in_torch() -> None:
    done = compared("Conv", conv_port(slope=0.25), conv_values(net_with_weights("Conv")))
    line = next(n for n, text in enumerate(MODEL.splitlines(), start=1) if "self.act(" in text)
    assert f"    torch: leaky_relu (act, {Path('model.py').resolve()}:{line})\n" in done.err
    assert "the first layer that parts is a0 (LeakyReLU): it parts by " in done.err
    assert "; the 2 ops before it agree\n" in done.err


def test_a_step_that_is_missing_is_told() -> None:
    done = compared("Conv", conv_port(relu=None), conv_values(net_with_weights("Conv")))
    (cause,) = causes(done)
    assert cause.startswith("relu: relu is missing between b1 and p1 (the net itself, ")
    assert cause.endswith('write mx.sym.Activation(x, act_type="relu")')


def test_a_port_that_ends_too_early() -> None:
    model = net_with_weights("Two")
    one = mx.sym.FullyConnected(mx.sym.Variable("image"), num_hidden=4, name="u")
    done = compared("Two", one, {"u_weight": model.one.weight, "u_bias": model.one.bias})
    assert done.status == 1
    assert "; the port reads nothing for forward's vector\n" in done.err
    assert parted(done) == ["u"]
    assert "    cause: it is what linear gives in torch (one, " in done.err
    assert "): linear, sub is missing after it\n" in done.err


def test_other_numbers_of_outputs() -> None:
    values = attention_values(net_with_weights("Attention"))
    symbol = attention_port()
    done = compared("Attention", mx.sym.Group([symbol, mx.sym.sum(symbol)]), values)
    assert done.status == 1
    assert done.err.endswith("the port gives 2 where forward returns 1\n")


def test_a_pool_that_rounds_up_in_torch() -> None:
    model = net_with_weights("Conv", ceil_mode=True)
    done = compared(
        "Conv", conv_port(), conv_values(model), "--kwargs", "ceil_mode=True", "--input", "1,3,17,17"
    )
    assert done.status == 2  # --input stands twice
    INPUT = ["--kwargs", "ceil_mode=True", "--input", "1,3,16,16", "--weights", "Conv.pth"]
    done = fx2mx("compare", "model.py:Conv", "port", *INPUT)
    assert causes(done)[0] == f'pooling_convention: write pooling_convention="full" {DEFAULT} "valid"'


def test_a_value_that_is_not_usual() -> None:
    """It is what fx2mx itself would write."""
    model = net_with_weights("Conv", slope=0.37)
    done = compared("Conv", conv_port(), conv_values(model), "--kwargs", "slope=0.37")
    assert causes(done) == ["slope: write slope=0.37 where the port has 0.01"]


def test_an_op_that_reads_another_result() -> None:
    """A residual around the norm, where torch has it around the norm and what comes after."""
    values = attention_values(net_with_weights("Attention"))
    done = compared("Attention", attention_port(around_norm=True), values)
    assert causes(done) == ["input: added reads ln: give it x, as torch reads forward's x"]
    assert parted(done) == ["added"]


def test_axes_before_they_are_joined() -> None:
    """A turned value agrees, since layouts may differ; what is wrong with it shows where its axes are joined."""
    x = mx.sym.transpose(mx.sym.Variable("x"), axes=(0, 1, 2), name="turned")
    symbol = mx.sym.FullyConnected(mx.sym.Flatten(x, name="flat"), num_hidden=4, no_bias=True, name="fc")
    done = compared("Turned", symbol, {"fc_weight": net_with_weights("Turned").fc.weight})
    assert causes(done) == ["axes: write axes=(0, 2, 1) where the port has (0, 1, 2)"]


def test_a_weight_that_should_be_transposed() -> None:
    """It holds torch's as it is, which dot does not want."""
    model = net_with_weights("Two")
    layers = [
        mx.sym.broadcast_add(
            mx.sym.dot(mx.sym.Variable(given), mx.sym.Variable(f"{key}_w"), name=key),
            mx.sym.Variable(f"{key}_b", shape=(1, 4)),
        )
        for key, given in (("one", "image"), ("two", "vector"))
    ]
    with torch.no_grad():
        values = {f"{key}_b": getattr(model, key).bias.reshape(1, 4) for key in ("one", "two")}
        values |= {"one_w": model.one.weight, "two_w": model.two.weight.T.contiguous()}
        done = compared("Two", layers[0] - layers[1], values)
    assert causes(done) == ["transpose_b: write transpose_b=True where the port has MXNet's default, False"]


def test_zeros_on_one_side_alone() -> None:
    model = net_with_weights("Shifted")
    symbol = mx.sym.Convolution(mx.sym.Variable("data"), kernel=(3, 3), num_filter=8, name="k", **WINDOW)
    values = {"k_weight": model.conv.weight, "k_bias": model.conv.bias}
    done = compared("Shifted", mx.sym.Activation(symbol, act_type="relu"), values)
    (cause,) = causes(done)
    assert "pad_width=(0, 0, 0, 0, 0, 1, 0, 1)" in cause
    assert "torch pads by 0 before and 1 after" in cause


ATTENTION: dict[str, tuple[dict[str, Any], str, str]] = {
    "scale": ({"scale": 1.0}, "_mulscalar", "scalar: write scalar=1 / 8**0.5 where the port has 1.0"),
    "axis of softmax": ({"axis": 1}, "shares", "axis: write axis=-1 where the port has 1"),
    "eps of LayerNorm": ({"eps": 1e-2}, "ln", "eps: write eps=1e-5 where the port has 0.01"),
    "eps of a norm by hand": (
        {"by_hand": 1e-2},
        "_plusscalar",
        "scalar: write scalar=1e-6 where the port has 0.01",
    ),
}


@pytest.mark.parametrize("mistake", ATTENTION)
def test_a_mistake_within_what_torch_does_in_one_call(mistake: str) -> None:
    port, layer, told = ATTENTION[mistake]
    values = attention_values(net_with_weights("Attention"), "by_hand" in port)
    done = compared("Attention", attention_port(**port), values)
    assert causes(done) == [told]
    assert parted(done)[0].startswith(layer)


# Weights -----------------------------------------------------------------------------------------


def transposed(model: nn.Module) -> dict[str, Any]:
    return {"d1_weight": model.fc2.weight.T.contiguous()}


def channels_last(model: nn.Module) -> dict[str, Any]:
    return {"d0_weight": model.fc1.weight.reshape(10, 12, 4).transpose(1, 2).reshape(10, 48)}


def swapped(model: nn.Module) -> dict[str, Any]:
    return {"b0_gamma": model.bn1.bias, "b0_beta": model.bn1.weight}


def mirrored(model: nn.Module) -> dict[str, Any]:
    return {"c1_weight": model.conv2.weight.flip((2, 3))}


def other(model: nn.Module) -> dict[str, Any]:
    return {"d0_weight": model.fc1.weight + 0.1}


WEIGHTS: list[tuple[Callable[[nn.Module], dict[str, Any]], list[str]]] = [
    (transposed, ["d1_weight: d1_weight holds fc2.weight transposed: assign it as it is"]),
    (
        channels_last,
        [
            "d0_weight: d0_weight holds fc1.weight with its columns in the order of NHWC (places, then 12 channels): "
            "assign it as it is"
        ],
    ),
    (
        swapped,
        [
            "b0_gamma: b0_gamma holds bn1.bias: assign bn1.weight",
            "b0_beta: b0_beta holds bn1.weight: assign bn1.bias",
        ],
    ),
    (mirrored, ["c1_weight: c1_weight holds conv2.weight mirrored along axes 2, 3: assign it as it is"]),
    (other, ["d0_weight: d0_weight holds other values than fc1.weight (apart by 1.0e-01): assign these"]),
]


@pytest.mark.parametrize(("wrong", "told"), WEIGHTS, ids=lambda value: getattr(value, "__name__", None))
def test_weights_that_are_held_otherwise(
    wrong: Callable[[nn.Module], dict[str, Any]], told: list[str]
) -> None:
    model = net_with_weights("Conv")
    with torch.no_grad():
        done = compared("Conv", conv_port(), conv_values(model, **wrong(model)))
    assert causes(done) == told


def test_weights_that_are_meant_to_be_transposed() -> None:
    """A product with the transposed weight is right, though the weight is held otherwise."""
    model = net_with_weights("Two")
    with torch.no_grad():
        products = [
            mx.sym.broadcast_add(
                mx.sym.dot(mx.sym.Variable(given), mx.sym.Variable(f"{key}_w", shape=(size, 4))),
                mx.sym.Variable(f"{key}_b", shape=(1, 4)),
            )
            for key, given, size in (("one", "image", 6), ("two", "vector", 5))
        ]
        values = {f"{key}_w": getattr(model, key).weight.T.contiguous() for key in ("one", "two")}
        values |= {f"{key}_b": getattr(model, key).bias.reshape(1, 4) for key in ("one", "two")}
        done = compared("Two", products[0] - products[1], values)
    assert done.status == 0, done.err
    assert "one_w\t(6,4)\tone.weight\t(4,6)\tby value, transposed\n" in done.out


@pytest.mark.parametrize(
    ("kind", "order", "told"),
    [
        ("LSTM", (0, 1, 3, 2), "i, f, o, g instead of i, f, g, o"),
        ("GRU", (1, 0, 2), "z, r, n instead of r, z, n"),
    ],
)
def test_gates_in_another_order(kind: str, order: tuple[int, ...], told: str) -> None:
    values = recurrent_values(net_with_weights("Recurrent", kind=kind), order)
    done = compared("Recurrent", recurrent_port(kind.lower()), values, "--kwargs", f"kind={kind}")
    (cause,) = causes(done)
    assert cause.startswith("rnn_parameters: rnn_parameters holds rnn.weight_ih_l0 + rnn.weight_hh_l0 + ")
    assert f" with the gates in the order {told}: assign them as they are" in cause
    assert parted(done) == ["rnn_rnn"]


def test_a_bias_that_is_forgotten() -> None:
    model = net_with_weights("Two")
    one = mx.sym.FullyConnected(mx.sym.Variable("image"), num_hidden=4, no_bias=True, name="u")
    two = mx.sym.FullyConnected(mx.sym.Variable("vector"), num_hidden=4, name="v")
    values = {"u_weight": model.one.weight, "v_weight": model.two.weight, "v_bias": model.two.bias}
    done = compared("Two", one - two, values)
    assert causes(done) == ["no_bias: write no_bias=False in u, and save one.bias as u_bias"]


def test_weights_of_another_net() -> None:
    """Built under another seed: said at once, and the code is compared with torch's weights."""
    other = load_model("model.py:Conv", {}).model
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(7)))
    done = compared("Conv", conv_port(bn1={"eps": 1e-5}), conv_values(other), fresh=True)
    assert "11 of 15 parameters hold other values than torch's (c0_weight, b0_gamma, " in done.err
    assert "was the port made from another checkpoint? give that as --weights" in done.err
    assert causes(done) == [f"fix_gamma: write fix_gamma=False {DEFAULT} True"]


# Several, and none -------------------------------------------------------------------------------


def test_each_is_mended_before_the_next() -> None:
    wrong = {"bn1": {"eps": 1e-5}, "slope": 0.25, "pool2": {**WINDOW, "count_include_pad": False}}
    done = compared("Conv", conv_port(**wrong), conv_values(net_with_weights("Conv")))
    assert parted(done) == ["b0", "a0", "p1"]
    assert [cause.split(":")[0] for cause in causes(done)] == ["fix_gamma", "slope", "count_include_pad"]
    assert "once these are mended the port agrees with torch: " in done.err


def test_what_fresh_weights_hide_is_found() -> None:
    done = compared(
        "Conv", conv_port(bn1={"eps": 1e-5}), conv_values(load_model("model.py:Conv", {}).model), fresh=True
    )
    assert "; random parameters)" in done.err
    assert causes(done) == [f"fix_gamma: write fix_gamma=False {DEFAULT} True"]


def test_a_cause_that_is_none_of_the_usual() -> None:
    """torch's own value stands in from there on, and the next is found."""
    model = net_with_weights("Two")
    one = mx.sym.FullyConnected(mx.sym.Variable("image"), num_hidden=4, name="u")
    two = mx.sym.FullyConnected(mx.sym.Variable("vector"), num_hidden=4, name="v")
    values = {
        f"{n}_{e}": getattr(getattr(model, k), e)
        for n, k in (("u", "one"), ("v", "two"))
        for e in ("weight", "bias")
    }
    done = compared("Two", mx.sym.broadcast_maximum(one, two) * mx.sym.exp(two), values)
    assert done.status == 1
    assert "    cause: not found; tried: " in done.err
    assert "    from here on torch's own value stands in its place\n" in done.err
    assert "mended the port agrees" not in done.err


def test_what_agrees_by_chance_hides_nothing() -> None:
    """Shares of attention that are nearly equal agree, whatever the norm before them gives: the values do not."""
    model = net_with_weights("Attention")
    with torch.no_grad():
        model.qkv.weight[:32] *= 1e-4
        model.qkv.bias[:32] *= 1e-4
    torch.save(model.state_dict(), "Attention.pth")
    done = compared("Attention", attention_port(eps=1e-2), attention_values(model))
    assert (parted(done), causes(done)) == (["ln"], ["eps: write eps=1e-5 where the port has 0.01"])


def test_without_a_conversion_the_usual_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A net with an op that MXNet does not have is followed all the same."""

    def refuse(*_arguments: object) -> None:
        raise ConversionError((Problem("no-rule", "MXNet has no such op", Source()),))

    monkeypatch.setattr("tracer.compare.reference.lowered", refuse)
    values = conv_values(net_with_weights("Conv"))
    assert compared("Conv", conv_port(), values).status == 0
    done = compared("Conv", conv_port(bn1={}, slope=0.25, pool1={}), values)
    assert parted(done) == ["b0", "a0"]  # what the step after it gives is known alone
    assert causes(done) == [
        f"eps: write eps=1e-5 {DEFAULT} 0.001",
        f"fix_gamma: write fix_gamma=False {DEFAULT} True",
        "slope: in a0, write slope=0.01 where the port has 0.25",
        f"stride: in p0, write stride=(2, 2) {DEFAULT} 1 for each axis",
    ]


def test_momentum_is_noted_and_no_difference() -> None:
    done = compared("Conv", conv_port(momentum=0.1), conv_values(net_with_weights("Conv")))
    assert done.status == 0
    assert "note: in training alone: write momentum=0.9 in b0 where the port has 0.1: " in done.err


def test_what_is_within_the_tolerance_is_noted() -> None:
    right = {"eps": 1.1e-5, "fix_gamma": False}
    done = compared("Conv", conv_port(bn1=right), conv_values(net_with_weights("Conv")))
    assert done.status == 0
    assert (
        "note: b0 differs by less than the tolerance on these values: write eps=1e-5 where the port has 1.1e-5\n"
        in done.err
    )


def test_a_softmax_of_the_ports_own() -> None:
    symbol = mx.sym.SoftmaxOutput(conv_port(), name="softmax")
    values = conv_values(net_with_weights("Conv"))
    assert causes(compared("Conv", symbol, values)) == [
        "left out: leave softmax out: torch has no SoftmaxOutput there, or compare with --softmax where it is meant"
    ]
    assert compared("Conv", symbol, values, "--softmax").status == 0


def test_a_batch_size_in_the_port() -> None:
    model = net_with_weights("Two")
    one = mx.sym.FullyConnected(mx.sym.Variable("image"), num_hidden=4, name="u")
    two = mx.sym.FullyConnected(
        mx.sym.reshape(mx.sym.Variable("vector"), shape=(1, 5)), num_hidden=4, name="v"
    )
    values = {
        f"{n}_{e}": getattr(getattr(model, k), e)
        for n, k in (("u", "one"), ("v", "two"))
        for e in ("weight", "bias")
    }
    done = compared("Two", one - two, values)
    assert done.status == 0, done.err
    assert "note: the port runs at batch 1 and not at 2, where torch's net does: " in done.err


# Files -------------------------------------------------------------------------------------------


def test_a_generated_file_that_was_edited() -> None:
    """By its contrast table, and after the edit that is left."""
    assert fx2mx("model.py:Conv", "--out", "net.py", *INPUTS["Conv"]).status == 0
    done = fx2mx("compare", "model.py:Conv", "net", *INPUTS["Conv"])
    assert done.status == 0, done.err
    assert "net-layer_contrast.txt: 15 parameters\n" in done.err
    assert done.out == ""
    symbol = json.loads(Path("net-symbol.json").read_text())
    node = next(node for node in symbol["nodes"] if node["name"] == "bn2" and node["op"] == "BatchNorm")
    node["attrs"]["fix_gamma"] = "True"
    Path("net-symbol.json").write_text(json.dumps(symbol))
    done = fx2mx("compare", "model.py:Conv", "net", *INPUTS["Conv"])
    assert (parted(done), causes(done)) == (
        ["bn2"],
        ["fix_gamma: write fix_gamma=False where the port has True"],
    )


def test_a_table_is_proposed() -> None:
    """By values where they tell, else by shapes and order; in the form of the contrast table, and taken as one."""
    model = net_with_weights("Conv")
    with torch.no_grad():
        values = conv_values(model, d0_weight=model.fc1.weight + 0.5)
    done = compared("Conv", conv_port(), values)
    assert "there is no contrast table; this is proposed:\n" in done.err
    lines = done.out.splitlines()
    assert "c0_weight\t(8,3,3,3)\tconv1.weight\t(8,3,3,3)\tby value" in lines
    assert "d0_weight\t(10,48)\tfc1.weight\t(10,48)\tby shape and order, with other values" in lines
    assert "-\t-\tbn1.num_batches_tracked\t()" in lines
    Path("port-layer_contrast.txt").touch()  # as a shell does for `> port-layer_contrast.txt`
    assert compared("Conv", conv_port(), values).out == done.out
    Path("port-layer_contrast.txt").unlink()
    Path("table.txt").write_text(done.out)
    again = compared("Conv", conv_port(), values, "--contrast", "table.txt")
    assert again.out == ""
    assert "table.txt: 15 parameters\n" in again.err
    assert causes(again) == causes(done)


def test_a_table_by_hand() -> None:
    """NAME KEY in a line, as the manual method writes it; it is right where the order would mislead."""
    model = net_with_weights("Two")
    named = {"u": "one", "v": "two"}
    layers = {
        n: mx.sym.FullyConnected(mx.sym.Variable(i), num_hidden=4, name=n)
        for n, i in (("u", "image"), ("v", "vector"))
    }
    values = {f"{n}_{e}": getattr(getattr(model, k), e) for n, k in named.items() for e in ("weight", "bias")}
    Path("port-layer_contrast.txt").write_text(
        "".join(f"{n}_{e} {k}.{e}\n" for n, k in named.items() for e in ("weight", "bias"))
    )
    done = compared("Two", layers["u"] - layers["v"], values)
    assert done.status == 0, done.err
    assert "port-layer_contrast.txt: 4 parameters\n" in done.err


def test_inputs_by_their_shapes() -> None:
    """Of other names, and in another order than forward's."""
    model = net_with_weights("Two")
    two = mx.sym.FullyConnected(mx.sym.Variable("data0"), num_hidden=4, name="v")
    one = mx.sym.FullyConnected(mx.sym.Variable("data1"), num_hidden=4, name="u")
    values = {
        f"{n}_{e}": getattr(getattr(model, k), e)
        for n, k in (("u", "one"), ("v", "two"))
        for e in ("weight", "bias")
    }
    done = compared("Two", mx.sym.negative(two) + one, values)
    assert done.status == 0, done.err
    assert "inputs: data0 is forward's vector, by shape; data1 is forward's image, by shape\n" in done.err


def test_the_only_epoch_there_is() -> None:
    values = conv_values(net_with_weights("Conv"))
    save("port", conv_port(), values, epoch=12)
    arguments = ["compare", "model.py:Conv", "port", *INPUTS["Conv"], "--weights", "Conv.pth"]
    done = fx2mx(*arguments)
    assert done.status == 0, done.err
    assert "port-symbol.json and port-0012.params: 12 ops, 15 parameters\n" in done.err
    save("port", conv_port(), values, epoch=3)
    done = fx2mx(*arguments)
    assert (done.status, done.err) == (2, "error: port has the epochs 3, 12: choose one with --epoch\n")
    assert fx2mx(*arguments, "--epoch", "3").status == 0
    done = fx2mx(*arguments, "--epoch", "4")
    assert (done.status, done.err) == (2, "error: no such file: port-0004.params; there are 3, 12\n")


# Wrong requests ----------------------------------------------------------------------------------


def refused(done: Done) -> str:
    assert done.status == 2, done.err
    return next(line for line in done.err.splitlines() if line.startswith("error: "))


def test_weights_that_are_missing() -> None:
    values = conv_values(net_with_weights("Conv"))
    del values["c1_bias"]
    assert refused(compared("Conv", conv_port(), values)) == (
        "error: port-0000.params lacks c1_bias, which c1 (Convolution) reads: write no_bias=True in c1 where torch's "
        "layer has none, or save it with the others"
    )


def test_a_variable_that_is_no_input() -> None:
    values = conv_values(net_with_weights("Conv"))
    symbol = conv_port() * mx.sym.Variable("scale")
    assert refused(compared("Conv", symbol, values)) == (
        "error: the symbol reads scale, for which port-0000.params has no values and forward(x) no input"
    )


def test_an_input_of_another_name() -> None:
    values = conv_values(net_with_weights("Conv"))
    assert "forward has no parameter 'data'" in refused(
        compared("Conv", conv_port(), values, "--input", "data=1,3,16,16")
    )


def test_no_such_port() -> None:
    net_with_weights("Conv")
    done = fx2mx("compare", "model.py:Conv", "nowhere", *INPUTS["Conv"])
    assert (
        refused(done)
        == "error: no such file: nowhere-symbol.json (PREFIX is what mx.model.load_checkpoint takes)"
    )
    save("port", conv_port(), conv_values(load_model("model.py:Conv", {}).model))
    done = fx2mx("compare", "model.py:Conv", "port-symbol.json", *INPUTS["Conv"])
    assert refused(done) == "error: no such file: port-symbol.json-symbol.json; give PREFIX alone: port"
    Path("port-0000.params").unlink()
    assert (
        refused(fx2mx("compare", "model.py:Conv", "port", *INPUTS["Conv"]))
        == "error: no such file: port-0000.params"
    )


def test_a_file_that_is_no_checkpoint() -> None:
    model = load_model("model.py:Conv", {}).model
    save("port", conv_port(), conv_values(model))
    mx.nd.save("port-0000.params", {"c0_weight": mx.nd.zeros((8, 3, 3, 3))})
    assert "port: mx.model.load_checkpoint cannot read it (" in refused(
        fx2mx("compare", "model.py:Conv", "port", *INPUTS["Conv"])
    )
    Path("port-0000.params").write_bytes(b"nothing")
    assert "port: mx.model.load_checkpoint cannot read it: " in refused(
        fx2mx("compare", "model.py:Conv", "port", *INPUTS["Conv"])
    )


def test_a_table_with_a_wrong_key() -> None:
    net_with_weights("Conv")
    save("port", conv_port(), conv_values(load_model("model.py:Conv", {}).model))
    Path("port-layer_contrast.txt").write_text("c0_weight conv1.wieght\n")
    done = fx2mx("compare", "model.py:Conv", "port", *INPUTS["Conv"])
    assert refused(done) == (
        "error: port-layer_contrast.txt:1: the net has no key 'conv1.wieght' (did you mean 'conv1.weight'?)"
    )
    Path("port-layer_contrast.txt").write_text("c0_wieght conv1.weight\n")
    assert "the symbol reads no c0_wieght (did you mean 'c0_weight'?)" in refused(
        fx2mx("compare", "model.py:Conv", "port", *INPUTS["Conv"])
    )


NOT_FOLLOWED = "note: the net cannot be followed, so that what its modules give is compared: "


def test_a_net_that_cannot_be_followed() -> None:
    """What its modules give is compared."""
    text = MODEL + "\n\nclass Looks(Two):\n    def forward(self, image, vector):\n"
    text += "        if image.sum() > 1e9:\n            return image\n        return super().forward(image, vector)\n"
    Path("model.py").write_text(text)
    model = load_model("model.py:Looks", {}).model
    one = mx.sym.FullyConnected(mx.sym.Variable("image"), num_hidden=4, name="u")
    two = mx.sym.FullyConnected(mx.sym.Variable("vector"), num_hidden=4, name="v")
    values = {
        f"{n}_{e}": getattr(getattr(model, k), e)
        for n, k in (("u", "one"), ("v", "two"))
        for e in ("weight", "bias")
    }
    for symbol, status in ((one - two, 0), (one + two, 1)):
        save("port", symbol, values)
        done = fx2mx("compare", "model.py:Looks", "port", *INPUTS["Two"])
        assert done.status == status, done.err
        assert NOT_FOLLOWED in done.err
    assert "\nerror: the port differs from torch: output " in done.err
    assert "torch: what forward does before the end (the net itself, (no source))\n" in done.err


LOOKS = """

class Looks(Conv):
    def forward(self, x):
        if x.sum() > 1e9:
            return x
        return super().forward(x)
"""
BY_MODULES: dict[str, tuple[dict[str, Any], list[str], list[str]]] = {
    "eps and slope": (
        {"bn1": {"fix_gamma": False}, "slope": 0.25},
        ["b0", "a0"],
        [f"eps: write eps=1e-5 {DEFAULT} 0.001", "slope: write slope=0.01 where the port has 0.25"],
    ),
    "pooling convention": (
        {"pool1": {"stride": (2, 2), "pooling_convention": "full"}},
        ["p0"],
        ['pooling_convention: write pooling_convention="valid" where the port has "full"'],
    ),
}


@pytest.mark.parametrize("mistake", BY_MODULES)
def test_a_mistake_is_told_where_the_net_cannot_be_followed(mistake: str) -> None:
    Path("model.py").write_text(MODEL + LOOKS)
    port, layers, told = BY_MODULES[mistake]
    done = compared("Looks", conv_port(**port), conv_values(net_with_weights("Looks")))
    line = next(n for n, text in enumerate(MODEL.splitlines(), start=1) if "self.act(" in text)
    module = {"b0": "BatchNorm2d (bn1", "p0": "MaxPool2d (maxpool"}[layers[0]]
    assert f"    torch: {module}, {Path('model.py').resolve()}:{line})\n" in done.err
    assert (parted(done), causes(done)) == (layers, told)


def test_a_step_of_forward_is_missing_where_the_net_cannot_be_followed() -> None:
    """It is seen at what reaches the next module."""
    Path("model.py").write_text(MODEL + LOOKS)
    done = compared("Looks", conv_port(relu=None), conv_values(net_with_weights("Looks")))
    assert done.status == 1
    assert parted(done) == ["p1"]
    line = next(n for n, text in enumerate(MODEL.splitlines(), start=1) if "self.avgpool(x)" in text)
    said = "what forward does before avgpool is missing between b1 and p1"
    assert f"    cause: its input: {said} (avgpool, {Path('model.py').resolve()}:{line})\n" in done.err


def test_the_module_is_the_command_too() -> None:
    save("port", conv_port(), conv_values(load_model("model.py:Conv", {}).model))
    command = [sys.executable, "-m", "tracer.compare", "model.py:Conv", "port", *INPUTS["Conv"], "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)})
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout == ""


GENERATED = """
class Normed(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.utils.parametrizations.weight_norm(nn.Linear(6, 4))
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.register_buffer("mask", torch.arange(4.0) > 1)

    def forward(self, image):
        x = torch.where(self.mask, self.fc(image), 0.0)[:, None] + torch.arange(12.0).reshape(3, 4)
        return self.attention(x, x, x)[0]
"""


@pytest.mark.parametrize(
    "options", [[], ["--optimize"], ["--tap", "fc"], ["--softmax", "--tap", "fc"]], ids=str
)
def test_what_is_generated_agrees(options: list[str]) -> None:
    """Weights that torch computes, packs or has in another order, constants, and other outputs than the net's."""
    Path("model.py").write_text(MODEL + GENERATED)
    same = [option for option in options if option != "--optimize"]
    assert fx2mx("model.py:Normed", "--out", "net.py", "--input", "1,6", *options).status == 0
    done = fx2mx("compare", "model.py:Normed", "net", "--input", "1,6", *same)
    assert done.status == 0, done.err
    assert "its own parameters and random parameters" in done.err


def test_what_float32_rounds_is_compared_in_float64() -> None:
    """As each conversion is."""
    Path("model.py").write_text(
        MODEL
        + "\n\nclass Coarse(Two):\n    def forward(self, image):\n        return torch.sin(1e5 * self.one(image))\n"
    )
    assert fx2mx("model.py:Coarse", "--out", "net.py", "--input", "1,6").status == 0
    done = fx2mx("compare", "model.py:Coarse", "net", "--input", "1,6")
    assert done.status == 0, done.err
    assert "; in float64, since float32 rounds this net too coarsely, FX320)" in done.err
