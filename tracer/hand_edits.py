"""Generated code that was edited by hand, or code that is not ours, is not overwritten."""

from __future__ import annotations

from pathlib import Path

from codegen.digest import is_edited, is_signed
from codegen.problems import OverwriteError
from tracer.heads import is_generated


def check_ours(path: Path) -> None:
    """Raise OverwriteError where a file stands that fx2mx did not write; an empty one nobody misses."""
    text = _text(path)
    if text is None or (text.strip() and not is_signed(text) and not is_generated(path)):
        raise OverwriteError(path, "was not written by fx2mx", is_edited=False)


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
