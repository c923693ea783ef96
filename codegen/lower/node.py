"""Lowering one node: its rule is called with its arguments, and what it gives is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from codegen.builder.builder import Builder
from codegen.builder.rule import RuleEntry
from codegen.builder.value import EMPTY, MX_DTYPES, Refused, Value, stored_dtype
from codegen.defects import Defect, demand
from codegen.draft import Unnamed
from codegen.ir import LEAVES, Dim, Node, Ref, Shape, SizeFollowsBatch, TensorType
from codegen.program import Out
from codegen.refusals import RANDOM, way_out

MAX_ELEMENTS = 2**31


def lower_node(b: Builder, node: Node, rules: Mapping[str, RuleEntry]) -> None:
    """Add a node's values to the builder. Raises Refused where MXNet cannot express it."""
    _check_sizes(node)
    b.node = node
    if node.op in LEAVES:
        b.values[node.name, 0] = _leaf(b, node)
        return
    entry = rules.get(node.op)
    if entry is None and node.op in RANDOM:
        way = "pass the random tensor in as an input of forward"
        raise Refused(f"{node.op}() draws random numbers in forward", way, "random")
    if entry is None:
        raise Refused(f"{node.op}() has no rule", way_out(node.op), "no-rule")
    if all(0 in kind.shape for kind in node.outputs):
        _give(b, [_empty(kind) for kind in node.outputs])
        return
    try:
        results = _called(b, node, entry)
    except SizeFollowsBatch as error:
        raise b.refuse_batch(f"{node.op}() computed with a number: {error}") from None
    demand(len(results) == len(node.outputs), f"the rule of {node.op} gives {len(results)} outputs")
    finished = [_finished(b, v, kind, entry) for v, kind in zip(results, node.outputs, strict=True)]
    _give(b, finished)
    for frame in node.source.frames:
        b.made_in.setdefault((frame.path, frame.call), []).append(node.name)


def poison(b: Builder, node: Node) -> None:
    """Stand-ins for the outputs of a refused node, so that later nodes can be looked at too."""
    for index, kind in enumerate(node.outputs):
        dtype = MX_DTYPES.get(kind.dtype, "float32")
        b.values[node.name, index] = Value(Unnamed(-1), kind.shape, dtype, kind.dtype == "bool")


def _check_sizes(node: Node) -> None:
    """The number of elements of one tensor.

    torch: tensors of any size.
    MXNet: the build on PyPI has fewer than 2^31 elements in a tensor.
    We write: nothing: an error, before work starts.
    Source: torch.Tensor.numel; mx.runtime.Features, INT64_TENSOR_SIZE.

    >>> mx.runtime.Features().is_enabled("INT64_TENSOR_SIZE")
    False
    """
    for kind in node.outputs:
        elements = int(np.prod([_of_one_sample(size) for size in kind.shape], dtype=object))
        if elements >= MAX_ELEMENTS:
            what = f"a tensor of {kind}: MXNet 1.9.1 from PyPI has fewer than 2^31 elements each"
            raise Refused(what, code="too-large")


def _of_one_sample(size: int | Dim) -> int:
    if not isinstance(size, Dim):
        return size
    return size.at(1) if size.coef.denominator == 1 else 1


def _give(b: Builder, values: Sequence[Value]) -> None:
    for index, value in enumerate(values):
        b.values[b.node.name, index] = value


def _leaf(b: Builder, node: Node) -> Value:
    """The value of an input, a parameter or a constant."""
    kind = node.outputs[0]
    if kind.dtype not in MX_DTYPES:
        raise Refused(f"a tensor of {kind.dtype}, which MXNet does not have")
    dtype, is_bool = stored_dtype(kind.dtype), kind.dtype == "bool"
    value = Value(None, kind.shape, dtype, is_bool, node=node.name)
    if 0 in kind.shape:
        value = replace(value, const=np.zeros(_without_batch(kind.shape), dtype))
    if node.op == "input":
        operand = b.leaves.input(node)
        return value if value.const is not None else replace(value, operand=operand)
    if node.op == "constant":
        if node.value is None:
            raise Defect(f"constant {node.name} has no value")
        array = node.value.astype(dtype) if str(node.value.dtype) != dtype and not is_bool else node.value
        return replace(value, const=array)
    return value


def _without_batch(shape: Shape) -> tuple[int, ...]:
    """A shape without elements as one of whole numbers."""
    return tuple(0 if isinstance(s, Dim) else s for s in shape)


def _empty(kind: TensorType) -> Value:
    """A result without elements, whatever made it: MXNet has none, and what reads it may not need it."""
    dtype = stored_dtype(kind.dtype) if kind.dtype in MX_DTYPES else "float32"
    return Value(None, kind.shape, dtype, const=np.zeros(_without_batch(kind.shape), dtype))


