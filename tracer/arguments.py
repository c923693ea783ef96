"""The arguments of what builds a net: read from the command line, held to its signature, written again."""

from __future__ import annotations

import ast
import difflib
import inspect
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from codegen.problems import RequestError, listed

# So many names of arguments are listed.
MOST_NAMES = 8
FORM = "a dict in JSON or Python, such as '{\"num_classes\": 10}', or name=value, such as num_classes=10"


def parse_arguments(texts: Sequence[str]) -> dict[str, Any]:
    """The arguments of `--kwargs`: each text is a dict in JSON or Python, or one or several `name=value`.

    A value is a Python literal, one of JSON's words, or else a string. Raises RequestError with the text at
    fault, and where a name is given twice.
    """
    given: dict[str, Any] = {}
    for text in texts:
        for name, value in _dict(text) if text.strip().startswith("{") else _pairs(text):
            if not isinstance(name, str):
                raise RequestError(
                    f"--kwargs {text}: {name!r} is no name of an argument; write {FORM}", code="kwargs-form"
                )
            if name in given:
                raise RequestError(f"--kwargs {text}: {name} is given twice", code="kwargs-form")
            given[name] = value
    return given


def written_arguments(kwargs: Mapping[str, Any]) -> list[str]:
    """The texts of `--kwargs` for these arguments: a dict in JSON, or one each where JSON changes them."""
    ordered = dict(sorted(kwargs.items()))
    try:
        text = json.dumps(ordered)
    except TypeError:  # a set, bytes, a complex number
        text = "{}"
    if repr(json.loads(text)) == repr(ordered):
        return [text]
    if all(name.isidentifier() for name in ordered):
        return [f"{name}={value!r}" for name, value in ordered.items()]
    return [repr(ordered)]


def _dict(text: str) -> Iterator[tuple[Any, Any]]:
    try:
        value = json.loads(text)
    except ValueError as error:
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            raise RequestError(
                f"--kwargs {text}: this is neither JSON ({error}) nor Python; write {FORM}",
                code="kwargs-form",
            ) from None
    if not isinstance(value, dict):
        raise RequestError(f"--kwargs {text}: this is no dict; write {FORM}", code="kwargs-form")
    yield from value.items()


def _pairs(text: str) -> Iterator[tuple[str, Any]]:
    """`a=1, b=(2, 3)` as in a call, `a=1 b=x` as in a shell, or one pair whose value is the rest."""
    keywords = _of_call(text)
    if keywords is not None:
        yield from keywords
        return
    words = _words(text)
    if not words or not all(_is_pair(word) for word in words):
        words = [text.strip()]
    if not all(_is_pair(word) for word in words):
        raise RequestError(f"--kwargs {text}: this names no argument; write {FORM}", code="kwargs-form")
    for word in words:
        name, _, value = word.partition("=")
        yield name.strip(), _value(value.strip())


def _of_call(text: str) -> list[tuple[str, Any]] | None:
    """The arguments of a call, where the text can stand between its parentheses."""
    source = f"f({text})"
    try:
        call = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    if not isinstance(call, ast.Call) or call.args or not call.keywords:
        return None
    pairs = [(keyword.arg, ast.get_source_segment(source, keyword.value) or "") for keyword in call.keywords]
    return [(name, _value(value)) for name, value in pairs if name is not None]


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote that is not closed
        return [text]


def _is_pair(word: str) -> bool:
    return re.match(r"\s*[^\W\d]\w*\s*=", word) is not None


def _value(text: str) -> Any:
    for read in (ast.literal_eval, json.loads):  # JSON's are true, false and null
        try:
            return read(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return text


def check_arguments(found: Callable[..., Any], name: str, module: str, kwargs: Mapping[str, Any]) -> None:
    """Raise RequestError where what builds the net lacks an argument, or does not take one.

    `module` is what a file beside the user's would import it from.
    """
    try:
        parameters = inspect.signature(found).parameters.values()
    except (ValueError, TypeError):
        return
    named = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    unknown = [key for key in kwargs if key not in named]
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        raise RequestError(_unknown_argument(name, unknown[0], list(named)), code="kwargs-fit")
    missing = [key for key, p in named.items() if p.default is p.empty and key not in kwargs]
    if missing:
        raise RequestError(_missing_text(name, module, missing, kwargs), code="kwargs-fit")


def _missing_text(name: str, module: str, missing: Sequence[str], kwargs: Mapping[str, Any]) -> str:
    """Which arguments are missing, and how they are given: as values, or by a function of the user's."""
    given = {**kwargs, **dict.fromkeys(missing, ...)}
    example = listed([f'"{key}": {_json(value)}' for key, value in given.items()], MOST_NAMES)
    values = [f"{key}={'...' if value is ... else repr(value)}" for key, value in given.items()]
    more = f"  # and {len(values) - MOST_NAMES} more" if len(values) > MOST_NAMES else ""
    noun = "argument" if len(missing) == 1 else "arguments"
    return (
        f"{name} needs the {noun} {listed(missing, MOST_NAMES)}: give --kwargs '{{{example}}}', or, where "
        "these are no plain values, build.py:build as SPEC, with this build.py beside the net:\n"
        f"  from {module} import {name.partition('.')[0]}\n"
        "  def build():\n"
        f"      return {name}({', '.join(values[:MOST_NAMES])}){more}"
    )


def _json(value: Any) -> str:
    return "..." if value is ... else json.dumps(value, default=str)


def _unknown_argument(name: str, key: str, known: Sequence[str]) -> str:
    if not known:
        return f"{name} takes no argument {key!r}: it takes none, leave out --kwargs"
    close = difflib.get_close_matches(key, known, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"{name} takes no argument {key!r}{hint}: it takes {listed(known, MOST_NAMES)}"
