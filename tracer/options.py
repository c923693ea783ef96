"""What the command was asked for, and the command that asks for it again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

# As a report: it is printed, not written.
PRINTED = "-"
FORMS = "path/model.py:Name or package.module:Name"


@dataclass(frozen=True)
class WeightsChoice:
    """What of a weights file is the net's, where the file leaves it open.

    The key under which it stands, dotted where it is nested; the prefix of its keys; patterns (fnmatch) of
    keys to leave out.
    """

    key: str | None = None
    prefix: str | None = None
    ignored: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != WeightsChoice()

    def ignores(self, *names: str) -> bool:
        """Whether a key is to be left out, under any of its names."""
        return any(fnmatchcase(name, pattern) for name in names for pattern in self.ignored)


@dataclass(frozen=True)
class Options:
    """The command line, parsed; and, in `typed`, as it was typed. A report to `-` is printed."""

    spec: str
    out: Path
    kwargs: Mapping[str, Any]
    inputs: tuple[str, ...]
    weights: Path | None
    write_weights: bool
    verify: bool
    tolerance: float
    taps: tuple[str, ...]
    softmax: bool
    dry_run: bool
    check: bool
    diff: bool
    plugins: tuple[Path, ...] = ()
    templates: Path | None = None
    batch: str | None = None
    search_seconds: float = 10.0
    verify_training: bool = False
    optimize: bool = False
    trainable: bool = False
    free: str | None = None
    weights_choice: WeightsChoice = WeightsChoice()
    force: bool = False
    reports: tuple[Path, ...] = ()
    typed: str = ""

    @property
    def report_files(self) -> tuple[Path, ...]:
        """The reports that are written, each once."""
        return tuple(path for path in dict.fromkeys(self.reports) if str(path) != PRINTED)

    @property
    def prints_report(self) -> bool:
        """Whether the summary of the report is printed."""
        return Path(PRINTED) in self.reports


def name_mxnet_python(_context: Any, _option: Any, path: str | None) -> None:
    """For codegen.mxnet_process, and for processes that are started from here."""
    if path:
        os.environ["FX2MX_MXNET_PYTHON"] = path
