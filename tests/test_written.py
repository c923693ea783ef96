"""The written file as data: its text, and what `check` says of a file that is broken on purpose."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace

import pytest

from codegen.turn import Turn
from codegen.write.legal import check
from codegen.write.literals import names_text
from codegen.written import (
    Append,
    Argument,
    Assign,
    Blank,
    Call,
    Comment,
    File,
    Function,
    Group,
    Guard,
    Input,
    ListOf,
    Loop,
    Name,
    Op,
    Operator,
    Read,
    Return,
    Statement,
    Value,
    Variable,
)


def conv(*reads: Read, name: str = "_conv", relative: bool = True) -> Op:
    filters = Value("num_filter", ("num_filter",)) if relative else Value("8")
    return Op("Convolution", reads, (), (("num_filter", filters),), Name((name,), relative=relative))


BLOCK = Function(
    name="block",
    inputs=(Input("features", is_list=True),),
    arguments=(Argument("num_filter", "int"), Argument("with_tail", "bool | None", "None")),
    takes_name=True,
    results=1,
    doc=("Block of model.py.",),
    body=(
        Assign(
            ("x",), Op("Concat", (Read("features", spread=True),), (), (), Name(("_cat",), relative=True))
        ),
        Assign(("x",), conv(Read("x"), Read("features", 0))),
        Guard(
            "with_tail",
            (
                Assign(("y",), Operator("*", Read("x"), Value("0.5"), Name(("_mul",), relative=True))),
                Assign(("x",), Op("tanh", (Read("y"),), (), (), Name(("_tanh",), relative=True))),
            ),
        ),
        Return((Read("x"),)),
    ),
)
NET = Function(
    name="Net",
    inputs=(),
    arguments=(),
    takes_name=False,
    results=1,
    doc=("Net of model.py.",),
    body=(
        Assign(("x",), Variable(Name(("x",)))),
        Blank(),
        Comment(("blocks: a list",)),
        Assign(("features",), ListOf((Read("x"),))),
        Loop(
            start=1,
            stop=Value("3"),
            targets=("n",),
            rows=(Value("4"), Value("8")),
            body=(
                Append(
                    "features",
                    Call(
                        "block",
                        (Read("features"),),
                        (("num_filter", Value("n", ("n",))),),
                        Name(("b", Turn("i"))),
                    ),
                ),
            ),
        ),
        Return((Group((Read("features", 1), Read("features", 2))),)),
    ),
)
FILE = File("Net", "model.py:Net", "python", (("x", (1, 3)),), True, (BLOCK, NET))


def test_text() -> None:
    assert FILE.text() == (
        "block(features, num_filter, with_tail, name) -> 1\n"
        "    x = Concat(*features) : {name}_cat\n"
        "    x = Convolution(x, features[0], num_filter=num_filter) : {name}_conv\n"
        "    if with_tail\n"
        "        y = x * 0.5 : {name}_mul\n"
        "        x = tanh(y) : {name}_tanh\n"
        "    return x\n"
        "Net() -> 1\n"
        "    x = variable() : x\n"
        "\n"
        "    # blocks: a list\n"
        "    features = [x]\n"
        "    for i from 1 to before 3, (n) of 4, 8\n"
        "        features << block(features, num_filter=n) : b{i}\n"
        "    return group(features[1], features[2])\n"
    )


def test_a_legal_file() -> None:
    assert check(FILE) is FILE


def net(change: Callable[[list[Statement]], None]) -> File:
    """The file with other statements in the net's own function."""
    body = list(NET.body)
    change(body)
    return replace(FILE, functions=(BLOCK, replace(NET, body=tuple(body))))


def block(change: Callable[[list[Statement]], None]) -> File:
    body = list(BLOCK.body)
    change(body)
    return replace(FILE, functions=(replace(BLOCK, body=tuple(body)), NET))


def put(place: int, *statements: Statement) -> Callable[[list[Statement]], None]:
    """Statements in the place of one."""

    def change(body: list[Statement]) -> None:
        body[place : place + 1] = statements

    return change


