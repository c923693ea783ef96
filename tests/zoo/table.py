"""All nets of the zoo, by name, and the sample that is part of the tests."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from tests.zoo import cv, hf
from tests.zoo.net import Net

# One for each kind of structure; together under 90 s on two cores.
SAMPLE = (
    "resnet20_cifar10",
    "densenet40_k12_bc_cifar10",
    "mobilenetv2_wd4",
    "shufflenet_g3_wd4",
    "squeezenet_v1_1",
    "dla46c",
    "msdnet22_cifar10",
    "edanet_cityscapes",
    "voca8flame",
    "efficientnet_pytorch-b0",
    "BertModel",
    "GPT2Model",
    "LlamaModel",
    "T5EncoderModel",
    "SwinModel",
    "SegformerModel",
    "Wav2Vec2Model",
)


@functools.cache
def nets() -> Mapping[str, Net]:
    """Every net by name, in the order of the table."""
    listed = [*cv.nets(), *hf.nets()]
    table = {net.name: net for net in listed}
    assert len(table) == len(listed), "a name stands twice in the zoo"
    return table
