"""Templates of a user's own: examples/templates, and what mistakes are told; docs/templates.md has both."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import tracer
from codegen import written
from codegen.problems import RequestError
from codegen.proof.same_symbol import same_symbol
from codegen.write.templates import OURS
from tests.command import Done, fx2mx, snapshot

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "templates"
DOCS = (ROOT / "docs" / "templates.md").read_text()
LICENCE = "# Copyright 2026 The Example Authors.\n# Licensed under the Apache License"
ARE = (
    "fx2mx's templates are symbol/api.jinja, symbol/expression.jinja, symbol/file.jinja, symbol/function.jinja, "
    "symbol/statement.jinja"
)
EXTENDS = '{% extends "fx2mx/symbol/file.jinja" %}\n'
IMPORTS = EXTENDS + "{% block imports %}\n"

Write = Callable[[str, str], None]


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.bn = nn.BatchNorm2d(2 * width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn(self.conv(x)).clamp(min=0.5) * 0.5
        return x


class Net(nn.Module):
    """A function, its arguments, operators, and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = Block(2), Block(4), Block(8)
        self.scale = nn.Parameter(torch.rand(16))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.third(self.second(self.first(x)))
        return x.mean((2, 3)) * self.scale, x


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a template into the folder `looks`, beside the net of the manual."""
    shutil.copy(ROOT / "examples/xxnet/model.py", tmp_path)
    monkeypatch.chdir(tmp_path)

    def put(name: str, text: str) -> None:
        path = tmp_path / "looks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return put


def convert(*options: str) -> Done:
    return fx2mx("model.py:XXNet", "--out", "model_mxnet.py", "--no-weights", "--no-verify", *options)


def said(folder: str = "looks") -> str:
    """What the command is told of a wrong folder; it writes nothing."""
    before = snapshot(Path())
    done = convert("--templates", folder)
    assert (done.status, done.out) == (2, "")
    assert snapshot(Path()) == before
    message = done.err[done.err.index("error: ") :]
    start = f"error: --templates {folder}: "
    assert message.startswith(start)
    return message.removeprefix(start).rstrip("\n")


# The example -----------------------------------------------------------------------------------------


def test_the_example(tmp_path: Path) -> None:
    signature = re.compile(r"fx2mx-sha256:\w+")
    net, inputs = Net().eval(), (torch.rand(1, 2, 8, 8),)
    conversion = tracer.convert(net, inputs, templates=EXAMPLE)
    plain = tracer.convert(net, inputs)
    assert conversion.folded, conversion.notes
    assert conversion.code.startswith(LICENCE)
    assert "mx.sym." not in conversion.code
    assert "mx.symbol.Symbol" in conversion.code
    assert "mx.symbol.Group(" in conversion.code
    assert "named(mx.symbol.maximum(" in conversion.code
    body = signature.sub("", conversion.code[conversion.code.index('"""') :])
    # The lines are longer, and black breaks them elsewhere.
    assert re.sub(r"\s|,(?=\s*[)\]])", "", body).replace("mx.symbol.", "mx.sym.") == re.sub(
        r"\s|,(?=\s*[)\]])", "", signature.sub("", plain.code)
    )
    assert same_symbol(conversion.symbol, plain.symbol)
    assert conversion.verify().ok
    conversion.save(tmp_path / "net_mxnet.py")
    assert (tmp_path / "net_mxnet.py").read_text() == conversion.code


def test_the_command(write: Write) -> None:
    """The file names the folder that it was made with, and is fresh by that command."""
    shutil.copytree(EXAMPLE, "looks")
    done = fx2mx("model.py:XXNet", "--out", "model_mxnet.py", "--templates", "./looks/")
    assert done.status == 0, done.err
    assert "agrees with torch" in done.err
    code = Path("model_mxnet.py").read_text()
    assert code.startswith(LICENCE)
    assert "python -m tracer.gen model.py:XXNet --out model_mxnet.py --templates looks\n" in code
    again = ("model.py:XXNet", "--out", "model_mxnet.py", "--check")
    assert fx2mx(*again, "--templates", "looks").status == 0
    assert fx2mx(*again).status == 1


