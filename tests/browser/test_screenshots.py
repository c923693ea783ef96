"""Pictures of the page for the docs: into the folder that SCREENSHOTS names, docs/images by `make screenshots`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.browser.conftest import ROOT, Opened
from tests.browser.test_page import line, opened_node

# By the pictures' names in docs/guides/review.md.
NAMES = ("review-code", "review-agreement", "review-blocks", "review-weights-dark", "review-phone")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    named = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    named.mkdir(parents=True, exist_ok=True)
    return named


def test_pictures_for_the_docs(opened: Opened, folder: Path) -> None:
    page = opened()
    page.evaluate("document.querySelector('#code').scrollIntoView()")
    line(page, "self.bn(x)").hover()
    page.screenshot(path=folder / "review-code.png")
    page.evaluate("document.querySelector('#agreement').scrollIntoView()")
    page.locator("#layers circle").nth(33).hover(force=True)
    page.screenshot(path=folder / "review-agreement.png")
    page.evaluate("document.querySelector('#blocks').scrollIntoView()")
    for path in ("features.stage2", "features.stage2.unit1"):
        opened_node(page, path).click()
    page.mouse.move(0, 0)
    opened_node(page, "features.stage2").evaluate("e => e.scrollIntoView()")
    page.evaluate("document.querySelector('#blocks').scrollIntoView()")
    page.screenshot(path=folder / "review-blocks.png")
    page = opened(scheme="dark")
    page.evaluate("document.querySelector('#weights').scrollIntoView()")
    page.screenshot(path=folder / "review-weights-dark.png")
    opened(390).screenshot(path=folder / "review-phone.png")
    assert all((folder / f"{name}.png").stat().st_size > 20_000 for name in NAMES)


def test_the_docs_show_them() -> None:
    guide = (ROOT / "docs/guides/review.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"](../images/{name}.png)" not in guide] == []
    assert [name for name in NAMES if not (ROOT / f"docs/images/{name}.png").is_file()] == []
