"""Load: the values of a checkpoint go into a module, strictly.

Values are copied into the module's own tensors, so that tied parameters stay tied, and dtypes and the
module's load_state_dict hooks work as in torch (torch.nn.Module.load_state_dict).
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parameter import is_lazy

from codegen.ir import Note
from codegen.kinds.note import note
from codegen.problems import RequestError, counted, listed
from tracer.checkpoint.files import StoredArray
from tracer.checkpoint.fitting import (
    WRAPPERS,
    Fit,
    Wanted,
    ambiguous,
    choose,
    differs_in_shape,
    own_tensors,
    wanted_of,
)
from tracer.checkpoint.pages import copy_mapped
from tracer.checkpoint.parts import Part, Stored, parts_of
from tracer.checkpoint.shards import read_path
from tracer.options import WeightsChoice
from tracer.user_code import user_error

RESAVE = 'torch.save(model.state_dict(), "weights.pth")'
NO_CHOICE = WeightsChoice()


@dataclass(frozen=True)
class _Problems:
    """What does not fit, by kind, in words."""

    missing: Sequence[str]
    unexpected: Sequence[str]
    misshaped: Sequence[str]
    of_another_kind: Sequence[str]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.misshaped or self.of_another_kind)


def load_weights(model: nn.Module, path: str | os.PathLike[str], choice: WeightsChoice = NO_CHOICE) -> Note:
    """Load a weights file, an index of several, or a folder of one into `model`; return a note of one line.

    The net's keys are looked for under every key of the file and behind every prefix; what was taken off, and
    what is left over beside them, is in the note. `choice` says which where several fit. The net's own keys
    are matched strictly. Values take the dtype of the module's tensors. `num_batches_tracked`, tied
    names and non-persistent buffers of equal value may be missing or extra. Raises RequestError where
    the file cannot be read, and with the missing, unexpected and mis-shaped keys.
    """
    path = os.fspath(path)
    name, net = os.path.basename(os.path.normpath(path)), type(model).__name__
    fit, twin, wanted = _fit_of(model, path, choice)
    values, changes = _values(model, fit, wanted)
    problems = _load(model, fit, values, wanted)
    if problems:
        raise RequestError(_misfit_text(name, net, fit, problems), code="weights-fit")
    if twin is not None:
        raise RequestError(ambiguous([fit, twin], name, net), code="weights-choice")
    count = sum(isinstance(value, torch.Tensor) for value in values.values())
    said = ", ".join([counted(count, "tensor"), *_notes(fit, choice, changes)])
    return note("weights-read", file=name, what=said)


def _fit_of(model: nn.Module, path: str, choice: WeightsChoice) -> tuple[Fit, Fit | None, Wanted]:
    """What of a file is the net's. Apart, so that nothing but the fit holds the file's tensors."""
    name, wanted = os.path.basename(os.path.normpath(path)), wanted_of(model)
    parts = _parts(read_path(path), name)
    if wanted.groups and not any(part.tensors for part in parts):
        raise RequestError(_no_tensors(name, parts[0]), code="weights-file")
    return *choose(parts, wanted, choice, name, type(model).__name__), wanted


def _parts(loaded: Any, name: str) -> list[Part]:
    if not isinstance(loaded, Mapping):
        kind = "one tensor" if isinstance(loaded, torch.Tensor) else f"a {type(loaded).__name__}"
        raise RequestError(
            f"{name} holds {kind}, not a state dict: save one with {RESAVE}", code="weights-file"
        )
    return list(parts_of(loaded))


def _no_tensors(name: str, top: Part) -> str:
    keys = listed(top.left_out) or "nothing"
    return (
        f"{name} holds no tensors (its keys: {keys}): give a state dict, or one under {', '.join(WRAPPERS)}"
    )


def _notes(fit: Fit, choice: WeightsChoice, changes: Sequence[str]) -> Iterator[str]:
    """What was taken, taken off, changed and left."""
    if fit.part.under:
        yield f"under {fit.part.under!r}"
    if fit.taken_off:
        yield fit.taken_off
    yield from changes
    if fit.beside:
        yield f"left over beside them: {listed(fit.beside)}"
    if choice.ignored:
        yield f"left out by --ignore-keys: {listed(fit.ignored) or 'nothing'}"
    if fit.part.left_out:
        yield f"not tensors and left out: {listed(fit.part.left_out)}"


def _values(model: nn.Module, fit: Fit, wanted: Wanted) -> tuple[dict[str, Any], list[str]]:
    """The values by the net's keys, with what the change of their dtypes does.

    Those that need no more than a copy are copied here, and stand for themselves: so the tensors of one of
    several files are let go before the next is read.
    """
    own, plain = own_tensors(model), _plain_keys(model)
    most = sum(tensor.numel() for tensor in own.values() if not is_lazy(tensor))
    values: dict[str, Any] = {}
    changes: dict[str, None] = {}
    for key, stored in fit.names.items():
        value = fit.value(key)
        fit.part.tensors.pop(stored, None)
        if isinstance(value, StoredArray):
            # One that is larger than the net is none of it, and is not read to say so.
            value = (
                value.read()
                if value.numel() <= most
                else torch.empty(value.shape, dtype=value.dtype, device="meta")
            )
        if key in wanted.tensors and isinstance(value, torch.Tensor):
            changes.update(dict.fromkeys(_change(value.dtype, wanted.tensors[key].dtype)))
            if key in plain and wanted.takes(key, value) and not differs_in_kind(value, own[key]):
                value = _copied(value, own[key])
        values[key] = value
    return values, list(changes)


def _copied(value: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """The net's own tensor with the value in it; the value, where torch does not copy it."""
    try:
        with torch.no_grad():
            copy_mapped(own, value)
    except RuntimeError:
        return value  # load_state_dict says why
    return own


