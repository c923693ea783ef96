"""The codes of MXNet's Reshape: all that a person might write, so that the uses of a line can share one.

0 keeps a size, -1 stands for what is left, -3 joins two sizes, -4 cuts one in the two that follow; with
`reverse`, sizes are matched from the right
(https://mxnet.apache.org/versions/1.9.1/api/python/docs/api/symbol/symbol.html, Reshape).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from codegen.ir import Dim, Shape, Size, elements_in

INFER, JOIN, CUT = -1, -3, -4


# The shape before a reshape, and after it.
Pair: TypeAlias = tuple[Shape, Shape]


@dataclass(frozen=True)
class Code:
    """The `shape` and `reverse` of a Reshape."""

    shape: tuple[int, ...]
    reverse: bool = False

    @property
    def has_own_codes(self) -> bool:
        """Whether it holds codes that no other framework has: MXNet's exporter to ONNX refuses them."""
        return JOIN in self.shape or CUT in self.shape

    @property
    def literals(self) -> int:
        """How many sizes are told by their number."""
        return sum(size > 0 for size in self.shape)

    @property
    def form(self) -> tuple[object, ...]:
        """The code but for the numbers that it holds."""
        return tuple(min(size, 1) for size in self.shape), self.reverse


def simple(old: Shape, new: Shape) -> Code | None:
    """(0, -1) rather than (0, 25088): what the most readers know; None where it does not do.

    Sizes that stay at their place in front are 0; of the others one is -1 where it is the only one, or
    the only one that is not 1, or follows the batch.
    """
    if not new:
        return Code((1,))
    kept = _kept(old, new)
    rest = new[kept:]
    grown: list[Size] = [s for s in rest if isinstance(s, Dim)] or [s for s in rest if s != 1]
    if len(grown) > 1 and isinstance(grown[0], Dim):
        return None
    if len(rest) == 1:
        grown = list(rest)
    if not rest and kept < len(old):
        kept, grown, rest = kept - 1, [new[-1]], new[-1:]  # (0, -1) drops what is left over
    code = [0] * kept + [INFER if len(grown) == 1 and s == grown[0] else s for s in rest]
    return Code(tuple(c for c in code if isinstance(c, int)) if code else (1,))


def codes(old: Shape, new: Shape) -> Iterator[Code]:
    """Every code for a reshape, the simplest first. A number is (1,) in MXNet."""
    old, new = old or (1,), new or (1,)
    first = simple(old, new)
    tried = itertools.chain([first] if first else [], _inferred(old, new), _from_the_right(old, new))
    tried = itertools.chain(tried, _cut_and_joined(old, new))
    yield from (c for c in dict.fromkeys(tried) if gives(c, old) == new)


def shared(pairs: Sequence[Pair]) -> Code | None:
    """The simplest code that does for each (old, new); None where there is none."""
    return next(_shared(pairs), None)


def alike(uses: Sequence[Sequence[Pair]]) -> Code | None:
    """A code of 0, -1 and sizes for the first use, where the others have one of its form; None if none do.

    (0, -1, 96) rather than (0, 49, 96), but (0, 7, 7, 96) rather than (0, -1, 7, 96).
    """
    first, *others = [
        sorted((code for code in _shared(pairs) if not code.has_own_codes), key=lambda c: c.literals > 1)
        for pairs in uses
    ]
    return next((c for c in first if all(c.form in {o.form for o in other} for other in others)), None)


def _shared(pairs: Sequence[Pair]) -> Iterator[Code]:
    """The codes that do for each (old, new), the simplest first."""
    first, *others = dict.fromkeys(pairs)
    for code in codes(*first):
        if all(gives(code, old or (1,)) == (new or (1,)) for old, new in others):
            yield code


def gives(code: Code, old: Shape) -> Shape | None:
    """The shape that MXNet makes of `old`; None where the code does not fit it."""
    sizes = list(reversed(old)) if code.reverse else list(old)
    wanted = list(reversed(code.shape)) if code.reverse else list(code.shape)
    found: list[Size | None] = []
    place = 0
    while wanted:
        token = wanted.pop(0)
        taken = sizes[place : place + (2 if token == JOIN else 1)]
        if token in {0, JOIN, CUT} and len(taken) < (2 if token == JOIN else 1):
            return None
        place += len(taken) if token in {0, JOIN, CUT} else 1
        if token == CUT:
            found += _halves(taken[0], wanted.pop(0), wanted.pop(0))
        elif token == JOIN:
            found.append(elements_in(taken))
        else:
            found.append(taken[0] if token == 0 else None if token == INFER else token)
    return _completed(found[::-1] if code.reverse else found, old)


