"""How torch is set while a net is traced or run."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import warnings
from collections.abc import Iterator

import torch

from tracer.without_dynamo import without_dynamo


@contextlib.contextmanager
def traced_settings() -> Iterator[None]:
    """Settings of torch while a net is traced or run.

    No gradients, no fused path of nn.Transformer.

    torch: nn.TransformerEncoder with a padding mask gives zeros at padded places, where its fused path runs
        and the mask's values let it. That path hides the layers too.
    MXNet: computes what the layers compute.
    We write: what the layers compute, with a note; torch is compared without that path.
    Source: torch.backends.mha.set_fastpath_enabled.

    >>> encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 1).eval()
    >>> with torch.no_grad():
    ...     encoder(torch.ones(1, 2, 4), src_key_padding_mask=torch.tensor([[False, True]]))[0, 1]
    tensor([0., 0., 0., 0.])
    """
    fastpath = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), _quiet_torch(), without_dynamo(), same_folder(), _without_autocast():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fastpath)


@contextlib.contextmanager
def _quiet_torch() -> Iterator[None]:
    """Without torch's warnings about what it or the recorder uses inside itself."""
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The PyTorch API of nested tensors", UserWarning)
            warnings.filterwarnings("ignore", "Using `torch.compile.module.` when there are global hooks")
            yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _without_autocast() -> Iterator[None]:
    """The net itself, without the autocast that happens to be on around the conversion."""
    with contextlib.ExitStack() as stack:
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield


@contextlib.contextmanager
def same_folder() -> Iterator[None]:
    """The current folder is what it was, wherever the user's code goes: the paths of a request stay true."""
    try:
        before = os.getcwd()
    except OSError:  # it has been removed
        yield
        return
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """Python's collector of reference cycles rests: it would walk through all of the graphs again and again.

    A third of the time of a deep net, and there is next to nothing to collect (benchmarks/depth.py).
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
