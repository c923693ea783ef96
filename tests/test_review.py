"""The review beside the code: `--report`, against small nets of which the facts are known."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import tracer
from codegen.idioms.elementwise import _EXPRESSIONS
from codegen.mxnet_ops import OPS
from codegen.proof.op_docs import first_sentence, manual_link, op_sentences
from codegen.written import Origin
from tests.command import Done, fx2mx
from tracer.conversion import convert, convert_specs
from tracer.inputs import PLAIN, InputSpec, parse_inputs
from tracer.review.flops import flops_by_call
from tracer.review.made import review_of, rounded
from tracer.review.model import BlockRow, OutputRow, Review, Training, TrialRow, UnusedRow
from tracer.review.text import cell, code_span, markdown
from tracer.review.unused import gathered
from tracer.review_diff.difference import plain
from tracer.review_diff.parsed import parsed
from tracer.review_diff.reading import read_report
from tracer.sampled import samples_of

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
        y = x * 0.5  # a|b
        return self.fc(y.mean((2, 3)))
"""
COMMAND = ("model.py:Net", "--out", "net.py", "--input", "1,3,8,8")


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL)


def reported(*more: str, to: str = "review.md") -> Done:
    return fx2mx(*COMMAND, "--quiet", "--report", to, *more)


def line_of(text: str, file: str = "model.py") -> int:
    lines = Path(file).read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def review(model: nn.Module, *inputs: torch.Tensor) -> Review:
    conversion = convert(model.eval(), inputs)
    agreement = conversion.verify()
    assert agreement.ok
    return review_of(conversion, agreement, Origin("model.py:Net", "fx2mx"), Path(), [])


def sha256(name: str) -> str:
    return hashlib.sha256(Path(name).read_bytes()).hexdigest()


def test_a_review_of_a_net(tmp_path: Path) -> None:
    assert reported().status == 0
    text = Path("review.md").read_text()
    head = text.partition("\n<details>")[0].split("\n")
    assert len([line for line in head if line]) == 10
    assert head[0] == "### Net in MXNet agrees with torch"
    said = dict(re.findall(r"^- \*\*(.+)\*\*: (.*)$", text, re.MULTILINE))
    assert said["Net"] == "`model.py:Net`, 16 MXNet ops, 586 parameters, 38,896 FLOPs at batch 1"
    assert said["Made by"] == "`python -m tracer.gen model.py:Net --out net.py --input 1,3,8,8`"
    assert said["With"].startswith(f"fx2mx {tracer.__version__}, torch {torch.__version__}, mxnet 1.9.1, ")
    assert said["Source"] == f"`model.py` sha256 `{sha256('model.py')}`"
    files, _, weights = said["Files"].partition("; ")
    assert files == ", ".join(
        f"`{name}` sha256 `{sha256(name)}`" for name in ("net.py", "net-symbol.json", "net-0000.params")
    )
    assert weights.startswith("the weights are of no checkpoint, since `--weights` was not given: ")
    assert f"\n\nT{weights[1:]}.\n\n| MXNet | torch |" in text
    assert re.fullmatch(r"`fc_output` \(N, 2\) differs by (0|\de-\d\d|below 1e-7)", said["Outputs"])
    assert said["Batch"] == "any batch size"
    assert said["Other sizes"] == "H and W may change"
    conv = line_of("mx.sym.Convolution(", "net.py")
    place = f"`model.py:{line_of('self.bn(self.conv(x))')}`"
    row = f"| {conv} | {place} | `return x + self.bn(self.conv(x)).relu()` | `Convolution` x 3 | (N, 4, 6, 6) | "
    assert row in text
    mul = line_of("0.5", "net.py")
    assert re.search(rf"^\| {mul} \| `model.py:{line_of('0.5')}` \| `y = x \* 0.5`", text, re.MULTILINE)
    norm = line_of("mx.sym.BatchNorm(", "net.py")
    modules = "blocks.0.bn, blocks.1.bn, blocks.2.bn"
    row = f"| `BatchNorm` | `eps` | `1e-5` | `0.001` | 3 | {norm} | {modules} | MXNet: eps is 1e-3. |\n"
    assert row in text
    assert "| `blocks_2_bn_gamma` | `blocks.2.bn.weight` | (4,) | 4 |\n" in text
    assert "| `unread` | a parameter that no output of inference depends on | 1 |\n" in text
    assert (
        "| `blocks.0.bn.num_batches_tracked` | a buffer that no output of inference depends on | 1 |\n"
        in text
    )
    assert "| `blocks.0` | `Block` | 156 | 10,368 |\n" in text
    assert str(tmp_path) not in text
    assert not re.search(r"\d\d:\d\d|20\d\d", re.sub("sha256 `.*?`", "", text))


