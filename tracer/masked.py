"""What a mask picks, `x[mask]`, which has as many rows as the mask's values say, and no shape in a symbol.

It is recorded as all of `x`, as long as each element of what is computed with it hangs on the same place
alone; written back through the same mask, where() keeps what the mask leaves out. All else asks for its
number of rows.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from codegen.ir import Source
from codegen.refusals import RANDOM
from tracer.calls import Call, mask_of
from tracer.canonical import CASTS, call_arguments, op_name
from tracer.frames import Frames
from tracer.nodes import Nodes
from tracer.op_facts import KEPT_IDENTITIES, TELLS_NO_SHAPE

Tensor = torch.Tensor


class AsksForRows(Exception):
    """A call needs to know how many rows a mask picks; `place` is where it does."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place


@dataclass(frozen=True)
class Place:
    """Where a mask picks, and what the user wrote there: `boxes[keep]`, '' where it is not known."""

    source: Source
    written: str


@dataclass(frozen=True)
class Picked:
    """A tensor that stands for what `mask` picks of it, at a `place`.

    Before the mask's `axes` axes it has `lead` others, after them `rest`.
    """

    tensor: Tensor
    mask: fx.Node
    lead: int
    axes: int
    rest: int
    place: Place


@dataclass(frozen=True)
class Index:
    """An index with one mask that is computed: the same with the mask's axes whole.

    `lead` counts the axes of the result before the mask's.
    """

    whole: tuple[Any, ...]
    mask: Tensor
    lead: int

    @property
    def is_mask_alone(self) -> bool:
        return all(part is Ellipsis or part == slice(None) for part in self.whole)


class Masked:
    """Knows what masks pick in a run. `frames` tell where the call stands that runs."""

    def __init__(self, nodes: Nodes, frames: Frames) -> None:
        self._nodes = nodes
        self._frames = frames
        self._picked: dict[int, Picked] = {}

    def picks(self, tensor: Tensor) -> bool:
        """Whether a tensor's rows are those that a mask picks."""
        return id(tensor) in self._picked

    def check_shape_known(self, tensor: Tensor) -> None:
        """Raise AsksForRows for a tensor whose rows a mask picks."""
        if id(tensor) in self._picked:
            raise AsksForRows(self._picked[id(tensor)].place)

    def covers(self, call: Call) -> bool:
        """Whether a call is about what a mask picks."""
        if any(id(t) in self._picked for t in call.tensors()):
            return True
        if call.name not in {"getitem", "setitem"} or id(call.args[0]) in self._picked:
            return False
        index = self._index(call.args[0], call.args[1])
        return index is not None and (call.name == "getitem" or isinstance(call.args[1], tuple))

    def result(self, call: Call) -> Any:
        """The result of a call that it covers, made of calls on whole tensors. Raises AsksForRows."""
        if call.name in {"getitem", "setitem"} and id(call.args[0]) not in self._picked:
            index = self._index(call.args[0], call.args[1])
            if index is None:
                raise AsksForRows(self._place())
            return self._pick(call, index) if call.name == "getitem" else self._write(call, index)
        picked = [self._picked[id(t)] for t in call.tensors() if id(t) in self._picked]
        first = picked[0]
        if call.name in {"dim", "ndim"}:
            return first.lead + 1 + first.rest
        if call.name in TELLS_NO_SHAPE:
            with torch._C.DisableTorchFunction():
                return call.func(*call.args, **call.kwargs)
        alike = all(
            p.rest == first.rest and p.lead == first.lead and same_value(p.mask, first.mask) for p in picked
        )
        read = _last_axes_read(call, id(first.tensor))
        if not alike or read is None or read > first.rest or _divides_whole_numbers(call):
            raise AsksForRows(first.place)
        return self._elementwise(call, first, adjusts=read == 0)

    # Calls ---------------------------------------------------------------------------------------

    def _place(self) -> Place:
        return Place(self._frames.source(), self._frames.written())

    def _index(self, tensor: Tensor, index: Any) -> Index | None:
        """The one computed mask of an index; None for an index that has none, or other tensors too."""
        parts = list(index) if isinstance(index, tuple) else [index]
        places = [k for k, part in enumerate(parts) if isinstance(part, Tensor | list | bool)]
        mask = mask_of(parts[places[0]]) if len(places) == 1 else None
        if mask is None or not mask.dim() or not self._nodes.is_traced(mask):
            return None
        place = places[0]
        whole = (*parts[:place], *[slice(None)] * mask.dim(), *parts[place + 1 :])
        lead = sum(not isinstance(part, int) for part in parts[:place])
        if any(part is Ellipsis for part in parts[:place]):
            lead += tensor.dim() - sum(part is not None and part is not Ellipsis for part in whole) - 1
        return Index(whole, mask, lead)

    def _pick(self, call: Call, index: Index) -> Tensor:
        base = call.args[0] if index.is_mask_alone else call.args[0][index.whole]
        with torch._C.DisableTorchFunction():
            copied = base.detach().clone()
        self._nodes.stand_for(copied, self._nodes.node_of(base))
        rest = base.dim() - index.lead - index.mask.dim()
        mask = self._nodes.node_of(index.mask)
        return self._add(Picked(copied, mask, index.lead, index.mask.dim(), rest, self._place()))

    def _add(self, picked: Picked) -> Tensor:
        self._picked[id(picked.tensor)] = picked
        return picked.tensor

    def _write(self, call: Call, index: Index) -> None:
        """`y[mask] = value`, by a choice where a tensor is written."""
        target, value = call.args[0], call.args[2]
        view = target if index.is_mask_alone else target[index.whole]
        rest = view.dim() - index.lead - index.mask.dim()
        own = Picked(view, self._nodes.node_of(index.mask), index.lead, index.mask.dim(), rest, self._place())
        mask = index.mask[(..., *[None] * rest)] if rest else index.mask
        if not isinstance(value, Tensor) or (value.dim() == 0 and id(value) not in self._picked):
            view.masked_fill_(mask, value)
            return
        given = self._picked.get(id(value))
        if given is None:
            value = self._beside(value, own)
        elif given.rest != rest or given.lead > index.lead or not same_value(given.mask, own.mask):
            raise AsksForRows(given.place)
        else:
            value = self._whole(value)
        if value.dtype is not view.dtype:
            value = value.to(view.dtype)
        view.copy_(torch.where(mask, value, view))

    def _elementwise(self, call: Call, first: Picked, adjusts: bool) -> Any:
        """A call on whole tensors, whose result stands for what the mask picks of it."""
        whole = {id(t): self._whole(t) for t in call.tensors() if id(t) in self._picked}

        def put(value: Any) -> Any:
            if isinstance(value, Tensor):
                if id(value) in whole:
                    return whole[id(value)]
                return self._beside(value, first) if adjusts else value
            if isinstance(value, list | tuple):
                return type(value)(put(v) for v in value) if not hasattr(value, "_fields") else value
            return value

        args, kwargs = put(call.args), {k: put(v) for k, v in call.kwargs.items()}
        out = call.func(*args, **kwargs)
        for tensor in [t for t in call.tensors() if id(t) in whole]:
            self._nodes.move(tensor, self._nodes.node_of(whole[id(tensor)]))  # it may have been written to
            if out is whole[id(tensor)]:
                return tensor
        if not isinstance(out, Tensor):
            raise AsksForRows(first.place)
        return self._add(Picked(out, first.mask, first.lead, first.axes, first.rest, first.place))

    def _whole(self, tensor: Tensor) -> Tensor:
        """A tensor that stands for what a mask picks, as the whole tensor that it is."""
        with torch._C.DisableTorchFunction():
            whole: Tensor = torch.ops.aten.alias(tensor)
        self._nodes.stand_for(whole, self._nodes.node_of(tensor))
        return whole

    def _beside(self, tensor: Tensor, picked: Picked) -> Tensor:
        """A tensor in a shape that broadcasts with the whole as it does with what the mask picks."""
        with torch._C.DisableTorchFunction():
            shape = tuple(tensor.shape)
        rows = len(shape) - picked.rest - 1
        if rows < 0:
            return tensor
        if shape[rows] != 1 or rows > picked.lead:
            raise AsksForRows(picked.place)
        return (
            tensor[(*[slice(None)] * rows, *[None] * (picked.axes - 1), ...)] if picked.axes > 1 else tensor
        )


