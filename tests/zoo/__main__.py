"""`python -m tests.zoo`: every net, or those named, converted and compared; writes docs/zoo.md."""

from __future__ import annotations

import argparse
import statistics
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.zoo import pool
from tests.zoo.nets import TIMEOUT
from tests.zoo.run import STATUSES, Result
from tests.zoo.table import SAMPLE, nets

NETS = Path(__file__).with_name("nets.py")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "zoo.md"
HEAD = (
    "| net | collection | status | relative difference | seconds | MXNet ops | statements | lines "
    "| free batch | H, W | why |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.zoo", description=__doc__)
    parser.add_argument("names", nargs="*", help="nets, or `sample`; all of them otherwise")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rest", action="store_true", help="those that docs/zoo.md does not list as OK")
    options = parser.parse_args(arguments)
    known = read_page()
    names = list(SAMPLE) if options.names == ["sample"] else options.names or list(nets())
    if options.rest:
        names = [n for n in names if n not in known or known[n].status != "OK"]
    unknown = [n for n in names if n not in nets()]
    if unknown:
        parser.error(f"no such net: {', '.join(unknown)}")
    if not names:
        print("every net is OK")
        return 0
    return pool.run(NETS, Progress(names, known), options.processes)


class Progress(pool.Progress[Result]):
    """A line for each net that is ready, and docs/zoo.md."""

    page, head, timeout, row_type = PAGE, HEAD, TIMEOUT, Result

    def died(self, net: str, status: str, seconds: str) -> Result:
        why = "the process died" if status == "CRASH" else ""
        return Result(net, nets()[net].collection, status, seconds=seconds, why=why)

    def is_bad(self, row: Result) -> bool:
        return row.status != "OK"

    def said(self, row: Result) -> str:
        why = f" {row.why[:600]}" if row.status != "OK" else ""
        return f"{row.status} {row.difference} {row.seconds} s{why}"

    @classmethod
    def text(cls, found: Mapping[str, Result]) -> str:
        return summary(list(found.values()))

    @classmethod
    def order(cls) -> Sequence[str]:
        return list(nets())


def read_page() -> dict[str, Result]:
    """The results that docs/zoo.md shows, by net."""
    return pool.read_page(Progress)


def summary(rows: list[Result]) -> str:
    """The counts that come before the rows."""
    counts = Counter(r.status for r in rows)
    collections = Counter(r.collection for r in rows)
    images = [r for r in rows if r.sizes]
    density = [int(r.ops) / int(r.statements) for r in rows if r.statements]
    lines = [
        "# Real nets",
        "",
        "`make zoo` writes this page. Each net is built from seeded random parameters, converted, and compared",
        "with torch: with its own and with random parameters, at two batch sizes, and at another height and width",
        "where the code is the same there, within 1e-4. `seconds` is the conversion (tracing, lowering, code),",
        "without the comparison. `H, W` says whether height and width may change, and why not. FOLD would mean that the folded code gives",
        "another symbol than the flat program, STYLE that black or ruff would change it.",
        "",
        f"- {len(rows)} nets: " + ", ".join(f"{n} of {c}" for c, n in collections.most_common()),
        "- " + ", ".join(f"{s} {counts[s]}" for s in STATUSES),
        f"- frozen batch: {sum(r.batch == 'no' for r in rows)}",
        f"- of {len(images)} nets of images, height and width may change in {sum(r.sizes == 'any' for r in images)}, "
        f"by multiples of 32 in {sum(r.sizes == 'by 32' for r in images)}; torch itself does not run the size tried in "
        f"{sum(r.sizes.startswith('torch') for r in images)}",
        f"- MXNet ops for each Python statement: {statistics.median(density or [0]):.2f} in the median net",
        f"- seconds: {statistics.median([float(r.seconds or 0) for r in rows] or [0]):.1f} in the median net",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
