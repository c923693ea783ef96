"""`--kwargs`: what is read, how it is written again, and the exact words for what is neither."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from codegen.problems import RequestError
from tracer.arguments import parse_arguments, written_arguments

FORM = "a dict in JSON or Python, such as '{\"num_classes\": 10}', or name=value, such as num_classes=10"


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        ([], {}),
        (["{}"], {}),
        (['{"a": true, "b": null, "c": [1, 2.5]}'], {"a": True, "b": None, "c": [1, 2.5]}),
        (["{'depth': 18, 'norm': None}"], {"depth": 18, "norm": None}),
        ([" {'sizes': (1, 2), 'bias': False, 'names': {'x'}}"], {"sizes": (1, 2), "bias": False, "names": {"x"}}),
        (["depth=18"], {"depth": 18}),
        (["depth=18", "norm=None"], {"depth": 18, "norm": None}),
        (["depth=18, sizes=(1, 2), name='a, b'"], {"depth": 18, "sizes": (1, 2), "name": "a, b"}),
        (["depth=18 name=resnet 'title=two words'"], {"depth": 18, "name": "resnet", "title": "two words"}),
        (["sizes=1,2"], {"sizes": (1, 2)}),
        (["name=resnet"], {"name": "resnet"}),
        (["name=nn.ReLU"], {"name": "nn.ReLU"}),
        (["file=/data/x y.txt"], {"file": "/data/x y.txt"}),
        (["text="], {"text": ""}),
        (["url=http://a/?b=c"], {"url": "http://a/?b=c"}),
        (["a=true", "b=false", "c=null"], {"a": True, "b": False, "c": None}),
        (["a=-1e-3", "b=[[1], {}]", "c=1+2j"], {"a": -1e-3, "b": [[1], {}], "c": 1 + 2j}),
        (["größe=3"], {"größe": 3}),
        (["say=it's"], {"say": "it's"}),
        (["a={'b': (1,)}", "{'c': 1}"], {"a": {"b": (1,)}, "c": 1}),
    ],
)  # fmt: skip
def test_what_is_read(texts: list[str], wanted: dict[str, Any]) -> None:
    found = parse_arguments(texts)
    assert found == wanted
    assert repr(found) == repr(wanted)  # True is no 1, a tuple no list
    again = parse_arguments(written_arguments(found))
    assert repr(dict(sorted(again.items()))) == repr(dict(sorted(wanted.items())))


def test_json_is_written_where_it_can_be() -> None:
    assert written_arguments({"b": 1, "a": [None, True]}) == ['{"a": [null, true], "b": 1}']
    assert written_arguments({"b": 1, "a": (1, 2), "c": "x=1"}) == ["a=(1, 2)", "b=1", "c='x=1'"]
    assert written_arguments({"a-b": (1, 2)}) == ["{'a-b': (1, 2)}"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["3"], f"--kwargs 3: this names no argument; write {FORM}"),
        ([""], f"--kwargs : this names no argument; write {FORM}"),
        (["depth"], f"--kwargs depth: this names no argument; write {FORM}"),
        (["depth=18", "{'depth': 1}"], "--kwargs {'depth': 1}: depth is given twice"),
        (["{1: 2}"], f"--kwargs {{1: 2}}: 1 is no name of an argument; write {FORM}"),
        (["{1, 2}"], f"--kwargs {{1, 2}}: this is no dict; write {FORM}"),
        (["{'a': open('x')}"], "--kwargs {'a': open('x')}: this is neither JSON (Expecting property name enclosed "
            f"in double quotes: line 1 column 2 (char 1)) nor Python; write {FORM}"),
    ],
)  # fmt: skip
def test_what_cannot_be_read(texts: list[str], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_arguments(texts)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["{" * 9000, "a=" + "(" * 9000, "a=" + "-" * 90_000, "\x00", "a=\x00"])
def test_hostile_texts_end(text: str) -> None:
    with contextlib.suppress(RequestError):
        parse_arguments([text])
