"""What is said of the batch sizes, and other sizes, at which a converted net is right."""

from __future__ import annotations

from codegen.ir import Graph, Note
from codegen.kinds.note import note


def batch_note(graph: Graph) -> Note | None:
    """What the run says; nothing where every batch size is proved."""
    why, where = graph.frozen_because, graph.frozen_source
    if not graph.runs_at_others:
        return note("batch-frozen", where, batch=graph.batch, why=why)
    if not graph.free_batch:
        return note("batch-limited", where, sizes=_others(graph), why=why)
    if graph.sampled == (1,):
        return note("batch-of-one", where, why=why)
    if graph.sampled:
        return note("batch-sampled", where, sizes=_listed(graph.sampled), why=why)
    return None


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


def size_words(size: str) -> str:
    """The other size at which both were compared: `images of 257x289`, `sequences of length 86`."""
    return f"sequences of {size}" if size.startswith("length") else f"images of {size}"
