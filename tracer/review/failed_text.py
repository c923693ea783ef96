"""The report of a net that failed as text, by the templates in templates/review/failed/."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup

from codegen.problems import counted, listed
from tracer.review.assets import SHARED, script_of, style
from tracer.review.environment import environment
from tracer.review.failure import CodeLine, Failure, Place
from tracer.review.highlight import lines_of_html
from tracer.review.parts import in_order
from tracer.review.text import MARK, cell, code_span

FOLDER = "review/failed"
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
    return _rendered("whole", failure, code=code_span, cell=cell, excerpt=excerpt, nested=in_order)


def failed_page(failure: Failure) -> str:
    """All of it as a page for a browser."""
    made = environment(autoescape=True, highlighted=highlighted, nested=in_order, modules=modules)
    script, digest = script_of(SHARED)
    page = made.get_template(f"{FOLDER}/page.jinja")
    return page.render(
        it=failure,
        title=title,
        tally=tally,
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
    """The modules that run a line."""
    return listed([path or "the net itself" for path in place.modules], 3)


def excerpt(lines: Sequence[CodeLine]) -> str:
    """Lines of code with their numbers, in a fence that none of them closes."""
    width = len(str(lines[-1].number))
    shown = [f"{'>' if line.is_it else ' '} {line.number:{width}} | {line.text}".rstrip() for line in lines]
    fence = "~" * max(3, 1 + max(_run(line.text) for line in lines))
    return "\n".join([f"{fence}text", *shown, fence])


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
    return template.render(it=failure, title=title, tally=tally, mark=MARK)
