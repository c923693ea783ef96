"""The user's functions that forward calls (`channel_shuffle(x, 2)`), as frames beside those of modules.

Only functions that call no module: what a larger one does belongs to its module.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from types import CodeType, FrameType
from typing import Any, TypeAlias

from codegen.ir import Frame, Source
from tracer.statements import statement_at
from tracer.turns import MODULE_CALLS, Turns
from tracer.user_code import is_user_file

Arguments: TypeAlias = tuple[tuple[str, str, int], ...]


def without_functions(source: Source, gone: Collection[tuple[str, int]]) -> Source:
    """The place of an op without some of the functions that it stands in."""
    if not any(f.is_function for f in source.frames):
        return source
    frames = tuple(f for f in source.frames if not (f.is_function and (f.path, f.call) in gone))
    return replace(source, frames=frames)


class UserFunctions:
    """Knows the running functions again from one op to the next.

    `end` is the code of the function that runs the net. `given` tells which tensors arguments hold: the
    argument's name, and the node and output that made each. `turns` counts the turns of loops.
    """

    def __init__(self, end: CodeType, given: Callable[[Mapping[str, Any]], Arguments], turns: Turns) -> None:
        self._end = end
        self._given = given
        self._turns = turns
        self._known: dict[int, Frame] = {}
        self._callers: set[int] = set()
        # Python's frames by their ids, which are not given again while these live.
        self._alive: dict[int, FrameType] = {}
        self._calls: Counter[str] = Counter()

    def running(self, frame: FrameType, path: str) -> tuple[Frame, ...]:
        """The functions between forward of the module at `path` and an op, the outermost first."""
        found: list[FrameType] = []
        for current in self._up(frame):
            if current.f_code.co_name in MODULE_CALLS:
                return ()
            if _is_forward(current):
                return self._frames([*reversed(found)], current, path)
            if _is_function(current):
                found.append(current)
        return ()

    def calls_module(self, frame: FrameType) -> None:
        """Tell that the running functions call a module."""
        for current in self._up(frame):
            if _is_forward(current):
                return
            if _is_function(current):
                self._alive[id(current)] = current
                self._callers.add(id(current))

    def callers(self) -> frozenset[tuple[str, int]]:
        """(path, call) of the functions that call modules."""
        return frozenset((f.path, f.call) for key, f in self._known.items() if key in self._callers)

    def _up(self, frame: FrameType | None) -> Iterator[FrameType]:
        while frame is not None and frame.f_code is not self._end:
            yield frame
            frame = frame.f_back

    def _frames(self, running: list[FrameType], caller: FrameType, path: str) -> tuple[Frame, ...]:
        frames = []
        for current in running:
            if id(current) not in self._known:
                self._alive[id(current)] = current
                self._known[id(current)] = self._frame(current, caller, path)
            frames.append(self._known[id(current)])
            caller, path = current, frames[-1].path
        return tuple(frames)

    def _frame(self, function: FrameType, caller: FrameType, path: str) -> Frame:
        code, line = function.f_code, caller.f_lineno
        told = statement_at(caller.f_code.co_filename, line)
        own = f"{path}.{code.co_name}".lstrip(".")
        call = self._calls[own]
        self._calls[own] += 1
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        arguments = self._given({n: function.f_locals[n] for n in names if n in function.f_locals})
        file = os.path.basename(code.co_filename)
        return Frame(
            own,
            code.co_name,
            call,
            file=file,
            arguments=arguments,
            target=told.target,
            line=line,
            is_function=True,
            turns=self._turns.around(function.f_back),
            comment=told.comment,
        )


def _is_forward(frame: FrameType) -> bool:
    return frame.f_code.co_name == "forward" and is_user_file(frame.f_code.co_filename)


def _is_function(frame: FrameType) -> bool:
    """Whether a frame is a function of the user's: no lambda, comprehension or module."""
    return not frame.f_code.co_name.startswith("<") and is_user_file(frame.f_code.co_filename)
