"""`python -m tests.conformance`: torch's own tables, each sample converted and compared; writes docs/operators.md."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

from tests.conformance.pool import results
from tests.conformance.samples import names as all_names


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("names", nargs="*", help="entries (nn.GRU, softmax); all of them otherwise")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--limit", type=int, default=0, help="samples of an entry at most; 0 for all")
    parser.add_argument("--jsonl", type=Path, help="write each result here as well")
    parser.add_argument("--verbose", action="store_true", help="print every sample")
    options = parser.parse_args(arguments)
    names = options.names or all_names()
    unknown = sorted(set(names) - set(all_names()))
    if unknown:
        parser.error(f"no such entry: {', '.join(unknown)}")
    start, counts, seen = time.monotonic(), Counter(), set()
    lines = options.jsonl.open("w", encoding="utf-8") if options.jsonl else None
    for result in results(names, options.processes, options.limit):
        counts[result.status] += 1
        if lines:
            lines.write(json.dumps(vars(result)) + "\n")
            lines.flush()
        if options.verbose or result.status in {"WRONG", "CRASH"}:
            print(f"{result.op}[{result.index}] {result.status} {result.why} ({result.call})", flush=True)
        if result.op not in seen:
            seen.add(result.op)
            if len(seen) % 50 == 0:
                minutes = (time.monotonic() - start) / 60
                print(f"[{len(seen)}/{len(names)} {minutes:.1f} min] {dict(counts)}", flush=True)
    print(dict(counts), f"{(time.monotonic() - start) / 60:.1f} min")
    return int(bool(counts["WRONG"] + counts["CRASH"]))


if __name__ == "__main__":
    sys.exit(main())
