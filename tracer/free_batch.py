"""At which batch sizes the graph of a net is right: what is proved, what was tried, where it is frozen.

A net is recorded at two batch sizes. In the second run the batch is a symbol (tracer.batch_symbol). Where
both runs make the same calls, every size is linear in the batch, every known value is one block for each
sample, and the net asked nothing of the batch that another size would answer in another way, the graph
holds at every batch size.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from codegen.ir import Dim, Graph, Ref, Source, shape_at
from codegen.problems import ConversionError, UserModelError
from tracer.batch_sizes import Mismatch
from tracer.batch_symbol import Question
from tracer.captured import Capture, Earlier
from tracer.cuts import far_cut
from tracer.to_ir import graph_of

# What captures the net at a batch size; with an earlier capture, as a symbol.
At: TypeAlias = Callable[..., Capture]
# Where sizes cannot be followed the net is tried at these multiples of its batch size; two are primes
# above 30.
TRIED = (2, 31, 37)
# A batch of fewer samples than this would hide what the net does to the first few of a larger one.
FAR = 31


def free_or_frozen(first: Capture, batch: int, at: At) -> Graph:
    """The graph of a net that was captured at a batch size, and is captured `at` others."""
    graph = _filled(_followed(first, batch, at))
    if graph.runs_at_others:
        return graph
    alone = frozen(first, batch, graph.frozen_because)
    return replace(alone, frozen_at=graph.frozen_at, frozen_source=graph.frozen_source)


def _followed(first: Capture, batch: int, at: At) -> Graph:
    try:
        second = at(far_of(batch), Earlier(first, (batch, far_of(batch))))
    except (Mismatch, UserModelError, ConversionError):
        return _tried(first, batch, at)
    try:
        graph = _merged(first, second, batch, at)
    except Mismatch as mismatch:
        for q in second.questions:
            if not 0 < q.least <= batch or batch % q.step:
                return frozen(first, batch, _said(q), q.source)
        if batch == 1 and not second.questions:
            return _above_one(first, at, mismatch)
        return _tried(first, batch, at)
    if any(q.is_leak for q in second.questions):
        tried = _tried(first, batch, at)
        if not tried.free_batch:
            return tried
        leak = next(q for q in second.questions if q.is_leak)
        graph = _because(replace(graph, sampled=tried.sampled), _said(leak), leak.source)
    return _as_asked(graph, first, second, batch)


def _as_asked(graph: Graph, first: Capture, second: Capture, batch: int) -> Graph:
    """The graph at the sizes that the net's questions of its batch allow."""
    if cut := far_cut(graph, far_of(batch)):
        return frozen(first, batch, *cut)
    for q in second.questions:
        # Where a free graph holds at one too, it is the same there, whatever the net asked.
        least = 1 if q.least == 2 and graph.least_batch == 1 else q.least
        graph = _limited(graph, least, q.step, _said(q), q.source)
        if not graph.runs_at_others:
            return frozen(first, batch, _said(q), q.source)
    return graph


def _above_one(first: Capture, at: At, at_one: Mismatch) -> Graph:
    """The graph of a net that runs other ops at a batch of one: proved from two on, and tried at one.

    Frozen where it is no graph from two on, or gives results of other shapes at one.
    """
    alone = frozen(first, 1, at_one.what, at_one.source)
    try:
        two = at(2)
        second = at(far_of(2), Earlier(two, (2, far_of(2))))
        graph = graph_of([two, at(5), second], [2, 5, far_of(2)])
    except (Mismatch, UserModelError, ConversionError):
        return alone
    graph = _as_asked(graph, two, second, 2)
    at_others = graph.batch_unit == 1 and graph.free_batch and not second.questions
    if not at_others or [_shape(graph, ref, 1) for ref in graph.outputs] != [
        _shape(alone, ref, 1) for ref in alone.outputs
    ]:
        return alone
    graph = replace(graph, batch=1, free_batch=True, least_batch=1, sampled=(1,))
    return _because(graph, at_one.what, at_one.source)


def _shape(graph: Graph, ref: Ref, batch: int) -> tuple[int, ...]:
    return shape_at(graph.type_of(ref).shape, batch)


def frozen(first: Capture, batch: int, why: str, source: Source | None = None) -> Graph:
    """The graph of one capture, at its batch size alone, because of `why`, which stands at `source`."""
    return _because(replace(graph_of([first], [batch]), free_batch=False), why, source)


def far_of(batch: int) -> int:
    """A multiple of the batch size, by a prime, and above 30."""
    return batch * next(p for p in (3, 5, 7, 11, 17, FAR) if p * batch >= FAR)


