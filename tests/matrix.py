"""The fast part of the tests on every Python that fx2mx runs on: `make matrix` writes docs/matrix.md.

Each environment is a user's: the newest torch and numpy are there first, then fx2mx is installed beside them, by
the lines of README. Needs nothing but Python: it is run by one that has no torch.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "matrix.md"
FOLDER = ROOT / ".venv-matrix"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
# Named, since the newest torch that pip finds may be one that nobody has tried.
BEFORE = ("torch==2.14.1", "numpy")
MXNET = ("--no-deps", "mxnet==1.9.1")
TOOLS = ("pytest", "pytest-xdist", "expecttest")
FAST = (
    *("tests/test_mxnet_import.py", "tests/test_command_whole.py", "tests/test_ops.py", "tests/test_load.py"),
    *("tests/test_written.py", "tests/test_fusion.py"),
)
HEAD = """# Where it was tried

Written by `make matrix`. Each row is an environment that held torch and numpy first, and got fx2mx and mxnet by the
lines of README. "Left as they were" compares `pip freeze` before and after. The tests are a fixed part of all:
the import of mxnet, the command with weights and comparison, and one in twenty of the op cases on both frameworks.

| Python | torch | numpy | mxnet | torch, numpy and all else | tests |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """One environment: what is in it, whether installing changed it, and how the tests ended."""

    python: str
    versions: dict[str, str]
    changed: tuple[str, ...]
    tests: str

    def text(self) -> str:
        own = [self.versions.get(name, "-") for name in ("torch", "numpy", "mxnet")]
        left = f"changed: {', '.join(self.changed)}" if self.changed else "left as they were"
        return f"| {' | '.join([self.python, *own, left, self.tests])} |\n"


def main() -> int:
    """The fast part in this environment, or the whole matrix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--here", action="store_true", help="the fast part alone, in this environment")
    parser.add_argument("--processes", default="2")
    parser.add_argument("--pythons", nargs="*", default=PYTHONS)
    options = parser.parse_args()
    if options.here:
        return subprocess.run(fast(sys.executable, options.processes), cwd=ROOT, check=False).returncode
    rows = [row(version, options.processes) for version in options.pythons]
    text = HEAD + "".join(r.text() for r in rows)
    print(text)
    if tuple(options.pythons) == PYTHONS:
        PAGE.write_text(text, encoding="utf-8")
    return 1 if any(r.changed or not r.tests.endswith(" passed") for r in rows) else 0


def fast(python: str | Path, processes: str) -> list[str]:
    """The command of the fast part."""
    return [str(python), "-m", "pytest", "-n", processes, "--fast", *FAST]


def row(version: str, processes: str) -> Row:
    """An environment is made, tried and removed."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    subprocess.run([interpreter(version), "-m", "venv", str(FOLDER)], check=True)
    python = FOLDER / "bin" / "python"
    try:
        install(python, *BEFORE)
        before = frozen(python)
        install(python, str(ROOT))
        install(python, *MXNET)
        after = frozen(python)
        install(python, *TOOLS)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            fast(python, processes), cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    changed = tuple(f"{k} {v} to {after.get(k, 'nothing')}" for k, v in before.items() if after.get(k) != v)
    print(done.stdout[-3000:], file=sys.stderr)
    return Row(version, after, changed, outcome(done.stdout))


def interpreter(version: str) -> str:
    """A Python of this version, on the path or among pyenv's."""
    own = Path.home() / ".pyenv" / "versions"
    for candidate in (
        f"python{version}",
        *map(str, sorted(own.glob(f"{version}.*/bin/python3"), reverse=True)),
    ):
        found = shutil.which(candidate)
        if found and not subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode:
            return found
    raise SystemExit(f"there is no Python {version}, on PATH or in {own}")


def install(python: Path, *packages: str) -> None:
    """pip, which says nothing but errors."""
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *packages], check=True, stderr=subprocess.DEVNULL
    )


def frozen(python: Path) -> dict[str, str]:
    """What `pip freeze` says, by name; fx2mx itself, which came from a folder, left out."""
    done = subprocess.run([python, "-m", "pip", "freeze"], check=True, capture_output=True, text=True)
    return dict(line.split("==") for line in done.stdout.split() if "==" in line)


def outcome(said: str) -> str:
    """pytest's last line, without the seconds."""
    counts: Sequence[str] = re.findall(r"\d+ (?:passed|failed|skipped|errors?)", said[-400:])
    return ", ".join(counts) or "did not run"


if __name__ == "__main__":
    sys.exit(main())