def _last_axes_read(call: Call, picked: int) -> int | None:
    """How many of the last axes a call mixes, 0 where it treats each element alone; None for all others.

    `picked` is the id of a tensor that the call is given.
    """
    if "out" in call.kwargs:
        return None
    if call.name in CASTS or call.name in KEPT_IDENTITIES or _is_pointwise(call.name):
        return 0
    bound = call_arguments(call.func, call.args, call.kwargs)
    if id(bound.get("input")) != picked or any(id(v) == picked for k, v in bound.items() if k != "input"):
        return None
    if call.name == "linear" or (call.name == "matmul" and bound["other"].dim() == 2):
        return 1
    if call.name in {"layer_norm", "rms_norm"}:
        return len(bound["normalized_shape"])
    dim = bound.get("dim")
    return -dim if call.name in {"softmax", "log_softmax"} and isinstance(dim, int) and dim < 0 else None


@functools.cache
def _is_pointwise(name: str) -> bool:
    """Whether torch says so of an op."""
    packet = getattr(torch.ops.aten, name, None)
    if not isinstance(packet, torch._ops.OpOverloadPacket):
        return False
    names = packet.overloads()  # type: ignore[no-untyped-call]
    return any(torch.Tag.pointwise in getattr(packet, name).tags for name in names)


def _divides_whole_numbers(call: Call) -> bool:
    """By zeros, it may be, that the mask leaves out: whole numbers have no infinity."""
    is_whole = not any(t.dtype.is_floating_point for t in call.tensors())
    return is_whole and call.name in {"div", "floor_divide", "remainder", "fmod", "pow"}


def same_value(a: fx.Node, b: fx.Node) -> bool:
    """Whether two nodes have one value: the same calls of the same."""
    stack, seen = [(a, b)], set()
    while stack:
        left, right = pair = stack.pop()
        if left is right or pair in seen:
            continue
        seen.add(pair)
        ours, theirs = left.all_input_nodes, right.all_input_nodes
        if left.op != "call_function" or _without_nodes(left) != _without_nodes(right):
            return False
        if op_name(left.target) in RANDOM or len(ours) != len(theirs):  # type: ignore[arg-type]
            return False
        stack += zip(ours, theirs, strict=True)
    return True


def _without_nodes(node: fx.Node) -> tuple[object, ...]:
    """What a node calls, and with what; of its nodes, which of them in the order of all_input_nodes."""
    order = {n: k for k, n in enumerate(node.all_input_nodes)}
    args = fx.node.map_arg((node.args, node.kwargs), lambda n: f"%{order[n]}")
    return (node.op, node.target, repr(args))
