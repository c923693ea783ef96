"""Which lines of code stand for others, and which blocks of the net are open at first and marked."""

from __future__ import annotations

import pytest

from tracer.review.model import Block
from tracer.review.outline import most_of, opened_blocks
from tracer.review.spans import spans

CODE = """\
def net(x):
    # x = self.conv(x)
    x = mx.conv(
        x,
        name="conv",
    )

    # twice
    for i in range(
        2
    ):
        x = mx.relu(x)
        x = mx.tanh(
            x)
    with scope() as own:
        y = 1
    # said of nothing
    y = 2
    if mx.any(x,
              y):
        return mx.sum(x)
    return y
"""


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(CODE.split("\n"), start=1) if text in line)


@pytest.mark.parametrize("quotes", [True, False])
def test_the_rest_of_a_statement_a_loop_and_a_comment(quotes: bool) -> None:
    conv, loop, relu, tanh = map(line_of, ("mx.conv(", "for i", "mx.relu", "mx.tanh"))
    check = line_of("mx.any(")
    mapped = {conv, relu, tanh, check, line_of("mx.sum")}
    found = {line: (first, last) for line, first, last in spans(CODE, mapped, quotes)}
    statement, body = (conv, conv + 3), (loop, tanh + 1)
    expected = {conv + 1: statement, conv + 2: statement, conv + 3: statement}
    expected |= {
        loop: body,
        loop + 1: body,
        loop + 2: body,
        tanh + 1: (tanh, tanh + 1),
        check + 1: (check, check + 1),
    }
    if quotes:
        expected |= {conv - 1: (conv, conv), loop - 1: body}
    assert found == expected


def test_what_is_no_python_stands_for_nothing() -> None:
    assert spans("def (\n", {1}) == ()


def block(path: str, parameters: int, flops: int, *children: int) -> Block:
    return Block(path, "", parameters, flops, "", -1, children, None)


def test_what_is_open_at_first_and_marked() -> None:
    stages = [block("f.a", 10, 70), block("f.b", 80, 20)]
    net = [block("", 100, 100, 1, 4), block("f", 90, 90, 2, 3), *stages, block("g", 10, 10)]
    assert opened_blocks(net) == {0, 1}
    assert most_of(net, opened_blocks(net)) == {3: "most parameters", 2: "most FLOPs"}
    halves = [block("", 100, 2, 1, 2), block("a", 50, 2, 3), block("b", 50, 0), block("a.c", 50, 2)]
    assert opened_blocks(halves) == {0}
    assert most_of(halves, {0}) == {1: "most parameters and FLOPs"}
    # A list that is all of a block opens with it; what is in the list does not.
    lists = [block("", 9, 9, 1), block("a", 9, 9, 2), block("a.b", 9, 9, 3, 4), block("a.b.0", 8, 8, 5)]
    lists += [block("a.b.1", 1, 0), block("a.b.0.c", 8, 8)]
    assert opened_blocks(lists) == {0, 1, 2}


def test_where_nothing_is_counted_nothing_is_marked() -> None:
    assert most_of([block("", 0, 0, 1, 2), block("a", 0, 0), block("b", 0, 0)], {0}) == {}
