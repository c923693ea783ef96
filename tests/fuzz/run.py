"""One net through the converter and through both frameworks, by nothing of the project but tracer.convert."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import inspect
import linecache
import re
import signal
import time
import traceback
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

STATUSES = ("agrees", "refused", "wrong", "does not bind", "traceback", "died", "hung", "no net")
FAILURES = ("wrong", "does not bind", "traceback", "died", "hung")
SECONDS = 60
TOLERANCE = 1e-3
OTHERS = (8, 3, 1, 5, 6, 12, 24)  # three of these, beside the batch size of the conversion
UNORDERED = ("topk", "sort", "argsort", "kthvalue", "median", "nanmedian", "mode")
FILE = "<random net>"


@dataclass(frozen=True)
class Outcome:
    """What became of a net; `kind` is what its like have in common, `sizes` how many batch sizes were compared."""

    status: str
    why: str = ""
    kind: str = ""
    sizes: int = 0
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        return self.status in FAILURES


class _OutOfTime(BaseException):
    """The net took too long."""


def outcome(source: str, seconds: int = SECONDS) -> Outcome:
    """Convert and compare the net of a model.py; raises nothing."""
    start = time.monotonic()

    def stop(*_: Any) -> None:
        raise _OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            status, why, kind, sizes = _run(source)
    except _OutOfTime:
        status, why, kind, sizes = "hung", f"longer than {seconds} s", "", 0
    except Exception as error:  # noqa: BLE001 - that is what is counted
        status, (why, kind), sizes = "traceback", _traced(error), 0
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return Outcome(status, why, kind or status, sizes, time.monotonic() - start)


def model(source: str) -> types.ModuleType:
    """The module of a net's text; its lines are there for whoever shows the place of a refusal."""
    made = types.ModuleType("random_net")
    linecache.cache[FILE] = (len(source), None, source.splitlines(keepends=True), FILE)
    exec(compile(source, FILE, "exec"), made.__dict__)
    return made


def _run(source: str) -> tuple[str, str, str, int]:
    import tracer

    made = model(source)
    torch.manual_seed(0)
    net = scrambled(made.Net())
    try:
        _expected(net, made.inputs(made.AT))
    except Exception as error:  # noqa: BLE001 - torch does not run it
        return "no net", f"{type(error).__name__}: {error}"[:200], "", 0
    try:
        conversion = _converted(net, made)
    except tracer.ConversionError as error:
        first = error.problems[0]
        if first.code == "defect":
            return "traceback", first.what[:200], _plain(first.what), 0
        return "refused", first.what[:200], f"{first.code}: {_plain(first.what)}", 0
    except tracer.RequestError as error:
        text = str(error).splitlines()[0][:200]
        return "refused", text, f"request: {_plain(text)}", 0
    others = batches(conversion.code, made.AT)
    compared = 0
    for batch in (made.AT, *others):
        inputs = made.inputs(batch)
        try:
            expected = _expected(net, inputs)
        except Exception:  # noqa: BLE001 - torch has no answer at this size
            continue
        fault = _compared(conversion, net, inputs, expected)
        if fault:
            status, why, kind = fault
            other = "" if batch == made.AT else " at another batch size"
            return status, f"at batch {batch} (converted at {made.AT}): {why}", f"{status}{other}: {kind}", compared
        compared += 1
    return "agrees", "", "free batch" if others else "frozen batch", compared


def _converted(net: nn.Module, made: types.ModuleType) -> Any:
    import tracer
    from tracer.conversion import convert_specs
    from tracer.inputs import inputs_from_tensors

    inputs = made.inputs(made.AT)
    if not hasattr(made, "AXES"):
        return tracer.convert(net, inputs, name="Net")
    specs = zip(inputs_from_tensors(net, inputs), made.AXES, strict=True)
    return convert_specs(net, tuple(dataclasses.replace(s, batch_axis=a) for s, a in specs), "Net")


