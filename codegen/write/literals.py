"""Python literals and type annotations, as a person writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from codegen.folded import MISSING, Parameter
from codegen.ir import Dim

# Tuples of so many numbers have a type for each: strides, kernels.
SHORT_TUPLE = 3
# The same for `name="...",` at the depth of an argument in a loop.
NAME_LENGTH = 78


def annotation(values: Sequence[Any]) -> str:
    kinds = dict.fromkeys(_type_text(v) for v in values)
    if sum(kind.startswith("tuple") for kind in kinds) > 1:
        kinds = dict.fromkeys("tuple[int, ...]" if k.startswith("tuple[int") else k for k in kinds)
    if set(kinds) == {"int", "float"}:
        return "float"
    return " | ".join(sorted(kinds, key=lambda k: (k == "None", k)))


def _type_text(value: Any) -> str:
    if value is None or value is MISSING:
        return "None"
    if isinstance(value, tuple):
        if 0 < len(value) <= SHORT_TUPLE and all(type(v) is int for v in value):
            return f"tuple[{', '.join(['int'] * len(value))}]"
        inner = dict.fromkeys(_type_text(v) for v in value)
        return f"tuple[{' | '.join(sorted(inner, key=lambda k: (k == 'None', k))) or 'int'}, ...]"
    return type(value).__name__


@dataclass(frozen=True)
class Raw:
    """A variable of a loop in the place of a value."""

    name: str


def quoted(text: str) -> str:
    return repr(text)


def in_pieces(text: str, kind: str = "") -> str:
    """A string's literal, in pieces where one would not fit a line."""
    if len(text) <= NAME_LENGTH:
        return f'f"{text}"' if kind else quoted(text)
    pieces = re.findall(rf".{{1,{NAME_LENGTH - 10}}}(?:(?<=_)|$)|.{{1,{NAME_LENGTH - 10}}}", text)
    shown = [f'{kind if "{" in p else ""}"{p}"' if kind else quoted(p) for p in pieces]
    return f"({' '.join(shown)})"


def value_text(value: Any) -> str:
    if isinstance(value, Parameter):
        text = value.name if value.factor == 1 else f"{value.factor} * {value.name}"
        return text if value.divisor == 1 else f"{text} // {value.divisor}"
    if isinstance(value, tuple) and any(isinstance(v, Parameter) for v in value):
        inner = ", ".join(value_text(v) for v in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return value.name if isinstance(value, Raw) else literal(value)


def literal(value: Any) -> str:
    """A Python literal as a person writes it: 1e-5, 1 / 6, (3, 3)."""
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, tuple):
        inner = ", ".join(literal(v) for v in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, Dim):
        raise AssertionError("a size that follows the batch cannot be written")
    return repr(value)


def _float(value: float) -> str:
    if not math.isfinite(value):
        return f'float("{value}")'
    if value == int(value) and abs(value) < 1e6:
        return f"{value:.1f}"
    text = repr(value)
    if len(text) > 10 and 1e-6 < abs(value) < 1e6:
        fraction = Fraction(value).limit_denominator(100)
        if fraction.numerator / fraction.denominator == value:
            return f"{fraction.numerator} / {fraction.denominator}"
        base = round(value**-2) if value > 0 else 0
        if 1 < base < 10000 and base**-0.5 == value:
            return f"{base}**-0.5"
        base = round(value**2)
        if 1 < base < 10000 and base**0.5 == value:
            return f"{base}**0.5"
    return re.sub(r"e([+-])0+(\d)", r"e\1\2", text)
