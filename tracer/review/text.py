"""The review as text, by the templates in templates/review/."""

from __future__ import annotations

import re
from collections.abc import Sequence

import jinja2

from tracer.review.environment import environment
from tracer.review.model import Review, SourceRow, Training
from tracer.review.words import value

# By this line, which is not shown, a review is known to be one.
MARK = "<!-- a review by fx2mx -->"
_SPACE = re.compile(r"\s+")
# Code among words, which holds no backtick itself.
CODE = re.compile(r"`([^`]+)`")


def markdown(review: Review, trained: Training | None = None) -> str:
    """All of it, for a pull request: a summary of ten lines, and details that are folded."""
    whole = _environment().get_template("review/whole.jinja")
    return whole.render(review=review, trained=trained, mark=MARK)


def summary(review: Review) -> str:
    """The ten lines alone."""
    return _environment().get_template("review/summary.jinja").render(own=review.summary, review=review)


def _environment() -> jinja2.Environment:
    return environment(
        code=code_span, cell=cell, marked=marked, sentence=sentence, number=number_text, worst=worst
    )


def worst(rows: Sequence[SourceRow]) -> list[SourceRow]:
    """The lines whose results were compared, those that are furthest from torch's first."""
    compared = [row for row in rows if row.difference and value(row.difference)]
    return sorted(compared, key=lambda row: -value(row.difference))


def cell(text: str) -> str:
    """Words in a table: a bar would end the cell, and what looks like Markdown or HTML is none."""
    return re.sub(r"([\\`*_<>\[\]|])", r"\\\1", _SPACE.sub(" ", text))


def marked(text: str) -> str:
    """Words among which code stands between backticks."""
    parts = CODE.split(text)
    return "".join(code_span(part) if index % 2 else cell(part) for index, part in enumerate(parts))


def sentence(words: str) -> str:
    """Words as a sentence of their own."""
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def code_span(text: str) -> str:
    """Code in a line or a table, whatever stands in it."""
    plain = _SPACE.sub(" ", text).strip().replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", plain)), default=0))
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}" if plain else ""


def number_text(count: int) -> str:
    """A count as a person reads it: 11,689,512."""
    return f"{count:,}"
