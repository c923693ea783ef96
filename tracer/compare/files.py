"""The files of a port: PREFIX-symbol.json, PREFIX-0000.params, and the contrast table beside them."""

from __future__ import annotations

import re
from pathlib import Path

from codegen.problems import RequestError, listed

_EPOCH = re.compile(r"-(\d{4,})\.params$")


def epoch_of(prefix: str, epoch: int | None) -> int:
    """The epoch to load: 0 unless another is asked for, or is the only one. RequestError where none is."""
    symbol = Path(f"{prefix}-symbol.json")
    if not symbol.is_file():
        for end in ("-symbol.json", ".json", ".py", *(f"-{n:04d}.params" for n in (epoch or 0,))):
            if prefix.endswith(end) and Path(f"{prefix.removesuffix(end)}-symbol.json").is_file():
                raise RequestError(
                    f"no such file: {symbol}; give PREFIX alone: {prefix.removesuffix(end)}",
                    code="no-such-port",
                )
        raise RequestError(
            f"no such file: {symbol} (PREFIX is what mx.model.load_checkpoint takes)", code="no-such-port"
        )
    epochs = sorted(_epochs(Path(prefix)))
    if epoch is not None:
        if epoch in epochs:
            return epoch
        others = f"; there are {listed(list(map(str, epochs)))}" if epochs else ""
        raise RequestError(f"no such file: {prefix}-{epoch:04d}.params{others}", code="no-such-port")
    if 0 in epochs:
        return 0
    if len(epochs) == 1:
        return epochs[0]
    if epochs:
        raise RequestError(
            f"{prefix} has the epochs {listed(list(map(str, epochs)))}: choose one with --epoch",
            code="no-such-port",
        )
    raise RequestError(f"no such file: {prefix}-0000.params", code="no-such-port")


def _epochs(prefix: Path) -> list[int]:
    folder = prefix.parent
    names = [p.name.removeprefix(prefix.name) for p in folder.iterdir() if p.name.startswith(prefix.name)]
    return [int(found[1]) for name in names if (found := _EPOCH.fullmatch(name))]


def contrast_of(prefix: str, given: Path | None) -> Path | None:
    """The contrast table: the one that is given, or PREFIX-layer_contrast.txt where it is there."""
    if given is not None:
        if not given.is_file():
            raise RequestError(f"--contrast: no such file: {given}", code="port-table")
        return given
    beside = Path(f"{prefix}-layer_contrast.txt")
    # An empty one is what a shell has made for the table that is about to be proposed.
    return beside if beside.is_file() and beside.stat().st_size else None
