"""The command line: what it says and how it exits, word by word, and what it leaves on disk."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
import torch

import codegen.artifacts
from codegen.artifacts import write_all
from codegen.problems import RequestError
from codegen.proof.difference import Apart
from tests.command import Done, fx2mx, snapshot
from tracer.heads import words_of

ROOT = Path(__file__).parent.parent
CLASSES = "XXNet, Needs, Raises, BuildRaises, Misfit, Unsupported, Dependent, TwoOutputs ... and 3 more"
IMAGE = ("--input", "1,3,8,8")
ROW = ("--input", "1,4")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a user's model.py, which is the current one."""
    (tmp_path / "model.py").write_text((ROOT / "tests/nets/cli.py").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def line_of(text: str) -> int:
    """The line of model.py that holds `text`."""
    lines = Path("model.py").read_text().splitlines()
    return next(i for i, line in enumerate(lines, start=1) if text in line)


def error_of(done: Done) -> str:
    """What stands after `error: `, without the progress before it; nothing was written."""
    assert done.out == ""
    assert not [name for name in os.listdir() if "mxnet" in name]
    return done.err.partition("error: ")[2].rstrip("\n")


def convert(name: str, *arguments: str) -> Done:
    return fx2mx(f"model.py:{name}", "--out", "model_mxnet.py", *arguments)


# Wrong requests: exit status 2 -------------------------------------------------------------------

WRONG = [
    ("no.py:XXNet", (), "no such file: no.py"),
    ("no_module:XXNet", (), "no such module: no_module, neither in the current folder nor installed "
        "(SPEC is path/model.py:Name or package.module:Name)"),
    ("model.py", (), "SPEC 'model.py' has no ':': write it as path/model.py:Name or package.module:Name"),
    ("model.py:YYNet", (), "no 'YYNet' in model.py (did you mean 'XXNet'?): "
        f"its nn.Module classes are {CLASSES}"),
    ("model.py:size", (), "size in model.py is of type int, not an nn.Module class, a module, or a function "
        f"that returns one: its nn.Module classes are {CLASSES}"),
    ("model.py:Needs", (), "Needs needs the argument width: give --kwargs '{\"width\": ...}', or, "
        "where these are no plain values, build.py:build as SPEC, with this build.py beside the net:\n"
        "  from model import Needs\n  def build():\n      return Needs(width=...)"),
    ("model.py:Needs", ("--kwargs", '{"widht": 3}'), "Needs takes no argument 'widht' "
        "(did you mean 'width'?): it takes width, depth"),
    ("model.py:Misfit", (), "no input was found on which forward(x) runs (121 shapes tried): "
        "give the shapes, such as --input x=1,3,224,224"),
    ("model.py:XXNet", ("--input", "1,3,x"), "--input 1,3,x: 'x' is no size, which is 1 or more (or N, the "
        "batch); write [NAME=]DIMS[:DTYPE] such as x=1,3,224,224 or ids=1,128:int64, or NAME=@FILE.npy"),
    ("model.py:XXNet", ("--input", "y=1,3,8,8"), "--input y=1,3,8,8: forward has no parameter 'y', it takes x"),
    ("model.py:XXNet", (*IMAGE, "--tap", "conv"), "--tap conv: the net has no module of that path; "
        "close to it: conv1"),
    ("model.py:TwoOutputs", (*ROW, "--tap", "fc,unused"), "--tap unused: forward does not call this module, so that "
        "it has no output"),
    ("model.py:TwoOutputs", (*ROW, "--softmax"), "--softmax needs a net with one output; this one has 2"),
    ("model.py:XXNet", (*IMAGE, "--tap", "conv1", "--softmax"), "--softmax needs an output of shape "
        "(N, classes); this net's is (N, 4, 8, 8)"),
    ("model.py:XXNet", ("--weights", "no.pth"), "no such file: no.pth"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "options", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_request(spec: str, options: tuple[str, ...], message: str) -> None:
    done = fx2mx(spec, "--out", "model_mxnet.py", *options)
    assert done.status == 2
    assert error_of(done) == message


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("no/m.py", "--out no/m.py: there is no folder no; make it first: mkdir -p no"),
        ("mxnet.py", "--out mxnet.py: in its folder `import mxnet` would find it; give it another name"),
        ("m.txt", "--out m.txt: the generated file is Python code; give it a name that ends in .py"),
        (".", "--out . is a folder; name a file in it: model_mxnet.py"),
        (
            "/proc/self/m.py",  # read-only, for root too
            "--out /proc/self/m.py: cannot write to the folder /proc/self: No such file or directory",
        ),
    ],
)
def test_a_place_that_cannot_be_written(out: str, message: str) -> None:
    """It is told at once: before the model is loaded."""
    done = fx2mx("model.py:XXNet", "--out", out)
    assert (done.status, done.err) == (2, f"error: {message}\n")


@pytest.mark.parametrize("out", ["model.py", "./model.py"])
def test_the_users_own_file_is_not_overwritten(out: str) -> None:
    before = snapshot(Path())
    done = fx2mx("model.py:XXNet", "--out", out, *IMAGE)
    assert done.status == 2
    assert done.err.endswith("error: --out model.py is the file that defines the net: give another name\n")
    assert snapshot(Path()) == before


def test_a_folder_in_a_files_place() -> None:
    os.mkdir("m-symbol.json")
    done = fx2mx("model.py:XXNet", "--out", "m.py")
    message = "error: --out m.py: m-symbol.json is a folder; it must make room for a file\n"
    assert (done.status, done.err) == (2, message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kwargs", "{"], "--kwargs {: this is neither JSON (Expecting property name enclosed in double quotes"),
        (["--kwargs", "3"], "--kwargs 3: this names no argument; write a dict in JSON or Python, such as"),
        (["--tolerance", "-1"], "Invalid value for '--tolerance': -1.0 is not in the range x>=0."),
        (["--tolerance", "x"], "Invalid value for '--tolerance': 'x' is not a valid float range."),
        (["--tolerance", "nan"], "--tolerance nan is no bound"),
        (["--taps", "x"], "No such option"),
        (["--tap", ""], "--tap names no module: write it as layer4 or layer1.0.conv2,layer4"),
        (["--tap", "conv1,,fc"], "--tap names no module: write it as layer4 or layer1.0.conv2,layer4"),
    ],
)  # fmt: skip
def test_bad_options(arguments: list[str], message: str) -> None:
    done = convert("XXNet", *arguments)
    assert done.status == 2
    assert " ".join(done.err.splitlines()[-1].split()).startswith(f"Error: {message[:60]}")


def test_without_out() -> None:
    done = fx2mx("model.py:XXNet")
    assert done.status == 2
    assert done.err.endswith("Error: Missing option '--out'.\n")


def test_a_model_that_raises_shows_the_users_own_frames() -> None:
    done = convert("Raises", *ROW)
    assert done.status == 2
    file = Path("model.py").resolve()
    calls, raises = line_of("return self.helper"), line_of("raise ValueError")
    assert error_of(done).splitlines() == [
        "the net raised when it was run: ValueError: no such luck",
        "Traceback (most recent call last):",
        f'  File "{file}", line {calls}, in forward',
        "    return self.helper(self.fc(x))",
        f'  File "{file}", line {raises}, in helper',
        '    raise ValueError("no such luck")',
        "ValueError: no such luck",
    ]


def test_a_constructor_that_raises() -> None:
    done = convert("BuildRaises")
    assert done.status == 2
    text = error_of(done)
    assert text.startswith(
        "BuildRaises raised when it was built: ZeroDivisionError: integer division or modulo by zero\n"
        "Traceback (most recent call last):\n"
    )
    assert text.endswith("\nZeroDivisionError: integer division or modulo by zero")
    assert text.count("  File ") == 1


def test_shapes_that_do_not_fit() -> None:
    done = convert("Misfit", *IMAGE)
    assert done.status == 2
    text = error_of(done)
    assert text.startswith("the net raised when it was run: RuntimeError: mat1 and mat2 shapes cannot be ")
    assert f'model.py", line {line_of("self.fc(self.conv(x)")}, in forward' in text
    assert text.endswith("RuntimeError: mat1 and mat2 shapes cannot be multiplied (1x144 and 10x2)")


def test_a_checkpoint_of_another_net() -> None:
    torch.save(
        {"conv1.weight": torch.zeros(4, 3, 5, 5), "fc.bias": torch.zeros(2), "extra": torch.zeros(1)}, "w.pth"
    )
    done = convert("XXNet", "--weights", "w.pth")
    assert done.status == 2
    assert error_of(done) == (
        "w.pth does not fit XXNet: give the weights of this net, or build it to fit with --kwargs\n"
        "  missing from the file (2): conv1.bias; fc.weight\n"
        "  not in the net (1): extra\n"
        "  of another shape (1): conv1.weight (4, 3, 5, 5), in the net (4, 3, 3, 3)"
    )


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_corrupt_checkpoint(name: str) -> None:
    Path(name).write_bytes(b"PK\x03\x04 and nothing more")
    done = convert("XXNet", "--weights", name)
    assert done.status == 2
    assert error_of(done).startswith(f"{name} is corrupt or not a checkpoint: save or download it again (")


# Nets that cannot be converted: exit status 1 ----------------------------------------------------


def unsupported() -> str:
    """The refusal of Unsupported: both ops, each with its count, places and hint."""
    file = Path("model.py").resolve()
    first, second, third = (line_of(t) for t in ("i0(self.first", "i0(self.second", "fft.fft"))
    hint = "    hint: "
    return (
        "cannot be converted exactly, 2 problems: i0() has no rule (2 times)  [no-rule]\n"
        f"    at the net itself, {file}:{first}\n    at the net itself, {file}:{second}\n{hint}...\n"
        f"  fft_fft() has no rule  [no-rule]\n    at the net itself, {file}:{third}\n{hint}...\n"
        "nothing was written"
    )


@pytest.mark.parametrize("option", [(), ("--dry-run",), ("--check",), ("--no-verify", "--no-weights")])
def test_unsupported_ops_are_all_listed(option: tuple[str, ...]) -> None:
    before = snapshot(Path())
    done = convert("Unsupported", *ROW, *option)
    assert done.status == 1
    text = re.sub(r"hint: \S.*", "hint: ...", error_of(done))
    assert text == unsupported()
    assert snapshot(Path()) == before


def test_an_op_in_data_dependent_control_flow() -> None:
    done = convert("Dependent", *ROW)
    assert done.status == 1
    assert error_of(done) == (
        "cannot be converted exactly: the net looks at the values of a tensor (bool()): a symbol has one graph for all inputs  [data-dependent]\n"
        f"    at the net itself, {Path('model.py').resolve()}:{line_of('if x.sum()')}\n"
        "    hint: compute with torch.where or a mask instead of Python control flow, or move this step out of forward\n"
        "nothing was written"
    )


def test_old_files_survive_a_refusal() -> None:
    for name in ("model_mxnet-symbol.json", "model_mxnet-0000.params"):
        Path(name).write_text("old")
    Path("model_mxnet.py").write_text('"""python -m tracer.gen model.py:Old --out model_mxnet.py"""')
    before = snapshot(Path())
    assert convert("Unsupported", *ROW).status == 1
    assert convert("XXNet", "--input", "1,4,8,8").status == 2
    assert snapshot(Path()) == before


def test_the_tolerance_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codegen.proof.compare.apart", lambda ours, theirs: Apart(3e-3, 1))
    done = convert("XXNet", *IMAGE)
    assert done.status == 1
    where = f"(conv1, {Path('model.py').resolve()}:{line_of('self.conv1(x)')})"
    assert error_of(done) == (
        "the MXNet net differs from torch: output fc_output by 3.0e-03, relative "
        "(tolerance 0.0001; batch 1; its own parameters)\n"
        f"the first layer at which they diverge is conv1 {where}, by 3.0e-03\n"
        "nothing was written"
    )
    assert convert("XXNet", *IMAGE, "--tolerance", "1e-2").status == 0


@pytest.mark.parametrize("tolerance", ["0", "1e-12"])
def test_a_tolerance_below_float32(tolerance: str) -> None:
    """It is not met by a comparison in float64, which is for nets that float32 rounds coarsely."""
    done = convert("XXNet", *IMAGE, "--tolerance", tolerance)
    assert done.status == 1
    assert "the first layer at which they diverge is " in error_of(done)


# What is said and done ---------------------------------------------------------------------------


def test_a_conversion_says_what_it_does() -> None:
    done = convert("XXNet", *IMAGE)
    assert done.status == 0
    lines = done.err.splitlines()
    assert lines[:5] == [
        "loading model.py:XXNet",
        "no --weights: the module's own values are converted (built under seed 0)",
        "tracing XXNet",
        "XXNet: 4 MXNet ops; any batch size, H and W may change",
        "comparing with torch",
    ]
    assert re.fullmatch(
        r"agrees with torch: largest relative difference \S+ "
        r"\(tolerance 0\.0001; batch 1 and 2; its own parameters and random parameters\)",
        lines[6],
    )
    assert re.fullmatch(r"images of 17x25: largest relative difference \S+", lines[5])
    assert len(lines) == 7
    assert done.out.splitlines() == [
        "wrote model_mxnet.py",
        "wrote model_mxnet-symbol.json",
        "wrote model_mxnet-0000.params",
        "wrote model_mxnet-layer_contrast.txt",
    ]


def test_the_same_command_gives_the_same_bytes() -> None:
    convert("XXNet", *IMAGE)
    first = {name: content for name, (content, _) in snapshot(Path()).items()}
    convert("XXNet", *IMAGE)
    assert {name: content for name, (content, _) in snapshot(Path()).items()} == first


def test_weights_are_the_files() -> None:
    torch.manual_seed(7)
    state = {"conv1.weight": torch.randn(4, 3, 3, 3), "conv1.bias": torch.randn(4)}
    state |= {"fc.weight": torch.randn(2, 4), "fc.bias": torch.randn(2)}
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, "w.pth")
    done = convert("XXNet", *IMAGE, "--weights", "w.pth")
    assert done.status == 0
    assert "w.pth: 4 tensors, under 'state_dict', prefix 'module.' taken off" in done.err
    assert done.err.endswith("; batch 1 and 2; its own parameters)\n")
    _, arg_params, _ = mx.model.load_checkpoint("model_mxnet", 0)
    assert np.array_equal(arg_params["conv1_weight"].asnumpy(), state["conv1.weight"].numpy())


def test_check_and_diff_of_fresh_files() -> None:
    convert("XXNet", *IMAGE)
    before = snapshot(Path())
    for option in ("--check", "--diff"):
        done = convert("XXNet", *IMAGE, option)
        assert (done.status, done.out) == (0, "")
        assert done.err.endswith("\nfresh: the files on disk are what would be generated\n")
    assert snapshot(Path()) == before


def test_check_and_diff_of_stale_files() -> None:
    convert("XXNet", *IMAGE)
    code = Path("model_mxnet.py")
    code.write_text(code.read_text().replace("num_filter=4", "num_filter=5"))
    params = mx.nd.load("model_mxnet-0000.params")
    params["arg:fc_bias"][:] = 3
    mx.nd.save("model_mxnet-0000.params", params)
    os.unlink("model_mxnet-layer_contrast.txt")
    before = snapshot(Path())
    stale = [
        "error: model_mxnet.py is stale",
        "error: model_mxnet-0000.params is stale: 1 of 4 parameters differ: fc_bias",
        "error: model_mxnet-layer_contrast.txt is missing",
    ]
    done = convert("XXNet", *IMAGE, "--check")
    assert (done.status, done.out) == (1, "")
    assert [line for line in done.err.splitlines() if line.startswith("error")] == stale
    done = convert("XXNet", *IMAGE, "--diff")
    assert done.status == 1
    assert [line for line in done.err.splitlines() if line.startswith("error")] == stale
    assert "--- model_mxnet.py\n+++ model_mxnet.py (generated)\n" in done.out
    changed = [line for line in done.out.splitlines() if re.match(r"[-+] .*num_filter", line)]
    assert [re.search(r"num_filter=\d", line)[0] for line in changed] == ["num_filter=5", "num_filter=4"]
    assert "+fc_bias\t(2)\tfc.bias\t(2)\n" in done.out
    assert snapshot(Path()) == before


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"PK"])
def test_check_of_files_that_are_something_else(content: bytes) -> None:
    convert("XXNet", *IMAGE)
    for name in ("model_mxnet.py", "model_mxnet-0000.params"):
        Path(name).write_bytes(content)
    done = convert("XXNet", *IMAGE, "--diff")
    assert done.status == 1
    assert "error: model_mxnet-0000.params is stale: it is not a file of parameters\n" in done.err