def _called(b: Builder, node: Node, entry: RuleEntry) -> list[Value]:
    """What the rule gives for the node's arguments."""
    arguments = {key: _argument(b, arg) for key, arg in node.args}
    if entry.takes_numbers:
        arguments = {key: _as_line(value) for key, value in arguments.items()}
    if not entry.takes_empty and any(0 in b.graph.type_of(r).shape for r in node.refs()):
        raise Refused(f"{node.op}() of {EMPTY}", "leave it out where it holds nothing", "empty")
    unread = entry.unread(arguments)
    if unread:
        shown = ", ".join(f"{key}={_shown(arguments[key])}" for key in unread)
        raise Refused(f"{node.op}() with {shown}", code="unsupported-argument")
    for key in entry.ignores:
        arguments.pop(key, None)
    arguments = {key: _as_numbers(node, entry, key, value) for key, value in arguments.items()}
    if _computes_in_floats(b, node):
        dtype = stored_dtype(node.outputs[0].dtype)
        arguments = {key: _as_floats(b, value, dtype) for key, value in arguments.items()}
    try:
        bound = entry.signature.bind(b, **arguments, **entry.constants)
    except TypeError as error:
        raise Refused(f"{node.op}() called in a form that no rule reads ({error})") from None
    result = entry.rule(*bound.args, **bound.kwargs)
    return [result] if isinstance(result, Value) else list(result)


def _as_numbers(node: Node, entry: RuleEntry, key: str, argument: Any) -> Any:
    """An argument that the rule takes as numbers: torch also takes tensors of one number."""
    if isinstance(argument, tuple):
        return tuple(_as_numbers(node, entry, key, a) for a in argument)
    if not isinstance(argument, Value) or key not in entry.numbers:
        return argument
    if argument.const is None or argument.const.size != 1:
        way = "give it as a number, or compute with the tensor"
        raise Refused(f"{node.op}() with {key} as a tensor, which is computed", way)
    return argument.const.item()


def _computes_in_floats(b: Builder, node: Node) -> bool:
    """Whether a float is computed of whole numbers or bools alone."""
    dtypes = [b.graph.type_of(ref).dtype for ref in node.refs()]
    return "float" in node.outputs[0].dtype and not any("float" in d or "complex" in d for d in dtypes)


def _as_floats(b: Builder, argument: Any, dtype: str) -> Any:
    """Functions of whole numbers.

    torch: a function such as the sigmoid casts whole numbers and bools to floats.
    MXNet: Activation, and others, refuse whole numbers, or compute in them.
    We write: a cast before the op.
    Source: torch.sigmoid; mx.sym.Activation, whose error says so.

    >>> converted(lambda x: torch.sigmoid(x), Ints((1, 4)))
    return mx.sym.Activation(
        mx.sym.cast(x, dtype="float32", name="sigmoid_cast"), act_type="sigmoid", name="sigmoid"
    )
    """
    if isinstance(argument, tuple):
        return tuple(_as_floats(b, a, dtype) for a in argument)
    if not isinstance(argument, Value) or argument.dtype.startswith("float"):
        return argument
    return b.cast(argument, dtype)


def _finished(b: Builder, value: Value, kind: TensorType, entry: RuleEntry) -> Value:
    """A rule's result with the node's shape, in its dtype."""
    if kind.dtype not in MX_DTYPES:
        raise Refused(f"{b.node.op}() gives {kind.dtype}, which MXNet does not have")
    dtype = MX_DTYPES[kind.dtype]
    lazy = entry.whole_as_floats and dtype.startswith("int")
    if dtype != "bool" and value.dtype != dtype and value.const is None and not lazy:
        value = b.op("cast", value, dtype=dtype, hint="cast", gives=kind.shape)
    made_by = b.node.name if isinstance(value.operand, Out) else value.node
    return replace(value, shape=kind.shape, is_bool=dtype == "bool", node=made_by)


def _argument(b: Builder, arg: Any) -> Any:
    if isinstance(arg, Ref):
        return b.values[arg.name, arg.index]
    if isinstance(arg, tuple):
        return tuple(_argument(b, a) for a in arg)
    if isinstance(arg, slice):
        return slice(*(_argument(b, a) for a in (arg.start, arg.stop, arg.step)))
    return arg


def _as_line(argument: Any) -> Any:
    """Tensors without axes.

    One becomes a tensor of one element along one axis.

    torch: has tensors without axes, and lets many ops act along axis 0 or -1 of them.
    MXNet: legacy symbols have none: shape () is "unknown", and what sums over everything gives shape (1,).
    We write: shape (1,) wherever torch has ().
    Source: torch.Tensor.item; mx.sym.sum, measured.

    >>> converted(lambda x: x.sum().sort().values, (2, 3))
    x = mx.sym.sum(x, axis=(0, 1), name="sum")
    return mx.sym.sort(x, axis=0, name="sort")
    """
    if not isinstance(argument, Value) or argument.shape != ():
        return argument
    const = argument.const
    return replace(argument, shape=(1,), const=None if const is None else const.reshape(1))


def _shown(value: Any) -> str:
    return "a tensor" if isinstance(value, Value) else repr(value)
