"""The nets written by hand that int8 is compared with, and a fast part of that comparison."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.in_use import int8
from tests.in_use.int8 import BATCH, Case, Samples


def _few(samples: Samples) -> Samples:
    return Samples(samples.x[:BATCH], samples.classes[:BATCH])


@pytest.fixture(params=["unet", "bert"])
def case(request: pytest.FixtureRequest) -> Case:
    torch.manual_seed(0)
    made = int8.unet(32) if request.param == "unet" else int8.bert(layers=1)
    made = replace(made, seen=_few(made.seen), unseen=_few(made.unseen))
    int8.fit(made)
    return made


def test_int8_beside_gluon(case: Case):
    """The same in float32, and in int8 as far from it as each other."""
    made = int8.nets(case)
    whole = int8.whole_of(case, made)
    ours, by_hand = (int8.row(case, kind, net, whole[kind]).split(" | ") for kind, net in made.items())
    assert [ours[1], by_hand[1]] == ["fx2mx", "Gluon"]
    assert 0 < float(ours[2]) < 2 * float(by_hand[2]) + 0.01


def test_another_net_would_be_seen(case: Case):
    made = int8.nets(case)
    last = list(made["Gluon"].arg_params.values())[-1]
    last[:] = last + 1
    with pytest.raises(ValueError, match="the net written by hand is another one"):
        int8.whole_of(case, made)
