"""Python literals and type annotations, as a person writes them."""

from __future__ import annotations

import math
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
# A number of more characters is written as what it was computed from, if that is a number below this.
SHORT_NUMBER = 10
LARGEST_BASE = 10001
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
        return Value(_computed(value), value.names)
    if isinstance(value, tuple) and _is_computed(value):
        inner = [value_of(v) for v in value]
        return Value(_tuple([v.text for v in inner]), tuple(name for v in inner for name in v.reads))
    return Value(literal(value))


def _computed(value: Argument) -> str:
    """What is made of arguments, as Python: `4 * dim`, `dim // num_heads`, `2 * size - 1`."""
    own = value.name if value.item is None else f"{value.name}[{value.item}]"
    above, below = Counter([own, *value.times]), Counter(value.over)
    factors = [str(value.factor)] * (value.factor != 1)
    text = " * ".join([*factors, *_powers(above)])
    divisors = [*_powers(below), *[str(value.divisor)] * (value.divisor != 1)]
    if divisors:
        text += f" // ({' * '.join(divisors)})" if len(divisors) > 1 else f" // {divisors[0]}"
    return f"{text} {'+' if value.plus > 0 else '-'} {abs(value.plus)}" if value.plus else text


def _powers(names: Mapping[str, int]) -> list[str]:
    return [name if power == 1 else f"{name}**{power}" for name, power in names.items()]


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
    if len(text) > SHORT_NUMBER and 1e-6 < abs(value) < 1e6:
        told = _explained(abs(value))
        if told:
            return told if value > 0 else f"-({told})" if re.search(r"[ *]", told) else f"-{told}"
    return re.sub(r"e([+-])0+(\d)", r"e\1\2", text)


def uses_math(values: Iterable[Any]) -> bool:
    """Whether any of these values is written with what Python's math gives."""
    return any("math." in literal(value) for value in values)


def _explained(value: float) -> str:
    """A number as its author has computed it: `1 / 6`, `24**-0.5`, `0.1 * 3 / 7`; empty where none is it."""
    return next((text for text, own in _candidates(value) if own == value), "")


def _candidates(value: float) -> Iterator[tuple[str, float]]:
    """What a number may have been computed as, each with what Python makes of it."""
    fraction = Fraction(value).limit_denominator(100)
    top, bottom = fraction.numerator, fraction.denominator
    yield f"{top} / {bottom}", top / bottom
    whole = round(1 / value)
    if 1 < whole < LARGEST_BASE:
        yield f"1 / {whole}", 1 / whole
    for power in (0.5, 0.25):
        for base in (round(value ** (-1 / power)), round(value ** (1 / power))):
            if 1 < base < LARGEST_BASE:
                yield f"{base}**-{power}", base**-power
                yield f"1 / {base}**{power}", 1 / base**power
                yield f"{base}**{power}", base**power
    yield from _shares(value)
    yield from _of_math(value)


def _shares(value: float) -> Iterator[tuple[str, float]]:
    """The i-th of n equal shares of a rate, as stochastic depth gives them to its blocks."""
    shares = []
    for rate in (tenths / 10 for tenths in range(1, 10)):
        share = Fraction(value / rate).limit_denominator(100)
        if share < 1:
            shares.append((share.denominator, share.numerator, rate))
    for bottom, top, rate in sorted(shares):
        yield f"{rate} / {bottom}" if top == 1 else f"{rate} * {top} / {bottom}", rate * top / bottom
        yield f"{rate} / {bottom} * {top}", rate / bottom * top


def _of_math(value: float) -> Iterator[tuple[str, float]]:
    """Multiples of pi, and logarithms."""
    share = Fraction(value / math.pi).limit_denominator(100)
    top, bottom = share.numerator, share.denominator
    multiple = "math.pi" if top == 1 else f"{top} * math.pi"
    yield multiple if bottom == 1 else f"{multiple} / {bottom}", top * math.pi / bottom
    yield "(2 / math.pi) ** 0.5", (2 / math.pi) ** 0.5
    base = round(math.exp(value)) if value < math.log(LARGEST_BASE) else 0
    if base > 1:
        yield f"math.log({base})", math.log(base)
