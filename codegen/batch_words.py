"""What is said of the batch sizes at which a converted net is right."""

from __future__ import annotations

from codegen.ir import Graph


def batch_note(graph: Graph) -> str:
    """What the run says; nothing where every batch size is proved."""
    if not graph.runs_at_others:
        return f"the batch size is frozen at {graph.batch}: {graph.frozen_because}"
    if not graph.free_batch:
        return f"{_others(graph)}: {graph.frozen_because}"
    if graph.sampled == (1,):
        return f"any batch size from 2 on, and 1 as far as it is compared: {graph.frozen_because}"
    if graph.sampled:
        return f"any batch size, tried at {_listed(graph.sampled)} and not proved: {graph.frozen_because}"
    return ""


def batch_doc(graph: Graph) -> str:
    """What the docstring of the net says, without the folders of this machine."""
    if not graph.runs_at_others:
        return f"Batch size {graph.batch} alone: {graph.frozen_at}." if graph.frozen_at else ""
    if not graph.free_batch:
        return f"{_others(graph).capitalize()}: {graph.frozen_at}."
    if graph.sampled == (1,):
        return f"A batch of one was tried; it is not proved, as others are: {graph.frozen_at}."
    if graph.sampled:
        return f"Batch sizes {_listed(graph.sampled)} were tried; it is not proved that others do as well."
    return ""


def batch_summary(graph: Graph) -> str:
    """For which batch sizes a net is converted, in a few words."""
    if graph.free_batch:
        return "any batch size"
    return _others(graph) if graph.runs_at_others else f"batch size {graph.batch} only"


def _others(graph: Graph) -> str:
    if graph.batch_step == 1:
        return f"batch sizes from {graph.least_batch} on"
    least = graph.least_batch if graph.least_batch > graph.batch_step else graph.batch_step
    return f"batch sizes from {least} on that {graph.batch_step} divides"


def _listed(sizes: tuple[int, ...]) -> str:
    return ", ".join(map(str, sizes[:-1])) + f" and {sizes[-1]}"
