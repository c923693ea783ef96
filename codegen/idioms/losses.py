"""The steps that losses share."""

from __future__ import annotations

from codegen.builder.builder import Builder
from codegen.builder.value import Value
from codegen.idioms.elementwise import binary
from codegen.idioms.reductions import reduction as reduced

LEGACY = ("size_average", "reduce")


def finished(b: Builder, loss: Value, how: str, hint_weight: Value | None = None) -> Value:
    """The loss of each place, or their sum or mean."""
    if how == "none":
        return loss
    if hint_weight is None:
        return reduced(b, "mean" if how == "mean" else "sum", loss, None, False)
    total = reduced(b, "sum", loss, None, False, hint="" if how == "sum" else "total")
    if how == "sum":
        return total
    return binary(b, "div", total, reduced(b, "sum", hint_weight, None, False, hint="weight"))


def as_float(b: Builder, op: str, left: Value | float, right: Value | float, hint: str) -> Value:
    dtypes = {v.dtype for v in (left, right) if isinstance(v, Value)}
    return binary(b, op, left, right, hint=hint, dtype="float64" if "float64" in dtypes else "float32")


def unary_of(b: Builder, op: str, x: Value, hint: str) -> Value:
    return b.op(op, x, hint=hint)


def relu_of(b: Builder, x: Value, hint: str) -> Value:
    return b.op("Activation", x, act_type="relu", hint=hint)
