"""Whether a converted net trains as torch trains it: gradients, statistics, and the losses of some steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from codegen.program import Program, Variable
from codegen.proof.float32_step import fault_in_float32
from codegen.proof.run import numpy_inputs
from codegen.proof.training import Step, loss_shares, steps
from codegen.weights import by_heads, parameters
from tracer.as_mxnet import AsMXNet
from tracer.copies import full_state, module_copy
from tracer.dropped import asks_for_mode, drop_of
from tracer.in_double import default_dtype
from tracer.outputs import flatten_outputs

if TYPE_CHECKING:
    import mxnet as mx

Array = npt.NDArray[Any]
STEPS = 5
# How often torch is run again to see how far the last bits go, where something is apart.
MOVED = 3
RATE = 0.01
# In float64 the two differ by rounding, and by attributes that MXNet parses as float32.
TOLERANCE = 1e-5
# In float32, in which some ops of MXNet are alone, rounding goes further.
SINGLE = 1e-3


@dataclass(frozen=True)
class _Net:
    """A net, what it became, and the paths of the modules in which a function drops parts."""

    model: nn.Module
    program: Program
    dropping: frozenset[str]


@dataclass(frozen=True)
class TrainingAgreement:
    """The largest relative difference of each gradient and statistic by MXNet's name, and the losses.

    Attributes:
        gradients: the difference of each parameter's gradient.
        statistics: the difference of each moving statistic after a step.
        losses: pairs, MXNet's and torch's, one for each step of SGD.
        computed: parameters that torch computes from others (weight_norm): these gradients are not compared.
        tolerance: the largest difference that counts as equal.
        why: why there are no losses.
        rounding: how far the last bits of torch's own weights take each of what was apart.
    """

    gradients: Mapping[str, float]
    statistics: Mapping[str, float]
    losses: tuple[tuple[float, float], ...]
    computed: tuple[str, ...] = ()
    tolerance: float = TOLERANCE
    why: str = ""
    rounding: Mapping[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether both were trained, and nothing differs by more than rounding."""
        return not self.why and not self.apart and len(self.losses) == STEPS

    @property
    def differences(self) -> dict[str, float]:
        """All that was compared, in words."""
        found = {f"the gradient of {k}": v for k, v in self.gradients.items()}
        found |= {f"{k} after a step": v for k, v in self.statistics.items()}
        # Torch trains what computed parameters are computed from, MXNet what they are.
        for number, (ours, theirs) in enumerate(() if self.computed else self.losses, 1):
            found[f"the loss of step {number}"] = _apart(np.asarray(ours), np.asarray(theirs))
        return found

    @property
    def untold(self) -> tuple[str, ...]:
        """What differs by no more than torch does from itself, where the last bits of its weights move."""
        found = self.differences
        far = sorted((k for k, v in found.items() if v > self.tolerance), key=lambda k: -found[k])
        return tuple(f"{k} by {found[k]:.1e}" for k in far if found[k] <= self.rounding.get(k, 0.0))

    @property
    def apart(self) -> tuple[str, ...]:
        """What differs by more than rounding, the worst first."""
        found = self.differences
        worst = sorted(found, key=lambda k: -found[k])
        limits = {k: max(self.tolerance, self.rounding.get(k, 0.0)) for k in worst}
        return tuple(f"{k} by {found[k]:.1e}" for k in worst if not found[k] <= limits[k])


def training_agreement(
    model: nn.Module,
    program: Program,
    symbol: mx.sym.Symbol,
    inputs: Mapping[str, torch.Tensor],
    dropping: frozenset[str] = frozenset(),
) -> TrainingAgreement:
    """Both trained from the same weights on the same inputs, without dropout.

    In float64, and in float32 where MXNet has an op in that alone. `dropping` are the paths of the modules in
    which a function drops parts, and which do nothing else in training that the symbol lacks.
    """
    net = _Net(model, program, dropping)
    found = _agreement(net, symbol, inputs, torch.float64)
    if found.why and (single := _agreement(net, symbol, inputs, torch.float32)).losses:
        return single
    # oneDNN takes part in float32 alone.
    return found if found.why else replace(found, why=_fault_in_single(model, program, symbol, inputs))


def _fault_in_single(
    model: nn.Module, program: Program, symbol: mx.sym.Symbol, inputs: Mapping[str, torch.Tensor]
) -> str:
    """What keeps MXNet from training in float32; nothing where it does."""
    trained = [v.name for v in program.variables if v.kind == "arg" and v.trained and v.keys]
    given = {k: v.float() if v.is_floating_point() else v for k, v in inputs.items()}
    weights = parameters(program, full_state(model))
    fault = fault_in_float32(symbol, *weights, numpy_inputs(program, given), trained)
    if not fault:
        return ""
    way_out = "--trainable writes forms that oneDNN trains, MXNET_MKLDNN_ENABLED=0 leaves it out"
    return f"MXNet cannot train the symbol in float32: {fault} ({way_out})"


