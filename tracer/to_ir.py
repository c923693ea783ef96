"""Captures of one net at several batch sizes become one IR, in which sizes that follow the batch are `Dim`s.

Given captures at B, 2B and 3B: a number that differs between them must be linear in the batch. Where
the captures differ in any other way, the batch is frozen, and the graph says why.

Dead nodes are dropped, and what depends on neither inputs nor parameters becomes a `constant`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy.typing as npt
import torch
from torch import fx

from codegen.ir import SAYS_NOTHING, Dim, Graph, Node, Ref, Size, Source, TensorType, check
from tracer.canonical import CASTS, STORAGE, call_arguments, op_name
from tracer.recorder import Capture
from tracer.statements import statement_at

# Ops whose arguments after the first are numbers, which torch also takes as tensors of one number.
TAKE_SIZES = frozenset(
    "as_strided broadcast_to expand flatten narrow new_empty new_full new_ones new_zeros repeat reshape select tile "
    "unflatten unfold view".split()
)


class Mismatch(Exception):
    """The net takes another path at another batch size."""


def unify(captures: Sequence[Capture], batches: Sequence[int]) -> Graph:
    """One graph of captures taken at `batches`; Mismatch where they are not one net."""
    lists = [list(c.graph.nodes) for c in captures]
    if len({len(nodes) for nodes in lists}) > 1:
        raise Mismatch("the net runs other ops at another batch size")
    together = list(zip(*lists, strict=True))
    for nodes in together:
        if len({(n.op, _target(n)) for n in nodes}) > 1:
            source: Source = nodes[0].meta["source"]
            raise Mismatch(f"the net runs other ops at another batch size, at {source}")
    builder = _Unifier({nodes[0]: nodes for nodes in together}, tuple(batches))
    for nodes in together:
        if nodes[0].op == "placeholder":
            builder.need(nodes[0])
    outputs = tuple(builder.need(node) for node in captures[0].outputs)
    order = {name_of(nodes[0]): i for i, nodes in enumerate(together)}
    for name, kept in builder.same.items():
        order[kept] = min(order[kept], order[name])
    whole = builder.parts
    nodes_in_order = tuple(
        sorted(builder.done.values(), key=lambda n: (order[whole.get(n.name, n.name)], n.name not in whole))
    )
    inputs = tuple(n.name for n in nodes_in_order if n.op == "input")
    left_out = captures[0].left_out
    return check(Graph(nodes_in_order, inputs, outputs, batches[0], left_out=left_out))


@dataclass(frozen=True)
class _Unifier:
    together: dict[fx.Node, tuple[fx.Node, ...]]
    batches: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "done", {})
        object.__setattr__(self, "parts", {})
        object.__setattr__(self, "same", {})
        object.__setattr__(self, "made", {})

    done: dict[str, Node] = None  # type: ignore[assignment]
    # Nodes that the captures do not have, and the one before which each stands.
    parts: dict[str, str] = None  # type: ignore[assignment]
    # Constants made of the same buffers that are equal to an earlier one, and that one.
    same: dict[str, str] = None  # type: ignore[assignment]
    made: dict[tuple[Any, ...], str] = None  # type: ignore[assignment]

    def need(self, node: fx.Node) -> Ref:
        """The Ref of a node, after every node that it reads. No recursion: nets are deep."""
        stack = [node]
        while stack:
            current = self._maker(stack[-1])
            if name_of(current) in self.done or self._is_made(current):
                stack.pop()
                continue
            missing = [] if self._is_leaf(current) else self._unmade(current)
            if missing:
                stack += missing
                continue
            self.done[name_of(current)] = self._node(current)
            stack.pop()
        return self._ref(node)

    def _unmade(self, node: fx.Node) -> list[fx.Node]:
        makers = {n: name_of(self._maker(n)) for n in node.all_input_nodes}
        return [n for n, name in makers.items() if name not in self.done and name not in self.same]

    def _is_made(self, node: fx.Node) -> bool:
        """Whether a node makes of a buffer what another made of it: the cosines of each layer of a Llama.

        The one that is kept is called after the module that has the buffer.
        """
        constant = self._constant(node)
        keys = _keys_of(node) if constant is not None else set()
        if constant is None or len(keys) != 1:
            return False
        array = _numpy(constant)
        key = (*keys, node.meta["types"], str(array.dtype), array.tobytes())
        first = self.made.setdefault(key, node.name)
        if first == node.name:
            return False
        self.same[node.name] = first
        kept = self.done[first]
        source = replace(kept.source, path=next(iter(keys)).rpartition(".")[0])
        self.done[first] = replace(kept, source=source)
        return True

    def _maker(self, node: fx.Node) -> fx.Node:
        """The call of which a node is an output; itself where its value is known."""
        return node.meta["item"][0] if "item" in node.meta and self._constant(node) is None else node

    def _ref(self, node: fx.Node) -> Ref:
        if "item" in node.meta and self._constant(node) is None:
            maker, index = node.meta["item"]
            return Ref(maker.name, index)
        name = name_of(node)
        return Ref(self.same.get(name, name))

    def _is_leaf(self, node: fx.Node) -> bool:
        if node.op != "call_function" or self._constant(node) is not None:
            return True
        return self._repeated(node) is not None

    def _constant(self, node: fx.Node) -> torch.Tensor | None:
        """The one value of a node that depends on neither inputs, parameters nor the batch."""
        if node.meta["traced"] or len(node.meta["types"]) > 1:
            return None
        if node.op == "get_attr" and node.meta["keys"]:
            return None
        values = [n.meta["value"][0] for n in self.together[node]]
        first: torch.Tensor = values[0]
        same = all(v.shape == first.shape and _equal(v, first) for v in values[1:])
        return first if same else None

    def _repeated(self, node: fx.Node) -> tuple[torch.Tensor, int] | None:
        """(block, axis) of a value that is one block for each sample of the batch, whatever the input."""
        if node.meta["traced"] or len(node.meta["types"]) > 1 or "item" in node.meta:
            return None
        if len({n.meta["types"][0][0] for n in self.together[node]}) == 1:
            return None
        shape = self._types(node)[0].shape
        axes = [axis for axis, size in enumerate(shape) if isinstance(size, Dim)]
        size = shape[axes[0]] if axes else 0
        if len(axes) != 1 or not isinstance(size, Dim) or size.const or size.coef.denominator > 1:
            return None
        axis, count = axes[0], int(size.coef)
        values = [n.meta["value"][0] for n in self.together[node]]
        block: torch.Tensor = values[0].narrow(axis, 0, count)
        for value in values:
            times = [value.shape[axis] // count if a == axis else 1 for a in range(value.dim())]
            if not _equal(value, block.repeat(times)):
                return None
        return block, axis

    def _repeat(self, node: fx.Node, block: torch.Tensor, axis: int, out: TensorType, source: Source) -> Node:
        """The node of a repeated value: one number, or a constant that is expanded along the batch."""
        uniform = block.numel() > 0 and bool((block == block.reshape(-1)[0]).all())
        if uniform:
            return Node(node.name, "full", (("fill_value", block.reshape(-1)[0].item()),), (out,), source)
        (batch,) = {size.coef for size in out.shape if isinstance(size, Dim)}
        count = int(batch)
        split = block.unsqueeze(axis) if count > 1 else block
        wide: list[Size] = list(split.shape)
        wide[axis] = Dim(Fraction(1))
        constant = f"{node.name}_value"
        self._part(node, Node(constant, "constant", (), (_type_of(split),), source, _numpy(split)))
        sizes = ("size", tuple(wide))
        if count == 1:
            return Node(node.name, "expand", (("input", Ref(constant)), sizes), (out,), source)
        kind = TensorType(tuple(wide), out.dtype)
        expanded = f"{node.name}_batch"
        self._part(node, Node(expanded, "expand", (("input", Ref(constant)), sizes), (kind,), source))
        shape = ("shape", out.shape)
        return Node(node.name, "reshape", (("input", Ref(expanded)), shape), (out,), source)

    def _part(self, node: fx.Node, part: Node) -> None:
        self.done[part.name] = part
        self.parts[part.name] = node.name

    def _node(self, node: fx.Node) -> Node:
        types = self._types(node)
        source: Source = node.meta["source"]
        statement = statement_at(source.file, source.line)
        # What a function that forward calls says of itself is less than what forward does with it.
        is_weak = statement.target in SAYS_NOTHING or (statement.is_argument and bool(source.target))
        target = source.target or statement.target if is_weak else statement.target
        source = replace(
            source, target=target, text=statement.text, targets=statement.targets, local=statement.target
        )
        if node.op == "placeholder":
            return Node(name_of(node), "input", (), types, source)
        constant = self._constant(node)
        if constant is not None:
            keys, whole = _keys_of(node), _size_of_buffers(node)
            larger = constant.numel() > whole and source.target not in SAYS_NOTHING
            if len(keys) == 1 and not larger:  # the buffer or a part of it: called as that
                buffer = keys.pop().rpartition(".")[2]
                is_mask = constant.dtype is torch.bool and _buffers_of(node)[0].meta["types"][0][1] != "bool"
                source = replace(source, target=f"{buffer}_mask" if is_mask else buffer)
            return Node(node.name, "constant", (), types, source, _numpy(constant))
        repeated = self._repeated(node)
        if repeated is not None:
            return self._repeat(node, *repeated, types[0], source)
        if node.op == "get_attr":
            return self._state(node, types, source)
        name = op_name(node.target) if callable(node.target) else str(node.target)
        return Node(node.name, "to" if name in CASTS else name, self._arguments(node), types, source)

    def _state(self, node: fx.Node, types: tuple[TensorType, ...], source: Source) -> Node:
        if not node.meta["keys"]:
            raise Mismatch(f"a tensor that the net keeps depends on the batch size, at {source}")
        value = node.meta["value"][0].numpy() if "value" in node.meta else None
        keys = node.meta["keys"]
        args = (("key", keys[0]), *((("tied", keys[1:]),) if keys[1:] else ()))
        if "derived" in node.meta:
            args = (*args, ("derived", node.meta["derived"]))
        return Node(node.name, "param", args, types, source, value)

    def _arguments(self, node: fx.Node) -> tuple[tuple[str, Any], ...]:
        alike = self.together[node]
        sized = callable(node.target) and op_name(node.target) in TAKE_SIZES
        args = self._merge(tuple((*n.args[:1], *_numbers(n.args[1:], sized)) for n in alike), node)
        kwargs = self._merge(
            tuple({k: _numbers(v, sized and k != "input") for k, v in n.kwargs.items()} for n in alike), node
        )
        try:
            bound = call_arguments(node.target, args, kwargs)  # type: ignore[arg-type]
        except TypeError:
            bound = {f"arg{i}": a for i, a in enumerate(args)} | {
                k: v for k, v in kwargs.items() if k not in STORAGE
            }
        if callable(node.target) and op_name(node.target) in {"as_strided", "resize", "resize_as"}:
            # What it gives hangs on how its input lies in memory.
            bound["input_stride"] = self._merge(
                tuple(n.all_input_nodes[0].meta["strides"][0] for n in alike), node
            )
        return tuple(bound.items())

    def _types(self, node: fx.Node) -> tuple[TensorType, ...]:
        merged = []
        for kinds in zip(*(n.meta["types"] for n in self.together[node]), strict=True):
            shapes = tuple(shape for shape, _ in kinds)
            if len({len(s) for s in shapes}) > 1:
                raise Mismatch(f"a tensor has another rank at another batch size, at {node.meta['source']}")
            merged.append(TensorType(self._merge(shapes, node), kinds[0][1]))
        return tuple(merged)

    def _merge(self, values: tuple[Any, ...], node: fx.Node) -> Any:
        first = values[0]
        if isinstance(first, fx.Node):
            return self._ref(first)
        if isinstance(first, list | tuple):
            if len({len(v) for v in values}) > 1:
                raise Mismatch(f"a list has another length at another batch size, at {node.meta['source']}")
            return tuple(self._merge(items, node) for items in zip(*values, strict=True))
        if isinstance(first, dict):
            return {k: self._merge(tuple(v[k] for v in values), node) for k in first}
        if isinstance(first, slice):
            return slice(
                *(self._merge(tuple(getattr(v, a) for v in values), node) for a in ("start", "stop", "step"))
            )
        if isinstance(first, torch.dtype | torch.device):
            return str(first).removeprefix("torch.")
        if isinstance(first, torch.nn.Module) and all(type(v) is type(first) for v in values):
            return first  # each trace has its own copy of a module that is handed on as an argument
        if all(type(v) is type(first) and (v == first or (v != v and first != first)) for v in values[1:]):
            return first  # not a number is the same as not a number
        if isinstance(first, int) and not isinstance(first, bool):
            return self._linear(values, node)
        raise Mismatch(f"{first!r} changes with the batch size, at {node.meta['source']}")

    def _linear(self, values: tuple[int, ...], node: fx.Node) -> Size:
        """The size as a function of the batch, from the last two; every other must lie on it."""
        b1, b2 = self.batches[-2:]
        coef = Fraction(values[-1] - values[-2], b2 - b1)
        const = values[-1] - coef * b2
        if coef == 0 or any(coef * b + const != v for b, v in zip(self.batches, values, strict=True)):
            raise Mismatch(f"a size is not linear in the batch size, at {node.meta['source']}")
        return Dim(coef, const)


def _keys_of(node: fx.Node) -> set[str]:
    """The keys of the buffers that a value is made of."""
    return {key for buffer in _buffers_of(node) for key in buffer.meta["keys"][:1]}


def _buffers_of(node: fx.Node) -> list[fx.Node]:
    """The buffers that a value is made of."""
    stack, seen = [node], {node}
    found = []
    while stack:
        current = stack.pop()
        if current.op == "get_attr":
            found.append(current)
        fresh = [n for n in current.all_input_nodes if n not in seen]
        seen.update(fresh)
        stack += fresh
    return found


def _size_of_buffers(node: fx.Node) -> int:
    """How many elements the buffers have that a value is made of."""
    return sum(n.meta["value"][0].numel() for n in _buffers_of(node))


def _target(node: fx.Node) -> Any:
    """What a node calls; a user's op by its name, since each copy of a net makes its own."""
    if node.op == "output":
        return ""
    return op_name(node.target) if hasattr(node.target, "is_user_op") else node.target


