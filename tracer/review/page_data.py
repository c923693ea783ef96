"""What the page's script reads: the layers, where they stand, and the pictures of the blocks.

And, for `fx2mx report-diff`, the review as `--format json` has it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import tracer
from tracer.formats.document import VERSION
from tracer.review.layout import SIZES
from tracer.review.model import Block, Flow, Layer, Page, Review
from tracer.review.spans import Span, spans


def page_data(page: Page, sides: Sequence[Sequence[Span]], opened: Collection[int]) -> dict[str, Any]:
    """Numbers and texts for templates/review/page/*.js, which takes them by their places in a list.

    `sides` are spans_of the page, `opened` the blocks that are open at first.

    What is said often (shapes, curves of pictures that look alike) stands once, and is meant by its number.
    """
    shapes = _Numbered()
    layouts = _Numbered()
    calls = _Numbered()
    reasons = _Numbered()
    numbers = {block.path: index for index, block in enumerate(page.blocks)}
    layers = [
        [
            layer.name,
            layer.op,
            layer.path,
            layer.lines,
            _places(layer, numbers),
            shapes.of(layer.shape),
            layer.difference,
            layer.corrected,
            layer.weights,
            calls.of((layer.torch, layer.node or layer.name)),
            *([reasons.of(layer.why)] if layer.why else []),
        ]
        for layer in page.layers
    ]
    blocks = [_block(block, layouts) for block in page.blocks]
    defaults = [[d.op, d.attribute, d.torch, d.mxnet, d.why] for d in page.review.defaults]
    return {
        "layers": layers,
        "shapes": shapes.found,
        "calls": [op for op, _ in calls.found],
        "whys": reasons.found,
        "blocks": blocks,
        "layouts": layouts.found,
        "defaults": defaults,
        "ops": {row.op: [row.does, row.link] for row in page.review.ops},
        "files": anchors([*(s.name for s in page.sources), page.code.name]),
        "sizes": SIZES,
        "spans": sides,
        "declared": page.declared,
        "opened": sorted(opened),
        "gradients": page.training.gradients if page.training is not None else (),
    }


def _places(layer: Layer, numbers: Mapping[str, int]) -> list[list[int]]:
    """File and line, and the block that the line calls where it calls one."""
    return [
        [*place, numbers[module]] if module and module in numbers else [*place]
        for place, module in zip(layer.places, layer.modules, strict=True)
    ]


def mapped_lines(page: Page) -> list[set[int]]:
    """The lines of each source, and of the generated code, by which an op is known."""
    found: list[set[int]] = [set() for _ in range(len(page.sources) + 1)]
    for layer in page.layers:
        for index, line in layer.places:
            found[index].add(line)
        found[-1].update(layer.lines)
    return found


def spans_of(page: Page) -> list[tuple[Span, ...]]:
    """The lines of each source, and of the generated code, that stand for others."""
    mapped = mapped_lines(page)
    generated = spans(page.code.text, mapped[-1], quotes=True)
    return [
        *(spans(source.text, own) for source, own in zip(page.sources, mapped[:-1], strict=True)),
        tuple(sorted({*generated, *_declarations(page, mapped[-1] | {line for line, _, _ in generated})})),
    ]


def _declarations(page: Page, known: Collection[int]) -> Iterator[Span]:
    """Lines that only make a Variable: each stands for the op that reads it first."""
    for line, weight in page.declared:
        reader = next((layer for layer in page.layers if weight in layer.weights and layer.lines), None)
        if reader is not None and line not in known:
            yield line, reader.lines[0], reader.lines[0]


def review_data(review: Review) -> dict[str, Any]:
    """The review, with the version of its form, as tracer.formats.document.Document has both."""
    return {"version": VERSION, "fx2mx": tracer.__version__, "review": asdict(review)}


class _Numbered:
    """Values in the order in which they came first."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}

    def of(self, value: Any) -> int:
        return self._numbers.setdefault(value, len(self._numbers))

    @property
    def found(self) -> list[Any]:
        return list(self._numbers)


def _block(block: Block, layouts: _Numbered) -> list[Any]:
    return [
        block.path,
        block.cls,
        block.parameters,
        block.flops,
        block.difference,
        block.layer,
        block.children,
        _flow(block.flow, layouts),
    ]


def _flow(flow: Flow | None, layouts: _Numbered) -> list[Any] | None:
    """The nodes, and the picture: its size, the nodes' middles, the curves of its edges."""
    if flow is None or flow.layout is None:
        return None
    own = flow.layout
    nodes = [[node.kind[0], node.text or node.index] for node in flow.nodes]
    return [nodes, layouts.of((own.width, own.height, own.middles, own.curves))]


def anchors(names: Iterable[str]) -> list[str]:
    """What the links to a file's lines begin with: its name, as far as it may stand in a link."""
    found: list[str] = []
    for name in names:
        plain = "".join(c if c.isalnum() or c in "._/-" else "_" for c in name)
        found.append(plain if plain not in found else f"{plain}_{len(found)}")
    return found
