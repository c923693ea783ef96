"""What a net does in training alone: dropout of attention, which is written, and what a note tells."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from torch import fx, nn

from codegen.ir import Graph, Note
from codegen.kinds.note import note
from codegen.problems import ConversionError
from tracer.canonical import call_arguments, op_name
from tracer.captured import Capture
from tracer.dropped import DROP_PATH, asks_for_mode
from tracer.frames import is_library
from tracer.kept_drops import with_drops
from tracer.to_ir import used_nodes

ATTENTION = "scaled_dot_product_attention"
MOST = 3
Made = tuple[str, str]
"""The path of a module, and an op that was called in it."""


def asks(model: nn.Module) -> bool:
    """Whether any module of the user's own asks in which mode it is."""
    return any(map(asks_for_mode, model.modules()))


def most_alike(evaluated: Capture, trained: Callable[[bool], Capture]) -> Capture:
    """The run in training whose random numbers decide as inference does: for what inference computes."""
    found = trained(False)
    if not found.decided or not _made(evaluated) - _made(found):
        return found
    other = trained(True)
    return found if _made(evaluated) - _made(other) else other


def with_training(graph: Graph, model: nn.Module, evaluated: Capture, trained: Capture) -> Graph:
    """The graph of an evaluated net, with what the same net does in training as far as it can be kept."""
    dropped = _dropped(evaluated, trained)
    nodes = tuple(
        replace(n, args=(*n.args, ("dropped", dropped[n.name]))) if n.name in dropped else n
        for n in graph.nodes
    )
    kept = with_drops(replace(graph, nodes=nodes), evaluated, trained)
    return replace(kept.graph, in_training=tuple(_notes(model, evaluated, trained, kept.nodes)))


def unknown(error: Exception) -> Note:
    """The note where the net could not be looked at in training."""
    problem = error.problems[0] if isinstance(error, ConversionError) else None
    why = (
        f"{problem.what}, at {problem.where}"
        if problem
        else f"{type(error).__name__}: {error}".splitlines()[0]
    )
    return note("training-unseen", problem.where if problem else None, why=why)


def _dropped(evaluated: Capture, trained: Capture) -> Mapping[str, float]:
    """The dropout of attention, by the name of its node in the evaluated net."""
    found = {}
    for own, other in zip(_attention(evaluated), _attention(trained), strict=False):
        p = call_arguments(_function(other), other.args, other.kwargs).get("dropout_p", 0.0)
        if own.meta["source"].path == other.meta["source"].path and p:
            found[own.name] = float(p)
    return found


def _function(node: fx.Node) -> Callable[..., Any]:
    return cast("Callable[..., Any]", node.target)


def _attention(capture: Capture) -> list[fx.Node]:
    return [n for n in _calls(capture) if op_name(_function(n)) == ATTENTION]


def _calls(capture: Capture) -> Iterator[fx.Node]:
    for node in capture.graph.nodes:
        if node.op == "call_function" and "item" not in node.meta:
            yield node


def _made(capture: Capture, kept: frozenset[fx.Node] = frozenset()) -> Counter[Made]:
    """What the outputs hang on, but for what is kept.

    A mask that is looked at, and turns out to be none, changes nothing.
    """
    used = set(used_nodes(capture)) - kept
    return Counter((n.meta["source"].path, op_name(_function(n))) for n in _calls(capture) if n in used)


def _notes(
    model: nn.Module, evaluated: Capture, trained: Capture, kept: frozenset[fx.Node]
) -> Iterator[Note]:
    """What is computed in training alone: the ops, by the modules in which they stand."""
    asked = {f"{s.path or 'the net itself'}, {os.path.basename(s.file)}:{s.line}": s for s in trained.decided}
    for place, source in asked.items():
        yield note("training-chance", source, place=place)
    before, modules = _made(evaluated), dict(model.named_modules())
    # What torch's own layers do in training, their rules know.
    written = {path for path, op in before if op == DROP_PATH or is_library(type(modules.get(path)))}
    ops: dict[str, list[str]] = {}
    for path, op in sorted((_made(trained, kept) - before).keys()):
        if path not in written:
            ops.setdefault(path, []).append(op)
    alike: dict[tuple[str, str], list[str]] = {}
    for path, own in ops.items():
        cls = type(modules[path]).__name__ if path in modules else ""
        alike.setdefault((cls, ", ".join(own)), []).append(path or "the net itself")
    for (cls, computed), paths in alike.items():
        more = f" and {len(paths) - MOST} more" if len(paths) > MOST else ""
        where = f"{', '.join(paths[:MOST])}{more}" + (f" ({cls})" if cls else "")
        yield note("training-only", what=f"{computed} of {where}")
