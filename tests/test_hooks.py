"""The CI step of the README, and of docs/guides/ci.md with its pre-commit hook, exactly as they stand there, in a scratch git repository without mxnet."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command import fx2mx, snapshot

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/guides/ci.md")
YAML = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = ("model.py:XXNet", "--out", "model_mxnet.py", "--no-weights")


def block(start: str) -> str:
    """The pages' block of YAML that starts with a comment; the README's is the guide's."""
    blocks = [text for page in PAGES for text in YAML.findall((ROOT / page).read_text(encoding="utf-8"))]
    found = {text for text in blocks if text.startswith(f"# {start}")}
    assert len(found) == 1, f"the pages have {len(found)} different blocks '# {start}'"
    return found.pop()


def step() -> dict[str, Any]:
    steps = yaml.safe_load(block(".github/workflows/ci.yml, under steps:"))
    assert len(steps) == 1
    return steps[0]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A net, its code and the hook, committed; there is no mxnet, and nothing of the user's own configuration."""
    repository, home = tmp_path / "repository", tmp_path / "home"
    for folder in (repository, home, tmp_path / "blocked"):
        folder.mkdir()
    monkeypatch.chdir(repository)
    (repository / "model.py").write_text((ROOT / "examples/xxnet/model.py").read_text())
    (repository / ".pre-commit-config.yaml").write_text(block(".pre-commit-config.yaml"))
    assert fx2mx(*COMMAND, "--no-verify").status == 0
    (repository / "model_mxnet-symbol.json").unlink()
    (tmp_path / "blocked/mxnet.py").write_text("raise ImportError('there is no mxnet here')\n")
    for name in [name for name in os.environ if name.startswith(("GIT_", "PRE_COMMIT"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'blocked'}{os.pathsep}{ROOT}")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    run("git init --quiet --initial-branch main")
    run("git config user.name you; git config user.email you@example.com")
    run("git add . && git commit --quiet --message 'A net and its MXNet code'")
    return repository


def run(command: str, status: int = 0) -> str:
    """What a command says, as the shell of a CI step runs it."""
    done = subprocess.run(["bash", "-e", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def widen() -> None:
    """The edit that somebody makes, and forgets the generated file."""
    model = Path("model.py")
    model.write_text(model.read_text().replace("64", "32"))


def changed_lines(said: str) -> list[str]:
    """Those that a diff in the output takes away and adds, cut to what the edit changes in them."""
    found = re.findall(r"^([-+]) {4}.*?(num_filter=\d+|Outputs: .*|$)", said, re.MULTILINE)
    return [sign + text for sign, text in found]


DIFF = ["-Outputs: (N, 64, 112, 112).", "+Outputs: (N, 32, 112, 112).", "-num_filter=64", "+num_filter=32"]


def test_the_ci_step(repository: Path) -> None:
    before = snapshot(repository)
    assert "fresh: the files on disk are what would be generated" in run(step()["run"])
    assert snapshot(repository) == before
    widen()
    before = snapshot(repository)
    said = run(step()["run"], status=1)
    assert changed_lines(said) == DIFF
    assert "error: model_mxnet.py is stale" in said
    assert snapshot(repository) == before


def test_the_hook(repository: Path) -> None:
    assert "Passed" in run("pre-commit run --all-files")
    run("pre-commit install")
    Path("README").write_text("No file of the net.\n")
    said = run("git add . && git commit --message 'Another file'")
    assert "Skipped" in said
    widen()
    said = run("git commit --all --message 'A narrower net'", status=1)
    assert "Failed" in said
    assert changed_lines(said) == DIFF
    assert run("git status --short") == " M model.py\n"
    # The command of the hook, without --diff, mends it.
    assert fx2mx(*COMMAND, "--no-verify").status == 0
    said = run("git commit --all --message 'A narrower net'")
    assert "Passed" in said
