"""Every torch call of a run becomes a node of an fx.Graph."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode

from codegen.decompositions import NotWritten
from codegen.problems import Problem
from codegen.refusals import RANDOM
from tracer.batch_sizes import Mismatch
from tracer.batch_symbol import Questions, in_symbols
from tracer.calls import Call, call_of, is_copy, made_anew, mask_of, tensors_in
from tracer.canonical import CASTS
from tracer.captured import Capture, Earlier
from tracer.chances import Chances
from tracer.changes import changes, state_of
from tracer.dropped import recorded_drop
from tracer.frames import Frames, is_library
from tracer.known_values import cuts_at, is_alike
from tracer.lengths import Lengths
from tracer.looked_at import looked_at
from tracer.masked import AsksForRows, Masked
from tracer.nodes import Nodes, follows
from tracer.op_facts import (
    AUTOCAST,
    BY_LAYOUT,
    DATA_DEPENDENT,
    KEPT_IDENTITIES,
    NEW,
    SCRIPTED,
)
from tracer.op_homes import decomposition_of
from tracer.outputs import flatten_outputs, has_names, in_order, tap_hook
from tracer.shown_ops import ShownOps
from tracer.stopped import Done
from tracer.ufuncs import as_torch_calls
from tracer.user_code import Refusal
from tracer.user_functions import without_functions
from tracer.views import turns_in_place
from tracer.wrappers import is_scripted
from tracer.writes import Writes, version_of, written_by


class _NeedsValues(Exception):
    """A function of torch's own checks values, which FakeTensors lack: the net is run on real tensors."""


