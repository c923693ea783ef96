"""The pipeline, as a recipe: a module and inputs in, a Conversion out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from codegen.artifacts import Paths, load_symbol, write_all
from codegen.batch_words import batch_note
from codegen.identifiers import identifier
from codegen.ir import Graph, Note
from codegen.kinds.note import note
from codegen.mxnet_process import has_mxnet
from codegen.passes.interleave import optimized_note
from codegen.passes.softmax import with_softmax
from codegen.passes.training import with_training
from codegen.problems import RequestError, listed
from codegen.program import Program
from codegen.proof.compare import TOLERANCE, Agreement
from codegen.rules import rule_table
from codegen.weights import contrast, parameters
from codegen.write.templates import templates_of
from codegen.written import Origin
from tracer.copies import full_state
from tracer.dropped import DROP_PATH
from tracer.fakes import SharedFakes
from tracer.folding import default_origin, made_code
from tracer.hand_edits import check_unedited
from tracer.image_sizes import OtherSizes, check_free
from tracer.input_search import SECONDS, find_inputs
from tracer.inputs import PLAIN, InputSpec, inputs_from_tensors, make_inputs
from tracer.last_net import stage
from tracer.legal_integers import with_legal_integers
from tracer.limits import check_sizes, check_values
from tracer.looked_up import with_rows_of_tables
from tracer.lowering import Asked, lowered, with_other_sizes
from tracer.nested_inputs import unpacked
from tracer.samples import Variation
from tracer.settings import without_collection
from tracer.trace import check_taps, runs
from tracer.training_parity import TrainingAgreement, training_agreement
from tracer.verify import OWN, Comparison, LayerValues, Sides, layer_values, verify, with_random_weights
from tracer.wrappers import unwrapped

if TYPE_CHECKING:
    import mxnet as mx

# How many of the things that forward changes a note names.
MOST_NAMES = 8


@dataclass(frozen=True)
class Conversion:
    """A converted net: IR, target program and generated code; on demand symbol, weights and proof.

    Attributes:
        model: the module that was converted, with its own values.
        inputs: name, shape and dtype of each input, in the order of `forward`.
        graph: the IR, torch's calls with shapes, dtypes and places; `graph.text()` prints it.
        program: MXNet's calls in order; `program.text()` prints it.
        code: the text of `model_mxnet.py`.
        taps: paths of the modules whose outputs are returned instead of the net's.
        notes: what a user should know of the run, a sentence each: a str that has its kind too.
        folded: whether the code has functions and loops; else it is one flat function.
        larger: the inputs at the other height and width at which the code is the same; empty where it is not.
        other_sizes: what was found at another height and width, or length; None where none was tried.
    """

    model: nn.Module
    inputs: tuple[InputSpec, ...]
    graph: Graph
    program: Program
    code: str
    taps: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    folded: bool = True
    larger: tuple[InputSpec, ...] = ()
    other_sizes: OtherSizes | None = None

    @functools.cached_property
    @stage("making the symbol")
    def symbol(self) -> mx.sym.Symbol:
        """The symbol that the generated code returns, so that what was reviewed is what ships.

        Raises:
            RequestError: there is no mxnet.
        """
        return load_symbol(self.code, identifier(self.program.name))

    @functools.cached_property
    @stage("converting the weights")
    def _shared_weights(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """(arg_params, aux_params) that share the memory of the model's: to be read only."""
        return parameters(self.program, full_state(self.model))

    @functools.cached_property
    def arg_params(self) -> dict[str, mx.nd.NDArray]:
        """The parameters by MXNet's name: copies, which may be bound and trained.

        Each has the shape that the contrast table shows, and the dtype of its Variable.

        Raises:
            RequestError: a whole number is beyond what that dtype holds, or there is no mxnet.
        """
        return {k: v.copy() for k, v in self._shared_weights[0].items()}

    @functools.cached_property
    def aux_params(self) -> dict[str, mx.nd.NDArray]:
        """The auxiliary states (BatchNorm's moving statistics, (C,) float32) by MXNet's name: copies."""
        return {k: v.copy() for k, v in self._shared_weights[1].items()}

    @property
    @stage("writing the contrast table")
    def contrast(self) -> str:
        """The text of layer_contrast.txt: MXNet name, shape, torch key and shape in a line, between tabs."""
        return contrast(self.program, full_state(self.model), tuple(self.model.state_dict()))

    @stage("the comparison with torch")
    def verify(
        self, *, tolerance: float = TOLERANCE, fresh: bool = True, layers: bool = True, seed: int = 1
    ) -> Agreement:
        """Run torch and MXNet on seeded inputs at two batch sizes, and compare.

        Args:
            tolerance: the largest max|mxnet - torch| / max|torch| of an output that counts as equal.
            fresh: compare a copy with random parameters and statistics as well: fresh ones hide errors.
            layers: compare every op too, on the last copy.
            seed: of the inputs and of the random parameters.

        Returns:
            What was compared and how far it is apart. Outputs that differ raise nothing: see `ok`.

        Raises:
            ConversionError: a defect of fx2mx within the comparison.
            RequestError: there is no mxnet.
        """
        comparison = self._comparison(tolerance, seed)
        return verify(comparison, self._sides(fresh, seed), layers)

    def values_at(self, layer: str, agreement: Agreement, *, seed: int = 1) -> LayerValues:
        """What both frameworks have at an op that was compared, with the parameters that did not agree.

        Args:
            layer: MXNet's name of the op.
            agreement: what `verify` gave for the same `seed`.
            seed: of the inputs and of the random parameters.

        Raises:
            RequestError: there is no mxnet.
        """
        apart = next((o.parameters for o in agreement.outputs if not o.within(agreement.tolerance)), None)
        sides = self._sides(fresh=apart != OWN, seed=seed)
        return layer_values(self._comparison(agreement.tolerance, seed), sides[-1], layer)

    def _sides(self, fresh: bool, seed: int) -> list[Sides]:
        """The sets of parameters that are compared."""
        all_sides = [Sides(OWN, self.model, self._shared_weights)]
        if fresh:
            other = with_random_weights(self.model, self.inputs, seed)
            all_sides.append(Sides("random parameters", other, parameters(self.program, full_state(other))))
        return all_sides

    def _comparison(self, tolerance: float, seed: int) -> Comparison:
        batch = self.graph.batch
        batches = (batch, 2 * batch) if self.graph.runs_at_others else (batch,)
        rules = rule_table()
        has_ties = not any(n.op in rules and rules[n.op].any_of_ties for n in self.graph.nodes)
        return Comparison(
            self.symbol, self.program, self.inputs, self.taps, batches, tolerance, seed, has_ties, self.larger
        )

    @stage("the comparison of training with torch")
    def verify_training(self, seed: int = 1) -> TrainingAgreement:
        """Train both from the same weights: gradients, moving statistics, the losses of five steps of SGD.

        In float64 and without dropout, at twice the batch size where the net allows it.

        Args:
            seed: of the inputs.

        Returns:
            What was compared. Nothing is raised where they differ, or cannot be trained: see `ok` and `why`.
        """
        batch = 2 * self.graph.batch if self.graph.runs_at_others else self.graph.batch
        drops = {n.source.path for n in self.graph.nodes if n.op == DROP_PATH}
        # Where the symbol lacks what training does, torch does it, and the two differ.
        dropping = frozenset(() if self.graph.in_training else drops)

        def trained_on(variation: Variation) -> TrainingAgreement:
            inputs = make_inputs(self.inputs, batch, seed, variation)
            return training_agreement(self.model, self.program, self.symbol, inputs, dropping)

        # Samples that are alike tie in each max over a batch, and leave a BatchNorm no variance; but given
        # values that are changed may be none that the net takes.
        found = trained_on(Variation())
        return found if found.losses else trained_on(PLAIN)

    def files(self, path: Path, weights: bool = True) -> dict[Path, Any]:
        """What `save` writes, by path: texts, and for the `.params` file names with NDArrays.

        Args:
            path: the generated file; the others are named after it.
            weights: whether `.params` and the contrast table are among them. Without weights and without
                mxnet it is the code alone.
        """
        paths = Paths(path)
        files: dict[Path, Any] = {paths.code: self.code}
        if weights or has_mxnet():
            files[paths.symbol] = self.symbol.tojson()
        if weights:
            arg = {f"arg:{k}": v for k, v in self._shared_weights[0].items()}
            aux = {f"aux:{k}": v for k, v in self._shared_weights[1].items()}
            files[paths.params] = arg | aux
            files[paths.contrast] = self.contrast
        return files

    @stage("writing the files")
    def save(self, path: str | Path, *, weights: bool = True, force: bool = False) -> None:
        """Write the code, the symbol, the weights and the contrast table: all files, or none.

        Args:
            path: the generated file, `model_mxnet.py`; the others are named after it.
            weights: without, the code and the symbol alone.
            force: overwrite a file that was edited by hand.

        Raises:
            OverwriteError: it was, and there is no `force`.
            RequestError: a file cannot be written, or there is no mxnet.
        """
        if not force:
            check_unedited(Path(path), self.code)
        write_all(self.files(Path(path), weights))


