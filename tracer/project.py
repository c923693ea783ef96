"""The nets of a project: those that its pyproject.toml lists, or that the heads of its files name."""

from __future__ import annotations

import difflib
import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codegen.ir import Note
from codegen.kinds.note import note
from codegen.problems import RequestError
from tracer.heads import is_generated, words_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLE = "tool.fx2mx"
KEYS = ("spec", "out", "inputs", "weights", "kwargs", "options")
FORM = '[[tool.fx2mx.nets]] with spec = "model.py:XXNet" and out = "model_mxnet.py"'
# Folders in which nobody keeps generated code, beside those whose name begins with a dot.
SKIPPED = ("node_modules", "site-packages", "build", "dist", "__pycache__")


@dataclass(frozen=True)
class Job:
    """A net to convert: the words of its command after `python -m tracer.gen`, and the folder of its paths.

    `name` is the generated file, as it was given; `note` what is said beside.
    """

    name: str
    words: tuple[str, ...]
    folder: Path
    note: Note | None = None

    def with_words(self, *words: str) -> Job:
        """The same with more words."""
        return replace(self, words=(*self.words, *words))


def find_project(start: Path) -> Path | None:
    """The nearest pyproject.toml that has the table, in `start` or above it."""
    for folder in (start, *start.parents):
        path = folder / "pyproject.toml"
        if path.is_file() and _table(path) is not None:
            return path
    return None


def listed_jobs(project: Path) -> tuple[Job, ...]:
    """The nets that a pyproject.toml lists. Raises RequestError where an entry is wrong.

    The table has `nets`, each a table of `spec`, `out` and perhaps `inputs` (texts of --input), `weights`,
    `kwargs` (a table) and `options` (words of the command), and perhaps `options` for all of them.
    """
    table = _table(project) or {}
    _check_keys(table, ("nets", "options"), f"{project}: [{TABLE}]")
    nets = table.get("nets", [])
    if not isinstance(nets, list) or not nets or not all(isinstance(net, dict) for net in nets):
        raise RequestError(f"{project}: [{TABLE}] lists no nets: write {FORM}", code="project")
    common = _options(table, f"{project}: options of [{TABLE}]")
    jobs = tuple(_job(net, common, project, i) for i, net in enumerate(nets, start=1))
    names = [job.name for job in jobs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise RequestError(f'{project}: two nets have out = "{twice}"', code="project")
    return jobs


def head_jobs(files: Sequence[Path]) -> tuple[Job, ...]:
    """The nets that generated files name in their heads. RequestError where a file has none."""
    return tuple(map(_head_job, files))


def generated_files(folder: Path) -> tuple[Path, ...]:
    """The generated files below a folder, but in hidden folders and those of packages and builds."""
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in SKIPPED)
        paths = (Path(place, file) for file in sorted(files) if file.endswith(".py"))
        found += [path for path in paths if is_generated(path)]
    return tuple(found)


def _head_job(path: Path) -> Job:
    words, folder = words_of(path), path.resolve().parent
    if "--out" in words:
        words[words.index("--out") + 1] = path.name  # it may have been renamed since
    params = folder / f"{path.stem}-0000.params"
    if not params.exists():
        return Job(
            str(path), (*words, "--no-weights"), folder, note("code-alone", why=f"there is no {params.name}")
        )
    if "--weights" not in words:
        return Job(str(path), tuple(words), folder)
    place = words.index("--weights") + 1
    weights = _beside(words[place], folder, words[0])
    if weights is None:
        why = f"no {words[place]} beside it, beside the net, or in the current folder"
        return Job(str(path), (*words, "--no-weights"), folder, note("code-alone", why=why))
    words[place] = str(weights)
    return Job(str(path), tuple(words), folder)


def _beside(name: str, folder: Path, spec: str) -> Path | None:
    """The weights of a head, which names no folder."""
    of_net = (folder / spec.rpartition(":")[0]).resolve().parent
    return next((p / name for p in (folder, of_net, Path.cwd()) if (p / name).exists()), None)


def _table(path: Path) -> Mapping[str, Any] | None:
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text).get("tool", {}).get("fx2mx")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RequestError(f"{path}: {error}", code="project") from None
    if table is None or isinstance(table, dict):
        return table
    raise RequestError(f"{path}: [{TABLE}] is no table: write {FORM}", code="project")


def _job(net: Mapping[str, Any], common: Sequence[str], project: Path, place: int) -> Job:
    where = f"{project}: net {place} of [{TABLE}]"
    _check_keys(net, KEYS, where)
    spec, out = (_text(net, key, where) for key in ("spec", "out"))
    words = [spec, "--out", out]
    for text in _texts(net.get("inputs", []), f"{where}: inputs"):
        words += ["--input", text]
    if "weights" in net:
        words += ["--weights", _text(net, "weights", where)]
    words += _kwargs(net, where)
    words += [*common, *_options(net, f"{where}: options")]
    return Job(out, tuple(words), project.resolve().parent)


def _kwargs(net: Mapping[str, Any], where: str) -> Iterator[str]:
    if "kwargs" not in net:
        return
    try:
        yield from ("--kwargs", json.dumps(dict(net["kwargs"])))
    except (TypeError, ValueError):
        raise RequestError(
            f"{where}: kwargs is no table of plain values, such as {{num_classes = 10}}", code="project"
        ) from None


def _check_keys(table: Mapping[str, Any], keys: Sequence[str], where: str) -> None:
    for key in table:
        if key not in keys:
            close = difflib.get_close_matches(key, keys, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise RequestError(
                f"{where} has no key {key!r}{hint}: it takes {', '.join(keys)}", code="project"
            )


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if isinstance(value, str) and value:
        return value
    raise RequestError(f"{where} needs {key}, a text: write {FORM}", code="project")


def _options(table: Mapping[str, Any], where: str) -> list[str]:
    value = table.get("options", [])
    try:
        return shlex.split(value) if isinstance(value, str) else _texts(value, where)
    except ValueError as error:
        raise RequestError(f"{where}: {error}", code="project") from None


def _texts(value: Any, where: str) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
        return texts
    raise RequestError(f'{where} is no list of texts, such as ["--optimize"]', code="project")
