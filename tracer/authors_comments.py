"""What the user says of a statement, on lines of their own above it."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping

# Comments on something else than the code: for tools, for lawyers, for later.
NO_WORDS = re.compile(
    r"\b(?:TODO|FIXME|XXX|HACK|noqa|pylint|pragma|isort|mypy|yapf|flake8|licen[sc]ed?|copyright|copied)\b"
    r"|^(?:type|fmt|ruff|region|endregion)\b\s*:?|https?://",
    re.IGNORECASE,
)
# What begins a statement that is no whole one by itself.
CODE = re.compile(r"(?:if|elif|else|for|while|with|def|class|try|except|return|print)\b.*[:)]$|@\w")
LONGEST = 88


def comments_above(source: str, tree: ast.AST) -> Mapping[int, str]:
    """The comment above the statement that begins at each line, in a line; none that says nothing.

    The first statement of an `if`, `for` or `with` without one of its own has that above the whole.
    """
    lines = dict(_own_lines(source))
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            told = _in_a_line(_above(lines, node.lineno, node.col_offset))
            if told:
                found[node.lineno] = told
            first = node.body[0] if isinstance(node, ast.If | ast.For | ast.With) else None
            if told and first is not None and not _above(lines, first.lineno, first.col_offset):
                found[first.lineno] = told
    return found


def _own_lines(source: str) -> Iterator[tuple[int, tuple[int, str]]]:
    """The comments that stand on lines of their own: line -> (column, text)."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT and token.line[: token.start[1]].strip() == "":
                yield token.start[0], (token.start[1], token.string.strip("#-=*~ \t"))
    except (tokenize.TokenError, IndentationError):
        return


def _above(lines: Mapping[int, tuple[int, str]], line: int, column: int) -> list[str]:
    """The lines of the comment that ends above a line, at its column."""
    block: list[str] = []
    while (line := line - 1) in lines and lines[line][0] == column:
        block.insert(0, lines[line][1])
    return block


def _in_a_line(block: list[str]) -> str:
    """A comment on one line, its first sentence where it is longer; empty where it says nothing."""
    text = " ".join(" ".join(block).split())
    if any(map(NO_WORDS.search, block)) or not text.isascii() or not re.search(r"[A-Za-z]{3}", text):
        return ""
    if any(CODE.match(line) or _is_code(line) for line in block):
        return ""
    if len(text) <= LONGEST:
        return text
    sentence = re.match(rf".{{1,{LONGEST - 1}}}?[.:](?= |$)", text)
    return sentence.group() if sentence else f"{text[: LONGEST - 4].rsplit(' ', 1)[0]} ..."


def _is_code(line: str) -> bool:
    """Whether a comment is a statement that its author has taken out."""
    try:
        body = ast.parse(line).body
    except (SyntaxError, ValueError):
        return False
    told = (ast.Expr, ast.AnnAssign)
    return any(not isinstance(s, told) or isinstance(getattr(s, "value", None), ast.Call) for s in body)
