"""The pipeline, as a recipe: a module and inputs in, a Conversion out."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from codegen.agree import (
    TOLERANCE,
    Agreement,
    OutputAgreement,
    compare_layers,
    compare_outputs,
    difference,
    randomise,
)
from codegen.artifacts import Paths, load_symbol, write_all
from codegen.fold import unfolded
from codegen.fusion import guarded
from codegen.lower import lower
from codegen.names import identifier
from codegen.program import Program
from codegen.render import render, source
from codegen.same import same_symbol
from codegen.softmax import with_softmax
from codegen.view import Origin, view
from codegen.weights import contrast, parameters
from tracer.capture import capture, fake_mode, recorded_values, run
from tracer.copies import module_copy
from tracer.inputs import InputSpec, find_inputs, inputs_from_tensors, make_inputs
from tracer.ir import Graph
from tracer.problems import ConversionError, RequestError, UserModelError
from tracer.unify import Mismatch, unify
from tracer.user_code import user_traceback

if TYPE_CHECKING:
    import mxnet as mx


@dataclass(frozen=True)
class Conversion:
    """A converted net: the IR, the target program, the generated code, and on demand symbol, weights, proof."""

    model: nn.Module
    inputs: tuple[InputSpec, ...]
    graph: Graph
    program: Program
    code: str
    taps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    folded: bool = True

    @functools.cached_property
    def symbol(self) -> mx.sym.Symbol:
        """What the generated code returns, so that what was reviewed is what ships."""
        return load_symbol(self.code, identifier(self.program.name))

    @functools.cached_property
    def _shared(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return parameters(self.program, full_state(self.model))

    @functools.cached_property
    def arg_params(self) -> dict[str, mx.nd.NDArray]:
        """Name -> NDArray of the parameters: copies, which may be bound and trained."""
        return {k: v.copy() for k, v in self._shared[0].items()}

    @functools.cached_property
    def aux_params(self) -> dict[str, mx.nd.NDArray]:
        """Name -> NDArray of the auxiliary states (BatchNorm's moving statistics): copies."""
        return {k: v.copy() for k, v in self._shared[1].items()}

    @property
    def contrast(self) -> str:
        """The text of layer_contrast.txt."""
        return contrast(self.program, full_state(self.model), tuple(self.model.state_dict()))

    def verify(
        self, *, tolerance: float = TOLERANCE, fresh: bool = True, layers: bool = True, seed: int = 1
    ) -> Agreement:
        """Run torch and MXNet on seeded inputs at two batch sizes, and compare; raises nothing.

        With `fresh` a copy with random parameters and statistics is compared as well, since fresh
        ones hide errors. With `layers` every op is compared too, on the last copy.
        """
        models = [("its own parameters", self.model)]
        if fresh:
            models.append(("random parameters", self._randomised(seed)))
        outputs: list[OutputAgreement] = []
        found: tuple[Any, ...] = ()
        for label, model in models:
            params = self._shared if model is self.model else parameters(self.program, full_state(model))
            for batch in self._batches():
                inputs = make_inputs(self.inputs, batch, seed)
                outputs += self._compared(model, params, inputs, batch, label, tolerance)
            if layers and (model is models[-1][1] or not all(o.within(tolerance) for o in outputs)):
                inputs = make_inputs(self.inputs, None, seed)
                values = recorded_values(model, inputs, self.taps)
                found = compare_layers(self.symbol, params, self.program, inputs, values)
                if not all(o.within(tolerance) for o in outputs):
                    break
        return Agreement(tuple(outputs), found, tolerance)

    def _randomised(self, seed: int) -> nn.Module:
        copied = module_copy(self.model)
        # Other inputs than those compared: statistics of these very signals would cancel them.
        randomise(copied, make_inputs(self.inputs, None, seed + 1))
        return copied

    def _compared(
        self,
        model: nn.Module,
        params: Any,
        inputs: dict[str, torch.Tensor],
        batch: int,
        label: str,
        tolerance: float,
    ) -> list[OutputAgreement]:
        expected = self._expected(model, inputs)
        found = list(compare_outputs(self.symbol, params, self.program, inputs, expected, batch, label))
        if all(o.within(tolerance) for o in found):
            return found
        return self._compared_in_double(model, params, inputs, batch, label, tolerance, expected) or found

    def _compared_in_double(
        self,
        model: nn.Module,
        params: Any,
        inputs: dict[str, torch.Tensor],
        batch: int,
        label: str,
        tolerance: float,
        single: list[torch.Tensor],
    ) -> list[OutputAgreement] | None:
        """The comparison in float64, None unless torch's own float32 rounding is above the usual tolerance.

        Not above a smaller one that was asked for: then float32 is what is asked about.

        Rounding shows as the distance to float64, and where a net chooses (the place of a maximum) as what
        inputs do that differ in their last bits.
        """
        wide = {k: v.double() if v.is_floating_point() else v for k, v in inputs.items()}
        try:
            double = self._expected(module_copy(model).double(), wide)
            others = [double, *(self._expected(model, _nudged(inputs, seed)) for seed in range(4))]
            noise = max(
                difference(s.double().numpy(), o.double().numpy())
                for other in others
                for s, o in zip(single, other, strict=True)
            )
            if noise < max(tolerance, TOLERANCE) / 4:
                return None
            return list(
                compare_outputs(self.symbol, params, self.program, wide, double, batch, label, double=True)
            )
        except Exception:  # noqa: BLE001 - a net that cannot be run in float64 is judged in float32
            return None

    def _expected(self, model: nn.Module, inputs: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        expected = run(model, inputs, self.taps)
        if self.program.calls[-1].op == "SoftmaxOutput":
            return [torch.softmax(expected[0], 1)]
        return expected

    def _batches(self) -> tuple[int, ...]:
        batch = self.graph.batch
        return (batch, 2 * batch) if self.graph.free_batch else (batch,)

    def files(self, path: Path, weights: bool = True) -> dict[Path, Any]:
        """What `save` writes, by path."""
        paths = Paths(path)
        files: dict[Path, Any] = {paths.code: self.code, paths.symbol: self.symbol.tojson()}
        if weights:
            arg = {f"arg:{k}": v for k, v in self._shared[0].items()}
            aux = {f"aux:{k}": v for k, v in self._shared[1].items()}
            files[paths.params] = arg | aux
            files[paths.contrast] = self.contrast
        return files

    def save(self, path: str | Path, *, weights: bool = True) -> None:
        """Write the code, the symbol, the weights and the contrast table, all named after `path`."""
        write_all(self.files(Path(path), weights))


def _nudged(inputs: dict[str, torch.Tensor], seed: int) -> dict[str, torch.Tensor]:
    """The inputs with each number moved by at most one unit in the last place of float32."""
    generator = torch.Generator().manual_seed(seed)
    return {
        k: (
            (v * (1 + 2**-23 * torch.randint(-1, 2, v.shape, generator=generator))).to(v.dtype)
            if v.is_floating_point()
            else v
        )
        for k, v in inputs.items()
    }


def convert(
    model: nn.Module,
    inputs: tuple[Any, ...] | None = None,
    name: str | None = None,
    *,
    taps: Sequence[str] = (),
    softmax: bool = False,
    origin: Origin | None = None,
    proved: bool = True,
) -> Conversion:
    """Convert a module to MXNet.

    `inputs` are example tensors, one for each argument of `forward`, axis 0 the batch; None finds them.
    The module is left as it was; it is converted in eval mode. Without `proved` mxnet is not imported, and the
    folded code is not held against the flat one.

    Raises ConversionError with every refusal, RequestError where the request itself is wrong.
    """
    if not isinstance(model, nn.Module):
        raise RequestError(f"convert() takes an nn.Module, not {type(model).__name__}")
    if inputs is None:
        specs, note = find_inputs(model, functools.partial(runs, model))
        notes: tuple[str, ...] = (note,)
    else:
        specs, notes = inputs_from_tensors(model, inputs), ()
    return convert_specs(
        model, specs, name, taps=taps, softmax=softmax, origin=origin, notes=notes, proved=proved
    )


def convert_specs(
    model: nn.Module,
    specs: tuple[InputSpec, ...],
    name: str | None = None,
    *,
    taps: Sequence[str] = (),
    softmax: bool = False,
    origin: Origin | None = None,
    notes: tuple[str, ...] = (),
    proved: bool = True,
) -> Conversion:
    """Convert a module whose inputs are specified. Raises as `convert` does."""
    name = name or type(model).__name__
    check_taps(model, taps)
    graph = trace(model, specs, taps)
    if not graph.outputs:
        raise RequestError(f"forward of {type(model).__name__} returns no tensor: a symbol needs an output")
    program = guarded(lower(graph, name, tuple(model.state_dict())))
    if softmax:
        program = with_softmax(program)
    shapes = [(s.name, s.shape) for s in specs if s.name in graph.inputs]
    code, fold_fault = _code(program, origin or _default_origin(model, name), shapes, proved)
    frozen = (
        () if graph.free_batch else (f"the batch size is frozen at {graph.batch}: {graph.frozen_because}",)
    )
    left_out = (f"not tensors and left out of the outputs: {', '.join(graph.left_out)}",)
    unfolded_note = (f"the code stands as one flat function: {fold_fault}",) if fold_fault else ()
    notes = (*notes, *frozen, *(left_out if graph.left_out else ()), *program.notes, *unfolded_note)
    return Conversion(model, specs, graph, program, code, tuple(taps), notes, folded=not fold_fault)


def _code(
    program: Program, origin: Origin, shapes: Sequence[tuple[str, tuple[int, ...]]], proved: bool
) -> tuple[str, str]:
    """The code, folded where that gives the very symbol of the flat program, and else what is at fault."""
    function = identifier(program.name)
    flat = view(program, origin, shapes, unfolded(program))
    try:
        code = render(view(program, origin, shapes))
        same = not proved or same_symbol(load_symbol(code, function), load_symbol(source(flat), function))
        fault = "" if same else "folded, it gives another symbol (a defect of fx2mx; please report it)"
    except RequestError:
        raise  # there is no mxnet
    except Exception as error:  # noqa: BLE001 - a net must not fail for a matter of style
        fault = f"folding failed with {type(error).__name__}: {error} (a defect of fx2mx; please report it)"
    return (render(flat), fault) if fault else (code, "")


def _default_origin(model: nn.Module, name: str) -> Origin:
    spec = f"{type(model).__module__}:{name}"
    return Origin(spec, f"python -m tracer.gen {spec} --out model_mxnet.py")


def check_taps(model: nn.Module, taps: Sequence[str]) -> None:
    """Raise RequestError for a tap that is no module of the net."""
    paths = dict(model.named_modules())
    for tap in taps:
        if tap not in paths:
            import difflib

            close = difflib.get_close_matches(tap, paths, n=3)
            known = f"; close to it: {', '.join(close)}" if close else ""
            raise RequestError(f"--tap {tap}: the net has no module of that path{known}")


def trace(model: nn.Module, specs: tuple[InputSpec, ...], taps: Sequence[str] = ()) -> Graph:
    """The IR of a net: traced at three batch sizes, or at one where the net freezes it."""
    batch = batch_of(specs)
    _initialise(model, specs)
    mode = fake_mode()
    first = capture(model, make_inputs(specs, None, 0), taps, mode)
    if batch is None:
        return replace(unify([first], [1]), free_batch=False, frozen_because="no input has a batch axis")
    try:
        others = [capture(model, make_inputs(specs, k * batch, 0), taps, mode) for k in (2, 3)]
    except (UserModelError, ConversionError) as error:
        return _frozen(first, batch, f"the net does not run at batch size {2 * batch}: {_last_line(error)}")
    try:
        return unify([first, *others], [batch, 2 * batch, 3 * batch])
    except Mismatch as mismatch:
        if batch > 1:
            return _frozen(first, batch, str(mismatch))
        return _traced_above_one(model, specs, taps, first, others, str(mismatch))


def _initialise(model: nn.Module, specs: tuple[InputSpec, ...]) -> None:
    """Give the lazy modules their parameters, as their first call does: the one thing that is done to a user's net."""
    if not any(is_lazy(t) for t in (*model.parameters(), *model.buffers())):
        return
    training = {module: module.training for module in model.modules()}
    try:
        with torch.no_grad():
            model.eval()(**make_inputs(specs, None, 0))
    except Exception as error:
        raise UserModelError(user_traceback(error, "the net raised when it was run")) from error
    finally:
        for module, mode in training.items():
            module.training = mode


def _traced_above_one(
    model: nn.Module,
    specs: tuple[InputSpec, ...],
    taps: Sequence[str],
    first: Any,
    others: list[Any],
    why: str,
) -> Graph:
    """Nets that treat a batch of one in another way: the path that all larger ones take.

    The comparison with torch at batch size one tells whether it gives the same there.
    """
    try:
        fourth = capture(model, make_inputs(specs, 4, 0), taps)
        return replace(unify([*others, fourth], [2, 3, 4]), batch=1)
    except (Mismatch, UserModelError, ConversionError):
        return _frozen(first, 1, why)


def _frozen(first: Any, batch: int, why: str) -> Graph:
    return replace(unify([first], [batch]), free_batch=False, frozen_because=why)


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]


def batch_of(specs: Sequence[InputSpec]) -> int | None:
    """The batch size: the first input's, on its batch axis."""
    return next((s.shape[s.batch_axis] for s in specs if s.batch_axis is not None and s.shape), None)


def runs(model: nn.Module, inputs: dict[str, torch.Tensor]) -> bool:
    """Whether the net runs on these inputs."""
    try:
        capture(model, inputs)
    except ConversionError:
        return True  # it runs; that it cannot be converted is told later
    except Exception:  # noqa: BLE001 - whatever a net raises on a wrong shape
        return False
    return True


def full_state(model: nn.Module) -> Mapping[str, torch.Tensor]:
    """Every parameter and buffer by key, persistent or not, tied ones under each name, computed ones too."""
    state: dict[str, torch.Tensor] = dict(model.named_parameters(remove_duplicate=False))
    state.update(model.named_buffers(remove_duplicate=False))
    for path, module in model.named_modules():
        for name, tensor in _computed(module):
            state[f"{path}.{name}" if path else name] = tensor
    return state


def _computed(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """The parameters that a module computes from others: parametrizations, the old norm hooks."""
    with torch.no_grad():
        for name in getattr(module, "parametrizations", {}):
            yield name, getattr(module, name)
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, WeightNorm):
                yield hook.name, hook.compute_weight(module)
            elif isinstance(hook, SpectralNorm):
                yield hook.name, hook.compute_weight(module, do_power_iteration=False)


class _CallableModule(ModuleType):
    """`tracer.convert` is this module, and the function of the public interface."""

    __call__ = staticmethod(convert)


sys.modules[__name__].__class__ = _CallableModule
