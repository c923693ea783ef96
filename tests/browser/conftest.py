"""A page made by the command, opened in Debian's Chromium."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parent.parent.parent
# Residual units in three stages: enough to have a graph, and made in seconds.
SPEC = "pytorchcv.models.resnet_cifar:resnet20_cifar10"
RECURRENT = """
from torch import nn


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 8)
        self.lstm = nn.LSTM(8, 8, num_layers=2, batch_first=True, bidirectional=True, dropout=0.1)
        self.out = nn.Linear(16, 3)

    def forward(self, ids):
        return self.out(self.lstm(self.embed(ids))[0])
"""
# It asks for no service of its maker's, and runs in a container.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTHS = {390: 844, 1280: 900, 2560: 1440}
collect_ignore_glob = (
    [] if importlib.util.find_spec("playwright") else ["test_*.py"]
)  # make test has no browser

Opened = Callable[..., "Page"]


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The review of a net, with training."""
    words = (SPEC, "--out", "resnet20_mxnet.py", "--verify", "training")
    return _reported(tmp_path_factory.mktemp("page"), *words)


@pytest.fixture(scope="session")
def recurrent_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The review of a net that has many of torch's weights in one."""
    folder = tmp_path_factory.mktemp("recurrent")
    (folder / "model.py").write_text(RECURRENT)
    return _reported(folder, "model.py:Tagger", "--out", "tagger_mxnet.py")


def _reported(folder: Path, *words: str) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "tracer.gen", *words, "--report", "review.html"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "review.html"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    assert program, "there is no chromium: make test-browser installs it"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Opened]:
    """Opens a page; at the end nothing may have been asked for but the page, and nothing gone wrong in it."""
    asked: list[str] = []
    said: list[str] = []
    contexts = []

    files: set[str] = set()

    def open_page(
        width: int = 1280, scheme: str = "light", link: str = "", file: Path = report, **more: Any
    ) -> Page:
        size = {"width": width, "height": WIDTHS[width]}
        context = browser.new_context(viewport=size, color_scheme=scheme, **more)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda message: said.append(message.text))
        files.add(file.as_uri())
        page.goto(f"{file.as_uri()}{link}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert {url.partition("#")[0] for url in asked} == files
    assert said == []
