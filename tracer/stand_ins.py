"""Modules that stand for others, which are slow to import: what is not known of these is asked of them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


def is_away(name: str) -> bool:
    return isinstance(sys.modules.get(name), StandIn)


def take_off(name: str) -> None:
    """Remove a stand-in, from the package that it was put into too."""
    package, _, last = name.rpartition(".")
    if package:
        vars(sys.modules[package]).pop(last, None)
    del sys.modules[name]


def itself(name: str) -> ModuleType:
    """The module, which is imported now if it is not."""
    if is_away(name):
        take_off(name)
    return importlib.import_module(name)


class StandIn(ModuleType):
    """A module before it is imported."""

    def __init__(self, name: str, known: Mapping[str, Any]) -> None:
        super().__init__(name)
        vars(self).update(known)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in {"__all__", "__version__"}:
            raise AttributeError(name)  # what importlib and inspect look for
        return getattr(itself(self.__name__), name)


class Finder(MetaPathFinder):
    """Gives a stand-in once for each module, and the module itself before any that lies in it."""

    def __init__(self, known: Mapping[str, Mapping[str, Any]]) -> None:
        self._left = dict(known)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,  # noqa: ARG002 - importlib's signature
    ) -> ModuleSpec | None:
        known = self._left.pop(fullname, None)
        if known is not None:
            own = PathFinder.find_spec(fullname, path)  # none in a torch that has no such module
            return None if own is None else spec_of(StandIn(fullname, known), own)
        package = fullname.rpartition(".")[0]
        if not is_away(package):
            return None
        itself(package)
        found = sys.modules.get(fullname)
        return None if found is None else spec_of(found, found.__spec__)


def spec_of(module: ModuleType, own: ModuleSpec | None) -> ModuleSpec:
    """A spec by which importlib takes a module that is there, whose `own` spec it has in the end."""
    folders = None if own is None else own.submodule_search_locations
    spec = ModuleSpec(module.__name__, Present(module, own), is_package=folders is not None)
    spec.submodule_search_locations = folders
    # Where a finder has imported the module itself, importlib goes on by this one.
    module.__spec__ = spec
    return spec


class Present(Loader):
    """Loads a module that is there, and must not run again."""

    def __init__(self, module: ModuleType, own: ModuleSpec | None) -> None:
        self._module = module
        self._own = own

    def create_module(self, spec: ModuleSpec) -> ModuleType:  # noqa: ARG002 - importlib's signature
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """It has run."""
        module.__spec__ = self._own
