"""A module and its inputs become the IR: three runs at three batch sizes, or a frozen batch."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from codegen.ir import Graph
from codegen.problems import ConversionError, RequestError, UserModelError
from tracer.batch_sizes import Mismatch
from tracer.capture import SharedFakes, capture
from tracer.inputs import InputSpec, make_inputs
from tracer.recorder import Capture
from tracer.settings import traced_settings
from tracer.to_ir import graph_of
from tracer.user_code import user_traceback


def check_taps(model: nn.Module, taps: Sequence[str]) -> None:
    """Raise RequestError for a tap that is no module of the net."""
    paths = dict(model.named_modules())
    for tap in taps:
        if tap not in paths:
            close = difflib.get_close_matches(tap, paths, n=3)
            known = f"; close to it: {', '.join(close)}" if close else ""
            raise RequestError(f"--tap {tap}: the net has no module of that path{known}")


def trace(model: nn.Module, specs: tuple[InputSpec, ...], taps: Sequence[str] = ()) -> Graph:
    """The IR of a net: traced at three batch sizes, or at one where the net freezes it."""
    batch = batch_of(specs)
    _initialise(model, specs)
    fakes = SharedFakes()
    first = capture(model, make_inputs(specs, None, 0), taps, fakes)
    if batch is None:
        return replace(graph_of([first], [1]), free_batch=False, frozen_because="no input has a batch axis")
    try:
        others = [capture(model, make_inputs(specs, k * batch, 0), taps, fakes) for k in (2, 3)]
    except (UserModelError, ConversionError) as error:
        return _frozen(first, batch, f"the net does not run at batch size {2 * batch}: {_last_line(error)}")
    try:
        return graph_of([first, *others], [batch, 2 * batch, 3 * batch])
    except Mismatch as mismatch:
        if batch > 1:
            return _frozen(first, batch, str(mismatch))
        return _traced_above_one(model, specs, taps, first, others, str(mismatch))


def _initialise(model: nn.Module, specs: tuple[InputSpec, ...]) -> None:
    """Give the lazy modules their parameters, as their first call does: the one change to a user's net."""
    if not any(is_lazy(t) for t in (*model.parameters(), *model.buffers())):
        return
    training = {module: module.training for module in model.modules()}
    try:
        with traced_settings():
            model.eval()(**make_inputs(specs, None, 0))
    except Exception as error:
        raise UserModelError(user_traceback(error, "the net raised when it was run")) from error
    finally:
        for module, mode in training.items():
            module.training = mode


def _traced_above_one(
    model: nn.Module,
    specs: tuple[InputSpec, ...],
    taps: Sequence[str],
    first: Capture,
    others: list[Capture],
    why: str,
) -> Graph:
    """Nets that treat a batch of one in another way: the path that all larger ones take.

    The comparison with torch at batch size one tells whether it gives the same there.
    """
    try:
        fourth = capture(model, make_inputs(specs, 4, 0), taps)
        return replace(graph_of([*others, fourth], [2, 3, 4]), batch=1)
    except (Mismatch, UserModelError, ConversionError):
        return _frozen(first, 1, why)


def _frozen(first: Capture, batch: int, why: str) -> Graph:
    return replace(graph_of([first], [batch]), free_batch=False, frozen_because=why)


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]


def batch_of(specs: Sequence[InputSpec]) -> int | None:
    """The batch size: the first input's, on its batch axis."""
    return next((s.shape[s.batch_axis] for s in specs if s.batch_axis is not None and s.shape), None)


def runs(model: nn.Module, inputs: dict[str, torch.Tensor]) -> bool:
    """Whether the net runs on these inputs."""
    try:
        capture(model, inputs)
    except ConversionError:
        return True  # it runs; that it cannot be converted is told later
    except Exception:  # noqa: BLE001 - whatever a net raises on a wrong shape
        return False
    return True
