"""`python -m tests.conformance`: torch's own tables, each sample converted and compared.

Fails where a sample is wrong, crashes, or has lost the parity that it had (baseline.txt). A run of everything
writes docs/operators.md and the baseline.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

from tests.conformance import baseline, page
from tests.conformance.pool import results
from tests.conformance.run import Result
from tests.conformance.samples import names as all_names


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("names", nargs="*", help="entries (nn.GRU, softmax); all of them otherwise")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--limit", type=int, default=0, help="samples of an entry at most; 0 for all")
    parser.add_argument("--jsonl", type=Path, help="write each result here as well")
    parser.add_argument(
        "--onto", type=Path, help="the jsonl of a run of everything, for the entries not named"
    )
    parser.add_argument("--verbose", action="store_true", help="print every sample")
    options = parser.parse_args(arguments)
    names = options.names or all_names()
    unknown = sorted(set(names) - set(all_names()))
    if unknown:
        parser.error(f"no such entry: {', '.join(unknown)}")
    lines = options.jsonl.open("w", encoding="utf-8") if options.jsonl else None
    found: list[Result] = []
    seen: set[str] = set()
    start = time.monotonic()
    for result in results(names, options.processes, options.limit):
        found.append(result)
        if lines:
            lines.write(json.dumps(vars(result)) + "\n")
            lines.flush()
        if options.verbose or result.status in {"WRONG", "CRASH"}:
            print(f"{result.op}[{result.index}] {result.status} {result.why} ({result.call})", flush=True)
        if result.op not in seen:
            seen.add(result.op)
            if len(seen) % 50 == 0:
                print(f"[{len(seen)}/{len(names)}] {_counts(found, start)}", flush=True)
    if options.onto:
        found += _kept(options.onto, seen)
    print(_counts(found, start))
    lost = baseline.fallen(found, baseline.read())
    for result in lost:
        print(f"{result.op}[{result.index}] had parity: {result.status} {result.why} ({result.call})")
    good = not lost and not any(r.status in {"WRONG", "CRASH"} for r in found)
    if good and {r.op for r in found} == set(all_names()) and not options.limit:
        order = {name: place for place, name in enumerate(all_names())}
        found.sort(key=lambda r: (order[r.op], r.index))
        page.write(found)
        baseline.write(found)
        print(f"wrote {page.PAGE} and {baseline.FILE}")
    return int(not good)


def _kept(file: Path, seen: set[str]) -> list[Result]:
    """The results of an earlier run, but for entries that were run again."""
    rows = [Result(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
    return [r for r in rows if r.op not in seen]


def _counts(found: list[Result], start: float) -> str:
    return f"{dict(Counter(r.status for r in found))} {(time.monotonic() - start) / 60:.1f} min"


if __name__ == "__main__":
    sys.exit(main())
