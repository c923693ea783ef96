"""What `make docs` does to a page: links out of docs/ are for a checkout, and words on the site."""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
LINK = re.compile(r"\[([^\]\n]+)\]\((\.\./[^)\s#]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The text, whose links to files of the checkout are plain words; one that leads nowhere is a warning."""
    folder = posixpath.dirname(f"docs/{page.file.src_uri}")

    def plain(link: re.Match[str]) -> str:
        place = posixpath.normpath(posixpath.join(folder, link[2]))
        if place.startswith("docs/"):
            return link[0]
        if not (ROOT / place).exists():
            logging.getLogger("mkdocs.hooks").warning("%s: there is no %s", page.file.src_uri, place)
        return link[1]

    return LINK.sub(plain, markdown)
