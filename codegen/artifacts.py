"""Files: the generated code is run to make the symbol, and all files are written, or none."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from codegen.mxnet_import import import_mxnet
from codegen.mxnet_process import in_mxnet, mxnet_error
from codegen.problems import RequestError, listed

if TYPE_CHECKING:
    import mxnet as mx


# A temporary file's name has some of the file's own: file systems take 255 bytes, four for some letters.
MOST_OF_NAME = 40


@dataclass(frozen=True)
class Paths:
    """The files of a net, all named after `--out`."""

    code: Path

    @property
    def prefix(self) -> Path:
        """What `mx.model.load_checkpoint` takes."""
        return self.code.with_suffix("")

    @property
    def symbol(self) -> Path:
        """The symbol's JSON."""
        return self.prefix.with_name(self.prefix.name + "-symbol.json")

    @property
    def params(self) -> Path:
        """The weights."""
        return self.prefix.with_name(self.prefix.name + "-0000.params")

    @property
    def contrast(self) -> Path:
        """The contrast table."""
        return self.prefix.with_name(self.prefix.name + "-layer_contrast.txt")

    def all(self) -> tuple[Path, ...]:
        """Every file."""
        return (self.code, self.symbol, self.params, self.contrast)


@in_mxnet
def load_symbol(code: str, function: str) -> mx.sym.Symbol:
    """The symbol that the generated code makes. RequestError where mxnet cannot be imported."""
    import_mxnet()
    namespace: dict[str, Any] = {"__name__": "model_mxnet"}
    with warnings.catch_warnings():
        # The initializer of a net's constants is registered each time that its code is run.
        warnings.simplefilter("ignore", UserWarning)
        exec(compile(code, "model_mxnet.py", "exec"), namespace)
    return namespace[function]()


def check_name(path: Path) -> None:
    """Raise RequestError unless `path` can name generated code."""
    _check_length(path, path)
    if path.is_dir():
        raise RequestError(
            f"--out {path} is a folder; name a file in it: {path / 'model_mxnet.py'}", code="out"
        )
    if path.suffix != ".py":
        raise RequestError(
            f"--out {path}: the generated file is Python code; give it a name that ends in .py", code="out"
        )
    if path.stem == "mxnet":
        raise RequestError(
            f"--out {path}: in its folder `import mxnet` would find it; give it another name", code="out"
        )
    for other in Paths(path).all():
        _check_length(path, other)


def _check_length(path: Path, other: Path) -> None:
    """Raise RequestError where the file system takes no name as long as that of `other`."""
    try:
        other.lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            what = f"the name of {other.name} is too long for the file system"
            raise RequestError(f"--out {path}: {what}; give a shorter one", code="out") from None
    except ValueError as error:
        raise RequestError(f"--out {str(path)!r}: {error}", code="out") from None


def check_writable(path: Path) -> None:
    """Raise RequestError unless files can be written beside `path`: before the work, not after."""
    folder = path.parent
    if not folder.is_dir():
        raise RequestError(
            f"--out {path}: there is no folder {folder}; make it first: mkdir -p {folder}", code="out"
        )
    for other in Paths(path).all():
        if other.is_dir():
            raise RequestError(f"--out {path}: {other} is a folder; it must make room for a file", code="out")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RequestError(
            f"--out {path}: cannot write to the folder {folder}: {error.strerror}", code="out"
        ) from None


def write_all(files: Mapping[Path, str | Mapping[str, Any]]) -> None:
    """Write every file, or none: texts as they are, mappings through mx.nd.save.

    Raises RequestError where the disk refuses; what stood there before then stands there still.
    """
    temporary: dict[Path, str] = {}
    try:
        for path, content in files.items():
            temporary[path] = _free_name(path)
            _write_one(temporary[path], content)
        _replace_all(temporary)
    except OSError as error:
        where = error.filename2 or error.filename or "the files"
        raise RequestError(
            f"cannot write {where}: {error.strerror}; nothing was written", code="cannot-write"
        ) from error
    finally:
        for name in temporary.values():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)


def _free_name(path: Path) -> str:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:MOST_OF_NAME]}.", suffix=".tmp")
    os.close(handle)
    return name


def _write_one(name: str, content: str | Mapping[str, Any]) -> None:
    if isinstance(content, str):
        Path(name).write_text(content, encoding="utf-8", newline="\n")
    else:
        try:
            _save_arrays(os.path.abspath(name), dict(content))
        except mxnet_error() as error:
            raise OSError(None, str(error).strip().splitlines()[-1], name) from error
    os.chmod(name, 0o666 & ~_umask())


@in_mxnet
def _save_arrays(path: str, arrays: dict[str, Any]) -> None:
    import_mxnet().nd.save(path, arrays)


@in_mxnet
def _load_arrays(path: str) -> Any:
    return import_mxnet().nd.load(path)


def _replace_all(temporary: Mapping[Path, str]) -> None:
    """Put the new files in place; on the way out of an error, the old ones."""
    old: dict[Path, str] = {}
    new: list[Path] = []
    try:
        for path, name in temporary.items():
            if path.exists():
                old[path] = _moved_away(path)
            else:
                new.append(path)
            os.replace(name, path)
    except BaseException:
        for path, backup in old.items():
            os.replace(backup, path)
        for path in new:
            path.unlink(missing_ok=True)
        raise
    for backup in old.values():
        os.unlink(backup)


def _moved_away(path: Path) -> str:
    name = _free_name(path)
    try:
        os.replace(path, name)
    except OSError:
        os.unlink(name)
        raise
    return name


def how_stale(path: Path, content: str | Mapping[str, Any]) -> str:
    """In what a file differs from what would be written, in words; nothing where it does not."""
    if not path.is_file():
        return "missing"
    if isinstance(content, str):
        return "" if path.read_bytes() == content.encode() else "stale"
    changed = _changed_arrays(path, content)
    if changed is None:
        return "stale: it is not a file of parameters"
    return f"stale: {len(changed)} of {len(content)} parameters differ: {listed(changed)}" if changed else ""


def _changed_arrays(path: Path, content: Mapping[str, Any]) -> list[str] | None:
    try:
        old = _load_arrays(os.path.abspath(path))
    except mxnet_error():
        return None
    if not isinstance(old, dict):
        return None
    names = [*content, *(k for k in old if k not in content)]

    def same(name: str) -> bool:
        if name not in old or name not in content or old[name].dtype != content[name].dtype:
            return False
        return np.array_equal(old[name].asnumpy(), content[name].asnumpy(), equal_nan=True)

    return [name.partition(":")[2] or name for name in names if not same(name)]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
