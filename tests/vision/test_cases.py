"""The cases of torchvision's ops in the environment that has it: `make torchvision`."""

from __future__ import annotations

import importlib
import inspect

import pytest
import torch

from tests.op_cases import CASES
from tests.op_check import check
from tests.vision import IS_REAL, ops

pytestmark = pytest.mark.skipif(not IS_REAL, reason="tests/test_ops.py runs the cases with the stand-in")


def vision_cases() -> list:
    """The cases of tests/op_cases/vision.py alone: the other ones are no business of this environment."""
    state = torch.get_rng_state()
    torch.manual_seed(0)
    importlib.import_module("tests.op_cases.vision")
    torch.set_rng_state(state)
    return list(CASES)


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in (vision_cases() if IS_REAL else [])])
def test_case(case) -> None:
    check(case)


def test_it_is_torchvision() -> None:
    assert inspect.getmodule(ops.nms).__name__ == "torchvision.ops.boxes"
