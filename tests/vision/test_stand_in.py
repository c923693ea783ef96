"""The stand-in computes what torchvision computes."""

from __future__ import annotations

import itertools

import pytest
import torch

from tests.op_cases.vision import IMAGES, boxes
from tests.vision import IS_REAL
from tests.vision.torchvision import reference
from tests.vision.torchvision.registered import SCHEMAS

pytestmark = pytest.mark.skipif(not IS_REAL, reason="it needs torchvision")
REGIONS = {"inside": boxes(40, 6, 16), "wild": boxes(40, 6, 16, wild=True)}
REGIONS["halves"] = (REGIONS["inside"] * 2).round() / 2


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda s: s.partition("(")[0])
def test_a_signature_is_torchvisions(schema: str) -> None:
    name = schema.partition("(")[0]
    theirs = str(getattr(torch.ops.torchvision, name).default._schema)
    assert theirs.replace(" -> ", "->") == f"torchvision::{schema}".replace(" -> ", "->")


@pytest.mark.parametrize("kind", REGIONS)
@pytest.mark.parametrize("name", ["roi_pool", "ps_roi_pool"])
def test_pools(name: str, kind: str) -> None:
    for scale, size in itertools.product((0.25, 1.0, 3.0), ((2, 3), (1, 1), (6, 2))):
        given = (IMAGES, REGIONS[kind], scale, *size)
        ours, theirs = getattr(reference, name)(*given), getattr(torch.ops.torchvision, name)(*given)
        torch.testing.assert_close(ours[0], theirs[0])


@pytest.mark.parametrize("kind", ["inside", "halves"])
def test_alignment(kind: str) -> None:
    rois = REGIONS[kind]
    rois[:, 3:] += 0.5  # a box that is empty is another matter
    for scale, ratio, aligned in itertools.product((0.25, 1.0), (-1, 0, 1, 3), (False, True)):
        given = (IMAGES, rois, scale, 2, 3, ratio, aligned)
        ours, theirs = reference.roi_align(*given), torch.ops.torchvision.roi_align(*given)
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
        if aligned:
            own, wanted = reference.ps_roi_align(*given[:-1]), torch.ops.torchvision.ps_roi_align(*given[:-1])
            torch.testing.assert_close(own[0], wanted[0], atol=1e-5, rtol=1e-5)
            assert torch.equal(own[1], wanted[1])


def test_deformable_convolution() -> None:
    generator = torch.Generator().manual_seed(0)
    for groups, offset_groups, use_mask in itertools.product((1, 2), (1, 4), (False, True)):
        x, weight = torch.randn(2, 4, 7, 6, generator=generator), torch.randn(
            6, 4 // groups, 3, 2, generator=generator
        )
        offset = torch.randn(2, 2 * 6 * offset_groups, 4, 6, generator=generator) * 3
        mask, bias = torch.rand(2, 6 * offset_groups, 4, 6, generator=generator), torch.randn(
            6, generator=generator
        )
        given = (x, weight, offset, mask, bias, 2, 1, 1, 1, 1, 2, groups, offset_groups, use_mask)
        ours, theirs = reference.deform_conv2d(*given), torch.ops.torchvision.deform_conv2d(*given)
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_nms() -> None:
    rois = REGIONS["inside"][:, 1:]
    scores = torch.rand(40, generator=torch.Generator().manual_seed(0))
    ours, theirs = reference.nms(rois, scores, 0.3), torch.ops.torchvision.nms(rois, scores, 0.3)
    assert torch.equal(ours, theirs)
