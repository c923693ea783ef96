"""`python -m tests.zoo`: every net, or those named, converted and compared; writes docs/zoo.md."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.zoo.nets import RESULT, TIMEOUT
from tests.zoo.run import STATUSES, Result
from tests.zoo.table import SAMPLE, nets

NETS = Path(__file__).with_name("nets.py")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "zoo.md"
HEAD = (
    "| net | collection | status | relative difference | seconds | MXNet ops | statements | lines "
    "| free batch | why |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.zoo", description=__doc__)
    parser.add_argument("names", nargs="*", help="nets, or `sample`; all of them otherwise")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rest", action="store_true", help="those that docs/zoo.md does not list as OK")
    options = parser.parse_args(arguments)
    known = read_page() if PAGE.exists() else {}
    names = list(SAMPLE) if options.names == ["sample"] else options.names or list(nets())
    if options.rest:
        names = [n for n in names if n not in known or known[n].status != "OK"]
    unknown = [n for n in names if n not in nets()]
    if unknown:
        parser.error(f"no such net: {', '.join(unknown)}")
    if not names:
        print("every net is OK")
        return 0
    os.environ["OMP_NUM_THREADS"] = "1"
    tests = [f"{NETS}::test_net[{name}]" for name in names]
    # The plugin prints a line for each net; pytest's own report would say the same again.
    command = [
        "-p",
        "no:terminal",
        "-o",
        "addopts=",
        "-n",
        str(options.processes),
        "--max-worker-restart",
        str(len(names)),
    ]
    return int(pytest.main([*command, *tests], plugins=[Progress(names, known)]))


class Progress:
    """A plugin of pytest's first process: a line for each net that is ready, and docs/zoo.md."""

    def __init__(self, names: Sequence[str], known: Mapping[str, Result]) -> None:
        self.names, self.found = names, dict(known)
        self.start, self.since = time.monotonic(), dict[str, float]()
        self.ready = self.bad = 0

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.since[nodeid] = time.monotonic()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when in {"setup", "teardown"}:
            return
        result = self._result(report)
        self.found[result.net] = result
        self.ready += 1
        self.bad += result.status != "OK"
        minutes = (time.monotonic() - self.start) / 60
        line = f"[{self.ready}/{len(self.names)} {minutes:.1f} min, {self.bad} not OK] {result.net} {result.status}"
        why = f" {result.why[:600]}" if result.status != "OK" else ""
        print(f"{line} {result.difference} {result.seconds} s{why}", flush=True)
        if self.ready % 10 == 0:
            write_page(self.found)

    def pytest_sessionfinish(self) -> None:
        write_page(self.found)

    def _result(self, report: pytest.TestReport) -> Result:
        recorded = dict(report.user_properties).get(RESULT)
        if recorded is not None:
            return Result(**recorded)
        # xdist reports a test whose process ended, without a result.
        name = report.nodeid.partition("[")[2].removesuffix("]")
        seconds = time.monotonic() - self.since.get(report.nodeid, self.start)
        status, why = ("TIMEOUT", "") if seconds > TIMEOUT else ("CRASH", "the process died")
        return Result(name, nets()[name].collection, status, seconds=f"{seconds:.0f}", why=why)


def read_page() -> dict[str, Result]:
    """The results that docs/zoo.md shows, by net."""
    rows = PAGE.read_text(encoding="utf-8").split(HEAD)[1].splitlines()
    return {r.net: r for r in map(Result.parsed, rows) if r.net}


def write_page(found: Mapping[str, Result]) -> None:
    """Write docs/zoo.md: the summary, and a row for each net of the table that was run."""
    rows = [found[name] for name in nets() if name in found]
    temporary = PAGE.with_suffix(".md.tmp")
    temporary.write_text(f"{summary(rows)}\n{HEAD}" + "".join(f"{r.row()}\n" for r in rows), encoding="utf-8")
    temporary.replace(PAGE)


def summary(rows: list[Result]) -> str:
    """The counts that come before the rows."""
    counts = Counter(r.status for r in rows)
    collections = Counter(r.collection for r in rows)
    density = [int(r.ops) / int(r.statements) for r in rows if r.statements]
    lines = [
        "# Real nets",
        "",
        "`make zoo` writes this page. Each net is built from seeded random parameters, converted, and compared",
        "with torch: with its own and with random parameters, at two batch sizes, within 1e-4. `seconds` is the",
        "conversion (tracing, lowering, code), without the comparison. FOLD would mean that the folded code gives",
        "another symbol than the flat program, STYLE that black or ruff would change it.",
        "",
        f"- {len(rows)} nets: " + ", ".join(f"{n} of {c}" for c, n in collections.most_common()),
        "- " + ", ".join(f"{s} {counts[s]}" for s in STATUSES),
        f"- frozen batch: {sum(r.batch == 'no' for r in rows)}",
        f"- MXNet ops for each Python statement: {statistics.median(density or [0]):.2f} in the median net",
        f"- seconds: {statistics.median([float(r.seconds or 0) for r in rows] or [0]):.1f} in the median net",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
