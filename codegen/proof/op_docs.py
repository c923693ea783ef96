"""What MXNet itself says of its ops: the first sentence of each docstring."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Sequence
from typing import Any

from codegen.mxnet_import import import_mxnet
from codegen.mxnet_process import in_mxnet

_MANUAL = "https://mxnet.apache.org/versions/1.9.1/api/python/docs/api/symbol"
# What ends the sentences that tell what an op does: a part of the docstring, a directive, an example.
_END = re.compile(r"\n\s*\n|\n\.\. |\n\s*(?:Examples?|Parameters|Defined in)\b|\.(?=\s|$)")
# Python's operators: how a method of a symbol is called after one, and what it does.
_OPERATORS = {
    "+": ("add", operator.add),
    "-": ("sub", operator.sub),
    "*": ("mul", operator.mul),
    "/": ("div", operator.truediv),
    "**": ("pow", operator.pow),
    "%": ("mod", operator.mod),
    "==": ("eq", operator.eq),
    "!=": ("ne", operator.ne),
    ">": ("gt", operator.gt),
    ">=": ("ge", operator.ge),
    "<": ("lt", operator.lt),
    "<=": ("le", operator.le),
}
_MARKS = (
    (re.compile(r":\w+:`([^`]*)`"), r"\1"),
    (re.compile(r"`+"), ""),
    (re.compile(r"\*(\S(?:[^*\n]*\S)?)\*"), r"\1"),
    (re.compile(r"\s+"), " "),
)


@in_mxnet
def op_sentences(ops: Sequence[str]) -> dict[str, str]:
    """The first sentence of MXNet on each of these ops (`BatchNorm`, `contrib.ROIAlign`); "" for none.

    On one of Python's operators on a symbol and a number (`x - c`) it is that on the op that this makes, or,
    where MXNet says nothing there, that on the symbol's method.
    """
    mx = import_mxnet()
    return {op: _operator_sentence(mx, op) if is_operator(op) else _op_sentence(mx, op) for op in ops}


def is_operator(op: str) -> bool:
    """Whether an op is one of Python's operators on a symbol and a number."""
    return op.count(" ") == 2


def _op_sentence(mx: Any, op: str) -> str:
    at = mx.sym
    for part in _function(op).split("."):
        at = getattr(at, part, None)
    return first_sentence(getattr(at, "__doc__", None) or "")


def _operator_sentence(mx: Any, op: str) -> str:
    left, sign, _ = op.split(" ")
    name, function = _OPERATORS[sign]
    x = mx.sym.Variable("x")
    made = function(2.0, x) if left == "c" else function(x, 2.0)
    own = getattr(mx.sym._internal, json.loads(made.tojson())["nodes"][-1]["op"], None)
    method = getattr(mx.sym.Symbol, f"__{'r' if left == 'c' else ''}{name}__", None)
    said = (first_sentence(getattr(at, "__doc__", None) or "") for at in (own, method))
    return next(filter(None, said), "")


def _function(op: str) -> str:
    """The name of a function that is told with its arguments: `maximum` of `maximum(x, c)`."""
    return op.partition("(")[0]


def first_sentence(docstring: str) -> str:
    """The first sentence, without the marks of reStructuredText."""
    said = _END.split(f"{docstring.strip()}\n", maxsplit=1)[0].strip()
    if said.startswith(("Parameters", "..")):
        return ""
    for mark, plain in _MARKS:
        said = mark.sub(plain, said)
    return said.strip()


def manual_link(op: str) -> str:
    """Where MXNet's manual has the op; "" for an operator of Python on symbols (`x - c`)."""
    if is_operator(op):
        return ""
    name = _function(op)
    folder = f"{name.partition('.')[0]}/index.html" if "." in name else "symbol.html"
    return f"{_MANUAL}/{folder}#mxnet.symbol.{name}"