def test_check_of_a_folder_that_is_missing() -> None:
    done = fx2mx("model.py:XXNet", "--out", "no/m.py", *IMAGE, "--check")
    assert done.status == 1
    assert "error: no/m.py is missing\n" in done.err


def test_dry_run_counts_and_writes_nothing() -> None:
    before = snapshot(Path())
    done = convert("XXNet", *IMAGE, "--dry-run")
    assert done.status == 0
    assert done.out == (
        "would be converted, by MXNet op:\n"
        "      1  Activation\n      1  Convolution\n      1  FullyConnected\n      1  mean\n"
        "nothing was written (--dry-run)\n"
    )
    assert snapshot(Path()) == before


def test_no_weights_tells_of_old_ones() -> None:
    done = convert("XXNet", *IMAGE, "--no-weights")
    assert done.status == 0
    assert sorted(os.listdir()) == ["model.py", "model_mxnet-symbol.json", "model_mxnet.py"]
    assert "note:" not in done.err
    Path("model_mxnet-0000.params").write_text("old")
    done = convert("XXNet", *IMAGE, "--no-weights")
    assert done.err.endswith(
        "\nnote: model_mxnet-0000.params is from an earlier run and was not changed (--no-weights)\n"
    )
    assert Path("model_mxnet-0000.params").read_text() == "old"


