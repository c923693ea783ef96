"""Whole numbers that follow from others at every use of a function: `4 * dim`, `dim // num_heads`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import Any, TypeAlias

from codegen.folded import MISSING, Argument

# Values at each use, MISSING where a use does not have the part.
Column: TypeAlias = tuple[Any, ...]

# So many different numbers that agree are no coincidence, whatever the factor.
ENOUGH = 3
# With fewer, a factor is one that authors write, and the numbers are no counts of one or two.
SIMPLE = frozenset([2, 3, 4, 6, 8, 16, 32, 64])
SMALL = 3
# Nothing is a larger odd multiple: it is then the base of what seemed to be one, `num_filter // 24`.
LARGEST = 12
# The end of a stretch lies so near a multiple of its length, of which no other number is so near by chance.
NEXT_TO = 2
FAR = 32
# The powers of two numbers whose product is a third: an area, the size of a head, the number of windows.
POWERS = ((1, 1), (1, -1), (2, 2), (2, -2), (1, -2), (2, -1))
# The powers of one: windows of windows have four sides.
OWN_POWERS = (2, 4)


def follows(values: Column, bases: Mapping[str, Column], relate: bool = True) -> Argument | None:
    """What gives these values in terms of `bases`, the simplest first; None where nothing does.

    Without `relate`, only what equals one.
    """
    for name, base in bases.items():
        if fits(values, base):
            return Argument(name)
    if not relate or not are_positive(values):
        return None
    usable = {name: base for name, base in bases.items() if are_positive(base)}
    for name, base in usable.items():
        found = _ratio(values, [base], (1,))
        if found is not None:
            return _written(found, (name,), (1,))
    for name, base in usable.items():
        for power in OWN_POWERS:
            found = _ratio(values, [base], (power,))
            if found == 1 or (found is not None and _is_simple(found) and _is_told(values, base)):
                return _written(found, (name,), (power,))
    return next(_products(values, usable), None) or next(_sums(values, usable), None)


def half_of_odd(values: Column, bases: Mapping[str, Column]) -> Argument | None:
    """The half, rounded down, of an odd base: the pad that keeps an image's size."""
    for name, base in bases.items():
        if all(
            v is MISSING or (type(b) is int and type(v) is int and b % 2 and v == b // 2)
            for v, b in zip(values, base, strict=True)
        ):
            return Argument(name, divisor=2)
    return None


def halves_of_odd(values: Column, bases: Mapping[str, Column]) -> tuple[Argument, ...] | None:
    """The same of each number of a tuple: the pads of a kernel that is no square."""
    for name, base in bases.items():
        pairs = [(v, b) for v, b in zip(values, base, strict=True) if v is not MISSING]
        if MISSING not in base and pairs and all(_are_halves(v, b) for v, b in pairs):
            return tuple(Argument(name, divisor=2, item=place) for place in range(len(pairs[0][0])))
    return None


def _are_halves(pads: Any, kernel: Any) -> bool:
    if not (isinstance(pads, tuple) and isinstance(kernel, tuple) and len(pads) == len(kernel)):
        return False
    return all(size % 2 and pad == size // 2 for pad, size in zip(pads, kernel, strict=True))


def _products(values: Column, bases: Mapping[str, Column]) -> Iterator[Argument]:
    """What gives these values as a product or a quotient of two bases."""
    for powers in POWERS:
        for one, base in bases.items():
            for two, other in bases.items():
                if one == two or (powers[0] == powers[1] and one > two):
                    continue
                found = _ratio(values, [base, other], powers)
                is_told = _is_told(values, base, other)
                if found is not None and is_told and (found == 1 or _is_simple(found)):
                    yield _written(found, (one, two), powers)


def _sums(values: Column, bases: Mapping[str, Column]) -> Iterator[Argument]:
    """What gives these values as a multiple of a base and a constant, which few agree with by chance."""
    for name, base in bases.items():
        pairs = {(b, v) for v, b in zip(values, base, strict=True) if v is not MISSING}
        if len(pairs) < 2 or any(b is MISSING for b, _ in pairs):
            continue
        (low, value), (high, other) = min(pairs), max(pairs)
        factor, rest = divmod(other - value, high - low) if high > low else (0, 1)
        plus = value - factor * low
        is_factor = not rest and factor > 0 and _is_simple(Fraction(factor))
        if not (is_factor and plus) or any(v != factor * b + plus for b, v in pairs):
            continue
        is_end = abs(plus) <= NEXT_TO and low >= FAR
        if is_end or len(pairs) > ENOUGH:
            yield Argument(name, factor, plus=plus)


def fits(values: Column, base: Column) -> bool:
    """Whether a base gives these values wherever they are there."""
    return all(v is MISSING or are_one(v, b) for v, b in zip(values, base, strict=True))


def are_one(one: Any, other: Any) -> bool:
    """Whether two values are written alike: nan, which equals nothing, too."""
    return type(one) is type(other) and (one == other or repr(one) == repr(other))


def are_positive(values: Column) -> bool:
    """Whether values are sizes: whole numbers above 0, not the codes of a Reshape."""
    return all(v is MISSING or (type(v) is int and v > 0) for v in values)


def _is_simple(ratio: Fraction) -> bool:
    return {ratio.numerator, ratio.denominator} <= {1, *SIMPLE}


def _ratio(values: Column, bases: Sequence[Column], powers: Sequence[int]) -> Fraction | None:
    """The constant by which values are a product of powers, unless that may be a coincidence.

    It is a whole number, or one over a whole number.
    """
    ratio: Fraction | None = None
    for value, *given in zip(values, *bases, strict=True):
        if value is MISSING:
            continue
        if MISSING in given:
            return None
        above = prod(b**p for b, p in zip(given, powers, strict=True) if p > 0)
        below = value * prod(b**-p for b, p in zip(given, powers, strict=True) if p < 0)
        if ratio is None:
            ratio = Fraction(below, above)
        elif below * ratio.denominator != above * ratio.numerator:
            return None
    if ratio is None or 1 not in (ratio.numerator, ratio.denominator):
        return None
    if ratio > LARGEST and not _is_simple(ratio):
        return None
    if _is_told(values, *bases):
        return ratio
    large = (max(own for own in column if own is not MISSING) >= SMALL for column in (values, *bases))
    is_pair = _different(values, *bases) == ENOUGH - 1
    return ratio if is_pair and _is_simple(ratio) and all(large) else None


def _is_told(values: Column, *bases: Column) -> bool:
    """Whether so many different numbers are there that no relation of theirs is a coincidence."""
    return _different(values, *bases) >= ENOUGH


def _different(values: Column, *bases: Column) -> int:
    given = zip(values, *bases, strict=True)
    return len({tuple(own[1:]) for own in given if own[0] is not MISSING})


def _written(ratio: Fraction, names: Sequence[str], powers: Sequence[int]) -> Argument:
    over = [name for name, power in zip(names, powers, strict=True) for _ in range(-power)]
    times = [name for name, power in zip(names, powers, strict=True) for _ in range(power)]
    return Argument(times[0], ratio.numerator, ratio.denominator, tuple(times[1:]), tuple(over))
