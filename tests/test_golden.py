"""The goldens: byte for byte what is generated today, and run: the flat program's very symbol, torch's results."""

from __future__ import annotations

import difflib
import re
import shlex
from pathlib import Path

import mxnet as mx
import pytest

from codegen.artifacts import load_symbol
from codegen.fold.fold import unfolded
from codegen.identifiers import identifier
from codegen.proof.same_symbol import canonical
from codegen.write.file import written_file
from codegen.write.templates import templates_of
from codegen.written import Origin
from tests.command import fx2mx, snapshot
from tests.golden import CODE, GOLDENS, HERE, IR, Golden
from tests.test_nets import Net, check
from tracer.conversion import Conversion

FILES = {"model.py", CODE, IR}


def compare(golden: Golden, name: str, text: str) -> None:
    """A file of a golden is `text`, byte for byte; the diff where it is not."""
    expected = (golden.path / name).read_bytes().decode()
    lines = difflib.unified_diff(expected.splitlines(), text.splitlines(), "golden", "generated", lineterm="")
    assert text == expected, "\n".join(
        [f"{golden.folder}/{name} is stale; `make golden` rewrites it", *lines]
    )


def flat_symbol(conversion: Conversion) -> mx.sym.Symbol:
    """The symbol of the program as it was before anything was folded into functions and loops."""
    program = conversion.program
    flat = written_file(program, unfolded(program), Origin("model.py:flat", "none"), [])
    return load_symbol(templates_of().source(flat), identifier(program.name))


@pytest.mark.parametrize("golden", GOLDENS.values(), ids=lambda golden: golden.folder)
def test_golden(golden: Golden, tmp_path: Path) -> None:
    conversion = golden.conversion()
    assert conversion.folded, conversion.notes
    compare(golden, IR, conversion.graph.text())
    compare(golden, CODE, conversion.code)
    # `conversion.symbol` is what this text makes.
    assert canonical(conversion.symbol) == canonical(flat_symbol(conversion))
    agreement = conversion.verify(layers=False)
    assert agreement.ok, agreement.difference
    conversion.save(tmp_path / CODE)
    net = Net(f"{golden.path / 'model.py'}:{golden.net}", (), golden.takes, golden.gives)
    check(net, tmp_path)


def test_every_golden_is_used_and_no_file_is_stray() -> None:
    found = {
        str(path.relative_to(HERE)) for path in HERE.rglob("*") if path.is_file() and path.suffix != ".pyc"
    }
    expected = {f"{folder}/{name}" for folder in GOLDENS for name in FILES}
    assert found == expected | {"__init__.py", "__main__.py"}
    assert not [p for p in HERE.iterdir() if p.is_dir() and p.name not in {*GOLDENS, "__pycache__"}]


def test_the_manuals_net_is_the_examples() -> None:
    """It stands twice, since `examples/` is the users' and the goldens are ours."""
    example = HERE.parent.parent / "examples/xxnet/model.py"
    assert GOLDENS["xxnet"].model == example.read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", ["xxnet", "two_inputs"])
def test_the_command_in_the_code_is_the_one_that_makes_it(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = GOLDENS[folder]
    (tmp_path / "model.py").write_text(golden.model)
    (tmp_path / CODE).write_bytes((golden.path / CODE).read_bytes())
    monkeypatch.chdir(tmp_path)
    before = snapshot(tmp_path)
    shown = re.search(r"python -m tracer\.gen (.*?)\n\"\"\"", (tmp_path / CODE).read_text(), re.DOTALL)
    assert shown
    arguments = shlex.split(shown[1].replace("\\\n", " "))
    assert tuple(arguments) == golden.arguments
    done = fx2mx(*arguments, "--no-weights", "--check")
    assert (done.status, done.out) == (0, ""), done.err
    assert snapshot(tmp_path) == before