@stage("the conversion")
def convert(
    model: nn.Module,
    inputs: tuple[Any, ...] | None = None,
    name: str | None = None,
    *,
    taps: Sequence[str] = (),
    softmax: bool = False,
    origin: Origin | None = None,
    proved: bool = True,
    templates: str | Path | None = None,
    frozen_batch: bool = False,
    optimize: bool = False,
    trainable: bool = False,
    free_sizes: bool = False,
    search_seconds: float = SECONDS,
    say: Callable[[str], None] | None = None,
) -> Conversion:
    """Convert a module to MXNet.

    The module is left as it was; it is converted in eval mode.

    Args:
        model: the net. `DataParallel` and its like around it are taken off.
        inputs: example tensors, one for each argument of `forward`, axis 0 the batch: float16, float32,
            float64, bfloat16, int8 to int64, uint8 or bool. Each tensor of a list, tuple or dict is an
            input by itself, called after its place: `xs_0`, `batch_image`. None finds them.
        name: of the function that is generated; the class's name where it is left out.
        taps: paths of modules whose outputs are returned instead of the net's: `layer1.0.conv2`.
        softmax: append `mx.sym.SoftmaxOutput(name="softmax")` to an output of shape (N, classes).
        origin: what the head of the code says it was made from, and by which command.
        proved: hold the code against a flat one; without, mxnet is not imported.
        templates: a folder whose templates take the place of fx2mx's own (docs/templates.md).
        frozen_batch: keep the batch size of `inputs`, whatever the net allows.
        optimize: allow forms that change the layout of weights, for speed.
        trainable: write forms that train as torch does where the usual ones do not.
        free_sizes: refuse a net whose code is right at one height and width of its images alone.
        search_seconds: how long inputs are looked for, of which `say` is told.

    Raises:
        ConversionError: the net cannot be converted exactly; it has every refusal.
        RequestError: inputs that do not fit, no such tap, no output; UserModelError: `forward` itself raises.
    """
    if not isinstance(model, nn.Module):
        raise RequestError(f"convert() takes an nn.Module, not {type(model).__name__}", code="not-a-module")
    model, specs, notes = with_inputs(unwrapped(model), inputs, search_seconds, say)
    return convert_specs(
        model,
        specs,
        name,
        taps=taps,
        softmax=softmax,
        origin=origin,
        notes=notes,
        proved=proved,
        templates=templates,
        frozen_batch=frozen_batch,
        optimize=optimize,
        trainable=trainable,
        free_sizes=free_sizes,
    )


