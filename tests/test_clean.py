"""Generated code is as clean as a strict team asks of its own: black, every rule of ruff, mypy --strict.

Each tool sees all goldens in one run, under settings of its own: this project's are not read.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.golden import CODE, GOLDENS, HERE

FILES = [f"{folder}/{CODE}" for folder in GOLDENS]

# Every rule of ruff but these.
LEFT_OUT = {
    "COM812": "black decides on trailing commas",
    "D203": "the opposite of D211",
    "D213": "the opposite of D212",
    "D401": "a docstring says what the function gives (BasicBlock of model.py), not what it does",
    "D403": "it starts with the class's name as the author spelled it",
    "CPY001": "the copyright of a net is its author's",
    "ERA001": "`# layer1.0: Block`, the place of a section in the net, parses as an annotation",
    "FBT001": "flags are passed by keyword: with_downsample=True",
    "INP001": "where the file is put is the user's choice",
    "N802": "the net's function has the name of its class (contract)",
    "N803": "tensors are called as in the author's forward: Q, K",
    "N806": "the same",
    "PLR0913": "as many parameters as differ between a block's uses, passed by keyword",
    "PLR0917": "the same",
    "RUF001": "names are in the author's alphabet",
    "RUF002": "the same",
    "RUF003": "the same",
    "SLF001": "`_set_attr` is MXNet's one way to name the result of an operator",
}

MYPY = """
[mypy]
strict = True
python_version = 3.11
# The files of several folders have one name.
explicit_package_bases = True
[mypy-mxnet.*]
ignore_missing_imports = True
"""


BLACK = ("black", "--check", "--diff", "--quiet", "--line-length", "100", "--config", "/dev/null")
RUFF = (
    *("ruff", "check", "--isolated", "--no-cache", "--quiet", "--line-length", "100"),
    *("--target-version", "py310", "--select", "ALL", "--ignore", ",".join(LEFT_OUT)),
)


def mypy(settings: Path) -> tuple[str, ...]:
    """The command, with settings and a cache in this folder."""
    (settings / "mypy.ini").write_text(MYPY)
    return ("mypy", "--config-file", str(settings / "mypy.ini"), "--cache-dir", str(settings / "cache"))


def check(command: tuple[str, ...], folder: Path, files: Sequence[str]) -> None:
    """The tool finds nothing in these files."""
    done = subprocess.run(
        [sys.executable, "-m", *command, *files], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_black() -> None:
    check(BLACK, HERE, FILES)


def test_ruff() -> None:
    check(RUFF, HERE, FILES)


def test_mypy(tmp_path: Path) -> None:
    check(mypy(tmp_path), HERE, FILES)
