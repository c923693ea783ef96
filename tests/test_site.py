"""The site: `make docs` builds it strictly, with every option of the parser, and nothing that a network must give."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import tracer
from tests import command_line
from tests.session import ROOT
from tracer.gen import command
from tracer.other_commands import OTHERS


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(place)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return place


def text_of(page: Path) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def test_the_options_are_the_parsers() -> None:
    assert command_line.page() == command_line.PAGE.read_text(encoding="utf-8"), "python -m tests.command_line"


def test_the_page_names_every_option(site: Path) -> None:
    text = text_of(site / "command-line.html")
    for own in (command, *OTHERS.values()):
        options = [p for p in own.params if isinstance(p, click.Option)]
        assert [name for o in options for name in o.opts if name not in text] == []
        assert [o.name for o in options if (o.help or "no help")[:30] not in text] == []


def test_the_page_of_python_has_the_public_interface(site: Path) -> None:
    text = (site / "python.html").read_text(encoding="utf-8")
    assert [name for name in tracer.__all__ if f".{name}" not in text] == []
    for method in ("symbol", "arg_params", "aux_params", "contrast", "verify", "verify_training", "files", "save"):
        assert f'id="tracer.conversion.Conversion.{method}"' in text


def test_every_page_is_in_the_navigation(site: Path) -> None:
    pages = {p.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for p in (ROOT / "docs").rglob("*.md")}
    index = (site / "index.html").read_text(encoding="utf-8")
    assert {page for page in pages if f'href="{page}"' not in index} - {"index.html"} == set()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_links_of_what_is_beside_the_site(site: Path, page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!http)([^)#]+)#?([^)]*)\)", text):
        assert (ROOT / target).exists(), target
        if anchor:
            built = site / Path(target).relative_to("docs").with_suffix(".html")
            assert f'id="{anchor}"' in built.read_text(encoding="utf-8"), f"{target}#{anchor}"


def test_nothing_is_fetched(site: Path) -> None:
    """Neither fonts nor scripts nor pictures of another machine."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        asked = re.findall(r"<(?:script|img|iframe)[^>]*\bsrc=\"?(?:https?:)?//[^\s>]*", text)
        asked += re.findall(r"<link[^>]*rel=\"?(?:stylesheet|preconnect)\"?[^>]*href=\"?(?:https?:)?//[^\s>]*", text)
        assert asked == [], page.name