def batches(code: str, at: int) -> list[int]:
    """Batch sizes that the docstring of the net admits, beside that of the conversion: three, or none if it is frozen."""
    inputs = re.findall(r"Inputs: [^\n]*", code)
    bound = re.search(r"Batch sizes from (\d+) on(?: that (\d+) divides)?", " ".join(code.split()))
    if not bound and not (inputs and re.search(r"\([^()]*\bN\b", inputs[-1])):
        return []
    least, step = (int(bound[1]), int(bound[2] or 1)) if bound else (1, 1)
    return [b for b in OTHERS if b != at and b >= least and b % step == 0][:3]


def scrambled(net: nn.Module) -> nn.Module:
    """The net in eval mode; statistics and parameters of one value hide errors."""
    g = torch.Generator().manual_seed(3)
    for module in net.modules():
        if getattr(module, "running_var", None) is not None:
            module.running_mean.copy_(torch.randn(module.running_mean.shape, generator=g) * 0.1)
            module.running_var.copy_(torch.rand(module.running_var.shape, generator=g) + 0.5)
    for parameter in net.parameters():
        if parameter.numel() and bool((parameter == parameter.flatten()[0]).all()):
            parameter.data.add_(torch.randn(parameter.shape, generator=g) * 0.1)
    return net.eval()


