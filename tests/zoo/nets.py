"""A test for each net of the zoo, for `python -m tests.zoo`; its name keeps it out of `make test`."""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Callable
from dataclasses import asdict

import pytest

from tests.zoo.pool import ROW
from tests.zoo.run import run_net
from tests.zoo.table import nets

TIMEOUT = 300.0  # seconds for one net; the slowest takes a tenth of it


@pytest.mark.parametrize("name", nets())
def test_net(name: str, record_property: Callable[[str, object], None]):
    # C code that hangs hears no signal: the process ends, and xdist starts another.
    faulthandler.dump_traceback_later(TIMEOUT, exit=True, file=sys.__stderr__)
    try:
        result = run_net(nets()[name])
    finally:
        faulthandler.cancel_dump_traceback_later()
    record_property(ROW, asdict(result))
    assert result.status in {"OK", "REFUSED"}, result.why
