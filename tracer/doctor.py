"""What is installed, what works with it, and what to type for what does not."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from codegen.problems import in_a_line

# What a run needs, with what to type where it is missing; and what serves where it is there.
NEEDED = ("torch", "numpy", "jinja2", "safetensors", "click", "black", "rich")
OF_USE = {"graphviz": "mx.viz.plot_network draws with it"}
OLDEST, NEWEST = (3, 10), (3, 13)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and what to type where it is not good; `advice` may be a hint."""

    is_good: bool
    what: str
    advice: str = ""

    def text(self) -> str:
        """The finding in a line, and the advice in another."""
        mark = click.style("ok  ", fg="green") if self.is_good else click.style("FAIL", fg="red", bold=True)
        return f"{mark}  {self.what}" + (f"\n      {self.advice}" if self.advice else "")


def examination() -> Iterator[Finding]:
    """Look at everything, one thing after the other. Raises nothing."""
    import tracer

    yield Finding(True, f"fx2mx {tracer.__version__} in {Path(tracer.__file__).parent}")
    yield _python()
    packages = [_package(name) for name in NEEDED]
    yield from packages
    yield from _of_use()
    mxnet = _mxnet()
    yield mxnet
    if all(finding.is_good for finding in packages):
        yield _looked_at("a small net", lambda: _small_net(mxnet.is_good))


def _python() -> Finding:
    what = f"Python {platform.python_version()} ({sys.executable})"
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return Finding(True, what)
    span = " to ".join(".".join(map(str, version)) for version in (OLDEST, NEWEST))
    return Finding(False, what, f"fx2mx runs on Python {span}: make an environment with one of them")


def _package(name: str) -> Finding:
    try:
        importlib.import_module(name)
        return Finding(True, f"{name} {importlib.metadata.version(name)}")
    except Exception as error:  # noqa: BLE001 - a broken package may raise anything
        return Finding(False, f"{name}: {in_a_line(error)}", f"{sys.executable} -m pip install {name}")


def _of_use() -> Iterator[Finding]:
    for name, use in OF_USE.items():
        try:
            yield Finding(True, f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            yield Finding(True, f"no {name}, which nothing needs", f"{use}: pip install {name}")


def _mxnet() -> Finding:
    from codegen.mxnet_import import INSTALL, import_mxnet
    from codegen.mxnet_process import mxnet_error, other_python

    try:
        mxnet = import_mxnet()
        return Finding(True, f"mxnet {mxnet.__version__}")
    except Exception as error:  # noqa: BLE001 - a broken package may raise anything
        why = in_a_line(error.__cause__ or error)
    python = other_python()
    if not python:
        more = "where there is no wheel of it, --mxnet-python names a Python that has it"
        return Finding(False, f"mxnet: {why}", f"{INSTALL}   ({more})")
    return _looked_at(f"mxnet of {python}", lambda: f"it answers ({mxnet_error().__name__})")


def _small_net(has_mxnet: bool) -> str:
    """Convert a net and compare; what came of it."""
    os.environ.setdefault("PYTORCH_JIT", "0")
    import torch
    from torch import nn

    from tracer.conversion import convert

    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5))
    conversion = convert(net.eval(), (torch.ones(1, 3, 8, 8),), "Small", proved=has_mxnet)
    if not has_mxnet:
        return "its code is generated; there is no mxnet to run it"
    agreement = conversion.verify()
    if not agreement.ok:
        raise ArithmeticError(f"it differs from torch by {agreement.difference:.1e}")
    return f"it is converted, and agrees with torch: {agreement.difference:.1e}"


def _looked_at(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(True, f"{what}: {look()}")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return Finding(False, f"{what}: {in_a_line(error)}", "please report it, with these lines")
