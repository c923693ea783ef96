"""Digests of what is generated, so that a refactoring can show that it prints the same bytes.

    python -m tests.digests --write       # record tests/digests.txt
    python -m tests.digests               # say what is not as recorded; exit 1 where anything is
    python -m tests.digests golden case   # these suites alone; of golden, case, zoo

A line for each golden, op case and net of the zoo: the digests of the code, the symbol, the contrast table, the
weights, and what the run says (notes, or the refusal).
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import random
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent.parent
RECORD = HOME / "tests" / "digests.txt"
SUITES = ("golden", "case", "zoo")
LENGTH = 12
MOST_SHOWN = 20


def names(suites: Iterable[str]) -> list[str]:
    """`suite/name` of everything that has a digest."""
    from tests.golden import GOLDENS
    from tests.op_cases import all_cases
    from tests.zoo.table import nets

    found = {"golden": list(GOLDENS), "case": [c.name for c in all_cases()], "zoo": list(nets())}
    return [f"{suite}/{name}" for suite in suites for name in found[suite]]


def digest(name: str) -> str:
    """The line of one net."""
    import numpy as np
    import torch

    from tracer import ConversionError, RequestError

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for seed in (torch.manual_seed, random.seed, np.random.seed):
        seed(0)
    suite, _, own = name.partition("/")
    try:
        conversion = _conversion(suite, own)
    except (ConversionError, RequestError) as error:
        return f"{name}\trefused\t{_hash(_without_folders(str(error)))}"
    parts = [conversion.code, conversion.symbol.tojson(), conversion.contrast]
    return "\t".join([name, *map(_hash, parts), _weights(conversion), _hash("\n".join(conversion.notes))])


def _conversion(suite: str, name: str) -> Any:
    from tests.golden import GOLDENS
    from tests.op_cases import all_cases
    from tests.zoo.run import converted
    from tests.zoo.table import nets

    if suite == "golden":
        return GOLDENS[name].conversion()
    if suite == "zoo":
        return converted(nets()[name])
    case = next(c for c in all_cases() if c.name == name)
    return case.conversion()


def _without_folders(text: str) -> str:
    """A refusal without the folders of this machine, in which the project and its packages lie."""
    return re.sub(r"\S*/site-packages/", "", text).replace(str(HOME), "")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def _weights(conversion: Any) -> str:
    found = hashlib.sha256()
    for name, array in sorted({**conversion.arg_params, **conversion.aux_params}.items()):
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(array.asnumpy().tobytes())
    return found.hexdigest()[:LENGTH]


def digests(wanted: list[str], processes: int) -> Iterator[str]:
    """The line of each, in order."""
    # Not concurrent.futures: with max_tasks_per_child it comes to a stand in Python 3.11 (python/cpython#115634).
    with multiprocessing.get_context("spawn").Pool(processes, maxtasksperchild=150) as pool:
        for number, line in enumerate(pool.imap(digest, wanted), 1):
            if sys.stderr.isatty():
                print(f"\r{number} of {len(wanted)}", end="", file=sys.stderr, flush=True)
            yield line


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.digests",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="of golden, case, zoo; all without")
    parser.add_argument("--write", action="store_true", help="record what is generated now")
    parser.add_argument("--processes", type=int, default=2, help="how many nets at a time (2)")
    parser.add_argument(
        "--every", type=int, default=1, metavar="K", help="every K-th of them, for a quick look"
    )
    options = parser.parse_args()
    if unknown := set(options.suites) - set(SUITES):
        parser.error(f"no such suite: {', '.join(sorted(unknown))}")
    known = dict(line.split("\t", 1) for line in RECORD.read_text().splitlines()) if RECORD.exists() else {}
    wanted = names(options.suites or SUITES)[:: options.every]
    found = dict(line.split("\t", 1) for line in digests(wanted, options.processes))
    if options.write:
        merged = {**known, **found}
        order = [name for name in names(SUITES) if name in merged]
        RECORD.write_text("".join(f"{name}\t{merged[name]}\n" for name in order))
    changed = [name for name in wanted if found[name] != known.get(name)]
    for name in changed[:MOST_SHOWN]:
        print(f"{name}: {known.get(name, 'not recorded')} -> {found[name]}")
    print(f"{len(wanted) - len(changed)} of {len(wanted)} are as recorded")
    return 1 if changed and not options.write else 0


if __name__ == "__main__":
    sys.exit(main())
