"""A review is made from a conversion and its comparison with torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import nn

from codegen.batch_words import size_words
from codegen.identifiers import identifier
from codegen.ir import shape_at
from codegen.program import Call, Leaf, Program, Variable
from codegen.proof.code_lines import lines_of
from codegen.proof.compare import Agreement
from codegen.written import Origin
from tracer.conversion import Conversion
from tracer.review.compared import input_rows, trial_rows
from tracer.review.defaults import corrected_defaults
from tracer.review.digests import digest_of
from tracer.review.flops import flops_by_call
from tracer.review.layers import largest_differences, source_files
from tracer.review.model import BlockRow, OutputRow, Review, SourceRow, Summary, WeightRow
from tracer.review.not_given import made_rows
from tracer.review.ops import op_rows
from tracer.review.sizes import batch_text, sizes_text
from tracer.review.unused import unused_rows
from tracer.review.versions import versions
from tracer.review.whys import whys
from tracer.review.words import around, few, held_values, place, result_shape, rounded, shape_text, shown
from tracer.verify import OWN

# What is said of weights that are of no checkpoint.
UNTRAINED = (
    "the weights are of no checkpoint, since `--weights` was not given: they are what the net was built with "
    "under seed 0, and untrained unless its own code loads trained ones"
)
# So many shapes are told of what a line makes.
MOST_SHAPES = 4
# Blocks are opened no further once there are so many.
MOST_BLOCKS = 16


def review_of(
    conversion: Conversion,
    agreement: Agreement,
    origin: Origin,
    folder: Path,
    files: Sequence[Path],
    is_fresh: bool = False,
    spec_file: Path | None = None,
    is_trained: bool = False,
) -> Review:
    """The review of a net that was compared op by op; files are named as they are seen from `folder`.

    `files` are the checkpoint, and what was written; `is_fresh` tells that the weights come from none.
    `spec_file` is the user's that SPEC names, which may hold no op; `is_trained` tells that training was
    compared too.
    """
    program, batch = conversion.program, conversion.graph.batch
    flops = flops_by_call(program, batch)
    blocks = _blocks(conversion, flops)
    parameters = held_parameters(conversion)
    sources = _sources(program, spec_file)
    kept = conversion.model.state_dict().keys()
    summary = Summary(
        net=program.name,
        origin=origin.spec,
        command=origin.command,
        versions=versions(sources),
        ops=len(program.calls),
        parameters=sum(parameters.values()),
        flops=sum(flops),
        batch_size=batch,
        sources=tuple(digest_of(path, shown(path, folder)) for path in sources),
        files=tuple(digest_of(path, path.name) for path in files),
        tolerance=f"{agreement.tolerance:g}",
        comparisons=comparisons(agreement, batch, is_fresh, is_trained),
        outputs=tuple(_outputs(program, agreement)),
        batch=batch_text(conversion, folder),
        sizes=sizes_text(conversion, folder),
        weights=UNTRAINED if is_fresh else "",
        notes=tuple(map(str, program.notes)),
    )
    return Review(
        summary=summary,
        source_map=tuple(_source_map(conversion, agreement, folder)),
        defaults=corrected_defaults(program, lines_of(conversion.code, identifier(program.name))),
        weights=tuple(
            _weight(program, v, folder, kept) for v in program.variables if v.kind in {"arg", "aux"}
        ),
        unused=unused_rows(conversion),
        blocks=blocks,
        inputs=input_rows(agreement.trials),
        trials=tuple(trial_rows(agreement)),
        ops=op_rows(conversion),
        made=made_rows(conversion, folder),
    )


# The summary -------------------------------------------------------------------------------------------


def _sources(program: Program, spec_file: Path | None) -> tuple[Path, ...]:
    """The file that SPEC names, then the others in which the net's ops stand."""
    others = source_files(program)
    if spec_file is None:
        return others
    return (spec_file, *(path for path in others if not path.samefile(spec_file)))


def comparisons(agreement: Agreement, batch: int, is_fresh: bool, is_trained: bool = False) -> str:
    """What was compared, and which of it op by op: the last set of parameters."""
    batches = " and ".join(str(n) for n in dict.fromkeys(o.batch for o in agreement.outputs))
    kinds = " and ".join(dict.fromkeys(o.parameters for o in agreement.outputs))
    sizes = "".join(f", and {size_words(s)}" for s in dict.fromkeys(o.size for o in agreement.outputs) if s)
    in_double = any(o.double for o in agreement.outputs)
    double = ", in float64 where float32 rounds too coarsely" if in_double else ""
    # What nobody has trained does not show every error: the reader is to know.
    kinds = kinds.replace(OWN, f"{OWN} (no --weights: built under seed 0)") if is_fresh else kinds
    by_op = (
        f"; op by op at batch {batch}, {agreement.outputs[-1].parameters}, in float32, in one run of the "
        "whole net, along which differences add up"
    )
    mode = "in inference, and in training beside" if is_trained else "in inference only"
    return f"{mode}, batch {batches}, {kinds}{sizes}{double}{by_op if agreement.layers else ''}"