def test_no_verify_compares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracer.convert.Conversion.verify", None)
    done = convert("XXNet", *IMAGE, "--no-verify")
    assert done.status == 0
    assert "torch" not in done.err


def test_tap_returns_these_modules() -> None:
    done = convert("XXNet", *IMAGE, "--tap", "conv1,fc")
    assert done.status == 0, done.err
    symbol = mx.sym.load("model_mxnet-symbol.json")
    _, shapes, _ = symbol.infer_shape(x=(3, 3, 8, 8))
    assert shapes == [(3, 4, 8, 8), (3, 2)]


def test_tap_before_what_cannot_be_traced() -> None:
    """What comes after the last tap does not matter; nor does it that it writes to what was tapped."""
    done = convert("Tapped", *ROW, "--tap", "fc")
    assert done.status == 0, done.err
    symbol, arg_params, _ = mx.model.load_checkpoint("model_mxnet", 0)
    assert symbol.get_internals().list_outputs() == ["x", "fc_weight", "fc_bias", "fc_output"]
    ours = symbol.bind(mx.cpu(), {"x": mx.nd.ones((1, 4)), **arg_params}).forward()[0].asnumpy()
    weight, bias = (arg_params[f"fc_{name}"].asnumpy() for name in ("weight", "bias"))
    assert np.allclose(ours, weight.sum(1) + bias, atol=1e-6)
    assert (ours < 0).any()
    done = convert("Tapped", *ROW, "--tap", "fc,relu")
    assert done.status == 0, done.err
    done = convert("Tapped", *ROW, "--tap", "relu,last")
    assert done.status == 1