def _agreement(
    net: _Net, symbol: mx.sym.Symbol, inputs: Mapping[str, torch.Tensor], dtype: torch.dtype
) -> TrainingAgreement:
    model, program = net.model, net.program
    arg_params, aux_params = parameters(program, full_state(model))
    trained = [v.name for v in program.variables if v.kind == "arg" and v.trained and v.keys]
    computed = tuple(v.name for v in program.variables if v.name in trained and v.derived)
    given = {k: v.to(dtype) if v.is_floating_point() else v for k, v in inputs.items()}
    try:
        theirs = _torch_run(net, given, dtype)
    except Exception as error:  # noqa: BLE001 - the user's net may not run in float64
        return TrainingAgreement({}, {}, (), why=f"torch cannot train the net: {_first_line(error)}")
    try:
        arrays = numpy_inputs(program, given)
        name = str(dtype).removeprefix("torch.")
        ours = steps(symbol, arg_params, aux_params, arrays, trained, STEPS, RATE, name)
    except Exception as error:  # noqa: BLE001 - MXNet's own
        return TrainingAgreement({}, {}, (), why=f"MXNet cannot train the symbol: {_first_line(error)}")
    found = _compared(ours, theirs, trained, computed, dtype)
    if not found.apart:
        return found
    moved = [_torch_run(net, given, dtype, seed) for seed in range(1, 1 + MOVED)]
    rounded = [_compared(run, theirs, trained, computed, dtype).differences for run in moved]
    return replace(found, rounding={k: max(run[k] for run in rounded) for k in found.differences})


def _compared(
    ours: Sequence[Step],
    theirs: Sequence[Step],
    trained: Sequence[str],
    computed: tuple[str, ...],
    dtype: torch.dtype,
) -> TrainingAgreement:
    """Two runs, the second of which is torch's."""
    first = theirs[0]
    # What is nothing but rounding is measured by the largest of its kind: the gradient of a bias before a
    # BatchNorm, the mean of what a linear layer makes of a BatchNorm's result.
    share = 1e-3 if dtype is torch.float64 else 0.1
    least_gradient, least_state = share * _largest(first.gradients), share * _largest(first.states)
    return TrainingAgreement(
        {
            k: _apart(ours[0].gradients[k], first.gradients[k], least_gradient)
            for k in trained
            if k not in computed and k in ours[0].gradients
        },
        {
            k: _apart(ours[0].states[k], v, least_state)
            for k, v in first.states.items()
            if k in ours[0].states
        },
        tuple((a.loss, b.loss) for a, b in zip(ours, theirs, strict=True)),
        computed,
        TOLERANCE if dtype is torch.float64 else SINGLE,
    )


