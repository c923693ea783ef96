"""One command that does the work, and others beside it that are called by their names."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from codegen.ir import Source
from codegen.problems import Problem, with_code
from tracer.formats.told import form_asked, text_in
from tracer.outcome import Outcome

# Under this key the meta of a context has the line that was typed.
TYPED = "fx2mx.typed"


class SpecType(click.ParamType[str]):
    """SPEC, whose first half is a file that the shell may complete; another command may stand there too."""

    name = "spec"

    def __init__(self, others: Mapping[str, click.Command]) -> None:
        self.others = others

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The other commands, and whatever files the shell finds."""
        names = [name for name in self.others if name.startswith(incomplete)]
        others = [CompletionItem(name, help=self.others[name].short_help) for name in names]
        return [*others, CompletionItem(incomplete, type="file")]


class Usage(click.UsageError):
    """A command line that cannot be read, of a kind of its own."""

    def __init__(self, message: str, word: str) -> None:
        super().__init__(message)
        self.word = word


class Numbered(click.Command):
    """A command whose errors have the numbers of their kinds, and that knows the line that was typed."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """The context of a line; UsageError, with its number, where it cannot be read."""
        typed = f"{info_name} {shlex.join(args)}"
        try:
            context = super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            raise told(error, typed) from error
        context.meta[TYPED] = typed
        return context

    def invoke(self, ctx: click.Context) -> Any:
        """Run it."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise told(error, ctx.meta[TYPED]) from error


class Main(Numbered):
    """A command beside which others stand, each of which is meant where its name is the first word."""

    def __init__(self, *args: Any, others: Mapping[str, click.Command], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.others = others

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """The context of this command, or of the other one that the first word names."""
        other = self.others.get(args[0]) if args else None
        if other is None:
            return super().make_context(info_name, args, parent, **extra)
        typed = f"{info_name} {shlex.join(args)}"
        try:
            return other.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        except click.UsageError as error:
            raise told(error, typed) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command of a context."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)


class Said(click.UsageError):
    """A wrong command line that was told with its number."""


def told(error: click.UsageError, typed: str) -> click.UsageError:
    """A wrong command line, once, with the number of its kind; told to machines too where that is asked."""
    if isinstance(error, Said):
        return error
    word = getattr(error, "word", "command-line")
    form = form_asked(shlex.split(typed))
    if form is not None:
        outcome = Outcome([Problem(word, error.format_message(), Source())])
        click.echo(text_in(form, outcome, typed, error.exit_code), nl=form == "json")
    return Said(with_code(error.format_message(), word), error.ctx)