def test_softmax_is_the_manuals() -> None:
    done = convert("XXNet", *IMAGE, "--softmax")
    assert done.status == 0, done.err
    assert 'mx.sym.SoftmaxOutput(x, name="softmax")' in Path("model_mxnet.py").read_text()
    symbol, arg_params, aux_params = mx.model.load_checkpoint("model_mxnet", 0)
    module = mx.mod.Module(symbol, data_names=["x"], label_names=["softmax_label"])
    module.bind([("x", (2, 3, 8, 8))], for_training=False)
    module.set_params(arg_params, aux_params)
    module.forward(mx.io.DataBatch([mx.nd.ones((2, 3, 8, 8))]), is_train=False)
    assert np.allclose(module.get_outputs()[0].sum(axis=1).asnumpy(), 1)


@pytest.mark.parametrize("kwargs", [['{"width": 4}'], ["{'width': 4}"], ["width=4"], ["width=4", "depth=3"]])
def test_the_generated_command_makes_the_file_again(kwargs: list[str]) -> None:
    given = [part for text in kwargs for part in ("--kwargs", text)]
    convert("Needs", *given, "--input", "x=1,4", "--softmax")
    text = Path("model_mxnet.py").read_text()
    shown = re.search(r'python -m tracer.gen (.*?)"""', text, re.DOTALL)
    assert shown
    done = fx2mx(*shlex.split(shown[1].replace("\\\n", " ")), "--check")
    assert done.status == 0, done.err


