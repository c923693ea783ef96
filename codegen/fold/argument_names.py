"""What the arguments of functions are called: in the author's words, else as MXNet's ops call them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codegen.fold.relations import Column, fits
from codegen.fold.rows import WIDTHS, Base, Row
from codegen.identifiers import readable

# The slots whose names say enough, whatever the author calls what they take.
SAYS_ENOUGH = frozenset(["kernel", "stride", "pad", "dilate", "adj", "group", "axis", "depth", "eps", "type"])
# Those that say nothing of what they take, in another function's name too.
RAW = frozenset(["c", "shape", "size", "begin", "end"])
# Numbers of which so many are different, or that are as large, agree with an author's by no chance.
ENOUGH = 3
LARGE = 3


@dataclass(frozen=True)
class Known:
    """What is known of a function's uses beside the values of its slots.

    `attributes` are the numbers that the author's modules keep, `words` those that have a name in their
    `__init__`, `widths` the sizes of what the function gives, any of which may be its width: `channels` is,
    where that is an image.
    """

    attributes: tuple[tuple[str, Column], ...] = ()
    words: tuple[tuple[str, Column], ...] = ()
    widths: tuple[Column, ...] = ()
    channels: Column = ()

    def attribute(self, values: Column) -> str | None:
        """What the author's modules call a number."""
        return _told(values, self.attributes)

    def word(self, values: Column) -> str | None:
        """What the author's `__init__` calls a number."""
        return _told(values, self.words)

    def is_width(self, values: Column) -> bool:
        """Whether a number is the width of what the function gives."""
        return values in self.widths

    def is_another(self, name: str, values: Column) -> bool:
        """Whether the author gives a name to something else."""
        return any(own == name and not fits(values, of) for own, of in (*self.attributes, *self.words))


def _told(values: Column, known: Sequence[tuple[str, Column]]) -> str | None:
    return next((name for name, own in known if fits(values, own) and is_telling(name, own)), None)


def is_telling(name: str, values: Column) -> bool:
    """Whether an author's name can be an argument's: a plain name, of numbers that are no coincidence."""
    numbers = {v for v in values if type(v) in (int, float)}
    is_plain = len(name) > 1 and readable(name) == name
    is_rare = len(numbers) > 1 and (max(numbers) >= LARGE or any(type(v) is float for v in numbers))
    return is_plain and (len(numbers) >= ENOUGH or is_rare)


def named(bases: Sequence[Base], rows: Sequence[Row], known: Known, taken: Sequence[str]) -> dict[str, str]:
    """What each base is called, by its provisional name; `taken` are the flags.

    What is the function's width is called so before anything else is.
    """
    names: dict[str, str] = {}
    has_main = any(row.is_width and known.is_width(row.values) for row in rows)
    for base in sorted(bases, key=lambda own: (_width_row(own, rows, known) is None, own.row)):
        listed = list(_names(base, rows, known, has_main))
        names[base.name] = _free(listed, {"name", "x", "y", *taken, *names.values()})
    return names


def _free(listed: Sequence[str], taken: set[str]) -> str:
    found = next((name for name in listed if name not in taken), None)
    number = 2
    while found is None:
        found = None if f"{listed[0]}{number}" in taken else f"{listed[0]}{number}"
        number += 1
    return found


def _width_row(base: Base, rows: Sequence[Row], known: Known) -> Row | None:
    """The last row that takes a base as the width of what the function gives."""
    if not known.is_width(base.values):
        return None
    return next((row for row in reversed(rows) if row.is_width and fits(row.values, base.values)), None)


def _names(base: Base, rows: Sequence[Row], known: Known, has_main: bool) -> Iterator[str]:
    """What an argument may be called, the best first."""
    row, main = rows[base.row], _width_row(base, rows, known)
    attribute, word = known.attribute(base.values), known.word(base.values)
    if attribute is not None and (row.relates or _is_raw(row)):
        yield attribute
    slot = row.slot if main is None else main.word_of_width
    if main is None and base.values == known.channels and is_authors(row):
        slot = WIDTHS[0]
    if row.is_split and not any(isinstance(v, tuple) for v in base.values):
        slot = "size"
    goes_before = (row.is_width and has_main) or _is_raw(row)
    if word is not None and main is None and goes_before:
        yield word
    if not row.handed_on or _says_enough(row) or not known.is_another(slot, base.values):
        yield slot
    if word is not None:
        yield word
    yield from _with_hint(slot, row.hint)


def _is_raw(row: Row) -> bool:
    """Whether the name of a slot says nothing of what it takes."""
    return not _says_enough(row) and (not row.handed_on or _last_word(row) in RAW)


def is_authors(row: Row) -> bool:
    """Whether another function calls what it is handed as the author does."""
    return row.handed_on and row.relates and not _is_raw(row) and not _says_enough(row)


def _says_enough(row: Row) -> bool:
    return row.is_width or _last_word(row) in SAYS_ENOUGH


def _last_word(row: Row) -> str:
    return re.sub(r"\d+$", "", row.word)


def _with_hint(slot: str, given: str) -> Iterator[str]:
    """A slot's name with what tells it from others of that name."""
    hint = given.rstrip("0123456789_")
    # The number of a layer in its Sequential tells less than the Sequential's name.
    holder = re.sub(r"_\d+$", "", given)
    for told in (holder if holder != given else "", given, hint):
        if told and not told[:1].isdigit():
            yield f"{told}_{slot}"
    yield slot
