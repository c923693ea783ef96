"""`fx2mx report-diff`: reports are read back as they were, and what changed between two is told, and no more."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from codegen.written import Origin
from tests.command import Done, fx2mx
from tests.session import ROOT
from tracer.conversion import convert
from tracer.formats.document import VERSION
from tracer.review.made import review_of
from tracer.review.model import Digest, OutputRow, Review, SourceRow, WeightRow
from tracer.review.text import markdown
from tracer.review_diff import text
from tracer.review_diff.difference import difference_of, plain
from tracer.review_diff.model import Change, Fact, Rounding
from tracer.review_diff.parsed import parsed
from tracer.review_diff.reading import read_report

MODEL = """
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x):
        return x + self.bn(self.conv(x)).relu()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, bias=False)
        self.blocks = nn.Sequential(*(Block(4) for _ in range(3)))
        self.fc = nn.Linear(4, 2)
        self.unread = nn.Parameter(torch.zeros(5))

    def forward(self, x):
        x = self.blocks(self.stem(x))
        y = x * {"a|b": 0.5}["a|b"]
        return self.fc(y.mean((2, 3)))
"""
COMMAND = ("model.py:Net", "--out", "net.py", "--input", "1,3,8,8", "--quiet", "--force")


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL)


def review(model: nn.Module, *inputs: torch.Tensor) -> Review:
    conversion = convert(model.eval(), inputs)
    agreement = conversion.verify()
    assert agreement.ok
    return review_of(conversion, agreement, Origin("model.py:Net", "fx2mx"), Path(), [])


def reported(name: str, *changes: tuple[str, str]) -> str:
    """The report of the model with these changes, under this name."""
    source = MODEL
    for old, new in changes:
        assert old in source
        source = source.replace(old, new)
    # In a folder of its own: what was read of a source is kept for as long as the process lives.
    folder = Path(f"{name}.net")
    folder.mkdir()
    (folder / "model.py").write_text(source)
    done = fx2mx(f"{folder}/model.py:Net", "--out", folder / "net.py", *COMMAND[3:], "--report", name)
    assert done.status == 0, done.err
    return name


def diff(*words: str) -> Done:
    return fx2mx("report-diff", *words)


def rows(said: str) -> list[str]:
    """What the tables have, by row."""
    found = [line for line in said.splitlines() if line.startswith("| ")]
    return [line for line in found if not line.startswith("| |")]


# Reading -----------------------------------------------------------------------------------------------


class _Shared(nn.Module):
    """Shared weights, a constant, two outputs of which one is a dict's."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(4, 4), nn.Linear(4, 4)
        self.other.weight = self.one.weight

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"sum": self.other(self.one(x)) + torch.arange(4.0), "scaled": x * 0.25}


class _Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 3, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(x)[0][:, -1]  # type: ignore[no-any-return]


class _Frozen(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:1] if len(x) == 1 else x[:2]


