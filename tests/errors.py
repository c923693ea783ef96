"""`python -m tests.errors` writes docs/errors/ from the table of all kinds of messages."""

from __future__ import annotations

from codegen.kinds.kind import Kind
from codegen.kinds.page import page
from codegen.kinds.table import KINDS
from tests.session import ROOT

FOLDER = ROOT / "docs" / "errors"
INTRODUCTIONS = {
    "refusals.md": (
        "What is refused, FX1xx",
        "The exit status is 1: the net cannot be converted exactly, or the result is not good. Nothing was "
        "written.",
    ),
    "requests.md": (
        "Wrong requests, FX2xx",
        "The exit status is 2: the request is wrong, or the net itself raises. Nothing was written.",
    ),
    "warnings.md": (
        "Warnings, FX3xx",
        "The result is right, but something is frozen, left out or approximate. The files are written.",
    ),
    "notes.md": ("Notes, FX4xx", "What a user should know of a run that went as it should."),
}
PAGES = tuple(INTRODUCTIONS)
MADE = "<!-- written by python -m tests.errors -->"


def pages() -> dict[str, str]:
    """The pages by their names."""
    return {name: _page(name, hundred) for hundred, name in enumerate(PAGES, 1)}


def _page(name: str, hundred: int) -> str:
    title, words = INTRODUCTIONS[name]
    kinds = [kind for kind in KINDS if kind.number // 100 == hundred]
    how = (
        f"{words} `fx2mx --explain {kinds[0].code}` prints a section of this page. In what is said, `...` stands "
        "for what differs from one run to another."
    )
    table = ["| code | word | what is said |", "|---|---|---|", *map(_row, kinds)]
    return "\n".join([f"# {title}\n", MADE, "", how, "", *table, "", *map(page, kinds)])


def _row(kind: Kind) -> str:
    first = kind.forms[0].split("\n")[0].replace("|", "\\|") if kind.forms else ""
    said = f"`` {first} ``" if "`" in first else f"`{first}`" if first else ""
    return f"| [{kind.code}](#{kind.title.lower().replace(' ', '-')}) | {kind.word} | {said} |"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
