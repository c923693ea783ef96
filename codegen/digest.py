"""The digest in a generated file, by which an edit by hand is seen."""

from __future__ import annotations

import hashlib
import re

_MARK = "fx2mx-sha256:"
_DIGITS = 16
_SIGNATURE = re.compile(rf"{_MARK}([0-9a-f]{{{_DIGITS}}})")
# What a template prints where the digest is to stand: that is of the whole text, and comes last.
UNSIGNED = _MARK + "0" * _DIGITS


def signed(text: str) -> str:
    """The text with its digest in the place of `UNSIGNED`; in a last line where it has no such place."""
    if UNSIGNED not in text:
        text = f"{text}\n# {UNSIGNED}\n"
    return text.replace(UNSIGNED, _MARK + _digest(text))


def is_edited(text: str) -> bool:
    """Whether a text that has a digest is another than what was signed. Line endings do not count."""
    found = _SIGNATURE.search(text)
    return found is not None and found[1] != _digest(text)


def _digest(text: str) -> str:
    """Of the text without its digests, whatever its lines end with."""
    plain = _SIGNATURE.sub(UNSIGNED, "\n".join(text.split("\r\n")))
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
