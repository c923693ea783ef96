"""The ops of the net one by one: where each stands in both codes, and how far it is from torch's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codegen.ir import Frame, Node
from codegen.program import Call, Leaf, Program
from codegen.proof.compare import Agreement
from codegen.write.literals import python_text
from tracer.review.model import DefaultRow, Layer, WeightRow
from tracer.review.whys import whys
from tracer.review.words import result_shape, rounded


@dataclass(frozen=True)
class Files:
    """The user's files, and which of them is meant by a name without a folder, where that is one."""

    paths: tuple[Path, ...]

    def named(self, name: str) -> int | None:
        found = [index for index, path in enumerate(self.paths) if path.name == name]
        return found[0] if len(found) == 1 else None

    def at(self, file: str) -> int | None:
        return next((index for index, path in enumerate(self.paths) if str(path) == file), None)


def source_files(program: Program) -> tuple[Path, ...]:
    """The user's files in which the net's ops stand, in the order of execution; code may stand in none."""
    files = dict.fromkeys(Path(call.source.file) for call in program.calls if call.source.file)
    return tuple(path for path in files if path.is_file())


def layers(
    program: Program,
    nodes: Mapping[str, Node],
    agreement: Agreement,
    lines: Mapping[str, tuple[int, ...]],
    defaults: Sequence[DefaultRow],
    weights: Sequence[WeightRow],
) -> Iterator[Layer]:
    """Every call; `nodes` are torch's by name, `lines` those of the generated code, by the call's name."""
    files = Files(source_files(program))
    differences, reasons = largest_differences(agreement), whys(program)
    rows = {(row.op, row.attribute, row.torch): index for index, row in enumerate(defaults)}
    of_weights = {row.name: index for index, row in enumerate(weights)}
    for call in program.calls:
        read = dict.fromkeys(o.name for o in call.operands() if isinstance(o, Leaf))
        keys = [(call.op, name, python_text(value)) for name, value in call.attrs]
        places: dict[tuple[int, int], str] = {}
        for place, module in _places(call, files):
            places.setdefault(place, module)
        yield Layer(
            name=call.name,
            op=call.op,
            path=call.source.path,
            lines=tuple(dict.fromkeys(lines.get(call.name, ()))),
            places=tuple(places),
            modules=tuple(places.values()),
            shape=result_shape(call),
            difference=rounded(differences[call.name]) if call.name in differences else "",
            corrected=tuple(rows[key] for key in keys if key in rows),
            weights=tuple(of_weights[name] for name in read if name in of_weights),
            torch=nodes[call.node].op if call.node in nodes else "",
            node=call.node if call.node in nodes else "",
            why=reasons.get(call.name, ""),
        )


def largest_differences(agreement: Agreement) -> Mapping[str, float]:
    """The largest difference of any result of each op that was compared, by MXNet's name."""
    found: dict[str, float] = {}
    for layer in agreement.layers:
        found[layer.name] = max(found.get(layer.name, 0.0), layer.difference)
    return found


def _places(call: Call, files: Files) -> Iterator[tuple[tuple[int, int], str]]:
    """The line of the op, then those that call the modules around it, from the inner to the outer.

    With each the path of the module that the line calls; "" for the op's own line, and for a function.
    """
    own = files.at(call.source.file)
    if own is not None and call.source.line:
        yield (own, call.source.line), ""
    frames: Sequence[Frame] = call.source.frames
    for number in range(len(frames) - 1, 0, -1):
        caller = next((f.file for f in reversed(frames[:number]) if f.file and not f.library), "")
        index = files.named(caller)
        if index is not None and frames[number].line:
            yield (index, frames[number].line), "" if frames[number].is_function else frames[number].path