def test_the_same_bytes_again() -> None:
    assert reported().status == 0
    before = Path("review.md").read_bytes()
    assert reported().status == 0
    assert Path("review.md").read_bytes() == before
    assert reported("--check").status == 0
    Path("review.md").write_bytes(before + b"more\n")
    assert reported("--check").err == "error: review.md is stale\n"


def test_the_summary_alone() -> None:
    done = reported(to="-")
    assert done.status == 0
    assert len([line for line in done.out.splitlines() if line]) == 10
    assert done.out.startswith("### Net in MXNet agrees with torch\n")
    assert [p.name for p in Path().glob("*.md")] == []


def test_what_was_compared_is_told() -> None:
    text = reported(to="-").out
    said = r"in inference only, batch 1 and 2, its own parameters \(no --weights: built under seed 0\) and random parameters, and "
    said += (
        r"images of 17x25; op by op at batch 1, random parameters, in float32, in one run of the whole net, "
    )
    said += r"along which differences add up; the largest relative difference that counts as equal is 0.0001 "
    said += r"\(the largest \|mxnet - torch\| of an output, relative to its largest \|torch\|\)\n"
    assert re.search(said, text), text


def test_that_training_is_compared_is_told() -> None:
    assert reported("--verify", "training").status == 0
    text = Path("review.md").read_text()
    assert "- **Compared**: in inference, and in training beside, batch 1 and 2, " in text


class _Dropping(nn.Module):
    """Whole numbers at one batch size alone, and a dropout that MXNet has on a GPU alone."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.lstm = nn.Embedding(9, 4), nn.LSTM(4, 3, num_layers=2, batch_first=True, dropout=0.5)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        if ids.shape[0] > 1:
            ids = ids.flip(1)
        return self.lstm(self.embed(ids))[0]  # type: ignore[no-any-return]


def test_what_the_docstring_says_beside_is_told() -> None:
    found = _asked(_Dropping(), "ids=1,6:int64")
    note = "the dropout between the layers of RNN acts in training on a GPU alone"
    assert found.summary.notes == (note,)
    assert f"\n- **Note**: {note}\n" in markdown(found)
    assert parsed(markdown(found)) == plain(found)


def test_the_same_values_are_compared_once() -> None:
    found = _asked(_Dropping(), "ids=1,6:int64")
    batches = [row.compared for row in found.trials if row.compared.endswith("its own parameters")]
    assert batches == ["batch 1, its own parameters"]


def test_a_line_that_was_not_compared_is_explained() -> None:
    assert reported().status == 0
    text = Path("review.md").read_text()
    assert "A line without one is a step within an op of torch's" in text
    assert "Differences of the outputs: 1 output, in 6 comparisons" in text


def test_what_constants_hold() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("places", torch.arange(4))
            self.register_buffer("twos", torch.full((4,), 2.0))
            self.table = nn.Embedding(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.table(self.places) * self.twos + torch.tensor([1.0, 5.0, 2.0, 0.5])

    held = [
        row.constant.partition(", for")[0] for row in review(Net(), torch.rand(1, 4)).weights if not row.keys
    ]
    assert held == ["values from 0.5 to 5"]


def test_large_blocks_are_told_by_their_own() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Linear(4, 4)
            self.body = nn.Sequential(nn.Linear(4, 64), nn.Sequential(nn.Linear(64, 64), nn.ReLU()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.body(self.stem(x))

    rows = review(Net(), torch.rand(1, 4)).blocks
    assert [(row.path, row.parameters) for row in rows] == [
        ("stem", 20),
        ("body.0", 320),
        ("body.1.0", 4160),
    ]


def test_the_checkpoint_is_told() -> None:
    namespace: dict[str, type[nn.Module]] = {}
    exec(MODEL, namespace)
    torch.save(namespace["Net"]().state_dict(), "net.pth")
    assert reported("--weights", "net.pth").status == 0
    text = Path("review.md").read_text()
    assert f"`net.pth` sha256 `{sha256('net.pth')}`, `net.py" in text
    assert "no checkpoint" not in text


def test_the_file_of_spec_and_the_library_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A net whose ops all stand in an installed package, of which another file makes it."""
    folder = Path("env/site-packages")
    (folder / "netlib").mkdir(parents=True)
    (folder / "netlib" / "__init__.py").write_text(MODEL)
    metadata = folder / "net_lib-1.25.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: net-lib\nVersion: 1.25\n")
    (metadata / "RECORD").write_text("netlib/__init__.py,,\nnet_lib-1.25.dist-info/METADATA,,\n")
    monkeypatch.syspath_prepend(str(folder.absolute()))
    Path("mine.py").write_text("from netlib import Net\n\n\ndef made():\n    return Net()\n")
    done = fx2mx("mine.py:made", "--out", "net.py", "--input", "1,3,8,8", "--quiet", "--report", "-")
    assert done.status == 0, done.err
    said = dict(re.findall(r"^- \*\*(.+)\*\*: (.*)$", done.out, re.MULTILINE))
    assert ", net-lib 1.25, Python 3." in said["With"]
    library = sha256("env/site-packages/netlib/__init__.py")
    assert (
        said["Source"] == f"`mine.py` sha256 `{sha256('mine.py')}`, `netlib/__init__.py` sha256 `{library}`"
    )


