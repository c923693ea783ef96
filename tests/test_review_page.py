"""The review as a page: what it holds, that it is one file, and that no text in it becomes markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import pytorchcv.models.resnet
import torch
from torch import nn

from codegen.proof.code_lines import lines_of
from codegen.written import Origin
from tests.command import Done, fx2mx
from tracer.conversion import convert
from tracer.review import layout
from tracer.review.highlight import lines_of_html
from tracer.review.histograms import BINS, HEIGHT, histogram
from tracer.review.html import bars, page_html, short
from tracer.review.made import review_of
from tracer.review.model import Flow, Layout, Node, Page
from tracer.review.page import page_of
from tracer.review.page_data import anchors, spans_of
from tracer.review.plot import plot_of
from tracer.review.sources import source_text
from tracer.review.training import training
from tracer.training_parity import TrainingAgreement

MODEL = """
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x):
        y = self.bn(self.conv(x))
        return (x + y).relu()


UNUSED = '''
a line that no op is of
'''


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, bias=False)
        self.blocks = nn.Sequential(*(Block(4) for _ in range(2)))
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        x = self.blocks(self.stem(x))
        return self.fc(x.mean((2, 3)))
"""
# In a string, a comment and a name: what would end a script, a comment or an attribute, and begin another.
HOSTILE = """
import torch
from torch import nn


class Net(nn.Module):
    '''</script><script>alert(1)</script><!-- ' " --><img src=x onerror=alert(2)>'''

    def __init__(self):
        super().__init__()
        self.add_module('"><svg onload=alert(3)>', nn.Linear(4, 4))
        self.register_parameter("</td><script>alert(4)</script>", nn.Parameter(torch.ones(4)))

    def forward(self, x):  # </code></div></section><b onclick="alert(5)">
        x = getattr(self, '"><svg onload=alert(3)>')(x)
        return x * getattr(self, "</td><script>alert(4)</script>") + {'{{ 7 * 7 }}': 1}['{{ 7 * 7 }}']
