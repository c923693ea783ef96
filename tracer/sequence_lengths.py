"""At which lengths of its sequences a converted net is right.

A net that takes sequences is traced and lowered once more at a shorter length. Where that gives the very same
code, the code holds no length; where it does not, the first call that differs tells why.
"""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from codegen.ir import Graph, Source
from codegen.passes.same_code import first_difference, returns_the_same
from codegen.problems import ConversionError, RequestError
from codegen.program import Program
from tracer.image_sizes import Lower, OtherSizes, Run, Trace, first_other_op, place_text
from tracer.inputs import InputSpec
from tracer.size_holders import are_more, holder_words, holders

Specs = tuple[InputSpec, ...]
# A sequence of fewer steps is not cut: a length of one is a case of its own to many nets.
LEAST = 3


def at_another_length(
    graph: Graph, program: Program, model: nn.Module, specs: Specs, trace: Trace, lower: Lower, run: Run
) -> OtherSizes | None:
    """What was found at a shorter length; None without sequences, and where torch does not run the net."""
    tried = shorter(model, specs)
    if tried is None:
        return None
    try:
        run(tried)
        return _found(graph, program, tried, length_text(specs, tried), trace, lower)
    except RequestError:
        return None


def _found(
    graph: Graph, program: Program, tried: Specs, length: str, trace: Trace, lower: Lower
) -> OtherSizes:
    def frozen(
        why: str,
        source: Source | None = None,
        held: tuple[Source, ...] = (),
        is_limit: bool = True,
        more: bool = False,
    ) -> OtherSizes:
        return OtherSizes(tried, why, source, is_length=True, is_limit=is_limit, holders=held, are_more=more)

    try:
        other = trace(tried)
        apart = first_other_op(graph, other)
        if apart is not None:
            return frozen(f"forward runs other ops at {length}", apart)
        there = lower(other)
    except ConversionError as error:
        problem = error.problems[0]
        return frozen(f"at {length}, {problem.what}", problem.where, is_limit=False)
    call = first_difference(program, there)
    if call is None and returns_the_same(program, there):
        return OtherSizes(tried, is_length=True)
    if call is None:
        return frozen(f"at {length} it returns other tensors, or takes other batch sizes")
    node = graph.by_name.get(call.node)
    found = holders(program, there, graph, other)
    what = holder_words(found[0], node.op if node else call.op)
    return frozen(f"{what} depends on it", found[0], found, more=are_more(program, there))


def shorter(model: nn.Module, specs: Specs) -> Specs | None:
    """The inputs with shorter sequences; None where it is not known which axes are lengths.

    It is where all inputs are whole numbers or masks (N, length), and of one input of floats that a recurrent
    net takes: its layers know the axis of their steps. Values that are given are cut.
    """
    if not specs:
        return None
    axis = 1 if all(map(_is_ids, specs)) else _axis_of_steps(model, specs)
    if axis is None or any(spec.batch_axis == axis or spec.shape[axis] < LEAST for spec in specs):
        return None
    return tuple(_cut(spec, axis) for spec in specs)


def _is_ids(spec: InputSpec) -> bool:
    is_of_ids = not spec.dtype.startswith(("float", "bfloat")) or "mask" in spec.name
    return len(spec.shape) == 2 and spec.batch_axis == 0 and is_of_ids


def _axis_of_steps(model: nn.Module, specs: Specs) -> int | None:
    """Which axis of a net's one input its recurrent layers go along."""
    axes = {1 if module.batch_first else 0 for module in model.modules() if isinstance(module, nn.RNNBase)}
    if len(axes) != 1 or len(specs) != 1 or len(specs[0].shape) != 3 or specs[0].batch_axis is None:
        return None
    return axes.pop()


def _cut(spec: InputSpec, axis: int) -> InputSpec:
    size = spec.shape[axis] - max(1, spec.shape[axis] // 3)
    shape = (*spec.shape[:axis], size, *spec.shape[axis + 1 :])
    value = None if spec.value is None else spec.value[tuple(slice(size) for size in shape)]
    return replace(spec, shape=shape, value=value)


def length_text(specs: Specs, tried: Specs) -> str:
    """The length of the first sequence that was cut: length 86."""
    pairs = (
        pair for own, its in zip(specs, tried, strict=True) for pair in zip(own.shape, its.shape, strict=True)
    )
    return next(f"length {its}" for own, its in pairs if own != its)


def length_doc(sizes: OtherSizes, specs: Specs) -> str:
    """What the docstring says of lengths."""
    length = length_text(specs, sizes.tried)
    if sizes.are_free:
        return f"The length of sequences may change: the code is the same at {length}."
    own = length_text(sizes.tried, specs)
    return f"Sequences are of {own} alone: {sizes.frozen_because}{place_text(sizes)}."
