"""The templates of a target: fx2mx's own, and a user's folder laid over them."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

import jinja2
from jinja2 import nodes
from jinja2.environment import TemplateModule

from codegen.problems import RequestError, in_a_line
from codegen.write.literals import names_text, python_text
from codegen.written import File

_CODEGEN = Path(__file__).resolve().parents[1]
# Templates stand in codegen/ in the wheel, and beside it in the source tree.
OURS = next(p for p in (_CODEGEN / "templates", _CODEGEN.parent / "templates") if p.is_dir())
# What a user's template calls ours by: `fx2mx/symbol/file.jinja`.
PREFIX = "fx2mx"
# Those of the generated code, which a user may replace.
CODE = "symbol"
WHOLE_FILE = f"{CODE}/file.jinja"
SUFFIX = ".jinja"


@dataclass(frozen=True)
class Templates:
    """Compiled templates, and the user's folder where one is given."""

    environment: jinja2.Environment
    folder: Path | None = None

    def source(self, file: File) -> str:
        """The text of a file, not yet formatted. RequestError where a user's templates do not print it."""
        try:
            return self.environment.get_template(WHOLE_FILE).render(file=file)
        except Exception as error:
            if self.folder is None:
                raise
            raise RequestError(
                f"--templates {self.folder}: {_place(error, self.folder)}{_what(error)}", code="templates"
            ) from error


def templates_of(folder: Path | None = None) -> Templates:
    """Our templates, with those of a folder in the place of ours of the same name.

    RequestError where the folder is no folder, or holds a template that is wrong or that nothing reads.
    """
    if folder is None:
        return _of_ours()
    if not folder.is_dir():
        raise RequestError(f"--templates {folder}: there is no such folder", code="templates")
    ours = jinja2.FileSystemLoader(OURS)
    loaders = [jinja2.PrefixLoader({PREFIX: ours}), jinja2.FileSystemLoader(folder), ours]
    templates = Templates(_environment(jinja2.ChoiceLoader(loaders)), folder)
    _check_folder(templates.environment, folder)
    return templates


@functools.cache  # compiled once in a process
def _of_ours() -> Templates:
    return Templates(_environment(jinja2.FileSystemLoader(OURS)))


def _environment(loader: jinja2.BaseLoader) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=loader,
        undefined=_NoSuchField,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters["literal"] = python_text
    environment.filters["names"] = names_text
    return environment


class _NoSuchField(jinja2.StrictUndefined):
    """What a template reads that is not there: an error that names the fields that are."""

    @property
    def _undefined_message(self) -> str:
        data = self._undefined_obj
        if isinstance(data, TemplateModule):
            return f"{data.__name__} gives no {self._undefined_name!r}"
        if not is_dataclass(data):
            return super()._undefined_message
        known = ", ".join(["kind"] * hasattr(data, "kind") + [field.name for field in fields(data)])
        return f"{type(data).__name__} has no field {self._undefined_name!r}, but {known}"


# A user's folder ---------------------------------------------------------------------------------------


def _check_folder(environment: jinja2.Environment, folder: Path) -> None:
    """Raise RequestError unless each template can be compiled, and is ours replaced or read by another."""
    files = sorted(path for path in folder.rglob(f"*{SUFFIX}") if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in files]
    if not names:
        raise RequestError(
            f"--templates {folder}: there is no {SUFFIX} file in it; {_ours_are()}", code="templates"
        )
    read: set[str] = set()
    for path, name in zip(files, names, strict=True):
        read.update(_names_read(environment, folder, path, name))
    for name in names:
        if not (name.startswith(f"{CODE}/") and (OURS / name).is_file()) and name not in read:
            raise RequestError(
                f"--templates {folder}: {name} replaces nothing, and no other reads it; {_ours_are()}",
                code="templates",
            )


def _names_read(environment: jinja2.Environment, folder: Path, path: Path, name: str) -> Iterator[str]:
    """The names of the templates that a user's own extends, imports or includes."""
    try:
        tree = environment.parse(path.read_text(encoding="utf-8"), name, str(path))
        for node in tree.find_all((nodes.Extends, nodes.Import, nodes.FromImport, nodes.Include)):
            for constant in node.find_all(nodes.Const):
                if constant.value == name:
                    where = f"{name}, line {node.lineno}"
                    raise RequestError(
                        f"--templates {folder}: {where}: it reads itself; fx2mx's own is {PREFIX}/{name}",
                        code="templates",
                    )
                yield str(constant.value)
        environment.compile(tree, name, str(path))
    except (OSError, UnicodeDecodeError, jinja2.TemplateSyntaxError) as error:
        line = f", line {error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
        raise RequestError(f"--templates {folder}: {name}{line}: {_what(error)}", code="templates") from error


def _ours_are() -> str:
    names = sorted(path.relative_to(OURS).as_posix() for path in (OURS / CODE).rglob(f"*{SUFFIX}"))
    return f"fx2mx's templates are {', '.join(names)}"


def _place(error: Exception, folder: Path) -> str:
    """The template and the line in which an error was raised."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(OURS):
            return f"{PREFIX}/{path.relative_to(OURS).as_posix()}, line {frame.lineno}: "
        if path.is_relative_to(folder):
            return f"{path.relative_to(folder).as_posix()}, line {frame.lineno}: "
    return ""


def _what(error: Exception) -> str:
    if isinstance(error, jinja2.TemplateNotFound):
        return f"there is no template {error.name}"
    if isinstance(error, jinja2.TemplateError):
        return str(error.message).partition("\n")[0]
    return in_a_line(error)