def _completed(found: list[Size | None], old: Shape) -> Shape | None:
    """The sizes with the one that is left to be inferred; None unless they hold as many elements."""
    holes = [i for i, size in enumerate(found) if size is None]
    total = elements_in(old)
    if len(holes) > 1 or total is None:
        return None
    for hole in holes:
        found[hole] = _quotient(total, elements_in([s for s in found if s is not None]))
    shape = tuple(s for s in found if s is not None)
    return shape if len(shape) == len(found) and elements_in(shape) == total else None


def _halves(size: Size, first: int, second: int) -> list[Size | None]:
    if first == INFER:
        return [_quotient(size, second), second]
    if second == INFER:
        return [first, _quotient(size, first)]
    return [first, second]


def _quotient(size: Size, by: Size | None) -> Size | None:
    """size / by, where that is whole for every batch."""
    if by is None or by == 0:
        return None
    if isinstance(by, Dim):
        if isinstance(size, Dim) and size.coef * by.const == by.coef * size.const:
            ratio = size.coef / by.coef
            return int(ratio) if ratio.denominator == 1 else None
        return None
    if isinstance(size, int):
        return size // by if size % by == 0 else None
    whole = Dim(size.coef / by, size.const / by)
    return whole if whole.coef.denominator == whole.const.denominator == 1 else None


def _kept(old: Shape, new: Shape) -> int:
    return next(
        (i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new))
    )


def _inferred(old: Shape, new: Shape) -> Iterator[Code]:
    """Sizes that stay in front are 0, one of the others is -1."""
    kept = _kept(old, new)
    yield from _with_one_inferred((0,) * kept, new[kept:], (), reverse=False)


def _from_the_right(old: Shape, new: Shape) -> Iterator[Code]:
    """Sizes that stay at the end are 0, one of the others is -1."""
    kept = _kept(old[::-1], new[::-1])
    yield from _with_one_inferred((), new[: len(new) - kept], (0,) * kept, reverse=True)


def _with_one_inferred(
    before: tuple[int, ...], sizes: Shape, after: tuple[int, ...], reverse: bool
) -> Iterator[Code]:
    for place in range(len(sizes)):
        rest = [INFER if i == place else s for i, s in enumerate(sizes)]
        middle = tuple(s for s in rest if isinstance(s, int))
        if len(middle) == len(rest):
            yield Code((*before, *middle, *after), reverse)


def _cut_and_joined(old: Shape, new: Shape) -> Iterator[Code]:
    """Each size is kept, cut in two or joined with the next."""
    groups = _groups(old, new)
    ways = [_ways(a, b) for a, b in groups]
    for chosen in itertools.product(*ways):
        yield Code(tuple(itertools.chain.from_iterable(chosen)))


def _ways(old: Shape, new: Shape) -> list[tuple[int, ...]]:
    if old == new:
        return [(0,) * len(new)]
    if len(old) == 2 and len(new) == 1:
        return [(JOIN,)]
    if len(old) != 1 or len(new) != 2:
        return []
    first, second = new
    halves = [(first, second), (INFER, second), (first, INFER)]
    return [(CUT, a, b) for a, b in halves if isinstance(a, int) and isinstance(b, int)]


def _groups(old: Shape, new: Shape) -> list[tuple[Shape, Shape]]:
    """The smallest stretches of both shapes that hold as many elements."""
    groups: list[tuple[Shape, Shape]] = []
    i = j = 0
    while i < len(old) and j < len(new):
        start, other = i, j
        i, j = i + 1, j + 1
        while (left := elements_in(old[start:i])) != (right := elements_in(new[other:j])):
            if left is None or right is None or max(i, j) > max(len(old), len(new)):
                return []
            if _at_two(left) < _at_two(right) and i < len(old):
                i += 1
            elif j < len(new):
                j += 1
            else:
                return []
        groups.append((old[start:i], new[other:j]))
    return groups if i == len(old) and j == len(new) else []


def _at_two(size: Size) -> float:
    return float(size.coef * 1009 + size.const) if isinstance(size, Dim) else size