def test_what_is_refused() -> None:
    assert reported("--no-verify").err.endswith("leave out --no-verify and --dry-run\n")
    assert "give a name that ends in .md or .html" in reported(to="review.txt").err
    assert "there is no folder" in reported(to="none/review.md").err
    Path("README.md").write_text("# Mine\n")
    done = reported(to="README.md")
    assert (done.status, Path("README.md").read_text()) == (1, "# Mine\n")
    assert "README.md was not written by fx2mx" in done.err
    assert not Path("net.py").exists()


def test_constants_and_shared_weights() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = nn.Linear(4, 4), nn.Linear(4, 4)
            self.other.weight = self.one.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.other(self.one(x)) + torch.arange(4.0)

    found = review(Net(), torch.rand(1, 4))
    assert ("one.weight", "other.weight") in [row.keys for row in found.weights]
    assert " | `one.weight` and `other.weight`, which are one tensor | " in markdown(found)
    assert parsed(markdown(found)) == plain(found)
    constant = next(row for row in found.weights if not row.keys)
    assert re.fullmatch(r"values from 0 to 3, for .*test_review\.py:\d+", constant.constant)
    assert found.summary.parameters == 24
    assert found.blocks == (BlockRow("one", "Linear", 20, 32), BlockRow("other", "Linear", 4, 32))


def test_keys_that_are_joined_say_so() -> None:
    model = nn.LSTM(3, 4, batch_first=True, bidirectional=True)
    found = review(model, torch.rand(1, 5, 3))
    (row,) = (row for row in found.weights if row.keys)
    assert (len(row.keys), row.joined) == (8, "flattened and joined in this order")
    values = torch.cat([model.state_dict()[key].flatten() for key in row.keys]).numpy()
    held = convert(model.eval(), (torch.rand(1, 5, 3),)).arg_params[row.name].asnumpy()
    assert (held == values).all()
    said = "<details><summary>these 8, flattened and joined in this order</summary>`weight_ih_l0`, "
    assert f" | {said}" in markdown(found)
    assert parsed(markdown(found)) == plain(found)


