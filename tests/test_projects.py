"""Several nets in one project: `[tool.fx2mx]`, `fx2mx check`, the hook, and the recipe on Dask."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.command import fx2mx, snapshot
from tracer.heads import words_of
from tracer.many import run_all, run_job
from tracer.project import find_project, generated_files, listed_jobs

ROOT = Path(__file__).parent.parent
NET = """
import torch.nn as nn

class Small(nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.fc = nn.Linear(4, width)

    def forward(self, x):
        return self.fc(x).relu()

class Refused(nn.Module):
    def forward(self, x):
        return x.sort().values if x.sum() > 0 else x
"""
PROJECT = """
[tool.fx2mx]
options = ["--no-verify"]

[[tool.fx2mx.nets]]
spec = "nets/model.py:Small"
out = "made/small_mxnet.py"
inputs = ["1,4"]
weights = "weights/small.pth"

[[tool.fx2mx.nets]]
spec = "nets/model.py:Small"
out = "made/wide_mxnet.py"
inputs = "x=1,4"
kwargs = {width = 7}
options = "--no-weights"
"""
REFUSED = """
[[tool.fx2mx.nets]]
spec = "nets/model.py:Refused"
out = "made/refused_mxnet.py"
inputs = ["1,4"]
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a net, its weights, and the table; its folder is the current one."""
    for folder in ("nets", "made", "weights"):
        (tmp_path / folder).mkdir()
    (tmp_path / "nets/model.py").write_text(NET)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    torch.manual_seed(3)
    torch.save({"fc.weight": torch.randn(3, 4), "fc.bias": torch.randn(3)}, tmp_path / "weights/small.pth")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_nets(project: Path) -> None:
    done = fx2mx()
    assert (done.status, done.out.splitlines()[-1]) == (0, "2 nets, all ok"), done.out + done.err
    assert sorted(p.name for p in (project / "made").iterdir()) == [
        "small_mxnet-0000.params", "small_mxnet-layer_contrast.txt", "small_mxnet-symbol.json", "small_mxnet.py",
        "wide_mxnet-symbol.json", "wide_mxnet.py",
    ]  # fmt: skip
    assert "num_hidden=7" in (project / "made/wide_mxnet.py").read_text()
    before = snapshot(project)
    assert fx2mx("--check").status == 0
    assert snapshot(project) == before


def test_one_bad_net_does_not_stop_the_rest(project: Path) -> None:
    (project / "pyproject.toml").write_text(PROJECT + REFUSED)
    done = fx2mx("--processes", "2")
    assert done.status == 1
    assert done.out.splitlines()[-1] == "3 nets: 2 ok, 1 not"
    assert "not good  made/refused_mxnet.py" in done.out
    assert "the net looks at the values of a tensor" in done.out
    assert (project / "made/small_mxnet.py").exists()
    assert not (project / "made/refused_mxnet.py").exists()


def test_what_is_stale_is_named(project: Path) -> None:
    assert fx2mx("--quiet").status == 0
    (project / "nets/model.py").write_text(NET.replace("relu", "tanh"))
    done = fx2mx("--diff")
    assert done.status == 1
    stale = re.findall(r"error: (\S+) is stale", done.out)
    assert sorted(stale) == ["made/small_mxnet-symbol.json", "made/small_mxnet.py", "made/wide_mxnet.py"]
    assert re.search(r"\+    return .*tanh", done.out)


def test_quiet_says_what_is_wrong_alone(project: Path) -> None:
    (project / "pyproject.toml").write_text(PROJECT + REFUSED)
    done = fx2mx("--quiet")
    assert done.status == 1
    assert [line for line in done.out.splitlines() if line[0] != " "] == [done.out.splitlines()[0]]
    assert done.out.startswith("not good  made/refused_mxnet.py")


WRONG = [
    ("[tool.fx2mx]", "lists no nets: write [[tool.fx2mx.nets]] with spec"),
    ("[tool]\nfx2mx = 3", "[tool.fx2mx] is no table"),
    ("[tool.fx2mx]\nnet = []", "has no key 'net' (did you mean 'nets'?): it takes nets, options"),
    ('[[tool.fx2mx.nets]]\nspec = "a.py:A"', "net 1 of [tool.fx2mx] needs out, a text"),
    (
        '[[tool.fx2mx.nets]]\nspec = "a.py:A"\nout = "b.py"\ninput = "1,3"',
        "has no key 'input' (did you mean 'inputs'?)",
    ),
    ('[[tool.fx2mx.nets]]\nspec = "a.py:A"\nout = "b.py"\ninputs = [1, 3]', "inputs is no list of texts"),
    ('[[tool.fx2mx.nets]]\nspec = "a.py:A"\nout = "b.py"\noptions = "\'"', "No closing quotation"),
    (2 * '[[tool.fx2mx.nets]]\nspec = "a.py:A"\nout = "b.py"\n', 'two nets have out = "b.py"'),
    ("[tool.fx2mx", "pyproject.toml: Expected"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_wrong_table(project: Path, text: str, message: str) -> None:
    (project / "pyproject.toml").write_text(text)
    done = fx2mx()
    assert done.status == 2
    assert message in done.err


def test_there_is_no_project(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.black]\nline-length = 110\n")
    done = fx2mx()
    assert done.status == 2
    assert "there is no SPEC, and no pyproject.toml with [tool.fx2mx] here or above" in done.err
    assert find_project(project) is None


def test_options_of_one_net_need_it() -> None:
    done = fx2mx("--optimize", "--check")
    assert done.status == 2
    assert "--optimize is for one net, and SPEC is missing: give it as path/model.py:Name" in done.err


def test_the_project_is_found_from_below(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project / "nets")
    assert fx2mx("--no-weights").status == 0
    assert (project / "made/small_mxnet.py").exists()


def test_a_process_that_dies_is_told(project: Path) -> None:
    (project / "nets/model.py").write_text(NET + "import os\nos.abort()\n")
    done = run_job(listed_jobs(project / "pyproject.toml")[0])
    assert (done.status, done.word) == (-6, "died (-6)")


def test_a_folder_called_like_ours_is_not_ours(project: Path) -> None:
    (project / "tracer").mkdir()
    (project / "tracer/gen.py").write_text("raise RuntimeError('the user has a folder of this name')\n")
    assert [done.status for done in run_all(listed_jobs(project / "pyproject.toml"))] == [0, 0]


# The command in a file's head ---------------------------------------------------------------------


def test_the_head_is_right_wherever_it_is_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are as they are seen from the file, and the weights have their name."""
    monkeypatch.chdir(project / "nets")
    command = (
        "model.py:Small",
        "--out",
        "../made/m.py",
        "--input",
        "x=@x.npy",
        "--weights",
        "../weights/small.pth",
    )
    np.save("x.npy", np.ones((1, 4), np.float32))
    assert fx2mx(*command, "--no-verify").status == 0
    words = words_of(project / "made/m.py")
    assert words == [
        "../nets/model.py:Small", "--out", "m.py", "--input", "x=@../nets/x.npy", "--weights", "small.pth",
    ]  # fmt: skip
    shutil.copy(project / "weights/small.pth", project / "made")
    monkeypatch.chdir(project / "made")
    before = snapshot(project)
    assert fx2mx(*words, "--no-verify").status == 0  # as somebody would type it
    assert {k: v[0] for k, v in snapshot(project).items()} == {k: v[0] for k, v in before.items()}


def test_a_module_of_a_package_is_a_path_in_the_head(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "nets/__init__.py").touch()
    assert fx2mx("nets.model:Small", "--out", "made/m.py", "--input", "1,4", "--no-weights").status == 0
    assert words_of(project / "made/m.py")[0] == "../nets/model.py:Small"
    monkeypatch.chdir("/")
    assert fx2mx("check", project / "made/m.py").status == 0


def test_an_installed_module_keeps_its_name(project: Path) -> None:
    done = fx2mx("torch.nn:ReLU", "--out", "made/m.py", "--input", "1,4", "--no-weights")
    assert done.status == 0
    assert words_of(project / "made/m.py")[0] == "torch.nn:ReLU"


# fx2mx check --------------------------------------------------------------------------------------


def made(*more: str) -> Path:
    path = Path("made/small_mxnet.py")
    command = ("nets/model.py:Small", "--out", path, "--input", "1,4", "--no-verify")
    assert fx2mx(*command, *more).status == 0
    return path


def test_check_of_a_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made("--weights", "weights/small.pth").resolve()
    shutil.copy(project / "weights/small.pth", project / "nets")
    monkeypatch.chdir(project.parent)
    before = snapshot(project)
    done = fx2mx("check", path)
    assert done.status == 0, done.out
    assert "ok        " in done.out
    assert "the code alone" not in done.out
    assert snapshot(project) == before
    # Other weights of the same name: the parameters are looked at as well.
    torch.save({"fc.weight": torch.ones(3, 4), "fc.bias": torch.ones(3)}, project / "nets/small.pth")
    done = fx2mx("check", path)
    assert done.status == 1
    assert "small_mxnet-0000.params is stale" in done.out


def test_check_without_the_weights(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made("--weights", "weights/small.pth").resolve()
    shutil.rmtree("weights")
    done = fx2mx("check", path)
    assert done.status == 0, done.out
    assert "(the code alone: no small.pth beside it, beside the net, or in the current folder)" in done.out


def test_check_of_code_alone_is_told(project: Path) -> None:
    path = made("--no-weights")
    done = fx2mx("check", path)
    assert done.status == 0
    assert "(the code alone: there is no small_mxnet-0000.params)" in done.out


def test_check_finds_what_is_stale_everywhere(project: Path) -> None:
    made("--no-weights")
    shutil.copytree("made", ".hidden")
    shutil.copytree("made", "site-packages")
    assert generated_files(Path()) == (Path("made/small_mxnet.py"),)
    assert fx2mx("check").status == 0
    Path("nets/model.py").write_text(NET.replace("relu", "tanh"))
    done = fx2mx("check", "--diff")
    assert done.status == 1
    assert "small_mxnet.py is stale" in done.out


def test_a_check_of_the_code_needs_no_word_of_the_weights(project: Path) -> None:
    """CI has no checkpoint, and the README's step names none."""
    made("--weights", "weights/small.pth", "--ignore-keys", "head.*")
    done = fx2mx(
        "nets/model.py:Small", "--out", "made/small_mxnet.py", "--input", "1,4", "--no-weights", "--check"
    )
    assert done.status == 0, done.err


@pytest.mark.parametrize(
    "text", ["import torch\n", '"""python -m tracer.gen \'a"""', "\x00", "def f(:  # python -m tracer.gen "]
)
def test_check_of_what_was_not_generated(project: Path, text: str) -> None:
    Path("other.py").write_text(text)
    done = fx2mx("check", "other.py")
    assert done.status == 2
    assert "other.py has no head with the command that makes it (python -m tracer.gen ...)" in done.err


def test_check_of_nothing(project: Path) -> None:
    done = fx2mx("check", "no.py")
    assert (done.status, done.err) == (2, "error: no.py: no such file or directory\n")
    done = fx2mx("check")
    assert (done.status, done.err) == (2, "error: there is no generated file here or below\n")


def test_a_long_command_is_read_whole(project: Path) -> None:
    tap = ("--tap", "fc", "--kwargs", '{"width": 12}', "--batch", "frozen", "--optimize", "--trainable")
    made("--no-weights", *tap)
    head = Path("made/small_mxnet.py").read_text().split('"""')[1]
    assert "\\" in head  # it is broken
    assert words_of(Path("made/small_mxnet.py")) == [
        "../nets/model.py:Small", "--out", "small_mxnet.py", "--kwargs", '{"width": 12}', "--input", "1,4",
        "--tap", "fc", "--batch", "frozen", "--optimize", "--trainable",
    ]  # fmt: skip
    assert fx2mx("check").status == 0


# The hook, and the recipe -------------------------------------------------------------------------


def shell(command: str, folder: Path, status: int = 0) -> str:
    scripts = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_hook_is_one_entry(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("GIT_", "PRE_COMMIT"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(project / "made"))
    made("--no-weights")
    hooks = project.parent / "hooks"
    hooks.mkdir()
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", hooks)
    git = "git init -q -b main && git config user.name you && git config user.email you@example.com && git add ."
    shell(f"{git} && git commit -qm hooks && git tag v1", hooks)
    entry = {"repos": [{"repo": str(hooks), "rev": "v1", "hooks": [{"id": "fx2mx"}]}]}
    (project / ".pre-commit-config.yaml").write_text(yaml.safe_dump(entry))
    shell(git, project)
    assert "Passed" in shell("pre-commit run --all-files", project)
    (project / "nets/model.py").write_text(NET.replace("relu", "tanh"))
    shell("git add .", project)
    assert "small_mxnet.py is stale" in shell("pre-commit run", project, status=1)


def test_the_recipe_on_dask(project: Path) -> None:
    (project / "pyproject.toml").write_text(PROJECT + REFUSED)
    command = f"{sys.executable} {ROOT / 'examples/zoo/on_dask.py'} pyproject.toml"
    said = shell(command, project, status=1)
    assert "| made/refused_mxnet.py | not good |" in said
    assert "| made/small_mxnet.py | ok |" in said
    assert "| made/wide_mxnet.py | ok |" in said


# What docs/guides/several-nets.md shows ------------------------------------------------------------


def test_the_guides_table_is_one(project: Path) -> None:
    guide = (ROOT / "docs/guides/several-nets.md").read_text()
    (project / "pyproject.toml").write_text(guide.partition("```toml\n")[2].partition("```")[0])
    first, second = listed_jobs(project / "pyproject.toml")
    assert first.words == (
        "nets/classifier.py:Classifier", "--out", "deploy/classifier_mxnet.py",
        "--weights", "checkpoints/classifier.pth", "--tolerance", "1e-5",
    )  # fmt: skip
    assert second.words[3:] == (
        "--input", "ids=1,32:int64", "--kwargs", '{"hidden_size": 64}', "--tolerance", "1e-5", "--optimize", "--no-weights",
    )  # fmt: skip
    hook = yaml.safe_load(guide.partition("```yaml\n")[2].partition("```")[0])
    own = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["repos"][0]["hooks"][0]["id"] == own[0]["id"]
