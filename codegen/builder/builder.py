"""Builder: what a rule writes its ops with."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy.typing as npt

from codegen.builder.dtypes import dtypes_for, holds
from codegen.builder.leaves import Leaves
from codegen.builder.neighbours import Neighbours, neighbours_of
from codegen.builder.told import told_by
from codegen.builder.value import FREE_BATCH, Refused, Value
from codegen.draft import DraftCall, DraftOperand, OfAll, OfRule
from codegen.ir import Dim, Graph, Node, Note, Ref, Shape, TensorType
from codegen.kinds.note import note
from codegen.kinds.table import named
from codegen.mxnet_ops import OPS, spec_of, written_attrs
from codegen.op_spec import REQUIRED
from codegen.program import Initializer, Out


class Builder:
    """What a rule writes its ops with. One for the whole graph; `node` is the node being lowered.

    `trainable` asks for forms that train as torch does where the usual ones do not.
    """

    def __init__(self, graph: Graph, trainable: bool = False) -> None:
        self.graph, self.trainable = graph, trainable
        self.node: Node = graph.nodes[0]
        self.neighbours: Neighbours = neighbours_of(graph)
        self.calls: list[DraftCall] = []
        self.leaves = Leaves(graph)
        self.notes: dict[Note, None] = {}
        # What computes each IR tensor so far.
        self.values: dict[tuple[str, int], Value] = {}
        # The nodes lowered so far, by the call of a module that they stand in.
        self.made_in: dict[tuple[str, int], list[str]] = {}
        # Slices at each place of an axis: one op, however often a net asks.
        self.slices: dict[tuple[DraftOperand, int], list[Value]] = {}
        # Equal parts of an axis, by what is parted and how, and the calls that it stands in.
        self.parts: dict[tuple[Any, ...], list[Value]] = {}
        self._shared: dict[tuple[str, tuple[int, ...], bytes], Value] = {}

    @property
    def out(self) -> TensorType:
        """The type of the node's first output."""
        return self.node.outputs[0]

    def elsewhere(self, ref: Ref | None = None) -> Shape | None:
        """The shape of a tensor, or of the node's result, at another image size; None where none is known."""
        name, index = (self.node.name, 0) if ref is None else (ref.name, ref.index)
        node = self.graph.elsewhere.get(name)
        return None if node is None else node.outputs[index].shape

    def follows_image(self, argument: str) -> bool:
        """Whether an argument of the node is another number at another image size."""
        there = self.graph.elsewhere.get(self.node.name)
        return there is not None and there.kwargs.get(argument) != self.node.kwargs.get(argument)

    def op(
        self,
        op: str,
        *inputs: Value | Sequence[Value],
        hint: str = "",
        gives: Shape | None = None,
        comment: str = "",
        **attrs: Any,
    ) -> Value:
        """One MXNet call with one output.

        Values among `attrs` are inputs by keyword; None is left out, and so is MXNet's default unless the
        op's table entry says that it is always written. `hint` says what a step on the way to the node's
        result is, and ends its name. `gives` is the shape of the result where the op's table entry cannot
        tell it.
        """
        return self._call(op, inputs, hint, (gives,), attrs, comment)[0]

    def ops(
        self,
        op: str,
        *inputs: Value | Sequence[Value],
        gives: Sequence[Shape | None],
        hint: str = "",
        **attrs: Any,
    ) -> list[Value]:
        """One MXNet call with as many outputs as `gives`."""
        return self._call(op, inputs, hint, tuple(gives), attrs, "")

    def with_number(
        self, expression: str, value: Value, number: float, hint: str = "", gives: Shape | None = None
    ) -> Value:
        """Operators between a symbol and a number.

        `x * c`, `c - x` and the like, for a symbol x and a number c.

        torch: operators on tensors have no names.
        MXNet: `x * 0.5` is named _mulscalar0, by a counter of the whole process. The ONNX exporter tells
            1 - x from x - 1, and 1 / x from x / 1, by such a name alone.
        We write: named(...), a function of the generated file, which gives it the name of its place. Where
            the number comes first the name ends as MXNet's own.
        Source: mx.sym.Symbol, measured; mxnet/onnx/mx2onnx, scalar_op_helper.

        >>> converted(lambda x: x * 0.5, (2, 3))
        return named(x * 0.5, name="mul")
        >>> converted(lambda x: 1 - x, (2, 3))
        return named(1 - x, name="sub_rminusscalar")
        """
        number = int(number) if isinstance(number, bool) else number
        if not holds(value.dtype, number):
            value = self.cast(value, "float64")  # MXNet would cut the number off
        return self._call(expression, (value,), hint, (gives or value.shape,), {"c": number}, "")[0]

    def cast(self, value: Value, dtype: str, hint: str = "cast") -> Value:
        """`value` in MXNet dtype `dtype`; itself where it already is."""
        if value.const is not None:
            return replace(value, const=value.const.astype(dtype), dtype=dtype, operand=None)
        whole = self.leaves.whole(value) if dtype.startswith("float") else None
        value = value if whole is None else self._made(whole)
        if value.dtype == dtype:
            return value
        return self.op("cast", value, dtype=dtype, hint=hint, gives=value.shape)

    def refuse(self, what: str, hint: str = "") -> Refused:
        """An exception that says what MXNet cannot express here: `raise b.refuse(...)`."""
        return Refused(what, hint)

    def refuse_batch(self, what: str) -> Refused:
        """An exception that says what no symbol does at every batch size, but at a fixed one: `raise ...`."""
        return Refused(what, "convert it at one batch size: --batch frozen", FREE_BATCH)

    def note(self, word: str, **parts: object) -> None:
        """Something that the user should know: its kind, or a sentence of a user's own rule; said once."""
        if named(word) is None:
            word, parts = "from-a-rule", {"text": word}
        self.notes.setdefault(note(word, self.node.source, **parts))

    def constant(self, array: npt.NDArray[Any], hint: str, shared: bool = False) -> Value:
        """A constant tensor that becomes a parameter of the checkpoint.

        A `shared` one is the same Variable, called `hint`, wherever the net makes it again.
        """
        if shared:
            key = (hint, array.shape, array.tobytes())
            made = Value(None, array.shape, str(array.dtype), const=array, wish=OfAll(hint))
            return self._shared.setdefault(key, made)
        wish = OfRule(self.node.name, hint)
        return Value(None, array.shape, str(array.dtype), const=array, wish=wish)

    def parameter(self, suffix: str, shape: Shape, fill: float, dtype: str = "float32") -> Value:
        """A parameter that torch does not have, of one value: BatchNorm's gamma without affine."""
        if _holds_dim(shape):
            raise self.refuse_batch(f"{self.node.op}() over as many channels as the batch has")
        return Value(self.leaves.filled(self.node.source.path, suffix, shape, fill, dtype), shape, dtype)

    def packed(self, values: Sequence[Value], suffix: str, size: int, init: Initializer) -> Value:
        """Several parameters flattened and joined into one, as MXNet's RNN wants them.

        `init` is what it begins with in training from scratch.
        """
        operand = self.leaves.packed(self.node.source.path, suffix, values, size, init)
        return Value(operand, (size,), values[0].dtype)

    def input(self, name: str) -> Value:
        """An input of the net."""
        return self.values[name, 0]

    def is_parameter(self, value: Value | None) -> bool:
        """Whether the value is a parameter or buffer of the net, as it stands in the state dict."""
        node = None if value is None else self.graph.by_name.get(value.node)
        return node is not None and node.op == "param"

    def is_read(self, index: int) -> bool:
        """Whether anything reads output `index` of the node."""
        return (self.node.name, index) in self.neighbours.read

    def _call(
        self,
        op: str,
        inputs: Sequence[Value | Sequence[Value]],
        hint: str,
        shapes: tuple[Shape | None, ...],
        attrs: Mapping[str, Any],
        comment: str,
    ) -> list[Value]:
        given: list[tuple[str | None, Value]] = []
        for value in inputs:
            given += [(None, value)] if isinstance(value, Value) else [(None, v) for v in value]
        given += [(k, v) for k, v in attrs.items() if isinstance(v, Value)]
        dtypes = dtypes_for(op, [value for _, value in given])
        given = [(slot, self.cast(v, d)) for (slot, v), d in zip(given, dtypes, strict=True)]
        defaults = OPS[op].attrs if op in OPS else {}
        plain = {
            k: _plain(v, defaults.get(k))
            for k, v in attrs.items()
            if not isinstance(v, Value) and (v is not None or defaults.get(k) is REQUIRED)
        }
        if any(_holds_dim(v) for v in plain.values()):
            raise self.refuse_batch(f"{self.node.op}() with a number that follows the batch")
        given = [(slot, self._trainable(op, i, value)) for i, (slot, value) in enumerate(given)]
        operands = tuple((slot, self._operand(op, value, slot)) for slot, value in given)
        if shapes == (None,):
            shapes = (_result_shape(op, plain, [value.shape for _, value in given]),)
        index = len(self.calls)
        of = (len(shapes), self.node.name, hint, shapes, comment, told_by(sys._getframe(1)) if hint else "")
        self.calls.append(DraftCall(op, operands, written_attrs(op, plain), *of))
        first = given[0][1].dtype if given else "float32"
        dtypes = _result_dtypes(op, plain, first, len(shapes))
        outputs = zip(shapes, dtypes, strict=True)
        return [Value(Out(index, i), shape, dtype) for i, (shape, dtype) in enumerate(outputs)]

    def _trainable(self, op: str, place: int, value: Value) -> Value:
        """A table of whole numbers as float32, which holds them up to 2^24.

        torch: buffers and constants of whole numbers have no gradient, and no optimizer sees them.
        MXNet: Module.update() raises on arguments of whole numbers, though their lr_mult is 0.
        We write: a Variable of float32, and a cast before ops that compute with its values; the ops that take
            places along an axis take them in any dtype.
        Source: mx.mod.Module, measured.

        >>> converted(lambda x: x[:, torch.tensor([2, 0])], (2, 3))
        return mx.sym.take(x, tensor, axis=1, name="getitem")
        """
        whole = self.leaves.whole(value)
        if whole is None or place in spec_of(op).places:
            return whole or value
        return self.cast(self._made(whole), value.dtype, hint="whole")

    def _made(self, value: Value) -> Value:
        """A parameter or constant as its Variable."""
        return replace(value, const=None, operand=self.leaves.of(value, None, "arg"))

    def _operand(self, op: str, value: Value, slot: str | None) -> DraftOperand:
        if value.operand is not None:
            return value.operand
        is_auxiliary = op in OPS and slot in OPS[op].auxiliary
        return self.leaves.of(value, slot, "aux" if is_auxiliary else "arg")


