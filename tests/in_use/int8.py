"""`python -m tests.in_use.int8`: nets in int8 beside float32, converted ones and Gluon's of the same weights.

The weights are seeded and random. BatchNorm's statistics are those of 64 seeded samples of eight classes, and
the last layer is fitted to them by least squares, so that the largest output means something. int8 is
calibrated on the same samples (naive), and compared on 64 others. Prints a table in Markdown.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import mxnet as mx
import numpy as np
import torch
import torch.nn.functional as F
from mxnet.contrib import quantization
from torch import nn

import tracer
from codegen.proof.run import quiet
from tests.in_use import gluon_nets
from tests.in_use.tools import apart, through_module

CLASSES, EACH, BATCH = 8, 8, 16
RIDGE = 1e-3
# What the BatchNorm that ends the branch of a unit begins with: with 1, a deep net forgets its input.
BRANCH = 0.25
# Of two nets of the same weights in float32.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Samples:
    """Inputs, and the class of each."""

    x: torch.Tensor
    classes: torch.Tensor


@dataclass(frozen=True)
class Case:
    """A net, samples to fit and calibrate it with, others to compare on, and the module that ends it."""

    name: str
    model: nn.Module
    seen: Samples
    unseen: Samples
    last: nn.Linear | nn.Conv2d | None
    gluon: Callable[[], mx.gluon.HybridBlock]


def images(size: int, seed: int) -> Samples:
    """A pattern for each class, under noise."""
    patterns = torch.randn(CLASSES, 3, 7, 7, generator=torch.Generator().manual_seed(0))
    classes = torch.arange(CLASSES).repeat(EACH)
    noise = torch.randn(len(classes), 3, 7, 7, generator=torch.Generator().manual_seed(seed))
    return Samples(
        F.interpolate(patterns[classes] + 0.1 * noise, size=(size, size), mode="bilinear"), classes
    )


def sentences(words: int, length: int, seed: int) -> Samples:
    """Each class has words of its own, which make most of a sentence."""
    generator = torch.Generator().manual_seed(seed)
    classes = torch.arange(CLASSES).repeat(EACH)
    any_word = torch.randint(2, words, (len(classes), length), generator=generator)
    own = 2 + classes[:, None] * 10 + torch.randint(0, 10, (len(classes), length), generator=generator)
    takes_own = torch.rand(len(classes), length, generator=generator) < 0.8
    return Samples(torch.where(takes_own, own, any_word), classes)


def cases() -> Iterator[Case]:
    """The four nets of the table."""
    from pytorchcv.model_provider import get_model

    torch.manual_seed(0)
    for name, gluon in (("resnet50b", gluon_nets.resnet50), ("mobilenetv2_w1", gluon_nets.mobilenetv2)):
        model = get_model(name)
        if model.output.bias is None:
            model.output = nn.Conv2d(1280, 1000, 1)
        for path, module in model.named_modules():
            if path.endswith("conv3.bn"):
                nn.init.constant_(module.weight, BRANCH)
        yield Case(name, model, images(224, 1), images(224, 2), model.output, gluon)
    yield unet()
    yield bert(layers=6)


def unet(size: int = 64) -> Case:
    """A U-Net, whose last layer is random."""
    from pytorchcv.model_provider import get_model

    model = get_model("unet_cityscapes", in_size=(size, size))
    return Case("unet_cityscapes", model, images(size, 1), images(size, 2), None, gluon_nets.unet)


def bert(layers: int) -> Case:
    """A small BERT with a classifier of sentences."""
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=100,
        hidden_size=128,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=512,
        num_labels=CLASSES,
        return_dict=False,
    )
    model = BertForSequenceClassification(config)
    seen, unseen = sentences(100, 16, 1), sentences(100, 16, 2)
    gluon = functools.partial(gluon_nets.Bert, 100, 128, layers, 4, 512, CLASSES)
    return Case("BERT", model, seen, unseen, model.classifier, gluon)


@torch.no_grad()
def fit(case: Case) -> None:
    """BatchNorm's statistics of the samples, and a last layer that tells their classes apart."""
    for module in case.model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None
            module.reset_running_stats()
    case.model.train()
    # Dropout would make the statistics of other values than inference has.
    for module in case.model.modules():
        module.train(isinstance(module, nn.modules.batchnorm._BatchNorm))
    for batch in case.seen.x.split(BATCH):
        case.model(batch)
    case.model.eval()
    if case.last is None:
        return
    found: list[torch.Tensor] = []
    hook = case.last.register_forward_pre_hook(lambda _module, args: found.append(args[0].flatten(1)))
    for batch in case.seen.x.split(BATCH):
        case.model(batch)
    hook.remove()
    features, wanted = torch.cat(found), F.one_hot(case.seen.classes, CLASSES).float()
    last = case.last
    mean, middle, scale = features.mean(0), wanted.mean(0), features.std()
    centred = (features - mean) / scale
    alike = centred @ centred.T + RIDGE * len(features) * torch.eye(len(features))
    weight = (centred.T @ torch.linalg.solve(alike, wanted - middle) / scale).T
    last.weight[CLASSES:] = 0
    last.weight[:CLASSES] = weight.reshape(CLASSES, *last.weight.shape[1:])
    last.bias[:CLASSES] = middle - weight @ mean
    last.bias[CLASSES:] = -1