class _Products(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ x.transpose(1, 2)


class _First(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("net", "shape", "products"),
    [
        (nn.Conv2d(4, 8, 3, groups=2), (1, 4, 7, 7), 5 * 5 * 8 * 2 * 9),
        (nn.ConvTranspose2d(4, 8, 3), (1, 4, 5, 5), 5 * 5 * 4 * 8 * 9),
        (nn.Linear(6, 3), (2, 5, 6), 2 * 5 * 6 * 3),
        (_Products(), (2, 3, 5), 2 * 3 * 3 * 5),
        (_First(nn.LSTM(6, 4, 2, batch_first=True)), (1, 7, 6), 7 * 4 * 4 * (6 + 4 + 4 + 4)),
        (_First(nn.GRU(6, 4, bidirectional=True, batch_first=True)), (1, 7, 6), 7 * 2 * 3 * 4 * (6 + 4)),
    ],
)
def test_flops(net: nn.Module, shape: tuple[int, ...], products: int) -> None:
    conversion = convert(net.eval(), (torch.rand(*shape),))
    assert sum(flops_by_call(conversion.program, shape[0])) == 2 * products


def test_what_freezes_the_batch_is_told() -> None:
    Path("model.py").write_text(MODEL.replace("y = x * 0.5", "y = x[:1] if len(x) == 1 else x[:2]"))
    assert f"model.py:{line_of('len(x)')}" in reported(to="-").out


def test_text_in_a_table() -> None:
    assert code_span("a | b") == "`a \\| b`"
    assert code_span("a`b") == "``a`b``"
    assert cell("a_b|<c>") == "a\\_b\\|\\<c\\>"
    assert [rounded(x) for x in (0.0, 3e-9, 2.6e-6)] == ["0", "below 1e-7", "3e-06"]


def test_weights_that_no_output_depends_on() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.lost = nn.Linear(4, 2), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.lost(x)
            return self.fc(x)  # type: ignore[no-any-return]

    found = review(Net(), torch.rand(1, 4))
    assert [row.key for row in found.unused] == ["lost.weight", "lost.bias"]
    assert found.summary.parameters == 10


# What was compared on ----------------------------------------------------------------------------------


def _drawn(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_what_the_inputs_held_is_told() -> None:
    assert reported().status == 0
    text = Path("review.md").read_text()
    found = [line.split(" | ") for line in text.splitlines() if line.startswith("| `x` |")]
    assert [(row[1], row[3]) for row in found] == [
        ("(1, 3, 8, 8)", "batch 1"),
        ("(2, 3, 8, 8)", "batch 2"),
        ("(1, 3, 17, 25)", "batch 1, images of 17x25"),
        ("(1, 3, 17, 25)", "batch 1, images of 17x25, on other values"),
    ]
    plain, edges, larger, _ = found
    # By the seed that is told, one draws the very values.
    values = _drawn((1, 3, 8, 8), int(plain[5]))
    assert plain[6:] == [f"{values.min():.2g}", f"{values.max():.2g}", "0 of 192 |"]
    values = _drawn((1, 3, 17, 25), int(larger[5]))
    assert larger[6:] == [f"{values.min():.2g}", f"{values.max():.2g}", "0 of 1,275 |"]
    assert (plain[4], edges[4]) == (
        "normal numbers",
        "normal numbers, zeros, equal ones and halves among them",
    )
    assert int(edges[8].partition(" of ")[0]) > 20


class _Looks(nn.Module):
    """Whole numbers that are rows of one table, and a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.kinds = nn.Embedding(50, 4), nn.Embedding(60, 4)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return (self.words(ids) + self.kinds(ids)) * mask.unsqueeze(2)  # type: ignore[no-any-return]


def _asked(model: nn.Module, *texts: str) -> Review:
    conversion = convert_specs(model.eval(), parse_inputs(texts, model))
    return review_of(conversion, conversion.verify(), Origin("model.py:Net", "fx2mx"), Path(), [])


def test_what_whole_numbers_and_masks_held_is_told() -> None:
    inputs = _asked(_Looks(), "ids=1,6:int64", "mask=1,6:int64").inputs
    ids, mask = (next(row for row in inputs if row.name == name) for name in ("ids", "mask"))
    assert {row.shape for row in inputs if row.compared.startswith("batch 1, sequences of length 4")} == {
        "(1, 4)"
    }
    assert ids.values == "whole numbers from 0 to 49, found from words (num_embeddings=50)"
    assert (ids.shape, ids.dtype, ids.seed) == ("(1, 6)", "int64", "1009")
    drawn = torch.randint(0, 50, (1, 6), generator=torch.Generator().manual_seed(1009))
    assert (ids.low, ids.high) == (str(int(drawn.min())), str(int(drawn.max())))
    assert (mask.values, mask.low, mask.high) == ("0s and 1s, both in each row", "0", "1")
    drawn = torch.randint(2, (1, 6), generator=torch.Generator().manual_seed(int(mask.seed)))
    drawn[..., 0], drawn[..., -1] = 1, 0
    assert mask.zeros == f"{int((drawn == 0).sum())} of 6"


class _Bert(nn.Module):
    """Words, their places and their kinds, whose table is the smallest; `use` makes rows of the words."""

    def __init__(self, use: Callable[[torch.Tensor], torch.Tensor] = lambda ids: ids) -> None:
        super().__init__()
        self.words, self.places, self.types = nn.Embedding(300, 4), nn.Embedding(9, 4), nn.Embedding(2, 4)
        self.use = use

    def forward(self, input_ids: torch.Tensor, token_type_ids: torch.Tensor) -> torch.Tensor:
        places = self.places(torch.arange(input_ids.shape[1]))
        words = self.words(self.use(input_ids)) * input_ids.ne(0).unsqueeze(2)
        return words + places + self.types(token_type_ids)  # type: ignore[no-any-return]


def _values(model: nn.Module) -> list[str]:
    found = _asked(model, "input_ids=1,6:int64", "token_type_ids=1,6:int64").inputs
    return list(dict.fromkeys(row.values for row in found))


EXACT: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "as they are": lambda ids: ids,
    "turned and cut": lambda ids: ids.view(-1, 6).t()[:6].t().contiguous().int(),
    "put together": lambda ids: torch.cat([ids[:, :1], ids[:, 1:]], 1),
}


@pytest.mark.parametrize("name", EXACT)
def test_whole_numbers_are_drawn_for_the_table_that_they_read(name: str) -> None:
    assert _values(_Bert(EXACT[name])) == [
        "whole numbers from 0 to 299, found to suit words (300 rows)",
        "whole numbers from 0 to 1, found from types (num_embeddings=2)",
    ]


def test_whole_numbers_that_are_computed_with_stay_below_the_smallest_table() -> None:
    ids, _ = _values(_Bert(lambda ids: (ids * 2) // 2))
    assert ids == "whole numbers from 0 to 8, found from places (num_embeddings=9)"


def test_a_net_that_torch_does_not_run_on_all_rows() -> None:
    """What the graph does not hold, since no output needs it, may take fewer."""

    class Net(_Bert):
        def forward(self, input_ids: torch.Tensor, token_type_ids: torch.Tensor) -> torch.Tensor:
            self.places(input_ids)
            return super().forward(input_ids, token_type_ids)

    ids, _ = _values(Net())
    assert ids == "whole numbers from 0 to 8, found from places (num_embeddings=9)"


def test_what_an_empty_input_held() -> None:
    (sample,) = samples_of((InputSpec("x", (0, 5), batch_axis=None),), {"x": torch.empty(0, 5)}, 0, PLAIN)
    assert (sample.low, sample.high, sample.zeros) == (None, None, 0)


def test_whole_numbers_that_no_layer_bounds() -> None:
    class Places(nn.Module):
        def forward(self, x: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
            return x[:, at]

    found = _asked(Places(), "x=1,4", "at=3:int64").inputs
    assert "whole numbers from 0 to 3, found from runs of the net" in [row.values for row in found]


def test_given_values_are_told() -> None:
    values = torch.tensor([[3.0, 0.0, 5.0, -1.0]])
    found = review(nn.Linear(4, 2), values).inputs
    assert [(row.compared, row.values, row.seed) for row in found] == [
        ("batch 1", "as given", ""),
        ("batch 2", "the 1 given, and 1 more made of them", "1009"),
    ]
    assert (found[0].low, found[0].high, found[0].zeros) == ("-1", "5", "1 of 4")


def test_a_batch_that_is_compared_twice() -> None:
    class One(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(3, 4).sum(1) if len(x) == 1 else x[:, 0]

    assert [row.compared for row in _asked(One(), "x=1,12").inputs] == ["batch 1", "batch 1, on other values"]


def test_each_comparison_of_an_output_is_told() -> None:
    conversion = convert(nn.Linear(4, 2).eval(), (torch.rand(1, 4),))
    found = conversion.verify()
    told = {
        (trial.parameters, trial.batch): rounded(output.difference)
        for trial, output in zip(found.trials, found.outputs, strict=True)
    }
    own = review_of(conversion, found, Origin("model.py:Net", "fx2mx"), Path(), [])
    assert [row.compared for row in own.trials] == [
        f"batch {batch}, {parameters}"
        for parameters in ("its own parameters", "random parameters")
        for batch in (1, 2)
    ]
    assert [row.differences for row in own.trials] == [(difference,) for difference in told.values()]


def test_the_table_of_outputs() -> None:
    """Two outputs that differ by other amounts in each comparison stand in their own columns."""
    own = review(nn.Linear(4, 2), torch.rand(1, 4))
    outputs = (OutputRow("a|b", "(N, 2)", "3e-06"), OutputRow("b", "(N,)", "0"))
    trials = (TrialRow("batch 1, x", ("1e-06", "0")), TrialRow("batch 2, x|y", ("3e-06, in float64", "0")))
    changed = replace(own, summary=replace(own.summary, outputs=outputs), trials=trials)
    text = markdown(changed)
    assert "| output | shape | batch 1, x | batch 2, x\\|y |\n|---|---|---|---|\n" in text
    assert "| `a\\|b` | (N, 2) | 1e-06 | 3e-06, in float64 |\n| `b` | (N,) | 0 | 0 |\n" in text
    assert "Differences of the outputs: 2 outputs, each in 2 comparisons" in text
    assert parsed(text) == changed


def test_what_was_taken_in_float64_says_so() -> None:
    class Steep(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sin(1e6 * x.sum(1))

    values = torch.rand(2, 64, generator=torch.Generator().manual_seed(0))
    assert any("in float64" in row.differences[0] for row in review(Steep(), values).trials)


def test_training_is_told() -> None:
    assert reported("--report", "review.html", "--verify", "training", "--format", "json").status == 0
    text = Path("review.md").read_text()
    assert "<summary>Training: 15 gradients, 6 moving statistics, 5 losses</summary>" in text
    gradients = text.partition("| gradient | difference |")[2].partition("\n\n")[0]
    assert len(re.findall(r"^\| `\w+` \| (?:0|below 1e-7|\de-\d\d) \|$", gradients, re.MULTILINE)) == 15
    # The losses are those that the page has.
    losses = re.findall(r"^\| (\d) \| ([\d.]+) \| ([\d.]+) \|$", text, re.MULTILINE)
    page = Path("review.html").read_text()
    assert len(losses) == 5
    for step, mine, theirs in losses:
        cells = f'<td>{step}</td><td class="num">{mine}</td><td class="num">{theirs}</td>'
        assert cells in page
    # What is told of training is no matter of what the net is.
    assert "Training" not in markdown(parsed(text))
    assert parsed(text) == plain(read_report(Path("review.html")))


def test_what_of_training_is_not_compared() -> None:
    own = review(nn.Linear(4, 2), torch.rand(1, 4))
    trained = Training("1e-05", (("fc|_weight", "3e-06"),), (), (), ("fc_bias",), 2)
    text = markdown(own, trained)
    assert (
        "Not compared, since torch trains what they are computed from: `fc_bias`. 2 of these are apart"
        in text
    )
    assert "| `fc\\|_weight` | 3e-06 |" in text
    assert "moving statistic" not in text
    assert parsed(text) == plain(own)


# Unused keys -------------------------------------------------------------------------------------------


class _Criterion(nn.Module):
    """A loss with weights of its own beside the net."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(*(nn.BatchNorm1d(4) for _ in range(5)), nn.Linear(4, 2))
        self.criterion = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.BatchNorm1d(4)))
        self.lost = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)  # type: ignore[no-any-return]


