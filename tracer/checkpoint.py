"""Checkpoint: a weights file becomes a state dict, and the state dict goes into a module, strictly.

Nothing of a file is executed: `torch.load(weights_only=True)` with a few inert types allowed, and
safetensors. Files are mapped into memory, but for those of torch before 1.6 (not zip), which cannot
be. Values are copied into the module's own tensors, so that tied parameters stay tied, and dtypes and
the module's load_state_dict hooks work as in torch (torch.nn.Module.load_state_dict).
"""

from __future__ import annotations

import argparse
import os
import pickle
import re
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from codegen.problems import RequestError, UserModelError
from tracer.inputs import counted
from tracer.user_code import user_traceback

WRAPPERS = ("state_dict", "model", "model_state_dict", "net", "ema")
PREFIXES = ("module.", "_orig_mod.", "model.")
WRAPPER_PARTS = ("module", "_orig_mod")
ZIP_MAGIC = b"PK\x03\x04"
LFS_MAGIC = b"version https://git-lfs"
EXTRA = "_extra_state"
RESAVE = 'torch.save(model.state_dict(), "weights.pth")'


@dataclass(frozen=True)
class _Content:
    """The tensors of a file, under which keys they stood, and the keys of what is no tensor.

    `versions` is a state dict's `_metadata`: by module, which form its tensors have. `extras` are what
    modules keep beside tensors (nn.Module.get_extra_state).
    """

    tensors: dict[str, torch.Tensor]
    under: str
    left_out: tuple[str, ...]
    versions: Mapping[str, Any]
    extras: Mapping[str, Any]


@dataclass(frozen=True)
class _Form:
    """The keys of a state as some net may have them: without what stands before or within them.

    `versions` is keyed in the same way, and `note` says what was taken off.
    """

    state: dict[str, Any]
    versions: dict[str, Any]
    note: str = ""

    def without_prefix(self, prefix: str, taken: str) -> _Form:
        """The form without a prefix that all keys have; `taken` are those taken off so far, it among them."""
        state = {key[len(prefix) :]: value for key, value in self.state.items()}
        below = {k: v for k, v in self.versions.items() if f"{k}.".startswith(prefix)}
        return _Form(state, {k[len(prefix) :]: v for k, v in below.items()}, f"prefix {taken!r} taken off")

    def without_wrappers(self) -> _Form:
        """The form without the names that DataParallel and torch.compile within the net give to modules."""

        def plain(key: str) -> str:
            first, *others = key.split(".")
            return ".".join([first, *(part for part in others if part not in WRAPPER_PARTS)])

        # What the wrapper itself says comes first, and the module's own takes its place.
        versions = {plain(k): v for k, v in self.versions.items()}
        state = {plain(k): v for k, v in self.state.items()}
        if len(state) < len(self.state):  # two keys have become one: these are no wrappers
            return self
        notes = [self.note, f"{' and '.join(WRAPPER_PARTS)} taken out of the keys"]
        return _Form(state, versions, ", ".join(filter(None, notes)))


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """The tensors of a weights file by key, on the CPU, as stored: no prefix taken off, no dtype changed.

    A state dict under one of `state_dict`, `model`, `model_state_dict`, `net`, `ema` is unwrapped.
    Raises RequestError where the file is missing, empty, corrupt, holds no tensors, or would have to
    run code to be read.
    """
    content = _read(os.fspath(path))
    if not content.tensors:
        raise RequestError(_no_tensors(os.path.basename(path), content))
    return content.tensors


