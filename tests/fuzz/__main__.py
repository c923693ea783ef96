"""`python -m tests.fuzz --nets 10000 --processes 2 --seed 0`: random nets, converted and compared with torch.

Each net is drawn from its seed (seed, seed + 1, ...), converted by tracer.convert, bound by MXNet at the batch size of
the conversion and, where the docstring says N, at three others, and compared with torch. Results stand in
build/fuzz/results.jsonl: what is there is not run again, unless the nets or the converter have changed. The first nets
of each kind that fail are shrunk to build/fuzz/NAME.py. `--write` writes docs/fuzz.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from tests.fuzz import page
from tests.fuzz.pool import Runner, results
from tests.fuzz.record import BUILD, Record
from tests.fuzz.run import FAILURES, STATUSES
from tests.fuzz.seeds import net_of, shrunk


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--nets", type=int, default=10000, help="how many seeds")
    parser.add_argument("--seed", type=int, default=0, help="the first")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--shrink", type=int, default=2, help="nets of a kind to be shrunk at most")
    parser.add_argument("--seconds", type=float, default=15, help="for the shrinking of one net")
    parser.add_argument("--keep", action="store_true", help="keep results of an older converter that are no failures")
    parser.add_argument("--write", action="store_true", help="write docs/fuzz.md")
    parser.add_argument("--show", type=int, metavar="SEED", help="print the net of a seed, and what becomes of it")
    options = parser.parse_args(arguments)
    if options.show is not None:
        return _show(options.show)
    seeds = range(options.seed, options.seed + options.nets)
    record = Record(BUILD / "results.jsonl", keep=options.keep)
    _search([s for s in seeds if s not in record.rows], options.processes, record, len(seeds))
    rows = [record.rows[s] for s in seeds if s in record.rows]
    _shrink(rows, options.shrink, options.seconds)
    print(page.table(rows))
    if options.write:
        page.write(rows)
        print(f"wrote {page.PAGE}", file=sys.stderr)
    return int(any(r.outcome.status in FAILURES for r in rows))


def _search(seeds: list[int], processes: int, record: Record, wanted: int) -> None:
    start, counts = time.monotonic(), Counter[str]()
    for ready, result in enumerate(results(seeds, processes), 1):
        record.add(result)
        counts[result.outcome.status] += 1
        if result.outcome.failed:
            print(f"seed {result.seed}: {result.outcome.status}: {result.outcome.why}", file=sys.stderr)
        if ready % 100 == 0 or ready == len(seeds):
            said = ", ".join(f"{s} {counts[s]}" for s in STATUSES if counts[s])
            minutes = (time.monotonic() - start) / 60
            print(f"[{wanted - len(seeds) + ready}/{wanted} {minutes:.1f} min] {said}", file=sys.stderr, flush=True)


def _shrink(rows: list, most: int, seconds: float) -> None:
    """The first nets of each kind that fails, at their smallest: build/fuzz/NAME.py."""
    runner: Runner | None = None
    done = Counter[str]()
    for row in rows:
        # A net without source ended the process that drew it: so it would this one.
        if not row.outcome.failed or not row.source or done[row.outcome.kind] >= most:
            continue
        done[row.outcome.kind] += 1
        file = Path(BUILD / f"{row.outcome.status.replace(' ', '_')}_{row.seed}.py")
        if file.exists():
            continue
        runner = runner or Runner()
        net, outcome = shrunk(row.seed, row.outcome, runner, seconds)
        file.write_text(f'"""Seed {row.seed}: {outcome.status}: {outcome.why}"""\n\n{net.source()}', encoding="utf-8")
        print(f"wrote {file}: {outcome.why}", file=sys.stderr, flush=True)
    if runner:
        runner.stop()


def _show(seed: int) -> int:
    runner = Runner()
    source = net_of(seed).source()
    outcome = runner(source)
    runner.stop()
    print(f"{source}\n# {outcome.status} ({outcome.kind}): {outcome.why}")
    return int(outcome.failed)


if __name__ == "__main__":
    sys.exit(main())
