"""Python code as lines of HTML in which its parts are marked, by Pygments."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup, escape
from pygments.lexers.python import PythonLexer
from pygments.token import Token

# The classes of templates/review/page.css, by what a part is; what is none of these looks like the rest.
_CLASSES = (
    (Token.Comment, "c"),
    (Token.Literal.String, "s"),
    (Token.Literal.Number, "n"),
    (Token.Operator.Word, "k"),
    (Token.Keyword.Constant, "n"),
    (Token.Keyword, "k"),
    (Token.Name.Function, "f"),
    (Token.Name.Class, "f"),
    (Token.Name.Decorator, "d"),
    (Token.Name.Builtin, "b"),
)


def lines_of_html(text: str) -> list[Markup]:
    """Each line of a text whose lines end in \\n."""
    lines: list[list[Markup]] = [[]]
    for name, part in _parts(text):
        for number, piece in enumerate(part.split("\n")):
            if number:
                lines.append([])
            if piece:
                lines[-1].append(_marked(name, piece))
    return [Markup("").join(parts) for parts in lines]


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Class and text of each part; neighbours of one class are one part."""
    kept, gathered = "", ""
    for token, part in PythonLexer(stripnl=False, ensurenl=False).get_tokens(text):
        name = next((name for kind, name in _CLASSES if token in kind), "")
        if name != kept and not part.isspace():
            yield kept, gathered
            kept, gathered = name, ""
        gathered += part
    yield kept, gathered


def _marked(name: str, piece: str) -> Markup:
    return Markup("<i class={}>{}</i>").format(name, piece) if name else escape(piece)
