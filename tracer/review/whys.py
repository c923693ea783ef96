"""Why an op is written so, in a short sentence: what the function that wrote it tells of itself."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections import Counter
from collections.abc import Mapping

from codegen.program import Program

_WRITTEN = re.compile(r"^We write: (.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
# Fewer words than these are the name of an attribute.
LEAST = 4


def whys(program: Program) -> Mapping[str, str]:
    """By the name of a call, of those that are several for one call of torch's."""
    counts = Counter(call.node for call in program.calls)
    steps = [call for call in program.calls if call.told_by and counts[call.node] > 1]
    said = {call.name: sentence(call.told_by, call.op) for call in steps}
    return {name: why for name, why in said.items() if why}


@functools.cache
def sentence(told_by: str, op: str) -> str:
    """What a function corrects, and what it writes; '' where that does not speak of the op."""
    module, _, name = told_by.partition(":")
    text = inspect.getdoc(getattr(sys.modules.get(module), name, None)) or ""
    found = _WRITTEN.search(text)
    if found is None or not _names(op, text[found.start() :]):
        return ""
    title = " ".join(text.partition("\n\n")[0].split()).removesuffix(".")
    written = " ".join(found[1].split())
    clauses = written.split("; ")
    first = next((clause for clause in clauses if _names(op, clause)), clauses[0])
    return f"{title}: {(first if len(first.split()) >= LEAST else written).removesuffix('.')}."


def _names(op: str, text: str) -> bool:
    """Whether a text, or the code in it, has an op: by its name, or as the operator that it is."""
    if op.count(" ") == 2:
        kinds = {"x": r"[\w)\]]", "c": r"-?\b[\d.]+(?:e[+-]?\d+)?"}
        parts = (kinds.get(part, re.escape(part)) for part in op.split(" "))
        return re.search(" ".join(parts), text) is not None
    return re.search(rf"\b{re.escape(op.partition('(')[0])}s?\b", text) is not None
