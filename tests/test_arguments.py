"""What differs between the uses of a function becomes as few arguments as will do."""

from __future__ import annotations

from codegen.fold.arguments import Arguments
from codegen.fold.rows import Literal
from codegen.folded import MISSING, Argument


def test_sizes_of_a_shape_follow_a_parameter() -> None:
    table = Arguments([])
    width = table.place("num_filter", (16, 32), "conv")
    nested = table.place("weight_shape", ((16,), (32,)), "norm")
    other = table.place("stride", ((16,), (32,)), "conv")
    chosen, arguments = table.settled()
    assert chosen[width] == Argument("num_filter")
    assert chosen[nested] == (Argument("num_filter"),)
    assert chosen[other] == Argument("stride"), "a stride is not made of widths"
    assert arguments == [("num_filter", (16, 32)), ("stride", ((16,), (32,)))]


def test_a_part_takes_the_functions_argument_of_its_slot() -> None:
    table = Arguments([("with_downsample", (True, False))])
    table.place("stride", ((2, 2), (1, 1)), "conv1")
    branch = table.place("stride", ((2, 2), MISSING), "downsample")
    kernel = table.place("kernel", ((1, 1), MISSING), "downsample")
    chosen, _ = table.settled()
    assert chosen[branch] == Argument("stride")
    assert chosen[kernel] == (1, 1)


def test_what_all_uses_share_is_written_out() -> None:
    assert Arguments([]).place("eps", (1e-5, 1e-5), "bn") == Literal(1e-5)


def test_a_multiple_is_written_as_one() -> None:
    table = Arguments([])
    wide = table.place("num_hidden", (72, 144), "qkv")
    narrow = table.place("num_hidden", (24, 48), "proj")
    chosen, arguments = table.settled()
    assert chosen[wide] == Argument("num_hidden", 3)
    assert chosen[narrow] == Argument("num_hidden")
    assert arguments == [("num_hidden", (24, 48))]
