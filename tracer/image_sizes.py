"""At which heights and widths of its images a converted net is right.

A net is traced and lowered once more at another size. Where that gives the very same code, the code holds no
size of the image, and follows its input; where it does not, the first call that differs tells why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from codegen.ir import Graph, Node, Shape, Source
from codegen.passes.same_code import first_difference, returns_the_same
from codegen.problems import ConversionError, Problem, RequestError
from codegen.program import Program
from tracer.branches import parting
from tracer.inputs import InputSpec
from tracer.size_holders import are_more, holder_words, holders

# What is added to height and width: odd numbers, and for nets that torch runs on none, multiples of 32, as
# most halve their images five times. A small image at most doubles its height and trebles its width, since
# some nets make of n pixels n * n values.
ANY, BY_32 = (33, 65), (32, 64)

Trace: TypeAlias = "Callable[[tuple[InputSpec, ...]], Graph]"
Lower: TypeAlias = "Callable[[Graph], Program]"
# What the net raises on other inputs, where that is told without a recorded run.
Failure: TypeAlias = "Callable[[tuple[InputSpec, ...]], RequestError | None]"
# Runs torch itself, which fake tensors may not speak for. Raises UserModelError where the net does.
Run: TypeAlias = "Callable[[tuple[InputSpec, ...]], object]"


@dataclass(frozen=True)
class OtherSizes:
    """What was found at another image size, or with `is_length` at another length, `tried`: the inputs there.

    `frozen_because` says why the code is right at its own size alone, at `source`; it is empty where the code
    is the same at both, and `is_any` where that is an odd one. `is_run`: torch runs the net there. `others`
    are the shapes of outputs that are no images and have other shapes there. `is_limit`: torch runs the same
    net there, and it is the code alone that does not; `holders` are the lines because of which it is another,
    the first alone where `are_more` may.
    """

    tried: tuple[InputSpec, ...]
    frozen_because: str = ""
    source: Source | None = None
    is_any: bool = False
    is_run: bool = True
    others: tuple[Shape, ...] = ()
    is_length: bool = False
    is_limit: bool = False
    holders: tuple[Source, ...] = ()
    are_more: bool = False

    @property
    def are_free(self) -> bool:
        return not self.frozen_because


def at_another_size(
    graph: Graph,
    program: Program,
    specs: tuple[InputSpec, ...],
    trace: Trace,
    lower: Lower,
    failure: Failure,
    run: Run,
) -> tuple[Graph, Program, OtherSizes | None]:
    """The net with sizes that follow its images where MXNet can say so, and what was found at another size.

    None for a net without images: inputs (N, C, height, width) of floats.
    """
    found: list[tuple[Program, OtherSizes]] = []
    for more in (ANY, BY_32):
        tried = larger(specs, more)
        if tried is None:
            break
        failed = failure(tried)
        if failed is not None:
            found.append((program, _not_run(tried, failed.where)))
            continue
        made, sizes = _at(graph, program, tried, trace, lower)
        if sizes.are_free:
            try:
                run(tried)
            except RequestError as error:
                made, sizes = program, _not_run(tried, error.where)
        found.append((made, replace(sizes, is_any=more == ANY)))
        if found[-1][1].are_free:
            break
    return graph, *(found[-1] if found else (program, None))


def _at(
    graph: Graph, program: Program, tried: tuple[InputSpec, ...], trace: Trace, lower: Lower
) -> tuple[Program, OtherSizes]:
    """The net and what was found at the inputs `tried`; the program as it is where its code differs there."""
    size = size_text(tried)
    try:
        other = trace(tried)
    except RequestError as error:
        return program, _not_run(tried, error.where)
    except ConversionError as error:
        problem = error.problems[0]
        return program, OtherSizes(tried, f"at {size}, {problem.what}", problem.where)
    apart = first_other_op(graph, other)
    if apart is not None:
        return program, OtherSizes(tried, f"forward runs other ops at {size}", apart, is_limit=True)
    pairs = list(zip(graph.nodes, other.nodes, strict=True))
    graph = replace(graph, elsewhere={node.name: its for node, its in pairs})
    other = replace(other, elsewhere={its.name: node for node, its in pairs})
    there = _lowered(other, lower)
    if isinstance(there, Program) and _are_same(program, there):
        return program, _free(program, there, tried)  # no op had to be told of the other size
    try:
        followed = lower(graph)
        if isinstance(there, ConversionError):
            raise there
    except ConversionError as error:
        problem = error.problems[0]
        return program, OtherSizes(tried, f"at {size}, {problem.what}", problem.where)
    call = first_difference(followed, there)
    if _are_same(followed, there):
        return followed, _free(followed, there, tried)
    if call is None:
        what = f"at {size} it returns other tensors, or takes other batch sizes"
        return program, OtherSizes(tried, what, is_limit=True)
    node = graph.by_name.get(call.node)
    found = holders(followed, there, graph, other)
    what = f"{holder_words(found[0], node.op if node else call.op)} depends on them"
    return program, OtherSizes(
        tried,
        what,
        found[0],
        is_limit=True,
        holders=found,
        are_more=are_more(followed, there),
    )


def _free(program: Program, there: Program, tried: tuple[InputSpec, ...]) -> OtherSizes:
    """A net whose code is the same at both sizes; what it returns there need not have the same shape."""
    pairs = zip(program.outputs, there.outputs, strict=True)
    others = tuple(its.shape for own, its in pairs if len(own.shape) < 4 and own.shape != its.shape)
    return OtherSizes(tried, others=others)


def _lowered(graph: Graph, lower: Lower) -> Program | ConversionError:
    try:
        return lower(graph)
    except ConversionError as error:
        return error


def _are_same(program: Program, there: Program) -> bool:
    return first_difference(program, there) is None and returns_the_same(program, there)


def _not_run(tried: tuple[InputSpec, ...], where: Source | None) -> OtherSizes:
    why = f"torch does not run the net at {size_text(tried)}"
    return OtherSizes(tried, why, where, is_run=False)


def check_free(sizes: OtherSizes | None, specs: tuple[InputSpec, ...]) -> None:
    """--free H,W: raise ConversionError where the code is right at one size alone."""
    if sizes is None or sizes.is_length:
        shown = ", ".join(f"{s.name} {s.shape}" for s in specs)
        raise RequestError(
            "--free H,W is for nets whose inputs are images (N, C, height, width) of floats; this net takes "
            f"{shown}",
            code="free-sizes",
        )
    if not sizes.are_free:
        raise ConversionError(
            (
                Problem(
                    "frozen-size",
                    f"height and width cannot stay free: {sizes.frozen_because}",
                    sizes.source or Source(),
                    "write it so that it follows its input (flatten, -1 in a view, adaptive pooling, "
                    "F.interpolate to the size of a tensor), or leave --free out",
                ),
            )
        )


def larger(specs: tuple[InputSpec, ...], more: tuple[int, int]) -> tuple[InputSpec, ...] | None:
    """The inputs with images that have so many rows and columns more; None where none is an image.

    None for multiples of 32 and images below 16 as well. A mask or labels of the size of an image grow with
    it. Values that are given are repeated.
    """
    sizes = {s.shape[2:] for s in specs if is_image(s)}
    if not sizes or (more == BY_32 and min(min(size) for size in sizes) < 16):
        return None
    return tuple(
        _grown(spec, more) if len(spec.shape) > 1 and spec.shape[-2:] in sizes else spec for spec in specs
    )


def _grown(spec: InputSpec, more: tuple[int, int]) -> InputSpec:
    height, width = spec.shape[-2:]
    more = more if more == BY_32 else (min(more[0], height | 1), min(more[1], 2 * width | 1))
    around = [(0, 0)] * (len(spec.shape) - 2) + [(0, size) for size in more]
    shape = tuple(size + after for size, (_, after) in zip(spec.shape, around, strict=True))
    value = None if spec.value is None else np.pad(spec.value, around, mode="wrap")
    return replace(spec, shape=shape, value=value)


def is_image(spec: InputSpec) -> bool:
    """Whether an input is (N, C, height, width) of floats."""
    return len(spec.shape) == 4 and spec.batch_axis == 0 and spec.dtype.startswith("float")


def size_text(specs: tuple[InputSpec, ...]) -> str:
    """The height and width of the first image: 224x224."""
    return next(f"{s.shape[2]}x{s.shape[3]}" for s in specs if is_image(s))


def first_other_op(graph: Graph, other: Graph) -> Source | None:
    """Where the other run goes another way: the `if` where that is known, else the first op that differs."""
    before: Node | None = None
    for node, its in zip(graph.nodes, other.nodes, strict=False):
        if (node.op, len(node.outputs)) != (its.op, len(its.outputs)):
            return parting(node.source, its.source, before.source if before is not None else None)
        before = node
    return graph.nodes[-1].source if len(graph.nodes) != len(other.nodes) else None


def size_doc(sizes: OtherSizes | None, specs: tuple[InputSpec, ...]) -> str:
    """What the docstring says of heights and widths, without the folders of this machine."""
    if sizes is None:
        return ""
    if sizes.are_free:
        steps = "" if sizes.is_any else " by multiples of 32"
        return f"H and W may change{steps}: the code is the same at {size_text(sizes.tried)}{_others(sizes)}."
    # What torch does not run at one size it may run at another, and so may the code.
    how = "are" if sizes.is_run else "were traced at"
    return f"H and W {how} {size_text(specs)} alone: {sizes.frozen_because}{place_text(sizes)}."


def place_text(sizes: OtherSizes) -> str:
    """The line that freezes sizes, if one does: `, model.py:12`."""
    # Where torch raises is no line of what makes it so, and would change with each edit above it.
    if not sizes.is_run or sizes.source is None or not sizes.source.file:
        return ""
    return f", {sizes.source.file.rpartition('/')[2]}:{sizes.source.line}"


def _others(sizes: OtherSizes) -> str:
    """What a classifier that flattens its last map returns there: more columns."""
    if not sizes.others:
        return ""
    shapes = [f"({', '.join(map(str, shape))})" for shape in sizes.others]
    return f", where it returns {' and '.join(dict.fromkeys(shapes))}"
