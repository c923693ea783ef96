"""Tracing and lowering at 1, 2, 4 and 8 times the depth: seconds for each, and how they grow.

`python benchmarks/depth.py`, on one core; see `make bench`. The last column is the time for a node, against
that of the shallowest net: 1.0 means growth in proportion to the number of nodes.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from torch import nn

from codegen.fold.fold import fold
from codegen.lower.graph import lower
from codegen.write.file import written_file
from codegen.written import Origin
from tracer.conversion import convert_specs
from tracer.inputs import InputSpec
from tracer.trace import trace

DEPTHS = (1, 2, 4, 8)
IMAGE = (InputSpec("x", (1, 3, 224, 224)),)
TEXT = (InputSpec("input_ids", (1, 16), "int64", high=100),)


def resnet(times: int) -> nn.Module:
    from pytorchcv.models.resnet import ResNet

    blocks = [3 * times, 4 * times, 6 * times, 3 * times]
    channels = [[w] * n for w, n in zip((256, 512, 1024, 2048), blocks, strict=True)]
    return ResNet(channels=channels, init_block_channels=64, bottleneck=True, conv1_stride=True)


def bert(times: int) -> nn.Module:
    from transformers import BertConfig, BertModel

    return BertModel(
        BertConfig(hidden_size=64, num_attention_heads=4, intermediate_size=64, num_hidden_layers=3 * times)
    )


def resnet152(_: int) -> nn.Module:
    from pytorchcv.model_provider import get_model

    net: nn.Module = get_model("resnet152")
    return net


def bert_base(_: int) -> nn.Module:
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig())


def measure(build: Callable[[int], nn.Module], specs: tuple[InputSpec, ...], times: int) -> dict[str, float]:
    """Seconds of each stage, and the number of nodes."""
    torch.manual_seed(0)
    net = build(times).eval()
    start = time.perf_counter()
    graph = trace(net, specs)
    traced = time.perf_counter()
    program = lower(graph, "Net", tuple(net.state_dict()))
    lowered = time.perf_counter()
    written_file(program, fold(program, "Net"), Origin("Net", "Net"), [])
    folded = time.perf_counter()
    convert_specs(net, specs, "Net")
    whole = time.perf_counter()
    return {
        "nodes": len(graph.nodes),
        "trace": traced - start,
        "lower": lowered - traced,
        "fold": folded - lowered,
        "whole": whole - folded,
    }


def main() -> None:
    torch.set_num_threads(1)
    measure(bert, TEXT, 1)  # imports, caches
    measure(resnet, IMAGE, 1)
    print("net              nodes   trace   lower    fold   all of convert()   trace and lower, a node")
    for name, build, specs in (("ResNet-50", resnet, IMAGE), ("BERT", bert, TEXT)):
        first = 0.0
        for times in DEPTHS:
            found = measure(build, specs, times)
            cost = (found["trace"] + found["lower"]) / found["nodes"]
            first = first or cost
            show(f"{name} x {times}", found, f"{cost / first:.2f}")
    show("ResNet-152", measure(resnet152, (InputSpec("x", (1, 3, 224, 224)),), 1), "")
    show("BERT-base", measure(bert_base, (InputSpec("input_ids", (1, 128), "int64", high=100),), 1), "")


def show(name: str, found: dict[str, float], ratio: str) -> None:
    stages = "  ".join(f"{found[k]:6.2f}" for k in ("trace", "lower", "fold"))
    print(f"{name:15} {int(found['nodes']):6}  {stages} {found['whole']:18.2f}   {ratio:>23}", flush=True)


if __name__ == "__main__":
    main()
