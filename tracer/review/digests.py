"""The sha256 of a file, as `sha256sum` prints it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tracer.review.model import Digest

_PIECE = 1 << 20


def digest_of(path: Path, shown: str) -> Digest:
    """That of a file, which is called `shown`."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return Digest(shown, digest.hexdigest())
