"""Which sizes may change, and of those that may not: the author's lines that hold them, and a way to others.

Code stands between backticks, which tracer.review.text and tracer.review.html set as such.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from codegen.batch_words import batch_summary
from codegen.ir import Source
from codegen.program import Program
from tracer.conversion import Conversion
from tracer.image_sizes import OtherSizes, size_text
from tracer.inputs import InputSpec, follows_batch
from tracer.review.words import place
from tracer.sequence_lengths import length_text
from tracer.size_holders import expression

# So many lines are named.
MOST_LINES = 3


def batch_text(conversion: Conversion, folder: Path) -> str:
    """Which batch sizes are right, the line that allows no other, and what converts for another."""
    graph = conversion.graph
    said = batch_summary(graph)
    if not graph.frozen_at or graph.free_batch:
        return said
    source = graph.frozen_source
    if source is None or not source.file:
        return f"{said}: {graph.frozen_at}{_another_batch(conversion)}"
    # What it says after the reason is the line, as a docstring has it.
    why = graph.frozen_at.rpartition(", ")[0]
    return f"{said}: {why}, {_line(source, folder)}{_another_batch(conversion)}"


def _another_batch(conversion: Conversion) -> str:
    """What converts at twice the batch size, where no other is right."""
    if conversion.graph.runs_at_others:
        return ""
    specs = conversion.inputs
    twice = tuple(_with_batch(s, 2) if follows_batch(s, specs) else s for s in specs)
    words = input_words(twice)
    return f"; for another, convert again, as with {words}" if words else ""


def _with_batch(spec: InputSpec, times: int) -> InputSpec:
    shape = tuple(times * n if axis == spec.batch_axis else n for axis, n in enumerate(spec.shape))
    return replace(spec, shape=shape)


def sizes_text(conversion: Conversion, folder: Path) -> str:
    """Whether heights and widths, or lengths, may change; else what holds them, and a way to others."""
    sizes = conversion.other_sizes
    if sizes is None:
        return "as in DATA_SHAPES; no others were tried"
    if sizes.are_free:
        return _free(conversion.program)
    if not sizes.is_limit:
        said = conversion.program.size_doc.rstrip(".")
        return said if sizes.is_run else f"{said}, which tells nothing of other sizes"
    own, there = _sizes(conversion.inputs, sizes)
    subject = f"sequences are of {own} alone" if sizes.is_length else f"H and W are {own} alone"
    return (
        f"{subject}: {_reason(sizes, folder)}; a limit of this port, not of torch, which runs the net at "
        f"{there} as well{_again(conversion.inputs, sizes)}"
    )


def _free(program: Program) -> str:
    return "the length of sequences may change" if program.free_length else "H and W may change"


def _sizes(own: tuple[InputSpec, ...], sizes: OtherSizes) -> tuple[str, str]:
    """The net's own size and the one that was tried, in words."""
    if sizes.is_length:
        return length_text(sizes.tried, own), length_text(own, sizes.tried)
    return size_text(own), size_text(sizes.tried)


def _reason(sizes: OtherSizes, folder: Path) -> str:
    if not sizes.holders:
        line = f", {_line(sizes.source, folder)}" if sizes.source is not None and sizes.source.file else ""
        return f"{sizes.frozen_because}{line}"
    named = [_line(source, folder) for source in sizes.holders[:MOST_LINES]]
    more = len(sizes.holders) - len(named)
    lines = ", ".join(named) + (f" and {more} more lines" if more > 1 else " and 1 more line" if more else "")
    count = len(sizes.holders)
    if sizes.are_more:
        return f"lines of the net allow no other, first of all {lines}, and perhaps others"
    return f"{count} lines of the net allow no other, {lines}" if count > 1 else f"{lines} allows no other"


def _line(source: Source, folder: Path) -> str:
    """The author's code, and where it stands."""
    text = expression(source)
    where = f"`{place(source, folder)}`"
    return f"`{text}` ({where})" if text and "`" not in text else where


def _again(own: tuple[InputSpec, ...], sizes: OtherSizes) -> str:
    """What converts at the size that was tried."""
    words = input_words(sizes.tried)
    return f"; for {_sizes(own, sizes)[1]}, convert again with {words}" if words else ""


def input_words(specs: Sequence[InputSpec]) -> str:
    """The options by which inputs of these shapes are asked for; '' where they have values of their own."""
    if any(spec.value is not None for spec in specs):
        return ""
    return f"`{' '.join(f'--input {_option(spec)}' for spec in specs)}`"


def _option(spec: InputSpec) -> str:
    dims = [
        "N" if axis == spec.batch_axis and axis and size == 1 else str(size)
        for axis, size in enumerate(spec.shape)
    ]
    dtype = "" if spec.dtype == "float32" else f":{spec.dtype}"
    return f"{spec.name}={','.join(dims)}{dtype}"
