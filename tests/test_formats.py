"""`--format json` and `--format github`: what machines are told of conversions, refusals, requests and checks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import tracer
from tests import schema
from tests.command import Done, fx2mx
from tests.session import ROOT
from tracer.formats.document import VERSION
from tracer.formats.github import annotation

MODEL = """\
import os

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 4)

    def forward(self, x):
        print("the net speaks")
        os.system("echo a program speaks")
        return self.fc(x)


class Frozen(nn.Module):
    def forward(self, x):
        return x * (2 if x.shape[0] == 1 else 1)


class Part(nn.Module):
    def forward(self, x):
        return torch.special.i0(x)


class Refused(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = Part()

    def forward(self, x):
        return self.part(x) + torch.randn_like(x)


class Apart(nn.Module):
    def forward(self, x):
        return x / x.mean().detach().exp().exp()


class Raises(nn.Module):
    def forward(self, x):
        raise ValueError("100% wrong,\\nand more")
"""
NET = ("model.py:Net", "--out", "net_mxnet.py", "--input", "1,8")
LINES = MODEL.splitlines()


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(LINES, 1) if text in line)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL, encoding="utf-8")
    return tmp_path


def document(done: Done) -> dict[str, Any]:
    """What stdout holds, and nothing else: one document that fits the published schema."""
    published = json.loads(schema.PAGE.read_text(encoding="utf-8"))
    found = json.loads(done.out)
    jsonschema.Draft202012Validator(published).validate(found)
    assert set(found) == set(published["properties"])
    assert (found["version"], found["fx2mx"], found["status"]) == (VERSION, tracer.__version__, done.status)
    return found


def asked(name: str, *options: str) -> tuple[Done, dict[str, Any]]:
    done = fx2mx(f"model.py:{name}", "--out", "net_mxnet.py", "--input", "1,8", "--format", "json", *options)
    return done, document(done)


# The schema ------------------------------------------------------------------------------------------


def test_the_schema_is_published_as_the_classes_are() -> None:
    assert schema.PAGE.read_text(encoding="utf-8") == schema.text(), "python -m tests.schema"
    jsonschema.Draft202012Validator.check_schema(schema.schema())


def test_every_field_is_described() -> None:
    own = schema.schema()
    rows = {name: part for name, part in own["$defs"].items() if not name.startswith("review.")}
    for name, part in {"Document": own, **rows}.items():
        assert [field for field, made in part["properties"].items() if "description" not in made] == [], name


def test_a_document_that_lacks_a_field_does_not_fit() -> None:
    _, found = asked("Net", "--dry-run")
    validator = jsonschema.Draft202012Validator(schema.schema())
    for field in found:
        assert not validator.is_valid({k: v for k, v in found.items() if k != field}), field


# JSON ------------------------------------------------------------------------------------------------


def test_a_conversion() -> None:
    done, found = asked("Net")
    assert done.status == 0
    assert found["problems"] == []
    assert [row["code"] for row in found["notes"]] == ["FX402"]
    assert found["net"] == {
        "name": "Net",
        "inputs": [{"name": "x", "shape": [1, 8], "dtype": "float32"}],
        "outputs": 1,
        "ops": {"FullyConnected": 1},
        "any_batch": True,
        "batch": 1,
        "least_batch": 1,
        "batch_step": 1,
        "free_sizes": False,
        "free_length": False,
    }
    agreement = found["agreement"]
    assert (agreement["agrees"], agreement["tolerance"], agreement["first_divergence"]) == (True, 1e-4, None)
    assert {row["batch"] for row in agreement["outputs"]} == {1, 2}
    assert all(row["agrees"] and 0 <= row["difference"] <= 1e-4 for row in agreement["outputs"])
    assert sorted(found["written"]) == sorted(str(p) for p in Path().glob("net_mxnet*"))
    assert (found["training"], found["review"]) == (None, None)
    assert "--format json" in found["command"]
    assert "agrees with torch" in done.err
    assert "wrote net_mxnet.py" in done.err


def test_nothing_else_is_on_stdout() -> None:
    """Neither what the model prints nor what a program that it starts does."""
    done = subprocess.run(
        [sys.executable, "-m", "tracer.gen", *NET, "--format", "json"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["status"] == 0
    assert "the net speaks" in done.stderr
    assert "a program speaks" in done.stderr


def test_refusals() -> None:
    done, found = asked("Refused")
    assert done.status == 1
    assert [(p["code"], p["word"], p["file"], p["line"], p["module"]) for p in found["problems"]] == [
        ("FX101", "no-rule", "model.py", line_of("i0(x)"), "part"),
        ("FX102", "random", "model.py", line_of("randn_like"), ""),
    ]
    assert found["problems"][1]["hint"] == "pass the random tensor in as an input of forward"
    assert (found["net"], found["agreement"], found["written"]) == (None, None, [])
    assert "[no-rule] (FX101)" in done.whole_err
    assert not Path("net_mxnet.py").exists()


def test_a_warning_has_its_line() -> None:
    _, found = asked("Frozen", "--no-verify")
    (row,) = found["warnings"]
    assert (row["code"], row["word"], row["file"]) == ("FX301", "batch-frozen", "model.py")
    assert row["line"] == line_of("x.shape[0] == 1")
    assert found["net"]["any_batch"] is False
    assert found["agreement"] is None


def test_outputs_that_differ() -> None:
    done, found = asked("Net", "--tolerance", "0")
    assert done.status == 1
    assert [p["code"] for p in found["problems"]] == ["FX121"]
    assert found["agreement"]["agrees"] is False
    first = found["agreement"]["first_divergence"]
    assert (first["name"], first["module"], first["file"]) == ("fc", "fc", "model.py")
    assert (found["problems"][0]["line"], found["problems"][0]["module"]) == (first["line"], "fc")
    assert "nothing was written" not in found["problems"][0]["what"]
    assert done.err.endswith("nothing was written\n")


def test_training() -> None:
    _, found = asked("Net", "--verify", "training")
    training = found["training"]
    assert (training["agrees"], training["why"], training["apart"]) == (True, "", [])
    assert set(training["gradients"]) == {"fc_weight", "fc_bias"}


def test_a_number_that_json_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from codegen.proof.compare import Agreement, OutputAgreement

    outputs = (OutputAgreement("out", float("inf"), 1, "its own parameters", why="shapes"),)
    monkeypatch.setattr("tracer.conversion.Conversion.verify", lambda *_, **__: Agreement(outputs, (), 1e-4))
    done, found = asked("Net")
    assert done.status == 1
    assert found["agreement"]["outputs"][0]["difference"] is None
    assert found["agreement"]["outputs"][0]["why"] == "shapes"


def test_a_wrong_request() -> None:
    done, found = asked("Nett")
    assert done.status == 2
    (problem,) = found["problems"]
    assert (problem["code"], problem["word"]) == ("FX204", "no-such-name")
    assert problem["what"] in done.err


def test_the_nets_own_error_has_its_line() -> None:
    done, found = asked("Raises")
    assert done.status == 2
    (problem,) = found["problems"]
    assert (problem["word"], problem["file"], problem["line"]) == ("net-raised", "model.py", line_of("100%"))


@pytest.mark.parametrize(
    "words", [("--nothing",), ("--tolerance", "nan"), ("--processes", "2"), ("--kwargs", "{")]
)
@pytest.mark.parametrize("form", [("--format", "json"), ("--format=json",)])
def test_a_command_line_that_cannot_be_read(words: tuple[str, ...], form: tuple[str, ...]) -> None:
    done = fx2mx(*NET, *form, *words)
    found = document(done)
    assert done.status == 2
    assert found["problems"][0]["code"] == ("FX207" if words[0] == "--kwargs" else "FX201")
    assert words[0] in found["problems"][0]["what"]
    assert found["problems"][0]["what"] in done.err


def test_a_form_that_there_is_not() -> None:
    done = fx2mx(*NET, "--format", "xml")
    assert (done.status, done.out) == (2, "")


def test_check() -> None:
    options = ("--no-weights", "--no-verify")
    done, found = asked("Net", *options, "--check")
    assert done.status == 1
    assert [(p["code"], p["word"], p["file"]) for p in found["problems"]] == [
        ("FX123", "stale", "net_mxnet.py")
    ]
    assert fx2mx(*NET, *options).status == 0
    done, found = asked("Net", *options, "--check")
    assert (done.status, found["problems"], found["written"]) == (0, [], [])


def test_a_diff_is_on_stderr() -> None:
    assert fx2mx(*NET, "--no-weights", "--no-verify").status == 0
    with Path("net_mxnet.py").open("a") as file:
        file.write("# edited\n")
    done, found = asked("Net", "--no-weights", "--diff")
    assert [p["word"] for p in found["problems"]] == ["stale"]
    assert "-# edited" in done.err
    done, found = asked("Net", "--no-weights", "--no-verify")
    (problem,) = found["problems"]
    assert (done.status, problem["word"], problem["file"]) == (1, "edited", "net_mxnet.py")
    assert problem["hint"].endswith("--force")


def test_a_dry_run() -> None:
    done, found = asked("Net", "--dry-run")
    assert (done.status, found["net"]["ops"], found["written"]) == (0, {"FullyConnected": 1}, [])
    assert "would be converted, by MXNet op:" in done.err


def test_quiet_leaves_the_document_alone() -> None:
    done, found = asked("Net", "--quiet", "--no-verify")
    assert [row["code"] for row in found["notes"]] == ["FX402"]
    assert "agrees" not in done.err


def test_the_reports_data() -> None:
    """It is made where the report is asked for."""
    _, found = asked("Net", "--report", "review.md")
    assert found["review"]["summary"]["ops"] == 1
    assert "review.md" in found["written"]
    _, found = asked("Net", "--report", "-", "--force")
    assert found["review"]["summary"]["ops"] == 1
    assert "review.md" not in found["written"]


def test_a_defect_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracer.conversion.Conversion.save", lambda *_, **__: 1 / 0)
    done, found = asked("Net")
    assert done.status == 1
    assert [p["word"] for p in found["problems"]] == ["defect"]


# GitHub ----------------------------------------------------------------------------------------------


def commands(done: Done) -> list[str]:
    return [line for line in done.out.splitlines() if line.startswith("::")]


def test_annotations_stand_on_the_lines_of_the_source() -> None:
    done = fx2mx("model.py:Refused", "--out", "net_mxnet.py", "--input", "1,8", "--format", "github")
    assert done.status == 1
    first, second, note = commands(done)
    assert first.startswith(
        f"::error file=model.py,line={line_of('i0(x)')},title=FX101 no-rule::i0() has no rule%0Ahint: of"
    )
    assert second == (
        f"::error file=model.py,line={line_of('randn_like')},title=FX102 random::randn_like() draws random numbers in "
        "forward%0Ahint: pass the random tensor in as an input of forward"
    )
    assert note.startswith("::notice title=FX402 own-values::no --weights")
    assert "error: cannot be converted exactly, 2 problems" in done.err


def test_a_warning_is_one() -> None:
    done = fx2mx(
        "model.py:Frozen", "--out", "net_mxnet.py", "--input", "1,8", "--no-verify", "--format", "github"
    )
    assert done.status == 0
    line = line_of("x.shape[0] == 1")
    assert [c for c in commands(done) if c.startswith("::warning")] == [
        f"::warning file=model.py,line={line},title=FX301 batch-frozen::the batch size is frozen at 1: forward asks "
        f"N == 1 of the batch size N, at the net itself, {Path('model.py').resolve()}:{line}"
    ]
    assert "wrote net_mxnet.py" in done.out


def test_what_a_message_holds_is_escaped() -> None:
    done = fx2mx("model.py:Raises", "--out", "net_mxnet.py", "--input", "1,8", "--format", "github")
    (error,) = [c for c in commands(done) if c.startswith("::error")]
    assert "ValueError: 100%25 wrong, ... and 1 more line%0ATraceback" in error
    assert annotation("error", "FX1 a:b,c", "50%\r\n", "a,b:c%.py", 3) == (
        "::error file=a%2Cb%3Ac%25.py,line=3,title=FX1 a%3Ab%2Cc::50%25%0D%0A"
    )


def test_a_file_elsewhere_has_its_whole_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("work").mkdir()
    monkeypatch.chdir("work")
    done = fx2mx("../model.py:Refused", "--out", "net_mxnet.py", "--input", "1,8", "--format", "github")
    assert commands(done)[0].startswith(f"::error file={folder.resolve().as_posix()}/model.py,line=")


def test_a_stale_file_is_named() -> None:
    done = fx2mx(*NET, "--no-weights", "--check", "--format", "github")
    assert [c.partition("%0A")[0] for c in commands(done) if c.startswith("::error")] == [
        "::error file=net_mxnet.py,title=FX123 stale::net_mxnet.py is missing"
    ]


def test_a_command_line_is_annotated() -> None:
    done = fx2mx(*NET, "--format", "github", "--nothing")
    assert done.status == 2
    assert re.match(r"::error title=FX201 command-line::No such option", done.out)
