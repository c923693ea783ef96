"""`python -m tests.fuzz.samples` writes calls.txt: torch's own samples of every op, as calls with places for values.

Only samples that have parity (tests/conformance/baseline.txt) and take one or more tensors of their own. `{f3}` is the
place of a float value with three axes, `{like}` of one that broadcasts with it, `{c:2, 3}` of a constant.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

FILE = Path(__file__).with_name("calls.txt")
MOST = 6  # calls of an op
LEFT_OUT = ("empty", "new_", "rand", "bernoulli", "dropout", "_like", "logspace", "linspace", "arange", "zeros", "ones")
LEFT_OUT += ("__", "to_sparse", "multinomial", "normal", "ctc", "complex", "view_as_real", "fft", "stft", "combinations")
LEFT_OUT += ("cartesian_prod", "histc", "bincount", "cond", "eig", "svd", "pinv", "lu", "qr", "cholesky", "ldl", "lstsq")
LEFT_OUT += ("inv", "det", "solve", "matrix_exp", "matrix_power", "rank", "householder", "ormqr", "geqrf", "cov", "corrcoef")
LEFT_OUT += ("item", "eye", "full", "masked_select", "nonzero", "unique", "fractional", "scaled_dot", "cross_entropy")
SORTED = {"bucketize": 1, "searchsorted": 0}  # the argument that must be sorted: torch does not look
LEFT_OUT += ("native_batch_norm", "resize", "set_", "unsafe", "uniform", "exponential", "geometric", "cauchy", "pdist", "special_zeta", "tril_indices")


def lines() -> Iterator[str]:
    """The calls, by op."""
    from tests.conformance import baseline
    from tests.conformance.samples import op_infos

    known = baseline.read()
    for name, info in op_infos().items():
        if any(part in name for part in LEFT_OUT) or "P" not in known.get(name, ""):
            continue
        torch.manual_seed(0)
        found: dict[str, None] = {}
        for index, sample in enumerate(info.sample_inputs("cpu", torch.float32, requires_grad=False)):
            if index >= len(known[name]) or known[name][index] != "P":
                continue
            text = _call(info, sample)
            if text and len(text) <= 90:
                found.setdefault(text)
        chosen = list(found)
        step = max(1, len(chosen) / MOST)
        yield from dict.fromkeys(chosen[int(i * step)] for i in range(min(MOST, len(chosen))))


def _call(info: Any, sample: Any) -> str:
    first = sample.input
    whole = first[0] if isinstance(first, tuple | list) and first else first
    if not isinstance(whole, torch.Tensor) or not whole.dim() or not whole.numel():
        return ""
    try:
        place = _kind(whole) + str(whole.dim()) if whole is first else ""
        head = f"{{{place}}}" if place else f"[{{{_kind(whole)}{whole.dim()}}}, {', '.join(_text(t, whole) for t in first[1:])}]"
        rest = [_text(a, whole) for a in sample.args] + [f"{k}={_text(v, whole)}" for k, v in sample.kwargs.items()]
    except ValueError:
        return ""
    path = info.name
    function = _resolved(path)
    arguments = [head, *rest]
    if path in SORTED:
        arguments[SORTED[path]] += ".sort()[0]"
    if function is not None:
        return f"{function}({', '.join(arguments)})"
    return f"{head}.{path}({', '.join(rest)})" if hasattr(torch.Tensor, path) and place else ""


def _resolved(path: str) -> str:
    base: Any = torch
    for part in path.split("."):
        base = getattr(base, part, None)
    if not callable(base):
        return None  # type: ignore[return-value]
    return f"torch.{path}".replace("torch.nn.functional.", "F.")


def _kind(tensor: torch.Tensor) -> str:
    if tensor.dtype == torch.bool:
        return "b"
    return "f" if tensor.is_floating_point() else "i"


def _text(value: Any, first: torch.Tensor) -> str:
    if isinstance(value, torch.Tensor):
        if value.is_floating_point() and value.shape == first.shape:
            return "{like}"
        if value.numel() <= 8 and not value.is_floating_point():
            return f"torch.tensor({value.tolist()!r}, dtype={value.dtype})"
        if value.is_floating_point() and 0 < value.numel() <= 60 and value.dim():
            return f"{{c:{', '.join(map(str, value.shape))}}}"
        raise ValueError
    if isinstance(value, bool | int | str | torch.dtype | type(None)):
        return repr(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f'float("{value}")'
    if isinstance(value, tuple | list):
        inner = [_text(v, first) for v in value]
        if isinstance(value, list):
            return f"[{', '.join(inner)}]"
        return f"({', '.join(inner)}{',' if len(inner) == 1 else ''})"
    if isinstance(value, slice):
        return f"slice({value.start}, {value.stop}, {value.step})"
    raise ValueError


def main() -> None:
    """Write calls.txt."""
    text = "".join(f"{line}\n" for line in lines() if re.search(r"\{[fib]\d", line))
    FILE.write_text(text, encoding="utf-8")
    print(f"wrote {FILE}: {text.count(chr(10))} calls")


if __name__ == "__main__":
    main()
