"""Errors of the user's own code, shown as the user would see them: without this project's frames."""

from __future__ import annotations

import os
import traceback


def user_traceback(error: BaseException, headline: str) -> str:
    """`headline`, then a traceback cut to the user's own frames, then the error itself."""
    own = os.path.dirname(os.path.abspath(__file__)) + os.sep
    frames = traceback.extract_tb(error.__traceback__)
    user = [f for f in frames if not f.filename.startswith((own, "<")) and not _is_library(f.filename)]
    lines = [f"{headline}:"]
    if user:
        lines.append("Traceback (most recent call last):")
        lines += [part.rstrip("\n") for part in traceback.format_list(user)]
    lines += [part.rstrip("\n") for part in traceback.format_exception_only(error)]
    return "\n".join(lines)


def _is_library(file: str) -> bool:
    import torch

    return file.startswith(os.path.dirname(torch.__file__) + os.sep) or "/importlib/" in file
