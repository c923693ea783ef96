"""One weights file is read: torch's, safetensors or .npz. Nothing of it is executed.

`torch.load(weights_only=True)` with a few inert types allowed, safetensors, and `numpy.load` without pickles.
Files are mapped into memory, but for those of torch before 1.6 (not zip), which cannot be; the arrays of an
.npz are read one by one when they are asked for.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from codegen.problems import RequestError
from tracer.checkpoint.pickles import refusal

ZIP_MAGIC = b"PK\x03\x04"
LFS_MAGIC = b"version https://git-lfs"
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".npz")


@dataclass(frozen=True)
class StoredArray:
    """An array of an .npz, not read yet: a small file may promise more than the memory holds."""

    file: str
    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype

    def numel(self) -> int:
        """How many numbers it has, by its header."""
        return math.prod(self.shape)

    def read(self) -> torch.Tensor:
        """Its values."""
        try:
            with np.load(self.file, allow_pickle=False) as arrays:
                value = arrays[self.name]
        except Exception as error:
            raise RequestError(_corrupt(self.file, error), code="weights-file") from error
        return torch.from_numpy(value.astype(value.dtype.newbyteorder("="), order="C", copy=False))


def read_file(path: str) -> Any:
    """What a file holds, as a rule a mapping with tensors. Raises RequestError where it cannot be read."""
    check_file(path)
    if path.endswith(".safetensors"):
        return _read_safetensors(path)
    return _read_npz(path) if path.endswith(".npz") else _read_torch(path)


def check_file(path: str) -> None:
    """Raise RequestError for what is no file with something in it."""
    if not os.path.exists(path):
        raise RequestError(f"no such file: {path}", code="weights-file")
    if not os.path.isfile(path):
        raise RequestError(
            f"{path} is neither a file nor a folder: give the weights file", code="weights-file"
        )
    try:
        head = _head(path)
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}", code="weights-file") from None
    if not head:
        raise RequestError(f"{path} is empty: save or download it again", code="weights-file")
    if head.startswith(LFS_MAGIC):
        raise RequestError(
            f"{path} is a Git LFS pointer, not the weights: run `git lfs pull`", code="weights-file"
        )


def _head(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(len(LFS_MAGIC))


def _read_safetensors(path: str) -> Any:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise RequestError(_corrupt(path, error), code="weights-file") from error


def _read_npz(path: str) -> dict[str, Any]:
    """The arrays by name; what is none of numbers is its numpy dtype."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            return {name[: -len(".npy")]: _stored(path, archive, name) for name in names}
    except Exception as error:
        raise RequestError(_corrupt(path, error), code="weights-file") from error


def _stored(path: str, archive: zipfile.ZipFile, name: str) -> Any:
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)  # type: ignore[no-untyped-call]
        if version not in ((1, 0), (2, 0)):  # of arrays with named fields
            return "fields"
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(file)  # type: ignore[no-untyped-call]
    try:
        number = torch.from_numpy(np.empty(0, dtype.newbyteorder("="))).dtype
    except TypeError:
        return str(dtype)
    return StoredArray(path, name[: -len(".npy")], tuple(shape), number)


def _read_torch(path: str) -> Any:
    is_zip = _head(path).startswith(ZIP_MAGIC)
    if is_zip and _is_compressed(path):
        # It would be mapped as it stands, packed, and small files may unpack to more than the memory holds.
        raise RequestError(
            f"{path} is a compressed zip, which torch.save does not write: save it again with torch.save, or "
            "name it .npz if numpy wrote it",
            code="weights-file",
        )
    with torch.serialization.safe_globals(list(_inert_types())), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch warns of here is refused below in one sentence
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip or None)
        except Exception as error:
            why = refusal(path, is_zip, error)
            if why:
                raise RequestError(why, code="weights-code") from error
            raise RequestError(_corrupt(path, error), code="weights-file") from error


def _is_compressed(path: str) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except Exception:  # noqa: BLE001 - no zip after all: torch says so
        return False
    is_script = any(info.filename.endswith("constants.pkl") for info in infos)  # torch.jit packs its code
    return not is_script and any(info.compress_type != zipfile.ZIP_STORED for info in infos)


def _inert_types() -> Iterator[tuple[Callable[..., Any], str]]:
    """What checkpoints hold beside tensors and cannot do harm, by every name that numpy gave it."""
    yield argparse.Namespace, "argparse.Namespace"
    yield np.dtype, "numpy.dtype"
    scalar: Any = np.float64(0).__reduce__()[0]  # by no name: numpy has moved it
    yield scalar, "numpy.core.multiarray.scalar"
    yield scalar, "numpy._core.multiarray.scalar"
    whole = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
    for name in ("bool", *whole, "float16", "float32", "float64"):
        numpy_name = name.capitalize().replace("Ui", "UI")
        yield type(np.dtype(name)), f"numpy.dtypes.{numpy_name}DType"


def _corrupt(path: str, error: Exception) -> str:
    if _is_text(path):
        return f"{path} is a text file, not a checkpoint: give the file that torch.save or safetensors wrote"
    # torch puts advice before what went wrong, which stands after the last of these words.
    text = str(error).rpartition("WeightsUnpickler error: ")[2].strip()
    reason = text.partition("\n")[0].rstrip(".")
    # The pickle reader names bytes by their number, and sometimes says no more than that.
    reason = type(error).__name__ if not re.search("[A-Za-z]{3}", reason) else reason
    reason = re.sub(r"^Unsupported operand \d+$", "it is no pickle that torch wrote", reason)
    return f"{path} is corrupt or not a checkpoint: save or download it again ({reason})"


def _is_text(path: str) -> bool:
    """Whether the file begins with readable text: a web page, JSON, Python code."""
    with open(path, "rb") as file:
        head = file.read(64)
    return all(byte in b"\t\n\r" or byte >= 32 for byte in head) and head.isascii()
