"""The dtypes in which MXNet's ops compute: facts of codegen.mxnet_ops, applied to the inputs of a call."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from codegen.builder.value import Refused, Value
from codegen.mxnet_ops import spec_of


def dtypes_for(op: str, values: Sequence[Value]) -> list[str]:
    """The dtypes in which an op is given its inputs.

    torch: computes products, pools and convolutions of whole numbers in whole numbers.
    MXNet: many ops refuse whole numbers, or cut their results off; most refuse inputs of different dtypes.
    We write: a cast to float64, which holds whole numbers up to 2^53, before such an op.
    Source: torch.mm; mx.sym.dot, whose error says so; tests/test_mxnet_dtypes.py has them all.

    >>> converted(lambda x: F.max_pool2d(x, 2), Ints((1, 2, 4, 4)))
    x = mx.sym.cast(x, dtype="float64", name="max_pool2d_cast")
    x = mx.sym.Pooling(x, kernel=(2, 2), pool_type="max", stride=(2, 2), name="max_pool2d")
    return mx.sym.cast(x, dtype="int64", name="max_pool2d_cast2")
    """
    spec = spec_of(op)
    own = [value.dtype for value in values]
    if spec.no_float64 and "float64" in own:
        raise Refused(f"{op} of float64, which MXNet has in float32 alone", "compute in float32")
    if not spec.alike and not spec.floats_only:
        return own
    # The condition of a choice is of any dtype, and so are statistics, and places.
    bound = [i for i in range(len(values)) if (i > 0 or op != "where") and (i == 0 or spec.alike)]
    together = _common([values[i] for i in bound], spec.floats_only)
    return [together if i in bound else dtype for i, dtype in enumerate(own)]


def _common(values: Sequence[Value], floats_only: bool) -> str:
    """The dtype that holds the values of all; constants follow the others where they can."""
    computed = [v.dtype for v in values if v.const is None] or [v.dtype for v in values]
    common = str(np.result_type(*computed)) if len(set(computed)) > 1 else computed[0]
    constants = {v.dtype for v in values if v.const is not None}
    if not common.startswith("float") and any(d.startswith("float") for d in constants):
        return "float64"
    return "float64" if floats_only and not common.startswith("float") else common


def holds(dtype: str, number: float) -> bool:
    """Whether a dtype has a number: whole ones have neither 0.5 nor what is beyond their ends."""
    if dtype.startswith("float"):
        return True
    ends = np.iinfo(dtype)
    return number % 1 == 0 and ends.min <= number <= ends.max
