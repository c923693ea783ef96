"""torch's fake tensors without torch._dynamo, whose import takes longer than the conversion of most nets.

FakeTensorMode wants its configuration, and the functions that compute shapes want its `disable`. Both are
given without the rest of it. Whoever asks for anything else gets torch._dynamo itself.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import torch

from tracer.stand_ins import spec_of

NAME = "torch._dynamo"
CONFIG = f"{NAME}.config"


@contextlib.contextmanager
def without_dynamo() -> Iterator[None]:
    """Nothing is compiled, and torch._dynamo is imported where something asks for more than is said above."""
    if NAME in sys.modules:
        with contextlib.nullcontext() if _is_away() else _uncompiled():
            yield
        return
    stand_in, finder = _StandIn(), _Finder()
    sys.modules[NAME] = stand_in
    sys.meta_path.insert(0, finder)
    try:
        config = importlib.import_module(CONFIG)
        disabled, config.disable = config.disable, True  # type: ignore[attr-defined]
        try:
            yield
        finally:
            config.disable = disabled  # type: ignore[attr-defined]
    finally:
        sys.meta_path.remove(finder)
        if sys.modules.get(NAME) is stand_in:
            del sys.modules[NAME]


def _is_away() -> bool:
    return isinstance(sys.modules.get(NAME), _StandIn)


def _uncompiled() -> contextlib.AbstractContextManager[object]:
    """What torch.compile made runs as the Python that it was made of: its own code cannot be recorded."""
    if not hasattr(torch.compiler, "set_stance"):  # torch before 2.6
        return contextlib.nullcontext()
    stance: contextlib.AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance


class _StandIn(ModuleType):
    """torch._dynamo, before it is imported."""

    def __init__(self) -> None:
        super().__init__(NAME)
        self.__path__ = [os.path.join(os.path.dirname(torch.__file__), "_dynamo")]

    @staticmethod
    def disable(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """The function as it is; torch keeps this for good, so it is disabled once there is a compiler."""
        disabled: list[Callable[..., Any]] = []

        @functools.wraps(fn)
        def called(*given: Any, **named: Any) -> Any:
            if not disabled:
                if NAME not in sys.modules or _is_away():
                    return fn(*given, **named)
                disabled.append(sys.modules[NAME].disable(fn, *args, **kwargs))
            return disabled[0](*given, **named)

        return called

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return sys.modules[CONFIG] if name == "config" else getattr(_imported(), name)


def _imported() -> ModuleType:
    """torch._dynamo itself."""
    if _is_away():
        del sys.modules[NAME]
    return importlib.import_module(NAME)


class _Finder(MetaPathFinder):
    """Imports torch._dynamo before any module that needs it."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - importlib's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        is_first = fullname.startswith(f"{NAME}.") and fullname != CONFIG
        if not is_first or not _is_away():
            return None
        _imported()
        found = sys.modules.get(fullname)
        return None if found is None else spec_of(found, found.__spec__)
