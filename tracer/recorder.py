"""Every torch call of a run becomes a node of an fx.Graph."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode

from codegen.decompositions import Composite, NotWritten, composites
from codegen.ir import Frame, Source
from codegen.problems import Problem
from codegen.refusals import RANDOM
from codegen.rules import is_added
from tracer.canonical import call_arguments, op_name
from tracer.frames import is_library, output_of
from tracer.op_facts import (
    DATA_DEPENDENT,
    KEPT_IDENTITIES,
    NEW,
    NOT_WRITES,
    WAY_OUT,
    WAYS_OUT,
    made_anew,
    tensors_in,
)
from tracer.outputs import flatten_outputs, in_order, tap_hook
from tracer.statements import statement_at
from tracer.user_code import Refusal, deepest_user_line, file_of, forward_line, is_user_file, user_line
from tracer.user_functions import Helpers, without
from tracer.writes import View, aliases, version_of


@dataclass(frozen=True)
class Capture:
    """One recorded run.

    `graph` holds placeholders, `get_attr` nodes and calls; each node's `meta` has `types` (a tuple of
    (shape, dtype), one for each output), `source`, and, where the node depends on neither inputs nor
    parameters, `value`. `outputs` are the tensors that `forward` returned, flattened.
    """

    graph: fx.Graph
    outputs: tuple[fx.Node, ...]
    left_out: tuple[str, ...]


class _NeedsValues(Exception):
    """A function of torch's own checks values, which FakeTensors lack: the net is run on real tensors."""