class Recorder(TorchFunctionMode):
    """Records every torch call that yields a tensor, or writes to one.

    `fake` is the mode of the net's parameters and inputs where these are FakeTensors. With `earlier`,
    sizes that follow the batch are BatchSizes to the net. `trusted`: FakeTensors lie in memory as they say.
    `chance` is what random numbers answer to the net where it asks them.
    """

    def __init__(
        self,
        model: nn.Module,
        fake: FakeTensorMode | None,
        keep_values: bool = False,
        earlier: Earlier | None = None,
        trusted: bool = False,
        chance: bool | None = None,
    ) -> None:
        super().__init__()
        self._model = model
        self._fake = fake
        self._frames = Frames(model, self._made_by, Recorder.trace.__code__)
        self._nodes = Nodes(model, fake, self._frames, keep_values)
        self._writes = Writes(self._nodes, self._frames.source, fake is not None and not trusted)
        self._masked = Masked(self._nodes, self._frames)
        self._earlier = earlier
        self._questions = Questions(self._frames.source)
        self._answers: list[tuple[str, Any]] = []
        self._lengths = Lengths()
        self._done = Done([path for path, _ in model.named_modules()])
        self._chances = Chances(chance, self._frames.source)
        self._within_follower = False

    @property
    def values(self) -> Mapping[str, list[torch.Tensor]]:
        """What every node gave, with `keep_values`: its name -> one tensor for each output."""
        return self._nodes.values

    def _made_by(self, tensor: torch.Tensor) -> fx.Node | None:
        return self._nodes.made_by(tensor)

    # The run -----------------------------------------------------------------------------------

    def trace(self, inputs: Mapping[str, Any], taps: Sequence[str]) -> Capture:
        """Run the net. With `taps`, the outputs of these modules take the place of the net's.

        Raises Refusal for what cannot be recorded, unless it comes after all taps.
        """
        try:
            return self._traced(inputs, taps)
        except Refusal as refusal:
            refusal.done = self._done.last(self._nodes.made_by, self._masked.picks)
            raise

    def _traced(self, inputs: Mapping[str, Any], taps: Sequence[str]) -> Capture:
        for name, value in inputs.items():
            if isinstance(value, torch.Tensor):
                self._nodes.add_input(name, value)
        caught: dict[str, list[fx.Node]] = {}
        hooks = self._hooks(taps, caught)
        before = state_of(self._model)
        result = None
        try:
            shown = contextlib.nullcontext() if self._fake is not None else ShownOps()  # type: ignore[no-untyped-call]
            with shown, self._lengths.answered(), as_torch_calls(), self:
                result = self._model(**inputs)
        except (DataDependentOutputException, DynamicOutputShapeException) as error:
            if not taps or len(caught) < len(set(taps)):
                raise looked_at(str(error), self._frames.source(), error.__traceback__) from None
        except Refusal:
            if not taps or len(caught) < len(set(taps)):
                raise
        finally:
            for hook in hooks:
                hook.remove()
        return replace(self._capture(result, taps, caught), changed=changes(before, self._model))

    def _hooks(self, taps: Sequence[str], caught: dict[str, list[fx.Node]]) -> list[Any]:
        of_every_module = nn.modules.module
        return [
            *(tap_hook(self._model, tap, caught, self._given_out) for tap in taps),
            of_every_module.register_module_forward_pre_hook(self._enter),
            of_every_module.register_module_forward_hook(self._leave, always_call=True),
            *(
                module.register_forward_pre_hook(self._frames.note_arguments, with_kwargs=True)
                for module in self._model.modules()
                if not (
                    is_library(type(module)) or is_scripted(module)
                )  # a hook keeps some of torch's own from their usual way
            ),
        ]

    def _enter(self, module: nn.Module, args: Any) -> None:
        """A forward pre-hook: the module begins to run. Refusal where it does so without Python."""
        self._frames.enter(module, args)
        if is_scripted(module):
            raise Refusal(Problem("scripted", SCRIPTED[0], self._frames.source(), SCRIPTED[1]))

    def _leave(self, module: nn.Module, args: Any, output: Any) -> Any:
        """A forward hook: the module is done; a parametrization has computed a parameter."""
        dropped = recorded_drop(module, args, output, self._nodes, self._writes)
        path = self._frames.leave(output).path
        self._done.add(path, output)
        if isinstance(module, parametrize.ParametrizationList) and isinstance(output, torch.Tensor):
            owner, found, name = path.partition(".parametrizations.")
            key = f"{owner}.{name}" if found else path.removeprefix("parametrizations.")
            self._nodes.derive(output, key, path)
        return dropped

    def _capture(self, result: Any, taps: Sequence[str], caught: Mapping[str, list[fx.Node]]) -> Capture:
        tensors, left_out = flatten_outputs(result)
        nodes = in_order(caught, taps) if taps else [self._given_out(tensor) for _, tensor in tensors]
        graph, outputs = self._nodes.graph, tuple(nodes)
        graph.output(outputs)
        callers = self._frames.callers()
        for node in graph.nodes:
            if "source" in node.meta:
                source = without_functions(node.meta["source"], callers)
                node.meta["source"] = self._frames.with_results(source)
        return Capture(
            graph,
            outputs,
            () if taps else tuple(left_out),
            answers=tuple(self._answers),
            questions=tuple(self._questions.asked),
            output_names=() if taps or not has_names(result) else tuple(name for name, _ in tensors),
            decided=tuple(self._chances.decided),
        )

    # Each call ---------------------------------------------------------------------------------

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        call = call_of(func, args, kwargs or {})
        if self._within_follower:
            call = replace(call, follows_batch=True)
        if call.name == "getitem":
            call = replace(call, args=(call.args[0], self._without_masks(call.args[1])))
        if self._masked.covers(call):
            return self._of_masked(call)
        if is_copy(call) or (
            call.name in NEW and not any(self._nodes.is_traced(t) for t in call.tensors()[1:])
        ):
            call = made_anew(call)
        if call.name in DATA_DEPENDENT and any(self._nodes.is_traced(t) for t in call.tensors()):
            answer = self._chances.answered(call.name, self._nodes.node_of(call.tensors()[0]))
            if answer is not None:
                return answer
            raise looked_at(call.name, self._frames.source(), None)
        decomposition = decomposition_of(call)
        if decomposition is not None:
            with contextlib.suppress(NotWritten):
                return self._decomposed(decomposition, call)
        return self._recorded(call)

    def _of_masked(self, call: Call) -> Any:
        """The result of a call on what a mask picks, which is recorded as calls on whole tensors."""
        within, self._within_follower = self._within_follower, self._within_follower or call.follows_batch
        try:
            with self:
                return self._masked.result(call)
        except AsksForRows as error:
            raise looked_at("index", error.place.source, None, error.place.written) from None
        finally:
            self._within_follower = within

    def _given_out(self, tensor: torch.Tensor) -> fx.Node:
        """The node of a tensor that leaves the net."""
        try:
            self._masked.check_shape_known(tensor)
        except AsksForRows as error:
            raise looked_at("index", error.place.source, None, error.place.written) from None
        return self._nodes.node_of(tensor)

    def _recorded(self, call: Call) -> Any:
        """The result of a call, which becomes a node."""
        tensors = call.tensors()
        versions = [version_of(t) for t in tensors]
        args, kwargs = self._nodes.with_nodes(call.args), self._nodes.with_nodes(call.kwargs)
        before = torch.ops.aten.alias(tensors[0]) if turns_in_place(call.raw_name) else None
        out = self._run(call)
        self._check_autocast(call, tensors, out)
        written = written_by(call, tensors, versions)
        if (
            call.name in KEPT_IDENTITIES | BY_LAYOUT
            and isinstance(out, torch.Tensor)
            and any(out is t for t in tensors)
        ):
            out = torch.ops.aten.alias(out)
        outs = list(tensors_in(out))
        if not written and (not outs or all(any(o is t for t in tensors) for o in outs)):
            return out if outs else self._answer(call, out)
        node = self._nodes.add_call(call.func, args, kwargs, call.follows_batch)
        if before is not None:
            self._writes.turn(call, node, tensors[0], before)
            return out
        if written:
            self._nodes.tie(node, written, is_drawn=call.name in RANDOM)
            self._writes.write_all(call, written, node)
            return out
        self._nodes.tie(node, outs, is_drawn=call.name in RANDOM)
        self._writes.note_views(call, node, tensors, outs)
        return out

    def _answer(self, call: Call, out: Any) -> Any:
        """What a call says that gives no tensor; sizes that follow the batch are BatchSizes."""
        place = len(self._answers)
        self._answers.append((call.name, out))
        if self._earlier is None:
            return out
        before = self._earlier.capture.answers[place : place + 1]
        if not before or before[0][0] != call.name:
            raise Mismatch("the net runs other ops at another batch size", self._frames.source())
        nodes = [self._nodes.node_of(t) for t in call.tensors()] if call.name in DATA_DEPENDENT else []
        if not all(map(self._is_alike, nodes)):
            self._questions.leak(f"{call.name.strip('_')}() of a tensor that is made with it")
            return out
        if call.raw_name == "__len__" and out != before[0][1] and not self._lengths.is_asking:
            self._questions.leak("len()")  # Python takes nothing but a plain number
            return out
        if out != before[0][1]:
            step = math.lcm(*(self._earlier.parts.step_of(self._nodes.node_of(t)) for t in call.tensors()))
            if step > 1:
                self._questions.ask(f"the size of 1/{step}", least=1, step=step)
        try:
            return in_symbols(out, before[0][1], self._earlier.batches, self._questions, call.name)
        except TypeError as error:
            raise Mismatch(str(error), self._frames.source()) from None

    def _is_alike(self, node: fx.Node) -> bool:
        """Whether a value that follows the batch, and all that it is made of, is alike for each sample."""
        earlier = self._earlier
        if earlier is None or not follows(node):
            return True
        before = earlier.nodes.get(node.name)
        if before is None or len(before.meta["types"]) != 1 or cuts_at(node, earlier.batches[1]):
            return False
        if not is_alike(before, node, earlier.batches):
            return False
        return all(map(self._is_alike, node.all_input_nodes))

    def _run(self, call: Call) -> Any:
        try:
            return call.func(*call.args, **call.kwargs)
        except (DataDependentOutputException, DynamicOutputShapeException) as error:
            if self._fake is None or getattr(call.func, "__module__", "") != F.__name__:
                raise
            raise _NeedsValues from error

    def _check_autocast(self, call: Call, tensors: Sequence[torch.Tensor], out: Any) -> None:
        """Refusal for a result that autocast rounds: neither an operand nor the call asks for its dtype."""
        if not torch.is_autocast_enabled("cpu") or call.name in CASTS or call.kwargs.get("dtype") is not None:
            return
        low = torch.get_autocast_dtype("cpu")
        given = {t.dtype for t in tensors if t.is_floating_point()}
        if given - {low} and any(o.dtype is low for o in tensors_in(out)):
            what, hint = AUTOCAST
            what = f"autocast computes {call.name}() in {str(low).removeprefix('torch.')}{what}"
            raise Refusal(Problem("autocast", what, self._frames.source(), hint))

    def _decomposed(self, decomposition: Callable[[], Any], call: Call) -> Any:
        """The result of a call that is written with other ops, which are recorded in its place."""
        target = call.args[0] if call.writes_first else call.kwargs.get("out")
        if target is not None and not isinstance(target, torch.Tensor):
            raise NotWritten
        within, self._within_follower = self._within_follower, self._within_follower or call.follows_batch
        with self:
            try:
                result = decomposition()
            except (RuntimeError, TypeError, ValueError, IndexError) as error:
                raise NotWritten from error  # torch's own op, or its rule, says what is wrong
            finally:
                self._within_follower = within
            if target is not None:
                return target.copy_(result)
        named = getattr(torch.return_types, call.raw_name, None)
        return named(result) if named is not None and isinstance(result, tuple) else result

    def _without_masks(self, index: Any) -> Any:
        """An index whose bool masks, where their values are known, are the places that they name."""
        parts: list[Any] = []
        for part in index if isinstance(index, tuple) else (index,):
            mask = mask_of(part)
            if mask is None or self._nodes.is_traced(mask):
                parts.append(part)
                continue
            value = self._nodes.node_of(mask).meta["value"][0] if mask is part else mask
            if value.dim():
                parts += value.nonzero(as_tuple=True)
            else:
                parts.append(None if value else part)  # one True is an axis of its own
        return tuple(parts) if isinstance(index, tuple) or len(parts) > 1 else parts[0]
