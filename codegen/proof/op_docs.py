"""What MXNet itself says of its ops: the first sentence of each docstring."""

from __future__ import annotations

import re
from collections.abc import Sequence

from codegen.mxnet_import import import_mxnet
from codegen.mxnet_process import in_mxnet

_MANUAL = "https://mxnet.apache.org/versions/1.9.1/api/python/docs/api/symbol"
# What ends the sentences that tell what an op does: a part of the docstring, a directive, an example.
_END = re.compile(r"\n\s*\n|\n\.\. |\n\s*(?:Examples?|Parameters|Defined in)\b|\.(?=\s|$)")
_MARKS = (
    (re.compile(r":\w+:`([^`]*)`"), r"\1"),
    (re.compile(r"`+"), ""),
    (re.compile(r"\*(\S(?:[^*\n]*\S)?)\*"), r"\1"),
    (re.compile(r"\s+"), " "),
)


@in_mxnet
def op_sentences(ops: Sequence[str]) -> dict[str, str]:
    """The first sentence of MXNet on each of these ops (`BatchNorm`, `contrib.ROIAlign`); "" for none."""
    mx = import_mxnet()
    found = {}
    for op in ops:
        at = mx.sym
        for part in op.split("."):
            at = getattr(at, part, None)
        found[op] = first_sentence(getattr(at, "__doc__", None) or "")
    return found


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
    if " " in op:
        return ""
    folder = f"{op.partition('.')[0]}/index.html" if "." in op else "symbol.html"
    return f"{_MANUAL}/{folder}#mxnet.symbol.{op}"
