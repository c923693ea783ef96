"""Seconds from a net in memory to MXNet's files: `python routes.py fx2mx NET...`, or `onnx`.

A line of JSON for each net. The imports, and a small net before, are not counted; the least of three runs
stands. The way through ONNX has an environment of its own: mxnet's importer knows the files of old versions.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import mxnet as mx
import torch
from pytorchcv.model_provider import get_model

RUNS = 3


def by_fx2mx(net, folder):
    import tracer

    tracer.convert(net, (image_of(net),), "Net").save(folder / "net_mxnet.py")


def through_onnx(net, folder):
    import onnx
    import onnxsim
    from mxnet.contrib import onnx as importer

    file = str(folder / "net.onnx")
    torch.onnx.export(net, image_of(net), file, opset_version=9, keep_initializers_as_inputs=True)
    onnx.save(with_weights_as_inputs(onnxsim.simplify(file)[0]), file)
    symbol, arg_params, aux_params = importer.import_model(file)
    mx.model.save_checkpoint(str(folder / "net"), 0, symbol, arg_params, aux_params)


def image_of(net):
    """An image of the size that pytorchcv says a net is for."""
    return torch.zeros(1, 3, *getattr(net, "in_size", (224, 224)))


def with_weights_as_inputs(model):
    """The file as mxnet's importer wants it: each weight is an input too, which onnxsim takes out."""
    from onnx import helper

    known = {value.name for value in model.graph.input}
    for weight in model.graph.initializer:
        if weight.name not in known:
            value = helper.make_tensor_value_info(weight.name, weight.data_type, list(weight.dims))
            model.graph.input.append(value)
    return model


def seconds(route, net):
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        route(net, Path(folder))
        return time.process_time() - began


def main():
    route = {"fx2mx": by_fx2mx, "onnx": through_onnx}[sys.argv[1]]
    seconds(route, torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()).eval())
    for name in sys.argv[2:]:
        net = get_model(name).eval()
        try:
            found = min(seconds(route, net) for _ in range(RUNS))
            print(json.dumps({"net": name, "seconds": found}), flush=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the row
            print(json.dumps({"net": name, "why": f"{type(error).__name__}: {error}"[:200]}), flush=True)


if __name__ == "__main__":
    main()