def load_weights(model: nn.Module, path: str | os.PathLike[str]) -> str:
    """Load a weights file into `model`, in place and strictly; return a note of one line.

    The prefixes `module.`, `_orig_mod.` and `model.` are taken off where all keys have them and the
    module's own keys do not. Values take the dtype of the module's tensors. `num_batches_tracked`, tied
    names and non-persistent buffers of equal value may be missing or extra. Raises RequestError as
    `read_checkpoint`, and with all missing, unexpected and mis-shaped keys.
    """
    path = os.fspath(path)
    content = _read(path)
    expected = _state_of(model)
    if expected and not content.tensors:
        raise RequestError(_no_tensors(os.path.basename(path), content))
    form = _best_form(_Form({**content.tensors, **content.extras}, dict(content.versions)), set(expected))
    state = form.state
    problems = _load(model, form, expected)
    if any(problems.values()):
        raise RequestError(_misfit_text(os.path.basename(path), type(model).__name__, problems))
    parts = [f"{os.path.basename(path)}: {counted(len(content.tensors), 'tensor')}"]
    parts += [f"under {content.under!r}"] if content.under else []
    parts += [form.note] if form.note else []
    parts += _conversions(state, expected)
    parts += [f"not tensors and left out: {', '.join(content.left_out)}"] if content.left_out else []
    return ", ".join(parts)


def _read(path: str) -> _Content:
    _check_file(path)
    loaded = _read_safetensors(path) if path.endswith(".safetensors") else _read_torch(path)
    return _unwrapped(loaded, os.path.basename(path))


def _check_file(path: str) -> None:
    if os.path.isdir(path):
        raise RequestError(f"{path} is a folder: give the weights file in it")
    if not os.path.exists(path):
        raise RequestError(f"no such file: {path}")
    try:
        head = _head(path)
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}") from None
    if not head:
        raise RequestError(f"{path} is empty: save or download it again")
    if head.startswith(LFS_MAGIC):
        raise RequestError(f"{path} is a Git LFS pointer, not the weights: run `git lfs pull`")


def _head(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(len(LFS_MAGIC))


def _read_safetensors(path: str) -> Any:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise RequestError(_corrupt(path, error)) from error


def _read_torch(path: str) -> Any:
    is_zip = _head(path).startswith(ZIP_MAGIC)
    with torch.serialization.safe_globals(list(_inert_types())), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch warns of here is refused below in one sentence
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip or None)
        except Exception as error:
            raise RequestError(_refusal(path, is_zip, error)) from error


def _inert_types() -> Iterator[tuple[Callable[..., Any], str]]:
    """What checkpoints hold beside tensors and cannot do harm, by every name that numpy gave it."""
    yield argparse.Namespace, "argparse.Namespace"
    yield np.dtype, "numpy.dtype"
    scalar = np.core.multiarray.scalar  # type: ignore[attr-defined]
    yield scalar, "numpy.core.multiarray.scalar"
    yield scalar, "numpy._core.multiarray.scalar"
    whole = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
    for name in ("bool", *whole, "float16", "float32", "float64"):
        numpy_name = name.capitalize().replace("Ui", "UI")
        yield type(np.dtype(name)), f"numpy.dtypes.{numpy_name}DType"


def _refusal(path: str, is_zip: bool, error: Exception) -> str:
    text = str(error)
    if "TorchScript" in text:
        save = f'torch.save(torch.jit.load("{os.path.basename(path)}").state_dict(), "weights.pth")'
        return f"{path} is a TorchScript archive: save its state dict with {save}"
    names = _unsafe_names(path, is_zip, text)
    if not isinstance(error, pickle.UnpicklingError) or not names:
        return _corrupt(path, error)
    listed = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    if any(name.startswith("torch.nn.modules.") for name in names):
        return f"{path} holds a whole pickled nn.Module ({listed}): save its state dict with {RESAVE}"
    return (
        f"{path} cannot be read without running code of its own ({listed}): where you trust it, load it "
        f"with torch.load(..., weights_only=False) and save the state dict alone with {RESAVE}"
    )


def _unsafe_names(path: str, is_zip: bool, text: str) -> list[str]:
    """The classes and functions that a checkpoint asks for; those of a legacy file stop at the first."""
    if is_zip:
        try:
            found = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        except Exception:  # noqa: BLE001 - a corrupt pickle fails in any way, and is reported as such
            found = []
        if found:
            return sorted(found, key=lambda name: (not name.startswith("torch.nn.modules."), name))
    return re.findall(r"GLOBAL (\S+) (?:was not an allowed|whose module)", text)


