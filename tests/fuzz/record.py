"""build/fuzz/results.jsonl: what became of each seed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tests.fuzz.pool import Result
from tests.fuzz.run import Outcome

HOME = Path(__file__).resolve().parents[2]
BUILD = HOME / "build" / "fuzz"
NETS = ("tests/fuzz",)
SAYS_NOTHING = {"known.py", "page.py", "__main__.py", "record.py", "samples.py"}  # of the nets and what becomes of them
CONVERTER = ("tracer", "codegen", "templates")


class Record:
    """The results by seed, read from a file and added to it. Those of other nets, or of another converter, are dropped."""

    def __init__(self, file: Path, keep: bool = False) -> None:
        self.rows: dict[int, Result] = {}
        nets, converter = digest(NETS), digest(CONVERTER)
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        head = json.loads(lines[0]) if lines else {}
        same = head.get("nets") == nets and head.get("converter") == converter
        if same or (keep and head.get("nets") == nets):
            for line in lines[1:]:
                row = json.loads(line)
                result = Result(row["seed"], row["source"], Outcome(**row["outcome"]))
                if same or not result.outcome.failed:
                    self.rows[result.seed] = result
        elif file.parent.exists():
            for old in file.parent.glob("*.py"):
                old.unlink()
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lines = file.open("w", encoding="utf-8")
        self._lines.write(json.dumps({"nets": nets, "converter": converter}) + "\n")
        for result in self.rows.values():
            self._write(result)

    def add(self, result: Result) -> None:
        self.rows[result.seed] = result
        self._write(result)

    def _write(self, result: Result) -> None:
        row = {"seed": result.seed, "source": result.source, "outcome": vars(result.outcome)}
        self._lines.write(json.dumps(row) + "\n")
        self._lines.flush()


def digest(folders: tuple[str, ...]) -> str:
    """Of the files in these folders."""
    made = hashlib.sha256()
    for folder in folders:
        for path in sorted((HOME / folder).rglob("*")):
            if path.suffix in {".py", ".txt", ".jinja"} and (folder not in NETS or path.name not in SAYS_NOTHING):
                made.update(path.read_bytes())
    return made.hexdigest()[:16]
