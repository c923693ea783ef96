"""The user's files are run without leaving compiled ones beside them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def nothing_compiled() -> Iterator[None]:
    """While it lasts, Python writes no `__pycache__`."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
