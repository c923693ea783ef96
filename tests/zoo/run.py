"""One net through every stage: converted, compared with torch, and its code looked at."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import time
import traceback
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import black

from tests.zoo import cv
from tests.zoo.net import Net
from tests.zoo.pool import Row

if TYPE_CHECKING:
    from torch import nn

    from codegen.program import Program
    from tracer.conversion import Conversion
    from tracer.inputs import InputSpec

LINE_LENGTH = 100
# Statuses, the best first. FOLD: the folded code gives another symbol than the flat program.
STATUSES = ("OK", "REFUSED", "STYLE", "FOLD", "WRONG", "TIMEOUT", "CRASH")


@dataclass(frozen=True)
class Result(Row):
    """A row of docs/zoo.md. `why` says what is not as it should be, or why the batch is frozen."""

    collection: str
    status: str
    difference: str = ""
    seconds: str = ""
    ops: str = ""
    statements: str = ""
    lines: str = ""
    batch: str = ""
    sizes: str = ""
    why: str = ""


def run_net(net: Net) -> Result:
    """Convert and compare a net; never raises."""
    warnings.simplefilter("ignore")
    from codegen.problems import ConversionError

    start = time.monotonic()
    try:
        return _run(net)
    except ConversionError as error:
        what = "; ".join(
            dict.fromkeys(f"{p.what} at {_place(p.where.file)}:{p.where.line}" for p in error.problems)
        )
        return Result(
            net.name, net.collection, "REFUSED", seconds=f"{time.monotonic() - start:.1f}", why=what
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a row of the table
        frames = traceback.extract_tb(error.__traceback__)
        where = " < ".join(f"{_place(f.filename)}:{f.lineno}" for f in reversed(frames[-3:]))
        why = f"{type(error).__name__}: {str(error)[:300]} at {where}"
        return Result(net.name, net.collection, "CRASH", seconds=f"{time.monotonic() - start:.1f}", why=why)


def _place(file: str) -> str:
    return "/".join(file.split("/")[-2:])


def converted(net: Net) -> Conversion:
    """The net under seed 0, converted; Conversion.model is the net."""
    return _convert(*_built(net))


def _built(net: Net) -> tuple[nn.Module, tuple[InputSpec, ...], Net]:
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = net.build().eval()
    return model, net.inputs or cv.input_of(model), net


def _convert(model: nn.Module, specs: tuple[InputSpec, ...], net: Net) -> Conversion:
    from codegen.written import Origin
    from tracer.conversion import convert_specs

    # The nets have no file of their own: the head of the code names the collection.
    origin = Origin(f"{net.collection}:{net.name}", f"python -m tests.zoo {net.name}")
    return convert_specs(model, specs, net.name, origin=origin)


def _run(net: Net) -> Result:
    built = _built(net)
    start = time.monotonic()
    conversion = _convert(*built)
    seconds = time.monotonic() - start
    agreement = conversion.verify(layers=False)
    status, why = "OK", conversion.graph.frozen_because
    faults = style_faults(conversion.code)
    if faults:
        status, why = "STYLE", faults
    if not conversion.folded:
        status, why = "FOLD", "the folded code gives another symbol"
    if not agreement.ok:
        status, why = "WRONG", f"first at {conversion.verify().first_divergence}"
    return Result(
        net.name,
        net.collection,
        status,
        f"{agreement.difference:.1e}" + (" (float64)" if any(o.double for o in agreement.outputs) else ""),
        f"{seconds:.1f}",
        str(len(conversion.program.calls)),
        str(statements(conversion.code)),
        str(len(conversion.code.splitlines())),
        "yes" if conversion.graph.free_batch else "no",
        _sizes(conversion.program),
        why,
    )


def _sizes(program: Program) -> str:
    """Whether height and width may change; nothing for a net without images."""
    if program.free_sizes:
        return "by 32" if "multiples" in program.size_doc else "any"
    return program.size_doc.partition(" alone: ")[2].removesuffix(".")


def statements(code: str) -> int:
    """The statements of the code, docstrings aside."""
    nodes = list(ast.walk(ast.parse(code)))
    docstrings = sum(
        isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant) and isinstance(n.value.value, str)
        for n in nodes
    )
    return sum(isinstance(n, ast.stmt) for n in nodes) - docstrings


def style_faults(code: str) -> str:
    """What a formatter and a linter would say of the code; empty where they say nothing."""
    long = [line for line in code.splitlines() if len(line) > LINE_LENGTH]
    if long:
        return f"a line of {max(map(len, long))} characters"
    if black.format_str(code, mode=black.Mode(line_length=LINE_LENGTH)) != code:
        return "black would change it"
    ruff = shutil.which("ruff") or os.path.join(os.path.dirname(sys.executable), "ruff")
    command = [
        ruff,
        "check",
        "--isolated",
        "--line-length",
        str(LINE_LENGTH),
        "--select",
        "E,F,W,I,B,UP",
        "-",
    ]
    found = subprocess.run(command, input=code, capture_output=True, text=True, check=False)
    return "" if found.returncode == 0 else f"ruff: {found.stdout[:200]}"
