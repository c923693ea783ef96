"""What mxnet's ONNX exporter takes for an attribute that is left out: MXNet's default, or ours is always written.

The exporter is read, not run: it needs onnx, which has an environment of its own (tests/in_use/test_onnx.py).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mxnet as mx
import pytest

from codegen.mxnet_ops import OPS
from codegen.op_spec import ONES, REQUIRED, ZEROS

FOLDER = Path(mx.__file__).parent / "onnx" / "mx2onnx" / "_op_translations"
# Where the two are written otherwise, and mean the same or are refused.
REASONS = {
    ("Dropout", "axes"): "no axes",
    ("LayerNorm", "eps"): "1e-5 as float32 has it",
    ("Pooling", "p_value"): "of an Lp pooling alone, which is written with it",
    ("contrib.BilinearResize2D", "height"): "a 0 is refused by the exporter",
    ("contrib.BilinearResize2D", "width"): "a 0 is refused by the exporter",
    ("contrib.BilinearResize2D", "scale_height"): "a 0 is none",
    ("contrib.BilinearResize2D", "scale_width"): "a 0 is none",
    ("contrib.ROIAlign", "sample_ratio"): "-1 in MXNet and 0 in ONNX are both as many as the cell is large",
    ("linalg.gemm2", "axis"): "the exporter refuses any other than the default",
    ("reshape_like", "lhs_begin"): "from the first axis",
    ("reshape_like", "rhs_begin"): "from the first axis",
    ("slice_like", "axes"): "all axes",
}


def exporters() -> dict[str, ast.FunctionDef]:
    """The exporter's function for each op: that of the newest opset."""
    found: dict[str, ast.FunctionDef] = {}
    for file in sorted(FOLDER.glob("_op_translations_opset*.py")):
        for function in ast.parse(file.read_text(encoding="utf-8")).body:
            for call in function.decorator_list if isinstance(function, ast.FunctionDef) else ():
                if isinstance(call, ast.Call) and isinstance(call.args[0], ast.Constant):
                    found[call.args[0].value] = function
    return found


def taken(function: ast.FunctionDef) -> Iterator[tuple[str, Any]]:
    """(attribute, what is taken for it where it is missing)."""
    for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        texts = [own.value if isinstance(own, ast.Constant) else None for own in call.args]
        if name == "get" and ast.unparse(call.func) == "attrs.get":
            yield texts[0], value(call.args[1]) if len(texts) > 1 else None
        elif name == "get_boolean_attribute_value":
            yield texts[1], False
        elif name == "parse_helper":
            yield texts[1], value(call.args[2]) if len(texts) > 2 else None


def value(node: ast.expr) -> Any:
    """A literal, one in a string among them, as the exporter reads it."""
    try:
        found = ast.literal_eval(node)
        return ast.literal_eval(found) if isinstance(found, str) else found
    except (ValueError, SyntaxError):
        return ast.unparse(node).strip("'\"")


def is_same(ours: Any, theirs: Any) -> bool:
    if ours in (ONES, ZEROS):
        return theirs in ((), [], None)  # it leaves them out as well
    if isinstance(theirs, list):
        theirs = tuple(theirs)
    return isinstance(ours, bool) == isinstance(theirs, bool) and bool(ours == theirs)


def misread() -> dict[tuple[str, str], str]:
    """The attributes of ours that are left out at MXNet's default, which the exporter takes for another."""
    found: dict[tuple[str, str], str] = {}
    for exported, function in exporters().items():
        name = exported.replace("_contrib_", "contrib.").replace("_linalg_", "linalg.")
        attrs = OPS[name].attrs if name in OPS else {}
        for attr, theirs in taken(function):
            ours = attrs.get(attr, REQUIRED)
            if ours is not REQUIRED and attr not in OPS[name].always and not is_same(ours, theirs):
                found[name, attr] = f"{ours!r}, the exporter takes {theirs!r}"
    return found


def test_nothing_is_left_out_that_the_exporter_misreads():
    found = misread()
    assert {key: said for key, said in found.items() if key not in REASONS} == {}
    assert set(REASONS) <= set(found), "a reason for what is not there"


@pytest.mark.parametrize(("name", "attr"), [("LRN", "knorm"), ("Deconvolution", "no_bias")])
def test_a_default_that_it_misreads_is_seen(name: str, attr: str, monkeypatch: pytest.MonkeyPatch):
    assert attr in OPS[name].always
    monkeypatch.setitem(vars(OPS[name]), "always", frozenset())
    assert (name, attr) in misread()
