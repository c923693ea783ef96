"""Nets in processes of their own, some of which end: a row for each net, and a page of the rows."""

from __future__ import annotations

import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import pytest
from typing_extensions import Self

# Under which property a test hands over its row.
ROW = "row of the page"
LONGEST = 400


@dataclass(frozen=True)
class Row:
    """A row of a page: a cell for each field, the first of which is the net's name."""

    net: str

    def row(self) -> str:
        """The row in Markdown."""
        return "| " + " | ".join(_cell(cell) for cell in vars(self).values()) + " |"

    @classmethod
    def parsed(cls, row: str) -> Self:
        """What a row of Markdown shows."""
        return cls(*(c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", row)[1:-1]))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:LONGEST]


R = TypeVar("R", bound=Row)


class Progress(ABC, Generic[R]):
    """A plugin of pytest's first process: a line for each net that is ready, and the page."""

    page: ClassVar[Path]
    head: ClassVar[str]
    timeout: ClassVar[float]
    row_type: ClassVar[type[Any]]

    def __init__(self, names: Sequence[str], known: Mapping[str, R]) -> None:
        self.names, self.found = names, dict(known)
        self.start, self.since = time.monotonic(), dict[str, float]()
        self.ready = self.bad = 0

    @abstractmethod
    def died(self, net: str, status: str, seconds: str) -> R:
        """The row of a net whose process ended; the status is TIMEOUT or CRASH."""

    @abstractmethod
    def is_bad(self, row: R) -> bool:
        """Whether the row shows something to look at."""

    @abstractmethod
    def said(self, row: R) -> str:
        """What a row comes to, in a line of the terminal."""

    @classmethod
    @abstractmethod
    def text(cls, found: Mapping[str, R]) -> str:
        """The page, up to the head of the rows."""

    @classmethod
    @abstractmethod
    def order(cls) -> Sequence[str]:
        """The names of all nets, in the order of the page."""

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.since[nodeid] = time.monotonic()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when in {"setup", "teardown"}:
            return
        row = self._row(report)
        self.found[row.net] = row
        self.ready += 1
        self.bad += self.is_bad(row)
        minutes = (time.monotonic() - self.start) / 60
        line = f"[{self.ready}/{len(self.names)} {minutes:.1f} min, {self.bad} not OK] {row.net}"
        print(f"{line} {self.said(row)}", flush=True)
        if self.ready % 10 == 0:
            self.write()

    def pytest_sessionfinish(self) -> None:
        self.write()

    def write(self) -> None:
        """Write the page."""
        write_page(type(self), self.found)

    def _row(self, report: pytest.TestReport) -> R:
        recorded = dict(report.user_properties).get(ROW)
        if recorded is not None:
            row: R = self.row_type(**recorded)
            return row
        # xdist reports a test whose process ended, without a result.
        name = report.nodeid.partition("[")[2].removesuffix("]")
        seconds = time.monotonic() - self.since.get(report.nodeid, self.start)
        return self.died(name, "TIMEOUT" if seconds > self.timeout else "CRASH", f"{seconds:.0f}")


def read_page(page: type[Progress[R]]) -> dict[str, R]:
    """The rows that a page shows, by net; none where there is no page."""
    if not page.page.exists():
        return {}
    rows = page.page.read_text(encoding="utf-8").split(page.head)[1].splitlines()
    return {r.net: r for r in map(page.row_type.parsed, rows) if r.net}


def write_page(page: type[Progress[R]], found: Mapping[str, R]) -> None:
    """Write a page: its text, and a row for each net of the table that was run."""
    shown = {name: found[name].row() for name in page.order() if name in found}
    # The text counts what the rows show, cut as they are: a page read again gives the same.
    rows = {name: page.row_type.parsed(row) for name, row in shown.items()}
    lines = "".join(f"{row}\n" for row in shown.values())
    temporary = page.page.with_suffix(".md.tmp")
    temporary.write_text(f"{page.text(rows)}\n{page.head}{lines}", encoding="utf-8")
    temporary.replace(page.page)


def run(tests: Path, plugin: Progress[Any], processes: int) -> int:
    """Run `test_net` of a file for each net of the plugin; a process that ends is replaced."""
    os.environ["OMP_NUM_THREADS"] = "1"
    # The plugin prints a line for each net; pytest's own report would say the same again.
    options = ["-p", "no:terminal", "-o", "addopts=", "-n", str(processes)]
    options += ["--max-worker-restart", str(len(plugin.names))]
    nets = [f"{tests}::test_net[{name}]" for name in plugin.names]
    return int(pytest.main([*options, *nets], plugins=[plugin]))
