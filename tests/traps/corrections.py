"""A docstring of fixed parts tells how the frameworks differ, what is written, and where one can read of it.

    \"""Normalisation with the running statistics.

    torch: eps is 1e-5, momentum the share of the new batch.
    MXNet: eps is 1e-3, momentum the share that is kept.
    We write: both, momentum as 1 - momentum.
    Source: torch.nn.BatchNorm2d; mx.sym.BatchNorm.

    >>> converted(nn.BatchNorm2d(4), (1, 4, 8, 8))
    return mx.sym.BatchNorm(x, eps=1e-5, momentum=0.9, fix_gamma=False, name="batchnorm2d")
    \"""

A part may go on in lines that are indented below it.
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from codegen.mxnet_ops import OPS
from codegen.rules import own_rules

HOME = Path(__file__).resolve().parents[2]
PARTS = ("torch", "MXNet", "We write", "Source")
_LABEL = re.compile(rf"({'|'.join(PARTS)}): +")


@dataclass(frozen=True)
class Correction:
    """What a docstring tells. `ops` are the torch ops whose rule the function is: none where it is no rule."""

    file: str
    function: str
    ops: tuple[str, ...]
    title: str
    torch: str
    mxnet: str
    we_write: str
    source: str
    example: str

    @property
    def where(self) -> str:
        """The function, as a reader finds it."""
        return f"{self.file}:{self.function}"

    @property
    def anchor(self) -> str:
        """The name that GitHub gives its heading in links."""
        return anchor(self.title)

    def attributes(self) -> Iterator[str]:
        """The attributes of MXNet's ops in which torch differs and that the text names: `BatchNorm.eps`.

        The ops are those that the source names.
        """
        words = set(re.findall(r"\w+", f"{self.mxnet} {self.we_write}"))
        for op in re.findall(r"mx\.sym\.(\w+(?:\.\w+)*)", self.source):
            if op in OPS:
                yield from (f"{op}.{attr}" for attr in OPS[op].attrs if attr in OPS[op].differing & words)


def anchor(heading: str) -> str:
    """The name that GitHub gives a heading in links."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def parsed(docstring: str, file: str, function: str, ops: tuple[str, ...] = ()) -> Correction | None:
    """The correction that a docstring tells, None where it tells none.

    Raises ValueError where it has some of the parts but not all, or in another order.
    """
    text, prompt, example = inspect.cleandoc(docstring).partition("\n>>> ")
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        label = _LABEL.match(line)
        if label:
            lines = found.setdefault(label[1], [])
        if label or line.startswith(" "):
            lines.append(line[label.end() if label else 0 :].strip())
    if not found and not prompt:
        return None
    parts = tuple(found) + (("example",) if prompt else ())
    if parts != (*PARTS, "example"):
        wanted = f"the parts of a correction are {', '.join(PARTS)} and an example"
        raise ValueError(f"{file}:{function}: {wanted}; it has {', '.join(parts)}")
    title = " ".join(text.partition("\n\n")[0].split()).removesuffix(".")
    torch, mxnet, we_write, source = (" ".join(found[label]) for label in PARTS)
    return Correction(file, function, ops, title, torch, mxnet, we_write, source, f">>> {example}")


@functools.cache
def corrections() -> tuple[Correction, ...]:
    """Every correction of codegen/ and tracer/, file by file."""
    ops: dict[tuple[str, str], list[str]] = {}
    for entry in own_rules().values():
        ops.setdefault((_file_of(entry.rule.__module__), entry.rule.__qualname__), []).append(entry.op)
    found = []
    for folder in ("codegen", "tracer"):
        for path in sorted((HOME / folder).rglob("*.py")):
            file = path.relative_to(HOME).as_posix()
            for function, docstring in _docstrings(ast.parse(path.read_text(encoding="utf-8"))):
                correction = parsed(docstring, file, function, tuple(ops.get((file, function), ())))
                found += [correction] if correction else []
    return tuple(found)


def _file_of(module: str) -> str:
    return module.replace(".", "/") + ".py"


def _docstrings(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The functions of a file and of its classes, with what they say."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from _docstrings(node, f"{prefix}{node.name}.")
        if isinstance(node, ast.FunctionDef) and (docstring := ast.get_docstring(node, clean=False)):
            yield f"{prefix}{node.name}", docstring
