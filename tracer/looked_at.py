"""Calls that look at the values of a tensor, which no symbol knows: what is said of them, and the way out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from codegen.ir import Source
from codegen.problems import Problem
from tracer.op_facts import PICKED, WAY_OUT, WAYS_OUT
from tracer.user_code import Refusal, deepest_expression, deepest_user_line, vision_call


def looked_at(name: str, source: Source, traceback: Any, written: str = "") -> Refusal:
    """The refusal of a call that looks at values, which is `written` so, where that is known.

    `traceback` is that of torch's own error, if it raised.
    """
    if traceback is not None:
        file, line = deepest_user_line(traceback)
        source = replace(source, file=file, line=line)
    what = name.removeprefix("aten.").rpartition("::")[2].split(".")[0]
    asked = {"__bool__": "bool()", "_local_scalar_dense": "item() or bool()"}
    called = asked.get(what, f"{what.strip('_')}()")
    function, file, line = vision_call(traceback)
    if what == "index" and not function:
        return _picked_at(source, written or deepest_expression(traceback))
    if function:
        called, source = f"{function}()", replace(source, file=file, line=line)
    what = f"the net looks at the values of a tensor ({called}): a symbol has one graph for all inputs"
    return Refusal(Problem("data-dependent", what, source, WAYS_OUT.get(called, WAY_OUT)))


def _picked_at(source: Source, written: str) -> Refusal:
    """The refusal of what a mask picks, and the user wrote so: `boxes[keep]`."""
    return Refusal(
        Problem(
            "data-dependent",
            f"{written or 'an index'} picks by a mask, so that its shape depends on values: a symbol has one "
            "graph for all inputs",
            source,
            PICKED,
        )
    )