def _plain_keys(model: nn.Module) -> set[str]:
    """Keys whose values load_state_dict copies as they are: no hook or method of a module changes them."""
    changed = [path for path, module in model.named_modules(remove_duplicate=False) if _changes_state(module)]
    own = {key: tensor for key, tensor in own_tensors(model).items() if not is_lazy(tensor)}
    return {k for k in own if not any(not path or k.startswith(f"{path}.") for path in changed)}


def _changes_state(module: nn.Module) -> bool:
    load = type(module)._load_from_state_dict
    # BatchNorm's own method adds what old files lack, and leaves the rest.
    usual = load in (nn.Module._load_from_state_dict, _NormBase._load_from_state_dict)
    return not usual or bool(module._load_state_dict_pre_hooks)


def _change(source: torch.dtype, own: torch.dtype) -> list[str]:
    """What the change of a dtype does to a value, for the note."""
    if source == own or not source.is_floating_point or not own.is_floating_point:
        return []
    return [f"{'widened' if source.itemsize < own.itemsize else 'rounded'} from {str(source)[6:]}"]


def _load(model: nn.Module, fit: Fit, values: dict[str, Any], wanted: Wanted) -> _Problems:
    """Load what fits, and return what does not, by kind."""
    expected = wanted.tensors
    tensors = {k: v for k, v in values.items() if k in expected and isinstance(v, torch.Tensor)}
    wrong_kind = [k for k, v in tensors.items() if differs_in_kind(v, expected[k])]
    misshaped: list[str] = []
    try:
        keys = _load_state(model, values, fit.versions)
    except RuntimeError:
        # Only now: load_state_dict hooks may have reshaped or renamed what looks wrong from outside.
        misshaped = [k for k, v in tensors.items() if differs_in_shape(v, expected[k])]
        keys = _load_rest(model, {k: v for k, v in values.items() if k not in misshaped}, fit.versions)
    there = {key for group in wanted.groups if group & values.keys() for key in group}
    missing = {key for key in keys.missing_keys if not key.endswith("num_batches_tracked")} - there
    unexpected = [key for key in keys.unexpected_keys if not _is_own_constant(model, key, values.get(key))]
    return _Problems(
        sorted(missing - set(misshaped)),
        sorted(unexpected),
        [f"{k} {tuple(values[k].shape)}, in the net {tuple(expected[k].shape)}" for k in misshaped],
        [f"{k} {_dtype(values[k])}, in the net {_dtype(expected[k])}" for k in wrong_kind],
    )


def _load_state(model: nn.Module, state: dict[str, Any], versions: Mapping[str, Any]) -> Any:
    versioned = OrderedDict(state)
    if versions:
        versioned._metadata = versions  # type: ignore[attr-defined]
    try:
        # Not model.load_state_dict, which a class may override with less strict rules.
        return nn.Module.load_state_dict(model, versioned, strict=False)
    except RuntimeError:
        raise
    except Exception as error:
        what = f"{type(model).__name__} raised when the weights were loaded"
        raise user_error(error, what) from error


def _load_rest(model: nn.Module, state: dict[str, Any], versions: Mapping[str, Any]) -> Any:
    try:
        return _load_state(model, state, versions)
    except RuntimeError as error:
        reasons = [line.strip() for line in str(error).splitlines()]
        why = listed(reasons, 2, between=" ")
        raise RequestError(
            f"the weights do not fit {type(model).__name__}: {why}", code="weights-fit"
        ) from error


def differs_in_kind(value: Stored, own: torch.Tensor) -> bool:
    """Quantized or integer values for a float parameter would load as numbers of another meaning.

    And of complex ones half would be lost.
    """
    if value.dtype.is_complex or own.dtype.is_complex:
        return value.dtype.is_complex and not own.dtype.is_complex
    is_real = value.dtype.is_floating_point or value.dtype is torch.bool
    return own.dtype.is_floating_point and not is_real


def _is_own_constant(model: nn.Module, key: str, value: Any) -> bool:
    """Whether a key that is not in the state dict names a buffer of the net that has this value anyway.

    Buffers such as `position_ids` became non-persistent; files from before still hold them.
    """
    buffer = dict(model.named_buffers(remove_duplicate=False)).get(key)
    if buffer is None or value is None:
        return False
    return buffer.shape == value.shape and bool((buffer == value).all())


def _misfit_text(name: str, net: str, fit: Fit, problems: _Problems) -> str:
    """What does not fit, a line for each kind, and one way out."""
    has_more_only = not (problems.missing or problems.misshaped or problems.of_another_kind)
    if has_more_only:
        first = f"{name} does not fit {net}, which has fewer keys: build it to fit with --kwargs, or leave "
        first += "them out with --ignore-keys"
    else:
        first = f"{name} does not fit {net}: give the weights of this net, or build it to fit with --kwargs"
    kinds = {
        "missing from the file": problems.missing,
        "not in the net": problems.unexpected,
        "of another shape": problems.misshaped,
        "of another kind": problems.of_another_kind,
    }
    lines = [f"  {kind} ({len(keys)}): {listed(keys, between='; ')}" for kind, keys in kinds.items() if keys]
    read = [f"under {fit.part.under!r}"] if fit.part.under else []
    read += [fit.taken_off] if fit.taken_off else []
    read += [f"left over beside them: {listed(fit.beside)}"] if fit.beside else []
    lines += [f"  what was read: {', '.join(read)}"] if read else []
    return "\n".join([first, *lines])


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
