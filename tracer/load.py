"""Load: a SPEC (`path/model.py:Name` or `package.module:Name`) becomes a module in eval mode.

The user's file is imported as Python itself would run it: its siblings and its package are found,
even where one of them is called like a package of this project.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import importlib.util
import operator
import os
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import numpy as np
import torch
from torch import nn

from codegen.defects import present
from codegen.problems import RequestError, UserModelError, in_a_line, listed
from tracer.arguments import check_arguments
from tracer.bytecode import nothing_compiled
from tracer.options import FORMS
from tracer.settings import same_folder
from tracer.user_code import user_error, user_frames
from tracer.wrappers import unwrapped

OWN_PACKAGES = ("tracer", "codegen", "templates")


@dataclass(frozen=True)
class LoadedModel:
    """A module in eval mode, the name of what was loaded, and how generated files name its source.

    `origin` is the same on every machine: `model.py:XXNet` without a folder, or an installed module's SPEC.
    `file` is the file that can stand in SPEC; None for an installed module.
    """

    model: nn.Module
    name: str
    origin: str
    file: Path | None


@dataclass(frozen=True)
class _Target:
    """What to import: `module` by name, or `file` under that name; `folders` go first on sys.path."""

    shown: str
    module: str
    file: str | None
    folders: tuple[str, ...]


def load_model(spec: str, kwargs: Mapping[str, Any]) -> LoadedModel:
    """Import SPEC and build its module with `kwargs`, under a fixed seed, in eval mode on the CPU.

    The random states of torch, numpy and `random` are left as they were. Raises RequestError where the
    request cannot be met, UserModelError where the user's own code raises.
    """
    place, name = _split_spec(spec)
    target = _file_target(place) if _is_file(place) else _module_target(place)
    with same_folder(), _importing(target), _seeded(), _told_by_argparse():
        module = _import(target)
        found = _find(module, name, target.shown)
        torch.manual_seed(0)
        model = unwrapped(_build(found, name, target.module, target.shown, kwargs))
    if any(t.device.type == "cuda" for t in (*model.parameters(), *model.buffers())):
        model = model.cpu()
    file = _file_of(target, module)
    origin = f"{file.name}:{name}" if file else spec
    return LoadedModel(model.eval(), name.rpartition(".")[2], origin, file)


def _file_of(target: _Target, module: ModuleType) -> Path | None:
    """The file that gives the module when it stands in SPEC instead of the module's name."""
    if target.file is not None:
        return Path(target.file)
    file = getattr(module, "__file__", None)
    if file is None or _is_installed(file) or not file.endswith(".py"):
        return None
    return Path(file) if _file_target(file).module == target.module else None


def _split_spec(spec: str) -> tuple[str, str]:
    place, colon, name = spec.rpartition(":")
    if not colon:
        raise RequestError(f"SPEC {spec!r} has no ':': write it as {FORMS}", code="spec-form")
    if not place or not all(part.isidentifier() for part in name.split(".")):
        raise RequestError(f"SPEC {spec!r} does not name a module: write it as {FORMS}", code="spec-form")
    return place, name


def _is_file(place: str) -> bool:
    return place.endswith(".py") or "/" in place or os.sep in place


def _file_target(place: str) -> _Target:
    if os.path.isdir(place):
        raise RequestError(f"{place} is a folder: give a Python file in it, as {FORMS}", code="spec-form")
    if not os.path.isfile(place):
        other = f" (there is {place}.py)" if os.path.isfile(place + ".py") else ""
        raise RequestError(f"no such file: {place}{other}", code="no-such-model")
    file = os.path.abspath(place)
    folder = os.path.dirname(file)
    stem = os.path.splitext(os.path.basename(file))[0]
    root, parts = folder, [stem]
    while os.path.isfile(os.path.join(root, "__init__.py")):
        root, part = os.path.split(root)
        parts.insert(0, part)
    if root == folder or not all(part.isidentifier() for part in parts):
        return _Target(place, stem, file, (folder,))
    if stem == "__init__":
        parts.pop()
    # The folder comes second: files of a package are often also run as scripts beside their siblings.
    return _Target(place, ".".join(parts), file, (root, folder))


