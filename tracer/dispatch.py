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


class Main(click.Command):
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
        words = list(args)
        try:
            return self._context(info_name, args, parent, **extra)
        except click.UsageError as error:
            raise _told(error, f"{info_name} {shlex.join(words)}") from error

    def _context(
        self, info_name: str | None, args: list[str], parent: click.Context | None, **extra: Any
    ) -> click.Context:
        other = self.others.get(args[0]) if args else None
        if other is None:
            typed = shlex.join(args)
            context = super().make_context(info_name, args, parent, **extra)
            context.meta[TYPED] = f"{info_name} {typed}"
            return context
        return other.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command of a context."""
        if ctx.command is not self:
            return ctx.command.invoke(ctx)
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise _told(error, ctx.meta[TYPED]) from error


def _told(error: click.UsageError, typed: str) -> click.UsageError:
    """A wrong command line with the number of its kind; told to machines too, where it asks for that."""
    word = getattr(error, "word", "command-line")
    form = form_asked(shlex.split(typed))
    if form is not None:
        outcome = Outcome([Problem(word, error.format_message(), Source())])
        click.echo(text_in(form, outcome, typed, error.exit_code), nl=form == "json")
    return click.UsageError(with_code(error.format_message(), word), error.ctx)