def _torch_run(
    net: _Net, inputs: Mapping[str, torch.Tensor], dtype: torch.dtype, moved: int = 0
) -> list[Step]:
    """All of torch's steps. Each run draws the same numbers: what a net draws is no rounding.

    Torch's random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return list(_torch_steps(net, inputs, dtype, moved))


def _torch_steps(
    net: _Net, inputs: Mapping[str, torch.Tensor], dtype: torch.dtype, moved: int = 0
) -> Iterator[Step]:
    """torch's own steps; gradients and statistics as MXNet has them.

    `moved` is a seed by which the last bits of the weights, as float32, are changed.
    """
    own = module_copy(
        net.model, parameter=lambda _name, t: nn.Parameter(t.detach().clone(), requires_grad=t.requires_grad)
    ).to(dtype)
    _without_drops(own.train(), net.dropping)
    weights = [p for p in own.parameters() if p.requires_grad]
    if moved:
        _move_last_bits(weights, moved)
    statistics = _Statistics(own)
    with torch.enable_grad(), default_dtype(dtype), AsMXNet(dtype):
        for _ in range(STEPS):
            result = own(**{k: v.clone() for k, v in inputs.items()})
            outputs = [t for _, t in flatten_outputs(result)[0] if t.is_floating_point()]
            shares = [torch.from_numpy(s).to(dtype) for s in loss_shares([tuple(t.shape) for t in outputs])]
            loss = sum(
                ((s * t.square()).mean() for s, t in zip(shares, outputs, strict=True)), torch.zeros(())
            )
            found = torch.autograd.grad(loss, weights, allow_unused=True)
            gradients = {id(p): g for p, g in zip(weights, found, strict=True) if g is not None}
            state = full_state(own)
            as_gradients = {k: gradients.get(id(t), torch.zeros_like(t)).double() for k, t in state.items()}
            as_states = {k: statistics.biased(k, t) for k, t in state.items() if statistics.is_known(k)}
            yield Step(
                float(loss.detach()),
                _arrays(net.program, as_gradients, "arg"),
                _arrays(net.program, as_states, "aux"),
            )
            with torch.no_grad():
                for weight in weights:
                    weight.sub_(RATE * gradients.get(id(weight), torch.zeros(())))


@torch.no_grad()
def _move_last_bits(weights: Sequence[torch.Tensor], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for weight in weights:
        signs = torch.randint(0, 2, weight.shape, generator=generator) * 2 - 1
        weight.mul_(1 + torch.finfo(torch.float32).eps * signs)


def _arrays(program: Program, state: Mapping[str, torch.Tensor], kind: str) -> dict[str, Array]:
    """Values of a state as the program stores them, in float64."""
    found: dict[str, Array] = {}
    for variable in program.variables:
        if variable.kind == kind and variable.keys and all(key in state for key in variable.keys):
            found[variable.name] = _stored(variable, state)
    return found


def _stored(variable: Variable, state: Mapping[str, torch.Tensor]) -> Array:
    parts = [state[key].detach().double().numpy().reshape(-1) for key in variable.keys]
    shape = tuple(int(s) for s in variable.shape)  # type: ignore[arg-type]
    stored: Array = np.concatenate(parts).reshape(shape)
    return by_heads(stored, variable.heads) if variable.heads else stored


def _without_drops(model: nn.Module, dropping: frozenset[str]) -> None:
    """Modules that drop parts of their input give it as it is, and recurrent ones drop nothing.

    Those at `dropping` and above, which say that they train to functions that drop, say that they do not.
    """
    own = dict(model.named_modules())
    for path in dropping:
        for above in _paths_above(path):
            if above in own and asks_for_mode(own[above]):
                own[above].training = False  # its modules train as before
    for module in model.modules():
        if isinstance(module, nn.RNNBase | nn.MultiheadAttention):
            module.dropout = 0.0
        elif asks_for_mode(module) and any(drop_of(module, rank) is not None for rank in (2, 3, 4)):
            module.eval()


def _paths_above(path: str) -> Iterator[str]:
    """A path, and those of the modules that hold what stands there."""
    parts = path.split(".")
    yield from (".".join(parts[:count]) for count in range(len(parts), -1, -1))


class _Statistics:
    """How many values the BatchNorms of a net saw; the moving statistics as MXNet keeps them.

    torch keeps the unbiased variance of a batch, MXNet the biased one, which is (n - 1) / n of it.
    """

    def __init__(self, model: nn.Module) -> None:
        self._norms = {
            path: m for path, m in model.named_modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)
        }
        self._seen: dict[str, list[int]] = {path: [] for path in self._norms}
        self._before = {k: t.detach().clone() for k, t in full_state(model).items()}
        for path, norm in self._norms.items():
            norm.register_forward_pre_hook(lambda _m, args, path=path: self._note(path, args[0]))

    def _note(self, path: str, x: torch.Tensor) -> None:
        self._seen[path].append(x.numel() // x.shape[1])

    def biased(self, key: str, now: torch.Tensor) -> torch.Tensor:
        """A statistic after the first step."""
        path, _, name = key.rpartition(".")
        norm = self._norms.get(path)
        if norm is None or name != "running_var" or norm.momentum is None:
            return now
        kept = (1 - norm.momentum) * self._before[key]
        count = self._seen[path][0]
        return kept + (now - kept) * (count - 1) / count

    def is_known(self, key: str) -> bool:
        """Whether what MXNet keeps follows: not of a cumulative average, nor of several batches a step."""
        path = key.rpartition(".")[0]
        norm = self._norms.get(path)
        return norm is not None and norm.momentum is not None and len(self._seen[path]) == 1


def _largest(arrays: Mapping[str, Array]) -> float:
    return max((float(np.abs(array).max()) for array in arrays.values() if array.size), default=0.0)


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("Traceback")]
    return f"{type(error).__name__}: {lines[-1].strip() if lines else ''}"


def _apart(ours: Array, theirs: Array, least: float = 0.0) -> float:
    """The largest difference relative to the largest value, or to `least` where that is larger."""
    if ours.shape != theirs.shape:
        return float("inf")
    if not ours.size:
        return 0.0
    most = max(float(np.abs(theirs).max()), least, 1e-300)
    return float(np.abs(ours - theirs).max()) / most