def _merged(first: Capture, second: Capture, batch: int, at: At) -> Graph:
    """The graph of two captures, and of a third where two could mislead.

    They could in sizes that are no multiples of the batch, and in what a batch of one, or one that cannot be
    parted, does.
    """
    far = far_of(batch)
    graph = graph_of([first, second], [batch, far])
    if batch == 1:
        return graph_of([first, at(7), second], [1, 7, far]) if graph.has_offsets else graph
    try:
        return graph_of([first, at(1), second], [batch, 1, far])
    except (UserModelError, ConversionError):
        return _whole(graph, batch, at)  # torch has no answer at one
    except Mismatch as mismatch:
        return _from_some_on(first, second, batch, at, mismatch)


def _whole(graph: Graph, batch: int, at: At) -> Graph:
    """The graph at the batch sizes at which its sizes are whole, unless torch has no answer at others."""
    if graph.batch_unit == 1:
        return graph
    try:
        at(batch + 1)
    except (UserModelError, ConversionError):
        return graph
    return _limited(graph, 1, graph.batch_unit, "the batch is parted", None)


def _from_some_on(first: Capture, second: Capture, batch: int, at: At, at_one: Mismatch) -> Graph:
    """The graph of a net that treats a batch of one in another way, and so perhaps other small ones."""
    asked = {number for q in second.questions for number in (q.least, q.step)}
    least, graph = batch, graph_of([first, at(2 * batch), second], [batch, 2 * batch, far_of(batch)])
    for size in sorted(n for n in {2, *asked} if 1 < n < batch):
        with contextlib.suppress(Mismatch, UserModelError, ConversionError):
            graph, least = graph_of([first, at(size), second], [batch, size, far_of(batch)]), size
            break
    return _limited(graph, least, graph.batch_unit, at_one.what, at_one.source)


def _tried(first: Capture, batch: int, at: At) -> Graph:
    """The graph of captures at several sizes, where the batch is plain: what is asked of it is not seen."""
    captures: list[Capture] = []
    batches: list[int] = []
    # The first once more: what the net kept of its first run (a cache) is there in all of these.
    for size in dict.fromkeys((batch, 1, *(batch * times for times in TRIED))):
        try:
            captured = at(size)
            graph = graph_of([*captures, captured], [*batches, size])
        except (UserModelError, ConversionError) as error:
            if size < batch:
                continue  # torch has no answer at one
            why = str(error).strip().splitlines()[-1]
            return frozen(first, batch, f"the net does not run at batch size {size}: {why}")
        except Mismatch as mismatch:
            return frozen(first, batch, mismatch.what, mismatch.source)
        captures.append(captured)
        batches.append(size)
    if cut := far_cut(graph, batches[-1]):
        return frozen(first, batch, *cut)
    if 1 not in batches and not (graph := _whole(graph, batch, at)).free_batch:
        return graph
    graph = replace(graph, sampled=tuple(sorted(batches)))
    return _because(graph, "its sizes go through code that cannot be followed", None)


def _filled(graph: Graph) -> Graph:
    """The graph at the sizes at which nothing that is read is empty: x[1:] has nothing of a batch of one."""
    read = {ref for node in graph.nodes for ref in node.refs()}.union(graph.outputs)
    for node in graph.nodes:
        found = [kind for place, kind in enumerate(node.outputs) if Ref(node.name, place) in read]
        dims = [d for kind in found for d in kind.shape if isinstance(d, Dim) and d.coef > 0]
        least = max([1, *(math.ceil((1 - d.const) / d.coef) for d in dims if d.const < 0)])
        why = f"{node.op} gives an empty tensor at smaller ones"
        graph = _limited(graph, least, 1, why, node.source) if graph.runs_at_others else graph
    return graph


def _limited(graph: Graph, least: int, step: int, why: str, source: Source | None) -> Graph:
    """The graph at each N from `least` on that `step` divides, 0 for no other N.

    It is frozen where its own batch size is none of these.
    """
    if (least, step) == (1, 1):
        return graph
    limits = max(least, graph.least_batch), math.lcm(step, graph.batch_step)
    holds = least > 0 and limits[0] <= graph.batch and graph.batch % limits[1] == 0
    limited = replace(graph, free_batch=False, least_batch=limits[0], batch_step=limits[1])
    return _because(limited if holds else replace(limited, least_batch=1, batch_step=1), why, source)


def _because(graph: Graph, why: str, source: Source | None) -> Graph:
    graph = replace(graph, frozen_source=source)
    if source is None:
        return replace(graph, frozen_because=why, frozen_at=why.partition(": ")[0])
    place = f"{os.path.basename(source.file)}:{source.line}" if source.file else source.path
    return replace(graph, frozen_because=f"{why}, at {source}", frozen_at=f"{why}, {place}" if place else why)


def _said(question: Question) -> str:
    return f"forward asks {question.text} of the batch size N"
