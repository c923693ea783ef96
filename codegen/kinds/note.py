"""A warning or a note, made from the form of its kind."""

from __future__ import annotations

from codegen.ir import Note, Source
from codegen.kinds.table import kind_of


def note(word: str, where: Source | None = None, /, **parts: object) -> Note:
    """The note of a kind, with its parts."""
    return Note(kind_of(word).says[0].format(**parts), word, where)
