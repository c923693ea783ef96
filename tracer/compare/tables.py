"""The contrast table: read where there is one, proposed where there is none."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from codegen.problems import RequestError
from codegen.proof.port import Array
from tracer.compare.matching import Pair, Row
from tracer.compare.relations import words

# What the fifth column says of the rows of --optimize.
_HEADS = re.compile(r"rows by head: \((\d+), 3, width\)")


def read_table(path: Path, names: Collection[str], keys: Collection[str]) -> tuple[Row, ...]:
    """The rows of `PREFIX-layer_contrast.txt`, or of a table that was written by hand: `NAME KEY` in a line.

    RequestError for a name that the symbol does not read, and for a key that the net does not have.
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        parts = line.split("\t") if "\t" in line else line.split()
        if not line.strip() or parts[0] == "-":
            continue
        if len(parts) < 2:
            raise RequestError(
                f"{path}:{number}: {line!r} names no torch key; write NAME, a tab, KEY", code="port-table"
            )
        name, key = parts[0], parts[2] if len(parts) > 3 else parts[1]
        if name not in names:
            raise RequestError(
                f"{path}:{number}: the symbol reads no {name}{_near(name, names)}", code="port-table"
            )
        heads = _HEADS.fullmatch(parts[4]) if len(parts) > 4 else None
        row_keys = tuple(_keys(key, keys, f"{path}:{number}"))
        rows.append(Row(name, row_keys, int(heads[1]) if heads else 0))
    return tuple(rows)


def _keys(text: str, keys: Collection[str], place: str) -> Iterator[str]:
    """The keys that a cell joins by +; none for a constant."""
    if text in {"constant", "-", "?"} or _is_number(text):
        return
    for key in [text] if text in keys else text.split("+"):
        if key not in keys:
            raise RequestError(f"{place}: the net has no key {key!r}{_near(key, keys)}", code="port-table")
        yield key


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _near(name: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def table(pairs: Sequence[Pair], state: Mapping[str, Array]) -> str:
    """The table in the form of `*-layer_contrast.txt`; a fifth column: how a pair was found, and differs."""
    used = {key for pair in pairs for key in pair.keys}
    lines = [_line(pair, state) for pair in pairs]
    lines += [f"-\t-\t{key}\t{_shape(array.shape)}" for key, array in state.items() if key not in used]
    return "\n".join(lines)


def _line(pair: Pair, state: Mapping[str, Array]) -> str:
    keys = "+".join(pair.keys) if pair.keys else pair.constant or "?"
    shapes = "+".join(_shape(state[key].shape) for key in pair.keys) if pair.keys else "-"
    notes = ", ".join(filter(None, (pair.how, words(pair.relation) if pair.keys else "")))
    return f"{pair.name}\t{_shape(pair.shape)}\t{keys}\t{shapes}\t{notes}".rstrip("\t")


def _shape(shape: tuple[int, ...]) -> str:
    return "(" + ",".join(map(str, shape)) + ")"
