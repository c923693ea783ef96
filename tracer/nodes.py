"""The graph of a run as it grows, and which node holds the value of each tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.fx.node import map_arg

from codegen.problems import Problem
from tracer.canonical import op_name
from tracer.frames import Frames
from tracer.known_values import array_of
from tracer.user_code import Refusal

LISTS = (list, tuple)


class Nodes:
    """Ties the tensors of a run to nodes of an fx.Graph, whose `meta` is that of tracer.recorder.Capture.

    With `keep_values`, `values` holds what every node gave: its name -> one tensor for each output.
    """

    def __init__(
        self, model: nn.Module, fake: FakeTensorMode | None, frames: Frames, keep_values: bool
    ) -> None:
        self.graph = fx.Graph()
        self.values: dict[str, list[torch.Tensor]] = {}
        self._keep_values = keep_values
        self._fake = fake
        self._frames = frames
        self._node_of: dict[int, fx.Node] = {}
        # What makes the node of a tensor that has changed, once it is read.
        self._pending: dict[int, Callable[[], fx.Node]] = {}
        # An id is not given again while its tensor lives.
        self._alive: list[torch.Tensor] = []
        self._attributes = dict(_attribute_tensors(model))
        # The weights that are computed from others, by the first call that computed each.
        self._derived: dict[fx.Node | str, fx.Node] = {}
        self._alike: dict[str, fx.Node] = {}
        self._keys: dict[int, list[str]] = {}
        for key, tensor in _state_tensors(model):
            self._keys.setdefault(id(tensor), []).append(key)

    # From tensors to nodes ---------------------------------------------------------------------

    def made_by(self, tensor: torch.Tensor) -> fx.Node | None:
        """The node whose value a tensor has, None where it has none yet."""
        pending = self._pending.pop(id(tensor), None)
        if pending is not None:
            with torch._C.DisableTorchFunction():  # a hook may ask, in which calls are recorded
                self._node_of[id(tensor)] = pending()
        return self._node_of.get(id(tensor))

    def node_of(self, tensor: torch.Tensor) -> fx.Node:
        """The node whose value a tensor has; parameters, buffers and constants get theirs when they are read.

        Raises Refusal for a tensor that comes from a call that was not recorded.
        """
        hooked = self._hooked_name(tensor)
        if hooked:
            return self.derive(tensor, hooked, hooked)
        node = self.made_by(tensor)
        if node is not None:
            return node
        if id(tensor) in self._keys:
            return self._state_node(tensor)
        if self._fake is not None and isinstance(tensor, FakeTensor):
            raise Refusal(
                Problem(
                    "untraceable-call",
                    "a tensor comes from a call that cannot be traced (compiled, scripted or autograd code)",
                    self._frames.source(),
                    "write this part in plain torch calls",
                )
            )
        return self._constant_node(tensor)

    def with_nodes(self, value: Any) -> Any:
        """A value, and all inside it, with a node in the place of each tensor."""
        if isinstance(value, torch.Tensor):
            return self.node_of(value)
        if isinstance(value, torch.Size):
            return tuple(value)
        if isinstance(value, tuple):
            return tuple(self.with_nodes(v) for v in value)
        if isinstance(value, list):
            return [self.with_nodes(v) for v in value]
        if isinstance(value, dict):
            return {k: self.with_nodes(v) for k, v in value.items()}
        if isinstance(value, slice):
            return slice(*(self.with_nodes(v) for v in (value.start, value.stop, value.step)))
        return value

    def is_traced(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor's value depends on inputs or parameters, or is drawn."""
        return bool(self.node_of(tensor).meta["traced"])

    def _hooked_name(self, tensor: torch.Tensor) -> str:
        """The key of a weight that a forward hook (the old weight_norm and spectral_norm) leaves behind."""
        module, node = self._frames.module, self.made_by(tensor)
        if module is None or node is None:
            return ""
        for hook in module._forward_pre_hooks.values():
            name = str(getattr(hook, "name", ""))
            if hasattr(hook, "compute_weight") and vars(module).get(name) is tensor:
                return "" if "derived" in node.meta else f"{self._frames.path}.{name}".lstrip(".")
        return ""

    # New nodes ---------------------------------------------------------------------------------

    def add_input(self, name: str, tensor: torch.Tensor) -> None:
        self.tie(self.graph.placeholder(name), [tensor], is_given=True)

    def add_call(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        follows_batch: bool = False,
    ) -> fx.Node:
        """A call, whose arguments hold nodes for tensors; `follows_batch` tells that their sizes do."""
        name, path = op_name(func), self._frames.path
        node = self.graph.create_node("call_function", func, args, kwargs, f"{path}.{name}" if path else name)
        node.meta["source"] = self._frames.source(name)
        node.meta["follows_batch"] = follows_batch or any(map(follows, node.all_input_nodes))
        return node

    def derive(self, tensor: torch.Tensor, key: str, source: str) -> fx.Node:
        """A weight that is computed from others (weight_norm, parametrizations) becomes a parameter.

        The others are those whose keys begin with `source`. What computes the same from the same again (a
        module that is called again, one whose weights are tied) gets the same parameter.
        """
        made = self.made_by(tensor)
        formula = self._first_alike(made) if made is not None else key
        if formula in self._derived:
            self._alive.append(tensor)
            self.move(tensor, self._derived[formula])
            return self._derived[formula]
        if made is not None and any(node.target == key for node in self._derived.values()):
            return made  # computed in another way than before: the key holds one weight alone
        node = self._derived[formula] = self.graph.create_node("get_attr", key, (), {}, key)
        start = (f"{source}.", f"{source}_")
        sources = [keys for keys in self._keys.values() if any(k.startswith(start) for k in keys)]
        node.meta["keys"] = (key,)
        node.meta["derived"] = tuple(k for keys in sources for k in keys)
        self.tie(node, [tensor], is_given=True)
        return node

    def _first_alike(self, node: fx.Node) -> fx.Node:
        """The first node that calls the same on the same, all the way up to parameters and inputs."""
        found: dict[fx.Node, fx.Node] = {}
        stack = [node]
        while stack:
            missing = [n for n in stack[-1].all_input_nodes if n not in found]
            if missing:
                stack += missing
                continue
            current = stack.pop()
            args, kwargs = map_arg((current.args, current.kwargs), found.__getitem__)
            is_call = current.op == "call_function"
            called = repr((current.target, args, kwargs) if is_call else _leaf_text(current))
            found[current] = self._alike.setdefault(called, current)
        return found[node]

    def _state_node(self, tensor: torch.Tensor) -> fx.Node:
        keys = self._keys[id(tensor)]
        node = self.graph.create_node("get_attr", keys[0], (), {}, keys[0])
        node.meta["keys"] = tuple(keys)
        self.tie(node, [tensor], is_given=True)
        if not isinstance(tensor, nn.Parameter | FakeTensor):
            node.meta["traced"] = False
            node.meta["value"] = [_dense(tensor)]
        return node

    def _constant_node(self, tensor: torch.Tensor) -> fx.Node:
        name = self._attributes.get(id(tensor), "constant")
        node = self.graph.create_node("get_attr", name, (), {}, name)
        node.meta["keys"] = ()
        if id(tensor) in self._attributes:
            node.meta["attribute"] = name
        self.tie(node, [tensor])
        return node

    # From nodes to tensors ---------------------------------------------------------------------

    def tie(
        self, node: fx.Node, outs: Sequence[torch.Tensor], is_given: bool = False, is_drawn: bool = False
    ) -> None:
        """Tie tensors to the node that made them. Inputs and parameters are given, random numbers drawn."""
        if "source" not in node.meta:
            node.meta["source"] = self._frames.source()
        traced = (
            (is_given and any(o.numel() for o in outs))  # of an empty tensor there is no value to know
            or is_drawn
            or any(n.meta["traced"] for n in node.all_input_nodes)
            or (self._fake is not None and any(isinstance(o, FakeTensor) for o in outs))
        )
        self.describe(node, outs, traced)
        for index, out in enumerate(outs):
            self._alive.append(out)
            self.move(out, node if len(outs) == 1 else self.output(node, index))

    def move(self, tensor: torch.Tensor, node: fx.Node) -> None:
        """A tensor that was written to now has the value of another node."""
        self._pending.pop(id(tensor), None)
        self._node_of[id(tensor)] = node

    def move_later(self, tensor: torch.Tensor, make: Callable[[], fx.Node]) -> None:
        """A tensor that was written to has the value of a node that is made when it is read."""
        self._pending[id(tensor)] = make

    def stand_for(self, tensor: torch.Tensor, node: fx.Node) -> None:
        """A tensor that no recorded call made has the value of a node."""
        self._alive.append(tensor)
        self.move(tensor, node)

    def describe(self, node: fx.Node, outs: Sequence[torch.Tensor], traced: bool) -> None:
        """Note what a node gives."""
        node.meta["types"] = tuple((tuple(o.shape), str(o.dtype).removeprefix("torch.")) for o in outs)
        node.meta["strides"] = tuple(o.stride() if o.layout is torch.strided else () for o in outs)
        node.meta["offsets"] = tuple(o.storage_offset() if o.layout is torch.strided else 0 for o in outs)
        node.meta["traced"] = traced
        if not traced:
            node.meta["value"] = [_dense(o).clone() for o in outs]
        if self._keep_values:
            self.values[node.name] = [o.detach().clone() for o in outs]

    def output(self, node: fx.Node, index: int) -> fx.Node:
        """A node for one output of a call that has several."""
        output = self.graph.call_function(_getitem, (node, index))
        output.meta.update(
            source=node.meta["source"],
            traced=node.meta["traced"],
            types=(node.meta["types"][index],),
            strides=(node.meta["strides"][index],),
            offsets=(node.meta["offsets"][index],),
            item=(node, index),
        )
        if "value" in node.meta:
            output.meta["value"] = [node.meta["value"][index]]
        return output


