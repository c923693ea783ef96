"""Which of a file's state dicts is the net's, and what stands before its keys: the net's own keys decide."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from codegen.problems import RequestError, listed
from tracer.checkpoint.files import StoredArray
from tracer.checkpoint.parts import Part, Stored
from tracer.options import WeightsChoice

# The usual keys and prefixes, for a net none of whose keys is in the file: its hooks may rename them.
WRAPPERS = ("state_dict", "model", "model_state_dict", "net", "ema")
PREFIXES = ("module.", "_orig_mod.", "model.")
WRAPPER_PARTS = ("module", "_orig_mod")
# What training leaves in a state dict, and no net needs: losses with weights, the counts of thop.
BESIDE = (
    "criterion.*",
    "loss.*",
    "loss_fn.*",
    "loss_func.*",
    "total_ops",
    "total_params",
    "*.total_ops",
    "*.total_params",
)


@dataclass(frozen=True)
class Wanted:
    """The keys of a net with its own tensors; `groups` are those of which one must be there.

    A tied tensor has several keys; counters of batches, which old torch did not have, are in no group.
    """

    tensors: Mapping[str, torch.Tensor]
    groups: tuple[frozenset[str], ...]

    def takes(self, key: str, value: Stored) -> bool:
        """Whether the net has this key, in the value's shape."""
        return key in self.tensors and not differs_in_shape(value, self.tensors[key])


@dataclass(frozen=True)
class Fit:
    """A part of the file as the net may have it: `names` has, by the net's key, the part's own.

    `prefix` was taken off the keys, and with `inner` the names of wrappers within them; `beside` are keys
    that are left over, and `ignored` those that the user left out.
    """

    part: Part
    prefix: str
    inner: bool
    names: Mapping[str, str]
    beside: tuple[str, ...]
    ignored: tuple[str, ...]

    @functools.cached_property
    def versions(self) -> Mapping[str, Any]:
        """The part's versions, by the net's own paths."""
        below = {k: v for k, v in self.part.versions.items() if f"{k}.".startswith(self.prefix)}
        cut = {k[len(self.prefix) :]: v for k, v in below.items()}
        # What a wrapper itself says comes first, and the module's own takes its place.
        return {_without_wrappers(k): v for k, v in cut.items()} if self.inner else cut

    def value(self, key: str) -> Any:
        """What the part has for a key of the net."""
        own = self.names[key]
        return self.part.tensors[own] if own in self.part.tensors else self.part.extras[own]

    def fitting(self, wanted: Wanted) -> int:
        """How many of the net's tensors are there in their shapes."""
        return sum(
            self.names[k] in self.part.tensors and wanted.takes(k, self.value(k)) for k in self._of(wanted)
        )

    def is_complete(self, wanted: Wanted) -> bool:
        """Whether all that the net needs is there, in its shapes."""
        keys = self._of(wanted)
        return self.fitting(wanted) == len(keys) and all(group & keys for group in wanted.groups)

    def _of(self, wanted: Wanted) -> set[str]:
        return self.names.keys() & wanted.tensors.keys()

    @property
    def taken_off(self) -> str:
        """What was taken off the keys, in words."""
        prefix = f"prefix {self.prefix!r} taken off" if self.prefix else ""
        inner = f"{' and '.join(WRAPPER_PARTS)} taken out of the keys" if self.inner else ""
        return ", ".join(filter(None, [prefix, inner]))


def wanted_of(model: nn.Module) -> Wanted:
    """What a net asks of a file."""
    # Not model.state_dict, which a class may override, as load_state_dict.
    state = nn.Module.state_dict(model)
    tensors = {k: v for k, v in state.items() if isinstance(v, torch.Tensor)}
    ids = {key: id(tensor) for key, tensor in own_tensors(model).items()}
    names: dict[Any, set[str]] = {}
    for key in tensors:
        names.setdefault(ids.get(key, key), set()).add(key)
    groups = (group for group in names.values() if not all(k.endswith("num_batches_tracked") for k in group))
    return Wanted(tensors, tuple(map(frozenset, groups)))


