"""One command that does the work, and others beside it that are called by their names."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

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
        other = self.others.get(args[0]) if args else None
        if other is None:
            typed = shlex.join(args)
            context = super().make_context(info_name, args, parent, **extra)
            context.meta[TYPED] = f"{info_name} {typed}"
            return context
        return other.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command of a context."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)
