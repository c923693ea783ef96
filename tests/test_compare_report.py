"""`fx2mx compare --report`: what one reads of a port, against ports of which the mistakes are known."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import mxnet as mx
import pytest
import torch

from tests.command import Done, fx2mx
from tests.ports import (
    INPUTS,
    MODEL,
    attention_port,
    attention_values,
    conv_port,
    conv_values,
    net_with_weights,
    save,
)
from tests.schema import PAGE as SCHEMA

WRONG: dict[str, Any] = {"bn1": {}, "slope": 0.25}


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL)


def reported(
    symbol: mx.sym.Symbol,
    values: Mapping[str, Any],
    to: str = "port.md",
    *more: str,
    name: str = "Conv",
) -> Done:
    """The command on a port that is saved under these weights, and its report."""
    save("port", symbol, values)
    options = ["--weights", f"{name}.pth", "--quiet", "--report", to]
    return fx2mx("compare", f"model.py:{name}", "port", *INPUTS[name], *options, *more)


def wrong(to: str = "port.md", *more: str) -> Done:
    return reported(conv_port(**WRONG), conv_values(net_with_weights("Conv")), to, *more)


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(MODEL.splitlines(), start=1) if text in line)


def rows(text: str, summary: str) -> list[list[str]]:
    """The cells of the table under a summary of details."""
    part = text.partition(f"<summary>{summary}")[2].partition("</details>")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip(" `") for cell in re.split(r" ?\| ?", line)[1:-1]] for line in lines[1:]]


# What it says ------------------------------------------------------------------------------------


def test_each_cause_is_told_with_its_line() -> None:
    assert wrong().status == 1
    text = Path("port.md").read_text()
    line = line_of("self.act(self.bn1")
    assert text.startswith(
        "### Conv as ported in port differs from torch\n\n- **Outputs**: `d1_output` differs by "
    )
    assert re.search(
        rf"^- \*\*First that parts\*\*: `b0` \(`BatchNorm`\) parts by \de-0\d, at `model.py:{line}` in `bn1`: "
        r"eps: write eps=1e-5 where the port has MXNet's default, 0.001; fix\\_gamma: write fix\\_gamma=False "
        r"where the port has MXNet's default, True$",
        text,
        re.MULTILINE,
    )
    assert re.search(r"^- \*\*With that mended\*\*: `a0` \(`LeakyReLU`\) parts by ", text, re.MULTILINE)
    assert re.search(
        r"^- \*\*All mended\*\*: Once these are mended the port agrees with torch: ", text, re.MULTILINE
    )
    assert re.search(
        r"^#### 1\. b0\n\n`BatchNorm` parts by \S+; the op before it agrees\. In torch it is ", text, re.M
    )
    assert f"> {line} |         x = self.maxpool(self.act(self.bn1(self.conv1(x))))\n" in text
    assert "\n- `slope`: write slope=0.01 where the port has 0.25\n" in text


def test_values_side_by_side() -> None:
    """Where they differ the most: what torch has, and what is wrong by as much as the mistake makes it."""
    model = net_with_weights("Conv")
    with torch.no_grad():
        reported(conv_port(), conv_values(model, c1_bias=model.conv2.bias + 0.5))
    text = Path("port.md").read_text()
    found = re.findall(r"^\| `\[(\d), \d+, \d, \d\]` \| (\S+) \| (\S+) \|$", text, re.MULTILINE)
    assert len(found) == 10
    assert {round(float(ours) - float(theirs), 2) for _, theirs, ours in found} == {0.5}
    assert "The places of `c1` that differ the most; its shape is (2, 12, 4, 4).\n" in text


def test_agreement_by_layer() -> None:
    wrong()
    text = Path("port.md").read_text()
    found = rows(text, "Agreement by layer")
    names = "c0 b0 a0 p0 c1 b1 a1 p1 flatten d0 a2 d1".split()
    assert [re.sub(r"(?<=flatten)\d+", "", row[0]) for row in found] == names
    line = line_of("self.act(self.bn1")
    assert found[0] == ["c0", "Convolution", "conv2d", f"model.py:{line}", found[0][4], "agrees"]
    assert found[1][:4] == ["b0", "BatchNorm", "batch_norm", f"model.py:{line}"]
    assert (found[1][5], found[2][5], found[-1][5]) == ("parts", "not known", "parts")
    assert float(found[1][4]) > 1e-4
    assert found[2][2:5] == ["", "", ""]


def test_the_weights_and_how_they_were_matched() -> None:
    model = net_with_weights("Conv")
    with torch.no_grad():
        reported(conv_port(), conv_values(model, d1_weight=model.fc2.weight.T, c1_bias=model.conv2.bias + 1))
    found = rows(Path("port.md").read_text(), "Weights")
    by_name = {row[0]: row[1:] for row in found if row[0]}
    assert by_name["c0_weight"] == ["(8, 3, 3, 3)", "conv1.weight", "(8, 3, 3, 3)", "by value", ""]
    assert by_name["d1_weight"] == ["(10, 10)", "fc2.weight", "(10, 10)", "by value", "transposed"]
    assert by_name["c1_bias"][3:] == ["by shape and order", "with other values"]
    assert found[-2] == ["", "", "bn1.num_batches_tracked", "()", "no weight of the port's holds it", ""]


def test_a_port_that_agrees_has_one_too() -> None:
    done = reported(conv_port(momentum=0.1), conv_values(net_with_weights("Conv")))
    assert done.status == 0
    text = Path("port.md").read_text()
    assert text.startswith("### Conv as ported in port agrees with torch\n")
    assert re.search(
        r"^- \*\*Outputs\*\*: `d1_output` agrees, largest difference (0|below 1e-7|\de-0\d); 0\.0001",
        text,
        re.M,
    )
    assert "- **Agreement by layer**: of 12 ops 12 agree\n" in text
    assert {row[5] for row in rows(text, "Agreement by layer")} == {"agrees"}
    assert "- **Note**: in training alone: write momentum=0.9 in b0 " in text
    assert text.count("(FX424)") == 1
    assert "First that parts" not in text


def test_what_is_not_found_is_told() -> None:
    model = net_with_weights("Conv")
    symbol = mx.sym.sin(conv_port(), name="wave") * 3.0
    assert reported(symbol, conv_values(model)).status == 1
    text = Path("port.md").read_text()
    assert "`wave` (`sin`) " in text
    if "cause: not found" in text:
        assert "; tried: " in text


def test_the_digests_and_the_command() -> None:
    """The command, typed in the folder of the port, compares the same again."""
    Path("ports").mkdir()
    save("ports/port", conv_port(**WRONG), conv_values(net_with_weights("Conv")))
    options = ["--weights", "Conv.pth", "--tolerance", "0.001", "--report", "port.md"]
    assert fx2mx("compare", "model.py:Conv", "ports/port", *INPUTS["Conv"], *options).status == 1
    text = Path("port.md").read_text()
    (typed,) = re.findall(r"\*\*Asked by\*\*: `(.*)`$", text, re.MULTILINE)
    words = shlex.split(typed)
    assert words[:5] == ["python", "-m", "tracer.compare", "../model.py:Conv", "port"]
    assert words[5:] == ["--input", "1,3,16,16", "--weights", "Conv.pth", "--tolerance", "0.001"]
    for file in ("../model.py", "port-symbol.json", "port-0000.params", "Conv.pth"):
        assert re.search(rf"`{re.escape(file)}` sha256 `[0-9a-f]{{64}}`", text), file


@pytest.mark.parametrize("to", ["port.md", "port.html"])
def test_the_same_bytes_again(to: str) -> None:
    """And nothing of this machine, also where a cause names a place."""
    values = conv_values(net_with_weights("Conv"))
    reported(conv_port(relu=None), values, to)
    before = Path(to).read_bytes()
    options = ["--weights", "Conv.pth", "--quiet", "--report", to]
    assert fx2mx("compare", "model.py:Conv", "port", *INPUTS["Conv"], *options).status == 1
    assert Path(to).read_bytes() == before
    assert b"relu is missing between b1 and p1 (the net itself, model.py:" in before
    assert str(Path.cwd()).encode() not in before


def test_an_attention_of_heads_is_laid_beside_torch() -> None:
    values = attention_values(net_with_weights("Attention"))
    assert reported(attention_port(eps=0.1), values, name="Attention").status == 1
    found = rows(Path("port.md").read_text(), "Agreement by layer")
    assert found[0][:3] == ["ln", "LayerNorm", "layer_norm"]
    assert found[0][5] == "parts"


# Where it goes -----------------------------------------------------------------------------------


def test_the_page_is_one_file_and_escapes_what_it_shows() -> None:
    Path("model.py").write_text(
        MODEL.replace("self.conv1(x))))", 'self.conv1(x))))  # </div><script>alert("x")</script>')
    )
    assert wrong("port.html").status == 1
    text = Path("port.html").read_text()
    assert text.startswith("<!doctype html>\n<!-- a review by fx2mx -->\n")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert re.findall(r"(?:src|href)=\"(?!#)[^\"]*", text) == []
    assert text.count("<circle ") == len(re.findall(r'<td class="num">\S+</td><td class="short">', text))


def test_the_summary_alone() -> None:
    """The report has stdout for itself then."""
    save("port", conv_port(**WRONG), conv_values(net_with_weights("Conv")))
    done = fx2mx(
        "compare", "model.py:Conv", "port", *INPUTS["Conv"], "--weights", "Conv.pth", "--report", "-"
    )
    assert done.status == 1
    assert done.out.startswith("### Conv as ported in port differs from torch\n")
    assert "\t" not in done.out
    assert "c0_weight\t(8,3,3,3)\t" in done.err
    assert "####" not in done.out


def test_both_forms_of_one_comparison() -> None:
    assert wrong("port.md", "--report", "port.html").status == 1
    assert Path("port.md").read_text().startswith("### Conv as ported in port differs")
    assert "<title>Conv as ported in port differs" in Path("port.html").read_text()


def test_the_table_stays_alone_on_stdout() -> None:
    save("port", conv_port(), conv_values(net_with_weights("Conv")))
    done = fx2mx(
        "compare", "model.py:Conv", "port", *INPUTS["Conv"], "--weights", "Conv.pth", "--report", "port.md"
    )
    assert done.status == 0
    assert done.err.endswith("\nwrote port.md\n")
    assert all(line.count("\t") >= 3 for line in done.out.splitlines())


@pytest.mark.parametrize(
    ("to", "status", "said"),
    [
        (
            "port.txt",
            2,
            "--report port.txt: give a name that ends in .md or .html, or - for the summary alone  (FX238)",
        ),
        (
            "nowhere/port.md",
            2,
            "--report nowhere/port.md: there is no folder nowhere; make it first  (FX238)",
        ),
        ("mine.md", 1, "mine.md was not written by fx2mx: give another name  (FX125)"),
    ],
)
def test_where_it_cannot_go(to: str, status: int, said: str) -> None:
    Path("mine.md").write_text("# Mine\n")
    done = wrong(to)
    assert (done.status, done.whole_err.splitlines()[0]) == (status, f"error: {said}")
    assert Path("mine.md").read_text() == "# Mine\n"
    if to == "mine.md":
        assert done.err.splitlines()[2].endswith("--report mine.md --force")
        assert wrong(to, "--force").status == 1
        assert Path("mine.md").read_text().startswith("### Conv as ported in port differs")


# Machines ----------------------------------------------------------------------------------------


def test_the_document() -> None:
    made = json.loads(wrong("port.md", "--format", "json").out)
    jsonschema.validate(made, json.loads(SCHEMA.read_text()))
    first, *causes = made["problems"]
    assert {p["code"] for p in made["problems"]} == {"FX126"}
    assert first["what"].startswith("the port differs from torch: output d1_output by ")
    assert [c["what"].partition(" (")[0] for c in causes] == ["b0", "a0"]
    line = line_of("self.act(self.bn1")
    assert {(c["file"], c["line"]) for c in causes} == {("model.py", line)}
    assert causes[1]["hint"] == "slope: write slope=0.01 where the port has 0.25"
    assert made["command"].startswith("python -m tracer.gen compare model.py:Conv port ")
    assert (made["status"], made["written"], made["net"]) == (1, ["port.md"], None)
    assert made["agreement"]["first_divergence"]["name"] == "b0"
    assert made["port"]["causes"][0]["mending"][0]["subject"] == "eps"
    assert made["port"]["is_mended"]


def test_a_document_of_a_port_that_agrees() -> None:
    save("port", conv_port(momentum=0.1), conv_values(net_with_weights("Conv")))
    options = ["--weights", "Conv.pth", "--format", "json"]
    done = fx2mx("compare", "model.py:Conv", "port", *INPUTS["Conv"], *options)
    made = json.loads(done.out)
    assert (done.status, made["status"], made["problems"], made["port"]) == (0, 0, [], None)
    assert made["agreement"]["agrees"]
    assert [note["code"] for note in made["notes"]] == ["FX408", "FX424"]
    assert made["notes"][1]["line"] == line_of("self.act(self.bn1")
    assert "c0_weight\t" in done.err


def test_a_document_of_a_wrong_request() -> None:
    net_with_weights("Conv")
    done = fx2mx("compare", "model.py:Conv", "nowhere", *INPUTS["Conv"], "--format", "json")
    made = json.loads(done.out)
    assert (done.status, [p["code"] for p in made["problems"]]) == (2, ["FX260"])
    done = fx2mx("compare", "model.py:Conv", "--format", "json")
    assert (done.status, [p["code"] for p in json.loads(done.out)["problems"]]) == (2, ["FX201"])
    assert done.whole_err.count("(FX201)") == 1


def test_annotations_stand_on_the_lines_of_the_source() -> None:
    done = wrong("port.md", "--format", "github")
    line = line_of("self.act(self.bn1")
    place = f"::error file=model.py,line={line},title=FX126 port-differs::"
    found = [text for text in done.out.splitlines() if text.startswith("::error")]
    assert [text.startswith(place) for text in found] == [True] * 3
    assert found[2].endswith("%0Ahint: slope: write slope=0.01 where the port has 0.25")


# Ports that are right ----------------------------------------------------------------------------


def test_a_norm_that_is_folded_into_the_convolution() -> None:
    """The weights are others than torch's throughout, and give the same."""
    model = net_with_weights("Conv")
    values = conv_values(model)
    symbol = conv_port()
    with torch.no_grad():
        for conv, norm, mine in ((model.conv1, model.bn1, "b0"), (model.conv2, model.bn2, "b1")):
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            values[f"c{mine[1]}_weight"] = conv.weight * scale[:, None, None, None]
            bias = conv.bias if conv.bias is not None else 0.0
            values[f"{mine}_beta"] = norm.bias + (bias - norm.running_mean) * scale
            values[f"{mine}_gamma"] = torch.ones_like(scale)
            values[f"{mine}_moving_mean"] = torch.zeros_like(scale)
            values[f"{mine}_moving_var"] = torch.full_like(scale, 1 - norm.eps)
        values["c1_bias"] = torch.zeros_like(model.conv2.bias)
    assert reported(symbol, values).status == 0
    assert "Other weights" not in Path("port.md").read_text()


