"""Render: the written file through the templates and the formatter."""

from __future__ import annotations

import black

from codegen.digest import signed
from codegen.problems import RequestError
from codegen.write.templates import Templates
from codegen.written import File

LINE_LENGTH = 100


def render(file: File, templates: Templates) -> str:
    """The text of `model_mxnet.py`, as `black -l 100` leaves it, with its digest.

    RequestError where a user's templates make no Python of it.
    """
    text = templates.source(file)
    if templates.folder is not None:
        _check_python(text, templates)
    return signed(black.format_str(text, mode=black.Mode(line_length=LINE_LENGTH)))


def _check_python(text: str, templates: Templates) -> None:
    try:
        compile(text, "model_mxnet.py", "exec")
    except (SyntaxError, ValueError) as error:
        where = ""
        if isinstance(error, SyntaxError) and error.lineno:
            line = text.splitlines()[error.lineno - 1] if error.lineno <= len(text.splitlines()) else ""
            where = f"\n    line {error.lineno}: {line.strip()}"
        what = error.msg if isinstance(error, SyntaxError) else error
        raise RequestError(
            f"--templates {templates.folder}: what they print is no Python: {what}{where}", code="templates"
        ) from error
