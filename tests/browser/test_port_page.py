"""The page of a port, one that agrees and one that parts: read by a person, and by a screen reader."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import WIDTHS, Opened
from tests.command import fx2mx
from tests.ports import INPUTS, MODEL, conv_port, conv_values, net_with_weights, save

PORTS: dict[str, tuple[dict[str, Any], int]] = {
    "agrees": ({"momentum": 0.1}, 0),
    "parts": ({"bn1": {}, "slope": 0.25}, 1),
}


@pytest.fixture(params=PORTS)
def port(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page of a port."""
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL)
    mistakes, status = PORTS[request.param]
    save("port", conv_port(**mistakes), conv_values(net_with_weights("Conv")))
    options = ["--weights", "Conv.pth", "--report", "port.html"]
    assert fx2mx("compare", "model.py:Conv", "port", *INPUTS["Conv"], *options).status == status
    return tmp_path / "port.html"


def test_axe_finds_nothing_and_nothing_sticks_out(opened: Opened, port: Path) -> None:
    for width, scheme in itertools.product(WIDTHS, ("light", "dark")):
        page = opened(width, scheme, file=port)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


def test_what_one_looks_for_is_there(opened: Opened, port: Path) -> None:
    page = opened(file=port)
    said = page.locator("main").inner_text()
    assert "Agreement by layer" in said
    assert page.locator("#ops circle").first.is_visible()
    assert page.locator("#matched tbody tr").count() == 17
    parts = "differs from torch" in page.title()
    assert page.locator(".l.pin").count() == 2 * parts
    assert ("The places that differ the most" in said) is parts
    assert ("(FX424)" in said) is not parts
