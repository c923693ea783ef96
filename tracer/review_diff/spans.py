"""What tracer.review.text writes is read back: code in a line, escaped words, rows of tables, counts."""

from __future__ import annotations

import re

# As CommonMark has it: a run of backticks, and what stands before the next run of the same length.
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)")
_MARKED = re.compile(r"(?<![`\\])(`)(?!`)(.*?)(?<!`)\1(?!`)")
_ESCAPED = re.compile(r"\\([\\`*_<>\[\]|])")
_BETWEEN_CELLS = re.compile(r"(?<!\\)\|")


class NotAsWritten(Exception):
    """A text that tracer.review.text does not write; what is wrong with it, in words."""


def unescaped(text: str) -> str:
    """The words of a cell."""
    return _ESCAPED.sub(r"\1", text)


def unmarked(text: str) -> str:
    """Words among which code stands: it comes between backticks."""
    found, rest = [], text
    while match := _MARKED.search(rest):
        found += [unescaped(rest[: match.start()]), f"`{_code(match)}`"]
        rest = rest[match.end() :]
    return "".join([*found, unescaped(rest)])


def span(text: str) -> str:
    """The code that a text is; nothing of an empty one."""
    if not text:
        return ""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise NotAsWritten(f"{text!r} is not one piece of code")
    return _code(found)


def spans(text: str, between: str) -> tuple[str, ...]:
    """Pieces of code that are parted by a text."""
    found, rest = [], text
    while rest:
        code, rest = first_span(rest)
        found.append(code)
        rest = _after(rest, between) if rest else ""
    return tuple(found)


def first_span(text: str) -> tuple[str, str]:
    """The code that a text begins with, and what follows."""
    found = _SPAN.match(text)
    if found is None:
        raise NotAsWritten(f"{text!r} does not begin with code")
    return _code(found), text[found.end() :]


def _code(found: re.Match[str]) -> str:
    # A space stands at both ends where the code has a backtick there.
    text = found[2]
    plain = text[1:-1] if text.startswith(" ") else text
    return plain.replace("\\|", "|")


def _after(text: str, begin: str) -> str:
    if not text.startswith(begin):
        raise NotAsWritten(f"{text!r} does not begin with {begin!r}")
    return text[len(begin) :]


def cells(line: str) -> tuple[str, ...]:
    """The cells of a table's row."""
    return tuple(cell.strip() for cell in _BETWEEN_CELLS.split(line)[1:-1])


def number(text: str) -> int:
    """A count: 11,689,512."""
    if not re.fullmatch(r"\d{1,3}(,\d{3})*", text):
        raise NotAsWritten(f"{text!r} is no count")
    return int(text.replace(",", ""))


def listed_shapes(text: str) -> tuple[str, ...]:
    """Shapes in a row: the commas within their parentheses part none."""
    found: list[str] = []
    depth, start = 0, 0
    for index, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            found.append(text[start:index].strip())
            start = index + 1
    return (*found, text[start:].strip()) if text else ()