def with_inputs(
    model: nn.Module,
    inputs: tuple[Any, ...] | None,
    seconds: float,
    say: Callable[[str], None] | None,
) -> tuple[nn.Module, tuple[InputSpec, ...], tuple[Note, ...]]:
    """A net that takes tensors alone, its inputs (found where none are given), and what is said of them."""
    if inputs is None:
        with stage("the search for inputs"):
            specs, found = find_inputs(model, functools.partial(runs, model), seconds, say)
        return model, specs, (found,)
    model, inputs = unpacked(model, inputs)
    return model, inputs_from_tensors(model, inputs), ()


@stage("the conversion")
@without_collection()
def convert_specs(
    model: nn.Module,
    specs: tuple[InputSpec, ...],
    name: str | None = None,
    *,
    taps: Sequence[str] = (),
    softmax: bool = False,
    origin: Origin | None = None,
    notes: tuple[Note, ...] = (),
    proved: bool = True,
    templates: str | Path | None = None,
    frozen_batch: bool = False,
    optimize: bool = False,
    trainable: bool = False,
    free_sizes: bool = False,
) -> Conversion:
    """Convert a module whose inputs are specified. Raises as `convert` does."""
    model = unwrapped(model)
    name = name or type(model).__name__
    look = templates_of(Path(templates) if templates is not None else None)
    check_taps(model, taps)
    check_values(model)
    check_sizes(specs)
    with stage("the search for integers"):
        specs, of_integers = with_legal_integers(model, specs)
    asked = Asked(name, tuple(taps), frozen_batch, trainable, optimize)
    fakes = SharedFakes()
    graph, program = lowered(model, specs, asked, fakes)
    specs = with_rows_of_tables(model, specs, graph)
    graph, program, sizes = with_other_sizes(model, specs, asked, graph, program, fakes)
    if free_sizes:
        check_free(sizes, specs)
    if optimize:
        notes = (*notes, optimized_note(program))
    parameters = {k: p.requires_grad for k, p in model.named_parameters(remove_duplicate=False)}
    program = with_training(program, parameters)
    if softmax:
        program = with_softmax(program)
    shapes = [(s.name, s.shape) for s in specs if s.name in graph.inputs]
    with stage("writing the code"):
        code, fold_fault = made_code(program, origin or default_origin(model, name), shapes, look, proved)
    unfolded_note = (note("unfolded", why=fold_fault),) if fold_fault else ()
    notes = (*notes, *of_integers, *_notes(graph), *program.notes, *unfolded_note)
    larger = sizes.tried if sizes is not None and sizes.are_free else ()
    folded = not fold_fault
    return Conversion(model, specs, graph, program, code, tuple(taps), notes, folded, larger, sizes)


def _notes(graph: Graph) -> Iterator[Note]:
    """What a user should know of the run that was recorded."""
    if of_batch := batch_note(graph):
        yield of_batch
    if graph.left_out:
        yield note("left-out", names=listed(graph.left_out))
    if graph.changed:
        yield note("state-changed", names=listed(graph.changed, MOST_NAMES))
