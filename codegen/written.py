"""The lines of the generated file, as the template prints them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One statement at a depth (0: the function's body); `comment` stands above it, after a `blank`."""

    text: str
    depth: int = 0
    comment: str = ""
    blank: bool = False


@dataclass(frozen=True)
class FunctionView:
    """One function: its signature, the paragraphs of its docstring and its body."""

    name: str
    signature: str
    returns: str
    doc: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class FileView:
    """All that the template prints."""

    title: str
    origin: str
    command: str
    data_shapes: tuple[tuple[str, tuple[int, ...]], ...]
    needs_named: bool
    functions: tuple[FunctionView, ...]


@dataclass(frozen=True)
class Origin:
    """Where a net comes from, for the head of the file: `model.py:XXNet` and the command that made it."""

    spec: str
    command: str
