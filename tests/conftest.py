"""Known gaps: tests/open_cases.txt lists the tests that fail today; one that passes must leave the list."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    listed = Path(__file__).with_name("open_cases.txt").read_text(encoding="utf-8").splitlines()
    names = {line for line in listed if line and not line.startswith("#")}
    for item in items:
        if item.nodeid in names:
            item.add_marker(pytest.mark.xfail(reason="open: see tests/open_cases.txt", strict=False))
