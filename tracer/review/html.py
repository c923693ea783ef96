"""The page, by the templates in templates/review/: one file, which asks for nothing outside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import jinja2
from markupsafe import Markup, escape

from tracer.review.assets import FOLDER, SHARED, script_of, style
from tracer.review.environment import environment
from tracer.review.highlight import lines_of_html
from tracer.review.histograms import HEIGHT
from tracer.review.model import Page, SourceText, Training
from tracer.review.outline import most_of, opened_blocks
from tracer.review.page_data import anchors, mapped_lines, page_data, review_data, spans_of
from tracer.review.plot import Plot, plot_of
from tracer.review.text import CODE, MARK, number_text, sentence
from tracer.review.words import value

SCRIPTS = (*SHARED, "start.js", "detail.js", "code.js", "plot.js", "graph.js", "tables.js", "search.js")


@dataclass(frozen=True)
class Line:
    """A line of code as HTML; `kind` is "m" where it has a counterpart, "m s" where it stands for another.

    "" is that of a line of which no op is.
    """

    number: int
    html: Markup
    kind: str


@dataclass(frozen=True)
class Code:
    """A file as the page shows it: parts, and how many lines are left out before each and at the end."""

    name: str
    anchor: str
    parts: tuple[tuple[int, tuple[Line, ...]], ...]
    left: int


def page_html(page: Page) -> str:
    """All of it. The same page gives the same bytes."""
    environment = _environment()
    script, digest = script_of(SCRIPTS)
    names = anchors([*(s.name for s in page.sources), page.code.name])
    mapped = mapped_lines(page)
    sides = spans_of(page)
    codes = [
        _code(source, name, own, {line for line, _, _ in more})
        for source, name, own, more in zip([*page.sources, page.code], names, mapped, sides, strict=True)
    ]
    opened = opened_blocks(page.blocks)
    compared = [(index, layer.difference) for index, layer in enumerate(page.layers) if layer.difference]
    return environment.get_template(f"{FOLDER}/whole.jinja").render(
        page=page,
        review=page.review,
        own=page.review.summary,
        mark=Markup(MARK),
        style=style(),
        script=script,
        digest=digest,
        sources=[s for s in codes[:-1] if s.parts],
        code=codes[-1],
        data=page_data(page, sides, opened),
        review_data=review_data(page.review),
        plot=plot_of(compared, len(page.layers), float(page.review.summary.tolerance)),
        gradients=_gradients(page.training),
        worst=_worst(page),
        opened=opened,
        most=most_of(page.blocks, opened),
        is_drawn=_is_drawn(page),
    )


def _environment() -> jinja2.Environment:
    return environment(
        autoescape=True,
        number=number_text,
        marked=marked,
        sentence=sentence,
        short=short,
        value=value,
        bars=bars,
        last=lambda path: path.rpartition(".")[2],
    )


def marked(text: str) -> Markup:
    """Words among which code stands between backticks."""
    parts = [
        Markup("<code>{}</code>").format(p) if i % 2 else escape(p) for i, p in enumerate(CODE.split(text))
    ]
    return Markup("").join(parts)


def _code(source: SourceText, anchor: str, mapped: set[int], more: set[int]) -> Code:
    def kind(line: int) -> str:
        return "m" if line in mapped else "m s" if line in more else ""

    lines = lines_of_html(source.text)
    parts = []
    end = 0
    for first, last in source.ranges:
        numbers = range(first, min(last, len(lines)) + 1)
        parts.append((first - end - 1, tuple(Line(n, lines[n - 1], kind(n)) for n in numbers)))
        end = last
    # What follows the last line's end is no line.
    count = len(lines) - (not lines[-1])
    return Code(source.name, anchor, tuple(parts), max(0, count - end))


def _is_drawn(page: Page) -> bool:
    """Whether there is a picture to begin with: that of the net itself."""
    flow = page.blocks[0].flow
    return flow is not None and flow.layout is not None


def _gradients(training: Training | None) -> Plot | None:
    if training is None:
        return None
    found = [(index, difference) for index, (_, difference) in enumerate(training.gradients)]
    return plot_of(found, len(found), float(training.tolerance))


def _worst(page: Page, most: int = 10) -> list[int]:
    """The layers that are furthest from torch's, of equal ones the first."""
    compared = [index for index, layer in enumerate(page.layers) if layer.difference]
    return sorted(compared, key=lambda index: (-value(page.layers[index].difference), index))[:most]


# How numbers look --------------------------------------------------------------------------------------


def short(count: int) -> str:
    """A count in three digits: 11.7 M."""
    size = float(count)
    for unit in ("", " k", " M", " G", " T"):
        if size < 999.5:
            return f"{size:.3g}{unit}" if unit else str(count)
        size /= 1000
    return f"{size:.3g} P"


def bars(heights: Sequence[int]) -> str:
    """The outline of a histogram as an SVG path, a bin being two wide."""
    return f"M0 {HEIGHT}{''.join(_steps(heights))}V{HEIGHT}z"


def _steps(heights: Sequence[int]) -> Iterator[str]:
    before = 0
    for height in heights:
        yield f"v{before - height}h2" if height != before else "h2"
        before = height
