"""Where a call of torch stands: in which calls of modules, and on which of the user's lines."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import CodeType
from typing import Any

import torch
from torch import fx, nn

from codegen.ir import Frame, Source
from tracer.expressions import expression_of
from tracer.statements import statement_at
from tracer.targets import Key, Statements, key_of
from tracer.turns import Turns
from tracer.user_code import file_of, forward_line, user_frame, user_line
from tracer.user_functions import UserFunctions
from tracer.vision import is_layer
from tracer.words import Words


class Frames:
    """The module calls that run, outermost first.

    `made_by` gives the node that made a tensor, None for one that is not recorded. `end` is the code of the
    function that runs the net: what calls it is not the user's.
    """

    def __init__(
        self, model: nn.Module, made_by: Callable[[torch.Tensor], fx.Node | None], end: CodeType
    ) -> None:
        self._made_by = made_by
        self._end = end
        self._frames: list[Frame] = []
        self._modules: list[nn.Module] = []
        # For each that runs, the variables that what it returns is unpacked to; and what those held.
        self._targets: list[tuple[str, ...]] = []
        self._results: dict[Key, tuple[tuple[str, str, int], ...]] = {}
        self._statements = Statements()
        # What a frame is when the run is over, by its id, which is not given again while it is kept.
        self._ended: dict[int, tuple[Frame, Frame]] = {}
        # For each that runs, the functions whose turns were counted before it.
        self._known: list[int] = []
        # By path: the id of a module that forward makes is used again when it is gone.
        self._calls: Counter[str] = Counter()
        self._paths = {id(m): path for path, m in model.named_modules()}
        self._words = Words(is_library)
        self._turns = Turns(end)
        self._functions = UserFunctions(end, self._traced_arguments, self._turns)

    @property
    def path(self) -> str:
        """The path of the module that runs."""
        return self._frames[-1].path if self._frames else ""

    @property
    def module(self) -> nn.Module | None:
        """The module that runs."""
        return self._modules[-1] if self._modules else None

    def enter(self, module: nn.Module, _args: Any) -> None:
        """A forward pre-hook: the module begins to run."""
        cls = type(module)
        path = self._paths.get(id(module), f"{self.path}.{cls.__name__.lower()}".lstrip("."))
        call = self._calls[path]
        self._calls[path] += 1
        caller = sys._getframe(1)
        self._functions.calls_module(caller)
        file, line = user_line(caller, self._end) if self._frames else ("", 0)
        own = statement_at(file, line)
        frame = Frame(
            path,
            cls.__name__,
            call,
            is_library(cls),
            file_of(module),
            target=own.target,
            line=line,
            turns=self._turns.calling(caller, path),
            comment=own.comment,
            attributes=() if is_library(cls) else self._words.kept(module),
            words=() if is_library(cls) else self._words.of(module),
            inherited="" if is_library(cls) else inherited_forward(cls),
        )
        self._statements.enter(self._frames[-1] if self._frames else None, frame, own.text)
        self._frames.append(frame)
        self._modules.append(module)
        self._targets.append(own.targets)
        self._known.append(self._turns.known())

    def note_arguments(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A forward pre-hook after `enter`: what the module is called with."""
        try:
            bound = inspect.signature(module.forward).bind(*args, **kwargs).arguments
        except (TypeError, ValueError):  # the call itself raises, with the better message
            return
        self._frames[-1] = replace(self._frames[-1], arguments=self._traced_arguments(bound))

    def leave(self, output: Any) -> Frame:
        """The innermost module is done, and returns this."""
        self._modules.pop()
        self._turns.forget(self._known.pop())
        frame, targets = self._frames.pop(), self._targets.pop()
        if isinstance(output, list | tuple):
            names = targets if len(targets) == len(output) else ("",) * len(output)
            self._results[key_of(frame)] = self._traced(zip(names, output, strict=True))
            if not targets:
                self._statements.gives_a_list(frame)
        return frame

    def with_results(self, source: Source) -> Source:
        """The place of an op, with what the modules around it have returned: known when they are done."""
        is_told = source.frames and self._statements.is_variable_of(source.frames[-1])
        frames = tuple(map(self._as_known, source.frames))
        if frames == source.frames:
            return source
        is_inner = not is_told and bool(source.frames) and source.frames[-1].library
        return replace(source, frames=frames, is_inner=is_inner, target="" if is_inner else source.target)

    def _as_known(self, frame: Frame) -> Frame:
        """A call of a module with its results and its target, which are known when the run is over."""
        if id(frame) not in self._ended:
            ended = replace(frame, results=self._results.get(key_of(frame), ()))
            if not self._statements.is_variable_of(ended):
                ended = replace(ended, target="")
            self._ended[id(frame)] = frame, ended
        return self._ended[id(frame)][1]

    def source(self, op: str = "") -> Source:
        """Where the call stands that runs now; `op` is what it calls, where that is recorded."""
        caller = sys._getframe(1)
        file, line = user_line(caller, self._end)
        turns = self._turns.at(caller, op)
        frames = (*self._frames, *self._functions.running(caller, self.path))
        target = statement_at(*forward_line(caller, self._end)).target
        return Source(self.path, file, line, frames, target, turns=turns)

    def written(self) -> str:
        """What the user wrote for the call that runs now, `boxes[keep]`; '' where that is not known."""
        frame = user_frame(sys._getframe(1), self._end)
        return expression_of(frame.f_code, frame.f_lasti, frame.f_lineno) if frame is not None else ""

    def callers(self) -> frozenset[tuple[str, int]]:
        """(path, call) of the user's functions that call modules: known when the run is over."""
        return self._functions.callers()

    def _traced_arguments(self, bound: Mapping[str, Any]) -> tuple[tuple[str, str, int], ...]:
        """The recorded tensors among arguments: the name of each, and what made it."""
        values = ((k, v if isinstance(v, list | tuple) else [v]) for k, v in bound.items())
        return self._traced((k, tensor) for k, listed in values for tensor in listed)

    def _traced(self, tensors: Iterable[tuple[str, Any]]) -> tuple[tuple[str, str, int], ...]:
        """The recorded tensors among values: the name of each, and what made it."""
        nodes = [(k, self._made_by(t)) for k, t in tensors if isinstance(t, torch.Tensor)]
        return tuple((k, *output_of(node)) for k, node in nodes if node is not None)


def inherited_forward(cls: type) -> str:
    """The class of the same file whose forward a class runs, '' where that is its own, or from elsewhere."""
    home = next((base for base in cls.__mro__ if "forward" in vars(base)), cls)
    return home.__name__ if home is not cls and home.__module__ == cls.__module__ else ""


def is_library(cls: type) -> bool:
    """Whether a class is one of torch.nn's own, or a layer of one op of torchvision's."""
    return cls.__module__.startswith("torch.nn.") or is_layer(cls)


def output_of(node: fx.Node) -> tuple[str, int]:
    """The IR's name of a node, and which of its outputs."""
    if "item" in node.meta:
        maker, index = node.meta["item"]
        return str(maker.name), int(index)
    return str(node.target) if node.op == "placeholder" else node.name, 0
