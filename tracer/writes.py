"""In-place writes become new values: of the tensor, of its base where it is a view, and of their views."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import fx

from codegen.ir import Source
from codegen.problems import Problem
from tracer.calls import Call, tensors_in
from tracer.canonical import call_arguments
from tracer.nodes import Nodes
from tracer.op_facts import NOT_WRITES, SAME_ELEMENTS, SHARE_OR_COPY, TOUCHES_WEIGHTS
from tracer.user_code import Refusal
from tracer.views import Cut, View, overlaps, places_in, share_memory

Inverse = tuple[Callable[..., Any], tuple[Any, ...]]
"""The function and arguments that put a written view back into its base."""


def put_through(
    input: torch.Tensor,
    source: torch.Tensor,
    places: torch.Tensor,
    axes: Sequence[int],
    part_axes: Sequence[int],
) -> torch.Tensor:
    """An op of the IR alone: `input` with `source` at codegen.places.Places(axes, part_axes, places)."""
    raise NotImplementedError


class NeedsLayout(Exception):
    """Fake tensors may not lie in memory as real ones do, and it matters: the net is run on real ones."""


class Writes:
    """Knows the views of a run. `source` tells where the call stands that runs.

    Raises NeedsLayout where it hangs on how a fake tensor lies in memory what is written to: torch's
    functions for them do not always give the strides of real ones (roll).
    """

    def __init__(self, nodes: Nodes, source: Callable[[], Source], is_fake: bool = False) -> None:
        self._nodes = nodes
        self._is_fake = is_fake
        self._by_layout: set[int] = set()
        self._source = source
        self._views: dict[int, View] = {}
        self._cuts: dict[int, list[Cut]] = {}

    def note_views(
        self, call: Call, node: fx.Node, tensors: Sequence[torch.Tensor], outs: Sequence[torch.Tensor]
    ) -> None:
        """Remember which outputs of a call, recorded as `node`, share the memory of what it was given."""
        if self._is_fake and call.name in SHARE_OR_COPY:
            kept = (*tensors, *(view.base for t in tensors for view in self._path(t)), *outs)
            self._by_layout |= {id(t) for t in kept}
        bases = [next((t for t in tensors if share_memory(t, out)), None) for out in outs]
        for base in {id(b): b for b in bases if b is not None}.values():
            views = {k: out for k, out in enumerate(outs) if bases[k] is base}
            base_node = self._nodes.node_of(base)
            self._add(Cut(base, base_node, call, node.args, node.kwargs, tuple(outs), views))

    def _add(self, cut: Cut) -> None:
        self._cuts.setdefault(id(cut.base), []).append(cut)
        for index, tensor in cut.views.items():
            self._views[id(tensor)] = View(cut, index)

    def turn(self, call: Call, node: fx.Node, tensor: torch.Tensor, before: torch.Tensor) -> None:
        """`tensor` has another shape now, that of `node`, over the same memory; `before` is as it was.

        `before` takes its place among the views, and `tensor` is a view of it.
        """
        old = self._nodes.node_of(tensor)
        self._nodes.move(before, old)
        own = self._views.pop(id(tensor), None)
        if own is not None:
            views = {**own.cut.views, own.index: before}
            self._replace(own.cut, replace(own.cut, views=views))
        for cut in self._cuts.pop(id(tensor), []):
            self._add(replace(cut, base=before))
        self._nodes.tie(node, [tensor])
        if before.numel() and share_memory(
            before, tensor
        ):  # resize_() of an empty tensor gives it new memory
            self._add(Cut(before, old, call, node.args, node.kwargs, (tensor,), {0: tensor}))

    def _replace(self, cut: Cut, other: Cut) -> None:
        self._cuts[id(cut.base)].remove(cut)
        self._add(other)

    # A write ------------------------------------------------------------------------------------

    def write_all(self, call: Call, written: Sequence[torch.Tensor], node: fx.Node) -> None:
        """The tensors that a call has written to have the values of its node, which is tied to them."""
        if len(written) > 1 and "out" not in call.kwargs:
            what = f"{call.name}(), which writes to several tensors at once"
            raise Refusal(Problem("write-through-view", what, self._source(), "write to them one by one"))
        for tensor in written:
            if overlaps(tensor) and call.name not in {"fill", "zero"}:
                what = f"{call.name}() in place on a tensor of which several elements are one in memory"
                hint = "torch does not say what it gives: write to a clone() of the tensor"
                raise Refusal(Problem("write-through-view", what, self._source(), hint))
            self.write(tensor, self._nodes.made_by(tensor) or node)

    def write(self, tensor: torch.Tensor, node: fx.Node) -> None:
        """`tensor` now has the value of `node`; so have, in part, its base and its views.

        Raises Refusal for a view that cannot be put back into its base.
        """
        path = self._path(tensor)
        if {id(tensor), *(id(view.base) for view in path)} & self._by_layout:
            raise NeedsLayout
        self._set(tensor, node, None)
        shared = [place for place, view in enumerate(path) if overlaps(view.tensor)]
        if shared:  # which of the elements that are one was written to, the tensor itself alone tells
            top = path[shared[-1]]
            follows = any(view.cut.call.follows_batch for view in path)
            self._write_to(top.base, self._by_address(top.base, tensor, node), node, None, follows)
            path = path[shared[-1] + 1 :]
        for view in path:
            written = self._nodes.node_of(view.tensor)
            follows = view.cut.call.follows_batch
            self._write_to(view.base, self._inverse(view, written), written, view, follows)

    def _path(self, tensor: torch.Tensor) -> list[View]:
        """From the view that a tensor is, over those that it is cut out of, to one of what is no view."""
        path: list[View] = []
        while (view := self._views.get(id(tensor))) is not None:
            path.append(view)
            tensor = view.base
        return path

    def _write_to(
        self, base: torch.Tensor, inverse: Inverse, written: fx.Node, skip: View | None, follows: bool
    ) -> None:
        """The base of a view that was written to gets a value with the new part in it."""
        traced = self._nodes.node_of(base).meta["traced"] or written.meta["traced"]
        new = self._nodes.add_call(*inverse, {}, follows)
        self._nodes.describe(new, [base], traced)
        self._set(base, new, skip)

    def _set(self, tensor: torch.Tensor, node: fx.Node, skip: View | None) -> None:
        """A tensor has another value: its views, but `skip`, are cut out anew where they are read."""
        self._nodes.move(tensor, node)
        for cut in self._cuts.get(id(tensor), []):
            self._cut_anew(cut, functools.partial(_same, node), skip)

    def _cut_anew(self, cut: Cut, base: Callable[[], fx.Node], skip: View | None) -> None:
        """The views of a cut, and the views of these, are to be made of another value of its base."""

        @functools.cache
        def made() -> fx.Node:
            new = self._nodes.add_call(cut.call.func, *cut.arguments_of(base()), cut.call.follows_batch)
            self._nodes.describe(new, cut.outs, any(n.meta["traced"] for n in new.all_input_nodes))
            return new

        for index, view in cut.views.items():
            if skip is not None and view is skip.tensor:
                continue

            @functools.cache
            def of_view(index: int = index) -> fx.Node:
                return made() if len(cut.outs) == 1 else self._nodes.output(made(), index)

            self._nodes.move_later(view, of_view)
            for own in self._cuts.get(id(view), []):
                self._cut_anew(own, of_view, None)

    def _inverse(self, view: View, node: fx.Node) -> Inverse:
        """How the base of a view is written where the view has the value of `node`."""
        name, base = view.cut.call.name, self._nodes.node_of(view.base)
        if view.tensor.dtype is view.base.dtype:
            bound = call_arguments(view.cut.call.func, view.cut.args, view.cut.kwargs)
            place = bound["index"] if name == "getitem" else _place_in_base(view, bound)
            if place is not None:
                return torch.Tensor.__setitem__, (base, place, node)
            if name in SAME_ELEMENTS:
                return torch.reshape, (node, tuple(view.base.shape))
            inverse = _reordered(view, bound, node)
            if inverse is not None:
                return inverse
        return self._by_address(view.base, view.tensor, node)

    def _by_address(self, base: torch.Tensor, tensor: torch.Tensor, node: fx.Node) -> Inverse:
        """The elements of any view, put where they lie in memory."""
        places = places_in(base, tensor)
        if places is None:
            raise Refusal(
                Problem(
                    "write-through-view",
                    "an in-place write to a tensor that shares its memory with another in a way of its own",
                    self._source(),
                    "write to the whole tensor, or build the result with torch.cat or torch.where",
                )
            )
        constant = self._nodes.node_of(torch.from_numpy(places.flat))
        args = (self._nodes.node_of(base), node, constant, places.axes, places.part_axes)
        return put_through, args


def _place_in_base(view: View, bound: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The index of a view in its base; None for a view that is no range along one axis."""
    name, rank = view.cut.call.name, view.base.dim()
    if name in {"select", "narrow", "unbind"}:
        lead = [slice(None)] * (bound.get("dim", 0) % rank)
        if name == "unbind":
            return (*lead, view.index)
        if name == "select":
            return (*lead, bound["index"])
        end = bound["start"] + bound["length"]
        return (*lead, slice(bound["start"], None if bound["start"] < 0 and end == 0 else end))
    piece = view.piece() if len(view.cut.outs) > 1 else None
    return None if piece is None else (*[slice(None)] * piece[0], piece[1])


