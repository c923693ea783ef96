"""What a forward changes of its own module: a symbol remembers nothing from one call to the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import torch
from torch import nn

# (path, name) -> what is kept there, and a mark that another value, or a write, changes.
State: TypeAlias = Mapping[tuple[str, str], tuple[Any, Any]]
# How many of a list's items are looked at: a vocabulary is no state.
MOST_ITEMS = 100


def state_of(model: nn.Module) -> State:
    """Parameters, buffers and plain attributes of all modules, to be compared with those after a run."""
    # The values are kept, so that no id among the marks is given again.
    return {(path, name): (value, _mark(value)) for path, name, value in _kept(model)}


def changes(before: State, model: nn.Module) -> tuple[str, ...]:
    """The names (`block.seen`) of what has another value than `before`, or is new."""
    found: dict[str, None] = {}
    for path, name, value in _kept(model):
        if (path, name) not in before or before[path, name][1] != _mark(value):
            found.setdefault(f"{path}.{name}" if path else name)
    return tuple(found)


def _kept(model: nn.Module) -> Iterator[tuple[str, str, Any]]:
    own = vars(nn.Module())
    for path, module in model.named_modules():
        computed = {str(getattr(hook, "name", "")) for hook in module._forward_pre_hooks.values()}
        values = {**module._parameters, **module._buffers, **vars(module)}
        for name, value in values.items():
            # The old weight_norm keeps a weight that it computes anew at each call.
            if name not in own and name not in computed and not callable(value):
                yield path, name, value


def _mark(value: Any, depth: int = 0) -> Any:
    if isinstance(value, torch.Tensor):
        return id(value), 0 if value.is_inference() else value._version
    if isinstance(value, int | float | str | bytes | None):
        return type(value), repr(value)
    if isinstance(value, list | tuple | deque) and depth < 2:
        return len(value), tuple(_mark(v, depth + 1) for v, _ in zip(value, range(MOST_ITEMS), strict=False))
    if isinstance(value, dict) and depth < 2:
        items = [(k, v) for (k, v), _ in zip(value.items(), range(MOST_ITEMS), strict=False)]
        return len(value), tuple((repr(k), _mark(v, depth + 1)) for k, v in items)
    return id(value)