def _dense(tensor: torch.Tensor) -> torch.Tensor:
    """The values of a tensor, which may be stored as a sparse one."""
    values = tensor.detach()
    return values if values.layout is torch.strided else values.to_dense()


def follows(node: fx.Node) -> bool:
    """Whether sizes that follow the batch have gone into a node, as far as is known."""
    call = node.meta["item"][0] if "item" in node.meta else node
    return bool(call.meta.get("follows_batch"))


def _getitem(value: Any, index: int) -> Any:
    return value[index]


def _leaf_text(node: fx.Node) -> tuple[object, ...]:
    """What tells a leaf from others: a constant that forward makes again is the same one."""
    if node.meta["traced"] or node.meta.get("keys"):
        return (node.name,)
    array = array_of(node.meta["value"][0])
    return (array.dtype, array.shape, array.tobytes())


def _state_tensors(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Parameters and buffers, persistent or not, by name; a tied tensor comes once for each name."""
    yield from model.named_parameters(remove_duplicate=False)
    yield from model.named_buffers(remove_duplicate=False)


def _attribute_tensors(model: nn.Module) -> Iterator[tuple[int, str]]:
    """The id and path of each tensor that a module keeps, and that is neither parameter nor buffer.

    Those of a list or a dict are `grid_0`, `grid_1`.
    """
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            start = f"{path}.{name}" if path else name
            if isinstance(value, torch.Tensor):
                yield id(value), start
            elif not name.startswith("_"):
                yield from ((id(item), f"{start}_{key}") for key, item in _items(value))


def _items(value: Any) -> Iterator[tuple[object, torch.Tensor]]:
    """The tensors of a list or a dict, by their places."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if type(value) in LISTS else ()
    yield from ((key, item) for key, item in pairs if isinstance(item, torch.Tensor))
