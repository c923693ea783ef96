"""The net as a tree of blocks, each with what is in it: parameters, FLOPs, the largest difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import nn

from codegen.program import Program
from tracer.review.flow import flows
from tracer.review.layout import laid_out
from tracer.review.model import Block
from tracer.review.words import around, rounded


def block_tree(
    model: nn.Module,
    program: Program,
    flops: Sequence[int],
    parameters: Mapping[str, int],
    differences: Mapping[str, float],
) -> tuple[Block, ...]:
    """The net itself first, and each block before what is in it; `parameters` are counts by torch's key."""
    paths = _paths([call.source.path for call in program.calls], parameters)
    index = {path: number for number, path in enumerate(paths)}
    held, work, apart, first = _sums(program, flops, parameters, differences)
    pictures = flows(program, index)
    blocks = [
        Block(
            path=path,
            cls=_class_of(model, path),
            parameters=held[path],
            flops=work[path],
            difference=rounded(apart[path]) if path in apart else "",
            layer=first.get(path, -1),
            children=tuple(index[p] for p in paths if p and _parent(p) == path),
            flow=pictures.get(path),
        )
        for path in paths
    ]
    layouts = laid_out([block.flow for block in blocks if block.flow is not None])
    return tuple(replace(b, flow=layouts[b.flow]) if b.flow is not None else b for b in blocks)


def _sums(
    program: Program, flops: Sequence[int], parameters: Mapping[str, int], differences: Mapping[str, float]
) -> tuple[Counter[str], Counter[str], dict[str, float], dict[str, int]]:
    """Parameters, FLOPs, the largest difference and the first op of each block, with all that is in it."""
    held: Counter[str] = Counter()
    work: Counter[str] = Counter()
    apart: dict[str, float] = {}
    first: dict[str, int] = {}
    for key, count in parameters.items():
        for path in around(key.rpartition(".")[0]):
            held[path] += count
    for number, (call, count) in enumerate(zip(program.calls, flops, strict=True)):
        for path in around(call.source.path):
            work[path] += count
            first.setdefault(path, number)
            if call.name in differences:
                apart[path] = max(apart.get(path, 0.0), differences[call.name])
    return held, work, apart, first


def _parent(path: str) -> str:
    return path.rpartition(".")[0]


def _paths(run: Sequence[str], parameters: Mapping[str, int]) -> list[str]:
    """Blocks that are run or hold parameters: each before what is in it, in the order of execution."""
    found = dict.fromkeys(p for path in run for p in around(path))
    found |= dict.fromkeys(p for key in parameters for p in around(key.rpartition(".")[0]))
    children: dict[str, list[str]] = {}
    for path in found:
        if path:
            children.setdefault(_parent(path), []).append(path)
    ordered: list[str] = []
    waiting = [""]
    while waiting:
        path = waiting.pop()
        ordered.append(path)
        waiting += reversed(children.get(path, []))
    return ordered


def _class_of(model: nn.Module, path: str) -> str:
    try:
        return type(model.get_submodule(path)).__name__
    except AttributeError:  # an op that another library's function makes under a path of its own
        return ""
