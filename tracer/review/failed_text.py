"""The report of a net that failed as text, by the templates in templates/review/failed/."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup

from codegen.kinds.page import plain_page
from codegen.kinds.table import kind_of
from codegen.problems import counted, listed
from tracer.review.assets import SHARED, script_of, style
from tracer.review.environment import environment
from tracer.review.failure import CodeLine, Failure, Place
from tracer.review.highlight import lines_of_html
from tracer.review.parts import in_order
from tracer.review.text import MARK, cell, code_span
from tracer.review.words import ITSELF

FOLDER = "review/failed"
# So many modules of a line are named.
MOST_MODULES = 3
# What one module does, and what several do.
TOLD = {
    "converts": ("converts", "convert"),
    "refused": ("is refused", "are refused"),
    "agrees": ("agrees", "agree"),
    "differs": ("differs", "differ"),
    "not tried": ("was not tried", "were not tried"),
}


def failed_summary(failure: Failure) -> str:
    """What `--report -` prints."""
    return _rendered("summary", failure, code=code_span, cell=cell)


def failed_markdown(failure: Failure) -> str:
    """All of it, for a ticket or a pull request."""
    return _rendered(
        "whole", failure, code=code_span, cell=cell, excerpt=excerpt, fenced=fenced, nested=in_order
    )


def failed_page(failure: Failure) -> str:
    """All of it as a page for a browser."""
    made = environment(autoescape=True, highlighted=highlighted, nested=in_order, modules=modules_html)
    script, digest = script_of(SHARED)
    page = made.get_template(f"{FOLDER}/page.jinja")
    return page.render(
        it=failure,
        title=title,
        tally=tally,
        pages=pages,
        mark=Markup(MARK),
        style=style(),
        script=script,
        digest=digest,
    )


def title(failure: Failure) -> str:
    """The first line: what became of the net."""
    if failure.verdict == "differs":
        return f"{failure.net} in MXNet differs from torch"
    return f"{failure.net} is not converted: {counted(len(failure.refused), 'refusal')}"


def tally(failure: Failure) -> str:
    """How many modules convert or agree by themselves, and how many do not."""
    counts = Counter(part.verdict for part in failure.parts)
    return ", ".join(f"{count} {TOLD[verdict][count > 1]}" for verdict, count in counts.items())


def modules(place: Place) -> str:
    """The modules that run a line, in Markdown; the net itself has no path to be set as code."""
    return listed([code_span(path) or ITSELF for path in place.modules], MOST_MODULES)


def modules_html(place: Place) -> Markup:
    """The same in HTML."""
    paths = [Markup("<code>{}</code>").format(path) if path else Markup(ITSELF) for path in place.modules]
    more = len(paths) - MOST_MODULES
    return Markup(", ").join(paths[:MOST_MODULES]) + (f" ... and {more} more" if more > 0 else "")


def pages(failure: Failure) -> list[tuple[str, str]]:
    """What `--explain` says of each kind of the refusals: its number, and its page."""
    kinds = dict.fromkeys(kind_of(refused.word) for refused in failure.refused)
    return [(kind.code, plain_page(kind).rstrip()) for kind in kinds]


def fenced(text: str) -> str:
    """Text as it is, in a fence that none of its lines closes."""
    lines = text.splitlines()
    fence = "~" * max(3, 1 + max(map(_run, lines)))
    return "\n".join([f"{fence}text", *lines, fence])


def excerpt(lines: Sequence[CodeLine]) -> str:
    """Lines of code with their numbers, in a fence that none of them closes."""
    width = len(str(lines[-1].number))
    shown = [f"{'>' if line.is_it else ' '} {line.number:{width}} | {line.text}".rstrip() for line in lines]
    return fenced("\n".join(shown))


def highlighted(lines: Sequence[CodeLine]) -> list[tuple[CodeLine, Markup]]:
    """Each line with its HTML."""
    return list(zip(lines, lines_of_html("\n".join(line.text for line in lines)), strict=True))


def _run(text: str) -> int:
    """The longest run of tildes in a text."""
    return max((len(part) for part in text.split(" ") if set(part) == {"~"}), default=0)


def _rendered(name: str, failure: Failure, **filters: Callable[..., Any]) -> str:
    template = environment(autoescape=False, modules=modules, **filters).get_template(
        f"{FOLDER}/{name}.jinja"
    )
    return template.render(it=failure, title=title, tally=tally, pages=pages, mark=MARK)
