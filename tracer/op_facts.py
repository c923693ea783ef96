"""Tables: what recording must know of ops of torch, by their canonical names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

WAY_OUT = (
    "compute with torch.where or a mask instead of Python control flow, or move this step out of forward"
)
_NMS = (
    "return boxes and scores, and call mx.nd.contrib.box_nms on what the symbol gives: of rows (class, "
    "score, x1, y1, x2, y2) it gives as many, sorted by score, with -1 in all places of those that it "
    "drops, where torchvision gives the indices of those that it keeps; force_suppress=True is nms, "
    "id_index=0 is batched_nms, and valid_thresh (0 unless given) must lie below all scores"
)
# Of what a mask picks.
PICKED = (
    "return the tensor and the mask, and pick in numpy from what the symbol gives, x[mask > 0]; or keep all "
    "rows: torch.where(mask, x, 0), or x times the mask; or convert what comes before, by --tap MODULE"
)
# A better way out than the usual one, by what the refusal says was called.
WAYS_OUT = {
    "nms()": _NMS,
    "batched_nms()": _NMS,
    "multiscale_roi_align()": (
        "call roi_align on each level for all boxes, and choose by torch.where(level == k, one, other), "
        "where level is of shape (K, 1, 1, 1)"
    ),
    "masked_select()": PICKED,
    "array()": "use torch's functions, and make numpy's arrays tensors: torch.as_tensor(array)",
    "pack_padded_sequence()": (
        "call the layer on the padded sequences: all of one length, or with a mask after it"
    ),
}
# (what, the way out) of what stops a recording.
SCRIPTED = (
    "a module of torch.jit (scripted, traced or loaded) runs without Python: its ops cannot be recorded",
    "put the module in its place that torch.jit.script or torch.jit.trace was called with; the state_dict() "
    "of this one has its weights",
)
AUTOCAST = (
    ", and rounds what torch computes by 1e-3: a symbol that computes in float32 would differ",
    "take autocast out of forward, and put it around the call of the net where it is trained; or have it "
    "enabled by an attribute that is False here",
)
# What makes a tensor of another's dtype, and what makes it without the other: recorded as the latter, so
# that the result does not seem to depend on the other's values.
NEW: Mapping[str, Callable[..., Any]] = {
    "new_zeros": torch.zeros,
    "new_ones": torch.ones,
    "new_empty": torch.zeros,
    "new_full": torch.full,
    "new": torch.zeros,
}
# Results in Python, or with a shape, that depend on the values of a tensor: one graph cannot hold them.
DATA_DEPENDENT = frozenset(
    "item tolist numpy __bool__ __int__ __float__ __index__ __complex__ __array__ nonzero argwhere unique "
    "unique_consecutive masked_select equal allclose is_nonzero __contains__ bincount "
    "torchvision::nms".split()
)
# Calls that return their own input in eval mode, and still say something to a reader: recorded all the same.
KEPT_IDENTITIES = frozenset(
    "dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout feature_dropout rrelu".split()
)
# Calls that return their own input where it lies in memory as they want it: at a batch of one, not of two.
BY_LAYOUT = frozenset(["contiguous"])
# Calls that share the memory of their input or copy it, by how it lies: fake tensors do not always tell.
SHARE_OR_COPY = BY_LAYOUT | frozenset("reshape reshape_as flatten ravel channel_shuffle".split())
# What is asked of a tensor, and has nothing to do with its sizes.
TELLS_NO_SHAPE = frozenset(
    "dtype device layout requires_grad is_floating_point is_complex is_cuda is_sparse".split()
)
# Called like writes (`requires_grad_`), but no value changes.
NOT_WRITES = frozenset(["requires_grad", "retain_grad", "share_memory"])
# These count a use of their statistics or weights as a write, and in eval mode change no value.
TOUCHES_WEIGHTS = frozenset(["batch_norm", "instance_norm", "embedding", "embedding_bag"])
# Views with all elements of their base, in its order: a write to one is put back by a reshape.
SAME_ELEMENTS = KEPT_IDENTITIES | frozenset(
    "view reshape flatten unflatten unsqueeze squeeze contiguous view_as detach data alias ravel".split()
)
