"""The command in a generated file's head, which makes the file again wherever it is run."""

from __future__ import annotations

import ast
import os
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from codegen.problems import RequestError
from tracer.arguments import written_arguments
from tracer.options import Options, WeightsChoice

COMMAND = "python -m tracer.gen"
OF_WEIGHTS = ("--weights", "--weights-key", "--strip-prefix", "--ignore-keys")
_VALUES = re.compile(r"((?:[^=@]*=)?@)(.+)", re.DOTALL)


def command_line(options: Options, file: Path | None) -> str:
    """The command that makes the file again, from the folder in which it stands.

    It names what changes the text or the weights, and nothing of this machine: files as they are seen
    from that folder, and the weights, which are rarely kept beside the code, by their name alone. `file` is
    that of the net; None for a SPEC that is found by its module's name.
    """
    return " ".join([COMMAND, *map(shlex.quote, _words(options, file))])


def words_of(path: Path) -> list[str]:
    """The words of the command in a file's head, without `python -m tracer.gen`.

    Raises RequestError where there is no file, or none that was generated.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        text = ""
    except OSError as error:
        raise RequestError(f"{path}: {(error.strerror or str(error)).lower()}", code="no-head") from None
    command = _command_in(text)
    if command is None:
        raise RequestError(
            f"{path} has no head with the command that makes it ({COMMAND} ...): was it generated?",
            code="no-head",
        )
    return command


def is_generated(path: Path) -> bool:
    """Whether a file has a head with the command that makes it."""
    try:
        return _command_in(path.read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False


def weights_words(words: Sequence[str]) -> list[str]:
    """Those of a command that say which weights it takes, options and values."""
    pairs = zip(words, [*words[1:], ""], strict=True)
    return [word for pair in pairs if pair[0] in OF_WEIGHTS for word in pair]


def _command_in(text: str) -> list[str] | None:
    if COMMAND not in text:
        return None
    try:
        head = ast.get_docstring(ast.parse(text)) or ""
    except (SyntaxError, ValueError):
        return None
    _, found, rest = head.replace("\\\n", " ").partition(f"{COMMAND} ")
    try:
        return shlex.split(rest.split("\n", 1)[0]) if found else None
    except ValueError:  # a quote that nobody closes
        return None


def _words(options: Options, file: Path | None) -> Iterator[str]:
    folder = options.out.parent
    name = options.spec.rpartition(":")[2]
    yield options.spec if file is None else f"{seen_from(folder, file)}:{name}"
    yield from ("--out", options.out.name)
    yield from net_words(options.kwargs, options.inputs, folder)
    yield from _weights(options)
    if options.taps:
        yield from ("--tap", ",".join(options.taps))
    if options.softmax:
        yield "--softmax"
    for plugin in options.plugins:
        yield from ("--plugin", seen_from(folder, plugin))
    if options.templates is not None:
        yield from ("--templates", seen_from(folder, options.templates))
    if options.batch is not None:
        yield from ("--batch", options.batch)
    if options.free is not None:
        yield from ("--free", options.free)
    if options.optimize:
        yield "--optimize"
    if options.trainable:
        yield "--trainable"


def net_words(kwargs: Mapping[str, Any], inputs: Sequence[str], folder: Path) -> Iterator[str]:
    """What says how the net is built, and on which inputs it runs."""
    for text in written_arguments(kwargs) if kwargs else ():
        yield from ("--kwargs", text)
    for text in inputs:
        values = _VALUES.fullmatch(text)
        yield from ("--input", values[1] + seen_from(folder, Path(values[2])) if values else text)


def checkpoint_words(weights: Path, choice: WeightsChoice) -> Iterator[str]:
    """The checkpoint by its name alone, and what of it is the net's."""
    yield from ("--weights", Path(os.path.abspath(weights)).name)
    if choice.key is not None:
        yield from ("--weights-key", choice.key)
    if choice.prefix is not None:
        yield from ("--strip-prefix", choice.prefix)
    for pattern in choice.ignored:
        yield from ("--ignore-keys", pattern)


def _weights(options: Options) -> Iterator[str]:
    if options.weights is not None:
        yield from checkpoint_words(options.weights, options.weights_choice)
    # The code alone is checked without the checkpoint, which need not be here to be named.
    elif options.check and not options.write_weights and is_generated(options.out):
        yield from weights_words(words_of(options.out))


def seen_from(folder: Path, path: Path) -> str:
    """The path of a file from a folder; its name alone, where they are of no common folder."""
    here, there = os.path.abspath(folder), os.path.abspath(path)
    try:
        shared = os.path.commonpath([here, there])
    except ValueError:  # on two drives
        return path.name
    if shared in {os.path.dirname(shared), tempfile.gettempdir()} and here != shared:
        return os.path.basename(there)
    return Path(os.path.relpath(there, here)).as_posix()