def _reordered(view: View, bound: Mapping[str, Any], node: fx.Node) -> Inverse | None:
    """The inverse of a view with its axes in another order; None for any other view."""
    name, rank = view.cut.call.name, view.base.dim()
    if name == "transpose":
        return torch.transpose, (node, *(v for k, v in bound.items() if k != "input"))
    if name == "mT" or (name in {"T", "t"} and rank == 2):
        return torch.transpose, (node, -2, -1)
    if name == "permute":
        order = [d % rank for d in bound["dims"]]
        return torch.permute, (node, tuple(order.index(i) for i in range(rank)))
    return None


def written_by(call: Call, tensors: Sequence[torch.Tensor], versions: Sequence[int]) -> list[torch.Tensor]:
    """The tensors that a call has written to; `versions` are those of `tensors` before it.

    Those that share memory count as one: Writes knows what a write to one does to the others.
    """
    if given := list(tensors_in(call.kwargs.get("out"))):
        return given
    named = call.writes_first or _is_operator_in_place(call.raw_name)
    if named and call.name not in NOT_WRITES and call.args and isinstance(call.args[0], torch.Tensor):
        return [call.args[0]]
    if call.name in TOUCHES_WEIGHTS:
        return []
    changed: list[torch.Tensor] = []
    for tensor, version in zip(tensors, versions, strict=True):
        if version_of(tensor) != version and not any(share_memory(tensor, c) for c in changed):
            changed.append(tensor)
    return changed


def _is_operator_in_place(raw_name: str) -> bool:
    if raw_name == "__setitem__":
        return True
    return raw_name.startswith("__i") and raw_name not in {"__invert__", "__index__", "__int__"}


def version_of(tensor: torch.Tensor) -> int:
    """How often a tensor was written to; tensors of inference mode do not count."""
    return 0 if tensor.is_inference() else tensor._version


def _same(node: fx.Node) -> fx.Node:
    return node
