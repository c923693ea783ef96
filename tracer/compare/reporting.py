"""The report of a port is made from what the comparison found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codegen.kinds.table import kind_of
from codegen.proof.compare import Agreement
from codegen.proof.port import Array, Port
from tracer.compare.beside import OpBeside
from tracer.compare.causes import Cause
from tracer.compare.inputs import InputPair
from tracer.compare.matching import Pair
from tracer.compare.reference import Net, state_of
from tracer.compare.relations import words
from tracer.compare.reported import (
    LayerVerdict,
    Mending,
    PortCause,
    PortLayer,
    PortNote,
    PortReport,
    PortWeight,
)
from tracer.compare.text import inputs_said
from tracer.compare.work import Compared
from tracer.review.digests import digest_of
from tracer.review.failed import difference_text, place_of, values_beside, worst_outputs
from tracer.review.made import comparisons
from tracer.review.versions import versions
from tracer.review.words import place, shape_text, shown


@dataclass(frozen=True)
class Ported:
    """What was compared.

    Attributes:
        net: torch's side.
        name: the net's name.
        origin: SPEC, as it is named to others.
        port: the port.
        prefix: where its files are; they are seen from its folder.
        command: what compares them again.
        files: the port's, and its contrast table.
        weights: the checkpoint.
        inputs: which variable is which input.
        pairs: which weight is which key.
    """

    net: Net
    name: str
    origin: str
    port: Port
    prefix: Path
    command: str
    files: tuple[Path, ...]
    weights: tuple[Path, ...]
    inputs: tuple[InputPair, ...]
    pairs: tuple[Pair, ...]

    @property
    def folder(self) -> Path:
        """From where files are seen."""
        return self.prefix.parent


def report_of(ported: Ported, found: Compared) -> PortReport:
    """The report."""
    agreement = Agreement(found.outputs, (), found.tolerance)
    sources = _sources(ported.net, found)
    without = _without_folders(sources, ported.folder)
    layers = found.layers
    return PortReport(
        net=ported.name,
        port=ported.prefix.name,
        verdict="agrees" if found.ok else "differs",
        origin=ported.origin,
        command=ported.command,
        versions=versions(),
        sources=tuple(digest_of(path, shown(path, ported.folder)) for path in sources),
        files=tuple(digest_of(path, path.name) for path in ported.files),
        weights=tuple(digest_of(path, path.name) for path in ported.weights if path.is_file()),
        ops=ported.port.ops,
        parameters=sum(array.size for array in ported.port.params.values()),
        tolerance=f"{found.tolerance:g}",
        comparisons=comparisons(agreement, agreement.outputs[0].batch, not ported.weights),
        outputs=tuple(worst_outputs(agreement)),
        inputs=tuple(inputs_said(ported.inputs, [spec.name for spec in ported.net.specs])),
        foreign=found.foreign,
        causes=tuple(_cause(c, n == 0, ported.folder, without) for n, c in enumerate(found.causes)),
        is_rounding=found.is_rounding,
        is_mended=found.is_mended,
        after=difference_text(max(o.difference for o in found.after)) if found.after else "",
        layers=tuple(_layer(op, ported.folder) for op in layers.ops) if layers is not None else (),
        compared=f"batch {layers.batch}, {layers.parameters}" if layers is not None else "",
        table=tuple(_table(ported.pairs, state_of(ported.net.model))),
        notes=tuple(PortNote(kind_of(n.word).code, without(n.removeprefix("note: "))) for n in found.notes),
    )


def _sources(net: Net, found: Compared) -> tuple[Path, ...]:
    """The files in which torch's calls stand; of a net that cannot be followed, those of its modules."""
    if net.graph is not None:
        places = [node.source for node in net.graph.nodes]
    else:
        layers = found.layers.known if found.layers is not None else ()
        places = [cause.where for cause in found.causes]
        places += [layer.torch.source for layer in layers if layer.torch is not None]
    files = sorted({source.file for source in places if source.file})
    return tuple(path for path in map(Path, files) if path.is_file())


def _without_folders(sources: Sequence[Path], folder: Path) -> Callable[[str], str]:
    """Makes places in a sentence what they are from the folder."""

    def without(text: str) -> str:
        for path in sources:
            text = text.replace(str(path), shown(path, folder))
        return text

    return without


def _cause(cause: Cause, is_first: bool, folder: Path, without: Callable[[str], str]) -> PortCause:
    has_number = np.isfinite(cause.off)
    why = f"cannot be run: {cause.error}" if cause.error else "gives another shape than torch"
    return PortCause(
        name=cause.name,
        op=cause.op,
        end=cause.end,
        calls=cause.calls,
        where=place_of([cause.where], folder),
        difference=difference_text(cause.off) if has_number else "",
        why="" if has_number else without(why),
        agree=cause.before if is_first else 0,
        mending=tuple(Mending(change.subject, without(change.said)) for change in cause.changes),
        tried=() if cause.changes else cause.subjects,
        hint=without(cause.hint),
        shape=shape_text(cause.theirs.shape) if cause.theirs is not None else "",
        values=tuple(values_beside(cause.theirs, cause.ours)) if is_first else (),
    )


def _layer(op: OpBeside, folder: Path) -> PortLayer:
    number = op.off is not None and np.isfinite(op.off)
    return PortLayer(
        name=op.name,
        op=op.op,
        torch=op.torch.op if op.torch is not None else "",
        place=_place(op, folder),
        difference=difference_text(op.off) if op.off is not None and number else "",
        verdict=_verdict(op),
    )


def _place(op: OpBeside, folder: Path) -> str:
    """The line of torch, or the module where no line is known."""
    if op.torch is None or op.torch.op == "input":
        return ""
    return place(op.torch.source, folder) if op.torch.source.file else op.torch.source.path


def _verdict(op: OpBeside) -> LayerVerdict:
    if op.agrees:
        return "agrees"
    if op.error:
        return "cannot be run"
    return "parts" if op.off is not None else "not known"


# Weights -----------------------------------------------------------------------------------------------


def _table(pairs: Sequence[Pair], state: Mapping[str, Array]) -> Iterator[PortWeight]:
    used = {key for pair in pairs for key in pair.keys}
    for pair in pairs:
        how = pair.how or ("by the table" if pair.keys else "")
        yield PortWeight(
            name=pair.name,
            shape=shape_text(pair.shape),
            keys=pair.keys,
            shapes=tuple(shape_text(state[key].shape) for key in pair.keys),
            matched=how or (f"a constant: {pair.constant}" if pair.constant else "not matched"),
            held=words(pair.relation) if pair.keys else "",
        )
    for key, array in state.items():
        if key not in used:
            yield PortWeight(
                "", "", (key,), (shape_text(array.shape),), "no weight of the port's holds it", ""
            )
