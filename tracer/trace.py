"""A module and its inputs become the IR."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from codegen.ir import Graph, Source
from codegen.problems import ConversionError, RequestError
from tracer.capture import called, capture, capture_in_training
from tracer.captured import Capture, Earlier
from tracer.fakes import SharedFakes
from tracer.free_batch import free_or_frozen, frozen
from tracer.in_training import asks, most_alike, unknown, with_training
from tracer.inputs import InputSpec, make_inputs
from tracer.limits import check_sizes
from tracer.settings import traced_settings
from tracer.user_code import NeedsGpu
from tracer.wrappers import is_scripted


def check_taps(model: nn.Module, taps: Sequence[str]) -> None:
    """Raise RequestError for a tap that is no module of the net."""
    paths = dict(model.named_modules())
    for tap in taps:
        if tap not in paths:
            close = difflib.get_close_matches(tap, paths, n=3)
            known = f"; close to it: {', '.join(close)}" if close else ""
            raise RequestError(f"--tap {tap}: the net has no module of that path{known}", code="tap")
        if is_scripted(paths[tap]):
            raise RequestError(
                f"--tap {tap}: this module is of torch.jit, which runs without Python", code="tap"
            )


def trace(
    model: nn.Module,
    specs: tuple[InputSpec, ...],
    taps: Sequence[str] = (),
    frozen_because: str = "",
    source: Source | None = None,
    is_trial: bool = False,
    size: int | None = None,
    fakes: SharedFakes | None = None,
) -> Graph:
    """The IR of a net, at any batch size, or at those that it says. `is_trial`: see capture.

    It is recorded at the batch size of `specs`, and at a larger one, where sizes that follow the batch
    are symbols. With `frozen_because` the batch size is kept as it is, or that is `size`, for that reason,
    which stands at `source`. `fakes` has the net's parameters where it was traced before.
    """
    batch = size or batch_of(specs)
    _initialise(model, specs)
    fakes = fakes or SharedFakes()
    first = capture(model, make_inputs(specs, size, 0), taps, fakes, is_trial=is_trial)
    if batch is not None and frozen_because:
        graph = frozen(first, batch, frozen_because, source)
    else:
        graph = _at_batches(model, specs, taps, batch, first, fakes)
    return graph if taps else _with_training(graph, model, specs, first, fakes)


def _with_training(
    graph: Graph, model: nn.Module, specs: tuple[InputSpec, ...], first: Capture, fakes: SharedFakes
) -> Graph:
    """The graph with what the net does in training alone, if any module asks whether it trains."""
    if not asks(model):
        return graph
    try:
        # A batch of two: BatchNorm has no statistics of one value.
        size = None if batch_of(specs) is None else 2 * graph.batch
        inputs = make_inputs(specs, size, 0)
        trained = most_alike(first, lambda chance: capture_in_training(model, inputs, fakes, chance))
    except Exception as error:  # noqa: BLE001 - the net is converted as it is in inference
        return replace(graph, in_training=(unknown(error),))
    return with_training(graph, model, first, trained)


def _at_batches(
    model: nn.Module,
    specs: tuple[InputSpec, ...],
    taps: Sequence[str],
    batch: int | None,
    first: Capture,
    fakes: SharedFakes,
) -> Graph:
    """The graph of a net that was captured at its own batch size."""
    if batch is None:
        return replace(frozen(first, 1, "no input has a batch axis"), frozen_at="")

    def at(size: int, earlier: Earlier | None = None) -> Capture:
        check_sizes(specs, size / batch)
        return capture(model, make_inputs(specs, size, 0), taps, fakes, earlier)

    return free_or_frozen(first, batch, at)


def _initialise(model: nn.Module, specs: tuple[InputSpec, ...]) -> None:
    """Give the lazy modules their parameters, as their first call does: the one change to a user's net."""
    if not any(is_lazy(t) for t in (*model.parameters(), *model.buffers())):
        return
    training = {module: module.training for module in model.modules()}
    try:
        with traced_settings():
            called(model.eval(), make_inputs(specs, None, 0))
    finally:
        for module, mode in training.items():
            module.training = mode


def batch_of(specs: Sequence[InputSpec]) -> int | None:
    """The batch size: the first input's, on its batch axis."""
    return next((s.shape[s.batch_axis] for s in specs if s.batch_axis is not None and s.shape), None)


def runs(model: nn.Module, inputs: dict[str, torch.Tensor]) -> bool:
    """Whether the net runs on these inputs. Raises NeedsGpu where no inputs help."""
    try:
        capture(model, inputs)
    except ConversionError:
        return True  # it runs; that it cannot be converted is told later
    except NeedsGpu:
        raise  # on other inputs it would ask again
    except Exception:  # noqa: BLE001 - whatever a net raises on a wrong shape
        return False
    return True