def _type_of(tensor: torch.Tensor) -> TensorType:
    return TensorType(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


def _numpy(tensor: torch.Tensor) -> npt.NDArray[Any]:
    """A tensor as an array; numpy has no bfloat16."""
    wide = tensor.float() if tensor.dtype is torch.bfloat16 else tensor
    array: npt.NDArray[Any] = wide.numpy()
    return array


def _numbers(value: Any, sized: bool) -> Any:
    """Tensors of one known whole number as that number: in slices, and everywhere where `sized`."""
    if isinstance(value, fx.Node):
        known = sized and not value.meta["traced"] and "item" not in value.meta
        if known and value.meta["types"][0] in (((), "int64"), ((), "int32")):
            return int(value.meta["value"][0])
        return value
    if isinstance(value, slice):
        return slice(*(_numbers(v, True) for v in (value.start, value.stop, value.step)))
    if isinstance(value, list | tuple):
        return tuple(_numbers(v, sized) for v in value)
    return value


def name_of(node: fx.Node) -> str:
    """The IR's name of a node; fx renames an input called like a builtin (`input`)."""
    return str(node.target) if node.op == "placeholder" else node.name


def _equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool(torch.equal(a, b) or torch.equal(torch.nan_to_num(a), torch.nan_to_num(b)))
