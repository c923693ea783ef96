"""A folder of weights, and weights in several files with an index of their keys."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from codegen.problems import RequestError, listed
from tracer.checkpoint.files import SUFFIXES, check_file, read_file

INDEX = ".index.json"
# Looked for in a folder, in this order: what transformers writes, and reads in this order too.
NAMES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


def read_path(path: str) -> Any:
    """What a file, an index with its shards, or the one of them in a folder holds.

    Of shards the keys stand in the order of the files, so that one file can be let go after the other.
    """
    if os.path.isdir(path):
        path = _file_in(path)
    return _read_shards(path) if path.endswith(".json") else read_file(path)


def _file_in(folder: str) -> str:
    """The weights file of a folder. RequestError where there is none, or which of several is not said."""
    names = sorted(os.listdir(folder))
    known = next((name for name in NAMES if name in names), None)
    if known is not None:
        return os.path.join(folder, known)
    indices = [name for name in names if name.endswith(INDEX)]
    found = indices or [name for name in names if name.endswith(SUFFIXES)]
    if not found:
        kinds = ", ".join((*SUFFIXES[:-1], f"{SUFFIXES[-1]} or {INDEX}"))
        raise RequestError(
            f"{folder} is a folder without a weights file: give one, or a folder of one ({kinds})",
            code="weights-shards",
        )
    if len(found) > 1:
        raise RequestError(
            f"{folder} is a folder of {len(found)} weights files: give one of {listed(found)}",
            code="weights-shards",
        )
    return os.path.join(folder, found[0])


def _read_shards(index: str) -> dict[str, Any]:
    places = _places(index)
    folder = os.path.dirname(index)
    state: dict[str, Any] = {}
    for shard in dict.fromkeys(places.values()):
        path = os.path.join(folder, shard)
        if not os.path.exists(path):
            raise RequestError(
                f"{index} names {shard}, which is not in its folder: download it too", code="weights-shards"
            )
        content = read_file(path)
        if not isinstance(content, Mapping):
            raise RequestError(
                f"{path} holds a {type(content).__name__}, not the tensors that {index} names",
                code="weights-shards",
            )
        lost = [key for key, place in places.items() if place == shard and key not in content]
        if lost:
            raise RequestError(
                f"{path} lacks {listed(lost)}, which {index} names: download both again",
                code="weights-shards",
            )
        if twice := [key for key in content if key in state]:
            raise RequestError(
                f"{path} has {listed(twice)}, which another shard of {index} has: download them again",
                code="weights-shards",
            )
        state.update(content)
    return state


def _places(index: str) -> dict[str, str]:
    """The file of each key, as an index has it; each in the folder of the index."""
    check_file(index)
    try:
        with open(index, encoding="utf-8") as file:
            content = json.load(file)
    except (ValueError, RecursionError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise RequestError(
            f"{index} is no JSON that can be read: download it again ({reason})", code="weights-shards"
        ) from error
    places = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(places, dict) or not all(isinstance(place, str) for place in places.values()):
        raise RequestError(
            f"{index} is no index of weights, whose weight_map names a file for each key: give {NAMES[1]} or "
            f"{NAMES[3]}",
            code="weights-shards",
        )
    for place in places.values():
        if (
            os.path.isabs(place)
            or ".." in place.replace("\\", "/").split("/")
            or not place.endswith(SUFFIXES)
        ):
            raise RequestError(
                f"{index} names {place!r}, which is no weights file in its folder: download it again",
                code="weights-shards",
            )
    return places
