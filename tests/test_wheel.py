"""The wheel: what `pip install .` gives works from any folder, templates and console script included."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def call(arguments: Sequence[str | Path], folder: Path) -> str:
    """Run a program in `folder`, with nothing of this checkout on its path."""
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME"}}
    done = subprocess.run(
        [str(a) for a in arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, so that nothing is left in the checkout."""
    source = tmp_path_factory.mktemp("source")
    for name in ("tracer", "codegen", "templates"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--no-index", "--wheel-dir", source / "dist"]
    call([sys.executable, "-m", "pip", "wheel", *options, "."], source)
    return next((source / "dist").glob("fx2mx-*.whl"))


def test_what_is_in_it(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"tracer", "codegen"}
    for folder in ("tracer", "codegen", "codegen/rules", "codegen/write"):
        assert {f"{folder}/{p.name}" for p in (ROOT / folder).glob("*.py")} <= set(names)
    templates = {p.relative_to(ROOT).as_posix() for p in (ROOT / "templates").rglob("*") if p.is_file()}
    assert {f"codegen/{template}" for template in templates} <= set(names)


def test_what_it_asks_for(wheel: Path) -> None:
    """Nothing that would take back a torch or a numpy that is there: mxnet asks for numpy below 2."""
    archive = zipfile.ZipFile(wheel)
    metadata = next(n for n in archive.namelist() if n.endswith("METADATA"))
    lines = archive.read(metadata).decode().splitlines()
    asked = {line.split(": ")[1] for line in lines if line.startswith("Requires-Dist: ") and "extra ==" not in line}
    assert {a for a in asked if a.startswith(("numpy", "torch", "mxnet"))} == {"numpy<3,>=1.22", "torch<3,>=2.4"}
    assert "Requires-Python: <3.14,>=3.10" in lines


def test_the_command_works_from_any_folder(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", system_site_packages=True, symlinks=True)
    python = tmp_path / "venv/bin/python"
    site = Path(
        call([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], tmp_path).strip()
    )
    # torch and mxnet come from the environment that runs this test.
    (site / "outer.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    call([*pip, "--no-deps", "--no-index", "--ignore-installed", wheel], tmp_path)
    folder = tmp_path / "nets"
    folder.mkdir()
    shutil.copy(ROOT / "examples/xxnet/model.py", folder)
    where = call([python, "-c", "import tracer; print(tracer.__file__)"], folder).strip()
    assert where.startswith(str(site))
    said = call([tmp_path / "venv/bin/fx2mx", "model.py:XXNet", "--out", "model_mxnet.py"], folder)
    assert "agrees with torch" in said
    assert "wrote model_mxnet-0000.params" in said
    said = call([python, "-m", "tracer.gen", "model.py:XXNet", "--out", "model_mxnet.py", "--check"], folder)
    assert "fresh" in said
