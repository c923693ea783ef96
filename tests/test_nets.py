"""Whole nets through the command line: real architectures, written as users write them, and pytorchcv's.

More of the former are in tests/golden, which tests/test_golden.py converts and checks in the same way.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import mxnet as mx
import pytest

from tests.command import fx2mx
from tracer.load import load_model

ROOT = Path(__file__).parent.parent
RESNET50 = Path(__file__).parent / "nets/resnet50.py"
IRESNET = Path(__file__).parent / "golden/iresnet/model.py"
FILES = (
    "model_mxnet.py",
    "model_mxnet-symbol.json",
    "model_mxnet-0000.params",
    "model_mxnet-layer_contrast.txt",
)


@dataclass(frozen=True)
class Net:
    """A net, its options, and what the converted one must take and give."""

    spec: str
    options: tuple[str, ...]
    inputs: dict[str, tuple[int, ...]]
    outputs: tuple[tuple[int, ...], ...]

    @property
    def name(self) -> str:
        return self.spec.rpartition(":")[2]


XXNET = Net(f"{ROOT}/examples/xxnet/model.py:XXNet", (), {"x": (1, 3, 224, 224)}, ((1, 64, 112, 112),))
OURS = [
    XXNET,
    Net(f"{RESNET50}:resnet50", ("--input", "1,3,96,96"), {"x": (1, 3, 96, 96)}, ((1, 1000),)),
]


def check_agreement(text: str) -> None:
    """The command says that it compared the net with torch, and how."""
    assert "agrees with torch: largest relative difference" in text
    assert "(tolerance 0.0001; batch 1 and 2; its own parameters and random parameters)" in text


def check(net: Net, folder: Path) -> None:
    """Everything that the contract promises of the files of a net."""
    assert sorted(os.listdir(folder)) == sorted(FILES)
    namespace = runpy.run_path(str(folder / "model_mxnet.py"))
    assert namespace["DATA_SHAPES"] == net.inputs
    symbol, arg_params, aux_params = mx.model.load_checkpoint(str(folder / "model_mxnet"), 0)
    assert set(arg_params) == set(symbol.list_arguments()) - set(net.inputs)
    assert set(aux_params) == set(symbol.list_auxiliary_states())
    assert namespace[net.name]().tojson() == (folder / "model_mxnet-symbol.json").read_text()
    check_contrast(net, folder, {**arg_params, **aux_params})
    check_module(net, symbol, arg_params, aux_params)


def check_contrast(net: Net, folder: Path, params: dict[str, mx.nd.NDArray]) -> None:
    """Each MXNet parameter has its line, each torch key its place."""
    lines = (folder / "model_mxnet-layer_contrast.txt").read_text().splitlines()
    rows = [line.split("\t") for line in lines]
    assert all(len(row) == 4 for row in rows)
    shapes = {row[0]: row[1] for row in rows if row[0] != "-"}
    assert set(shapes) == set(params)
    assert all(shapes[k] == "(" + ",".join(map(str, v.shape)) + ")" for k, v in params.items())
    keys = {key for row in rows for key in row[2].split("+")} - {"0", "1", "constant"}
    assert keys == set(load_model(net.spec, {}).model.state_dict())


def check_module(net: Net, symbol: mx.sym.Symbol, arg_params: dict, aux_params: dict) -> None:
    """It runs in mx.mod.Module, at a batch size that the conversion never saw."""
    module = mx.mod.Module(symbol, data_names=list(net.inputs), label_names=None, context=mx.cpu())
    module.bind([(k, (5, *s[1:])) for k, s in net.inputs.items()], for_training=False)
    module.set_params(arg_params, aux_params)
    data = [mx.nd.random.normal(shape=(5, *s[1:])) for s in net.inputs.values()]
    module.forward(mx.io.DataBatch(data), is_train=False)
    outputs = module.get_outputs()
    assert tuple(o.shape for o in outputs) == tuple((5, *s[1:]) for s in net.outputs)
    assert all(bool((o == o).min().asscalar()) for o in outputs), "not a number"


@pytest.mark.parametrize("net", OURS, ids=lambda net: net.name)
def test_net(net: Net, tmp_path: Path) -> None:
    done = fx2mx(net.spec, "--out", tmp_path / "model_mxnet.py", *net.options)
    assert done.status == 0, done.err
    check_agreement(done.err)
    check(net, tmp_path)


def test_the_manuals_net_by_the_documented_command(tmp_path: Path) -> None:
    """In a process of its own, in the folder of the user's file."""
    folder = tmp_path / "nets"
    folder.mkdir()
    (folder / "model.py").write_text((ROOT / "examples/xxnet/model.py").read_text())
    done = subprocess.run(
        [sys.executable, "-m", "tracer.gen", "model.py:XXNet", "--out", "model_mxnet.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"wrote {name}" for name in FILES]
    (folder / "model.py").unlink()
    check_agreement(done.stderr)
    check(XXNET, folder)


def test_the_bottleneck_is_fixed(tmp_path: Path) -> None:
    """BatchNorm1d(affine=False): ones and zeros under fix_gamma=True, as in the manual's table."""
    path = tmp_path / "model_mxnet.py"
    done = fx2mx(f"{IRESNET}:iresnet18", "--kwargs", '{"width": 8}', "--out", path, "--input", "1,3,112,112")
    assert done.status == 0, done.err
    table = (tmp_path / "model_mxnet-layer_contrast.txt").read_text().splitlines()
    assert [line for line in table if line.startswith("bottleneck")] == [
        "bottleneck_gamma\t(512)\t1\t-",
        "bottleneck_beta\t(512)\t0\t-",
        "bottleneck_moving_mean\t(512)\tbottleneck.running_mean\t(512)",
        "bottleneck_moving_var\t(512)\tbottleneck.running_var\t(512)",
    ]
    _, arg_params, _ = mx.model.load_checkpoint(str(tmp_path / "model_mxnet"), 0)
    assert arg_params["bottleneck_gamma"].asnumpy().tolist() == [1.0] * 512
    assert arg_params["bottleneck_beta"].asnumpy().tolist() == [0.0] * 512
    code = path.read_text()
    assert code.count("fix_gamma=") == code.count("fix_gamma=False") == code.count("mx.sym.BatchNorm(") - 1
    assert 'momentum=0.1, attr=FROZEN, name="bottleneck"' in " ".join(code.split())


# pytorchcv 0.0.67: family by family. Names of inputs and sizes are pytorchcv's own.
IMAGENET = (1, 3, 224, 224)
ZOO = [
    ("zfnet", "zfnet", IMAGENET, (1, 1000)),
    ("nin_cifar", "nin_cifar10", (1, 3, 32, 32), (1, 10)),
    ("squeezenet", "squeezenet_v1_1", IMAGENET, (1, 1000)),
    ("resnet", "resnet18", IMAGENET, (1, 1000)),
    ("preresnet_cifar", "preresnet20_cifar10", (1, 3, 32, 32), (1, 10)),
    ("resnext", "resnext14_32x4d", IMAGENET, (1, 1000)),
    ("seresnet", "seresnet18", IMAGENET, (1, 1000)),
    ("ibnresnet", "ibn_resnet50", IMAGENET, (1, 1000)),
    ("densenet_cifar", "densenet40_k12_cifar10", (1, 3, 32, 32), (1, 10)),
    ("condensenet", "condensenet74_c4_g4", IMAGENET, (1, 1000)),
    ("dla", "dla34", IMAGENET, (1, 1000)),
    ("hrnet", "hrnet_w18_small_v1", IMAGENET, (1, 1000)),
    ("octresnet", "octresnet10_ad2", IMAGENET, (1, 1000)),
    ("peleenet", "peleenet", IMAGENET, (1, 1000)),
    ("shufflenet", "shufflenet_g3_wd4", IMAGENET, (1, 1000)),
    ("shufflenetv2", "shufflenetv2_wd2", IMAGENET, (1, 1000)),
    ("mobilenetv3", "mobilenetv3_small_w1", IMAGENET, (1, 1000)),
    ("ghostnet", "ghostnet", IMAGENET, (1, 1000)),
    ("efficientnet", "efficientnet_b0", IMAGENET, (1, 1000)),
    ("mnasnet", "mnasnet_b1", IMAGENET, (1, 1000)),
    ("inceptionv3", "inceptionv3", (1, 3, 299, 299), (1, 1000)),
    ("lednet", "lednet_cityscapes", (1, 3, 128, 128), (1, 19, 128, 128)),
    ("regnet", "regnetx002", IMAGENET, (1, 1000)),
]


def cv_net(family: str, name: str, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> Net:
    shape = ",".join(map(str, inputs))
    return Net(f"pytorchcv.models.{family}:{name}", ("--input", shape), {"x": inputs}, (outputs,))


@pytest.mark.parametrize("net", [cv_net(*row) for row in ZOO], ids=lambda net: net.name)
def test_pytorchcv(net: Net, tmp_path: Path) -> None:
    done = fx2mx(net.spec, "--out", tmp_path / "model_mxnet.py", *net.options)
    assert done.status == 0, done.err
    check_agreement(done.err)
    check(net, tmp_path)
