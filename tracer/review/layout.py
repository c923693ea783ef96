"""Pictures of blocks, laid out by graphviz's dot where it is installed.

Nodes have sizes of their own, whatever the fonts of a machine: dot puts them in their places, and the page
draws them.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tracer.review.model import Flow, Layout

# Width and height of each kind of node, in pixels.
SIZES: Mapping[str, tuple[int, int]] = {"block": (184, 92), "op": (150, 28), "end": (116, 24)}
_INCH = 72
SECONDS = 60


def laid_out(found: Sequence[Flow]) -> dict[Flow, Flow]:
    """Each picture with its layout; as they are where there is no dot, or it fails."""
    alike = list(dict.fromkeys(map(_dot_text, found)))
    dot = shutil.which("dot")
    layouts = _layouts(dot, alike) if dot else None
    if layouts is None:
        return {flow: flow for flow in found}
    by_text = dict(zip(alike, layouts, strict=True))
    return {flow: replace(flow, layout=by_text[_dot_text(flow)]) for flow in found}


def _dot_text(flow: Flow) -> str:
    """Those that look alike have one text."""
    lines = [
        "digraph {",
        "node [shape=box fixedsize=true]; edge [arrowhead=none]; nodesep=0.25; ranksep=0.35;",
    ]
    for number, node in enumerate(flow.nodes):
        width, height = SIZES[node.kind]
        lines.append(f"n{number} [width={width / _INCH:.4f} height={height / _INCH:.4f}]")
    lines += [f"n{before} -> n{after}" for before, after in flow.edges]
    return "\n".join([*lines, "}"])


def _layouts(dot: str, texts: Sequence[str]) -> tuple[Layout, ...] | None:
    try:
        done = subprocess.run(
            [dot, "-Tplain"],
            input="\n".join(texts),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        found = tuple(map(_layout, done.stdout.split("stop\n")[:-1]))
    except (OSError, subprocess.SubprocessError, ValueError, LookupError):
        return None
    return found if len(found) == len(texts) else None


def _layout(plain: str) -> Layout:
    """From dot's plain text, in inches from the lower left corner."""
    rows = [line.split() for line in plain.splitlines()]
    width, height = (round(float(size) * _INCH) for size in rows[0][2:4])
    middles = {row[1]: _points(row[2:4], height) for row in rows if row[0] == "node"}
    numbers = {f"n{number}": number for number in range(len(middles))}
    curves = tuple(
        (numbers[row[1]], numbers[row[2]], tuple(_points(row[4 : 4 + 2 * int(row[3])], height)))
        for row in rows
        if row[0] == "edge"
    )
    return Layout(width, height, tuple(middles[name][0] for name in numbers), curves)


def _points(numbers: Sequence[str], height: int) -> list[tuple[int, int]]:
    return list(_pairs([float(number) * _INCH for number in numbers], height))


def _pairs(numbers: Sequence[float], height: int) -> Iterator[tuple[int, int]]:
    for x, y in zip(numbers[::2], numbers[1::2], strict=True):
        yield round(x), round(height - y)
