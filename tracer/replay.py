"""A capture run again on real values: what each of its nodes gives.

Some nets look at the values of real tensors where they would not in a trace (transformers leave out a mask
that keeps everything), so that a run on real tensors goes another way than the capture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import fx
from torch.fx.node import map_arg

from tracer.calls import tensors_in
from tracer.captured import Capture


def replayed(
    capture: Capture, state: Mapping[str, torch.Tensor], inputs: Mapping[str, Any]
) -> Mapping[str, list[torch.Tensor]]:
    """The value of every node: its name -> one tensor for each output. Up to the first that cannot be run."""
    found: dict[str, list[torch.Tensor]] = {}
    values: dict[fx.Node, Any] = {}
    for node in capture.graph.nodes:
        if node.op == "output":
            break
        try:
            with torch.no_grad():
                outs = _outs(node, values, state, inputs)
        except Exception:  # noqa: BLE001 - what a call was given in the capture it need not take here
            break
        if [tuple(out.shape) for out in outs] != [shape for shape, _ in node.meta["types"]]:
            break
        values[node] = outs[0] if len(outs) == 1 else outs
        found[node.name] = [out.detach().clone() for out in outs]
    return found


def _outs(
    node: fx.Node, values: Mapping[fx.Node, Any], state: Mapping[str, torch.Tensor], inputs: Mapping[str, Any]
) -> list[torch.Tensor]:
    if "value" in node.meta:
        return list(node.meta["value"])
    if node.op == "placeholder":
        return [inputs[str(node.target)]]
    if node.op == "get_attr":
        return [state[str(node.target)]]
    # A call may write to what it is given, which others read.
    args, kwargs = map_arg((node.args, node.kwargs), lambda read: _copied(values[read]))
    given = cast("Callable[..., Any]", node.target)(*args, **kwargs)
    return list(tensors_in(args if given is None else given))[: len(node.meta["types"])]


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else [part.clone() for part in value]
