"""One sample through every stage, and what became of it."""

from __future__ import annotations

import contextlib
import signal
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from tests.conformance.samples import Sample, constants_but_first

TOLERANCE = 1e-4
SECONDS = 60
STATUSES = ("parity", "refused", "n/a", "WRONG", "CRASH")
NOT_APPLICABLE = (
    "training only",
    "complex",
    "sparse",
    "quantized",
    "random",
    "data-dependent shape",
    "float64 only",
    "torch itself raises",
    "gives no tensor",
)
# Ops whose result is a size that hangs on the values, or a value in Python.
DATA_DEPENDENT = ("nonzero", "argwhere", "unique", "masked_select", "item", "allclose", "equal", "bincount")


@dataclass(frozen=True)
class Result:
    """What became of a sample; `ops` are MXNet's, each with the attributes that correct a difference."""

    op: str
    index: int
    status: str
    why: str = ""
    call: str = ""
    ops: list[str] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)
    torch_ops: list[str] = field(default_factory=list)


class _OutOfTime(BaseException):
    """The sample took too long."""


@contextlib.contextmanager
def _time_limit(seconds: int) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise _OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def run_sample(sample: Sample) -> Result:
    """Convert and compare a sample; never raises."""
    try:
        with _time_limit(SECONDS):
            result = _run(sample)
            if result.status == "refused":
                fewer = constants_but_first(sample)
                again = _run(fewer) if fewer is not None else None
                if again is not None and again.status in {"parity", "WRONG", "CRASH"}:
                    return again
            return result
    except _OutOfTime:
        return _result(sample, "CRASH", f"longer than {SECONDS} s")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a result
        return _result(sample, "CRASH", _traced(error))


def _traced(error: BaseException) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/torch/" not in f.filename]
    places = " < ".join(f"{'/'.join(f.filename.split('/')[-2:])}:{f.lineno}" for f in reversed(frames[-4:]))
    lines = str(error).strip().splitlines() or [""]
    text = lines[-1] if len(lines[0]) < 12 else lines[0]
    return f"{type(error).__name__}: {text[:300]} at {places}"


def _result(sample: Sample, status: str, why: str = "", conversion: Any = None) -> Result:
    ops: list[str] = []
    corrected: list[str] = []
    torch_ops: list[str] = []
    if conversion is not None:
        from codegen.mxnet_ops import OPS

        for call in conversion.program.calls:
            ops.append(call.op)
            spec = OPS.get(call.op)
            if spec is not None:
                corrected += [f"{call.op}.{k}" for k, _ in call.attrs if k in spec.differing]
        torch_ops = [n.op for n in conversion.graph.nodes if n.op not in {"input", "param", "constant"}]
    return Result(
        sample.op,
        sample.index,
        status,
        why,
        sample.call,
        list(dict.fromkeys(ops)),
        list(dict.fromkeys(corrected)),
        list(dict.fromkeys(torch_ops)),
    )


def not_applicable(sample: Sample) -> str:
    """Why torch's own result has no counterpart in inference; empty where it has one."""
    from tracer.capture import run

    if any(t.is_complex() for t in sample.inputs.values()):
        return "complex"
    if any(t.layout != torch.strided for t in sample.inputs.values()):
        return "sparse"
    if any(t.is_quantized for t in sample.inputs.values()):
        return "quantized"
    if "_backward" in sample.op:
        return "training only"
    if sample.op.startswith(("empty", "new_empty")):
        return "random"  # memory as it is found
    try:
        torch.manual_seed(1)
        first = run(sample.net, sample.inputs)
        torch.manual_seed(2)
        second = run(sample.net, sample.inputs)
    except Exception:  # noqa: BLE001 - whatever torch raises
        return "torch itself raises"
    if not first:
        return "gives no tensor"
    if any(t.is_complex() for t in first):
        return "complex"
    if any(t.layout != torch.strided for t in first):
        return "sparse"
    if any(t.is_quantized for t in first):
        return "quantized"
    same = len(first) == len(second) and all(
        a.shape == b.shape and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))
        for a, b in zip(first, second, strict=True)
    )
    if not same:
        return "random"
    return ""


def _run(sample: Sample) -> Result:
    from codegen.problems import ConversionError
    from tracer.capture import run
    from tracer.conversion import convert_specs
    from tracer.inputs import InputSpec

    reason = not_applicable(sample)
    if reason:
        return _result(sample, "n/a", reason)
    specs = tuple(
        InputSpec(k, tuple(v.shape), str(v.dtype).removeprefix("torch."), None, value=_numpy(v))
        for k, v in sample.inputs.items()
    )
    try:
        conversion = convert_specs(sample.net, specs, "Net")
    except ConversionError as error:
        codes = {p.code for p in error.problems}
        why = "; ".join(dict.fromkeys(p.what for p in error.problems))
        if codes == {"random"}:
            return _result(sample, "n/a", "random")
        if codes == {"data-dependent"} and any(n in sample.op for n in DATA_DEPENDENT):
            return _result(sample, "n/a", "data-dependent shape")
        return _result(sample, "refused", why)
    agreement = conversion.verify(tolerance=TOLERANCE, fresh=False, layers=False)
    said = [conversion.graph.type_of(r).dtype for r in conversion.graph.outputs]
    if said != [str(t.dtype).removeprefix("torch.") for t in run(sample.net, sample.inputs)]:
        return _result(sample, "WRONG", f"gives {said}", conversion)
    # A sample may give nan or infinity everywhere: then both do, at the same places.
    if all(o.within(agreement.tolerance) or o.why.startswith("nothing was compared") for o in agreement.outputs):
        return _result(sample, "parity", "", conversion)
    why = f"{agreement.difference:.3g}"
    if np.isinf(agreement.difference):
        why = _what_mxnet_says(conversion, sample)
    return _result(sample, "WRONG", why, conversion)


def _what_mxnet_says(conversion: Any, sample: Sample) -> str:
    import mxnet as mx

    from codegen.proof.run import numpy_inputs, run_symbol, unknown_variables
    from tracer.capture import run

    unknown = unknown_variables(conversion.symbol, conversion.program)
    if unknown:
        return f"inf: unknown variables {unknown}"
    try:
        ours = run_symbol(
            conversion.symbol,
            conversion.arg_params,
            conversion.aux_params,
            numpy_inputs(conversion.program, sample.inputs),
        )
    except mx.base.MXNetError as error:
        lines = [x for x in str(error).splitlines() if "Error" in x or "Check failed" in x]
        return f"inf: MXNet: {' '.join(lines)[-300:] or str(error)[-300:]}"
    theirs = run(sample.net, sample.inputs)
    return f"inf: shapes {[a.shape for a in ours]} against {[tuple(t.shape) for t in theirs]}"


def _numpy(tensor: torch.Tensor) -> Any:
    return (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).contiguous().numpy()
