"""Files of ours that stand in a page as they are: its style and its scripts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from markupsafe import Markup

from codegen.write.templates import OURS

FOLDER = "review/page"
# What the page of a net that failed has of the scripts.
SHARED = ("theme.js", "edges.js")


def style() -> Markup:
    """The style of both pages."""
    return Markup(_text("page.css"))


def script_of(names: Sequence[str]) -> tuple[Markup, str]:
    """Scripts as one, and the digest by which the page's policy lets it run, and no other."""
    script = "".join(map(_text, names))
    return Markup(script), base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _text(name: str) -> str:
    return (OURS / FOLDER / name).read_text(encoding="utf-8")
