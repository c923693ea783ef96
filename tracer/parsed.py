"""The user's files as Python reads them."""

from __future__ import annotations

import ast
import functools
from pathlib import Path
from types import CodeType
from typing import TypeAlias

Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef"


@functools.lru_cache(maxsize=64)  # of a large file it takes a tenth of a second
def parsed(file: str) -> tuple[str, ast.Module] | None:
    """A file's text and tree; None where there is no such file, or none that Python reads."""
    try:
        text = Path(file).read_text(encoding="utf-8")
        return text, ast.parse(text)
    except (OSError, SyntaxError, ValueError):
        return None


def tree_of(file: str) -> ast.Module | None:
    """A file's tree; None where there is none."""
    found = parsed(file)
    return found[1] if found is not None else None


def function_of(code: CodeType) -> Function | None:
    """The function that code was compiled from; None where its source is not there."""
    found = _functions(code.co_filename).get(code.co_firstlineno)
    return found if found is not None and found.name == code.co_name else None


@functools.lru_cache(maxsize=64)
def _functions(file: str) -> dict[int, Function]:
    """The functions of a file by the line at which their code begins: that of the first decorator."""
    nodes = ast.walk(tree_of(file) or ast.Module([], []))
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {min([own.lineno, *(d.lineno for d in own.decorator_list)]): own for own in functions}
