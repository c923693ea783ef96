"""What a call need not give: what most uses share, and flags that another argument tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

from codegen.fold.relations import Column
from codegen.folded import MISSING, Argument, is_same

# What most uses share of these is the default, of functions with so many uses.
USUAL = frozenset(["kernel", "stride", "pad", "dilate", "adj", "group", "groups"])
MANY = 4


def defaults_of(arguments: Sequence[tuple[str, Column]]) -> tuple[tuple[str, Any], ...]:
    """The values of strides, kernels, groups and flags that at least half of many uses share, and None."""
    found: list[tuple[str, Any]] = []
    for name, values in arguments:
        if None in values:
            found.append((name, None))
            continue
        known = [v for v in values if v is not MISSING]
        most = max(known, key=lambda v: sum(map(is_same, known, repeat(v))), default=None)
        shares = sum(map(is_same, known, repeat(most)))
        is_usual = type(most) is bool or name.rsplit("_", 1)[-1] in USUAL
        if len(values) >= MANY and 2 * shares >= len(values) and is_usual:
            found.append((name, most))
    return tuple(found)


def without_told(
    flags: Mapping[frozenset[int], str], arguments: Sequence[tuple[str, Column]], written: Iterable[Any]
) -> tuple[dict[frozenset[int], str], list[tuple[str, Column]]]:
    """(flags, arguments) without the flags that an argument tells, which is None in uses without the part."""
    used = set(names_in(written))
    named = dict(flags)
    for lacking, flag in flags.items():
        told = next((name for name, values in arguments if _tells(values, lacking)), None)
        if told is not None and flag not in used:
            named[lacking] = told
    gone = {*flags.values()} - {*named.values()}
    telling = {*named.values()} - {*flags.values()}
    return named, [
        (name, tuple(None if v is MISSING and name in telling else v for v in values))
        for name, values in arguments
        if name not in gone
    ]


def _tells(values: Column, lacking: frozenset[int]) -> bool:
    """Whether the uses that lack a part are those that lack a value, and all others have a true one."""
    return all((v is MISSING) == (n in lacking) and v for n, v in enumerate(values))


def names_in(written: Iterable[Any]) -> Iterator[str]:
    """The arguments that values are written with."""
    for value in written:
        for part in value if isinstance(value, tuple) else (value,):
            yield from part.names if isinstance(part, Argument) else ()
