"""A generated file that somebody edited is not overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import tracer
from codegen.digest import UNSIGNED, is_edited, signed
from codegen.problems import OverwriteError
from tests.command import Done, fx2mx

MODEL = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.conv(x).relu()
"""
COMMAND = ("model.py:Net", "--out", "net.py", "--input", "1,3,8,8")
OUT = Path("net.py")


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL)


def generated(*more: str) -> Done:
    return fx2mx(*COMMAND, "--quiet", *more)


def edited(old: str, new: str) -> bytes:
    """What the file holds after an edit."""
    text = OUT.read_text()
    assert old in text
    OUT.write_text(text.replace(old, new))
    return OUT.read_bytes()


@pytest.mark.parametrize(
    ("old", "new"), [("num_filter=4", "num_filter=5"), ("    x = mx", "    # mine\n    x = mx")]
)
def test_an_edit_is_shown_and_kept(old: str, new: str) -> None:
    assert generated().status == 0
    content = edited(old, new)
    done = generated()
    assert done.status == 1
    assert OUT.read_bytes() == content
    assert done.out.startswith("--- net.py\n+++ net.py (generated)\n@@ ")
    removed = [line[1:] for line in done.out.splitlines() if line.startswith("-")]
    assert any(new.partition("\n")[0] in line for line in removed)
    assert "\x1b" not in done.out
    assert done.err == (
        "error: net.py was edited by hand: what it alone has is marked - above\nto overwrite it, type\n"
        "    python -m tracer.gen model.py:Net --out net.py --input 1,3,8,8 --quiet --force\n"
        "nothing was written\n"
    )


def test_force_overwrites() -> None:
    assert generated().status == 0
    before = OUT.read_bytes()
    edited("num_filter=4", "num_filter=5")
    assert generated("--force").status == 0
    assert OUT.read_bytes() == before
    assert generated().status == 0


def test_a_check_fails_as_it_did() -> None:
    assert generated().status == 0
    edited("num_filter=4", "num_filter=5")
    assert generated("--check", "--no-weights").err == "error: net.py is stale\n"
    removed = [line for line in generated("--diff", "--no-weights").out.splitlines() if line.startswith("-")]
    assert len(removed) == 2
    assert "num_filter=5" in removed[1]


def test_line_endings_are_no_edit() -> None:
    assert generated().status == 0
    before = OUT.read_bytes()
    OUT.write_bytes(before.replace(b"\n", b"\r\n"))
    assert generated().status == 0
    assert OUT.read_bytes() == before


def test_another_net_overwrites_what_was_not_edited() -> None:
    assert generated().status == 0
    Path("model.py").write_text(MODEL.replace("3, 4, 3", "3, 6, 3"))
    assert generated().status == 0
    assert "num_filter=6" in OUT.read_text()


def test_a_file_of_before_the_digest_is_overwritten() -> None:
    assert generated().status == 0
    lines = OUT.read_text().splitlines(keepends=True)
    OUT.write_text("".join(line for line in lines if "fx2mx-sha256" not in line) + "# old\n")
    assert generated().status == 0
    assert "# old" not in OUT.read_text()


def test_a_long_diff_is_cut_and_counted() -> None:
    assert generated().status == 0
    OUT.write_text(OUT.read_text() + "# mine\n" * 100)
    lines = generated().out.splitlines()
    assert len(lines) == 61
    assert lines[-1].startswith("... and ")


def test_templates_that_print_no_digest_are_signed_all_the_same() -> None:
    Path("look/symbol").mkdir(parents=True)
    Path("look/symbol/file.jinja").write_text(
        '{% extends "fx2mx/symbol/file.jinja" %}{% block digest %}{% endblock %}{% block head %}{% endblock %}'
    )
    assert generated("--templates", "look").status == 0
    assert generated("--templates", "look").status == 0
    assert is_edited(OUT.read_text() + "# mine\n")
    OUT.write_text(OUT.read_text() + "# mine\n")
    assert generated("--templates", "look").status == 1


def test_saving_from_python() -> None:
    conversion = tracer.convert(nn.Conv2d(3, 4, 3), (torch.zeros(1, 3, 8, 8),))
    conversion.save("net.py")
    edited("num_filter=4", "num_filter=5")
    with pytest.raises(OverwriteError, match="give force=True"):
        conversion.save("net.py")
    conversion.save("net.py", force=True)
    assert OUT.read_text() == conversion.code


def test_a_digest_is_of_the_whole_text() -> None:
    text = signed(f"a\n# {UNSIGNED}\nb\n")
    assert not is_edited(text)
    assert signed(f"a\n# {UNSIGNED}\nb\n") == text
    assert is_edited(text.replace("a\n", "c\n"))
    assert is_edited(text.replace("b\n", "b\n\n"))