def own_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """The parameters and buffers of a net themselves, tied ones under each name, persistent or not."""
    tensors: dict[str, torch.Tensor] = dict(model.named_parameters(remove_duplicate=False))
    return tensors | dict(model.named_buffers(remove_duplicate=False))


def differs_in_shape(value: Stored, own: torch.Tensor) -> bool:
    """Whether a value has another shape than the net's tensor; one without a shape yet takes any."""
    if is_lazy(own):
        return False
    one_number = own.dim() == 0 and value.shape == (1,)  # as old torch saved it; load_state_dict takes it
    return value.shape != own.shape and not one_number


def choose(
    parts: Sequence[Part], wanted: Wanted, choice: WeightsChoice, name: str, net: str
) -> tuple[Fit, Fit | None]:
    """The part that is the net's, and another that has the same keys, where neither is complete.

    Raises RequestError where several hold all that the net needs, with values that differ.
    """
    parts = _chosen(parts, choice, name)
    fits = [fit for part in parts for fit in _fits(part, wanted, choice)]
    if choice.prefix and not any(fit.names for fit in fits):
        firsts = dict.fromkeys(key.partition(".")[0] for part in parts for key in part.tensors)
        raise RequestError(
            f"--strip-prefix {choice.prefix}: no key of {name} begins so; they begin with "
            f"{listed(list(firsts))}",
            code="weights-choice",
        )
    if complete := [fit for fit in fits if wanted.groups and fit.is_complete(wanted)]:
        first, *others = complete
        different = [other for other in others if not _are_equal(first, other, wanted)]
        if different:
            raise RequestError(ambiguous([first, *different], name, net), code="weights-choice")
        return first, None
    best = max(fits, key=lambda fit: fit.fitting(wanted), default=None)
    if best is None or 2 * best.fitting(wanted) <= len(wanted.groups):
        best = _by_habit(parts, wanted, choice)
    if not best.names:
        return best, None
    twin = next((f for f in fits if f.part is not best.part and f.names.keys() == best.names.keys()), None)
    return best, twin


def ambiguous(fits: Sequence[Fit], name: str, net: str) -> str:
    """That a file holds a net several times, and which option says which is meant."""
    parts = list({id(fit.part): fit.part.under for fit in fits}.values())
    if len(parts) > 1:
        places = [f"under {key!r}" if key else "at its top" for key in parts]
        option = f"--weights-key {next(key for key in parts if key)}"
    else:
        prefixes = [fit.prefix for fit in fits]
        places = [f"behind the prefix {prefix!r}" if prefix else "without a prefix" for prefix in prefixes]
        option = f"--strip-prefix {next(prefix for prefix in prefixes if prefix)}"
    times = f"{len(places)} times, {listed(places)}"
    return f"{name} holds the weights of {net} {times}: say which, such as {option}"


def _chosen(parts: Sequence[Part], choice: WeightsChoice, name: str) -> Sequence[Part]:
    if choice.key is None:
        return parts
    found = [part for part in parts if part.under == choice.key]
    if not found:
        known = [part.under for part in parts if part.under and part.tensors]
        what = f"those it has are {listed(known)}" if known else "it holds one, under no key"
        raise RequestError(
            f"--weights-key {choice.key}: {name} has no state dict there; {what}", code="weights-choice"
        )
    return found


def _fits(part: Part, wanted: Wanted, choice: WeightsChoice) -> Iterator[Fit]:
    """The part behind each prefix of the net's keys; if none is complete, without wrappers within too."""
    for inner in (False, True) if _has_wrappers(part) else (False,):
        found = _prefixes(part, wanted, inner)
        # Behind most prefixes of a large net a small one finds a key or two.
        usual = ["", *(p for p, count in found.items() if p and 2 * count > len(wanted.groups))]
        prefixes = usual if choice.prefix is None else [choice.prefix]
        made = [_fit(part, prefix, inner, wanted, choice) for prefix in prefixes]
        fits = [fit for fit in made if fit is not None]
        yield from fits
        if any(fit.is_complete(wanted) for fit in fits):
            return


