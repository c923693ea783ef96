"""Capture: a net in eval mode is run once and every torch call is recorded into an `fx.Graph`.

Given a module and example inputs, the result is a functional graph: in-place writes, also through
views and into constants, have become new values. The net runs on torch's FakeTensors, so no
arithmetic is done; tensors that depend on neither inputs nor parameters stay real, so that sizes,
masks and indices made inside `forward` have values. A net that FakeTensors cannot run is run on real
ones.

`torch.fx.symbolic_trace` is not used, since its proxies know no shapes; recording under a
`TorchFunctionMode` sees the same calls with real sizes (torch.overrides, torch.fx.Graph).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from codegen.problems import RequestError
from tracer.batch_sizes import Mismatch
from tracer.captured import Capture, Earlier
from tracer.copies import full_state, module_copy
from tracer.failures import fails_for_real
from tracer.fakes import SharedFakes, is_usual
from tracer.outputs import flatten_outputs, in_order, tap_hook
from tracer.plugins import close_modules
from tracer.recorder import Recorder
from tracer.replay import replayed
from tracer.settings import traced_settings
from tracer.stopped import Stopped
from tracer.user_code import Refusal, user_error
from tracer.vision import close_frozen
from tracer.writes import NeedsLayout

RAISED = "the net raised when it was run"


def capture(
    model: nn.Module,
    inputs: Mapping[str, Any],
    taps: Sequence[str] = (),
    fakes: SharedFakes | None = None,
    earlier: Earlier | None = None,
    is_trial: bool = False,
) -> Capture:
    """Record one run of `model` (in eval mode) on `inputs` (argument name of forward: value).

    With `taps`, the outputs of these modules take the place of the net's. With `earlier`, what the net
    asks of the batch size is noted. `is_trial`: the inputs are a guess, which the net need not take; where a
    call fails for torch's own tensors too, the net is not run on them to tell so.

    Raises Stopped where the net's own control flow cannot be traced, UserModelError where the
    net raises by itself, and Mismatch where it goes another way than `earlier`.
    """
    with traced_settings():
        fakes, is_laid_out = fakes or SharedFakes(), True
        try:
            return _capture_with(fakes, model, inputs, taps, earlier)
        except Refusal as refusal:
            raise Stopped.by(refusal) from None
        except (KeyboardInterrupt, RequestError, Mismatch):
            raise
        except NeedsLayout:
            is_laid_out = False
        except BaseException as error:  # anything: the real run below tells whose fault it was
            if is_trial and fails_for_real(error, Recorder.__torch_function__.__code__):
                raise user_error(error, RAISED) from error
            run(model, inputs)
        try:
            return _capture_with(None, model, inputs, taps, earlier)
        except Refusal as refusal:
            if not is_laid_out:
                # Some nets look at the values of real tensors alone, for a warning: better by the fake ones.
                return _capture_as_laid_out(fakes, model, inputs, taps, earlier)
            raise Stopped.by(refusal) from None
        except Exception as error:
            if isinstance(error, Mismatch):
                raise
            if earlier is None:
                run(model, inputs)
                raise
            # The net runs on plain sizes: something in it takes no others.
            raise Mismatch("its sizes go through code that cannot be followed") from error


def _capture_as_laid_out(
    fakes: SharedFakes,
    model: nn.Module,
    inputs: Mapping[str, Any],
    taps: Sequence[str],
    earlier: Earlier | None,
) -> Capture:
    """A capture that takes fake tensors to lie in memory as they say."""
    try:
        return _capture_with(fakes, model, inputs, taps, earlier, trusted=True)
    except Refusal as refusal:
        raise Stopped.by(refusal) from None


def run(model: nn.Module, inputs: Mapping[str, Any], taps: Sequence[str] = ()) -> list[torch.Tensor]:
    """What torch itself returns, flattened like a capture's outputs. Works on a copy of `model`.

    Raises UserModelError where the net does.
    """
    copied = _copied(model, None)
    caught: dict[str, list[torch.Tensor]] = {}
    hooks = [tap_hook(copied, tap, caught, torch.Tensor.clone) for tap in taps]
    with traced_settings():
        result = called(copied, _own_copies(inputs))
    for hook in hooks:
        hook.remove()
    return in_order(caught, taps) if taps else [t for _, t in flatten_outputs(result)[0]]


def called(model: nn.Module, inputs: Mapping[str, Any]) -> Any:
    """What a net returns. UserModelError where it raises, or ends the process."""
    try:
        return model(**inputs)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise user_error(error, RAISED) from error


def _own_copies(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _own_copy(v) for k, v in inputs.items()}


def _own_copy(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else copy.deepcopy(value)


def _own_fake(fakes: SharedFakes, value: Any) -> Any:
    """A fake tensor of its own memory; what has no values to hide is copied."""
    if not _has_elements(value):
        return _own_copy(value)
    # torch knows an unusual one again, and what else lies in its memory.
    return fakes.from_tensor(value.detach() if is_usual(value) else value.clone())


def recorded_values(
    model: nn.Module, inputs: Mapping[str, Any], taps: Sequence[str] = ()
) -> Mapping[str, list[torch.Tensor]]:
    """The real value of every node of a capture: node name -> one tensor for each output.

    Of a net that asks for values where it is not traced (transformers skip a mask that keeps everything),
    those that its capture gives when it is run again.
    """
    with traced_settings():
        recorder = Recorder(_copied(model, None), None, keep_values=True)
        try:
            recorder.trace(_own_copies(inputs), taps)
            return recorder.values
        except Refusal:
            pass
    return replayed(capture(model, inputs, taps), full_state(model), _own_copies(inputs))


def capture_in_training(
    model: nn.Module, inputs: Mapping[str, Any], fakes: SharedFakes, chance: bool
) -> Capture:
    """One run in training mode, on fake tensors. Where the net asks a random number, the answer is `chance`.

    Raises what the net raises there, and Stopped.
    """
    with traced_settings():
        try:
            return _capture_with(fakes, model, inputs, (), None, training=True, trusted=True, chance=chance)
        except Refusal as refusal:
            raise Stopped.by(refusal) from None


def _capture_with(
    fakes: SharedFakes | None,
    model: nn.Module,
    inputs: Mapping[str, Any],
    taps: Sequence[str],
    earlier: Earlier | None,
    training: bool = False,
    trusted: bool = False,
    chance: bool | None = None,
) -> Capture:
    recorder = Recorder(
        _copied(model, fakes).train(training), fakes, earlier=earlier, trusted=trusted, chance=chance
    )
    own = {k: _own_copy(v) if fakes is None else _own_fake(fakes, v) for k, v in inputs.items()}
    return recorder.trace(own, taps)


def _copied(model: nn.Module, fakes: SharedFakes | None) -> nn.Module:
    """A copy that shares the module's parameters, or has fake ones."""
    if fakes is None:
        copied = module_copy(model, parameter=lambda _name, tensor: tensor)
        _close(copied)
        return copied

    def buffer(name: str, tensor: torch.Tensor) -> torch.Tensor:
        # Statistics are never looked at; fake ones let torch reuse what it knows of batch_norm.
        statistics = name in {"running_mean", "running_var"}
        return fakes.parameter(tensor) if statistics else tensor.detach().clone()

    copied = module_copy(model, parameter=lambda _name, tensor: fakes.parameter(tensor), buffer=buffer)
    _close(copied)
    return copied


def _close(model: nn.Module) -> None:
    """Make modules one op each: those with a plugin's rule, and torchvision's frozen BatchNorms."""
    close_modules(model)
    close_frozen(model)


def _has_elements(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.numel() > 0
