"""What the modules of a net give, by forward hooks: of a net whose calls cannot be recorded.

Each call of a module becomes a node, as a call of torch would be. What forward computes between two modules
is known by what reaches the next one: that is a node too, which stands for all that happens there.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType

import numpy as np
import torch
from torch import nn

from codegen.ir import Node, Ref, Source, TensorType
from codegen.proof.port import Array
from codegen.proof.run import as_numpy
from tracer.capture import called
from tracer.copies import module_copy
from tracer.outputs import flatten_outputs
from tracer.settings import traced_settings
from tracer.user_code import user_line


@dataclass(frozen=True)
class Values:
    """The nodes in the order in which they ran, and what each gives."""

    nodes: tuple[Node, ...]
    values: Mapping[str, tuple[Array, ...]]


def values_by_modules(model: nn.Module, inputs: Mapping[str, torch.Tensor]) -> Values:
    """Run the net on inputs. UserModelError where it raises."""
    copied = module_copy(model)
    watch = _Watch(values_by_modules.__code__)
    own = {name: tensor.clone() for name, tensor in inputs.items()}
    for name, tensor in own.items():
        watch.add(name, "input", (), [tensor], Source())
    for path, module in copied.named_modules():
        if path:
            begins, ends = _hooks(watch, path)
            module.register_forward_pre_hook(begins, with_kwargs=True)
            module.register_forward_hook(ends)
    with traced_settings(), torch.no_grad():
        result = called(copied, own)
    for tensor in (tensor for _, tensor in flatten_outputs(result)[0]):
        watch.reach(tensor, "the end", Source())
    return Values(tuple(watch.nodes), watch.values)


def _hooks(watch: _Watch, path: str) -> tuple[Callable[..., None], Callable[..., None]]:
    """What is called before a module runs, when its input is not yet written to, and after it."""

    def begins(_module: nn.Module, args: object, kwargs: object) -> None:
        watch.given[path] = [watch.reach(tensor, path, source()) for tensor in _tensors((args, kwargs))]

    def ends(module: nn.Module, _args: object, output: object) -> None:
        watch.ran(path, module, list(_tensors(output)), source())

    def source() -> Source:
        return Source(path, *user_line(sys._getframe(2), watch.end))

    return begins, ends


def _tensors(value: object) -> Iterator[torch.Tensor]:
    yield from (tensor for _, tensor in flatten_outputs(value)[0])


@dataclass
class _Watch:
    """What ran so far.

    `end` is the code beyond which no line is the user's; `given` tells what the modules read that run now.
    """

    end: CodeType
    nodes: list[Node] = field(default_factory=list)
    values: dict[str, tuple[Array, ...]] = field(default_factory=dict)
    given: dict[str, list[Ref]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    # By id, which is not given again while the tensor is kept: the node that gave it, and what it was then.
    made: dict[int, tuple[torch.Tensor, Ref, Array]] = field(default_factory=dict)

    def ran(self, path: str, module: nn.Module, made: Sequence[torch.Tensor], source: Source) -> None:
        """A module ran: one of others that gives what the last of them gave is no node of its own."""
        given, is_outer = self.given.pop(path), any(True for _ in module.children())
        if not made or (is_outer and all(self._known(tensor) is not None for tensor in made)):
            return
        refs = [*given, *self._last()] if is_outer else given
        args = [(f"input{place}", ref) for place, ref in enumerate(dict.fromkeys(refs))]
        read = {node.name for node in self.nodes} if is_outer else set()
        for name, _ in (*module.named_parameters(), *module.named_buffers()):
            if f"weight {path}.{name}" not in read:  # those of inner modules that ran by themselves
                args.append((name, self._weight(f"{path}.{name}")))
        self.add(self._name(path), type(module).__name__, tuple(args), made, source)

    def _last(self) -> list[Ref]:
        return [Ref(self.nodes[-1].name)] if self.nodes else []

    def reach(self, tensor: torch.Tensor, what: str, source: Source) -> Ref:
        """Where a tensor comes from: of one that no module gave, a node for what forward did before."""
        known = self._known(tensor)
        if known is not None:
            return known
        args = tuple(("input0", ref) for ref in self._last())
        op = f"what forward does before {what}"
        return self.add(self._name(f"before {what}"), op, args, [tensor], source)

    def add(
        self,
        name: str,
        op: str,
        args: tuple[tuple[str, Ref], ...],
        made: Sequence[torch.Tensor],
        source: Source,
    ) -> Ref:
        """A node, and what it gives, as it is now: what follows may write to it."""
        arrays = tuple(np.array(as_numpy(tensor.cpu())) for tensor in made)
        types = tuple(TensorType(array.shape, str(array.dtype)) for array in arrays)
        self.nodes.append(Node(name, op, args, types, source))
        self.values[name] = arrays
        for index, (tensor, array) in enumerate(zip(made, arrays, strict=True)):
            self.made[id(tensor)] = tensor, Ref(name, index), array
        return Ref(name)

    def _known(self, tensor: torch.Tensor) -> Ref | None:
        """The node that gave a tensor, where nothing was written to it since."""
        _, ref, value = self.made.get(id(tensor), (None, None, None))
        is_same = value is not None and np.array_equal(value, as_numpy(tensor.cpu()), equal_nan=True)
        return ref if is_same else None

    def _name(self, name: str) -> str:
        """A name of its own for each call."""
        self.calls[name] += 1
        return name if self.calls[name] == 1 else f"{name}, call {self.calls[name]}"

    def _weight(self, key: str) -> Ref:
        name = f"weight {key}"
        if not any(node.name == name for node in self.nodes):
            place = next((n for n, node in enumerate(self.nodes) if node.op != "input"), len(self.nodes))
            self.nodes.insert(place, Node(name, "param", (("key", key),), (), Source()))
        return Ref(name)