def test_keys_that_are_unused_alike_are_a_row() -> None:
    own = review(_Criterion(), torch.rand(2, 4))
    rest = "that no output of inference depends on"
    assert own.unused == (
        UnusedRow("*.num_batches_tracked", f"5 buffers {rest}", 5),
        UnusedRow("criterion.*", f"4 parameters and 3 buffers {rest}", 7),
        UnusedRow("lost.weight", f"a parameter {rest}"),
        UnusedRow("lost.bias", f"a parameter {rest}"),
    )
    text = markdown(own)
    assert "<summary>Weights: 22; unused keys: 14</summary>" in text
    assert f"| `criterion.*` | 4 parameters and 3 buffers {rest} | 7 |\n" in text
    assert parsed(text) == plain(own)


def test_a_row_of_keys_holds_no_used_one() -> None:
    unused = dict.fromkeys(("a.b.w", "a.b.v", "a.b.u", "a.b.t", "c.x", "d.x", "e.x", "f.x"), "buffer")
    assert [row.key for row in gathered(unused, {"g.w"})] == ["a.*", "*.x"]
    assert [row.key for row in gathered(unused, {"a.w", "g.x"})] == ["a.b.*", "c.x", "d.x", "e.x", "f.x"]
    assert [row.count for row in gathered(unused, {"a.b.c.w"})] == [1, 1, 1, 1, 4]


