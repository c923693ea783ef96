"""The examples of the corrections: each converts a small net, proves it and shows the code."""

from __future__ import annotations

import ast
import doctest
import math
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import black
import mxnet as mx
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from codegen.proof.compare import Agreement
from tests.op_cases import Case, Fn, Input, Ints, bools, positive
from tests.traps.corrections import Correction
from tests.vision import ops as vision
from tracer.conversion import Conversion, convert_specs

TOLERANCE = 1e-5
LAYOUT = black.Mode(line_length=100, magic_trailing_comma=False)


def converted(net: nn.Module | Callable[..., Any], *inputs: Input) -> None:
    """Convert a module or a function, check that both frameworks agree, and print the body of its function.

    `inputs` are shapes, `Ints` or tensors. Variables are left out. A module stands below its class's name.
    """
    _show(_conversion(net, inputs))


def trainable(net: nn.Module | Callable[..., Any], *inputs: Input) -> None:
    """The same in the forms of --trainable."""
    own = _conversion(net, inputs)
    _show(convert_specs(own.model, own.inputs, "Net", trainable=True))


def _show(conversion: Conversion) -> None:
    found = conversion.verify(tolerance=TOLERANCE, layers=False)
    assert found.ok, f"the frameworks differ by {found.difference:.3g}"
    print(_body(conversion.code))


def agreement(net: nn.Module | Callable[..., Any], *inputs: Input) -> Agreement:
    """The outputs of both frameworks, compared."""
    return _conversion(net, inputs).verify(layers=False)


def names(net: nn.Module | Callable[..., Any], *inputs: Input) -> list[str]:
    """The names of the converted parameters."""
    conversion = _conversion(net, inputs)
    return [*conversion.arg_params, *conversion.aux_params]


def _conversion(net: nn.Module | Callable[..., Any], inputs: tuple[Input, ...]) -> Conversion:
    return Case("", _as_net(net, len(inputs)), inputs).conversion()


def _as_net(net: nn.Module | Callable[..., Any], inputs: int) -> nn.Module:
    if not isinstance(net, nn.Module):
        return Fn(net)
    if inputs > 1:
        return net
    return nn.Sequential(OrderedDict({type(net).__name__.lower(): net})).eval()


def _body(code: str) -> str:
    """The statements of the net's function, without its docstring, Variables and comments."""
    function = ast.parse(code).body[-1]
    assert isinstance(function, ast.FunctionDef)
    lines = (ast.get_source_segment(code, statement) or "" for statement in function.body[1:])
    shown = [line for line in lines if not re.search(r" = (mx.sym.Variable|constant)\(", line)]
    return "\n".join(black.format_str(line, mode=LAYOUT).rstrip() for line in shown)


GLOBALS = {
    "agreement": agreement,
    "converted": converted,
    "names": names,
    "trainable": trainable,
    "torch": torch,
    "nn": nn,
    "F": F,
    "mx": mx,
    "np": np,
    "math": math,
    "Ints": Ints,
    "bools": bools,
    "positive": positive,
    "vision": vision,
}


def failures(correction: Correction) -> str:
    """What doctest says of a correction's example; nothing where it prints what it should."""
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    test = parser.get_doctest(correction.example, dict(GLOBALS), correction.where, correction.file, 0)
    said: list[str] = []
    torch.manual_seed(0)
    runner.run(test, out=said.append)
    return "".join(said)
