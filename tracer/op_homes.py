"""Which ops have a lowering rule, and which are decomposed: each op has one home."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal

from codegen.decompositions import decompositions
from codegen.decompositions.forms import FORMS, name_of_call
from codegen.rules import is_added, own_rules
from tracer.calls import Call
from tracer.canonical import call_arguments

Home = Literal["rule", "decomposition"]


@functools.cache
def homes() -> Mapping[str, Home]:
    """The home of every op, and of every form of an op, that fx2mx knows. ValueError for one that has two.

    The rules of plugins are not among them: they come before decompositions (codegen.rules.is_added).
    """
    rules, decomposed = own_rules(), decompositions()
    if both := sorted(set(rules) & set(decomposed)):
        raise ValueError(f"a rule and a decomposition each for {', '.join(both)}: name a form of the op")
    table: dict[str, Home] = dict.fromkeys(rules, "rule")
    return {**table, **dict.fromkeys(decomposed, "decomposition")}


def decomposition_of(call: Call) -> Callable[[], Any] | None:
    """What computes a call's result with other ops; None where the call is recorded as it stands."""
    if is_added(call.name) or hasattr(call.func, "is_user_op"):
        return None
    if call.name not in FORMS and homes().get(call.name) != "decomposition":
        return None
    try:
        arguments = call_arguments(call.func, call.args, call.kwargs)
        name = name_of_call(call.name, arguments)
        if homes().get(name) != "decomposition":
            return None
        decomposition = decompositions()[name]
        bound = inspect.signature(decomposition).bind(**arguments)
    except TypeError:  # arguments that the decomposition does not take
        return None
    return functools.partial(decomposition, *bound.args, **bound.kwargs)