def _prefixes(part: Part, wanted: Wanted, inner: bool) -> Counter[str]:
    """Prefixes, with how many of the net's keys stand behind them."""
    counts: Counter[str] = Counter()
    for key in part.tensors:
        words = key.split(".")
        for place in range(len(words)):
            cut = ".".join(words[place:])
            if (_without_wrappers(cut) if inner else cut) in wanted.tensors:
                counts[key[: len(key) - len(cut)]] += 1
    return counts


def _fit(part: Part, prefix: str, inner: bool, wanted: Wanted, choice: WeightsChoice) -> Fit | None:
    """The part behind a prefix; None where two keys would become one: then these are no wrappers."""
    names: dict[str, str] = {}
    beside: list[str] = []
    ignored: list[str] = []
    for key in (*part.tensors, *part.extras):
        cut = key[len(prefix) :]
        cut = _without_wrappers(cut) if inner else cut
        if choice.ignores(key, cut):
            ignored.append(key)
        elif not key.startswith(prefix) or (cut not in wanted.tensors and _is_of_training(cut)):
            beside.append(key)
        elif cut in names:
            return None
        else:
            names[cut] = key
    return Fit(part, prefix, inner, names, tuple(beside), tuple(ignored))


def _is_of_training(key: str) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in BESIDE)


def _without_wrappers(key: str) -> str:
    """A key without the names that DataParallel and torch.compile within the net give to modules."""
    first, *others = key.split(".")
    return ".".join([first, *(part for part in others if part not in WRAPPER_PARTS)])


def _are_equal(one: Fit, other: Fit, wanted: Wanted) -> bool:
    """Whether two fits give the net the same values."""
    keys = one.names.keys() & wanted.tensors.keys()
    if keys != other.names.keys() & wanted.tensors.keys():
        return False
    return all(_is_same(one.value(key), other.value(key)) for key in keys)


def _is_same(one: Stored, other: Stored) -> bool:
    first = one.read() if isinstance(one, StoredArray) else one
    second = other.read() if isinstance(other, StoredArray) else other
    return first.dtype == second.dtype and torch.equal(first, second)


def _by_habit(parts: Sequence[Part], wanted: Wanted, choice: WeightsChoice) -> Fit:
    """The part under the usual keys, without the usual prefixes, where the net's own keys tell nothing."""
    part = _usual_part(parts, wanted)
    prefixes = [""]
    while found := next((p for p in PREFIXES if _all_begin(part, prefixes[-1] + p)), None):
        prefixes.append(prefixes[-1] + found)
    prefixes = prefixes if choice.prefix is None else [choice.prefix]
    inners = (False, True) if _has_wrappers(part) else (False,)
    usual = [_fit(part, prefix, inner, wanted, choice) for inner in inners for prefix in prefixes]
    fits = [fit for fit in usual if fit is not None]
    most = max(len(fit.names.keys() & wanted.tensors.keys()) for fit in fits)
    # Where nothing fits, the report of missing keys is easier to read without the prefixes.
    ordered = fits if most else fits[::-1]
    return next(fit for fit in ordered if len(fit.names.keys() & wanted.tensors.keys()) == most)


def _all_begin(part: Part, prefix: str) -> bool:
    return bool(part.tensors) and all(key.startswith(prefix) for key in part.tensors)


def _has_wrappers(part: Part) -> bool:
    return any(_without_wrappers(key) != key for key in part.tensors)


def _usual_part(parts: Sequence[Part], wanted: Wanted) -> Part:
    by_key = {part.under: part for part in parts}
    usual = parts[0]
    while key := next((k for k in WRAPPERS if f"{usual.under}.{k}".lstrip(".") in by_key), None):
        usual = by_key[f"{usual.under}.{key}".lstrip(".")]
    is_one = bool(usual.tensors) or not wanted.groups
    return usual if is_one else max(parts, key=lambda part: len(part.tensors))
