"""Builder: what a rule writes its ops with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from codegen.builder.leaves import PARAMETER_SLOTS
from codegen.builder.naming import Namer, repeated_ops, siblings_of_lines
from codegen.builder.rule import TAKES_EMPTY, TAKES_LINES, WHOLE_FLOATS, RuleEntry
from codegen.builder.value import EMPTY, MX_DTYPES, Refused, Value
from codegen.ir import SAYS_NOTHING, Dim, Frame, Graph, Node, Ref, Shape, Size, TensorType, product
from codegen.lower_node import as_line, shown_value
from codegen.mxnet_ops import OPS, REQUIRED
from codegen.program import Call, Leaf, Operand, Out, Output, Program, Variable, compacted, live_calls


class Builder:
    """What a rule writes its ops to. One for the whole graph; `node` is the node being lowered."""

    def __init__(self, graph: Graph, unused: Sequence[str]) -> None:
        self.graph = graph
        self.node: Node = graph.nodes[0]
        self.notes: dict[str, None] = {}
        self._unused = unused
        self._siblings = siblings_of_lines(graph)
        self._read = {(r.name, r.index) for n in graph.nodes for r in n.refs()}
        self._read |= {(r.name, r.index) for r in graph.outputs}
        self._readers: dict[tuple[str, int], list[Node]] = {}
        for node in graph.nodes:
            for ref in node.refs():
                self._readers.setdefault((ref.name, ref.index), []).append(node)
        self._split: dict[tuple[Operand, int], list[Value]] = {}
        self._made_in: dict[tuple[str, int], list[str]] = {}
        self._namer = Namer(repeated_ops(graph))
        self._calls: list[Call] = []
        self._hints: list[str | None] = []
        self._constants: dict[tuple[Any, ...], str] = {}
        self._variables: dict[str, Variable] = {}
        self._params: dict[str, str] = {}
        self._values: dict[tuple[str, int], Value] = {}
        self._shared: dict[tuple[str, tuple[int, ...], bytes], Value] = {}

    # What rules use ----------------------------------------------------------------------------

    @property
    def out(self) -> TensorType:
        """The type of the node's first output."""
        return self.node.outputs[0]

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

        Values among `attrs` are inputs by keyword; None is left out, and so is MXNet's default unless
        the op's table entry says that it is always written. `hint` ends the name of a helper op,
        `gives` is the shape of its result where a later op asks for it.
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
        """`x * c`, `c - x` and the like, for a symbol x and a number c."""
        return self._call(expression, (value,), hint, (gives or value.shape,), {"c": number}, "")[0]

    def cast(self, value: Value, dtype: str, hint: str = "cast") -> Value:
        """`value` in MXNet dtype `dtype`; itself where it already is."""
        if value.const is not None:
            return replace(value, const=value.const.astype(dtype), dtype=dtype, operand=None)
        if value.dtype == dtype:
            return value
        return self.op("cast", value, dtype=dtype, hint=hint, gives=value.shape)

    def refuse(self, what: str, hint: str = "") -> Refused:
        """An exception that says what MXNet cannot express here: `raise b.refuse(...)`."""
        return Refused(what, hint)

    def note(self, text: str) -> None:
        """Something that the user should know; said once in the run."""
        self.notes.setdefault(text)

    def constant(self, array: npt.NDArray[Any], hint: str, shared: bool = False) -> Value:
        """A constant tensor that becomes a parameter of the checkpoint.

        A `shared` one is the same Variable, called `hint`, wherever the net makes it again.
        """
        if shared:
            key = (hint, array.shape, array.tobytes())
            return self._shared.setdefault(
                key, Value(None, array.shape, str(array.dtype), const=array, node=hint)
            )
        name = self._namer.part(self.node.source, self.node.op, hint, self._feeder(self.node))
        return Value(None, array.shape, str(array.dtype), const=array, node=name)

    def parameter(self, owner_hint: str, kind: str, shape: Shape, fill: float) -> Value:
        """A parameter that torch does not have, of one value: BatchNorm's gamma without affine."""
        name = self._namer.parameter_of(self._base_path(), owner_hint)
        self._variables[name] = Variable(name, kind, shape, fill=fill)  # type: ignore[arg-type]
        return Value(Leaf(name), shape, "float32")

    def packed(self, values: Sequence[Value], suffix: str, size: int) -> Value:
        """Several parameters flattened and joined into one, as MXNet's RNN wants them."""
        keys = tuple(self._key_of(v) for v in values)
        name = self._namer.parameter_of(self._base_path(), suffix)
        self._variables[name] = Variable(name, "arg", (size,), keys=keys)
        return Value(Leaf(name), (size,), "float32")

    def like_batch(self, size: Size, dtype: str = "") -> tuple[Value, int] | None:
        """An earlier value that has `size` along some axis, and the axis: for *_like ops.

        The nearest: one that the node reads, or that the same module made, or the one around it; an input of the
        net; the latest. A module that
        reads no more than its own inputs reads better as a function. Values of `dtype` come first.
        """
        own = [ref.name for ref in self.node.refs() if ref.index == 0]
        near = [self._made_in.get((f.path, f.call), []) for f in reversed(self.node.source.frames[1:])]
        for names in (own, *near, self.graph.inputs, [name for name, _ in reversed(self._values)]):
            found = self._along(size, names, dtype)
            if found is not None:
                return found
        return self.like_batch(size) if dtype else None

    def _along(self, size: Size, names: Sequence[str], dtype: str) -> tuple[Value, int] | None:
        for name in names:
            value = self._values[(name, 0)]
            if value.const is None and value.dtype == (dtype or value.dtype) and size in (value.shape or ()):
                return value, (value.shape or ()).index(size)
        return None

    def siblings(self) -> list[Node]:
        """The nodes that the author's line makes in each of its uses, this one among them."""
        return self._siblings.get(self.node.name, [self.node])

    def readers(self, key: str) -> list[Node]:
        """The nodes that read the tensor that this one has as argument `key`, this one among them."""
        ref = dict(self.node.args)[key]
        return self._readers[ref.name, ref.index]

    def all_along(self, value: Value, axis: int, gives: Shape) -> list[Value]:
        """The slices at each place of an axis, each of shape `gives`; one op, however often a net asks."""
        operand, size = value.operand, value.sizes[axis]
        assert operand is not None
        assert isinstance(size, int)
        if (operand, axis) not in self._split:
            self._split[operand, axis] = self.ops(
                "split",
                value,
                num_outputs=size,
                axis=axis,
                squeeze_axis=True,
                hint="split",
                gives=(gives,) * size,
            )
        return self._split[operand, axis]

    def before_transpose(self, value: Value) -> Value | None:
        """What `value` is the transpose of, in its last two axes: MXNet's products transpose by themselves."""
        if not isinstance(value.operand, Out) or value.rank < 2:
            return None
        call = self._calls[value.operand.call]
        attrs, last = dict(call.attrs), {value.rank - 2, value.rank - 1}
        if call.op != "SwapAxis" or {attrs.get("dim1", 0), attrs.get("dim2", 0)} != last:
            return None
        shape = (*value.sizes[:-2], value.sizes[-1], value.sizes[-2])
        return Value(call.inputs[0][1], shape, value.dtype)

    def is_parameter(self, value: Value | None) -> bool:
        """Whether the value is a parameter or buffer of the net, as it stands in the state dict."""
        return value is not None and value.node in self._params_by_node()

    def input(self, name: str) -> Value:
        """An input of the net."""
        return self._values[(name, 0)]

    def is_read(self, index: int) -> bool:
        """Whether anything reads output `index` of the node."""
        return (self.node.name, index) in self._read

    def is_zeros(self, value: Value) -> bool:
        """Whether the value was made in forward as zeros for each sample."""
        node = self.graph.by_name.get(value.node)
        return node is not None and node.op == "full" and node.kwargs.get("fill_value") == 0

    def is_own(self, value: Value) -> bool:
        """Whether the module that the node stands in made the value."""
        node = self.graph.by_name.get(value.node)
        return node is not None and node.source.frames == self.node.source.frames

    def counts_up(self, value: Value) -> bool:
        """Whether the elements are 0, 1, 2, ... to the last: an arange from 0, with axes of 1 about it."""
        node = self.graph.by_name.get(value.node)
        while node is not None and node.op in {"getitem", "view", "reshape", "unsqueeze", "squeeze", "to"}:
            refs = list(node.refs())
            if len(refs) != 1 or product(node.outputs[0].shape) != product(self.graph.type_of(refs[0]).shape):
                return False
            node = self.graph.by_name[refs[0].name]
        if node is None or node.op != "arange":
            return False
        return bool(node.kwargs.get("start", 0) == 0 and node.kwargs.get("step", 1) == 1)

    # Inside ------------------------------------------------------------------------------------

    def _params_by_node(self) -> set[str]:
        return {n.name for n in self.graph.nodes if n.op == "param"}

    def _key_of(self, value: Value) -> str:
        node = self.graph.by_name.get(value.node)
        if node is None or node.op != "param":
            raise Refused("weights that are computed in forward", "store them as a parameter of the module")
        return str(node.kwargs["key"])

    def _base_path(self) -> str:
        return self.node.source.path

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
        required = OPS[op].attrs if op in OPS else {}
        plain = {
            k: v
            for k, v in attrs.items()
            if not isinstance(v, Value) and (v is not None or required.get(k) is REQUIRED)
        }
        written = _written_attrs(op, plain)
        owner = self._owner(given)
        name = self._namer.call(self.node.source, owner, hint, self.node.op, self._feeder(self.node))
        self._hints.append(hint if owner is None else None)
        operands = tuple((key, self._operand(value, key)) for key, value in given)
        index = len(self._calls)
        self._calls.append(
            Call(op, operands, written, name, len(shapes), self.node.name, self.node.source, shapes, comment)
        )
        kind = str(plain.get("dtype") or (given[0][1].dtype if given else "float32"))
        kind = "float32" if op in {"argmax", "argmin"} else kind
        return [Value(Out(index, i), shape, kind) for i, shape in enumerate(shapes)]

    def _feeder(self, node: Node) -> str:
        """The submodule of torch's whose result is the node's first input; '' where it is no such one.

        Where the author's variable says nothing (`x`), ops between the two are passed over.
        """
        base = f"{node.source.path}." if node.source.path else ""
        maker: Node | None = node
        while maker is not None:
            first = next(iter(maker.refs()), None)
            maker = self.graph.by_name[first.name] if first is not None else None
            if maker is None or not maker.source.frames:
                return ""
            frame = maker.source.frames[-1]
            if frame.library and frame.path.startswith(base):
                return frame.path[len(base) :]
            if node.source.target not in SAYS_NOTHING or maker.source.path != node.source.path:
                return ""
        return ""

    def _owner(self, inputs: Sequence[tuple[str | None, Value]]) -> str | None:
        """The module whose `weight` (or `running_mean`) an op takes: the op bears its name."""
        for slot, value in inputs:
            node = self.graph.by_name.get(value.node)
            if slot in PARAMETER_SLOTS and node is not None and node.op == "param":
                path, _, last = self._key_here(node).rpartition(".")
                if path and last in {"weight", "bias", "running_mean"}:
                    return path
        return None

    def _key_here(self, param: Node) -> str:
        """The key of a parameter; of tied ones, that of the layer that the node stands in."""
        key, frames = str(param.kwargs["key"]), self.node.source.frames
        here = f"{frames[-1].path}." if frames else ""
        return next((k for k in (key, *param.kwargs.get("tied", ())) if here and k.startswith(here)), key)

    def _operand(self, value: Value, slot: str | None) -> Operand:
        node = self.graph.by_name.get(value.node)
        if value.operand is not None:
            return value.operand
        if node is not None and node.op == "param":
            return Leaf(self._parameter(node, slot))
        assert value.const is not None, "a value without an operand is a constant"
        return Leaf(self._constant(value, "aux" if slot in {"moving_mean", "moving_var"} else "arg"))

    def _parameter(self, node: Node, slot: str | None) -> str:
        known = self._params.get(node.name)
        if known is not None:
            return known
        key = str(node.kwargs["key"])
        name = self._namer.parameter(key, slot)
        kind = "aux" if slot in {"moving_mean", "moving_var"} else "arg"
        shape = node.outputs[0].shape or (1,)
        tied = tuple(node.kwargs.get("tied", ()))
        dtype = MX_DTYPES[node.outputs[0].dtype]
        dtype = "float32" if dtype == "bool" else dtype
        derived = tuple(node.kwargs.get("derived", ()))
        self._variables[name] = Variable(name, kind, shape, dtype, (key,), tied, derived)  # type: ignore[arg-type]
        self._params[node.name] = name
        return name

    def _constant(self, value: Value, kind: Literal["arg", "aux"]) -> str:
        assert value.const is not None
        array = value.const
        if not array.size:
            raise Refused(EMPTY, "leave it out where it holds nothing", "empty")
        dtype = "float32" if array.dtype == np.bool_ else str(array.dtype)
        stored = array.astype(dtype).reshape(array.shape or (1,))
        key = (value.node, kind, dtype, stored.shape, stored.tobytes())
        if key in self._constants:
            return self._constants[key]
        name = self._namer.constant(value.node, self.graph.by_name.get(value.node))
        self._constants[key] = name
        self._variables[name] = Variable(name, kind, stored.shape, dtype, value=stored)
        return name

    # The pass ----------------------------------------------------------------------------------

    def lower(self, node: Node, entry: RuleEntry) -> None:
        """Lower one node by its rule."""
        self.node = node
        if all(0 in kind.shape for kind in node.outputs):
            self._empty(node)
            return
        arguments = {key: self._argument(arg) for key, arg in node.args}
        if node.op in TAKES_LINES:
            arguments = {key: as_line(value) for key, value in arguments.items()}
        if node.op not in TAKES_EMPTY and any(0 in self.graph.type_of(r).shape for r in node.refs()):
            raise Refused(f"{node.op}() of {EMPTY}", "leave it out where it holds nothing", "empty")
        unread = entry.unread(arguments)
        if unread:
            shown = ", ".join(f"{k}={shown_value(arguments[k])}" for k in unread)
            raise Refused(f"{node.op}() with {shown}", code="unsupported-argument")
        for key in entry.ignores:
            arguments.pop(key, None)
        try:
            bound = entry.signature.bind(self, **arguments)
        except TypeError as error:
            raise Refused(f"{node.op}() called in a form that no rule reads ({error})") from None
        start = len(self._calls)
        result = entry.rule(*bound.args, **bound.kwargs)
        results = [result] if isinstance(result, Value) else list(result)
        assert len(results) == len(node.outputs), f"the rule of {node.op} gives {len(results)} outputs"
        for index, (value, kind) in enumerate(zip(results, node.outputs, strict=True)):
            self._values[(node.name, index)] = self._finished(value, kind, node)
        for frame in node.source.frames:
            self._made_in.setdefault((frame.path, frame.call), []).append(node.name)
        self._frame(node, start)

    def _frame(self, node: Node, start: int) -> None:
        """Put a frame around the calls since `start`, where a node took several: they may become a function."""
        made, hints = self._calls[start:], self._hints[start:]
        if len(made) < 2 or None in hints or (node.source.frames and node.source.frames[-1].library):
            return
        plain = [call.name for call, hint in zip(made, hints, strict=True) if not hint]
        self._namer.release(call.name for call, hint in zip(made, hints, strict=True) if hint)
        stem = plain[-1] if plain else self._namer.call(node.source, None, "", node.op, self._feeder(node))
        around = node.source.frames[-1].prefix if node.source.frames else ""
        path = f"{node.source.frames[-1].path}.{stem[len(around) + 1 :]}" if around else stem
        given = tuple((key, arg.name, arg.index) for key, arg in node.args if isinstance(arg, Ref))
        frame = Frame(path, node.op, library=True, op=True, arguments=given, prefix=stem)
        source = replace(node.source, frames=(*node.source.frames, frame))
        for index, (call, hint) in enumerate(zip(made, hints, strict=True), start):
            name = self._namer.helper(stem, hint) if hint else call.name
            self._calls[index] = replace(call, name=name, source=source)

    def _finished(self, value: Value, kind: TensorType, node: Node) -> Value:
        dtype = MX_DTYPES.get(kind.dtype)
        if dtype is None:
            raise Refused(f"{node.op}() gives {kind.dtype}, which MXNet does not have")
        lazy = node.op in WHOLE_FLOATS and dtype.startswith("int")
        if dtype != "bool" and value.dtype != dtype and value.const is None and not lazy:
            value = self.op("cast", value, dtype=dtype, hint="cast", gives=kind.shape)
        made_by = node.name if isinstance(value.operand, Out) else value.node
        return replace(value, shape=kind.shape, is_bool=dtype == "bool", node=made_by)

    def leaf(self, node: Node) -> None:
        """Enter an input, a parameter or a constant."""
        self.node = node
        kind = node.outputs[0]
        dtype = MX_DTYPES.get(kind.dtype)
        if dtype is None:
            raise Refused(f"a tensor of {kind.dtype}, which MXNet does not have")
        dtype = "float32" if dtype == "bool" else dtype
        is_bool = kind.dtype == "bool"
        value = Value(None, kind.shape, dtype, is_bool, node=node.name)
        if 0 in kind.shape:
            whole = tuple(0 if isinstance(s, Dim) else s for s in kind.shape)
            value = replace(value, const=np.zeros(whole, dtype))
        if node.op == "input":
            shape = kind.shape or (1,)
            self._namer.reserve(node.name)
            self._variables[node.name] = Variable(node.name, "input", shape, dtype)
            value = value if value.const is not None else replace(value, operand=Leaf(node.name))
        if node.op == "constant":
            assert node.value is not None
            array = node.value.astype(dtype) if str(node.value.dtype) != dtype and not is_bool else node.value
            value = replace(value, const=array)
        self._values[(node.name, 0)] = value

    def _empty(self, node: Node) -> None:
        """Results without elements, whatever made them: MXNet has none, and what reads them may not need them."""
        for index, kind in enumerate(node.outputs):
            shape = tuple(0 if isinstance(s, Dim) else s for s in kind.shape)
            dtype = MX_DTYPES.get(kind.dtype, "float32")
            array = np.zeros(shape, "float32" if dtype == "bool" else dtype)
            self._values[(node.name, index)] = Value(
                None, kind.shape, str(array.dtype), const=array, node=node.name
            )

    def poison(self, node: Node) -> None:
        """Stand-ins for the outputs of a refused node, so that later nodes can be looked at too."""
        for index, kind in enumerate(node.outputs):
            dtype = MX_DTYPES.get(kind.dtype, "float32")
            self._values[(node.name, index)] = Value(Leaf(node.name), kind.shape, dtype, kind.dtype == "bool")

    def _argument(self, arg: Any) -> Any:
        if isinstance(arg, Ref):
            return self._values[(arg.name, arg.index)]
        if isinstance(arg, tuple):
            return tuple(self._argument(a) for a in arg)
        if isinstance(arg, slice):
            return slice(*(self._argument(a) for a in (arg.start, arg.stop, arg.step)))
        return arg

    def program(self, name: str) -> Program:
        """Everything lowered, as a Program."""
        outputs = []
        seen: set[Operand] = set()
        for ref in self.graph.outputs:
            value = self._values[(ref.name, ref.index)]
            self.node = self.graph.by_name[ref.name]
            operand = self._output(value, self.graph.type_of(ref).dtype, seen)
            seen.add(operand)
            outputs.append(Output(operand, self.graph.type_of(ref).shape))
        values = tuple(
            (node, index, value.operand)
            for (node, index), value in self._values.items()
            if isinstance(value.operand, Out)
        )
        live = live_calls(self._calls, [o.operand for o in outputs])
        return compacted(
            Program(
                name,
                tuple(self._variables.values()),
                tuple(self._calls),
                tuple(outputs),
                values,
                tuple(self._unused),
                tuple(self.notes),
                self.graph.batch,
                self.graph.free_batch,
            ),
            live,
        )

    def _output(self, value: Value, torch_dtype: str, seen: set[Operand]) -> Operand:
        """An output must be an op of its own: a Variable, or the same output twice, is copied."""
        dtype = MX_DTYPES[torch_dtype]
        if dtype != "bool":
            value = self.cast(value, dtype)
        if isinstance(value.operand, Out) and value.operand not in seen:
            return value.operand
        copied = self.op("identity", value, hint="output")
        assert copied.operand is not None
        return copied.operand


def _written_attrs(op: str, attrs: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The attributes to write, in the table's order: not at MXNet's default, or always written."""
    if op not in OPS:
        assert set(attrs) <= {"c"}, f"{op} is not in the table of MXNet ops"
        return tuple(attrs.items())
    spec = OPS[op]
    unknown = set(attrs) - set(spec.attrs)
    assert not unknown, f"{op} has no {unknown}"
    return tuple(
        (name, attrs[name])
        for name, default in spec.attrs.items()
        if name in attrs and (name in spec.always or not spec.is_default(name, attrs[name], default))
    )
