"""mxnet in a process of its own, under another Python, where there is no mxnet for this one.

`FX2MX_MXNET_PYTHON` names that Python. What is marked `@in_mxnet` then runs there, and else here. This
process holds stand-ins of mxnet's symbols and arrays, which become the real ones on the way.
"""

from __future__ import annotations

import functools
import importlib
import io
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from codegen.mxnet_import import import_mxnet, is_installed
from codegen.problems import RequestError

P = ParamSpec("P")
T = TypeVar("T")
VARIABLE = "FX2MX_MXNET_PYTHON"
# Runs `main` of a module of ours, and has of our folder nothing but codegen: numpy, there, is another's.
START = """
import importlib, importlib.util, sys
sys.path[:] = [folder for folder in sys.path if folder]
spec = importlib.util.spec_from_file_location("codegen", sys.argv[1])
sys.modules["codegen"] = codegen = importlib.util.module_from_spec(spec)
spec.loader.exec_module(codegen)
sys.exit(importlib.import_module(sys.argv[2]).main())
"""


def start_command(python: str, module: str) -> list[str]:
    """The command that runs `main` of one of codegen's modules under a Python."""
    return [python, "-c", START, str(Path(__file__).with_name("__init__.py")), module]


def other_python() -> str:
    """The Python that was named to run mxnet; nothing where it runs here."""
    return os.environ.get(VARIABLE, "")


def has_mxnet() -> bool:
    """Whether there is an mxnet, here or there."""
    return bool(other_python()) or is_installed()


class MXNetError(RuntimeError):
    """In the place of mxnet's own, for what another process raised."""


def mxnet_error() -> type[Exception]:
    """What is raised where MXNet refuses."""
    if other_python():
        return MXNetError
    found: type[Exception] = import_mxnet().base.MXNetError
    return found


@dataclass(frozen=True)
class SymbolThere:
    """A symbol in the other process: its JSON, and the names that are asked of it."""

    json: str
    outputs: tuple[str, ...]
    arguments: tuple[str, ...]
    auxiliary: tuple[str, ...]

    def tojson(self) -> str:
        return self.json

    def list_outputs(self) -> list[str]:
        return list(self.outputs)

    def list_arguments(self) -> list[str]:
        return list(self.arguments)

    def list_auxiliary_states(self) -> list[str]:
        return list(self.auxiliary)


@dataclass(frozen=True, eq=False)
class ArrayThere:
    """An NDArray of the other process: its values."""

    values: npt.NDArray[Any]

    @property
    def dtype(self) -> Any:
        return self.values.dtype.type

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def asnumpy(self) -> npt.NDArray[Any]:
        return self.values.copy()

    def copy(self) -> ArrayThere:
        return ArrayThere(self.values.copy())


def mxnet_array(array: npt.NDArray[Any]) -> Any:
    """An NDArray that shares the memory of an array, or its stand-in."""
    return ArrayThere(array) if other_python() else _ndarray(array)


def in_mxnet(function: Callable[P, T]) -> Callable[P, T]:
    """A function of mxnet's objects, which runs where mxnet is. It takes and returns data alone.

    Raises MXNetError where it did there, and RequestError where the other Python cannot be run.
    """

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        python = other_python()
        if not python:
            return function(*args, **kwargs)
        found: T = _process(python).call(f"{function.__module__}:{function.__qualname__}", args, kwargs)
        return found

    return wrapped


@functools.cache
def _process(python: str) -> _Process:
    return _Process(python)


class _Process:
    """The other process, which lives until this one ends, or it does; one call at a time."""

    def __init__(self, python: str) -> None:
        self._python = python
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def call(self, name: str, args: Any, kwargs: Any) -> Any:
        with self._lock:
            child = self._running()
            try:
                _send(child.stdin, (name, args, kwargs))
                kind, result = _received(child.stdout)
            except (EOFError, BrokenPipeError):
                self._child = None
                raise MXNetError(_end_of(child.wait())) from None
        if kind == "error":
            raise result
        return result

    def _running(self) -> Any:
        if self._child is not None and self._child.poll() is None:
            return self._child
        own = {VARIABLE, "PYTHONPATH", "PYTHONHOME"}
        try:
            self._child = subprocess.Popen(
                start_command(self._python, __name__),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={k: v for k, v in os.environ.items() if k not in own},
            )
            kind, result = _received(self._child.stdout)
        except OSError as error:
            raise RequestError(
                f"--mxnet-python {self._python}: {error.strerror}", code="mxnet-python"
            ) from None
        except EOFError:
            raise RequestError(
                f"--mxnet-python {self._python}: no Python with numpy runs there (see above)",
                code="mxnet-python",
            ) from None
        if kind == "error":
            raise RequestError(f"--mxnet-python {self._python}: {result}", code="mxnet-python")
        return self._child


def _end_of(status: int) -> str:
    if status < 0:
        return f"mxnet's process ended ({signal.Signals(-status).name})"
    return f"mxnet's process ended with {status}"


# The way from one process to the other -----------------------------------------------------------------


class _Pickler(pickle.Pickler):
    """Stand-ins become mxnet's objects, which become stand-ins; arrays suit any two versions of numpy."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return _array, (value.tobytes(), value.dtype.str, value.shape)
        if isinstance(value, SymbolThere):
            return _symbol, (value.json,)
        if isinstance(value, ArrayThere):
            return _ndarray, (value.values,)
        mx = sys.modules.get("mxnet")
        if mx is not None and isinstance(value, mx.sym.Symbol):
            names = (value.list_outputs(), value.list_arguments(), value.list_auxiliary_states())
            return SymbolThere, (value.tojson(), *map(tuple, names))
        if mx is not None and isinstance(value, mx.nd.NDArray):
            return ArrayThere, (value.asnumpy(),)
        return NotImplemented


def _array(data: bytes, dtype: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    return np.ndarray(shape, np.dtype(dtype), bytearray(data))


def _symbol(text: str) -> Any:
    return import_mxnet().sym.load_json(text)


def _ndarray(array: npt.NDArray[Any]) -> Any:
    return import_mxnet().nd.from_numpy(array, zero_copy=True)


def _send(stream: Any, value: Any) -> None:
    content = io.BytesIO()
    _Pickler(content, protocol=5).dump(value)
    stream.write(content.getbuffer())
    stream.flush()


def _received(stream: Any) -> Any:
    return pickle.load(stream)


def main() -> int:
    """The other process: it answers calls until there are no more."""
    # What mxnet prints is no answer.
    answers: BinaryIO = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        import_mxnet()
    except RequestError as error:
        _send(answers, ("error", error))
        return 0
    _send(answers, ("ready", None))
    while True:
        try:
            name, args, kwargs = _received(sys.stdin.buffer)
        except EOFError:
            return 0
        _send(answers, _answer(name, args, kwargs))


def _answer(name: str, args: Any, kwargs: Any) -> tuple[str, Any]:
    module, _, function = name.partition(":")
    try:
        return "done", getattr(importlib.import_module(module), function)(*args, **kwargs)
    except mxnet_error() as error:
        return "error", MXNetError(str(error))
    except (RequestError, OSError, TypeError, ValueError) as error:
        return "error", error
    except Exception as error:  # noqa: BLE001 - of a kind that the asking process may not have
        return "error", RuntimeError(f"{type(error).__name__}: {error}")
