"""Python literals and type annotations, as a person writes them."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from codegen.defects import Defect
from codegen.folded import MISSING, Argument
from codegen.ir import Dim
from codegen.program import Setting
from codegen.turn import Turn
from codegen.written import Name, Read, Value

# Tuples of so many numbers have a type for each: strides, kernels.
SHORT_TUPLE = 3
# So many names of Variables stand on lines of their own.
MOST_ON_LINES = 16
WORDS_LENGTH = 92
# What fits a line of `name="...",` at the depth of an argument in a loop.
NAME_LENGTH = 78


def annotation(values: Sequence[Any]) -> str:
    """The type of an argument, of the values that the uses of the function give."""
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
    return "dict[str, str]" if isinstance(value, Setting) else type(value).__name__


def python_text(value: Any) -> str:
    """A name or a value in Python, for templates."""
    return name_text(value) if isinstance(value, Name) else literal(value)


def names_text(names: Sequence[str]) -> str:
    """A list of names: one on each line, and as words of one text where there are many that fit a line."""
    fit = all(len(name) <= WORDS_LENGTH and not re.search(r"\s|\\|\"", name) for name in names)
    if len(names) <= MOST_ON_LINES or not fit:
        return f"[{', '.join(_in_pieces(name, repr) for name in names)}]"
    lines = textwrap.wrap(" ".join(names), WORDS_LENGTH, break_long_words=False, break_on_hyphens=False)
    return '"""\n' + "".join(f"    {line}\n" for line in lines) + '""".split()'


def name_text(name: Name) -> str:
    """A symbol's name as Python makes it: `"conv1"`, `f"{name}_conv1"`, `name`, `f"{name}_{i}"`."""
    turns = [part for part in name.parts if isinstance(part, Turn)]
    words = "".join(part for part in name.parts if isinstance(part, str))
    if not name.relative and not turns:
        return _in_pieces(words, repr)
    if name.relative and not name.parts:
        return name.base
    if not name.relative and name.parts == tuple(turns) and len(turns) == 1:
        return f"str({turns[0]})"
    if re.fullmatch(r"[\w.]*", words, flags=re.ASCII):
        return _in_pieces(str(name), _f_string)
    parts = [f"str({part})" if isinstance(part, Turn) else repr(part) for part in name.parts]
    return " + ".join([*[name.base] * name.relative, *parts])


def _f_string(text: str) -> str:
    return f'{"f" if "{" in text else ""}"{text}"'


def _in_pieces(text: str, spelled: Callable[[str], str]) -> str:
    """A string's literal, in pieces where one would not fit a line."""
    if len(text) <= NAME_LENGTH:
        return spelled(text)
    pieces = re.findall(rf".{{1,{NAME_LENGTH - 10}}}(?:(?<=_)|$)|.{{1,{NAME_LENGTH - 10}}}", text)
    return f"({' '.join(map(spelled, pieces))})"


def value_of(value: Any) -> Value:
    """A value as it is written, which may be an argument, a multiple of one, or a tuple that holds some."""
    if isinstance(value, Turn):
        return Value(str(value), (value.name,))
    if isinstance(value, Read):
        return Value(str(value), (value.variable,))
    if isinstance(value, Argument):
        text = value.name if value.factor == 1 else f"{value.factor} * {value.name}"
        return Value(text if value.divisor == 1 else f"{text} // {value.divisor}", (value.name,))
    if isinstance(value, tuple) and _is_computed(value):
        inner = [value_of(v) for v in value]
        return Value(_tuple([v.text for v in inner]), tuple(name for v in inner for name in v.reads))
    return Value(literal(value))


def _is_computed(value: Any) -> bool:
    """Whether a value is, or holds, what a variable gives."""
    return isinstance(value, Argument | Turn | Read) or (
        isinstance(value, tuple) and any(map(_is_computed, value))
    )


def literal(value: Any) -> str:
    """A Python literal as a person writes it: 1e-5, 1 / 6, (3, 3)."""
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, tuple):
        return _tuple([literal(v) for v in value])
    if isinstance(value, Setting):
        return value.name
    if isinstance(value, Dim):
        raise Defect("a size that follows the batch cannot be written")
    return repr(value)


def _tuple(texts: Sequence[str]) -> str:
    return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"


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