class _Hostile(nn.Module):
    """Names and code that would be Markdown."""

    def __init__(self) -> None:
        super().__init__()
        self.add_module("a|b`c``d", nn.Linear(4, 4))
        self.add_module("`", nn.Linear(4, 4))
        self.register_parameter("<b>*_\\|</b>", nn.Parameter(torch.ones(4)))
        self.register_parameter(" and `,  differs by", nn.Parameter(torch.ones(4)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = getattr(self, "a|b`c``d")(x) * getattr(
            self, "<b>*_\\|</b>"
        )  # | ` `` \| <!-- a review by fx2mx -->
        return getattr(self, "`")(x) * {"`|` <!-- a review by fx2mx -->": 2.0}["`|` <!-- a review by fx2mx -->"]  # type: ignore[no-any-return]


class _Deep(nn.Module):
    """Functions and loops, of many shapes."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 4, 6, 8, 10, 12, 14)
        pairs = pairwise(widths)
        self.body = nn.Sequential(*(nn.Sequential(nn.Conv2d(i, o, 1), nn.BatchNorm2d(o)) for i, o in pairs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for part in self.body:
            x = part(x)
        return x


NETS = {
    "plain": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.MaxPool2d(2)), (1, 3, 8, 8)),
    "nothing": (nn.ReLU(), (1, 3)),
    "shared": (_Shared(), (1, 4)),
    "recurrent": (_Recurrent(), (1, 5, 4)),
    "frozen": (_Frozen(), (1, 4)),
    "hostile": (_Hostile(), (1, 4)),
    "deep": (_Deep(), (1, 3, 4, 4)),
}


@pytest.mark.parametrize("name", NETS)
def test_markdown_is_read_back(name: str) -> None:
    model, shape = NETS[name]
    own = review(model, torch.rand(*shape))
    assert parsed(markdown(own)) == plain(own)


def test_the_three_forms_say_the_same() -> None:
    done = fx2mx(*COMMAND, "--report", "review.md", "--report", "review.html", "--format", "json")
    assert done.status == 0
    assert json.loads(done.out)["written"][-2:] == ["review.md", "review.html"]
    Path("review.json").write_text(done.out)
    reviews = [plain(read_report(Path(f"review.{end}"))) for end in ("md", "html", "json")]
    assert reviews[0] == reviews[1] == reviews[2]
    assert reviews[0].summary.ops == 16
    for one in ("md", "html", "json"):
        for other in ("md", "html", "json"):
            done = diff(f"review.{one}", f"review.{other}", "--exit-code")
            assert (done.status, done.out) == (0, "Nothing changed in Net.\n")


def test_reports_of_an_earlier_fx2mx_are_read() -> None:
    """Which tell nothing of the inputs: that is no change, and no fault."""
    done = fx2mx(*COMMAND, "--report", "review.md", "--format", "json")
    older = json.loads(done.out)
    del older["review"]["inputs"], older["review"]["trials"], older["review"]["ops"]
    Path("older.json").write_text(json.dumps(older))
    text = Path("review.md").read_text()
    start, end = text.index("<details>\n<summary>Differences of the outputs"), text.index(
        "<details>\n<summary>Source map"
    )
    text = text[:start] + text[end:]
    start, end = text.index("<details>\n<summary>MXNet ops"), text.index("<details>\n<summary>Corrected")
    Path("older.md").write_text(text[:start] + text[end:])
    for name in ("older.json", "older.md"):
        assert not read_report(Path(name)).ops
        assert diff(name, "review.md", "--exit-code").out == "Nothing changed in Net.\n"


def test_other_inputs_are_told() -> None:
    linear = nn.Linear(4, 2)
    old, new = review(linear, torch.rand(1, 4)), review(linear, torch.rand(3, 4))
    said = "x (1, 4) float32 at batch 1: as given; x (2, 4) float32 at batch 2: "
    (fact,) = [fact for fact in difference_of(old, new).facts if fact.what == "Inputs"]
    assert fact.old.startswith(said.replace("x ", "input "))
    assert fact.new.startswith("input (3, 4) float32 at batch 3: as given; ")


def test_what_a_page_holds_is_no_markup() -> None:
    """In the data of the page too."""
    hostile = "</script><script>alert(1)</script>"
    Path("model.py").write_text(MODEL.replace('["a|b"]', f'["a|b"] + 0 * len("{hostile}")'))
    assert fx2mx(*COMMAND, "--report", "review.html").status == 0
    page = Path("review.html").read_text()
    assert hostile not in page
    assert any(hostile in row.statement for row in read_report(Path("review.html")).source_map)


def test_line_ends_and_what_stands_around_are_no_matter() -> None:
    before = Path(reported("old.md")).read_text()
    Path("new.md").write_bytes(("\ufeff" + before).replace("\n", "\r\n").encode() + b"\nmore\n")
    assert diff("old.md", "new.md").out == "Nothing changed in Net.\n"


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    reported("old.md")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(Path("old.md").read_bytes())))
    assert read_report(Path("-")) == read_report(Path("old.md"))


# What is no report -------------------------------------------------------------------------------------


def document(**more: Any) -> str:
    return json.dumps({"version": VERSION, "fx2mx": "0.1.0", "review": None} | more)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.md", None, "none.md cannot be read: No such file or directory; give a report"),
        ("readme.md", "# Mine\n", "readme.md is no report of fx2mx"),
        ("empty.md", "", "empty.md is no report of fx2mx"),
        ("page.html", "<!doctype html>\n<p>mine\n", "page.html is no report of fx2mx"),
        ("old.html", "<!doctype html>\n<!-- a review by fx2mx -->\n", "old.html is a page without the data"),
        ("list.json", "[1]", "list.json is no report of fx2mx"),
        ("half.json", '{"version": 1', "half.json is no whole JSON"),
        ("bare.json", document(), "bare.json has no review: --format json has one with --report"),
        (
            "next.json",
            document(version=VERSION + 1, fx2mx="9.0"),
            f"has form {VERSION + 1}, and this fx2mx reads",
        ),
        ("other.json", document(review={}), "other.json: review has no summary: it was edited"),
        ("bytes.md", b"\xff\xfe\x00", "bytes.md is no report of fx2mx"),
    ],
)
def test_a_wrong_file(name: str, content: str | bytes | None, said: str) -> None:
    if content is not None:
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    done = diff(name, name)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert done.whole_err.splitlines()[0].endswith("(FX250)")


def test_reports_of_nets_that_fail() -> None:
    """Of which the whole is told by `--report`, in each form."""
    source = MODEL.replace("        y = x", "        x = x if x.mean() > 0 else -x\n        y = x")
    Path("model.py").write_text(source)
    for more in ((), ("--tolerance", "0")):
        names = ("--report", "failed.md", "--report", "failed.html")
        done = fx2mx(*COMMAND, *names, "--format", "json", *more)
        assert done.status == 1
        assert "nothing was written but failed.md and failed.html" in done.err
        Path("failed.json").write_text(done.out)
        for end in ("md", "html", "json"):
            said = diff(f"failed.{end}", f"failed.{end}")
            assert (said.status, said.out) == (2, "")
            assert f"failed.{end} tells of a net that is refused or differs" in said.err
        Path("model.py").write_text(MODEL)


def test_a_report_that_was_changed() -> None:
    whole = Path(reported("old.md")).read_text()
    summary = fx2mx(*COMMAND, "--report", "-").out
    head, _, rest = whole.partition("\n| `BatchNorm` | `eps`")
    cases = {
        summary: "new.md is not whole: it has no last line",
        re.sub(
            r"\| `blocks_2_bn_gamma`.*\n", "", whole
        ): "new.md is not whole: the table of weights has 20 of 21 lines",
        f"{head}\n| BatchNorm | `eps`{rest}": f"new.md:{head.count(chr(10)) + 2}: 'BatchNorm' is not one piece of code",
        whole.replace(" MXNet ops", " ops"): "does not count ops, parameters and FLOPs",
        whole.replace("agrees with torch", "agrees", 1): "there is no heading",
        whole.replace("fx2mx 0.1.0", "fx2mx 9.0").replace("- **Batch**", "- **Batches**"): (
            "the summary has no line Batch: fx2mx 9.0 wrote it, and this is 0.1.0; make the report anew"
        ),
    }
    for changed, said in cases.items():
        Path("new.md").write_text(changed)
        done = diff("old.md", "new.md")
        assert (done.status, done.out) == (2, ""), said
        assert said in done.err


def test_data_of_another_form() -> None:
    done = fx2mx(*COMMAND, "--report", "-", "--format", "json")
    found = json.loads(done.out)
    found["review"]["a_field_of_tomorrow"] = 1
    Path("new.json").write_text(json.dumps(found))
    assert diff("new.json", "new.json").status == 0
    found["review"]["summary"]["ops"] = "16"
    Path("new.json").write_text(json.dumps(found))
    assert "review.summary.ops is not a whole number" in diff("new.json", "new.json").err
    found["review"]["summary"]["versions"] = [["torch"]]
    found["review"]["summary"]["ops"] = 16
    Path("new.json").write_text(json.dumps(found))
    assert "review.summary.versions[0] has 1 parts instead of 2" in diff("new.json", "new.json").err


# What changed ------------------------------------------------------------------------------------------


def test_lines_that_move_are_no_change() -> None:
    reported("old.md")
    reported("new.md", ("class Block", "# A comment.\n\n\nclass Block"), ("        y = x", "\n        y = x"))
    done = diff("old.md", "new.md", "--exit-code")
    assert done.status == 1
    assert done.out == (
        "### What changed in Net in MXNet\n\n- **Source**: `model.py` changed\n"
        "- **Layers**: their lines, ops and shapes are as they were; other attributes are told by the diff of "
        "the generated code\n"
    )


def test_a_new_layer() -> None:
    reported("old.md")
    reported("new.html", ("        y = x", "        x = x.clamp(0, 6)\n        y = x"))
    done = diff("old.md", "new.html")
    assert done.status == 0
    assert "- **MXNet ops**: 17, was 16\n" in done.out
    assert "- **Layers**: 1 new\n" in done.out
    (row,) = rows(done.out)
    assert re.fullmatch(
        r"\| new \| \d+ \| `model\.py:26` \| `x = x\.clamp\(0, 6\)` \| `clip` \| \(N, 4, 6, 6\) \|", row
    )
    back = diff("new.html", "old.md").out
    assert "- **Layers**: 1 gone\n" in back
    assert rows(back)[0].startswith("| gone | ")


def test_another_width() -> None:
    """Shapes, weights, parameters and FLOPs by block."""
    reported("old.md")
    reported("new.md", ("nn.Linear(4, 2)", "nn.Linear(4, 3)"))
    said = diff("old.md", "new.md").out
    assert "- **Parameters**: 591, was 586\n" in said
    assert "- **Outputs**: `fc_output` (N, 3), was `fc_output` (N, 2)\n" in said
    assert "- **Files**: " in said
    assert "| changed | `fc_weight` | `fc.weight` | (3, 4), was (2, 4) |" in rows(said)
    assert "| changed | `fc` | `Linear` | 15, was 10 | 24, was 16 |" in rows(said)
    (layer,) = [row for row in rows(said) if "return self.fc" in row]
    assert layer.startswith("| changed | ")
    assert layer.endswith("| (N, 4), (N, 3); was (N, 4), (N, 2) |")
    assert "- **Layers**: 1 changed\n" in said


def test_another_default() -> None:
    reported("old.md")
    reported("new.md", ("nn.BatchNorm2d(width)", "nn.BatchNorm2d(width, eps=1e-4)"))
    said = diff("old.md", "new.md").out
    assert "- **Corrected defaults**: 1 changed\n" in said
    assert rows(said) == ["| changed | `BatchNorm` | `eps` | `0.0001`, was `1e-5` | `0.001` | 3 |"]
    reported("deep.md", ("Block(4) for _ in range(3)", "Block(4) for _ in range(4)"))
    said = diff("old.md", "deep.md").out
    assert "| changed | `BatchNorm` | `eps` | `1e-5` | `0.001` | 4, was 3 |" in rows(said)
    (layer,) = [row for row in rows(said) if "self.conv(x)" in row]
    assert "`Convolution` x 4" in layer
    assert "; was `Convolution` x 3" in layer
    assert "| new | `blocks_3_bn_gamma` | `blocks.3.bn.weight` | (4,) |" in rows(said)
    assert "- **Weights**: 6 new\n" in said
    assert "| new | `*.num_batches_tracked` | 4 buffers that no output of inference depends on |" in said


def test_layers_in_another_order() -> None:
    order = "x = self.stem(x)\n        x = x.relu()\n        x = x * 3\n"
    reported("old.md", ("x = self.blocks(self.stem(x))", order))
    reported(
        "new.md",
        ("x = self.blocks(self.stem(x))", "x = self.stem(x)\n        x = x * 3\n        x = x.relu()\n"),
    )
    said = diff("old.md", "new.md").out
    assert "- **Layers**: 1 moved\n" in said
    (row,) = rows(said)
    assert row.startswith("| moved | ")


def test_another_wording_is_one_change() -> None:
    reported("old.md")
    reported("new.md", ('x * {"a|b": 0.5}["a|b"]', '{"a|b": 0.5}["a|b"] * x'))
    (row,) = rows(diff("old.md", "new.md").out)
    assert row.startswith("| changed | ")
    assert "| `y = {'a\\|b': 0.5}['a\\|b'] * x`; was `y = x * {'a\\|b': 0.5}['a\\|b']` |" in row


def test_rounding_is_no_change() -> None:
    own = plain(review(nn.Linear(4, 2), torch.rand(1, 4)))
    moved = [OutputRow(o.name, o.shape, "5e-05") for o in own.summary.outputs]
    rows_of = tuple(replace(row, difference="7e-05", line=row.line + 3) for row in own.source_map)
    new = replace(own, summary=replace(own.summary, outputs=tuple(moved)), source_map=rows_of)
    found = difference_of(own, new)
    assert not found.is_change
    assert found.rounding == (Rounding(moved[0].name, own.summary.outputs[0].difference, "5e-05"),)
    said = text.markdown(found)
    assert len(said.splitlines()) == 1
    assert "all within the tolerance: " in said
    assert "5e-05, was " in said
    assert text.markdown(difference_of(own, own)).count("\n") == 1


def test_facts_and_files() -> None:
    own = review(nn.Linear(4, 2), torch.rand(1, 4))
    summary = replace(
        own.summary,
        versions=(("fx2mx", "9.0"), ("new", "1.0")),
        tolerance="0.01",
        batch_size=2,
        batch="batch size 1 only: the net itself, model.py:7",
        sources=(Digest("a.py", "1" * 64),),
    )
    found = difference_of(
        replace(own, summary=summary), replace(own, summary=replace(summary, batch="x", flops=9))
    )
    assert found.facts == (
        Fact("FLOPs", f"{own.summary.flops} at batch 2", "9 at batch 2"),
        Fact("Batch", "batch size 1 only: the net itself, model.py:7", "x"),
    )
    shifted = replace(summary, batch="batch size 1 only: the net itself, model.py:8")
    assert not difference_of(replace(own, summary=summary), replace(own, summary=shifted)).is_change
    found = difference_of(own, replace(own, summary=summary))
    assert Fact("fx2mx", dict(own.summary.versions)["fx2mx"], "9.0") in found.facts
    assert Fact("new", "", "1.0") in found.facts
    assert Fact("numpy", dict(own.summary.versions)["numpy"], "") in found.facts
    assert [change.kind for change in found.sources].count("new") == 1
    assert "- **numpy**: none, was " in text.markdown(found)
    # FLOPs of two batch sizes are not compared block by block.
    blocks = tuple(replace(row, flops=2 * row.flops) for row in own.blocks)
    assert difference_of(own, replace(own, summary=summary, blocks=blocks)).blocks == ()


def test_weights_by_name() -> None:
    """A constant is what it is whichever line reads it; another key is a change."""
    own = plain(review(nn.Linear(4, 2), torch.rand(1, 4)))
    constant = WeightRow("c", (), "(4,)", 4, "values, for model.py:7")
    weight = WeightRow("fc_weight", ("fc.weight",), "(4, 4)", 16)

    def kinds(*rows: WeightRow) -> list[tuple[str, str]]:
        before, after = replace(own, weights=(constant, weight)), replace(own, weights=rows)
        return [(c.kind, (c.new or c.old).name) for c in difference_of(before, after).weights]

    assert kinds(replace(constant, constant="values, for model.py:12"), weight) == []
    assert kinds(replace(constant, constant="0.5, for model.py:7"), weight) == [("changed", "c")]
    assert kinds(constant, replace(weight, keys=("fc.weight", "tied.weight"))) == [("changed", "fc_weight")]
    assert kinds(constant, replace(weight, name="w")) == [("new", "w"), ("gone", "fc_weight")]


def row_of(statement: str, line: int, *ops: str, shape: str = "(N, 4)") -> SourceRow:
    return SourceRow(line, (f"model.py:{line + 50}",), statement, tuple((op, 1) for op in ops), (shape,), "0")


def test_how_the_code_is_folded_is_no_matter() -> None:
    """One line of torch in a loop, or unrolled: what it becomes is the same."""
    own = plain(review(nn.Linear(4, 2), torch.rand(1, 4)))
    looped = SourceRow(9, ("model.py:3",), "x = f(x)", (("relu", 3),), ("(N, 4)",), "0")
    unrolled = tuple(replace(looped, line=n, ops=(("relu", 1),)) for n in (9, 12, 15))
    assert not difference_of(replace(own, source_map=(looped,)), replace(own, source_map=unrolled)).is_change


def test_lines_are_paired_by_what_they_are() -> None:
    own = plain(review(nn.Linear(4, 2), torch.rand(1, 4)))
    old = (row_of("a = f(x)", 1, "f"), row_of("b = g(a)", 2, "g"), row_of("c = h(b)", 3, "h"))
    new = (row_of("b = g(a)", 5, "g", shape="(N, 8)"), row_of("c = h(b)", 6, "h"), row_of("d = k(c)", 7, "k"))
    found = difference_of(replace(own, source_map=old), replace(own, source_map=new)).layers
    assert [(c.kind, (c.new or c.old).statement) for c in found] == [
        ("gone", "a = f(x)"),
        ("changed", "b = g(a)"),
        ("new", "d = k(c)"),
    ]
    assert isinstance(found[0], Change)


# The command -------------------------------------------------------------------------------------------


def test_it_is_written_into_a_file() -> None:
    reported("old.md")
    reported("new.md", ("nn.Linear(4, 2)", "nn.Linear(4, 3)"))
    printed = diff("old.md", "new.md").out
    done = diff("old.md", "new.md", "--out", "diff.md")
    assert (done.status, done.out) == (0, "wrote diff.md\n")
    assert Path("diff.md").read_text().startswith(printed)
    assert diff("old.md", "new.md", "--out", "diff.md", "--quiet").out == ""
    assert "is no report of fx2mx" in diff("old.md", "diff.md").err


def test_neither_framework_is_loaded() -> None:
    reported("old.md")
    code = "import sys; from tracer.gen import main\ntry: main(['report-diff', 'old.md', 'old.md'])\n"
    code += "except SystemExit as end: print(end.code, [m for m in ('torch', 'mxnet') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "Nothing changed in Net.\n0 []\n"


def test_no_file_of_another_is_overwritten() -> None:
    reported("old.md")
    before = Path("old.md").read_bytes()
    done = diff("old.md", "old.md", "--out", "old.md")
    assert (done.status, Path("old.md").read_bytes()) == (1, before)
    assert done.err.splitlines()[:3] == [
        "error: old.md was not written by fx2mx: give another name",
        "to overwrite it, type",
        "    fx2mx report-diff old.md old.md --out old.md --force",
    ]
    assert diff("old.md", "old.md", "--out", "none/diff.md").status == 2
    assert diff("old.md", "old.md", "--out", "old.md", "--force").status == 0


def test_a_command_line_that_is_wrong() -> None:
    done = diff("old.md")
    assert (done.status, done.out) == (2, "")
    assert "Missing argument 'NEW'" in done.err


# Two reports of one run --------------------------------------------------------------------------------


def test_reports_of_one_comparison() -> None:
    done = fx2mx(*COMMAND[:-2], "--report", "review.md", "--report", "review.html", "--report", "-")
    assert done.status == 0
    assert done.err.count("comparing with torch") == 1
    assert done.out.count("### Net in MXNet agrees with torch\n") == 1
    assert done.out.endswith("wrote review.md\nwrote review.html\n")
    again = (*COMMAND, "--report", "review.md", "--report", "review.html", "--check")
    assert fx2mx(*again).status == 0
    Path("review.html").write_text("old")
    assert fx2mx(*again).err == "error: review.html is stale\n"
    assert (
        "give a name that ends in .md or .html"
        in fx2mx(*COMMAND, "--report", "a.md", "--report", "a.txt").err
    )
    Path("mine.md").write_text("mine")
    done = fx2mx(*COMMAND[:-1], "--report", "a.md", "--report", "mine.md")
    assert (done.status, Path("a.md").exists()) == (1, False)