def _corrupt(path: str, error: Exception) -> str:
    if _is_text(path):
        return f"{path} is a text file, not a checkpoint: give the file that torch.save or safetensors wrote"
    # torch puts advice before what went wrong, which stands after the last of these words.
    text = str(error).rpartition("WeightsUnpickler error: ")[2].strip()
    reason = text.partition("\n")[0].rstrip(".")
    # The pickle reader names bytes by their number, and sometimes says no more than that.
    reason = type(error).__name__ if not re.search("[A-Za-z]{3}", reason) else reason
    reason = re.sub(r"^Unsupported operand \d+$", "it is no pickle that torch wrote", reason)
    return f"{path} is corrupt or not a checkpoint: save or download it again ({reason})"


def _is_text(path: str) -> bool:
    """Whether the file begins with readable text: a web page, JSON, Python code."""
    with open(path, "rb") as file:
        head = file.read(64)
    return all(byte in b"\t\n\r" or byte >= 32 for byte in head) and head.isascii()


def _unwrapped(loaded: Any, name: str) -> _Content:
    under: list[str] = []
    while isinstance(loaded, Mapping):
        key = next((k for k in WRAPPERS if isinstance(loaded.get(k), Mapping) and loaded[k]), None)
        if key is None:
            break
        under.append(key)
        loaded = loaded[key]
    if not isinstance(loaded, Mapping):
        kind = "one tensor" if isinstance(loaded, torch.Tensor) else f"a {type(loaded).__name__}"
        raise RequestError(f"{name} holds {kind}, not a state dict: save one with {RESAVE}")
    tensors = {str(k): v for k, v in loaded.items() if isinstance(v, torch.Tensor)}
    extras = {str(k): v for k, v in loaded.items() if str(k).endswith(EXTRA) and str(k) not in tensors}
    left_out = tuple(str(k) for k in loaded if str(k) not in tensors and str(k) not in extras)
    versions = getattr(loaded, "_metadata", None)
    versions = versions if isinstance(versions, Mapping) else {}
    return _Content(tensors, ".".join(under), left_out, versions, extras)


def _no_tensors(name: str, content: _Content) -> str:
    keys = ", ".join(content.left_out[:8]) or "nothing"
    wrappers = ", ".join(WRAPPERS)
    return f"{name} holds no tensors (its keys: {keys}): give a state dict, or one under {wrappers}"


def _state_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {k: v for k, v in model.state_dict().items() if isinstance(v, torch.Tensor)}


def _best_form(first: _Form, expected: set[str]) -> _Form:
    """The form of the keys that fits the net best: as they are, or with what wrappers add taken off.

    A net may have such a prefix of its own (`self.model = ...`), so the net decides.
    """
    forms, taken = [first], ""
    while keys := list(forms[-1].state):
        prefix = next((p for p in PREFIXES if all(key.startswith(p) for key in keys)), None)
        if prefix is None:
            break
        taken += prefix
        forms.append(forms[-1].without_prefix(prefix, taken))
    forms += [form.without_wrappers() for form in forms]
    best = max(len(expected & set(form.state)) for form in forms)
    # Where nothing fits, the report of missing keys is easier to read without the prefixes.
    return next(f for f in (forms if best else forms[::-1]) if len(expected & set(f.state)) == best)


