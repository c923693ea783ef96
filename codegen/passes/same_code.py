"""Whether two programs of one net, made at two sizes of its images, are the same code."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from codegen.program import Call, Leaf, Program, Variable


def differences(program: Program, other: Program) -> Iterator[Call]:
    """The calls of `program` that hold a size of the image: none where the code is the same.

    Calls are alike where their ops, attributes and inputs are, and the constants and parameters that they
    read; only what the inputs of the net measure may differ. Where one has more calls than the other, those
    after the first that differs need not be of the same ops.
    """
    ours, theirs = ({v.name: v for v in p.variables} for p in (program, other))
    for call, its in zip(program.calls, other.calls, strict=False):
        read = [ours[o.name] for o in call.operands() if isinstance(o, Leaf)]
        is_other = (call.op, call.inputs, call.attrs, call.name) != (its.op, its.inputs, its.attrs, its.name)
        if is_other or any(not _is_alike(v, theirs.get(v.name)) for v in read):
            yield call
    if len(program.calls) != len(other.calls):
        yield program.calls[-1]


def first_difference(program: Program, other: Program) -> Call | None:
    """The first call of `program` that holds a size of the image: None where the code is the same."""
    return next(differences(program, other), None)


def returns_the_same(program: Program, other: Program) -> bool:
    """Whether two programs of the same calls return the same of them, at the same batch sizes."""
    ours, theirs = ([output.operand for output in p.outputs] for p in (program, other))
    return ours == theirs and (program.free_batch, program.batch_doc) == (other.free_batch, other.batch_doc)


def _is_alike(variable: Variable, other: Variable | None) -> bool:
    if other is None or variable.kind == "input":
        return other is not None
    same = (variable.shape, variable.dtype, variable.keys, variable.fill) == (
        other.shape,
        other.dtype,
        other.keys,
        other.fill,
    )
    if variable.value is None or other.value is None:
        return same and variable.value is other.value
    return same and np.array_equal(variable.value, other.value, equal_nan=variable.value.dtype.kind == "f")