def test_a_folder_with_what_is_no_template(write: Write) -> None:
    write("README.md", "ours")
    write("symbol/api.jinja", '{% set sym = "mx.symbol" %}')
    assert convert("--templates", "looks").status == 0
    assert "mx.symbol.Variable" in Path("model_mxnet.py").read_text()


def test_a_template_of_its_own_that_another_reads(write: Write) -> None:
    write("licence.jinja", "# {{ file.title }}\n")
    write(
        "symbol/file.jinja",
        EXTENDS + '{% block head %}{% include "licence.jinja" %}{{ super() }}{% endblock %}',
    )
    assert convert("--templates", "looks").status == 0
    assert Path("model_mxnet.py").read_text().startswith('# XXNet\n"""XXNet as')


# Mistakes --------------------------------------------------------------------------------------------


def test_no_such_folder(write: Write) -> None:
    assert said("nowhere") == "there is no such folder"
    write("symbol/api.jinja", "")
    assert said("looks/symbol/api.jinja") == "there is no such folder"


def test_no_template(write: Write) -> None:
    write("symbol/file.html", "")
    assert said() == f"there is no .jinja file in it; {ARE}"


@pytest.mark.parametrize("name", ["file.jinja", "symbol/files.jinja", "fx2mx/symbol/file.jinja"])
def test_no_override(write: Write, name: str) -> None:
    write("symbol/api.jinja", '{% set sym = "mx.symbol" %}')
    write(name, "")
    assert said() == f"{name} replaces nothing, and no other reads it; {ARE}"


