"""The generated code of well-known nets stays short: it is counted in statements, of which none has many ops."""

from __future__ import annotations

import ast
from collections.abc import Callable

import pytest
import torch
from torch import nn

from tests.zoo import cv
from tests.zoo.run import LINE_LENGTH, statements
from tracer.conversion import convert_specs
from tracer.inputs import InputSpec

IMAGE = (InputSpec("pixel_values", (1, 3, 224, 224)),)
WORDS = (InputSpec("input_ids", (1, 32), "int64", high=90), InputSpec("attention_mask", (1, 32), "int64"))


def pytorchcv(name: str) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        from pytorchcv.model_provider import get_model

        return get_model(name, pretrained=False)

    return build


def transformers(name: str) -> Callable[[], nn.Module]:
    """A net of its default configuration, which is the base one."""

    def build() -> nn.Module:
        import transformers as library

        net = getattr(library, name)
        return net(net.config_class())

    return build


MOST_PARAMETERS = 8

# (net, inputs, at most so many statements, at least so many ops)
SIZES = {
    "resnet18": (pytorchcv("resnet18"), None, 34, 65),
    "resnet152": (pytorchcv("resnet152"), None, 42, 500),
    "densenet121": (pytorchcv("densenet121"), None, 36, 420),
    "mobilenet_v2": (pytorchcv("mobilenetv2_w1"), None, 42, 150),
    "ViT-B": (transformers("ViTForImageClassification"), IMAGE, 46, 250),
    "BERT-base": (transformers("BertModel"), WORDS, 70, 300),
    "Swin-T": (transformers("SwinForImageClassification"), IMAGE, 103, 500),
}


@pytest.mark.parametrize("name", SIZES)
def test_size(name: str) -> None:
    build, inputs, most, ops = SIZES[name]
    torch.manual_seed(0)
    model = build().eval()
    conversion = convert_specs(model, inputs or cv.input_of(model), name.replace("-", "_"))
    assert conversion.folded, conversion.notes
    assert len(conversion.program.calls) >= ops
    assert statements(conversion.code) <= most
    assert max(map(len, conversion.code.splitlines())) <= LINE_LENGTH
    tree = ast.parse(conversion.code)
    assert max(map(op_calls, ast.walk(tree))) <= 2
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert max(len(node.args.args) for node in functions) <= MOST_PARAMETERS + 1  # and `name`


def op_calls(node: ast.AST) -> int:
    """The ops called in one statement."""
    if not isinstance(node, ast.stmt) or isinstance(node, ast.FunctionDef | ast.For | ast.If):
        return 0
    return sum(
        isinstance(n, ast.Call)
        and isinstance(n.func, ast.Attribute)
        and ast.unparse(n.func).startswith("mx.sym.")
        for n in ast.walk(node)
    )