def _module_target(place: str) -> _Target:
    if not all(part.isidentifier() for part in place.split(".")):
        raise RequestError(
            f"{place!r} is neither a Python file nor a module's name: write SPEC as {FORMS}", code="spec-form"
        )
    return _Target(place, place, None, (os.getcwd(),))


@contextlib.contextmanager
def _importing(target: _Target) -> Iterator[None]:
    """The interpreter as a script in the user's folder would find it, and nothing written there."""
    path, argv = list(sys.path), sys.argv
    importlib.invalidate_caches()
    with _own_modules_hidden(target.folders), nothing_compiled():
        sys.path[:0] = target.folders
        sys.argv = [target.shown]
        try:
            yield
        finally:
            # Imports inside `forward` still find the user's files, but only after ours.
            sys.path[:] = path + [folder for folder in target.folders if folder not in path]
            sys.argv = argv


@contextlib.contextmanager
def _own_modules_hidden(folders: Sequence[str]) -> Iterator[None]:
    """A sibling of the user's file wins over a module of its name: ours come back afterwards.

    Modules of an earlier SPEC in another folder are dropped; installed ones stay, as in any script.
    """
    own = [name for name in OWN_PACKAGES if _is_shadowed(_own_home(name), name, folders)]
    hidden: dict[str, ModuleType] = {}
    for name in own:
        hidden.update(_take(name))
        _claim_plain_folder(name, folders)
    for name in [key for key in sys.modules if "." not in key and key not in (*OWN_PACKAGES, "__main__")]:
        home = _home(sys.modules[name])
        if _is_shadowed(home, name, folders) and not _is_installed(home):
            _take(name)
    try:
        yield
    finally:
        for name in own:
            _take(name)
        sys.modules.update(hidden)


def _own_home(name: str) -> str:
    return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), name)


def _is_shadowed(home: str | None, name: str, folders: Sequence[str]) -> bool:
    """Whether the user's folders have a file or folder of this name that is not `home` itself."""
    sibling = next(filter(None, (_sibling(name, folder) for folder in folders)), None)
    if sibling is None or home is None:
        return False
    return os.path.realpath(home) != os.path.realpath(sibling)


def _sibling(name: str, folder: str) -> str | None:
    package = os.path.join(folder, name)
    if os.path.isdir(package):
        return package
    return package + ".py" if os.path.isfile(package + ".py") else None


def _home(module: ModuleType) -> str | None:
    """The folder of a package, the file of a module, None for a built-in one."""
    paths = list(getattr(module, "__path__", ()))
    return paths[0] if paths else getattr(module, "__file__", None)


def _is_installed(home: str | None) -> bool:
    if home is None:
        return True
    file = os.path.realpath(home)
    standard = os.path.dirname(os.path.realpath(os.__file__)) + os.sep
    return file.startswith(standard) or bool({"site-packages", "dist-packages"} & set(file.split(os.sep)))


def _take(name: str) -> dict[str, ModuleType]:
    """Remove a top-level module and its submodules from sys.modules, and return them."""
    names = [key for key in sys.modules if key == name or key.startswith(name + ".")]
    return {key: sys.modules.pop(key) for key in names}


def _claim_plain_folder(name: str, folders: Sequence[str]) -> None:
    """A user's folder without __init__.py would lose against our package, wherever it is on sys.path."""
    folder = next(path for path in (_sibling(name, f) for f in folders) if path)
    if os.path.isdir(folder) and not os.path.isfile(os.path.join(folder, "__init__.py")):
        module = ModuleType(name)
        module.__path__ = [folder]
        sys.modules[name] = module


def _import(target: _Target) -> ModuleType:
    try:
        if target.file is None or "." in target.module:
            return importlib.import_module(target.module)
        return _import_file(target.module, target.file)
    except (Exception, SystemExit) as error:
        if target.file is None and _is_missing(error, target.module):
            raise RequestError(
                f"no such module: {target.module}, neither in the current folder nor installed "
                f"(SPEC is {FORMS})",
                code="no-such-model",
            ) from None
        if isinstance(error, SystemExit):
            raise UserModelError(_ends_text(error, target.shown), code="ends-process") from error
        raise user_error(error, _import_headline(error, target.shown)) from error


