"""Every block of code in the README and the site is checked by something: a kind that nothing checks fails here."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from tests.errors import PAGES as PAGES_OF_ERRORS
from tests.session import ROOT
from tests.test_readme import PAGES, name_of
from tracer.project import tomllib

FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# Kinds that tests.test_readme runs, or takes from the file that the title names.
RUN = ("python", "console")
# Whose own test reads these pages.
ELSEWHERE = {
    ("docs/traps.md", "pycon"): "tests/test_traps.py",
    ("docs/templates.md", "jinja"): "tests/test_templates.py",
    **{(f"docs/errors/{name}", "text"): "tests/errors.py" for name in PAGES_OF_ERRORS},
    ("docs/architecture.md", "mermaid"): "tests/test_architecture.py",
    ("docs/architecture.md", ""): "tests/test_architecture.py",
}
# What installs, or needs a cluster, and who runs it.
LINES = {
    "pip install .": "tests/matrix.py",
    "pip install --no-deps mxnet==1.9.1": "tests/matrix.py",
    "pip install distributed": "pyproject.toml",
    "python on_dask.py pyproject.toml tcp://scheduler:8786": "tests/test_projects.py",
}


def _is_in_a_file(title: str, text: str) -> None:
    """The whole of a file, or lines of it that stand together."""
    name, _, part = title.partition(", ")
    written = (ROOT / name).read_text(encoding="utf-8")
    assert part in {"", "in part"}
    assert text in written if part else text == written, "the file reads otherwise"


def _is_a_suite(text: str) -> None:
    """Commands of minutes, which are `make test` or a suite beside it: their targets, files and modules exist."""
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        command = " ".join(words)
        if command in LINES:
            assert (ROOT / LINES[command]).is_file()
        elif words[0] == "make":
            assert words[1] in targets, line
        elif words[:3] == [".venv/bin/python", "-m", "pytest"]:
            files = [word for word in words[3:] if word.endswith(".py")]
            assert files, line
            assert [file for file in files if not (ROOT / file).is_file()] == []
        else:
            assert words[:2] == [".venv/bin/python", "-m"], f"nothing runs {line!r}"
            module = ROOT / words[2].replace(".", "/")
            assert (module / "__main__.py").is_file() or module.with_suffix(".py").is_file(), line


def _is_a_way(text: str) -> None:
    """Stages and what they hand on, between arrows: rooms of the code and classes of its data."""
    for room, name in re.findall(r"\b(?!nn\b)(\w+)\.([A-Z]\w+)", text):
        assert hasattr(import_module(f"codegen.{room}"), name), f"{room}.{name}"
    stages = re.findall(r"-> ([a-z]+)\b(?!\.)", text)
    assert stages
    assert [s for s in stages if not any((ROOT / p).exists() for p in (s, f"codegen/{s}", f"codegen/{s}.py"))] == []


PARSED: dict[str, Callable[[str], object]] = {"yaml": yaml.safe_load, "toml": tomllib.loads, "sh": _is_a_suite, "text": _is_a_way}


def check(page: str, kind: str, text: str) -> None:
    if kind in RUN:
        return
    if (page, kind) in ELSEWHERE:
        assert Path(page).name in (ROOT / ELSEWHERE[page, kind]).read_text(encoding="utf-8")
    elif quoted := re.fullmatch(r'py title="([^"]*)"', kind):
        _is_in_a_file(quoted[1], text)
    else:
        assert kind in PARSED, f"nothing checks a block of the kind {kind!r} in {page}"
        PARSED[kind](text)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_block_is_checked(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for kind, body in FENCE.findall(text):
        check(name_of(page), kind, body)
    rest = FENCE.sub("", text)
    assert "```" not in rest, "a fence that is not closed"
    # A list's own lines are indented too; code stands behind an empty line and none of these.
    assert re.findall(r"^(?![-*\d|]| +\S).*\n\n( {4}\S.*)", rest, re.MULTILINE) == [], "indented code, which nothing runs"


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        ("rust", "fn main() {}\n", "nothing checks a block of the kind 'rust'"),
        ("yaml", "a: [\n", "expected the node content"),
        ("toml", "a = \n", "Invalid value"),
        ("sh", "make tea\n", "make tea"),
        ("sh", "curl example.com\n", "nothing runs 'curl example.com'"),
        ("text", "ir.Grap -> lower\n", "ir.Grap"),
        ('py title="examples/xxnet/model.py"', "import torch\n", "the file reads otherwise"),
    ],
)
def test_a_block_that_nothing_checks(kind: str, text: str, told: str) -> None:
    with pytest.raises(Exception, match=re.escape(told)):  # of four libraries
        check("docs/index.md", kind, text)
