"""The state dicts in what a file holds: each mapping with its tensors, wherever it stands."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from tracer.checkpoint.files import StoredArray

# Deeper a checkpoint does not nest them.
MOST_DEEP = 6
EXTRA = "_extra_state"
Stored = torch.Tensor | StoredArray


@dataclass(frozen=True)
class Part:
    """The tensors of a mapping, under which key it stood in the file, and the keys of what is no tensor.

    `versions` is a state dict's `_metadata`: by module, which form its tensors have. `extras` are what
    modules keep beside tensors (nn.Module.get_extra_state).
    """

    under: str
    tensors: dict[str, Stored]
    left_out: tuple[str, ...]
    versions: Mapping[str, Any]
    extras: Mapping[str, Any]


def parts_of(loaded: Mapping[Any, Any]) -> Iterator[Part]:
    """The file itself, then the mappings in it, those that are less deep first; each of them once."""
    waiting: deque[tuple[tuple[str, ...], Mapping[Any, Any]]] = deque([((), loaded)])
    seen = {id(loaded)}
    while waiting:
        keys, mapping = waiting.popleft()
        yield _part(".".join(keys), mapping)
        for key, value in mapping.items():
            # One that stands under two keys, or in itself, is one state dict.
            if isinstance(value, Mapping) and id(value) not in seen and len(keys) < MOST_DEEP:
                seen.add(id(value))
                waiting.append(((*keys, str(key)), value))


def _part(under: str, mapping: Mapping[Any, Any]) -> Part:
    tensors = {str(k): v for k, v in mapping.items() if isinstance(v, torch.Tensor | StoredArray)}
    extras = {str(k): v for k, v in mapping.items() if str(k).endswith(EXTRA) and str(k) not in tensors}
    left_out = tuple(str(k) for k in mapping if str(k) not in tensors and str(k) not in extras)
    versions = getattr(mapping, "_metadata", None)
    return Part(under, tensors, left_out, versions if isinstance(versions, Mapping) else {}, extras)