# A process of its own ----------------------------------------------------------------------------


def in_a_process(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`code`, then the command with these arguments."""
    script = f"import sys\n{code}\nfrom tracer.gen import main\nmain(sys.argv[1:])\n"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


BLOCKER = """
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "mxnet":
            raise ImportError("mxnet is blocked")
sys.meta_path.insert(0, Blocker())
"""


def test_names_with_spaces(tmp_path: Path) -> None:
    os.makedirs("my nets/out dir")
    Path("model.py").rename("my nets/my model.py")
    command = ("my nets/my model.py:XXNet", "--out", "my nets/out dir/my net_mxnet.py", *IMAGE)
    assert fx2mx(*command).status == 0
    head = words_of(Path("my nets/out dir/my net_mxnet.py"))
    assert head == ["../my model.py:XXNet", "--out", "my net_mxnet.py", *IMAGE]
    assert fx2mx(*command, "--check").status == 0


def test_check_without_weights_needs_no_mxnet() -> None:
    assert convert("XXNet", *IMAGE).status == 0
    arguments = ("model.py:XXNet", "--out", "model_mxnet.py", *IMAGE, "--no-weights")
    done = in_a_process(BLOCKER, *arguments, "--check")
    assert done.returncode == 0, done.stderr
    Path("model_mxnet.py").write_text("stale")
    done = in_a_process(BLOCKER, *arguments, "--diff")
    assert done.returncode == 1
    assert done.stderr.endswith("error: model_mxnet.py is stale  (FX123)\n")
    Path("model_mxnet.py").unlink()
    done = in_a_process(BLOCKER, *arguments)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "error: mxnet cannot be imported (ImportError: mxnet is blocked); install it anew: "
        "pip install --no-deps mxnet==1.9.1  (FX240)",
    )


def test_check_without_weights_needs_no_checkpoint() -> None:
    """The command that made the files, in CI: nothing is read of weights, old ones on disk are not looked at."""
    arguments = (*IMAGE, "--weights", "w.pth")
    torch.save({"conv1.weight": torch.randn(4, 3, 3, 3), "conv1.bias": torch.randn(4)}
               | {"fc.weight": torch.randn(2, 4), "fc.bias": torch.randn(2)}, "w.pth")  # fmt: skip
    assert convert("XXNet", *arguments).status == 0
    os.unlink("w.pth")
    for name in ("symbol.json", "0000.params", "layer_contrast.txt"):
        Path(f"model_mxnet-{name}").write_text("old")
    before = snapshot(Path())
    for option in ("--check", "--diff"):
        done = convert("XXNet", *arguments, "--no-weights", option)
        assert (done.status, done.out) == (0, ""), done.err
    assert convert("XXNet", *arguments, "--check").status == 2
    assert snapshot(Path()) == before


def test_a_check_leaves_no_file_behind() -> None:
    """Not even Python's cache of the user's file, in a process that would write one."""
    assert convert("XXNet", *IMAGE).status == 0
    arguments = ("model.py:XXNet", "--out", "model_mxnet.py", *IMAGE)
    for stale in (False, True):
        if stale:
            Path("model_mxnet.py").write_text("stale")
        before = snapshot(Path())
        done = in_a_process("sys.dont_write_bytecode = False", *arguments, "--diff")
        assert done.returncode == stale, done.stderr
        assert snapshot(Path()) == before


def test_the_diff_mends_the_file() -> None:
    """It is a unified diff, and all of it goes to standard output: `patch` makes of the stale file the fresh one."""
    assert convert("XXNet", *IMAGE).status == 0
    fresh = Path("model_mxnet.py").read_text()
    for stale in (fresh.replace("num_filter=4", "num_filter=5"), "", "x = 1", fresh[:-1], fresh.upper()):
        Path("model_mxnet.py").write_text(stale)
        done = convert("XXNet", *IMAGE, "--no-weights", "--diff")
        assert done.status == 1
        subprocess.run(["patch", "--silent", "model_mxnet.py"], input=done.out, text=True, check=True)
        assert Path("model_mxnet.py").read_text() == fresh
    os.unlink("model_mxnet.py")
    done = convert("XXNet", *IMAGE, "--no-weights", "--diff")
    assert done.status == 1
    lines = done.out.splitlines(keepends=True)
    assert "".join(line[1:] for line in lines[3:]) == fresh


def test_folded_code_is_checked_without_mxnet() -> None:
    assert convert("Blocks", *IMAGE).status == 0
    assert "range(" in Path("model_mxnet.py").read_text()
    done = in_a_process(
        BLOCKER, "model.py:Blocks", "--out", "model_mxnet.py", *IMAGE, "--no-weights", "--check"
    )
    assert done.returncode == 0, done.stderr


def test_no_colours_and_no_noise_when_not_a_terminal() -> None:
    done = in_a_process("", "model.py:Unsupported", "--out", "m.py", *ROW, "--tolerance", "0")
    assert done.returncode == 1
    assert "\x1b" not in done.stdout + done.stderr
    done = in_a_process("", "model.py:TwoOutputs", "--out", "m.py", *ROW)
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 6, done.stderr


def test_help_has_examples() -> None:
    done = in_a_process("", "--help")
    assert done.returncode == 0
    assert "python -m tracer.gen model.py:XXNet --out model_mxnet.py\n" in done.stdout
    assert done.stdout.count("  python -m tracer.gen ") >= 5
    assert "Exit status: 0 done; 1 " in done.stdout
    names = "--kwargs --input --weights --weights-key --strip-prefix --ignore-keys --no-weights --no-verify --verify"
    options = [*names.split(), "--tolerance", "--tap"]
    for option in [*options, "--softmax", "--dry-run", "--check", "--diff", "--out"]:
        assert f"  {option}" in done.stdout
    assert "Traceback" not in done.stderr
    assert "torch" not in in_a_process("", "--help").stderr


# All or nothing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("old", ["", "old"])
@pytest.mark.parametrize("place", range(1, 9))
def test_all_files_or_none(old: str, place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever move fails, what stood there stands there, and nothing is left beside it."""
    files = {Path(name): f"new {name}" for name in ("a.py", "b.json", "c.txt")}
    if old:
        for path in files:
            path.write_text(old)
    before = {name: content for name, (content, _) in snapshot(Path()).items()}
    replace, calls = os.replace, []

    def failing(source: str, target: str) -> None:
        calls.append(source)
        if len(calls) == place:
            raise OSError(28, "No space left on device", str(source))
        replace(source, target)

    monkeypatch.setattr(codegen.artifacts.os, "replace", failing)
    moves = 6 if old else 3
    if place > moves:
        write_all(files)
        assert all(path.read_text() == text for path, text in files.items())
        assert len(snapshot(Path())) == 4
        return
    with pytest.raises(
        RequestError, match=r"^cannot write .*: No space left on device; nothing was written$"
    ):
        write_all(files)
    assert {name: content for name, (content, _) in snapshot(Path()).items()} == before


def test_a_disk_that_is_full_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise mx.base.MXNetError("Traceback\nCheck failed: write failed")

    monkeypatch.setattr(mx.nd, "save", full)
    before = snapshot(Path())
    done = convert("XXNet", *IMAGE)
    assert done.status == 2
    assert re.search(r"error: cannot write \S+: Check failed: write failed; nothing was written\n$", done.err)
    assert snapshot(Path()) == before
