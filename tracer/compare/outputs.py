"""The outputs of a port beside torch's, on one set of inputs and parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from codegen.mxnet_process import mxnet_error
from codegen.proof.compare import CANNOT_RUN, TOLERANCE, OutputAgreement
from codegen.proof.difference import apart, difference
from codegen.proof.port import Array, Port, last_line, run_port
from codegen.proof.run import as_numpy
from tracer.compare.reference import Reference, outputs_of
from tracer.in_double import double_outputs, rounding


@dataclass(frozen=True)
class Trial:
    """One set of inputs and parameters: torch's side, and the inputs under the port's names."""

    reference: Reference
    inputs: Mapping[str, Array]
    batch: int
    label: str
    tolerance: float
    softmax: bool
    taps: tuple[str, ...] = ()


def cannot_run(found: Sequence[OutputAgreement]) -> bool:
    """Whether MXNet could not run the port."""
    return bool(found) and found[0].why.startswith(CANNOT_RUN)


def agrees(port: Port, trial: Trial) -> bool:
    """Whether every output does."""
    return all(o.within(trial.tolerance) for o in outputs(port, trial))


def outputs(port: Port, trial: Trial) -> list[OutputAgreement]:
    """Each output of the port beside torch's, in order; in float64 where float32 rounds too coarsely."""
    theirs = trial.reference.outputs
    try:
        names, ours = run_port(port, trial.inputs)
    except mxnet_error() as error:
        why = f"{CANNOT_RUN}: {last_line(str(error))}"
        return [_output(f"number {i}", float("inf"), trial, why) for i in range(len(theirs))]
    if len(ours) != len(theirs):
        why = f"the port gives {len(ours)} where forward returns {len(theirs)}"
        return [_output(name, float("inf"), trial, why) for name in names]
    found = []
    for name, mine, torchs in zip(names, ours, theirs, strict=True):
        it = apart(mine, torchs)
        output = _output(name, it.difference, trial, it.why)
        found.append(replace(output, compared=it.compared, is_empty=torchs.size == 0))
    if all(o.within(trial.tolerance) for o in found) or any(o.why for o in found):
        return found
    return _in_double(port, trial, found)


def _output(name: str, off: float, trial: Trial, why: str) -> OutputAgreement:
    return OutputAgreement(name, off, trial.batch, trial.label, why=why)


def _in_double(port: Port, trial: Trial, found: list[OutputAgreement]) -> list[OutputAgreement]:
    """The outputs compared in float64, where torch's own float32 is off by as much as the port may be."""
    reference = trial.reference

    def expected(model: nn.Module, values: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
        return outputs_of(model, values, trial.taps, trial.softmax)

    single = expected(reference.model, reference.tensors)
    doubles = double_outputs(reference.model, reference.tensors, expected)
    off = rounding(reference.model, reference.tensors, single, doubles, expected)
    if off < max(trial.tolerance, TOLERANCE) / 4:
        return found
    wide = {k: v.astype("float64") if v.dtype == "float32" else v for k, v in trial.inputs.items()}
    for double in doubles:
        try:
            _, ours = run_port(port, wide, double=True)
        except mxnet_error():
            return found
        made = [
            replace(o, difference=difference(mine, as_numpy(theirs)), double=True)
            for o, mine, theirs in zip(found, ours, double, strict=True)
        ]
        if all(o.within(trial.tolerance) for o in made):
            return made
    return found
