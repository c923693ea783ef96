"""`python -m tests.in_use`: the nets of the zoo, or those named, in MXNet's tools; writes docs/in-use-zoo.md."""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from tests.in_use.uses import USES
from tests.in_use.zoo import FAILS, NOT_ASKED, UNKNOWN, Used, collections
from tests.in_use.zoo_nets import TIMEOUT
from tests.zoo import pool

NETS = Path(__file__).with_name("zoo_nets.py")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "in-use-zoo.md"
COLUMNS = [field.name for field in fields(Used)]
HEAD = f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}\n"
# The most frequent causes that the summary lists for each use.
LISTED = 12


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.in_use", description=__doc__)
    parser.add_argument("names", nargs="*", help="nets; all of them otherwise")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--rest", action="store_true", help="those that the page does not list, or as failing"
    )
    options = parser.parse_args(arguments)
    known = pool.read_page(Progress)
    names = options.names or list(collections())
    if options.rest:
        names = [n for n in names if n not in known or known[n].why]
    unknown = [n for n in names if n not in collections()]
    if unknown:
        parser.error(f"no such net: {', '.join(unknown)}")
    if not names:
        return 0
    return pool.run(NETS, Progress(names, known), options.processes)


class Progress(pool.Progress[Used]):
    """A line for each net that is ready, and docs/in-use-zoo.md."""

    page, head, timeout, row_type = PAGE, HEAD, TIMEOUT, Used

    def died(self, net: str, status: str, seconds: str) -> Used:
        return Used(net, collections()[net], why=f"{status}: the process ended after {seconds} s")

    def is_bad(self, row: Used) -> bool:
        return bool(row.why)

    def said(self, row: Used) -> str:
        return " ".join(f"{use}={getattr(row, use)}" for use in USES) + f" {row.why}"

    @classmethod
    def text(cls, found: Mapping[str, Used]) -> str:
        return "\n".join(_summary(list(found.values())))

    @classmethod
    def order(cls) -> Sequence[str]:
        return list(collections())


def _summary(rows: Sequence[Used]) -> Iterator[str]:
    """What comes before the rows: the share of each use, and what stops the others."""
    yield from (
        "# Real nets in use",
        "",
        "`make in-use-zoo` writes this page: every golden, and every net of `docs/zoo.md`, in MXNet's own tools.",
        "A number is the largest difference, relative to the largest value: of what a `SymbolBlock` and",
        "onnxruntime give from what the symbol gives, within 1e-4, or within twice what the symbol itself moves",
        "without the fusion of ops where that is more; and of the gradients from torch's in the forms of",
        "`--trainable`, for the goldens and the sixty nets that `tests/in_use/zoo.py` lists, with the rule by",
        "which they were chosen. `unknown op` is one that `mx.onnx.export_model` does not know: no other code",
        "would help. `docs/in-use.md` tells what stops the exporter elsewhere.",
        "`xavier` is `Module.init_params(mx.init.Xavier())`: constants as they are, and finite outputs.",
        "",
        "| use | nets | share | what stops the others |",
        "| --- | --- | --- | --- |",
    )
    for use in USES:
        asked = [row for row in rows if getattr(row, use) != NOT_ASKED]
        good = sum(getattr(row, use) not in {FAILS, UNKNOWN} for row in asked)
        share = f"{good / len(asked):.0%}" if asked else ""
        yield f"| {use} | {good} of {len(asked)} | {share} | {_causes(rows, use)} |"
    known = [row for row in rows if row.onnx not in {NOT_ASKED, UNKNOWN}]
    good = sum(row.onnx != FAILS for row in known)
    yield ""
    yield f"Of the {len(known)} nets all of whose ops the exporter knows, {good} run in onnxruntime, and agree."
    yield ""


def _causes(rows: Sequence[Used], use: str) -> str:
    whys = [part for row in rows for part in row.why.split("; ") if part.startswith(f"{use}: ")]
    # The nets' own names aside, so that a cause is counted once.
    counts = Counter(
        re.sub(r"\b\w*_\w+_(?=\w*\d\b)|[\d.]+e[-+]\d+", "", w.removeprefix(f"{use}: ")) for w in whys
    )
    listed = [f"{count} {cause}" for cause, count in counts.most_common(LISTED)]
    left = len(counts) - len(listed)
    return "; ".join([*listed, *([f"{left} others"] if left else [])]).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
