"""A bound on the time that the user's code takes."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class OutOfTime(KeyboardInterrupt):
    """The time is up; like an interrupt, which goes past all that catches what a net raises."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTime inside the block after so many seconds, in the midst of what runs.

    Only the main thread can be stopped so, and only where no other timer runs: else nothing is raised.
    """
    is_free = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    if not is_free or any(signal.getitimer(signal.ITIMER_REAL)):
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