Params = Mapping[str, mx.nd.NDArray]


def quantised(
    symbol: mx.sym.Symbol, arg_params: Params, aux_params: Params, name: str, seen: Samples
) -> tuple[mx.sym.Symbol, Params, Params]:
    """The net in int8."""
    data = mx.io.NDArrayIter({name: mx.nd.array(seen.x.numpy())}, batch_size=BATCH)
    with quiet():
        made: tuple[mx.sym.Symbol, Params, Params] = quantization.quantize_model_mkldnn(
            symbol,
            dict(arg_params),
            dict(aux_params),
            data_names=[name],
            label_names=None,
            calib_mode="naive",
            calib_data=data,
            num_calib_examples=len(seen.x),
            quantized_dtype="auto",
        )
    return made


def outputs(symbol: mx.sym.Symbol, arg_params: Params, aux_params: Params, name: str, x: torch.Tensor) -> Any:
    """What a symbol gives for samples, a batch at a time."""
    with quiet():
        parts = [
            through_module(symbol, arg_params, aux_params, {name: mx.nd.array(batch.numpy())})
            for batch in x.split(BATCH)
        ]
    return np.concatenate(parts)


@dataclass(frozen=True)
class Net:
    """A symbol with its parameters, and the name of its input."""

    symbol: mx.sym.Symbol
    arg_params: Params
    aux_params: Params
    name: str


def nets(case: Case) -> dict[str, Net]:
    """The net of a case as fx2mx makes it and as written by hand, with the same weights."""
    conversion = tracer.convert(case.model, (case.seen.x[:1],), "Net")
    (name,) = [i.name for i in conversion.program.inputs]
    ours = Net(conversion.symbol, conversion.arg_params, conversion.aux_params, name)
    by_hand = case.gluon()
    gluon_nets.with_weights(by_hand, case.model, tuple(case.seen.x[:1].shape))
    symbol = by_hand(mx.sym.Variable("data"))
    params = {k: p.data() for k, p in by_hand.collect_params().items()}
    arg = {k: params[k] for k in symbol.list_arguments() if k in params}
    aux = {k: params[k] for k in symbol.list_auxiliary_states()}
    return {"fx2mx": ours, "Gluon": Net(symbol, arg, aux, "data")}


def row(case: Case, kind: str, net: Net, whole: Any) -> str:
    """A line of the table; `whole` is what the net gives in float32."""
    parts = net.symbol, net.arg_params, net.aux_params, net.name
    low = outputs(*quantised(*parts, case.seen), net.name, case.unseen.x)
    same = float((whole.argmax(1) == low.argmax(1)).mean())
    cells = [case.name, kind, f"{apart(low, whole):.3f}", f"{same:.1%}"]
    for found in (whole, low):
        right = (found.argmax(1) == case.unseen.classes.numpy()).mean() if case.last is not None else None
        cells.append("" if right is None else f"{right:.1%}")
    return f"| {' | '.join(cells)} |"


def whole_of(case: Case, made: Mapping[str, Net]) -> dict[str, Any]:
    """What both nets give in float32. Raises ValueError where they differ."""
    whole = {
        kind: outputs(net.symbol, net.arg_params, net.aux_params, net.name, case.unseen.x)
        for kind, net in made.items()
    }
    difference = apart(whole["Gluon"], whole["fx2mx"])
    if not difference < TOLERANCE:
        raise ValueError(f"{case.name}: the net written by hand is another one, by {difference:.1e}")
    return whole


def main() -> None:
    warnings.simplefilter("ignore")
    print("| net | made by | difference | same class | right in float32 | right in int8 |")
    print("| --- | --- | --- | --- | --- | --- |")
    for case in cases():
        fit(case)
        made = nets(case)
        whole = whole_of(case, made)
        for kind, net in made.items():
            print(row(case, kind, net, whole[kind]), flush=True)


if __name__ == "__main__":
    main()
