"""Files: the generated code is run to make the symbol, and all files are written, or none."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer.problems import RequestError

if TYPE_CHECKING:
    import mxnet as mx


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


def load_symbol(code: str, function: str) -> mx.sym.Symbol:
    """The symbol that the generated code makes."""
    namespace: dict[str, Any] = {"__name__": "model_mxnet"}
    exec(compile(code, "model_mxnet.py", "exec"), namespace)
    return namespace[function]()


def check_writable(path: Path) -> None:
    """Raise RequestError unless files can be written beside `path`: before the work, not after."""
    folder = path.parent
    if not folder.is_dir():
        raise RequestError(f"--out {path}: there is no folder {folder}; make it first: mkdir -p {folder}")
    if path.suffix != ".py":
        raise RequestError(
            f"--out {path}: the generated file is Python code; give it a name that ends in .py"
        )
    if path.is_dir():
        raise RequestError(f"--out {path} is a folder; name a file in it: {path / 'model_mxnet.py'}")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RequestError(f"--out {path}: cannot write to the folder {folder}: {error.strerror}") from None


def write_all(files: Mapping[Path, str | Mapping[str, Any]]) -> None:
    """Write every file, or none: texts as they are, mappings through mx.nd.save."""
    done: list[tuple[str, Path]] = []
    try:
        for path, content in files.items():
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
            os.close(handle)
            done.append((temporary, path))
            if isinstance(content, str):
                Path(temporary).write_text(content, encoding="utf-8")
            else:
                import mxnet as mx

                mx.nd.save(temporary, dict(content))
            os.chmod(temporary, 0o666 & ~_umask())
        for temporary, path in done:
            os.replace(temporary, path)
    finally:
        for temporary, _ in done:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
