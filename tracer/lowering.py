"""A module as a program: traced and lowered, at another batch size and another image size too."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from codegen.ir import Graph
from codegen.lower.graph import lower
from codegen.passes.cuts import with_cuts_alike
from codegen.passes.fusion import guarded
from codegen.passes.gradients import with_right_gradients
from codegen.passes.input_order import in_order
from codegen.passes.interleave import interleaved
from codegen.passes.sums import with_right_sums
from codegen.problems import ConversionError, RequestError
from codegen.program import Program
from tracer.along_batch import following
from tracer.batch_sizes import Mismatch
from tracer.capture import run
from tracer.fakes import SharedFakes
from tracer.free_batch import far_of
from tracer.image_sizes import OtherSizes, at_another_size, size_doc
from tracer.inputs import InputSpec, make_inputs
from tracer.last_net import stage
from tracer.limits import check_sizes
from tracer.meta_run import failures
from tracer.sequence_lengths import at_another_length, length_doc
from tracer.trace import trace


@dataclass(frozen=True)
class Asked:
    """What was asked of a conversion that changes its program."""

    name: str
    taps: tuple[str, ...] = ()
    frozen_batch: bool = False
    trainable: bool = False
    optimize: bool = False


def lowered(
    model: nn.Module, specs: tuple[InputSpec, ...], asked: Asked, fakes: SharedFakes | None = None
) -> tuple[Graph, Program]:
    """The net as the IR and in MXNet's ops. What can be written at one batch size alone is, and says so."""
    fakes = fakes or SharedFakes()
    with stage("tracing"):
        graph = trace(model, specs, asked.taps, "as was asked" if asked.frozen_batch else "", fakes=fakes)
    if not graph.outputs:
        raise RequestError(
            f"forward of {type(model).__name__} returns no tensor: a symbol needs an output", code="no-output"
        )
    try:
        with stage("lowering and naming"):
            return graph, _program(graph, model, asked)
    except ConversionError as error:
        if not graph.runs_at_others:
            raise
        problem = error.problems[0]
        with stage("tracing"):
            frozen = trace(model, specs, asked.taps, problem.what, problem.where, fakes=fakes)
        with stage("lowering and naming"):
            return frozen, _program(frozen, model, asked)


def _program(graph: Graph, model: nn.Module, asked: Asked) -> Program:
    keys = tuple(model.state_dict())
    program = with_cuts_alike(in_order(lower(graph, asked.name, keys, trainable=asked.trainable)))
    program = guarded(interleaved(program) if asked.optimize else program)
    return with_right_sums(with_right_gradients(program)) if asked.trainable else program


def with_other_sizes(
    model: nn.Module,
    specs: tuple[InputSpec, ...],
    asked: Asked,
    graph: Graph,
    program: Program,
    fakes: SharedFakes,
) -> tuple[Graph, Program, OtherSizes | None]:
    """The net with sizes that follow its images, and what it is at another size, or length, of its inputs."""

    def traced(tried: tuple[InputSpec, ...]) -> Graph:
        if graph.runs_at_others:
            # At many samples, so that what follows the batch there alone is another number.
            many, why = far_of(graph.batch), "another size is tried"
            try:
                check_sizes(tried, many / graph.batch)
                alone = trace(model, tried, asked.taps, why, is_trial=True, size=many, fakes=fakes)
                return following(alone, graph)
            except (Mismatch, RequestError, ConversionError):
                return trace(model, tried, asked.taps, is_trial=True, fakes=fakes)
        traced_alone = trace(model, tried, asked.taps, graph.frozen_because, is_trial=True, fakes=fakes)
        return replace(traced_alone, frozen_at=graph.frozen_at, frozen_source=graph.frozen_source)

    def lower_again(made: Graph) -> Program:
        return _program(made, model, asked)

    def run_at(tried: tuple[InputSpec, ...]) -> object:
        return run(model, make_inputs(tried, None, 0), asked.taps)

    with stage("the look at another size"):
        other, program, sizes = at_another_size(
            graph, program, specs, traced, lower_again, failures(model, specs), run_at
        )
        if sizes is None:
            sizes = at_another_length(graph, program, model, specs, traced, lower_again, run_at)
    free = sizes is not None and sizes.are_free
    if sizes is not None and sizes.is_length:
        return other, replace(program, size_doc=length_doc(sizes, specs), free_length=free), sizes
    return other, replace(program, size_doc=size_doc(sizes, specs), free_sizes=free), sizes
