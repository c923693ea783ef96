"""Runs the example of a kind of message in a process of its own, as its page says it is typed."""

from __future__ import annotations

from pathlib import Path

from codegen.kinds.kind import Example
from tests.session import Session

BEFORE = "python before.py"


def run_example(example: Example, folder: Path, more: str = "") -> tuple[int, str]:
    """The exit status and what was printed in `folder`, with more options where they are given."""
    session = Session(folder)
    (folder / "model.py").write_text(example.model, encoding="utf-8")
    if example.before:
        (folder / "before.py").write_text(example.before, encoding="utf-8")
    if example.before and example.typed != BEFORE:
        status, said = _run_before(session)
        assert status == 0, said
    if example.typed == BEFORE:
        return _run_before(session)
    said = session.run(f"{example.typed} {more}".rstrip())
    return session.status, said


def _run_before(session: Session) -> tuple[int, str]:
    """As a user's own Python runs it, in which functions of torch.jit are what torch makes them."""
    said = session.run("env python before.py")
    return session.status, said
