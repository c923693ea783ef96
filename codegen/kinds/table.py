"""The table of all kinds of messages, by word and by number."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping

from codegen.kinds.kind import Kind
from codegen.kinds.nets import NETS
from codegen.kinds.notes import NOTES
from codegen.kinds.ports import PORT_NOTES, PORT_REQUESTS
from codegen.kinds.requests_files import FILES
from codegen.kinds.requests_nets import REQUESTS
from codegen.kinds.results import RESULTS
from codegen.kinds.warnings import WARNINGS

# All, in the order of their numbers.
KINDS: tuple[Kind, ...] = (
    *NETS,
    *RESULTS,
    *REQUESTS,
    *FILES,
    *PORT_REQUESTS,
    *WARNINGS,
    *NOTES,
    *PORT_NOTES,
)


@functools.cache
def _by_word() -> Mapping[str, Kind]:
    return {kind.word: kind for kind in KINDS}


def kind_of(word: str) -> Kind:
    """The kind that a word names."""
    return _by_word()[word]


def named(text: str) -> Kind | None:
    """The kind that a number (`FX101`, `fx101`, `101`) or a word names, None where there is none."""
    wanted = text.strip().casefold()
    number = wanted.removeprefix("fx")
    return next((kind for kind in KINDS if wanted == kind.word or number == str(kind.number)), None)


def near(text: str) -> list[Kind]:
    """The kinds whose numbers or words are most like a text."""
    names = {name: kind for kind in KINDS for name in (kind.word, kind.code.casefold())}
    found = difflib.get_close_matches(text.strip().casefold(), names, n=3, cutoff=0.5)
    return list(dict.fromkeys(names[name] for name in found))
