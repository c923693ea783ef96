"""A run is told in the form that `--format` asks for."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence

from tracer.console import Console
from tracer.outcome import Outcome

OPTION = "--format"
FORMATS = ("json", "github")


def told_in(form: str | None, typed: str, console: Console, work: Callable[[], int]) -> int:
    """Do the work, whose exit status this is, and tell machines what it found."""
    if form != "json":
        status = work()
    else:
        with stdout_left_alone():
            status = work()
    if form is not None:
        console.result(text_in(form, console.outcome, typed, status), nl=form == "json")
    return status


def text_in(form: str, outcome: Outcome, typed: str, status: int) -> str:
    """What is printed on stdout for machines."""
    if form == "json":
        from tracer.formats.made import as_json, document_of

        return as_json(document_of(outcome, typed, status))
    from tracer.formats.github import annotation_lines

    return "".join(f"{line}\n" for line in annotation_lines(outcome))


def form_asked(words: Sequence[str]) -> str | None:
    """The form that a command line asks for which could not be read."""
    found = None
    for word, after in zip(words, [*words[1:], ""], strict=True):
        name, _, value = word.partition("=")
        if name == OPTION:
            found = value or after
    return found if found in FORMATS else None


@contextlib.contextmanager
def stdout_left_alone() -> Iterator[None]:
    """Whatever is printed meanwhile, by the user's model and by programs that it starts, goes to stderr."""
    with contextlib.redirect_stdout(sys.stderr), _descriptor_to_stderr():
        yield


@contextlib.contextmanager
def _descriptor_to_stderr() -> Iterator[None]:
    """The same for what does not go through Python."""
    try:
        kept = os.dup(1)
    except (OSError, ValueError, io.UnsupportedOperation):
        yield  # there is no stdout
        return
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
