"""Loading a SPEC: what is found, how it is built, and the exact words where it cannot be."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import tracer
from codegen.problems import RequestError, UserModelError
from tracer.capture import capture
from tracer.load import load_model

NET = """
    import torch
    from torch import nn

    class Block(nn.Module):
        pass

    class XXNet(nn.Module):
        class Inner(nn.Module):
            def forward(self, x):
                return x

        def __init__(self, width=4):
            super().__init__()
            self.fc = nn.Linear(width, 2)

        def forward(self, x):
            return self.fc(x)

    class Wide(nn.Module):
        def __init__(self, width, *, depth, bias=True):
            super().__init__()
            self.fc = nn.Linear(width, depth, bias)

    def build(width=3):
        return XXNet(width)

    def pair():
        return XXNet(), 1

    class Plain:
        pass

    ready = XXNet(7)
    size = 3
"""


@pytest.fixture(autouse=True)
def _clean_imports() -> Iterator[None]:
    path, modules = list(sys.path), dict(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - set(modules):
        if not name.startswith(("torch", "numpy")):
            del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "model.py", NET)
    return tmp_path


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text))
    return file


def refusal(spec: str, kwargs: dict[str, Any] | None = None) -> str:
    with pytest.raises(RequestError) as caught:
        load_model(spec, kwargs or {})
    return str(caught.value)


# What is found -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "width", "name", "origin"),
    [
        ("model.py:XXNet", 4, "XXNet", "model.py:XXNet"),
        ("model.py:build", 3, "build", "model.py:build"),
        ("model.py:ready", 7, "ready", "model.py:ready"),
        ("model:XXNet", 4, "XXNet", "model.py:XXNet"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_class_function_and_module(spec: str, width: int, name: str, origin: str) -> None:
    loaded = load_model(spec, {})
    assert (loaded.name, loaded.origin) == (name, origin)
    assert loaded.model.fc.in_features == width
    assert not any(module.training for module in loaded.model.modules())


def test_a_dotted_name_gives_its_last_part(folder: Path) -> None:
    loaded = load_model(f"{folder}/model.py:XXNet.Inner", {})
    assert (loaded.name, loaded.origin) == ("Inner", "model.py:XXNet.Inner")


@pytest.mark.usefixtures("folder")
def test_kwargs_reach_the_constructor() -> None:
    model = load_model("model.py:Wide", {"width": 5, "depth": 6, "bias": False}).model
    assert (model.fc.in_features, model.fc.out_features, model.fc.bias) == (5, 6, None)


@pytest.mark.usefixtures("folder")
def test_the_seed_is_fixed_and_does_not_leak() -> None:
    write(Path(), "noisy.py", NET + "\n    torch.rand(3); import random; random.random()\n")
    random.seed(123)
    np.random.seed(123)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    first = load_model("model.py:XXNet", {}).model.fc.weight
    torch.rand(5)
    again = load_model("noisy.py:XXNet", {}).model.fc.weight
    assert torch.equal(first, again)
    torch.set_rng_state(states[0])
    load_model("noisy.py:XXNet", {})
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.array_equal(np.random.get_state()[1], states[2])


def test_nothing_is_written_beside_the_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    write(folder, "layers.py", "WIDTH = 9")
    write(folder, "net.py", NET + "\n    import layers\n    XXNet.width = layers.WIDTH\n")
    assert load_model("net.py:XXNet", {}).model.width == 9
    assert sorted(p.name for p in folder.iterdir()) == ["layers.py", "model.py", "net.py"]


def test_a_script_sees_its_own_argv(folder: Path) -> None:
    write(folder, "script.py", NET + "\n    import argparse\n    argparse.ArgumentParser().parse_args()\n")
    assert load_model("script.py:XXNet", {}).name == "XXNet"


def test_two_folders_with_equal_names(tmp_path: Path) -> None:
    for width in (3, 5):
        write(tmp_path, f"{width}/layers.py", f"WIDTH = {width}")
        write(tmp_path, f"{width}/model.py", NET + "\n    import layers\n    XXNet.width = layers.WIDTH\n")
    assert [load_model(f"{tmp_path}/{w}/model.py:XXNet", {}).model.width for w in (3, 5)] == [3, 5]


def test_inside_a_package(tmp_path: Path) -> None:
    write(tmp_path, "pkg/__init__.py", "")
    write(tmp_path, "pkg/layers.py", "WIDTH = 2")
    write(tmp_path, "pkg/sub/__init__.py", "")
    write(tmp_path, "pkg/sub/near.py", "HEIGHT = 3")
    text = "\n    from ..layers import WIDTH\n    import near\n    XXNet.size = WIDTH, near.HEIGHT\n"
    write(tmp_path, "pkg/sub/model.py", NET + text)
    loaded = load_model(f"{tmp_path}/pkg/sub/model.py:XXNet", {})
    assert loaded.model.size == (2, 3)
    assert type(loaded.model).__module__ == "pkg.sub.model"
    assert loaded.origin == "model.py:XXNet"


@pytest.mark.parametrize(
    "sibling", ["codegen.py", "codegen/__init__.py", "tracer.py", "templates/__init__.py"]
)
def test_siblings_called_like_ours(tmp_path: Path, sibling: str) -> None:
    name = sibling.partition("/")[0].removesuffix(".py")
    write(tmp_path, sibling, "WIDTH = 11")
    write(tmp_path, "model.py", NET + f"\n    from {name} import WIDTH\n    XXNet.width = WIDTH\n")
    ours = {key: module for key, module in sys.modules.items() if key.partition(".")[0] == name}
    assert load_model(f"{tmp_path}/model.py:XXNet", {}).model.width == 11
    after = {key: module for key, module in sys.modules.items() if key.partition(".")[0] == name}
    assert after == ours


def test_the_file_of_a_sibling_called_like_ours(tmp_path: Path) -> None:
    """The generated docstrings name it, though sys.modules has ours under its name again."""
    write(tmp_path, "codegen.py", NET)
    write(tmp_path, "model.py", "from codegen import XXNet\n")
    model = load_model(f"{tmp_path}/model.py:XXNet", {}).model
    node = capture(model, {"x": torch.ones(1, 4)}).outputs[0]
    assert [f.file for f in node.meta["source"].frames] == ["codegen.py", "linear.py"]


def test_a_plain_folder_called_like_ours(tmp_path: Path) -> None:
    write(tmp_path, "tracer/layers.py", "WIDTH = 12")
    write(tmp_path, "model.py", NET + "\n    from tracer.layers import WIDTH\n    XXNet.width = WIDTH\n")
    assert load_model(f"{tmp_path}/model.py:XXNet", {}).model.width == 12
    assert sys.modules["tracer"] is tracer
    assert "tracer.layers" not in sys.modules


@pytest.mark.parametrize("name", ["tracer", "types", "torch"])
def test_a_file_called_like_a_loaded_module(tmp_path: Path, name: str) -> None:
    before = sys.modules[name]
    write(tmp_path, f"{name}.py", NET)
    model = load_model(f"{tmp_path}/{name}.py:XXNet", {}).model
    assert sys.modules[name] is before
    assert Path(str(sys.modules[type(model).__module__].__file__)).name == f"{name}.py"


def test_our_modules_come_first_again(folder: Path) -> None:
    before = list(sys.path)
    load_model("model.py:XXNet", {})
    assert sys.path == [*before, str(folder)]


def test_an_installed_module() -> None:
    loaded = load_model("torch.nn:Linear", {"in_features": 2, "out_features": 3})
    assert (loaded.name, loaded.origin) == ("Linear", "torch.nn:Linear")


# What cannot be ----------------------------------------------------------------------------------

CLASSES = "its nn.Module classes are Block, XXNet, Wide"
FORMS = "path/model.py:Name or package.module:Name"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("model.py", f"SPEC 'model.py' has no ':': write it as {FORMS}"),
        ("model.py:", f"SPEC 'model.py:' does not name a module: write it as {FORMS}"),
        ("model.py:a b", f"SPEC 'model.py:a b' does not name a module: write it as {FORMS}"),
        ("a-b:C", f"'a-b' is neither a Python file nor a module's name: write SPEC as {FORMS}"),
        ("none.py:XXNet", "no such file: none.py"),
        ("./model:XXNet", "no such file: ./model (there is ./model.py)"),
        ("./:XXNet", f"./ is a folder: give a Python file in it, as {FORMS}"),
        (
            "no.such:XXNet",
            f"no such module: no.such, neither in the current folder nor installed (SPEC is {FORMS})",
        ),
        ("model.py:XNet", f"no 'XNet' in model.py (did you mean 'XXNet'?): {CLASSES}"),
        ("model.py:ResNet50", f"no 'ResNet50' in model.py: {CLASSES}"),
        ("model.py:XXNet.Outer", f"no 'XXNet.Outer' in model.py (did you mean 'XXNet'?): {CLASSES}"),
        ("model.py:Plain", f"Plain in model.py is a class, but not an nn.Module: {CLASSES}"),
        (
            "model.py:size",
            "size in model.py is of type int, not an nn.Module class, a module, or a function that returns "
            f"one: {CLASSES}",
        ),
        ("model.py:pair", "pair() returned a tuple: it must return one nn.Module"),
        (
            "model.py:Wide",
            'Wide needs the arguments width, depth: give --kwargs \'{"width": ..., "depth": ...}\', or, where '
            "these are no plain values, build.py:build as SPEC, with this build.py beside the net:\n"
            "  from model import Wide\n  def build():\n      return Wide(width=..., depth=...)",
        ),
    ],
)
@pytest.mark.usefixtures("folder")
def test_bad_requests(spec: str, message: str) -> None:
    assert refusal(spec) == message


@pytest.mark.parametrize(
    ("spec", "kwargs", "message"),
    [
        (
            "model.py:XXNet",
            {"widht": 1},
            "XXNet takes no argument 'widht' (did you mean 'width'?): it takes width",
        ),
        ("model.py:pair", {"x": 1}, "pair takes no argument 'x': it takes none, leave out --kwargs"),
        (
            "model.py:Wide",
            {"width": 3},
            'Wide needs the argument depth: give --kwargs \'{"width": 3, "depth": ...}\', or, where these are no '
            "plain values, build.py:build as SPEC, with this build.py beside the net:\n"
            "  from model import Wide\n  def build():\n      return Wide(width=3, depth=...)",
        ),
        ("model.py:ready", {"width": 3}, "ready in model.py is a module already: leave out --kwargs"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_bad_kwargs(spec: str, kwargs: dict[str, Any], message: str) -> None:
    assert refusal(spec, kwargs) == message


def test_a_file_without_classes(folder: Path) -> None:
    write(folder, "empty.py", "import torch\n")
    assert refusal("empty.py:Net") == "no 'Net' in empty.py: it defines no nn.Module class"


def test_an_error_at_import_shows_the_users_frames_only(folder: Path) -> None:
    file = write(folder, "bad.py", "def f():\n    return 1 / 0\n\nf()\n")
    with pytest.raises(UserModelError) as caught:
        load_model("bad.py:Net", {})
    assert str(caught.value).splitlines()[:2] == [
        "bad.py raised when it was imported: ZeroDivisionError: division by zero",
        "Traceback (most recent call last):",
    ]
    text = str(caught.value)
    assert f'File "{file}", line 2, in f' in text
    assert text.endswith("ZeroDivisionError: division by zero")
    assert "load.py" not in text


def test_an_error_in_the_constructor(folder: Path) -> None:
    raising = """
        class Bad(nn.Module):
            def __init__(self):
                super().__init__()
                raise ValueError("no such depth")
    """
    write(folder, "bad.py", textwrap.dedent(NET) + textwrap.dedent(raising))
    with pytest.raises(UserModelError) as caught:
        load_model("bad.py:Bad", {})
    assert str(caught.value).startswith("Bad raised when it was built: ValueError: no such depth\nTraceback")
    assert str(caught.value).endswith("ValueError: no such depth")


def test_what_exits_or_lacks_a_library_is_the_users_error(folder: Path) -> None:
    write(folder, "quits.py", "import sys\nsys.exit(3)\n")
    write(folder, "lacks.py", "import no_such_library\n")
    assert refusal("quits.py:Net") == (
        f"quits.py ends the process when it is imported, at {folder}/quits.py:2 (SystemExit: 3): it runs as a "
        'script; put what runs under `if __name__ == "__main__":`, or the net into a file of its own'
    )
    assert refusal("lacks.py:Net").endswith("ModuleNotFoundError: No module named 'no_such_library'")
    assert refusal("lacks:Net").startswith("lacks raised when it was imported:")


def test_a_script_that_needs_arguments(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its usage, of many lines, is not printed, and argparse is as it was."""
    error = argparse.ArgumentParser.error
    lines = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--data', required=True)\n"
    write(folder, "train.py", lines + "args = p.parse_args()\n")
    assert refusal("train.py:Net") == (
        f"train.py ends the process when it is imported, at {folder}/train.py:4 (SystemExit: the following "
        "arguments are required: --data): it runs as a script; put what runs under "
        '`if __name__ == "__main__":`, or the net into a file of its own'
    )
    assert capfd.readouterr() == ("", "")
    assert argparse.ArgumentParser.error is error