"""
MANUAL = "https://mxnet.apache.org/versions/1.9.1/api/python/docs/api/symbol/"
COMMAND = ("model.py:Net", "--out", "net.py", "--input", "1,3,8,8", "--quiet", "--report", "review.html")


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and what stands in each line of code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.lines: dict[str, str] = {}
        self._line = ""
        self._is_code = False
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        own = dict(attributes)
        self.found.append((tag, own))
        if tag == "div":
            self._line = own["id"] or "" if "l" in (own.get("class") or "").split() else ""
        if tag == "code" and self._line:
            self._is_code = True
            self.lines[self._line] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "code":
            self._is_code = False

    def handle_data(self, text: str) -> None:
        if self._is_code:
            self.lines[self._line] += text


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL)


def reported(*more: str) -> Done:
    return fx2mx(*COMMAND, *more)


def page(model: nn.Module, *inputs: torch.Tensor, is_trained: bool = False, fresh: bool = True) -> Page:
    conversion = convert(model.eval(), inputs)
    agreement = conversion.verify(fresh=fresh)
    assert agreement.ok
    review = review_of(conversion, agreement, Origin("model.py:Net", "fx2mx"), Path(), [])
    trained = conversion.verify_training() if is_trained else None
    return page_of(review, conversion, agreement, trained, Path("net.py"))


def line_of(text: str, file: str) -> int:
    lines = Path(file).read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def loaded(text: str) -> nn.Module:
    """The Net of a model file, which stands on disk so that its lines are known."""
    Path("model.py").write_text(text)
    namespace = {"__name__": "model"}
    exec(compile(text, str(Path("model.py").resolve()), "exec"), namespace)
    torch.manual_seed(0)
    net: nn.Module = namespace["Net"]()  # type: ignore[operator]
    return net


# The file ----------------------------------------------------------------------------------------------


def test_the_same_bytes_again_and_stale_where_they_are_not(tmp_path: Path) -> None:
    assert reported().status == 0
    before = Path("review.html").read_bytes()
    assert reported().status == 0
    assert Path("review.html").read_bytes() == before
    assert reported("--check").status == 0
    Path("review.html").write_bytes(before + b"more\n")
    assert reported("--check").err == "error: review.html is stale\n"
    text = before.decode()
    assert str(tmp_path) not in text
    assert not re.search(r"\d\d:\d\d:\d\d|20\d\d-", re.sub("sha256.*", "", text))


def test_it_overwrites_a_review_and_nothing_else() -> None:
    Path("review.html").write_text("<p>Mine</p>\n")
    done = reported()
    assert (done.status, Path("review.html").read_text()) == (1, "<p>Mine</p>\n")
    assert "review.html was not written by fx2mx" in done.err


def test_nothing_outside_is_asked_for() -> None:
    assert reported().status == 0
    text = Path("review.html").read_text()
    tags = Tags(text).found
    assert [
        own for _, own in tags if {"src", "srcset", "poster", "data", "action", "background"} & set(own)
    ] == []
    # Links alone lead elsewhere, to MXNet's manual: what is no link loads nothing.
    linked = [own["href"] or "" for tag, own in tags if own.get("href")]
    assert {tag for tag, own in tags if own.get("href")} == {"a"}
    assert {link for link in linked if not link.startswith((MANUAL, "#"))} == set()
    assert any(link.startswith(MANUAL) for link in linked)
    assert not {"link", "base", "iframe", "object", "embed", "img", "audio", "video"} & {
        tag for tag, _ in tags
    }
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(own["content"] for _, own in tags if own.get("http-equiv") == "Content-Security-Policy")
    assert (policy or "").startswith("default-src 'none'; ")


def test_every_link_leads_somewhere() -> None:
    assert reported().status == 0
    tags = Tags(Path("review.html").read_text()).found
    ids = [own["id"] for _, own in tags if "id" in own]
    assert len(ids) == len(set(ids))
    linked = [own["href"] or "" for _, own in tags if own.get("href")]
    assert {link[1:] for link in linked if not link.startswith(MANUAL)} - set(ids) == set()
    assert {f"model.py-L{line_of('return (x + y)', 'model.py')}", "net.py-L1"} <= set(ids)


def test_no_text_becomes_markup() -> None:
    plain = Tags(page_html(page(loaded(MODEL), torch.rand(1, 3, 8, 8))))
    text = page_html(page(loaded(HOSTILE), torch.rand(1, 4)))
    tags = Tags(text)
    assert {tag for tag, _ in tags.found} <= {tag for tag, _ in plain.found}
    assert [own for _, own in tags.found if any(name.startswith("on") for name in own)] == []
    assert text.count("<script") == text.count("</script") == 3
    lines = HOSTILE.split("\n")
    shown = {
        int(key.rpartition("-L")[2]): line for key, line in tags.lines.items() if key.startswith("model.py")
    }
    assert shown == {number: lines[number - 1] for number in shown}
    assert "onerror=alert(2)" in "".join(shown.values())
    assert "{{ 7 * 7 }}" in "".join(shown.values())


@pytest.mark.slow
def test_a_resnet152_is_at_most_two_megabytes() -> None:
    torch.manual_seed(0)
    net = pytorchcv.models.resnet.resnet152()
    text = page_html(page(net, torch.rand(1, 3, 224, 224), fresh=False))
    assert len(text.encode()) <= 2_000_000
    assert "features_stage4_unit3_body_conv3_bn" in text


# What it holds -----------------------------------------------------------------------------------------


def test_both_codes_line_by_line() -> None:
    found = page(loaded(MODEL), torch.rand(1, 3, 8, 8))
    Path("net.py").write_text(found.code.text)
    of_bn = [layer for layer in found.layers if layer.op == "BatchNorm"]
    assert [layer.path for layer in of_bn] == ["blocks.0.bn", "blocks.1.bn"]
    for layer in of_bn:
        assert layer.places == (
            (0, line_of("self.bn(", "model.py")),
            (0, line_of("self.blocks(", "model.py")),
        )
        assert layer.lines[0] == line_of("mx.sym.BatchNorm(", "net.py")
        assert "block(" in found.code.text.split("\n")[layer.lines[1] - 1]
        assert layer.shape == "(N, 4, 6, 6)"
        eps = next(
            i
            for i, row in enumerate(found.review.defaults)
            if (row.op, row.attribute) == ("BatchNorm", "eps")
        )
        assert eps in layer.corrected
    shown = [line for first, last in found.sources[0].ranges for line in range(first, last + 1)]
    assert line_of("class Block", "model.py") in shown
    assert line_of("a line that no op is of", "model.py") not in shown


def test_lines_of_calls_within_calls() -> None:
    code = "import mxnet as mx\n\n\ndef a(x):\n    return mx.sym.relu(x, name='r')\n\n\ndef Net():\n    x = mx.sym.Variable('x')\n    return a(x)\n"
    assert lines_of(code, "Net") == {"x": (9,), "r": (5, 10)}


def test_a_line_that_makes_a_weight_stands_for_what_reads_it() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.fc = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.lstm(x)[0])  # type: ignore[no-any-return]

    found = page(Net(), torch.rand(1, 5, 3))
    lines = found.code.text.split("\n")
    ((line, weight),) = found.declared
    assert "mx.sym.Variable(" in lines[line - 1]
    assert found.review.weights[weight].keys[0] == "lstm.weight_ih_l0"
    (rnn,) = (layer for layer in found.layers if layer.op == "RNN")
    assert rnn.weights == (weight,)
    assert (line, rnn.lines[0], rnn.lines[0]) in spans_of(found)[-1]
    # Those that an op makes by itself are told of at its line.
    (fc,) = (layer for layer in found.layers if layer.op == "FullyConnected")
    assert [found.review.weights[index].keys for index in fc.weights] == [("fc.weight",), ("fc.bias",)]


def test_the_tree_of_blocks() -> None:
    made = page(loaded(MODEL), torch.rand(1, 3, 8, 8))
    found = made.blocks
    assert [block.path for block in found[:5]] == ["", "stem", "blocks", "blocks.0", "blocks.0.conv"]
    net, stem, blocks, block = found[:4]
    assert (net.cls, net.parameters, net.flops) == ("Net", 430, 2 * (36 * 108 + 2 * 36 * 144 + 8))
    assert (stem.parameters, stem.flow) == (108, None)
    assert [found[i].path for i in net.children] == ["stem", "blocks", "fc"]
    assert blocks.parameters == sum(found[i].parameters for i in blocks.children) == 312
    assert block.flow is not None
    nodes = [node.text or node.kind + str(node.index) for node in block.flow.nodes]
    conv, bn = found.index(found[4]), found.index(found[5])
    start, end = nodes.index("in"), nodes.index("out")
    edges = set(block.flow.edges)
    assert (start, nodes.index(f"block{conv}")) in edges
    assert (nodes.index(f"block{conv}"), nodes.index(f"block{bn}")) in edges
    add = next(after for before, after in edges if before == nodes.index(f"block{bn}"))
    assert (start, add) in edges
    last = [block.flow.nodes[before] for before, after in edges if after == end]
    assert [(node.kind, made.layers[node.index].op) for node in last] == [("op", "Activation")]


def test_weights_are_drawn_in_both_frameworks() -> None:
    found = page(loaded(MODEL), torch.rand(1, 3, 8, 8))
    by_name = dict(zip([row.name for row in found.review.weights], found.histograms, strict=True))
    own = by_name["stem_weight"]
    assert own is not None
    assert own.torch == own.mxnet
    assert max(own.torch) == HEIGHT
    ones = by_name["blocks_0_bn_gamma"]
    assert ones is not None
    assert (ones.low, ones.high, sum(map(bool, ones.mxnet))) == ("1", "1", 1)


def test_a_histogram_of_values_that_differ() -> None:
    theirs = np.array([0.0, 0.0, 1.0, np.nan], np.float32)
    found = histogram(theirs, np.array([0.0, 1.0, 1.0, 2.0], np.float32))
    assert found is not None
    assert (found.low, found.high) == ("0", "2")
    assert (found.torch[0], found.torch[BINS // 2], found.torch[-1]) == (HEIGHT, HEIGHT // 2, 0)
    assert (found.mxnet[0], found.mxnet[BINS // 2], found.mxnet[-1]) == (HEIGHT // 2, HEIGHT, HEIGHT // 2)
    assert histogram(theirs[3:], theirs[:0]) is None
    assert bars((2, 2, 0)) == "M0 24v-2h2h2v2h2V24z"


def test_training_stands_in_it_where_it_was_run() -> None:
    net = loaded(MODEL)
    found = page(net, torch.rand(1, 3, 8, 8), is_trained=True)
    assert found.training is not None
    assert {name for name, _ in found.training.gradients} >= {"stem_weight", "blocks_0_bn_gamma", "fc_bias"}
    assert len(found.training.losses) == 5
    text = page_html(found)
    assert "<h3>Training</h3>" in text
    assert "the gradients of 11 parameters" in text
    assert "<h3>Training</h3>" not in page_html(page(net, torch.rand(1, 3, 8, 8)))


def test_the_order_of_gradients_is_not_of_last_bits() -> None:
    found = training(TrainingAgreement({"a": 2e-13, "b": 3e-13, "c": 2.4e-6, "d": 2.3e-6}, {}, ()))
    assert found.gradients == (("c", "2e-06"), ("d", "2e-06"), ("a", "below 1e-7"), ("b", "below 1e-7"))


def test_the_command_compares_training_for_it() -> None:
    assert reported("--verify", "training").status == 0
    assert "<h3>Training</h3>" in Path("review.html").read_text()
    assert reported("--verify", "training", "--check").status == 0
    assert reported("--check").err == "error: review.html is stale\n"


# Its parts ---------------------------------------------------------------------------------------------


def test_without_graphviz_there_is_the_outline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout.shutil, "which", lambda name: None)
    text = page_html(page(loaded(MODEL), torch.rand(1, 3, 8, 8)))
    assert 'id="graph"' not in text
    assert re.search(r"<summary><b>blocks</b> <i>Sequential</i> <span>312 parameters</span>", text)


def test_a_dot_that_fails_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    flow = Flow((Node("end", text="in"), Node("op", 0)), ((0, 1),))
    for name, body in (("fails", "exit 3"), ("babbles", "echo graph stop; echo stop")):
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        monkeypatch.setattr(layout.shutil, "which", lambda _name, script=script: str(script))
        assert layout.laid_out([flow]) == {flow: flow}


def test_what_dot_says_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = "graph 1 2.5 2\nnode n0 1.25 1.75 1 0.5 n0 solid box black lightgrey\nnode n1 1.25 0.25 1 0.5 n1 solid box black lightgrey\n"
    said += "edge n0 n1 4 1.25 1.5 1.25 1.25 1.25 1 1.25 0.5 solid black\nstop\n"
    (tmp_path / "said").write_text(said)
    script = tmp_path / "dot"
    script.write_text(f"#!/bin/sh\ncat '{tmp_path / 'said'}'\n")
    script.chmod(0o755)
    monkeypatch.setattr(layout.shutil, "which", lambda name: str(script))
    flow = Flow((Node("end", text="in"), Node("op", 0)), ((0, 1),))
    other = Flow((Node("end", text="in"), Node("op", 7)), ((0, 1),))  # it looks alike: dot is asked for one
    found = layout.laid_out([flow, other])
    curve = (0, 1, ((90, 36), (90, 54), (90, 72), (90, 108)))
    assert found[flow].layout == found[other].layout == Layout(180, 144, ((90, 18), (90, 126)), (curve,))


@pytest.mark.parametrize(
    "text", [MODEL, HOSTILE, "", "\n", "x = 1 < y & z", "'''open\n", "\t\x0cé = '\u2028'\n#\n"]
)
def test_highlighted_lines_are_the_lines(text: str) -> None:
    lines = lines_of_html(text)
    assert [re.sub("</?i[^>]*>", "", line) for line in lines] == [
        line.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("'", "&#39;")
        .replace('"', "&#34;")
        for line in text.split("\n")
    ]


def test_what_is_shown_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "odd.py"
    path.write_bytes(b"@f\r\ndef a():\r\n    pass\r\n" + b"\r\n" * 20 + b"def b():\r\n    pass\r\n")
    assert source_text(path, "odd.py", {3}).ranges == ((1, 3),)
    assert source_text(path, "odd.py", {3, 25}).ranges == ((1, 3), (24, 25))
    path.write_text("def (\n" * 100)
    assert source_text(path, "odd.py", {50}).ranges == ((35, 65),)


def test_anchors_are_links_of_their_own() -> None:
    assert anchors(["a b.py", "a_b.py", "lib/a.py"]) == ["a_b.py", "a_b.py_1", "lib/a.py"]


def test_the_scale_of_the_plot() -> None:
    found = plot_of([(0, "0"), (1, "below 1e-7"), (2, "1e-04"), (3, "inf")], 4, 1e-4)
    downs = [down for _, _, down in found.points]
    assert downs[0] == downs[1] == "100.0"
    assert downs[2] == found.tolerance == dict(found.scale)["1e-4"]
    assert downs[3] == "0.0"
    assert found.above == 1
    assert plot_of([], 0, float("inf")).tolerance == "0.0"
    assert plot_of([], 0, 0.0).tolerance == "100.0"
    assert [short(n) for n in (0, 999, 1000, 11689512, 2 * 10**15)] == ["0", "999", "1 k", "11.7 M", "2 P"]


def test_it_says_beside_the_weights_that_no_checkpoint_is_theirs() -> None:
    assert reported().status == 0
    text = Path("review.html").read_text()
    said = "The weights are of no checkpoint, since <code>--weights</code> was not given: "
    assert f"</div><div>{said}" in text
    assert f'<span class="key mxnet">as a line</span>. {said}' in text


def test_the_sentence_beside_the_chart() -> None:
    assert reported().status == 0
    text = Path("review.html").read_text()
    assert "ops were compared with torch's own results" in text
    assert (
        "Both ran the whole net once, in float32, so differences add up from op to op; MXNet fuses no ops there, as it does where "
        "the outputs are compared. The dashed line" in text
    )
    assert "is the tolerance of the net's outputs, 0.0001." in text
