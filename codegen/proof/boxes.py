"""Boxes that would end the process, or read foreign memory, seen before MXNet does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from codegen.mxnet_import import import_mxnet

if TYPE_CHECKING:
    import mxnet as mx


@dataclass(frozen=True)
class Reader:
    """A call of contrib.ROIAlign or ROIPooling: its name, how it reads, the boxes (K, 5) and the images."""

    name: str
    aligned: bool
    scale: float
    boxes: mx.sym.Symbol
    images: mx.sym.Symbol

    def check(self, rois: npt.NDArray[Any], images: int) -> None:
        """Raise MXNetError, as other ops do, where MXNet would end the process.

        Its check of `aligned` boxes, in a thread of its own, wants a width and a height above 0; boxes that
        are no numbers fail it too, and without `aligned` it reads where nothing is, as for an image that is
        none of the `images`.
        """
        mx = import_mxnet()

        corners = rois[:, 1:] * rois.dtype.type(self.scale)
        sizes = corners[:, 2:] - corners[:, :2]
        bad = ~np.isfinite(rois).all(1) | (self.aligned & ~(sizes > 0).all(1))
        bad |= ~((rois[:, 0] >= 0) & (rois[:, 0] < images))
        if bad.any():
            box = ", ".join(f"{v:g}" for v in rois[bad][0])
            raise mx.base.MXNetError(f"{self.name}: the box ({box}) would end the process")


def readers(symbol: mx.sym.Symbol) -> Iterator[Reader]:
    """The calls of contrib.ROIAlign and ROIPooling in a symbol, in the order of execution."""
    mx = import_mxnet()

    nodes = json.loads(symbol.tojson())["nodes"]
    found = [node for node in nodes if node["op"] in {"_contrib_ROIAlign", "ROIPooling"}]
    internals = symbol.get_internals() if found else None
    for node in found:
        attrs = node["attrs"]
        place, index, *_ = node["inputs"][1]
        # A copy, since a Variable alone cannot be bound.
        boxes = mx.sym.Reshape(_output(internals, nodes[place], index), shape=(-2,))
        place, index, *_ = node["inputs"][0]
        images = mx.sym.Reshape(_output(internals, nodes[place], index), shape=(-2,))
        aligned = attrs.get("aligned") == "True"
        yield Reader(node["name"], aligned, float(attrs["spatial_scale"]), boxes, images)


def _output(internals: mx.sym.Symbol, node: dict[str, Any], index: int) -> mx.sym.Symbol:
    own = [n for n in internals.list_outputs() if n == node["name"] or n.startswith(f"{node['name']}_output")]
    return internals[own[index]]