MISTAKES = {
    "syntax": (
        "symbol/file.jinja",
        EXTENDS + "{% blok head %}{% endblock %}",
        "symbol/file.jinja, line 2: Encountered unknown tag 'blok'.",
    ),
    "unknown filter": (
        "symbol/expression.jinja",
        "{% macro expression(own) %}\n{{ own | upside_down }}{% endmacro %}",
        "symbol/expression.jinja, line 2: No filter named 'upside_down'.",
    ),
    "not utf-8": (
        "symbol/api.jinja",
        '{% set sym = "mx.sym" %}\udce4',
        "symbol/api.jinja: UnicodeDecodeError: 'utf-8' codec can't decode byte 0xe4 in position 24: "
        "unexpected end of data",
    ),
    "unknown field of the file": (
        "symbol/file.jinja",
        IMPORTS + "{{ file.titel }}{% endblock %}",
        "symbol/file.jinja, line 3: File has no field 'titel', but title, origin, command, data_shapes, "
        "has_operators, functions, fixed_params, batch_axes, outputs, has_frozen, has_math, constants, digest",
    ),
    "unknown field of an op": (
        "symbol/expression.jinja",
        "{% macro expression(own) %}{{ own.attrs }}{% endmacro %}",
        "symbol/expression.jinja, line 1: Variable has no field 'attrs', but kind, name, shape, dtype, trained, init",
    ),
    "unknown variable": (
        "symbol/file.jinja",
        IMPORTS + "{{ net.title }}{% endblock %}",
        "symbol/file.jinja, line 3: 'net' is undefined",
    ),
    "a setting that others read": (
        "symbol/api.jinja",
        '{% set symbol = "mx.symbol" %}',
        "fx2mx/symbol/function.jinja, line 35: the template 'symbol/api.jinja' (imported on line 2 in "
        "'symbol/function.jinja') does not export the requested name 'sym'",
    ),
    "a macro that is not there": (
        "symbol/file.jinja",
        '{% import "symbol/api.jinja" as api %}\n{{ api.symbol }}',
        "symbol/file.jinja, line 2: symbol/api.jinja gives no 'symbol'",
    ),
    "an error": (
        "symbol/file.jinja",
        IMPORTS + "{{ 1 / 0 }}{% endblock %}",
        "symbol/file.jinja, line 3: ZeroDivisionError: division by zero",
    ),
    "no such template": (
        "symbol/file.jinja",
        '{% extends "fx2mx/file.jinja" %}',
        "symbol/file.jinja, line 1: there is no template fx2mx/file.jinja",
    ),
    "itself": (
        "symbol/file.jinja",
        '{# ours #}\n{% extends "symbol/file.jinja" %}',
        "symbol/file.jinja, line 2: it reads itself; fx2mx's own is fx2mx/symbol/file.jinja",
    ),
    "no Python": (
        "symbol/file.jinja",
        IMPORTS + "import mxnet as\n{% endblock %}",
        "what they print is no Python: invalid syntax\n    line 10: import mxnet as",
    ),
    "no Python either": (
        "symbol/file.jinja",
        IMPORTS + "import mxnet as mx  # \0\n{% endblock %}",
        "what they print is no Python: source code string cannot contain null bytes",
    ),
    "code that fails": (
        "symbol/file.jinja",
        IMPORTS + "import mxnet\n{% endblock %}",
        "the code that they print fails: NameError: name 'mx' is not defined",
    ),
    "no function": (
        "symbol/file.jinja",
        EXTENDS + "{% block functions %}{% endblock %}",
        "the code that they print fails: KeyError: 'XXNet'",
    ),
    "another net": (
        "symbol/expression.jinja",
        '{% import "fx2mx/symbol/expression.jinja" as ours %}\n'
        '{% macro expression(own) %}{{ ours.expression(own) | replace("eps=1e-5", "eps=1e-3") }}{% endmacro %}',
        "the code that they print gives another symbol than that of fx2mx's own",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake(mistake: str, write: Write) -> None:
    name, text, message = MISTAKES[mistake]
    write(name, "")
    (Path("looks") / name).write_bytes(text.encode(errors="surrogateescape"))
    assert said() == message


def test_by_the_api(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"--templates .*nowhere: there is no such folder"):
        tracer.convert(Net().eval(), (torch.rand(1, 2, 8, 8),), templates=str(tmp_path / "nowhere"))


def test_that_our_own_are_not_touched_by_a_mistake(write: Write) -> None:
    write("symbol/api.jinja", "{% set sym %}")
    said()
    assert convert().status == 0


# The page --------------------------------------------------------------------------------------------


def blocks() -> dict[str, str]:
    """The templates of docs/templates.md, by what their first line says."""
    found = re.findall(r"^```jinja\n\{# (.*?) #\}\n(.*?)^```$", DOCS, re.DOTALL | re.MULTILINE)
    return dict(found)


def test_the_page_shows_the_example() -> None:
    files = {p.relative_to(EXAMPLE).as_posix(): p.read_text() for p in EXAMPLE.rglob("*.jinja")}
    assert {name: text for name, text in blocks().items() if ":" not in name} == files


def test_the_pages_other_example(write: Write) -> None:
    ((name, text),) = [(name, text) for name, text in blocks().items() if ":" in name]
    write(name.partition(":")[0], text)
    conversion = tracer.convert(Net().eval(), (torch.rand(1, 2, 8, 8),), templates="looks")
    assert "name=name + '_conv'" in conversion.code.replace('"', "'")
    assert "{name}_conv" not in conversion.code


def test_the_page_names_every_template_and_field() -> None:
    for path in (OURS / "symbol").rglob("*.jinja"):
        assert f"`{path.relative_to(OURS).as_posix()}`" in DOCS
    ours = "".join(path.read_text() for path in (OURS / "symbol").rglob("*.jinja"))
    for name in re.findall(r"\{% block (\w+) %\}", ours) + re.findall(r"\bkind == \"(\w+)\"", ours):
        assert f"`{name}`" in DOCS
    for own in vars(written).values():
        if dataclasses.is_dataclass(own) and own is not written.Origin:
            assert {f.name for f in dataclasses.fields(own) if f"`{f.name}`" not in DOCS} == set()


def test_the_page_says_what_a_mistake_is_told() -> None:
    told = re.findall(
        r"^\| .*? \| `(.*?)(?: ?\.\.\.)?`.*\|$", DOCS.partition("## What a mistake")[2], re.MULTILINE
    )
    messages = [message for _, _, message in MISTAKES.values()]
    messages += [f"symbol/files.jinja replaces nothing, and no other reads it; {ARE}"]
    messages += ["there is no such folder", f"there is no .jinja file in it; {ARE}"]
    assert len(told) == 10
    assert [text for text in told if not any(m.startswith(text) for m in messages)] == []


def test_mxnet_is_named_in_templates_alone() -> None:
    for path in (ROOT / "codegen" / "write").glob("*.py"):
        assert "mx.sym" not in path.read_text()
