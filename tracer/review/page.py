"""The page is made: the review, and what a person looks at beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from codegen.identifiers import identifier
from codegen.program import Program
from codegen.proof.code_lines import lines_of
from codegen.proof.compare import Agreement
from tracer.conversion import Conversion
from tracer.review.flops import flops_by_call
from tracer.review.histograms import histograms
from tracer.review.layers import largest_differences, layers, source_files
from tracer.review.made import held_parameters
from tracer.review.model import Layer, Page, Review, SourceText
from tracer.review.sources import source_text, whole
from tracer.review.training import training
from tracer.review.tree import block_tree
from tracer.review.words import shown
from tracer.training_parity import TrainingAgreement


def page_of(
    review: Review,
    conversion: Conversion,
    agreement: Agreement,
    trained: TrainingAgreement | None,
    out: Path,
) -> Page:
    """The page of a net, of which the generated file is `out`."""
    program = conversion.program
    lines = lines_of(conversion.code, identifier(program.name))
    found = tuple(
        layers(program, conversion.graph.by_name, agreement, lines, review.defaults, review.weights)
    )
    return Page(
        review=review,
        layers=found,
        sources=_sources(program, found, out.parent),
        code=whole(conversion.code, out.name),
        blocks=block_tree(
            conversion.model,
            program,
            flops_by_call(program, conversion.graph.batch),
            held_parameters(conversion),
            largest_differences(agreement),
        ),
        histograms=tuple(histograms(conversion)),
        training=training(trained) if trained is not None else None,
        declared=tuple(
            (lines[row.name][0], index) for index, row in enumerate(review.weights) if row.name in lines
        ),
    )


def _sources(program: Program, found: Sequence[Layer], folder: Path) -> tuple[SourceText, ...]:
    """The user's files, with the parts that the net's ops are of."""
    wanted: dict[int, set[int]] = {}
    for layer in found:
        for index, line in layer.places:
            wanted.setdefault(index, set()).add(line)
    return tuple(
        source_text(path, shown(path, folder), wanted.get(index, set()))
        for index, path in enumerate(source_files(program))
    )
