"""The codes of Reshape: MXNet makes of each what we say that it does."""

from __future__ import annotations

import itertools
from fractions import Fraction

import mxnet as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegen.ir import Dim, Shape, shape_at
from codegen.reshape_codes import Code, Pair, alike, codes, gives, shared, simple

N = Dim(Fraction(1))


def _mxnet(code: Code, shape: tuple[int, ...]) -> tuple[int, ...]:
    symbol = mx.sym.Reshape(mx.sym.Variable("x"), shape=code.shape, reverse=code.reverse)
    return symbol.infer_shape(x=shape)[1][0]


@st.composite
def _reshapes(draw: st.DrawFn) -> tuple[Shape, Shape]:
    """Two shapes of as many elements: sizes of one list, joined in two ways; the first follows the batch."""
    sizes = draw(st.lists(st.sampled_from([2, 3, 4, 7]), min_size=1, max_size=5))
    return _joined(draw, sizes), _joined(draw, sizes)


def _joined(draw: st.DrawFn, sizes: list[int]) -> Shape:
    cuts = [draw(st.booleans()) for _ in sizes[1:]]
    shape, batch = [1], draw(st.booleans())
    for size, cut in zip(sizes, [batch, *cuts], strict=True):
        shape = [*shape, size] if cut else [*shape[:-1], shape[-1] * size]
    return (Dim(Fraction(shape[0])), *shape[1:])


@settings(deadline=None, max_examples=150)
@given(_reshapes())
def test_mxnet_agrees_with_every_code(pair: tuple[Shape, Shape]):
    old, new = pair
    found = list(itertools.islice(codes(old, new), 40))
    assert found, "a reshape that keeps the batch in front always has a code"
    assert found[0] == simple(old, new)
    for code, batch in itertools.product(found, (2, 5)):
        assert _mxnet(code, shape_at(old, batch)) == shape_at(new, batch)


SHARED = [
    # Equal uses read as they are.
    ([((N, 49, 96), (N, 49, 3, 32))], Code((0, 0, 3, 32))),
    # Heads that differ between stages drop out.
    ([((N, 49, 96), (N, 49, 3, 32)), ((N, 49, 192), (N, 49, 6, 32))], Code((0, 0, -1, 32))),
    ([((N, 49, 96), (N, 49, 3, 32)), ((N, 49, 192), (N, 49, 3, 64))], Code((0, 0, 3, -1))),
    # Windows of 7 x 7.
    (
        [((N, 56, 56, 96), (N, 8, 7, 8, 7, 96)), ((N, 14, 14, 384), (N, 2, 7, 2, 7, 384))],
        Code((0, -4, -1, 7, -4, -1, 7, 0)),
    ),
    ([((N, 56, 56, 96), (N, 3136, 96)), ((N, 28, 28, 192), (N, 784, 192))], Code((0, -3, 0))),
    # Groups of channels.
    (
        [((N, 58, 28, 28), (N, 2, 29, 28, 28)), ((N, 116, 14, 14), (N, 2, 58, 14, 14))],
        Code((0, -4, 2, -1, 0, 0)),
    ),
    ([((N, 4, 7), (Dim(Fraction(4)), 7)), ((N, 5, 9), (Dim(Fraction(5)), 9))], Code((-1, 0), reverse=True)),
    # No code does for both.
    ([((N, 6, 4), (N, 2, 12)), ((N, 6, 4), (N, 3, 8))], None),
]


ALIKE = [
    # Windows of different widths: a number in each, at the same place.
    ([[((N, 7, 7, 96), (N, 49, 96))], [((N, 7, 7, 192), (N, 49, 192))]], Code((0, -1, 96))),
    # Two pairs of axes are joined: both are told.
    ([[((N, 8, 7, 8, 7, 96), (N, 56, 56, 96))]], Code((0, 56, 56, 96))),
    # Groups of channels, at two sizes of the image.
    (
        [
            [((N, 58, 28, 28), (N, 2, 29, 28, 28)), ((N, 58, 30, 30), (N, 2, 29, 30, 30))],
            [((N, 116, 14, 14), (N, 2, 58, 14, 14)), ((N, 116, 15, 15), (N, 2, 58, 15, 15))],
        ],
        Code((-1, 2, 29, 0, 0), reverse=True),
    ),
    # The other use has no code of that form.
    ([[((N, 4, 7), (Dim(Fraction(4)), 7))], [((N, 6, 4), (N, 2, 3, 4))]], None),
    # The size of the image is no number, and two sizes follow it.
    ([[((N, 6, 6, 4), (N, 3, 2, 3, 2, 4)), ((N, 8, 8, 4), (N, 4, 2, 4, 2, 4))]], None),
]


@pytest.mark.parametrize(("uses", "code"), ALIKE)
def test_a_code_of_numbers_for_each_use(uses: list[list[Pair]], code: Code | None):
    assert alike(uses) == code
    if code is not None:
        assert all(gives(code, old) == new for old, new in uses[0])


@pytest.mark.parametrize(("pairs", "code"), SHARED)
def test_one_code_for_a_line(pairs: list[tuple[Shape, Shape]], code: Code | None):
    assert shared(pairs) == code
    if code is not None:
        assert all(gives(code, old) == new for old, new in pairs)
