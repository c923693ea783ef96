"""Each op of torch has one home: a lowering rule, or a decomposition."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import tracer.op_homes
from codegen.decompositions import decompositions
from codegen.decompositions.forms import FORMS, name_of_call
from codegen.rules import own_rules
from tests.vision.torchvision.registered import SCHEMAS
from tracer.canonical import op_name
from tracer.op_homes import homes


def canonical_names() -> set[str]:
    """The canonical name of everything that torch and torchvision offer."""
    places = (torch, torch.Tensor, F, torch._C._nn, torch.special, torch.linalg, torch.fft, torch.ops.aten)
    functions = [getattr(place, name) for place in places for name in dir(place)]
    aten = {name.removeprefix("aten::").partition(".")[0] for name in torch._C._dispatch_get_all_op_names()}
    properties = set(dir(torch.Tensor))  # T and H among them
    vision = {f"torchvision::{schema.partition('(')[0]}" for schema in SCHEMAS}
    return {op_name(f) for f in functions if callable(f)} | properties | aten | vision


def test_no_op_has_two_homes() -> None:
    table = homes()
    assert set(table.values()) == {"rule", "decomposition"}
    assert not set(own_rules()) & set(decompositions())


def test_two_homes_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = {**decompositions(), "relu": torch.relu}
    monkeypatch.setattr(tracer.op_homes, "decompositions", lambda: twice)
    with pytest.raises(ValueError, match="a rule and a decomposition each for relu"):
        homes.__wrapped__()


def test_every_home_is_real() -> None:
    """What the table says stands where it says, and is an op or a form of one."""
    for name, home in homes().items():
        assert name in {"rule": own_rules(), "decomposition": decompositions()}[home], name
    ours = {form.name for form in FORMS.values()}
    ours |= {"drop_path", "fx2mx_eigh", "frozen_batch_norm2d", "put_through"}
    assert set(homes()) - ours - canonical_names() == set()


@pytest.mark.parametrize("op", sorted(FORMS))
def test_a_form_is_decomposed_and_the_rest_of_its_op_has_a_rule(op: str) -> None:
    assert homes()[op] == "rule"
    assert homes()[FORMS[op].name] == "decomposition"


def test_the_arguments_tell_the_form() -> None:
    x = torch.zeros(2, 3)
    assert name_of_call("narrow", {"input": x, "dim": 0, "start": 0, "length": 1}) == "narrow"
    start = torch.tensor(0)
    form = name_of_call("narrow", {"input": x, "dim": 0, "start": start, "length": 1})
    assert form == "narrow_from_a_tensor"
    assert name_of_call("relu", {"input": x}) == "relu"


def test_one_c_function_under_two_names_is_two_ops() -> None:
    assert torch.dsmm == torch.mm, "else this test shows nothing"
    assert [op_name(torch.dsmm), op_name(torch.mm)] == ["dsmm", "mm"]
