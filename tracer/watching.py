"""What is going on: each stage of a conversion tells whoever watches that it begins, and how long it took."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Protocol


class Watcher(Protocol):
    """What is told of stages, one within another."""

    def begins(self, stage: str) -> None:
        """A stage begins."""

    def ends(self, stage: str, seconds: float) -> None:
        """The innermost of the stages that began ends, after so many seconds."""


_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextlib.contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Tell `watcher` of the stages that run within."""
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


@contextlib.contextmanager
def told(stage: str) -> Iterator[None]:
    """A stage, of which the watcher is told."""
    watcher = _WATCHER.get()
    if watcher is None:
        yield
        return
    watcher.begins(stage)
    began = time.perf_counter()
    try:
        yield
    finally:
        watcher.ends(stage, time.perf_counter() - began)