def test_a_reshape_that_would_end_the_process() -> None:
    """MXNet infers the shape that is written for any batch, and aborts where it runs."""
    model = net_with_weights("Two")
    one, two = (
        mx.sym.FullyConnected(mx.sym.Variable(i), num_hidden=4, name=n)
        for n, i in (("u", "image"), ("v", "vector"))
    )
    symbol = mx.sym.reshape(one - two, shape=(1, 4))
    pairs = [
        (f"{n}_{e}", getattr(getattr(model, k), e))
        for n, k in (("u", "one"), ("v", "two"))
        for e in ("weight", "bias")
    ]
    done = reported(symbol, dict(pairs), name="Two")
    assert done.status == 0, done.err
    assert "(FX422)" in Path("port.md").read_text()


def test_an_op_that_cannot_be_run() -> None:
    model = net_with_weights("Two")
    one = mx.sym.dot(mx.sym.Variable("image"), mx.sym.Variable("one_weight"), name="one")
    two = mx.sym.dot(mx.sym.Variable("vector"), mx.sym.Variable("two_weight"), transpose_b=True, name="two")
    biases = mx.sym.Variable("one_bias", shape=(4,)) - mx.sym.Variable("two_bias", shape=(4,))
    values = {f"{n}_{e}": getattr(getattr(model, n), e) for n in ("one", "two") for e in ("weight", "bias")}
    symbol = mx.sym.broadcast_add(one - two, mx.sym.expand_dims(biases, axis=0))
    assert reported(symbol, values, name="Two").status == 1
    text = Path("port.md").read_text()
    assert "- **First that parts**: `one` (`dot`) cannot be run: " in text
    assert rows(text, "Agreement by layer")[0][5] == "cannot be run"
    assert "- **With torch's value there**: `two` (`dot`) parts by " in text
    assert "All mended" not in text


def test_another_number_of_outputs_is_no_rounding() -> None:
    symbol = attention_port()
    values = attention_values(net_with_weights("Attention"))
    assert reported(mx.sym.Group([symbol, mx.sym.sum(symbol)]), values, name="Attention").status == 1
    text = Path("port.md").read_text()
    assert "the port gives 2 where forward returns 1" in text
    assert "No layer alone parts" not in text


def test_report_diff_says_what_it_is() -> None:
    for to in ("port.md", "port.html"):
        wrong(to)
        said = fx2mx("report-diff", to, to)
        assert (said.status, said.out) == (2, "")
        assert f"{to} tells of a port" in said.err
