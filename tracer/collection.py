"""Python's collector of reference cycles in the process of a command.

What the imports of torch and mxnet make stays, and to walk through it again and again is a tenth of what they
take.
"""

from __future__ import annotations

import gc

# Allocations between two looks for reference cycles: graphs are made of many, which stay too.
COLLECT_AFTER = 100_000


def rest() -> None:
    """Nothing is collected, until `resume`. For a process of our own, which is about to import torch."""
    gc.disable()


def resume() -> None:
    """What there is when the imports are done is not looked at again; what comes after is, now and then."""
    if gc.isenabled():
        return  # somebody else's process
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    gc.enable()
