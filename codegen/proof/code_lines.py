"""Which line of the generated code makes which op of the symbol."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

from codegen.mxnet_import import import_mxnet
from codegen.mxnet_process import in_mxnet

_FILE = "model_mxnet.py"
# The functions of the generated code that give an operator's result its name, and that make a Variable which
# training leaves as it is (templates/symbol/file.jinja).
_HELPERS = frozenset(["named", "constant"])


@in_mxnet
def lines_of(code: str, function: str) -> Mapping[str, tuple[int, ...]]:
    """The first line of the statement that makes each symbol, and those of the calls around it, by its name.

    A Variable is one where the code makes it; those that an op makes by itself have no line.

    The code is run, and each name is noted where MXNet is given it: what a loop or a function makes several
    times has one line. The innermost line comes first. RequestError where mxnet cannot be imported.
    """
    mx = import_mxnet()
    of_op, of_operator = mx.name.NameManager.get.__code__, mx.sym.Symbol._set_attr.__code__
    of_variable = mx.sym.var.__code__
    found: dict[str, tuple[int, ...]] = {}

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        if event != "call" or frame.f_code not in (of_op, of_operator, of_variable):
            return
        given = frame.f_locals["kwargs"] if frame.f_code is of_operator else frame.f_locals
        lines = tuple(_lines(frame))
        if lines and given.get("name"):
            found[given["name"]] = lines

    namespace: dict[str, Any] = {"__name__": "model_mxnet"}
    before = sys.getprofile()
    with warnings.catch_warnings():
        # As in codegen.artifacts.load_symbol.
        warnings.simplefilter("ignore", UserWarning)
        exec(compile(code, _FILE, "exec"), namespace)
        sys.setprofile(note)
        try:
            namespace[function]()
        finally:
            sys.setprofile(before)
    starts = _starts(code)
    return {name: tuple(starts.get(line, line) for line in lines) for name, lines in found.items()}


def _lines(frame: FrameType) -> Iterator[int]:
    """Where the generated code is, from what it called, and where each of its functions was called."""
    caller: FrameType | None = frame
    while caller is not None:
        if caller.f_code.co_filename == _FILE and caller.f_code.co_name not in _HELPERS:
            yield caller.f_lineno
        caller = caller.f_back


def _starts(code: str) -> dict[int, int]:
    """The first line of the innermost statement that each line is part of."""
    starts: dict[int, int] = {}
    for node in ast.walk(ast.parse(code)):  # from the outer to the inner
        if isinstance(node, ast.stmt):
            starts |= dict.fromkeys(range(node.lineno, (node.end_lineno or node.lineno) + 1), node.lineno)
    return starts
