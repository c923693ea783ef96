"""Errors of the user's own code, shown as the user would see them: without this project's frames."""

from __future__ import annotations

import functools
import inspect
import os
import re
import sys
import traceback
from traceback import walk_stack, walk_tb
from types import CodeType, FrameType
from typing import Any

import torch
from torch import nn

import codegen.problems
from codegen.ir import Source
from codegen.problems import Problem, UserModelError, in_a_line
from tracer.expressions import expression_of
from tracer.vision import is_file, is_front, is_function

_TORCH_DIR = os.path.dirname(torch.__file__) + os.sep
_PYTHON_DIR = os.path.dirname(os.path.realpath(os.__file__)) + os.sep
# This project's: what a decomposition calls stands on no line of the user's.
_OWN_DIRS = tuple(
    os.path.dirname(os.path.abspath(file)) + os.sep for file in (__file__, codegen.problems.__file__)
)
# What torch says where there is no GPU of the kind that is asked for, or where a tensor is on one.
_OF_GPU = re.compile(r"CUDA|NVIDIA|cuda:\d|\b(mps|xpu|HIP)\b")
MOST_FRAMES = 3


class Refusal(Exception):
    """Raised inside the user's forward to stop a trace that cannot go on.

    `done` are paths of modules that were done by then: see tracer.stopped.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem
        self.done: tuple[str, ...] = ()


@functools.lru_cache(maxsize=1024)  # asked of each frame around each op
def is_user_file(file: str) -> bool:
    """Whether code is the user's: neither torch's, nor ours, nor made at run time.

    torchvision's is as good as the user's where it writes layers and arithmetic.
    """
    return not file.startswith((_TORCH_DIR, *_OWN_DIRS, "<")) and not is_front(file)


def file_of(module: nn.Module) -> str:
    """The name of the file that defines a module's class.

    Not by way of sys.modules, where a file of the user's that is called like one of ours is not found.
    """
    cls = type(module)
    for name in ("forward", "__init__"):
        function = vars(cls).get(name)
        code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
        if isinstance(code, CodeType) and not code.co_filename.startswith("<"):
            return os.path.basename(code.co_filename)
    return os.path.basename(getattr(sys.modules.get(cls.__module__), "__file__", None) or "")


def user_line(frame: FrameType | None, end: CodeType) -> tuple[str, int]:
    """(file, line) of the user's line that runs; ('', 0) where only torch's own code does."""
    own = user_frame(frame, end)
    return (own.f_code.co_filename, own.f_lineno) if own is not None else ("", 0)


def user_frame(frame: FrameType | None, end: CodeType) -> FrameType | None:
    """The frame of the user's that runs; None where only torch's own code does."""
    while frame is not None and frame.f_code is not end:
        if is_user_file(frame.f_code.co_filename):
            return frame
        frame = frame.f_back
    return None


def forward_line(frame: FrameType | None, end: CodeType) -> tuple[str, int]:
    """(file, line) of the user's forward that runs: not that of a function that it calls."""
    while frame is not None and frame.f_code is not end:
        if frame.f_code.co_name == "forward" and is_user_file(frame.f_code.co_filename):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return "", 0


def deepest_user_line(traceback: Any) -> tuple[str, int]:
    """(file, line) of the innermost of the user's frames in a traceback; ('', 0) where there is none."""
    found = _deepest(traceback)
    return (found.tb_frame.f_code.co_filename, found.tb_lineno) if found is not None else ("", 0)


def deepest_expression(traceback: Any) -> str:
    """What the user wrote for what runs in the innermost of their frames; '' where it is not known."""
    found = _deepest(traceback)
    return expression_of(found.tb_frame.f_code, found.tb_lasti, found.tb_lineno) if found is not None else ""


def _deepest(traceback: Any) -> Any:
    found = None
    while traceback is not None:
        found = traceback if is_user_file(traceback.tb_frame.f_code.co_filename) else found
        traceback = traceback.tb_next
    return found


def vision_call(traceback: Any) -> tuple[str, str, int]:
    """The function of torchvision's that the user calls, of those that run, with (file, line) of the call.

    Those of a traceback, or else those that run now. ('', '', 0) where none of torchvision's runs.
    """
    frames = [*walk_stack(None)] if traceback is None else [*walk_tb(traceback)][::-1]
    called = ""
    for frame, line in frames:  # the innermost first
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        if is_function(file, name):
            called = name.strip("_")
        elif called and is_user_file(file) and not is_file(file):  # nor the forward of a layer
            return called, file, line
    return "", "", 0


class NeedsGpu(UserModelError):
    """The net's code asks for a GPU, whatever its inputs are."""

    code = "needs-gpu"


def user_error(error: BaseException, headline: str) -> UserModelError:
    """The error of the user's own code: `headline` and what was raised, then where."""
    is_of_gpu = isinstance(error, AssertionError | RuntimeError | TypeError) and _OF_GPU.search(str(error))
    made = NeedsGpu(_gpu_text(error)) if is_of_gpu else UserModelError(user_traceback(error, headline))
    if frames := user_frames(error):
        made.where = Source("", frames[-1].filename, frames[-1].lineno or 0)
    return made


def _gpu_text(error: BaseException) -> str:
    frames = user_frames(error)
    place = f", at {frames[-1].filename}:{frames[-1].lineno}: {frames[-1].line}" if frames else ""
    return (
        f"the net's code asks for a GPU, and fx2mx runs it on the CPU{place}\n"
        "  take the device of what is there, such as x.to(next(self.parameters()).device), or leave this out "
        f"({in_a_line(error)})"
    )


def user_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames of an error that are the user's, those of libraries among them, but not Python's own."""
    frames = traceback.extract_tb(error.__traceback__)
    user = [f for f in frames if is_user_file(f.filename) and not _is_of_python(f.filename)]
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        user.append(traceback.FrameSummary(error.filename, error.lineno, "<module>", line=error.text))
    return user


def _is_of_python(file: str) -> bool:
    return file.startswith(_PYTHON_DIR) and "-packages" not in file


def user_traceback(error: BaseException, headline: str) -> str:
    """`headline` and the error, then a traceback cut to the user's own frames: nine lines at most."""
    frames = [
        f'  File "{f.filename}", line {f.lineno}, in {f.name}' + (f"\n    {f.line}" if f.line else "")
        for f in user_frames(error)
    ]
    if len(frames) > MOST_FRAMES:
        frames = [frames[0], f"  ... and {len(frames) - 2} more", frames[-1]]
    what = in_a_line(error)
    return "\n".join(
        [f"{headline}: {what}", *(["Traceback (most recent call last):", *frames, what] if frames else [])]
    )
