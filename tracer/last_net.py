"""The last net around each stage: what goes wrong within fx2mx becomes a refusal that says where."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from torch import fx

from codegen.ir import Node, Source
from codegen.problems import ConversionError, Problem, RequestError, defect
from codegen.program import Call as ProgramCall
from tracer.calls import Call
from tracer.user_code import Refusal, deepest_user_line
from tracer.watching import told


@contextlib.contextmanager
def stage(name: str) -> Iterator[None]:
    """Run a stage; an error that is none of ours to raise becomes a ConversionError with a Problem `defect`.

    The problem names the op that the stage was at, and the user's line, as far as the error's frames tell.
    """
    try:
        with told(name):
            yield
    except (ConversionError, RequestError):
        raise
    except Refusal as refusal:
        raise ConversionError((refusal.problem,)) from None
    except Exception as error:
        raise ConversionError((problem_of(name, error),)) from error


def problem_of(name: str, error: Exception) -> Problem:
    """The problem that an error within a stage is."""
    op, source = _op_at(error.__traceback__)
    if not source.file:
        file, line = deepest_user_line(error.__traceback__)
        source = Source(source.path, file, line)
    return defect(f"{name} failed{f' at {op}' if op else ''}", error, source)


def _op_at(traceback: TracebackType | None) -> tuple[str, Source]:
    """The op that the innermost of the frames holds, and its place."""
    frames = []
    while traceback is not None:
        frames.append(traceback.tb_frame)
        traceback = traceback.tb_next
    for frame in reversed(frames):
        for value in reversed(list(frame.f_locals.values())):
            if (found := _op(value)) is not None:
                return found
    return "", Source("")


def _op(value: Any) -> tuple[str, Source] | None:
    if isinstance(value, Node | ProgramCall):
        return f"{value.name} ({value.op})", value.source
    if isinstance(value, fx.Node) and isinstance(value.meta.get("source"), Source):
        return str(value.name), value.meta["source"]
    if isinstance(value, Call):
        return f"{value.name}()", Source("")
    return None
