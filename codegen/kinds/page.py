"""A kind's page: what `--explain` prints, and, as Markdown, a section of docs/errors/."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator

from codegen.kinds.kind import Example, Kind

# So wide are the lines of prose on a terminal.
WIDTH = 100
# How a block of code stands on the page: its language, and its text.
Block = Callable[[str, str], str]


def page(kind: Kind) -> str:
    """What is said, what causes it, the smallest example and the way out, as Markdown."""
    return "\n".join(_parts(f"## {kind.title}", kind, _fenced, lambda head, text: f"**{head}.** {text}"))


def plain_page(kind: Kind) -> str:
    """The same for a terminal."""
    return "\n".join(_parts(kind.title, kind, _indented, _wrapped))


def _parts(title: str, kind: Kind, block: Block, prose: Callable[[str, str], str]) -> Iterator[str]:
    yield f"{title}\n"
    if kind.forms:
        yield block("text", "\n".join(kind.forms))
    yield prose("Cause", kind.cause) + "\n"
    if kind.example is not None:
        yield prose("Example", _how(kind.example)) + "\n"
        yield from _example(kind.example, block)
    yield prose("Way out", kind.way_out) + "\n"


def _how(example: Example) -> str:
    """Which files there are."""
    return "Two files, and what is typed:" if example.before else "A file, and what is typed:"


def _example(example: Example, block: Block) -> Iterator[str]:
    yield block("python", f"# model.py\n{example.model}")
    if example.before:
        yield block("python", f"# before.py\n{example.before}")
    first = "$ python before.py\n" if example.before and "before.py" not in example.typed else ""
    yield block("text", f"{first}$ {example.typed}")


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"


def _indented(_language: str, text: str) -> str:
    return textwrap.indent(text.rstrip(), "    ") + "\n"


def _wrapped(head: str, text: str) -> str:
    return textwrap.fill(f"{head}: {text}", WIDTH, break_long_words=False, break_on_hyphens=False)
