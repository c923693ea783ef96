"""A kind's page: what `--explain` prints, and a section of docs/errors/."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.kinds.kind import Example, Kind


def page(kind: Kind) -> str:
    """What is said, what causes it, the smallest example and the way out, as Markdown."""
    return "\n".join(_lines(kind))


def _lines(kind: Kind) -> Iterator[str]:
    yield f"## {kind.title}\n"
    if kind.forms:
        yield _fenced("text", "\n".join(kind.forms))
    yield f"**Cause.** {kind.cause}\n"
    if kind.example is not None:
        yield from _example(kind.example)
    yield f"**Way out.** {kind.way_out}\n"


def _example(example: Example) -> Iterator[str]:
    yield "**Example.**\n"
    yield _fenced("python", f"# model.py\n{example.model}")
    if example.before:
        yield _fenced("python", f"# before.py\n{example.before}")
    first = "$ python before.py\n" if example.before and "before.py" not in example.typed else ""
    yield _fenced("text", f"{first}$ {example.typed}")


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"
