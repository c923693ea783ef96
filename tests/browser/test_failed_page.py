"""The page of a net that is refused, and of one that differs: read by a person, and by a screen reader."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import WIDTHS, Opened
from tests.command import fx2mx
from tests.test_failed_review import COMMAND, DETECTOR, DIFFERS, PLUGIN, REFUSED

NETS = {"refused": (REFUSED, ()), "stops": (DETECTOR, ()), "differs": (DIFFERS, ("--plugin", "plugin.py"))}


@pytest.fixture(params=NETS)
def failed(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page of a net that fails."""
    monkeypatch.chdir(tmp_path)
    model, more = NETS[request.param]
    Path("model.py").write_text(model)
    Path("plugin.py").write_text(PLUGIN)
    assert fx2mx(*COMMAND, *more, "--report", "failed.html").status == 1
    return tmp_path / "failed.html"


def test_axe_finds_nothing_and_nothing_sticks_out(opened: Opened, failed: Path) -> None:
    for width, scheme in itertools.product(WIDTHS, ("light", "dark")):
        page = opened(width, scheme, file=failed)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


def test_what_one_looks_for_is_there(opened: Opened, failed: Path) -> None:
    page = opened(file=failed)
    said = page.locator("main").inner_text()
    assert page.locator(".l.pin").first.is_visible()
    if "Tracing stopped at this line." in said:
        assert "--tap boxes,scores" in said
        page.locator("#refused details summary").click()
        assert "Cause: `forward` turns a tensor" in page.locator("#refused details").inner_text()
        return
    assert "Smallest module that shows it" in said
    assert page.locator("tr.refused, tr.differs").count() >= 2


def test_it_is_dark_by_a_button_and_fits_a_phone(opened: Opened, failed: Path) -> None:
    page = opened(390, file=failed)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate(ground) != light
    label, value = page.locator("dt").first.bounding_box(), page.locator("dd").first.bounding_box()
    assert label is not None
    assert value is not None
    assert value["y"] >= label["y"] + label["height"] - 1
    frame = page.locator("#parts .scroll")
    frame.evaluate("e => { e.scrollLeft = e.scrollWidth; }")
    assert frame.locator("th").last.evaluate("e => e.getBoundingClientRect().right") <= 390
