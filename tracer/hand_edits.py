"""Generated code that was edited by hand is not overwritten."""

from __future__ import annotations

from pathlib import Path

from codegen.digest import is_edited
from codegen.problems import OverwriteError


def check_unedited(path: Path, code: str) -> None:
    """Raise OverwriteError where the file was edited by hand, and is not `code` all the same.

    One without a digest, of a version that wrote none, cannot tell.
    """
    text = _text(path)
    if text is not None and is_edited(text) and text != code:
        raise OverwriteError(path, "was edited by hand", is_edited=True)


def _text(path: Path) -> str | None:
    """What a file holds, whatever its lines end with: empty where there is none, None for no text."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        return None