def test_the_build_file_of_the_error_works(folder: Path) -> None:
    lines = refusal("model.py:Wide").splitlines()[1:]
    text = textwrap.dedent("\n".join(lines)).replace("width=..., depth=...", "width=torch.tensor(3), depth=2")
    write(folder, "build.py", f"import torch\n{text}\n")
    assert load_model("build.py:build", {}).model.fc.in_features == 3


def test_relative_imports_outside_a_package(folder: Path) -> None:
    write(folder, "relative.py", "from .layers import X\n")
    assert refusal("relative.py:Net").startswith(
        "relative.py uses relative imports outside a package (put an empty __init__.py into its folder, "
        "or give SPEC as package.module:Name): ImportError: attempted relative import with no known parent package\n"
        "Traceback"
    )


def test_a_failed_import_leaves_no_traces(folder: Path) -> None:
    write(folder, "codegen.py", "raise RuntimeError('theirs')\n")
    write(folder, "bad.py", "import codegen\n")
    before: dict[str, ModuleType] = dict(sys.modules)
    argv = sys.argv
    assert refusal("bad.py:Net").endswith("RuntimeError: theirs")
    assert {k: v for k, v in sys.modules.items() if k.startswith(("codegen", "bad"))} == {
        k: v for k, v in before.items() if k.startswith("codegen")
    }
    assert sys.argv is argv


def test_a_stored_script_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the command runs, with PYTORCH_JIT=0, torch.jit.load itself fails, with words of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(
        "import torch\nfrom torch import nn\n\n\nclass Net(nn.Module):\n    def forward(self, x):\n        return x.relu()\n\n\n"
        "def stored():\n    return torch.jit.load('net.pt')\n"
    )
    shell = {name: value for name, value in os.environ.items() if name != "PYTORCH_JIT"} | {
        "PYTHONPATH": str(Path(tracer.__file__).parent.parent)
    }
    save = "import net, torch; torch.jit.script(net.Net()).save('net.pt')"
    subprocess.run([sys.executable, "-c", save], env=shell, check=True)
    command = [sys.executable, "-m", "tracer.gen", "net.py:stored", "--out", "m_mxnet.py", "--input", "1,4"]
    done = subprocess.run(command, env=shell, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "error: stored loads a net of torch.jit, whose code is not Python: build the net by its class, and give the "
        "state_dict() of this one as --weights  (FX206)"
    )
