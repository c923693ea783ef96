"""The one door to mxnet: its import, under any numpy and Python that fx2mx runs with.

mxnet 1.9.1 reads names that numpy has removed since. Its modules, and they alone, are given a view of numpy
that still answers for these. numpy itself is never changed, so nobody else sees it.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import importlib.machinery
import importlib.util
import re
import sys
import types
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from codegen.problems import RequestError, in_a_line

INSTALL = "pip install --no-deps mxnet==1.9.1"


def import_mxnet() -> Any:
    """The module mxnet, under any numpy; from then on a plain `import mxnet` finds it too.

    One that was imported before is given as it is. RequestError where there is none, or where it cannot be
    imported.

    torch: runs with any numpy.
    MXNet: cannot be imported with numpy 1.24 or later, where np.bool is gone, nor with Python 3.12 or later
        unless setuptools brings distutils.
    We write: nothing. fx2mx imports mxnet with a view of numpy that has what was removed.
    Source: mxnet/numpy/utils.py; mxnet/numpy/fallback.py; mxnet/numpy_op_fallback.py.

    >>> from codegen.mxnet_import import import_mxnet
    >>> import_mxnet().numpy.utils.onp.PZERO
    0.0
    """
    if "mxnet" in sys.modules:
        return importlib.import_module("mxnet")  # waits for a thread that is at it
    if _Finder not in sys.meta_path:
        _add_finder()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python 3.12 and later, for mxnet's strings
            return importlib.import_module("mxnet")
    except Exception as error:
        if _Finder in sys.meta_path:
            sys.meta_path.remove(_Finder)
        raise RequestError(_advice(error), code="no-mxnet") from error


def is_installed() -> bool:
    """Whether there is an mxnet to import."""
    try:
        return "mxnet" in sys.modules or importlib.util.find_spec("mxnet") is not None
    except ImportError:
        return False


def _add_finder() -> None:
    """Put our finder before Python's own. It stays: parts of mxnet are imported later, when asked for."""
    usual = importlib.machinery.PathFinder
    place = sys.meta_path.index(usual) if usual in sys.meta_path else len(sys.meta_path)
    sys.meta_path.insert(place, _Finder)


def _advice(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name == "mxnet":
        return f"there is no mxnet here; install it: {INSTALL} (or name a Python that has it: --mxnet-python)"
    return f"mxnet cannot be imported ({in_a_line(error)}); install it anew: {INSTALL}"


class _Finder(importlib.machinery.PathFinder):
    """Finds mxnet's files, to be loaded with a view of numpy."""

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> Any:
        """As PathFinder's, for mxnet alone."""
        if fullname.partition(".")[0] != "mxnet":
            return None
        spec = super().find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    """Runs a file of mxnet's with an `import` of its own."""

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the module; its functions import as it does."""
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import}
        super().exec_module(module)

    def get_code(self, fullname: str) -> Any:
        """The code of a module, with its docstrings.

        torch: runs without docstrings, under `python -OO`.
        MXNet: cannot be imported without them: it joins its docstrings as texts.
        We write: nothing. fx2mx compiles mxnet's files with docstrings, whatever Python was told.
        Source: mxnet/ndarray_doc.py, _build_doc.

        >>> import subprocess, sys
        >>> code = "from codegen.mxnet_import import import_mxnet; import_mxnet()"
        >>> subprocess.run([sys.executable, "-OO", "-c", code], capture_output=True).returncode
        0
        """
        texts = _OTHER_TEXTS.get(fullname, ())
        if not texts and sys.flags.optimize < 2:
            return super().get_code(fullname)
        path = self.get_filename(fullname)
        source = self.get_data(path)
        for old, new in texts:
            source = source.replace(old, new)
        return compile(source, path, "exec", dont_inherit=True, optimize=0)


# Methods of arrays that numpy has removed (2.3), and what they are called now.
_OTHER_TEXTS = {"mxnet.recordio": ((b".tostring()", b".tobytes()"),)}


def _import(
    name: str,
    globals: Mapping[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> Any:
    """What `import` gives within mxnet."""
    if name == "distutils.version":
        return _DISTUTILS_VERSION
    try:
        found = builtins.__import__(name, globals, locals, fromlist or (), level)
    except ModuleNotFoundError as error:
        if name == error.name == "requests":
            return _REQUESTS
        raise
    return _view_of_numpy() if found is np else found


class _Release(tuple[int, ...]):
    """The numbers of a version, to be compared."""

    def __new__(cls, text: str) -> _Release:
        return super().__new__(cls, map(int, re.findall(r"\d+", text)[:3]))


# Python has no distutils since 3.12. mxnet compares versions of numpy with it.
_DISTUTILS_VERSION = types.SimpleNamespace(LooseVersion=_Release, StrictVersion=_Release)
# mxnet.gluon.utils.download calls it, which fx2mx does not.
_REQUESTS = types.ModuleType("requests", "In the place of requests, which is not installed.")


class _View(types.ModuleType):
    """numpy, with what was removed from it."""

    def __getattr__(self, name: str) -> Any:
        """A name of numpy's, or what stood there before."""
        try:
            return getattr(np, name)
        except AttributeError:
            if name not in _removed():
                raise
            return _removed()[name]


@functools.cache
def _view_of_numpy() -> types.ModuleType:
    view = _View("numpy", np.__doc__)
    # These numpy 1 had with a warning, and numpy 2 has another `bool`.
    vars(view).update(bool=builtins.bool, int=builtins.int)
    return view


@functools.cache
def _removed() -> dict[str, Any]:
    """Names that numpy has removed and mxnet reads, as they were."""
    return {
        "PZERO": 0.0,
        "NZERO": -0.0,
        "PINF": np.inf,
        "NINF": -np.inf,
        "NAN": np.nan,
        "NaN": np.nan,
        "Inf": np.inf,
        # Objects of their own: mxnet notes for each of numpy's functions what it does with mxnet's arrays.
        "alltrue": functools.partial(np.all),
        "sometrue": functools.partial(np.any),
        "in1d": lambda ar1, ar2, *args, **kwargs: np.isin(np.ravel(ar1), ar2, *args, **kwargs),
        "msort": functools.partial(np.sort, axis=0),
        "product": functools.partial(np.prod),
        "round_": functools.partial(np.round),
        "trapz": functools.partial(getattr(np, "trapezoid", None) or np.trapz),
        **{name: functools.partial(_financial, name) for name in _FINANCIAL},
        "compat": types.SimpleNamespace(basestring=str),
    }


_FINANCIAL = ("mirr", "npv", "pmt", "ppmt", "pv", "rate")


def _financial(name: str, *_args: Any, **_kwargs: Any) -> None:
    """As in numpy 1.20 and later."""
    raise RuntimeError(f"numpy has removed {name}; the library numpy-financial has it")
