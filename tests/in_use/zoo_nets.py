"""A test for each net, for `python -m tests.in_use`; its name keeps it out of `make test`."""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Callable
from dataclasses import asdict

import pytest

from tests.in_use.zoo import collections, run_net, uses_of
from tests.zoo.pool import ROW

TIMEOUT = 600.0  # seconds for one net


@pytest.mark.parametrize("name", collections())
def test_net(name: str, record_property: Callable[[str, object], None]):
    # C code that hangs hears no signal: the process ends, and xdist starts another.
    faulthandler.dump_traceback_later(TIMEOUT, exit=True, file=sys.__stderr__)
    try:
        row = run_net(name, uses_of(name))
    finally:
        faulthandler.cancel_dump_traceback_later()
    record_property(ROW, asdict(row))
