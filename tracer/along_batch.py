"""The sizes of a net at another size of its images follow the batch where they do at its own.

A net is recorded there at one batch size alone, of many samples. What it asks of the batch was noted at its
own images; where it runs the same ops, a size that is a multiple of the batch at its own is one at these.
What follows the batch at these alone is another number than at its own, and so other code.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from codegen.ir import Dim, Graph, Node, TensorType
from tracer.batch_sizes import Mismatch


def following(alone: Graph, like: Graph) -> Graph:
    """The graph of one capture, of many samples, in which sizes become `Dim`s as they are in `like`.

    Mismatch where that does not tell what they are at other batch sizes: other ops, sizes with an offset.
    """
    if like.sampled or len(alone.nodes) != len(like.nodes):
        raise Mismatch("it is another net there")
    pairs = zip(alone.nodes, like.nodes, strict=True)
    nodes = tuple(_node(own, its, alone.batch) for own, its in pairs)
    return replace(like, nodes=nodes, inputs=alone.inputs, outputs=alone.outputs)


def _node(own: Node, like: Node, batch: int) -> Node:
    if (own.op, len(own.outputs), [k for k, _ in own.args]) != (
        like.op,
        len(like.outputs),
        [k for k, _ in like.args],
    ):
        raise Mismatch("it runs other ops there", own.source)
    args = zip(own.args, like.args, strict=True)
    types = zip(own.outputs, like.outputs, strict=True)
    return replace(
        own,
        args=tuple((key, _value(value, its, batch)) for (key, value), (_, its) in args),
        outputs=tuple(TensorType(_value(t.shape, its.shape, batch), t.dtype) for t, its in types),
    )


def _value(own: Any, like: Any, batch: int) -> Any:
    """An argument, or sizes, in which what follows the batch in `like` does."""
    if isinstance(like, Dim):
        return _dim(own, like, batch)
    if isinstance(like, tuple) and isinstance(own, tuple) and len(own) == len(like):
        return tuple(_value(a, b, batch) for a, b in zip(own, like, strict=True))
    if isinstance(like, slice) and isinstance(own, slice):
        ends = ((own.start, like.start), (own.stop, like.stop), (own.step, like.step))
        return slice(*(_value(a, b, batch) for a, b in ends))
    if type(own) is not type(like):
        raise Mismatch("an argument is of another kind there")
    return own


def _dim(own: Any, like: Dim, batch: int) -> Dim:
    if type(own) is not int or like.const or own == 0:
        raise Mismatch("a size follows the batch in another way there")
    coef = Fraction(own, batch)
    if like.coef.denominator % coef.denominator or (coef < 0) != (like.coef < 0):
        raise Mismatch("a size follows the batch in another way there")
    return Dim(coef)
