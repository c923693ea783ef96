"""In-place writes become new values: of the tensor, of its base where it is a view, and of their views."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from codegen.ir import Source
from codegen.problems import Problem
from tracer.calls import Call
from tracer.canonical import call_arguments
from tracer.nodes import Nodes
from tracer.op_facts import NOT_WRITES, SAME_ELEMENTS, TOUCHES_WEIGHTS
from tracer.user_code import Refusal

Inverse = tuple[Callable[..., Any], tuple[Any, ...]]
"""The function and arguments that put a written view back into its base."""


@dataclass(frozen=True)
class View:
    """How a tensor was cut out of `base`: the call, and which of its outputs it is."""

    base: torch.Tensor
    view: torch.Tensor
    call: Call
    index: int
    count: int


class Writes:
    """Knows the views of a run. `source` tells where the call stands that runs."""

    def __init__(self, nodes: Nodes, source: Callable[[], Source]) -> None:
        self._nodes = nodes
        self._source = source
        self._views: dict[int, View] = {}
        self._views_of: dict[int, list[View]] = {}

    def note_views(self, call: Call, tensors: Sequence[torch.Tensor], outs: Sequence[torch.Tensor]) -> None:
        """Remember which outputs of a call share the memory of what it was given."""
        for index, out in enumerate(outs):
            base = next((t for t in tensors if _shares_memory(t, out)), None)
            if base is None:
                continue
            view = View(base, out, call, index, len(outs))
            self._views[id(out)] = view
            self._views_of.setdefault(id(base), []).append(view)

    def write(self, tensor: torch.Tensor, node: fx.Node, skip: int = 0) -> None:
        """`tensor` now has the value of `node`; so have, in part, its base and its views.

        `skip` is the id of the view from which the write comes. Raises Refusal for a view that cannot be put
        back into its base.
        """
        self._nodes.move(tensor, node)
        for view in self._views_of.get(id(tensor), []):
            if id(view.view) != skip:
                self._write_down(view)
        view_of = self._views.get(id(tensor))
        if view_of is not None:
            self._write_up(view_of, node)

    def _write_down(self, view: View) -> None:
        """The base of a view was written to: it is cut out anew, and its own views out of it."""
        nodes, call = self._nodes, view.call
        node = nodes.add_call(call.func, nodes.with_nodes(call.args), nodes.with_nodes(call.kwargs))
        traced = any(n.meta["traced"] for n in node.all_input_nodes)
        nodes.describe(node, [view.view] * view.count, traced)
        nodes.move(view.view, node if view.count == 1 else nodes.output(node, view.index))
        for inner in self._views_of.get(id(view.view), []):
            self._write_down(inner)

    def _write_up(self, view: View, node: fx.Node) -> None:
        """A view was written to: its base gets a value with the new part in it."""
        base = self._nodes.node_of(view.base)
        func, args = self._inverse(view, base, node)
        new = self._nodes.add_call(func, args, {})
        self._nodes.describe(new, [view.base], base.meta["traced"] or node.meta["traced"])
        self.write(view.base, new, skip=id(view.view))

    def _inverse(self, view: View, base: fx.Node, node: fx.Node) -> Inverse:
        name = view.call.name
        bound = call_arguments(view.call.func, view.call.args, view.call.kwargs)
        if name == "getitem":
            return torch.Tensor.__setitem__, (base, self._nodes.with_nodes(bound["index"]), node)
        place = _place_in_base(view, bound)
        if place is not None:
            return torch.Tensor.__setitem__, (base, place, node)
        if name in SAME_ELEMENTS:
            return torch.reshape, (node, tuple(view.base.shape))
        inverse = _reordered(view, bound, node)
        if inverse is not None:
            return inverse
        raise Refusal(
            Problem(
                "write-through-view",
                f"an in-place write to the result of {name}(), which shares its memory with another tensor",
                self._source(),
                "write to the whole tensor, or build the result with torch.cat or torch.where",
            )
        )


def _place_in_base(view: View, bound: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The index of a view in its base; None for a view that is no range along one axis."""
    name, rank = view.call.name, view.base.dim()
    if name == "select":
        return (*[slice(None)] * (bound["dim"] % rank), bound["index"])
    if name == "narrow":
        cut = slice(bound["start"], bound["start"] + bound["length"])
        return (*[slice(None)] * (bound["dim"] % rank), cut)
    if name not in {"chunk", "split", "unbind"}:
        return None
    axis = bound.get("dim", 0) % rank
    lead = [slice(None)] * axis
    if name == "unbind":
        return (*lead, view.index)
    start = (view.view.storage_offset() - view.base.storage_offset()) // view.base.stride(axis)
    return (*lead, slice(start, start + view.view.shape[axis]))


def _reordered(view: View, bound: Mapping[str, Any], node: fx.Node) -> Inverse | None:
    """The inverse of a view with its axes in another order; None for any other view."""
    name, rank = view.call.name, view.base.dim()
    if name in {"transpose", "swapaxes", "swapdims"}:
        return torch.transpose, (node, *(v for k, v in bound.items() if k != "input"))
    if name in {"T", "t", "mT"}:
        return torch.transpose, (node, -2, -1)
    if name == "permute":
        order = [d % rank for d in bound["dims"]]
        return torch.permute, (node, tuple(order.index(i) for i in range(rank)))
    return None


def written_by(call: Call, tensors: Sequence[torch.Tensor], versions: Sequence[int]) -> torch.Tensor | None:
    """The tensor that a call has written to, if any; `versions` are those of `tensors` before it."""
    if isinstance(call.kwargs.get("out"), torch.Tensor):
        return call.kwargs["out"]  # type: ignore[no-any-return]
    named = call.writes_first or _is_operator_in_place(call.raw_name)
    if named and call.name not in NOT_WRITES and call.args and isinstance(call.args[0], torch.Tensor):
        return call.args[0]
    if call.name in TOUCHES_WEIGHTS:
        return None
    changed = (t for t, version in zip(tensors, versions, strict=True) if version_of(t) != version)
    return next(changed, None)


def _is_operator_in_place(raw_name: str) -> bool:
    if raw_name == "__setitem__":
        return True
    return raw_name.startswith("__i") and raw_name not in {"__invert__", "__index__", "__int__"}


def version_of(tensor: torch.Tensor) -> int:
    """How often a tensor was written to; tensors of inference mode do not count."""
    return 0 if tensor.is_inference() else tensor._version


def _shares_memory(a: torch.Tensor, b: torch.Tensor) -> bool:
    try:
        return bool(torch._C._is_alias_of(a, b))  # type: ignore[attr-defined]
    except (RuntimeError, NotImplementedError):
        return False
