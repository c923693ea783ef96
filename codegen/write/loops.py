"""Loops over calls of one function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codegen.folded import MISSING, CallItem
from codegen.write.literals import value_text


def function_call(item: CallItem, inputs: Sequence[str], args: Sequence[tuple[str, Any]], name: str) -> str:
    parts = [*inputs, *(f"{k}={value_text(v)}" for k, v in args if v is not MISSING), f"name={name}"]
    return f"{item.function}({', '.join(parts)})"