def _load(model: nn.Module, form: _Form, expected: Mapping[str, torch.Tensor]) -> dict[str, list[str]]:
    """Load what fits, and return what does not, by kind."""
    state = form.state
    wrong_kind = [k for k, v in state.items() if k in expected and _differs_in_kind(v, expected[k])]
    misshaped: list[str] = []
    try:
        keys = _load_state(model, state, form.versions)
    except RuntimeError:
        # Only now: load_state_dict hooks may have reshaped or renamed what looks wrong from outside.
        misshaped = [k for k, v in state.items() if k in expected and _differs_in_shape(v, expected[k])]
        keys = _load_rest(model, {k: v for k, v in state.items() if k not in misshaped}, form.versions)
    missing = set(keys.missing_keys) - set(misshaped) - _may_be_missing(model, state)
    unexpected = [key for key in keys.unexpected_keys if not _is_own_constant(model, key, state.get(key))]
    return {
        "missing from the file": sorted(missing),
        "not in the net": sorted(unexpected),
        "of another shape": [f"{k}: {_shape(state[k])}, in the net {_shape(expected[k])}" for k in misshaped],
        "of another kind": [f"{k}: {_dtype(state[k])}, in the net {_dtype(expected[k])}" for k in wrong_kind],
    }


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
        raise UserModelError(user_traceback(error, what)) from error


def _load_rest(model: nn.Module, state: dict[str, Any], versions: Mapping[str, Any]) -> Any:
    try:
        return _load_state(model, state, versions)
    except RuntimeError as error:
        raise RequestError(f"the weights do not fit {type(model).__name__}: {error}") from error


def _differs_in_kind(value: torch.Tensor, own: torch.Tensor) -> bool:
    """Quantized or integer values for a float parameter would load as numbers of another meaning.

    And of complex ones half would be lost.
    """
    if value.is_complex() or own.is_complex():
        return value.is_complex() and not own.is_complex()
    whole = value.is_quantized or (value.dtype is not torch.bool and not value.dtype.is_floating_point)
    return own.is_floating_point() and whole


def _differs_in_shape(value: torch.Tensor, own: torch.Tensor) -> bool:
    one_number = own.dim() == 0 and value.shape == (1,)  # as old torch saved it; load_state_dict takes it
    return value.shape != own.shape and not one_number


def _may_be_missing(model: nn.Module, state: Mapping[str, torch.Tensor]) -> set[str]:
    """Keys that need not be in a file: a tied tensor under its other name, counters of old torch."""
    names: dict[int, list[str]] = {}
    for key, tensor in _tensors(model):
        names.setdefault(id(tensor), []).append(key)
    tied = {key for group in names.values() if any(k in state for k in group) for key in group}
    return tied | {k for group in names.values() for k in group if k.endswith("num_batches_tracked")}


def _is_own_constant(model: nn.Module, key: str, value: torch.Tensor | None) -> bool:
    """Whether a key that is not in the state dict names a buffer of the net that has this value anyway.

    Buffers such as `position_ids` became non-persistent; files from before still hold them.
    """
    buffer = dict(model.named_buffers(remove_duplicate=False)).get(key)
    if buffer is None or value is None:
        return False
    return buffer.shape == value.shape and bool((buffer == value).all())


def _tensors(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from model.named_parameters(remove_duplicate=False)
    yield from model.named_buffers(remove_duplicate=False)


def _conversions(state: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> list[str]:
    """What the change of dtypes did, for the note."""
    changed = [
        (value.dtype, expected[key].dtype)
        for key, value in state.items()
        if key in expected and value.is_floating_point() and value.dtype != expected[key].dtype
    ]
    notes = {
        f"{'widened' if source.itemsize < own.itemsize else 'rounded'} from {str(source)[6:]}": None
        for source, own in changed
        if own.is_floating_point
    }
    return list(notes)


def _misfit_text(name: str, net: str, problems: Mapping[str, list[str]]) -> str:
    lines = [f"{name} does not fit {net}: give the weights of this net, or build it to fit with --kwargs"]
    for kind, keys in problems.items():
        if keys:
            lines.append(f"  {kind} ({len(keys)}):")
            lines += [f"    {key}" for key in keys]
    return "\n".join(lines)


def _shape(tensor: torch.Tensor) -> str:
    return str(tuple(tensor.shape))


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
