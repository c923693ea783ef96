"""How templates of the review are read: what one does not know is an error, and blocks leave no lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jinja2

from codegen.write.templates import OURS


def environment(autoescape: bool = False, **filters: Callable[..., Any]) -> jinja2.Environment:
    """Our own templates, with these filters. HTML is escaped with `autoescape`."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(OURS),
        undefined=jinja2.StrictUndefined,
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    made.filters.update(filters)
    return made