def _holds_dim(value: Any) -> bool:
    """Whether an attribute is, or holds, a size that follows the batch: MXNet's take numbers."""
    return isinstance(value, Dim) or (isinstance(value, tuple) and any(isinstance(v, Dim) for v in value))


def _plain(attr: Any, default: Any) -> Any:
    """An attribute as MXNet reads it: a number, where torch also takes True and False."""
    if isinstance(attr, tuple):
        return tuple(_plain(a, default) for a in attr)
    is_number = default is REQUIRED or (isinstance(default, int | float) and not isinstance(default, bool))
    return int(attr) if isinstance(attr, bool) and is_number else attr


def _result_shape(op: str, attrs: Mapping[str, Any], inputs: Sequence[Shape | None]) -> Shape | None:
    """The shape that an op gives, as far as its table entry tells it."""
    known = [shape for shape in inputs if shape is not None]
    if op not in OPS or len(known) < len(inputs):
        return None
    return OPS[op].shape(known, {**OPS[op].attrs, **attrs})


def _result_dtypes(op: str, attrs: Mapping[str, Any], first: str, count: int) -> list[str]:
    """The dtype of each output: the op's own, what its `dtype` asks for, or its first input's.

    topk gives values of its input's dtype, and places of the one that is asked for.
    """
    spec = spec_of(op)
    asked = str(attrs.get("dtype") or spec.attrs.get("dtype") or "")
    if op == "topk" and attrs.get("ret_typ") in {"value", "both"}:
        return [first, asked][:count]
    return [spec.result_dtype or asked or first] * count
