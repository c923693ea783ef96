"""Python's collector of reference cycles: it rests in a process of our own, and in nobody else's."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from tracer.gen import main

HOME = Path(__file__).parents[1]
SPEC = f"{HOME / 'examples/xxnet/model.py'}:XXNet"

COMMAND = """
import gc, sys
from tracer.gen import main

seen = []
gc.callbacks.append(lambda phase, info: seen.append((phase, "torch" in sys.modules)))
try:
    main()
except SystemExit as end:
    print(end.code, gc.isenabled(), gc.get_freeze_count() > 100_000, *gc.get_threshold())
    # Before the imports are done nothing is collected.
    print(sum(phase == "start" and not there for phase, there in seen))
"""


def test_the_command_does_not_walk_through_what_torch_imports(tmp_path: Path) -> None:
    out = tmp_path / "model_mxnet.py"
    line = [sys.executable, "-c", COMMAND, SPEC, "--out", str(out), "--quiet", "--no-verify"]
    run = subprocess.run(line, capture_output=True, text=True, cwd=HOME, check=True)
    first, collected = run.stdout.splitlines()[-2:]
    assert first.split()[:4] == ["0", "True", "True", "100000"]
    assert collected == "0"


def test_a_call_from_python_leaves_the_collector_alone(tmp_path: Path) -> None:
    before = gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()
    with pytest.raises(SystemExit):
        main([SPEC, "--out", str(tmp_path / "model_mxnet.py"), "--quiet", "--no-verify", "--no-weights"])
    assert (gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()) == before