def _outputs(program: Program, agreement: Agreement) -> Iterator[OutputRow]:
    """Each output with its shape, and its largest difference of all comparisons."""
    largest: dict[str, float] = {}
    for output in agreement.outputs:
        largest[output.name] = max(largest.get(output.name, 0.0), output.difference)
    for (name, difference), own in zip(largest.items(), program.outputs, strict=True):
        called = f"{name} ({own.name})" if own.name else name
        yield OutputRow(called, shape_text(own.shape), rounded(difference))


# The source map ----------------------------------------------------------------------------------------


def _source_map(conversion: Conversion, agreement: Agreement, folder: Path) -> Iterator[SourceRow]:
    """The lines of the generated code in their order, each with all that it makes."""
    program = conversion.program
    lines = lines_of(conversion.code, identifier(program.name))
    differences = largest_differences(agreement)
    reasons = whys(program)
    made: dict[int, list[Call]] = {}
    for call in program.calls:
        if call.name in lines:
            made.setdefault(lines[call.name][0], []).append(call)
    for line, calls in sorted(made.items()):
        compared = [differences[call.name] for call in calls if call.name in differences]
        yield SourceRow(
            line=line,
            places=tuple(dict.fromkeys(place(call.source, folder) for call in calls)),
            statement=next((call.source.text for call in calls if call.source.text), ""),
            ops=tuple(Counter(call.op for call in calls).items()),
            shapes=few(tuple(dict.fromkeys(map(result_shape, calls))), MOST_SHAPES),
            difference=rounded(max(compared)) if compared else "",
            why=" ".join(dict.fromkeys(reasons[call.name] for call in calls if call.name in reasons)),
        )


# Weights, parameters, blocks ---------------------------------------------------------------------------


def _weight(program: Program, variable: Variable, folder: Path, kept: Container[str]) -> WeightRow:
    """A row of the weights; `kept` are the keys of the state_dict, which lacks some buffers."""
    keys = variable.derived or (*variable.keys, *variable.tied)
    if keys and not any(key in kept for key in keys):
        buffer = f"buffer {keys[0]}, which the net makes when it is built and no state_dict has"
        count = int(np.prod(shape_at(variable.shape, program.batch), dtype=np.int64))
        return WeightRow(variable.name, (), shape_text(variable.shape), count, buffer, "")
    count = int(np.prod(shape_at(variable.shape, program.batch), dtype=np.int64))
    constant = ""
    if not keys:
        reader = next(call for call in program.calls if Leaf(variable.name) in call.operands())
        constant = f"{_held(variable)}, for {place(reader.source, folder)}"
    return WeightRow(variable.name, keys, shape_text(variable.shape), count, constant, _joined(variable))


def _joined(variable: Variable) -> str:
    """How a Variable holds several keys."""
    if variable.derived:
        return "of which it is computed" if len(variable.derived) > 1 else ""
    if len(variable.keys) > 1:
        rows = ", the rows of each head together" if variable.heads else ""
        return f"flattened and joined in this order{rows}"
    return "which are one tensor" if variable.tied else ""


def _held(variable: Variable) -> str:
    """What a constant holds, as far as a few words say it."""
    return f"{variable.fill:g}" if variable.fill is not None else held_values(variable.value)


def held_parameters(conversion: Conversion) -> Mapping[str, int]:
    """How many elements each parameter of the converted net has, by torch's key; a shared one counts once."""
    held = {key for v in conversion.program.variables for key in (*v.keys, *v.derived)}
    return {key: p.numel() for key, p in conversion.model.named_parameters() if key in held}


def _blocks(conversion: Conversion, flops: Sequence[int]) -> tuple[BlockRow, ...]:
    """The net's blocks that are run or that hold parameters, in the order of execution.

    A block that holds more than half of all parameters, or FLOPs, is told by its own.
    """
    held = {key.rpartition(".")[0]: 0 for key in held_parameters(conversion)}
    for key, count in held_parameters(conversion).items():
        held[key.rpartition(".")[0]] += count
    paths = [call.source.path for call in conversion.program.calls]
    modules = dict(conversion.model.named_modules())
    opened, rows = {""}, _rows({""}, paths, flops, held)
    while len(rows) <= MOST_BLOCKS:
        large = {
            path
            for path, (parameters, count) in rows.items()
            if path not in opened
            and any(True for _ in modules.get(path, nn.Module()).children())
            and (2 * parameters > sum(held.values()) or 2 * count > sum(flops))
        }
        if not large:
            break
        opened |= large
        rows = _rows(opened, paths, flops, held)
    return tuple(
        BlockRow(path, type(modules.get(path, conversion.model)).__name__, *rows[path])
        for path in rows
        if any(rows[path])
    )


def _rows(
    opened: Collection[str], paths: Sequence[str], flops: Sequence[int], held: Mapping[str, int]
) -> dict[str, tuple[int, int]]:
    """Parameters and FLOPs of each block that is shown: those right within the blocks that are opened."""

    def shown_as(path: str) -> str:
        inner = next((p for p in reversed(around(path)) if p in opened), "")
        rest = path[len(inner) :].strip(".").partition(".")[0]
        return f"{inner}.{rest}".strip(".") if rest else inner

    parameters: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for path, count in zip(paths, flops, strict=True):
        sums[shown_as(path)] += count
    for path, count in held.items():
        parameters[shown_as(path)] += count
    return {path: (parameters[path], sums[path]) for path in dict.fromkeys([*sums, *parameters])}