def _expected(net: nn.Module, inputs: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    torch.manual_seed(0)
    with torch.no_grad():
        # What is written in place may be among the outputs twice.
        return [t.clone() for t in _flat(net(*(x.clone() for x in inputs)))]


def _flat(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return [t for v in value.values() for t in _flat(v)]
    if isinstance(value, list | tuple):
        return [t for v in value for t in _flat(v)]
    return []


def _compared(
    conversion: Any, net: nn.Module, inputs: tuple[torch.Tensor, ...], expected: list[torch.Tensor]
) -> tuple[str, str, str] | None:
    """What is at fault: status, why and kind; None where MXNet agrees with torch."""
    try:
        found = _by_mxnet(conversion, inputs)
    except Exception as error:  # noqa: BLE001 - whatever MXNet raises
        said = _said(str(error))
        return "does not bind", said[:250], _plain(said.split("]")[-1])[:80]
    if len(found) != len(expected):
        return "wrong", f"{len(found)} outputs, not {len(expected)}", "count of outputs"
    for place, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        if ours.shape != (tuple(theirs.shape) or (1,)):
            return "wrong", f"output {place}: shape {ours.shape}, not {tuple(theirs.shape)}", "shape"
        if _off(ours, theirs, 0.0) and (off := _off(ours, theirs, _moved(net, inputs, expected)[place])):
            return "wrong", f"output {place}: {off}", "value"
    return None


def _said(text: str) -> str:
    """The line of MXNet's message that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for mark in ("Check failed", "Error in operator", "Error"):
        for line in lines:
            if mark in line:
                return line
    return lines[-1] if lines else ""


def _by_mxnet(conversion: Any, inputs: tuple[torch.Tensor, ...]) -> list[np.ndarray]:
    import mxnet as mx

    symbol, args, aux = conversion.symbol, conversion.arg_params, conversion.aux_params
    names = [n for n in symbol.list_inputs() if n not in args and n not in aux]
    given = dict(zip(inspect.signature(conversion.model.forward).parameters, inputs, strict=True))
    arrays = {}
    for name in names:
        x = given[name]
        array = x.float().numpy() if x.dtype == torch.bool else x.numpy()
        arrays[name] = mx.nd.array(array, dtype=array.dtype)
    types_ = {n: a.dtype for n, a in {**arrays, **args, **aux}.items()}
    executor = symbol.simple_bind(
        mx.cpu(), grad_req="null", type_dict=types_, **{n: a.shape for n, a in arrays.items()}
    )
    executor.copy_params_from(args, aux)
    executor.forward(is_train=False, **arrays)
    return [o.asnumpy() for o in executor.outputs]


def _moved(
    net: nn.Module, inputs: tuple[torch.Tensor, ...], expected: list[torch.Tensor]
) -> list[np.ndarray]:
    """How far torch's own outputs move when the inputs do by a rounding, or in float64: infinitely where they jump."""
    by = [np.zeros(tuple(t.shape) or (1,)) for t in expected]
    for again in _near(net, inputs):
        for place, (a, b) in enumerate(zip(expected, again, strict=True)):
            if a.shape != b.shape:
                by[place] += np.inf
                continue
            with np.errstate(all="ignore"):
                change = np.abs(_numbers(a) - _numbers(b))
            by[place] = np.maximum(by[place], np.where(np.isnan(change), 0, change))
    return by


def _near(net: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Iterator[list[torch.Tensor]]:
    """What torch gives for inputs that differ by a rounding, for other orders of ties, and in float64."""
    for seed in range(4):
        g = torch.Generator().manual_seed(seed)
        near = (
            x * (1 + 1e-6 * torch.randn(x.shape, generator=g)).to(x.dtype) if x.is_floating_point() else x
            for x in inputs
        )
        with contextlib.suppress(Exception):  # torch has no answer there
            yield _expected(net, tuple(near))
    for seed in range(12):
        with contextlib.suppress(Exception), _Ties(seed):
            yield _expected(net, inputs)
    with contextlib.suppress(Exception):
        yield _expected(copy.deepcopy(net).double(), tuple(x.double() if x.is_floating_point() else x for x in inputs))


class _Ties(TorchFunctionMode):
    """Equal values are parted at random where torch does not say which of them comes first."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.g = torch.Generator().manual_seed(seed)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in UNORDERED and args:
            first, *rest = args
            near = first.double() + 1e-6 * torch.randn(first.shape, generator=self.g)
            args = (near.to(first.dtype) if first.is_floating_point() else near, *rest)
        return func(*args, **(kwargs or {}))


def _numbers(tensor: torch.Tensor) -> np.ndarray:
    return tensor.to(torch.float64).numpy().reshape(tuple(tensor.shape) or (1,))


def _off(ours: np.ndarray, theirs: torch.Tensor, moved: np.ndarray | float) -> str:
    """What differs; empty where nothing does that torch itself is sure of."""
    a, b = ours.astype(np.float64), _numbers(theirs)
    finite = np.isfinite(b)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    scale = np.abs(b[finite]).max() if finite.any() else 1.0
    exact = not theirs.is_floating_point()
    allowed = (0.0 if exact and scale < 2**24 else TOLERANCE * max(scale, 1e-12)) + 30 * moved
    with np.errstate(all="ignore"):
        good = same | (finite & np.isfinite(a) & (np.abs(a - b) <= allowed)) | ~np.isfinite(moved)
    if good.all():
        return ""
    where = tuple(int(i) for i in np.argwhere(~good)[0])
    return f"{a[where]:.6g}, not {b[where]:.6g}, at {where}; {int((~good).sum())} of {good.size} differ"


def _plain(text: str) -> str:
    """A message without what differs between its like: numbers, names in quotes."""
    text = re.sub(r"^.* picks by a mask", "_ picks by a mask", text)
    text = re.sub(r"\bv\d+\b|`[^`]*`|'[^']*'", "_", text)
    return re.sub(r"-?\d[\d., ]*", "#", text).strip()[:110]


def _traced(error: BaseException) -> tuple[str, str]:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/fx2mx/" in f.filename or re.search(r"/(tracer|codegen|mxnet)/", f.filename)]
    places = [f"{'/'.join(f.filename.split('/')[-2:])}:{f.name}" for f in frames]
    text = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {text[:200]} in {' < '.join(reversed(places[-4:]))}", f"{type(error).__name__} in {places[-1] if places else '?'}"
