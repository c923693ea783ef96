"""Captures of one net at several batch sizes become one IR, in which sizes that follow the batch are `Dim`s.

A number that differs between the captures must be linear in the batch. Where they differ in any other way,
there is no one graph for them: Mismatch.

Dead nodes are dropped, and what depends on neither inputs nor parameters becomes a `constant`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import torch
from torch import fx

from codegen.ir import SAYS_NOTHING, Dim, Graph, Node, Ref, Size, Source, TensorType, check
from tracer.batch_sizes import Merger, Mismatch
from tracer.canonical import CASTS, STORAGE, call_arguments, op_name
from tracer.captured import Capture
from tracer.frames import output_of
from tracer.known_values import array_of, block_of, buffers_of, constant_of, cuts_at, keys_of, size_of_buffers
from tracer.statements import Statement, statement_at

# What they give hangs on how their input lies in memory.
READ_STRIDES = frozenset(["as_strided", "resize", "resize_as"])


def graph_of(captures: Sequence[Capture], batches: Sequence[int]) -> Graph:
    """One graph of captures taken at `batches`; Mismatch where they are not one net."""
    together = _paired(captures)
    builder = _Builder({nodes[0]: nodes for nodes in together}, tuple(batches))
    for nodes in together:
        if nodes[0].op == "placeholder":
            builder.need(nodes[0])
    outputs = tuple(builder.need(node) for node in captures[0].outputs)
    nodes_in_order = builder.in_order()
    inputs = tuple(n.name for n in nodes_in_order if n.op == "input")
    first = captures[0]
    made = Graph(nodes_in_order, inputs, outputs, batches[0], left_out=first.left_out, changed=first.changed)
    return check(replace(made, output_names=first.output_names))


def used_nodes(capture: Capture) -> list[fx.Node]:
    """The nodes that the outputs hang on, and the inputs: what else a net computes may differ."""
    used = {*capture.outputs, *(n for n in capture.graph.nodes if n.op in {"placeholder", "output"})}
    stack = list(used)
    while stack:
        fresh = [n for n in stack.pop().all_input_nodes if n not in used]
        used.update(fresh)
        stack += fresh
    return [n for n in capture.graph.nodes if n in used]


def _paired(captures: Sequence[Capture]) -> list[tuple[fx.Node, ...]]:
    """Each node with the same one of the other captures."""
    lists = [used_nodes(c) for c in captures]
    together = list(zip(*lists, strict=False))
    for nodes in together:
        if len({(n.op, _target(n)) for n in nodes}) > 1:
            source = next((n.meta["source"] for n in nodes if "source" in n.meta), None)
            raise Mismatch("the net runs other ops at another batch size", source)
    if len({len(nodes) for nodes in lists}) > 1:
        raise Mismatch("the net runs other ops at another batch size")
    return together


class _Builder:
    """Makes the IR's nodes of those that are needed.

    `together` holds, for each node of the first capture and in its order, the node in all captures.
    """

    def __init__(self, together: Mapping[fx.Node, tuple[fx.Node, ...]], batches: tuple[int, ...]) -> None:
        self._together = together
        self._batches = batches
        self._merger = Merger(batches, self._ref)
        self._made: dict[str, Node] = {}
        # Nodes that the captures do not have: the name of each, and of the node before which it stands.
        self._before: dict[str, str] = {}
        # Constants that are equal to an earlier one, which stands for them.
        self._equal: dict[str, str] = {}
        # (the buffer, the type, the bytes) of what is made of one buffer, and the first constant of these.
        self._of_buffers: dict[tuple[Any, ...], str] = {}
        # Nodes whose value is known at every batch size.
        self._known = self._known_nodes()

    # Which nodes are needed --------------------------------------------------------------------

    def need(self, node: fx.Node) -> Ref:
        """The Ref of a node, after every node that it reads. No recursion: nets are deep."""
        stack = [node]
        while stack:
            current = self._call_of(stack[-1])
            if _name(current) in self._made or self._is_repeated_constant(current):
                stack.pop()
                continue
            missing = [] if self._is_leaf(current) else self._missing(current)
            if missing:
                stack += missing
                continue
            self._made[_name(current)] = self._node(current)
            stack.pop()
        return self._ref(node)

    def in_order(self) -> tuple[Node, ...]:
        """The nodes that were needed, in the order of the first capture."""
        order = {_name(node): place for place, node in enumerate(self._together)}
        for name, kept in self._equal.items():
            order[kept] = min(order[kept], order[name])

        def place(node: Node) -> tuple[int, bool]:
            return order[self._before.get(node.name, node.name)], node.name not in self._before

        return tuple(sorted(self._made.values(), key=place))

    def _missing(self, node: fx.Node) -> list[fx.Node]:
        calls = {n: _name(self._call_of(n)) for n in node.all_input_nodes}
        return [n for n, name in calls.items() if name not in self._made and name not in self._equal]

    def _call_of(self, node: fx.Node) -> fx.Node:
        """The call of which a node is an output; the node itself where its value is known."""
        return node.meta["item"][0] if "item" in node.meta and self._constant(node) is None else node

    def _ref(self, node: fx.Node) -> Ref:
        if "item" in node.meta and self._constant(node) is None:
            return Ref(*output_of(node))
        name = _name(node)
        return Ref(self._equal.get(name, name))

    def _is_leaf(self, node: fx.Node) -> bool:
        if node.op != "call_function" or self._constant(node) is not None:
            return True
        return self._block(node) is not None

    def _is_repeated_constant(self, node: fx.Node) -> bool:
        """Whether a node makes of a buffer what another made of it: the cosines of each layer of a Llama.

        The one that is kept is called after the module that has the buffer.
        """
        constant = self._constant(node)
        keys = keys_of(node) if constant is not None else set()
        if constant is None or len(keys) != 1:
            return False
        array = array_of(constant)
        key = (*keys, node.meta["types"], str(array.dtype), array.tobytes())
        first = self._of_buffers.setdefault(key, node.name)
        if first == node.name:
            return False
        self._equal[node.name] = first
        kept = self._made[first]
        path = next(iter(keys)).rpartition(".")[0]
        self._made[first] = replace(kept, source=replace(kept.source, path=path))
        return True

    def _known_nodes(self) -> set[fx.Node]:
        """The nodes whose values, and those that they are made of, are the same for each sample of any batch.

        `arange(n) < 40` is the same at all batch sizes that are tried, but arange(n) is not.
        """
        known: set[fx.Node] = set()
        for node, alike in self._together.items():
            if node.meta.get("traced", True) or not all(n in known for n in node.all_input_nodes):
                continue
            if cuts_at(node, max(self._batches)) and any(map(self._varies, node.all_input_nodes)):
                continue
            if (
                node.op == "get_attr"
                or len(node.meta["types"]) > 1
                or constant_of(alike) is not None
                or self._block_of(node) is not None
            ):
                known.add(node)
        return known

    def _varies(self, node: fx.Node) -> bool:
        """Whether a value has other shapes at other batch sizes."""
        return len({n.meta["types"] for n in self._together[node]}) > 1

    def _constant(self, node: fx.Node) -> torch.Tensor | None:
        return constant_of(self._together[node]) if node in self._known else None

    def _block(self, node: fx.Node) -> tuple[torch.Tensor, int] | None:
        """(block, axis) of a value that is one block for each sample of the batch."""
        return self._block_of(node) if node in self._known and "item" not in node.meta else None

    def _block_of(self, node: fx.Node) -> tuple[torch.Tensor, int] | None:
        nodes = self._together[node]
        if len(node.meta["types"]) > 1 or len({n.meta["types"][0][0] for n in nodes}) == 1:
            return None
        try:
            return block_of(nodes, self._types(node)[0].shape)
        except Mismatch:
            return None

    # One node of the IR ------------------------------------------------------------------------

    def _node(self, node: fx.Node) -> Node:
        types, source = self._types(node), with_statement(node.meta["source"])
        if node.op == "placeholder":
            return Node(_name(node), "input", (), types, source)
        constant = self._constant(node)
        if constant is not None:
            source = _named_after_buffer(source, node, constant)
            return Node(node.name, "constant", (), types, source, array_of(constant))
        block = self._block(node)
        if block is not None:
            return self._repeat(node, *block, types[0], source)
        if node.op == "get_attr":
            return _state(node, types, source)
        name = op_name(node.target) if callable(node.target) else str(node.target)
        return Node(node.name, "to" if name in CASTS else name, self._arguments(node), types, source)

    def _repeat(self, node: fx.Node, block: torch.Tensor, axis: int, out: TensorType, source: Source) -> Node:
        """The node of a repeated value: one number, or a constant that is expanded along the batch."""
        if block.numel() > 0 and bool((block == block.reshape(-1)[0]).all()):
            number = block.reshape(-1)[0].item()
            return Node(node.name, "full", (("fill_value", number),), (out,), source)
        (batch,) = {size.coef for size in out.shape if isinstance(size, Dim)}
        count = int(batch)
        split = block.unsqueeze(axis) if count > 1 else block
        wide: list[Size] = list(split.shape)
        wide[axis] = Dim(Fraction(1))
        constant = f"{node.name}_value"
        self._put_before(node, Node(constant, "constant", (), (_type_of(split),), source, array_of(split)))
        sizes = ("size", tuple(wide))
        if count == 1:
            return Node(node.name, "expand", (("input", Ref(constant)), sizes), (out,), source)
        kind = TensorType(tuple(wide), out.dtype)
        expanded = f"{node.name}_batch"
        self._put_before(node, Node(expanded, "expand", (("input", Ref(constant)), sizes), (kind,), source))
        shape = ("shape", out.shape)
        return Node(node.name, "reshape", (("input", Ref(expanded)), shape), (out,), source)

    def _put_before(self, node: fx.Node, made: Node) -> None:
        self._made[made.name] = made
        self._before[made.name] = node.name

    def _arguments(self, node: fx.Node) -> tuple[tuple[str, Any], ...]:
        alike, source = self._together[node], node.meta["source"]
        name = op_name(node.target) if callable(node.target) else ""
        bound = self._bound(alike, source, False) or self._bound(alike, source, True)
        if bound is None:
            args, kwargs = self._given(alike, source, False)
            named = {k: v for k, v in kwargs.items() if k not in STORAGE}
            bound = {f"arg{i}": a for i, a in enumerate(args)} | named
        if name in READ_STRIDES:
            strides = [n.all_input_nodes[0].meta["strides"][0] for n in alike]
            bound["input_stride"] = self._merger.merged(strides, source)
        if name == "as_strided":
            bound["input_offset"] = self._merger.merged(
                [n.all_input_nodes[0].meta["offsets"][0] for n in alike], source
            )
        return tuple(bound.items())

    def _given(self, alike: Sequence[fx.Node], source: Source, as_numbers: bool) -> tuple[Any, Any]:
        args = [(*n.args[:1], *_numbers(n.args[1:], as_numbers)) for n in alike]
        kwargs = [{k: _numbers(v, as_numbers and k != "input") for k, v in n.kwargs.items()} for n in alike]
        return self._merger.merged(args, source), self._merger.merged(kwargs, source)

    def _bound(self, alike: Sequence[fx.Node], source: Source, as_numbers: bool) -> dict[str, Any] | None:
        """The arguments by name; None where they fit no signature.

        torch takes a tensor of one whole number where a signature wants a number: `as_numbers`.
        """
        args, kwargs = self._given(alike, source, as_numbers)
        try:
            return call_arguments(alike[0].target, args, kwargs)  # type: ignore[arg-type]
        except TypeError:
            return None

    def _types(self, node: fx.Node) -> tuple[TensorType, ...]:
        merged, source = [], node.meta["source"]
        if len({len(n.meta["types"]) for n in self._together[node]}) > 1:
            raise Mismatch("an op gives another number of tensors at another batch size", source)
        for kinds in zip(*(n.meta["types"] for n in self._together[node]), strict=True):
            shapes = [shape for shape, _ in kinds]
            if len({len(s) for s in shapes}) > 1:
                raise Mismatch("a tensor has another rank at another batch size", source)
            merged.append(TensorType(self._merger.merged(shapes, source), kinds[0][1]))
        return tuple(merged)


def with_statement(source: Source) -> Source:
    """A place with what the user's statement there says."""
    statement: Statement = statement_at(source.file, source.line)
    # What a function that forward calls says of itself is less than what forward does with it.
    is_weak = statement.target in SAYS_NOTHING or (statement.is_argument and bool(source.target))
    target = source.target or statement.target if is_weak else statement.target
    if source.is_inner:
        return replace(source, text=statement.text, comment=statement.comment)
    return replace(
        source,
        target=target,
        text=statement.text,
        targets=statement.targets,
        local=statement.target,
        comment=statement.comment,
    )