class Recorder(TorchFunctionMode):
    """Records every torch call that yields a tensor, or writes to one."""

    def __init__(self, model: nn.Module, fake: FakeTensorMode | None, keep_values: bool = False) -> None:
        super().__init__()
        self.model = model
        self.fake = fake
        self.graph = fx.Graph()
        self.values: dict[str, list[torch.Tensor]] = {}
        self._keep_values = keep_values
        self._node_of: dict[int, fx.Node] = {}
        self._alive: list[Any] = []
        self._views: dict[int, View] = {}
        self._children: dict[int, list[View]] = {}
        self._frames: list[Frame] = []
        self._modules: list[nn.Module] = []
        self._calls: dict[int, int] = {}
        self._paths = {id(m): path for path, m in model.named_modules()}
        self._helpers = Helpers(is_user_file, Recorder.trace.__code__)
        self._attributes = dict(_attribute_tensors(model))
        self._keys: dict[int, list[str]] = {}
        for key, tensor in _state_tensors(model):
            self._keys.setdefault(id(tensor), []).append(key)

    # The run -----------------------------------------------------------------------------------

    def trace(self, inputs: Mapping[str, Any], taps: Sequence[str]) -> Capture:
        for name, value in inputs.items():
            if isinstance(value, torch.Tensor):
                node = self.graph.placeholder(name)
                self._remember(node, [value], None)
        caught: dict[str, list[fx.Node]] = {}
        hooks = [tap_hook(self.model, tap, caught, self._lookup) for tap in taps]
        hooks.append(nn.modules.module.register_module_forward_pre_hook(self._enter))
        hooks.append(nn.modules.module.register_module_forward_hook(self._leave, always_call=True))
        hooks += [
            module.register_forward_pre_hook(self._note_arguments, with_kwargs=True)
            for module in self.model.modules()
            if not is_library(type(module))  # a hook keeps some of torch's own from their usual way
        ]
        result = None
        try:
            with self:
                result = self.model(**inputs)
        except (DataDependentOutputException, DynamicOutputShapeException) as error:
            if not taps or len(caught) < len(set(taps)):
                raise self._data_dependent(str(error), error.__traceback__) from None
        except Refusal:
            # What comes after all taps need not be traced.
            if not taps or len(caught) < len(set(taps)):
                raise
        finally:
            for hook in hooks:
                hook.remove()
        tensors, left_out = flatten_outputs(result)
        outputs = tuple(in_order(caught, taps) if taps else [self._lookup(tensor) for _, tensor in tensors])
        self.graph.output(outputs)
        callers = self._helpers.callers()
        for node in self.graph.nodes:
            if "source" in node.meta:
                node.meta["source"] = without(node.meta["source"], callers)
        return Capture(self.graph, outputs, () if taps else tuple(left_out))

    def _enter(self, module: nn.Module, _args: Any) -> None:
        parent = self._frames[-1].path if self._frames else ""
        cls = type(module)
        unnamed = f"{parent}.{cls.__name__.lower()}" if parent else cls.__name__.lower()
        path = self._paths.get(id(module), unnamed)
        call = self._calls.get(id(module), 0)
        self._calls[id(module)] = call + 1
        self._helpers.calls_module(sys._getframe(1))
        file, line = user_line(sys._getframe(1), Recorder.trace.__code__) if self._frames else ("", 0)
        target = statement_at(file, line).target
        frame = Frame(path, cls.__name__, call, is_library(cls), file_of(module), target=target, line=line)
        self._frames.append(frame)
        self._modules.append(module)

    def _note_arguments(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        try:
            bound = inspect.signature(module.forward).bind(*args, **kwargs).arguments
        except (TypeError, ValueError):  # the call itself raises, with the better message
            return
        self._frames[-1] = replace(self._frames[-1], arguments=self._given(bound))

    def _given(self, bound: Mapping[str, Any]) -> tuple[tuple[str, str, int], ...]:
        """The traced tensors among arguments: the name of each, and what made it."""
        tensors = [(k, t) for k, v in bound.items() for t in (v if isinstance(v, list | tuple) else [v])]
        nodes = [(k, self._node_of.get(id(t))) for k, t in tensors if isinstance(t, torch.Tensor)]
        return tuple((k, *output_of(node)) for k, node in nodes if node is not None)

    def _leave(self, module: nn.Module, _args: Any, output: Any) -> None:
        frame = self._frames.pop()
        self._modules.pop()
        if isinstance(module, parametrize.ParametrizationList) and isinstance(output, torch.Tensor):
            owner, _, name = frame.path.partition(".parametrizations.")
            self._derive(
                output, f"{owner}.{name}" if _ else frame.path.removeprefix("parametrizations."), frame.path
            )

    def _derive(self, tensor: torch.Tensor, key: str, source: str) -> fx.Node:
        """A parameter that is computed from others (weight_norm, parametrizations) becomes one of its own."""
        node = self.graph.create_node("get_attr", key, (), {}, key)
        node.meta["keys"] = (key,)
        node.meta["derived"] = tuple(
            keys[0] for keys in self._keys.values() if keys[0].startswith((f"{source}.", f"{source}_"))
        )
        self._remember(node, [tensor], None)
        return node

    # Each call ---------------------------------------------------------------------------------

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = op_name(func)
        if name in {"getitem", "setitem"}:
            args = (args[0], _listed(args[1]), *args[2:])
        if name == "getitem":
            args = (args[0], self._without_masks(args[1]))
        tensors = list(tensors_in((args, kwargs)))
        if name in NEW and not any(self._is_traced(t) for t in tensors[1:]):
            name, func, args, kwargs = made_anew(name, *args, **kwargs)
            tensors = tensors[1:]
        if name in DATA_DEPENDENT and any(self._is_traced(t) for t in tensors):
            raise self._data_dependent(name, None)
        if name in composites() and not is_added(name) and not hasattr(func, "is_user_op"):
            with contextlib.suppress(NotWritten):
                return self._composed(composites()[name], func, args, kwargs)
        versions = [version_of(t) for t in tensors]
        recorded = self._to_nodes(args), self._to_nodes(kwargs)
        try:
            out = func(*args, **kwargs)
        except (DataDependentOutputException, DynamicOutputShapeException) as error:
            if self.fake is None or getattr(func, "__module__", "") != F.__name__:
                raise
            raise _NeedsValues(name) from error
        written = self._written(func, name, args, kwargs, tensors, versions)
        if name in KEPT_IDENTITIES and isinstance(out, torch.Tensor) and any(out is t for t in tensors):
            out = torch.ops.aten.alias(out)
        outs = list(tensors_in(out))
        if written is None and (not outs or all(any(o is t for t in tensors) for o in outs)):
            return out
        node = self._record(func, *recorded)
        if written is not None:
            self._remember(node, [written], tensors, name)
            self._write(written, node)
            return out
        self._remember(node, outs, tensors, name)
        self._note_views(func, args, kwargs, tensors, outs)
        return out

    def _composed(
        self, made: Composite, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """The result of an op that is written with others, which are recorded in its place."""
        raw = getattr(func, "__name__", "")
        target = args[0] if raw.endswith("_") and not raw.endswith("__") else kwargs.get("out")
        if target is not None and not isinstance(target, torch.Tensor):
            raise NotWritten
        try:
            bound = inspect.signature(made).bind(**call_arguments(func, args, kwargs))
        except TypeError:
            raise NotWritten from None
        with self:
            try:
                result = made(*bound.args, **bound.kwargs)
            except (RuntimeError, TypeError, ValueError, IndexError) as error:
                raise NotWritten from error  # torch's own op says what is wrong, or its rule
            if target is not None:
                return target.copy_(result)
        named = getattr(torch.return_types, raw, None)
        return named(result) if named is not None and isinstance(result, tuple) else result

    def _without_masks(self, index: Any) -> Any:
        """An index whose bool masks, where their values are known, are the places that they name."""
        items: list[Any] = []
        for item in index if isinstance(index, tuple) else (index,):
            mask = torch.tensor(item) if _is_bool_list(item) else item
            if isinstance(mask, torch.Tensor) and mask.dtype is torch.bool and not self._is_traced(mask):
                value = mask if item is not mask else self._lookup(mask).meta["value"][0]
                items += value.nonzero(as_tuple=True)
            else:
                items.append(item)
        return tuple(items) if isinstance(index, tuple) or len(items) > 1 else items[0]

    def _written(
        self,
        func: Callable[..., Any],
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        tensors: list[torch.Tensor],
        versions: list[int],
    ) -> torch.Tensor | None:
        """The tensor that the call wrote to, if any."""
        if isinstance(kwargs.get("out"), torch.Tensor):
            return kwargs["out"]  # type: ignore[no-any-return]
        raw = getattr(func, "__name__", "")
        in_place = raw == "__setitem__" or (
            raw.startswith("__i") and raw not in {"__invert__", "__index__", "__int__"}
        )
        in_place |= raw.endswith("_") and not raw.endswith("__")
        if in_place and name not in NOT_WRITES and args and isinstance(args[0], torch.Tensor):
            return args[0]
        for tensor, version in zip(tensors, versions, strict=True):
            if version_of(tensor) != version and name not in {
                "batch_norm",
                "instance_norm",
                "embedding",
                "embedding_bag",
            }:
                return tensor
        return None

    def _to_nodes(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return self._lookup(value)
        if isinstance(value, torch.Size):
            return tuple(value)
        if isinstance(value, tuple):
            return tuple(self._to_nodes(v) for v in value)
        if isinstance(value, list):
            return [self._to_nodes(v) for v in value]
        if isinstance(value, dict):
            return {k: self._to_nodes(v) for k, v in value.items()}
        if isinstance(value, slice):
            return slice(*(self._to_nodes(v) for v in (value.start, value.stop, value.step)))
        return value

    def _record(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> fx.Node:
        name = op_name(func)
        path = self._frames[-1].path if self._frames else ""
        node = self.graph.create_node("call_function", func, args, kwargs, f"{path}.{name}" if path else name)
        node.meta["source"] = self._source()
        return node

    def _remember(
        self, node: fx.Node, outs: list[torch.Tensor], read: list[torch.Tensor] | None, name: str = ""
    ) -> None:
        """Tie tensors to the node that made them; `read` None marks an input."""
        node.meta.setdefault("source", self._source())
        node.meta["types"] = tuple((tuple(o.shape), str(o.dtype).removeprefix("torch.")) for o in outs)
        node.meta["strides"] = tuple(o.stride() for o in outs)
        node.meta["traced"] = (
            (read is None and _any_elements(outs))
            or name in RANDOM
            or any(n.meta["traced"] for n in node.all_input_nodes)
            or (self.fake is not None and any(isinstance(o, FakeTensor) for o in outs))
        )
        if not node.meta["traced"]:
            node.meta["value"] = [o.detach().clone() for o in outs]
        if self._keep_values:
            self.values[node.name] = [o.detach().clone() for o in outs]
        for index, out in enumerate(outs):
            self._alive.append(out)
            self._node_of[id(out)] = node if len(outs) == 1 else self._item(node, index)

    def _item(self, node: fx.Node, index: int) -> fx.Node:
        item = self.graph.call_function(_getitem, (node, index))
        item.meta.update(
            source=node.meta["source"],
            traced=node.meta["traced"],
            types=(node.meta["types"][index],),
            strides=(node.meta["strides"][index],),
            item=(node, index),
        )
        if "value" in node.meta:
            item.meta["value"] = [node.meta["value"][index]]
        return item

    # Tensors and nodes -------------------------------------------------------------------------

    def _lookup(self, tensor: torch.Tensor) -> fx.Node:
        hooked = self._hooked_name(tensor)
        if hooked:
            return self._derive(tensor, hooked, hooked)
        node = self._node_of.get(id(tensor))
        if node is not None:
            return node
        if id(tensor) in self._keys:
            return self._state_node(tensor)
        if self.fake is not None and isinstance(tensor, FakeTensor):
            raise Refusal(
                Problem(
                    "untraceable-call",
                    "a tensor comes from a call that cannot be traced (compiled, scripted or autograd code)",
                    self._source(),
                    "write this part in plain torch calls",
                )
            )
        return self._constant_node(tensor)

    def _hooked_name(self, tensor: torch.Tensor) -> str:
        """The key of a weight that a forward hook (the old weight_norm and spectral_norm) leaves behind."""
        if not self._modules or self._node_of.get(id(tensor)) is None:
            return ""
        module = self._modules[-1]
        for hook in module._forward_pre_hooks.values():
            name = str(getattr(hook, "name", ""))
            if hasattr(hook, "compute_weight") and vars(module).get(name) is tensor:
                node = self._node_of[id(tensor)]
                return "" if "derived" in node.meta else f"{self._frames[-1].path}.{name}".lstrip(".")
        return ""

    def _state_node(self, tensor: torch.Tensor) -> fx.Node:
        keys = self._keys[id(tensor)]
        node = self.graph.create_node("get_attr", keys[0], (), {}, keys[0])
        node.meta["keys"] = tuple(keys)
        self._remember(node, [tensor], None)
        if not isinstance(tensor, nn.Parameter | FakeTensor):
            node.meta["traced"] = False
            node.meta["value"] = [tensor.detach()]
        return node

    def _constant_node(self, tensor: torch.Tensor) -> fx.Node:
        name = self._attributes.get(id(tensor), "constant")
        node = self.graph.create_node("get_attr", name, (), {}, name)
        node.meta["keys"] = ()
        self._remember(node, [tensor], [])
        return node

    def _is_traced(self, tensor: torch.Tensor) -> bool:
        return bool(self._lookup(tensor).meta["traced"])

    # Views and writes --------------------------------------------------------------------------

    def _note_views(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        tensors: list[torch.Tensor],
        outs: list[torch.Tensor],
    ) -> None:
        for index, out in enumerate(outs):
            base = next((t for t in tensors if aliases(t, out)), None)
            if base is None:
                continue
            view = View(base, out, func, args, kwargs, index, len(outs))
            self._views[id(out)] = view
            self._children.setdefault(id(base), []).append(view)

    def _write(self, tensor: torch.Tensor, node: fx.Node, skip: int = 0) -> None:
        """`tensor` now has the value of `node`; so have, in part, its base and its views."""
        self._node_of[id(tensor)] = node
        for view in self._children.get(id(tensor), []):
            if id(view.view) != skip:
                self._write_down(view)
        view_of = self._views.get(id(tensor))
        if view_of is not None:
            self._write_up(view_of, node)

    def _write_down(self, view: View) -> None:
        node = self._record(view.func, self._to_nodes(view.args), self._to_nodes(view.kwargs))
        outs: list[torch.Tensor] = [view.view] * view.count
        self._remember_again(node, view, outs)
        for child in self._children.get(id(view.view), []):
            self._write_down(child)

    def _remember_again(self, node: fx.Node, view: View, outs: list[torch.Tensor]) -> None:
        node.meta["types"] = tuple((tuple(o.shape), str(o.dtype).removeprefix("torch.")) for o in outs)
        node.meta["strides"] = tuple(o.stride() for o in outs)
        node.meta["traced"] = any(n.meta["traced"] for n in node.all_input_nodes)
        if not node.meta["traced"]:
            node.meta["value"] = [view.view.detach().clone()] * len(outs)
        if self._keep_values:
            self.values[node.name] = [view.view.detach().clone()] * len(outs)
        self._node_of[id(view.view)] = node if view.count == 1 else self._item(node, view.index)

    def _write_up(self, view: View, node: fx.Node) -> None:
        base = self._lookup(view.base)
        func, args = self._inverse(view, base, node)
        new = self._record(func, args, {})
        new.meta["types"] = base.meta["types"]
        new.meta["strides"] = base.meta["strides"]
        new.meta["traced"] = base.meta["traced"] or node.meta["traced"]
        if not new.meta["traced"]:
            new.meta["value"] = [view.base.detach().clone()]
        if self._keep_values:
            self.values[new.name] = [view.base.detach().clone()]
        self._write(view.base, new, skip=id(view.view))

    def _inverse(
        self, view: View, base: fx.Node, node: fx.Node
    ) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """The call that puts a written view back into its base."""
        name = op_name(view.func)
        bound = call_arguments(view.func, view.args, view.kwargs)
        rank = view.base.dim()
        if name == "getitem":
            return torch.Tensor.__setitem__, (base, self._to_nodes(bound["index"]), node)
        if name == "select":
            index = (*[slice(None)] * (bound["dim"] % rank), bound["index"])
            return torch.Tensor.__setitem__, (base, index, node)
        if name == "narrow":
            cut = slice(bound["start"], bound["start"] + bound["length"])
            return torch.Tensor.__setitem__, (base, (*[slice(None)] * (bound["dim"] % rank), cut), node)
        if name in {"chunk", "split", "unbind"}:
            dim = bound.get("dim", 0) % rank
            return torch.Tensor.__setitem__, (base, self._piece(view, name, dim), node)
        if name in {"transpose", "swapaxes", "swapdims"}:
            dims = [v for k, v in bound.items() if k != "input"]
            return torch.transpose, (node, *dims)
        if name in {"T", "t", "mT"}:
            return torch.transpose, (node, -2, -1)
        if name == "permute":
            dims = [d % rank for d in bound["dims"]]
            return torch.permute, (node, tuple(dims.index(i) for i in range(rank)))
        if (
            name
            in {"view", "reshape", "flatten", "unflatten", "unsqueeze", "squeeze", "contiguous", "view_as"}
            | {
                "detach",
                "data",
                "alias",
                "ravel",
            }
            | KEPT_IDENTITIES
        ):
            return torch.reshape, (node, tuple(view.base.shape))
        raise Refusal(
            Problem(
                "write-through-view",
                f"an in-place write to the result of {name}(), which shares its memory with another tensor",
                self._source(),
                "write to the whole tensor, or build the result with torch.cat or torch.where",
            )
        )

    @staticmethod
    def _piece(view: View, name: str, dim: int) -> tuple[Any, ...]:
        lead = [slice(None)] * dim
        if name == "unbind":
            return (*lead, view.index)
        step = view.base.stride(dim)
        start = (view.view.storage_offset() - view.base.storage_offset()) // step
        return (*lead, slice(start, start + view.view.shape[dim]))

    # Places ------------------------------------------------------------------------------------

    def _source(self) -> Source:
        frame = sys._getframe(1)
        file, line = user_line(frame, Recorder.trace.__code__)
        path = self._frames[-1].path if self._frames else ""
        frames = (*self._frames, *self._helpers.running(frame, path, self._given))
        return Source(
            path, file, line, frames, statement_at(*forward_line(frame, Recorder.trace.__code__)).target
        )

    def _data_dependent(self, name: str, traceback: Any) -> Refusal:
        source = self._source()
        if traceback is not None:
            file, line = deepest_user_line(traceback)
            source = dataclasses.replace(source, file=file, line=line)
        what = name.removeprefix("aten.").split(".")[0]
        what = {"__bool__": "bool()", "_local_scalar_dense": "item() or bool()"}.get(
            what, f"{what.strip('_')}()"
        )
        return Refusal(
            Problem(
                "data-dependent",
                f"the net looks at the values of a tensor ({what}): a symbol has one graph for all inputs",
                source,
                WAYS_OUT.get(what, WAY_OUT),
            )
        )


def _any_elements(tensors: Sequence[torch.Tensor]) -> bool:
    """False for empty tensors, whose values are known as they have none."""
    return any(t.numel() for t in tensors)


def _getitem(value: Any, index: int) -> Any:
    return value[index]


def _listed(index: Any) -> Any:
    """A list of numbers names places along the first axis; the IR would read it as one number for each axis."""
    return (index,) if isinstance(index, list) and not any(_is_cut(i) for i in index) else index


def _is_cut(item: Any) -> bool:
    return item is None or item is Ellipsis or isinstance(item, slice | torch.Tensor)


def _is_bool_list(item: Any) -> bool:
    return isinstance(item, list) and bool(item) and all(isinstance(v, bool) for v in item)


def _state_tensors(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Parameters and buffers, persistent or not, by name; a tied tensor comes once for each name."""
    yield from model.named_parameters(remove_duplicate=False)
    yield from model.named_buffers(remove_duplicate=False)


def _attribute_tensors(model: nn.Module) -> Iterator[tuple[int, str]]:
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, torch.Tensor):
                yield id(value), f"{path}.{name}" if path else name