def _import_file(name: str, file: str) -> ModuleType:
    # A file called like a library (`types.py`), or like one of ours, must not take its place.
    if name in OWN_PACKAGES or (name in sys.modules and not _is_from(name, file)):
        name = f"user_{name}"
    loader = importlib.machinery.SourceFileLoader(name, file)
    spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    spec = present(spec)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _is_from(name: str, file: str) -> bool:
    home = _home(sys.modules[name])
    return home is not None and os.path.realpath(home) == os.path.realpath(file)


def _is_missing(error: BaseException, module: str) -> bool:
    """Whether the named module itself was not found, rather than one that it imports."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return module == error.name or module.startswith(error.name + ".")
    return False


def _ends_text(error: SystemExit, shown: str) -> str:
    """That a file ends the process when it is imported, as a script does that reads its command line."""
    frames = user_frames(error)
    place = f", at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return (
        f"{shown} ends the process when it is imported{place} ({in_a_line(error)}): it runs as a script; "
        'put what runs under `if __name__ == "__main__":`, or the net into a file of its own'
    )


@contextlib.contextmanager
def _told_by_argparse() -> Iterator[None]:
    """What a script's parser of arguments lacks is in its SystemExit, instead of a usage text."""
    own = argparse.ArgumentParser.error

    def error(_parser: argparse.ArgumentParser, message: str) -> NoReturn:
        raise SystemExit(message)

    argparse.ArgumentParser.error = error  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        argparse.ArgumentParser.error = own  # type: ignore[method-assign]


def _import_headline(error: BaseException, shown: str) -> str:
    if isinstance(error, ImportError) and "attempted relative import" in str(error):
        return (
            f"{shown} uses relative imports outside a package (put an empty __init__.py into its folder, "
            "or give SPEC as package.module:Name)"
        )
    return f"{shown} raised when it was imported"


def _find(module: ModuleType, name: str, shown: str) -> Any:
    """The object that a dotted name stands for: a module, or what builds one."""
    try:
        found: Any = operator.attrgetter(name)(module)
    except AttributeError:
        raise RequestError(_no_such_name(module, name, shown), code="no-such-name") from None
    if isinstance(found, nn.Module) or (isinstance(found, type) and issubclass(found, nn.Module)):
        return found
    if isinstance(found, type):
        raise RequestError(
            f"{name} in {shown} is a class, but not an nn.Module{_offer(module)}", code="not-a-module"
        )
    if isinstance(found, ModuleType) or not callable(found):
        kind = type(found).__name__
        raise RequestError(
            f"{name} in {shown} is of type {kind}, not an nn.Module class, a module, or a function that "
            f"returns one{_offer(module)}",
            code="not-a-module",
        )
    return found


def _no_such_name(module: ModuleType, name: str, shown: str) -> str:
    known = [key for key, value in vars(module).items() if not key.startswith("_") and callable(value)]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"no {name!r} in {shown}{hint}{_offer(module)}"


def _offer(module: ModuleType) -> str:
    classes = _module_classes(module)
    if not classes:
        return ": it defines no nn.Module class"
    return f": its nn.Module classes are {listed(classes, 8)}"


def _module_classes(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, nn.Module) and value.__module__ == module.__name__
    ]


def _build(found: Any, name: str, module: str, shown: str, kwargs: Mapping[str, Any]) -> nn.Module:
    if isinstance(found, nn.Module):
        if kwargs:
            raise RequestError(
                f"{name} in {shown} is a module already: leave out --kwargs", code="kwargs-fit"
            )
        return found
    check_arguments(found, name, module, kwargs)
    try:
        model = found(**kwargs)
    except (Exception, SystemExit) as error:
        # torch.jit.load under PYTORCH_JIT=0, without which no function of torch.jit.script can be traced.
        if "RecursiveScriptModule" in str(error):
            raise RequestError(
                f"{name} loads a net of torch.jit, whose code is not Python: build the net by its class, and "
                "give the state_dict() of this one as --weights",
                code="torch-jit",
            ) from None
        raise user_error(error, f"{name} raised when it was built") from error
    if not isinstance(model, nn.Module):
        raise RequestError(
            f"{name}() returned {_a(type(model).__name__)}: it must return one nn.Module", code="not-a-module"
        )
    return model


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiouAEIOU" else f"a {noun}"


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    """A fixed seed for torch, numpy and `random`, whose states are restored afterwards."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        np.random.seed(0)
        random.seed(0)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)
