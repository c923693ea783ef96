"""`--report` of a net that is refused, or differs: what one reads of it, against nets of which the facts are known."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from markupsafe import escape

from codegen import rules
from tests.command import Done, fx2mx

REFUSED = """
import torch
from torch import nn


class Act(nn.Module):
    def forward(self, x):
        return torch.polar(x, x).abs()


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.act = Act()

    def forward(self, x):
        return self.act(self.conv(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.blocks = nn.Sequential(Block(4), Block(4))
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        x = self.blocks(self.stem(x))
        return self.fc(x.mean((2, 3)))
"""
DETECTOR = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
        self.boxes, self.scores = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 1, 1)

    def forward(self, x):
        x = self.body(x)
        boxes = self.boxes(x).flatten(2).transpose(1, 2)
        scores = self.scores(x).flatten(1)
        keep = scores > 0.5
        return boxes[keep]
"""
WAVES = """

class Waves(nn.Module):
    def forward(self, x):
        return torch.polar(x, x).abs()[:, :1]
"""
WITHIN = """

class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Net()

    def forward(self, x):
        return self.net(x)
"""
# The rule is wrong where the scale is below nought: both blocks convert, and the second differs.
DIFFERS = """
import torch
from torch import nn

import tracer


@tracer.op
def scaled(x, by):
    return x * by if by > 0 else x * by + 1


class Block(nn.Module):
    def __init__(self, by):
        super().__init__()
        self.by = by
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        x = self.conv(x)
        return scaled(x, self.by)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.blocks = nn.Sequential(Block(2.0), Block(-2.0))

    def forward(self, x):
        return self.blocks(self.stem(x)).mean((2, 3))
"""
PLUGIN = """
import tracer


@tracer.rule("scaled")
def scaled(b, x, by):
    return b.with_number("x * c", x, by)
"""
COMMAND = ("model.py:Net", "--out", "net.py", "--input", "1,3,8,8", "--quiet")


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _without_rules_of_the_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin's rule is one of the process, in which other tests count the rules."""
    monkeypatch.setattr(rules, "_ADDED", {})


def refused(to: str = "review.md", *more: str) -> Done:
    Path("model.py").write_text(REFUSED)
    return fx2mx(*COMMAND, "--report", to, *more)


def differing(to: str = "review.md", *more: str) -> Done:
    Path("model.py").write_text(DIFFERS)
    Path("plugin.py").write_text(PLUGIN)
    return fx2mx(*COMMAND, "--plugin", "plugin.py", "--report", to, *more)


def line_of(text: str) -> int:
    lines = Path("model.py").read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def rows_of(text: str) -> list[list[str]]:
    """The cells of the table of modules."""
    lines = [line for line in text.partition("<details>")[2].splitlines() if line.startswith("| ")]
    return [
        [cell.replace("&nbsp;", "").strip(" `") for cell in line.strip("|").split(" | ")]
        for line in lines[1:]
    ]


def test_what_is_refused_is_told_at_its_line() -> None:
    done = refused()
    assert (done.status, sorted(p.name for p in Path().iterdir())) == (1, ["model.py", "review.md"])
    assert done.out == ""
    assert done.err.endswith("nothing was written but review.md\n")
    text = Path("review.md").read_text()
    line = line_of("torch.polar")
    said = f"polar() has no rule (FX101 no-rule), at `model.py:{line}` in `blocks.0.act`, `blocks.1.act`"
    assert text.startswith("### Net is not converted: 1 refusal\n")
    assert f"- **Refused**: {said}; smallest module that shows it: `blocks.0.act` (`Act`), by " in text
    assert f">  {line} |         return torch.polar(x, x).abs()\n" in text
    assert "Way out: write it with other ops" in text
    assert str(Path.cwd()) not in text


def test_what_converts_and_what_does_not() -> None:
    refused()
    rows = rows_of(Path("review.md").read_text())
    why = "polar() has no rule (FX101)"
    assert [row[:4] for row in rows] == [
        ["stem", "Conv2d", "converts", "1"],
        ["blocks", "Sequential", "refused", ""],
        ["blocks.0", "Block", "refused", ""],
        ["blocks.0.conv", "Conv2d", "converts", "1"],
        ["blocks.0.act", "Act", "refused", ""],
        ["blocks.1", "Block", "refused", ""],
        ["blocks.1.conv", "Conv2d", "converts", "1"],
        ["blocks.1.act", "Act", "refused", ""],
        ["fc", "Linear", "converts", "1"],
    ]
    assert [row[4].strip("| ") for row in rows if "act" in row[0]] == [why, why]


@pytest.mark.parametrize("failing", [refused, differing])
def test_the_command_for_the_smallest_shows_it(failing: object) -> None:
    assert callable(failing)
    failing()
    text = Path("review.md").read_text()
    path, typed = re.findall(r"mallest module that shows it(?:\*\*)?: `(.*?)` .*?, by `(.*?)`\n", text)[0]
    assert path == ("blocks.0.act" if failing is refused else "blocks.1")
    done = fx2mx(*shlex.split(typed)[3:])
    assert done.status == 1
    assert (path if failing is refused else "differs from torch") in done.err
    assert not Path(f"{path.replace('.', '_')}_mxnet.py").exists()


def test_what_is_refused_after_it_is_told_too() -> None:
    """A net that looks at values is refused there; its parts show what else is, and where."""
    Path("model.py").write_text(REFUSED.replace("self.stem(x)", "self.stem(x if x.sum() > 0 else -x)"))
    assert fx2mx(*COMMAND, "--report", "review.md").status == 1
    text = Path("review.md").read_text()
    assert text.startswith("### Net is not converted: 2 refusals\n")
    assert re.search(
        r"FX104 data-dependent\), at `model.py:\d+` in the net itself\n.*"
        r"FX101 no-rule\), at `model.py:\d+` in `blocks.0.act`, `blocks.1.act`; .* `blocks.0.act` \(`Act`\)\n",
        text,
    ), text  # no command: a --tap of it stops at the values


def test_where_tracing_stops_what_comes_before_is_converted_by_a_command() -> None:
    Path("model.py").write_text(DETECTOR)
    assert fx2mx(*COMMAND, "--report", "review.md", "--report", "review.html").status == 1
    text, page = Path("review.md").read_text(), Path("review.html").read_text()
    line = line_of("boxes[keep]")
    assert (
        f"- **Not looked at**: the rest of `model.py:{line}`, where tracing stopped, what follows, " in text
    )
    assert "\nTracing stopped at this line. The rest of it was not looked at, nor what follows, " in text
    assert "<b>Tracing stopped at this line.</b>" in page
    (typed,) = re.findall(
        r"^- \*\*Before it\*\*: what the modules `boxes`, `scores` return converts, .*, 4 MXNet ops, by `(.*)`$",
        text,
        re.M,
    )
    assert typed.endswith("--out boxes_mxnet.py --input 1,3,8,8 --tap boxes,scores")
    assert f" by <code>{typed}</code>" in page
    done = fx2mx(*shlex.split(typed)[3:])
    assert (done.status, Path("boxes_mxnet.py").exists()) == (0, True)


def test_what_comes_before_and_does_not_convert_is_refused_too() -> None:
    """Then the modules that were done are tried one by one."""
    Path("model.py").write_text(DETECTOR.replace("nn.Conv2d(4, 1, 1)", "Waves()") + WAVES)
    assert fx2mx(*COMMAND, "--report", "review.md").status == 1
    text = Path("review.md").read_text()
    assert text.startswith("### Net is not converted: 2 refusals\n")
    assert "polar() has no rule (FX101 no-rule)" in text
    assert re.findall(r"^- \*\*Before it\*\*: (.*), by `.* --tap boxes`$", text, re.M) == [
        "what the module `boxes` returns converts, without what `forward` makes of it after, and with all that "
        "it needs, 3 MXNet ops"
    ]


def test_a_module_whose_rows_a_mask_picks_is_none_that_comes_before() -> None:
    Path("model.py").write_text(DETECTOR + WITHIN)
    assert fx2mx("model.py:Outer", *COMMAND[1:], "--report", "review.md").status == 1
    assert " --tap net.boxes,net.scores`\n" in Path("review.md").read_text()


def test_of_a_refusal_that_does_not_stop_no_such_thing_is_said() -> None:
    refused()
    text = Path("review.md").read_text()
    assert "Tracing stopped" not in text
    assert "**Before it**" not in text
    assert "**Not looked at**" not in text


def test_what_explain_says_of_each_kind_stands_below() -> None:
    Path("model.py").write_text(REFUSED.replace("self.stem(x)", "self.stem(x if x.sum() > 0 else -x)"))
    assert fx2mx(*COMMAND, "--report", "review.md", "--report", "review.html").status == 1
    text, page = Path("review.md").read_text(), Path("review.html").read_text()
    for code in ("FX101", "FX104"):
        said = fx2mx("--explain", code).out.rstrip()
        assert text.count(f"<code>python -m tracer.gen --explain {code}</code>") == 1
        assert f"~~~text\n{said}\n~~~\n" in text
        assert page.count(f"<code>python -m tracer.gen --explain {code}</code>") == 1
        assert str(escape(said)) in page


def test_where_both_part() -> None:
    done = differing()
    assert (done.status, Path("net.py").exists()) == (1, False)
    text = Path("review.md").read_text()
    assert text.startswith("### Net in MXNet differs from torch\n")
    line = line_of("scaled(x, self.by)")
    assert re.search(
        rf"\*\*First that parts\*\*: `blocks_1_scaled` .* at `model.py:{line}` in `blocks.1`, by ", text
    )
    assert "; the 4 results before it agree\n" in text
    assert f"> {line} |         return scaled(x, self.by)" in text
    values = re.findall(r"^\| `\[\d, \d, \d, \d\]` \| (\S+) \| (\S+) \|$", text, re.MULTILINE)
    assert len(values) == 10
    assert {round(float(torch) - float(mxnet), 3) for torch, mxnet in values} == {1.0}
    assert [row[:3] for row in rows_of(text)] == [
        ["blocks", "Sequential", "differs"],
        ["blocks.1", "Block", "differs"],
    ]


@pytest.mark.parametrize("failing", [refused, differing])
@pytest.mark.parametrize("to", ["review.md", "review.html"])
def test_the_same_bytes_again(failing: object, to: str) -> None:
    assert callable(failing)
    failing(to)
    before = Path(to).read_bytes()
    failing(to)
    assert Path(to).read_bytes() == before
    assert str(Path.cwd()).encode() not in before


def test_the_page_escapes_what_it_shows() -> None:
    Path("model.py").write_text(REFUSED.replace(".abs()", '.abs()  # </div><script>alert("x")</script>'))
    assert fx2mx(*COMMAND, "--report", "review.html").status == 1
    text = Path("review.html").read_text()
    assert text.count("<script") == 1
    assert "&lt;script&gt;" in text


def test_the_summary_alone() -> None:
    done = refused("-")
    assert done.status == 1
    assert done.out.startswith("### Net is not converted: 1 refusal\n")
    assert done.err.endswith("\nnothing was written\n")
    assert [p.name for p in Path().iterdir()] == ["model.py"]


def test_a_check_writes_nothing() -> None:
    assert refused("review.md", "--check").status == 1
    assert [p.name for p in Path().iterdir()] == ["model.py"]


def test_another_file_is_left_alone() -> None:
    Path("review.md").write_text("# Mine\n")
    assert refused().status == 1
    assert Path("review.md").read_text() == "# Mine\n"


def test_machines_are_told_too() -> None:
    made = json.loads(refused("review.md", "--format", "json").out)
    assert made["failure"]["smallest"]["path"] == "blocks.0.act"
    assert made["written"] == ["review.md"]
    assert made["review"] is None


def test_a_net_whose_inputs_are_not_known() -> None:
    """What looks at values is refused while inputs are looked for: there is nothing to run its parts on."""
    Path("model.py").write_text(REFUSED.replace("self.stem(x)", "self.stem(x if x.sum() > 0 else -x)"))
    done = fx2mx("model.py:Net", "--out", "net.py", "--quiet", "--report", "review.md")
    assert done.status == 1
    text = Path("review.md").read_text()
    assert "(FX102 data-dependent)" in text or "data-dependent" in text
