"""Render: the view model through a Jinja template and the formatter."""

from __future__ import annotations

from pathlib import Path

import black
import jinja2

from codegen.write.literals import literal
from codegen.written import FileView

LINE_LENGTH = 100


def render(view: FileView) -> str:
    """The text of `model_mxnet.py`, as `black -l 100` leaves it."""
    return black.format_str(source(view), mode=black.Mode(line_length=LINE_LENGTH))


def source(view: FileView) -> str:
    """The same code before it is formatted."""
    return _environment().get_template("model_mxnet.py.jinja").render(view=view)


def _environment() -> jinja2.Environment:
    """Templates stand beside this package, in the source tree and in the wheel alike."""
    folder = Path(__file__).resolve().parents[2] / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["literal"] = literal
    return environment
