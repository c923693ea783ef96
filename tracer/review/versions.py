"""Which versions a report was made with: of both frameworks, and of the libraries that a net is of."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import torch

import tracer
from codegen.mxnet_process import other_python
from tracer.review.words import within_installed


def versions(files: Sequence[Path] = ()) -> tuple[tuple[str, str], ...]:
    """What both frameworks and fx2mx were, and the distributions that hold these files of installed packages.

    mxnet's is not told where another Python runs it.
    """
    packages = ("mxnet", "numpy") if not other_python() else ("numpy",)
    known = [(name, metadata.version(name)) for name in packages]
    own = [("fx2mx", tracer.__version__), ("torch", torch.__version__), *known]
    told = {name for name, _ in own}
    libraries = [(name, metadata.version(name)) for name in _distributions(files) if name not in told]
    return (*own, *libraries, ("Python", ".".join(platform.python_version_tuple()[:2])))


def _distributions(files: Sequence[Path]) -> list[str]:
    """The names of the distributions that files are of, sorted."""
    inner = [parts for path in files if (parts := within_installed(path))]
    if not inner:
        return []
    holding = metadata.packages_distributions()
    found: set[str] = set()
    for parts in inner:
        names = set(holding.get(parts[0].removesuffix(".py"), ()))
        found |= {name for name in names if len(names) == 1 or _has(name, parts)}
    return sorted(found)


def _has(name: str, parts: tuple[str, ...]) -> bool:
    """Whether a distribution has a file, of a package that it shares with others."""
    return any(path.parts == parts for path in metadata.files(name) or ())
