"""What became of each sample when the table was last written: no sample that had parity may lose it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.conformance.run import Result

FILE = Path(__file__).parent / "baseline.txt"
LETTERS = {"parity": "P", "refused": "R", "n/a": "N"}
HEAD = """\
# The samples, an entry a line: its name, the counts of parity (P), refused (R) and not applicable (N), and the
# letter of each sample in its order, with the length of each run. `make conformance` writes it; P never falls.
"""


def read() -> dict[str, str]:
    """The letter of each sample, by entry."""
    lines = FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return {
        name: "".join(letter * int(count) for count, letter in re.findall(r"(\d+)(\w)", runs))
        for name, *_, runs in rows
    }


def write(results: Iterable[Result]) -> None:
    """Write every sample's letter."""
    lines = [HEAD]
    for name, letters in letters_of(results).items():
        counts = (letters.count(letter) for letter in LETTERS.values())
        runs = " ".join(f"{len(list(group))}{letter}" for letter, group in itertools.groupby(letters))
        lines.append("\t".join([name, *map(str, counts), runs]) + "\n")
    FILE.write_text("".join(lines), encoding="utf-8")


def letters_of(results: Iterable[Result]) -> dict[str, str]:
    """The letter of each sample, in order, by entry."""
    found: dict[str, dict[int, str]] = {}
    for result in results:
        found.setdefault(result.op, {})[result.index] = LETTERS[result.status]
    return {name: "".join(letters[i] for i in sorted(letters)) for name, letters in found.items()}


def fallen(results: Iterable[Result], before: Mapping[str, str]) -> list[Result]:
    """The samples that had parity, and have lost it."""
    return [r for r in results if r.status != "parity" and before.get(r.op, "")[r.index : r.index + 1] == "P"]
