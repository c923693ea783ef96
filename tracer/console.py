"""How the command speaks: lines, colours where a terminal shows them, and what it is at while it works."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TextIO

import click

from codegen.problems import with_code
from tracer.outcome import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from rich.progress import Progress, ProgressColumn

    from codegen.ir import Note
    from codegen.problems import Problem

# What a line begins with, and how it is marked.
COLOURS = {
    "agrees with torch": "green",
    "trains as torch does": "green",
    "fresh:": "green",
    "note:": "yellow",
}


class Console:
    """What a command says. It watches the stages of a conversion, and shows which it is at on a terminal.

    What it says of problems, and what else was found, is kept in `outcome`, for machines.

    `quiet` leaves errors alone, and what was asked for (a diff); `verbose` adds how long each stage took.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.quiet, self.verbose = quiet, verbose
        self.outcome = Outcome()
        self._stages: list[str] = []
        self._shown: Progress | None = None

    def say(self, text: str) -> None:
        """Say on stderr what the command does, or found."""
        if not self.quiet:
            _echo(_marked(text), err=True)

    def tell(self, text: str) -> None:
        """Say on stdout what was done."""
        if not self.quiet:
            _echo(text)

    def result(self, text: str, nl: bool = True) -> None:
        """Print on stdout what was asked for."""
        _echo(text, nl=nl)

    def error(self, text: str) -> None:
        """Say on stderr what is wrong."""
        _echo(f"{click.style('error:', fg='red', bold=True)} {text}", err=True)

    def wrote(self, path: Path) -> None:
        """Say on stdout that a file was written."""
        self.outcome.written.append(path)
        self.tell(f"wrote {path}")

    def note(self, made: Note) -> None:
        """Say on stderr what a user should know."""
        self.outcome.notes.append(made)
        self.say(with_code(made, made.word))

    def found(self, problem: Problem, text: str = "") -> None:
        """Say on stderr what is wrong: `text`, or what the problem is, with the number of its kind."""
        self.outcome.problems.append(problem)
        self.error(with_code(text or problem.what, problem.code))

    def begins(self, stage: str) -> None:
        """A stage begins: on a terminal, the line at the bottom says so."""
        self._stages.append(stage)
        if self._shown is None and not self.quiet and on_terminal():
            self._shown = _progress(_words(stage))
        self._show()

    def ends(self, stage: str, seconds: float) -> None:
        """The innermost stage ends."""
        self._stages.pop()
        self._show()
        if self.verbose:
            self.say(f"  {'  ' * len(self._stages)}{seconds:6.2f} s  {stage}")

    @contextlib.contextmanager
    def counting(self, number: int, noun: str) -> Iterator[Callable[[], None]]:
        """On a terminal, a bar for so many things; what it gives is called when one is ready."""
        if self.quiet or not on_terminal():
            yield lambda: None
            return
        bar = _bar(number, noun)
        with bar:
            yield lambda: bar.advance(bar.task_ids[0])

    def _show(self) -> None:
        if self._shown is None:
            return
        if self._stages:
            said = _words(self._stages[-1])
            self._shown.update(self._shown.task_ids[0], description=said, refresh=True)
            return
        self._shown.stop()
        self._shown = None


def on_terminal() -> bool:
    """Whether somebody looks at stderr who can be shown a line that moves."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _words(stage: str) -> str:
    return stage.removeprefix("the ")


def _progress(said: str) -> Progress:
    """A line that shows the stage and its seconds, and goes when the work is done."""
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    shown = _shown(SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    shown.add_task(said)
    shown.start()
    return shown


def _bar(number: int, noun: str) -> Progress:
    """A bar that shows how many of so many things are ready."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

    shown = _shown(BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    shown.add_task(noun, total=number)
    return shown


def _shown(*columns: ProgressColumn) -> Progress:
    from rich.console import Console as Terminal
    from rich.progress import Progress

    # What is printed meanwhile is put above the line: on stdout only where that is the terminal too.
    both = sys.stdout is not None and sys.stdout.isatty()
    return Progress(*columns, console=Terminal(stderr=True), transient=True, redirect_stdout=both)


def _marked(text: str) -> str:
    return "\n".join(map(_marked_line, text.split("\n")))


def _marked_line(line: str) -> str:
    for start, colour in COLOURS.items():
        if line.startswith(start):
            return click.style(start, fg=colour) + line.removeprefix(start)
    return line


def _echo(text: str, err: bool = False, nl: bool = True) -> None:
    # NO_COLOR: https://no-color.org
    click.echo(text, err=err, nl=nl, color=False if os.environ.get("NO_COLOR") else None)


class _Forgiving:
    """A stream for as long as someone reads it: after `| head -1` the work goes on all the same."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Print, or nothing."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._to_nowhere()
            return len(text)

    def flush(self) -> None:
        """Print what waits, or nothing."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._to_nowhere()

    def _to_nowhere(self) -> None:
        """What is left in the stream goes nowhere, at the end of the process too."""
        with contextlib.suppress(OSError, ValueError):  # a stream without a file
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._stream.fileno())
            os.close(nothing)


@contextlib.contextmanager
def forgiving_streams() -> Iterator[None]:
    """What we and the user's model print may have no reader."""
    with contextlib.ExitStack() as stack:
        if sys.stdout is not None:
            stack.enter_context(contextlib.redirect_stdout(_Forgiving(sys.stdout)))
            stack.callback(sys.stdout.flush)
        if sys.stderr is not None:
            stack.enter_context(contextlib.redirect_stderr(_Forgiving(sys.stderr)))
            stack.callback(sys.stderr.flush)
        yield
