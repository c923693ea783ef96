"""`python -m tests.command_line` writes the options of docs/command-line.md, from the parser."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from tracer.gen import command
from tracer.other_commands import OTHERS

PAGE = Path(__file__).parent.parent / "docs" / "command-line.md"
OPTIONS = re.compile(r"(<!-- options: written by [^\n]* -->\n).*(\n<!-- end of options -->)", re.DOTALL)


def page() -> str:
    """The page as it should read."""
    text = PAGE.read_text(encoding="utf-8")
    assert OPTIONS.search(text), "the page has lost its marks"
    made = "\n".join(_text("fx2mx", command)) + "".join(
        "\n" + "\n".join(_text(f"fx2mx {n}", c)) for n, c in OTHERS.items()
    )
    return OPTIONS.sub(lambda m: f"{m[1]}\n{made}{m[2]}", text)


def _text(name: str, own: click.Command) -> Iterator[str]:
    context = click.Context(own, info_name=name)
    words = " ".join(own.collect_usage_pieces(context))
    yield f"## {name}\n\n`{name} {words}`\n"
    yield f"{inspect.cleandoc(own.help or '')}\n"
    yield "| option | meaning |\n|---|---|"
    for option in own.params:
        if isinstance(option, click.Option):
            yield f"| {_names(option, context)} | {_cell(_meaning(option, context))} |"
    yield ""


def _names(option: click.Option, context: click.Context) -> str:
    names = sorted(option.opts, key=len, reverse=True)
    value = "" if option.is_flag else f" {option.make_metavar(context)}"
    return ", ".join(f"`{_cell(name)}{_cell(value)}`" for name in names)


def _meaning(option: click.Option, context: click.Context) -> str:
    often = " As often as you like." if option.multiple else ""
    default = f" By default {option.default:g}." if option.show_default and not option.is_flag else ""
    return f"{option.help}{often}{default}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