def test_where_every_key_is_used_it_says_so() -> None:
    Path("model.py").write_text("from torch import nn\n\nclass Net(nn.Linear):\n    pass\n")
    done = fx2mx("model.py:Net", "--kwargs", '{"in_features": 4, "out_features": 2}', "--out", "net.py",
                 "--input", "1,4", "--report", "review.md", "--report", "review.html")  # fmt: skip
    assert done.status == 0, done.err
    assert "unused keys: 0</summary>" in Path("review.md").read_text()
    for name in ("review.md", "review.html"):
        assert "very key of torch's was used." in Path(name).read_text()


# What MXNet's ops are ----------------------------------------------------------------------------------


def test_the_ops_that_are_used_are_told() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Hardtanh(), nn.ReLU())
    rows = {row.op: row for row in review(net, torch.rand(1, 3, 8, 8)).ops}
    assert rows["BatchNorm"].does == "Batch normalization"
    manual = "https://mxnet.apache.org/versions/1.9.1/api/python/docs/api/symbol/symbol.html"
    assert rows["BatchNorm"].link == f"{manual}#mxnet.symbol.BatchNorm"
    assert (rows["BatchNorm"].torch, rows["BatchNorm"].count) == (("batch_norm",), 1)
    assert rows["Convolution"].does == "Compute N-D convolution on (N+2)-D input"
    assert sum(row.count for row in rows.values()) == 5