GUARD, LOOP = BLOCK.body[2], NET.body[4]
assert isinstance(GUARD, Guard)
assert isinstance(LOOP, Loop)
OWN = Name(("_y",), relative=True)

BROKEN = {
    "a variable that nothing assigns": (
        block(put(0)),
        "block reads x before it is assigned",
    ),
    "a number of the author's that is no argument": (
        block(put(1, Assign(("x",), Op("clip", (), (), (("a_min", Value("low", ("low",))),), OWN)))),
        "block reads low before it is assigned",
    ),
    "an operand by keyword": (
        block(put(1, Assign(("x",), Op("clip", (), (("data", Read("z")),), (), OWN)))),
        "block reads z before it is assigned",
    ),
    "what a part alone assigns, after it": (
        block(put(3, Return((Read("y"),)))),
        "block reads y before it is assigned",
    ),
    "a flag that is no argument": (
        block(put(2, Guard("with_head", GUARD.body))),
        "block reads with_head before it is assigned",
    ),
    "a part without statements": (
        block(put(2, Guard("with_tail", ()))),
        "block has an empty block",
    ),
    "a part with nothing but a comment": (
        block(put(2, Guard("with_tail", (Blank(), Comment(("nothing",)))))),
        "block has an empty block",
    ),
    "a part that returns": (
        block(put(2, Guard("with_tail", (Return((Read("x"),)),)))),
        "block returns before its end",
    ),
    "a part for one value that returns more than the function": (
        block(put(2, Guard("with_tail", (Return((Read("x"), Read("x"))),), Value("3")))),
        "block returns 2 values",
    ),
    "a function that returns nothing": (
        block(put(3)),
        "block returns nothing",
    ),
    "a function without statements": (
        replace(FILE, functions=(replace(BLOCK, body=()), NET)),
        "block returns nothing",
    ),
    "a function that returns more than it says": (
        block(put(3, Return((Read("x"), Read("x"))))),
        "block returns 2 values",
    ),
    "the loop's number after the loop": (
        net(put(5, Return((Op("tanh", (Read("x"),), (), (), Name(("t", Turn("i")))),)))),
        "Net reads i before it is assigned",
    ),
    "a name that the net's own function is not given": (
        net(put(0, Assign(("x",), Variable(Name((), relative=True))))),
        "Net reads name before it is assigned",
    ),
    "a loop that lacks a row": (
        net(put(4, replace(LOOP, stop=Value("4")))),
        "a loop of Net lacks rows",
    ),
    "a list that nothing makes": (
        net(put(3)),
        "Net reads features before it is assigned",
    ),
    "a function that is defined later": (
        replace(FILE, functions=(NET, BLOCK)),
        "Net calls block too early",
    ),
    "a function that is defined twice": (
        replace(FILE, functions=(BLOCK, BLOCK, NET)),
        "block is defined twice",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file(what: str) -> None:
    file, message = BROKEN[what]
    with pytest.raises(AssertionError) as raised:
        check(file)
    assert str(raised.value).splitlines()[0] == message


def test_a_part_for_one_value_may_return() -> None:
    """What it assigns is gone with it."""
    early = Guard("with_tail", (Assign(("y",), conv(Read("x"))), Return((Read("y"),))), Value('"relu"'))
    check(block(put(2, early)))

    def late(body: list[Statement]) -> None:
        body[2:] = [early, Return((Read("y"),))]

    with pytest.raises(AssertionError, match="reads y before"):
        check(block(late))


def test_two_parts() -> None:
    """What the first assigns is there in the second, and not in the first."""
    again = Guard("with_tail", (Assign(("x",), conv(Read("y"))),))
    check(block(put(2, GUARD, again)))
    with pytest.raises(AssertionError, match="reads y before"):
        check(block(put(2, again, GUARD)))


def test_a_list_of_names() -> None:
    """Words of one text where they are many, unless one of them does not fit a line."""
    many = [f"layer{i}_scale" for i in range(20)]
    assert names_text(["a", "b"]) == "['a', 'b']"
    assert ast.literal_eval(names_text(many).removesuffix(".split()")).split() == many
    long = [*many, "encoder_" * 12 + "places"]
    assert ast.literal_eval(names_text(long)) == long