def _named_after_buffer(source: Source, node: fx.Node, constant: torch.Tensor) -> Source:
    """The place of a constant that is one buffer, or a part of it: it is called as the buffer is."""
    keys = keys_of(node)
    is_larger = constant.numel() > size_of_buffers(node) and source.target not in SAYS_NOTHING
    if len(keys) != 1 or is_larger:
        return source
    buffer = keys.pop().rpartition(".")[2]
    is_mask = constant.dtype is torch.bool and buffers_of(node)[0].meta["types"][0][1] != "bool"
    return replace(source, target=f"{buffer}_mask" if is_mask else buffer)


def _state(node: fx.Node, types: tuple[TensorType, ...], source: Source) -> Node:
    """The node of a parameter or a buffer."""
    keys = node.meta["keys"]
    if not keys:
        raise Mismatch("a tensor that the net keeps depends on the batch size", source)
    args: tuple[tuple[str, Any], ...] = (("key", keys[0]), *((("tied", keys[1:]),) if keys[1:] else ()))
    if "derived" in node.meta:
        args = (*args, ("derived", node.meta["derived"]))
    value = node.meta["value"][0].numpy() if "value" in node.meta else None
    return Node(node.name, "param", args, types, source, value)


def _target(node: fx.Node) -> Any:
    """What a node calls; a user's op by its name, since each copy of a net makes its own."""
    if node.op == "output":
        return ""
    if callable(node.target) and hasattr(node.target, "is_user_op"):
        return op_name(node.target)
    return node.target


def _type_of(tensor: torch.Tensor) -> TensorType:
    return TensorType(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


def _numbers(value: Any, sized: bool) -> Any:
    """Tensors of one known whole number as that number: in slices, and everywhere where `sized`."""
    if isinstance(value, fx.Node):
        known = sized and not value.meta["traced"]
        if known and value.meta["types"][0] in (((), "int64"), ((), "int32")):
            return int(value.meta["value"][0])
        return value
    if isinstance(value, slice):
        return slice(*(_numbers(v, True) for v in (value.start, value.stop, value.step)))
    if isinstance(value, list | tuple):
        return tuple(_numbers(v, sized) for v in value)
    return value


def _name(node: fx.Node) -> str:
    """The IR's name of a node; fx renames an input called like a builtin (`input`)."""
    return str(node.target) if node.op == "placeholder" else node.name
