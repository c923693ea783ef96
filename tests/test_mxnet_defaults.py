"""The table of MXNet's ops against the installed mxnet: every attribute, and every default."""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any

import mxnet as mx
import numpy as np
import pytest

from codegen.mxnet_ops import OPS
from codegen.op_spec import ONES, REQUIRED, ZEROS, OpSpec

# Made by Python functions, which give their defaults themselves.
PYTHON = {"zeros", "ones", "arange"}
# Unset by default, and then as here: test_an_average_counts_the_padding.
UNSET = {("Pooling", "count_include_pad")}


def _op(name: str) -> Any:
    found: Any = mx.sym
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _documented(doc: str) -> dict[str, Any]:
    """Attribute -> default, read from the Parameters of an op's docstring."""
    section = doc.partition("Parameters\n----------\n")[2].partition("\nReturns\n")[0]
    found: dict[str, Any] = {}
    for name, text in re.findall(r"^(\w+) : (.*)$", section, flags=re.MULTILINE):
        if text.startswith(("Symbol", "NDArray", "string, optional")):
            continue
        default = re.search(r"default=(.*)$", text)
        found[name] = REQUIRED if default is None else _parsed(default.group(1))
    return found


def _parsed(text: str) -> Any:
    text = text.strip()
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    if isinstance(value, str):
        return _parsed(value) if re.fullmatch(r"-?\d+|None", value) else value
    return tuple(value) if isinstance(value, list) else value


def _same(ours: Any, theirs: Any) -> bool:
    if ours is REQUIRED:
        return True  # written at each use, whatever the default is
    if ours in (ONES, ZEROS):
        return theirs in ((), None)
    if isinstance(ours, bool):
        return theirs in (ours, int(ours))
    if isinstance(ours, float) and isinstance(theirs, int | float):
        return np.float32(ours) == np.float32(theirs)
    return bool(ours == theirs)


@pytest.mark.parametrize("name", sorted(set(OPS) - PYTHON))
def test_defaults_are_those_of_the_installed_mxnet(name: str):
    documented = _documented(_op(name).__doc__)
    for attr, default in OPS[name].attrs.items():
        assert attr in documented, f"{name} has no {attr}: {sorted(documented)}"
        expected = default if (name, attr) in UNSET and documented[attr] is None else documented[attr]
        assert _same(default, expected), f"{name}.{attr} is {documented[attr]!r}, not {default!r}"


def test_an_average_counts_the_padding():
    x = mx.nd.ones((1, 1, 2, 2))
    given = {"kernel": (2, 2), "pad": (1, 1), "pool_type": "avg"}
    unset, counted, own = (mx.nd.Pooling(x, **given, **more).asnumpy() for more in _COUNTED)
    assert (unset == counted).all()
    assert not (unset == own).all()


_COUNTED: tuple[dict[str, bool], ...] = ({}, {"count_include_pad": True}, {"count_include_pad": False})


@pytest.mark.parametrize("name", sorted(PYTHON))
def test_defaults_of_python_functions(name: str):
    parameters = inspect.signature(_op(name)).parameters
    for attr, default in OPS[name].attrs.items():
        assert attr in parameters
        theirs = parameters[attr].default
        if default is REQUIRED:
            assert theirs is inspect.Parameter.empty
        elif attr == "dtype":
            assert theirs is None or np.dtype(theirs) == np.dtype(default)
        else:
            assert _same(default, theirs), f"{name}.{attr} is {theirs!r}, not {default!r}"


def test_the_table_names_attributes():
    assert [n for n, spec in OPS.items() if not spec.differing | spec.always <= set(spec.attrs)] == []


@pytest.mark.parametrize(
    ("value", "default", "left_out"),
    [
        ((1, 1), ONES, True),
        ((1, 2), ONES, False),
        ((0, 0), ZEROS, True),
        ((1, 1), REQUIRED, False),
        (True, 1, False),
        (0.5, 0.5, True),
        (1, 1.0, True),
    ],
)
def test_is_default(value: Any, default: Any, left_out: bool):
    assert OpSpec.is_default("x", value, default) is left_out