def test_each_op_has_a_sentence_or_none() -> None:
    said = op_sentences(list(OPS))
    assert said["contrib.AdaptiveAvgPooling2D"].startswith("Applies a 2D adaptive average pooling")
    assert {op for op, words in said.items() if "\n" in words or "`" in words or len(words) > 250} == set()
    assert sum(map(bool, said.values())) > 150
    assert first_sentence("\n\nParameters\n----------\ndata : Symbol") == ""
    assert manual_link("linalg.gemm2").endswith("/symbol/linalg/index.html#mxnet.symbol.linalg.gemm2")


def test_an_operator_of_python_has_no_page_in_the_manual() -> None:
    class Minus(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x - 2

    made = review(Minus(), torch.rand(1, 3))
    (row,) = made.ops
    assert (row.op, row.torch, row.link) == ("x - c", ("sub",), "")
    (line,) = [line for line in markdown(made).splitlines() if line.startswith("| `x - c` |")]
    assert row.does == "x.__sub__(y) <=> x-y"
    assert line.endswith("| `sub` |  |")


def test_each_of_pythons_operators_is_told_by_mxnet() -> None:
    forms = {form for pair in _EXPRESSIONS.values() for form in pair}
    said = op_sentences(sorted(forms))
    assert {form for form, words in said.items() if not words} == set()
    assert (said["x * c"], said["c - x"]) == ("Multiply an array with a scalar", "x.__rsub__(y) <=> y-x")
    assert said["maximum(x, c)"] == "Returns element-wise maximum of the input elements"
    assert {form for form in forms if manual_link(form)} == {"maximum(x, c)", "minimum(x, c)"}
    assert manual_link("maximum(x, c)").endswith("/symbol/symbol.html#mxnet.symbol.maximum")
