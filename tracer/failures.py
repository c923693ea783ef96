"""Whose fault it is that a run on fake tensors failed, told by the one call that did."""

from __future__ import annotations

from traceback import walk_tb
from types import CodeType
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._pytree import tree_map_only

from tracer.calls import Call


def fails_for_real(error: BaseException, recording: CodeType) -> bool:
    """Whether an error is of a call that fails for torch's own tensors of the same shapes and dtypes too.

    `recording` is the code of the function that records calls, which has the one that runs as `call`. False
    where none failed: the net raised by itself.
    """
    frames = [frame for frame, _ in walk_tb(error.__traceback__) if frame.f_code is recording]
    call = frames[0].f_locals.get("call") if frames else None
    if not isinstance(call, Call):
        return False
    try:
        args, kwargs = tree_map_only(FakeTensor, _real, (call.args, dict(call.kwargs)))
        call.func(*args, **kwargs)
    except Exception:  # noqa: BLE001 - whatever torch raises on a wrong shape
        return True
    return False


def _real(fake: FakeTensor) -> Any:
    """A tensor like a fake one. Its floats are whatever lies in memory: a wrong shape is seen before them."""
    made = torch.empty_strided(fake.shape, fake.stride(), dtype=fake.dtype)
    return made if fake.is_floating_point() else made.zero_()
