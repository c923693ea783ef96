"""A change of one layer changes the lines of that layer alone.

Each edit replaces a text in a golden's model.py. `most` bounds the lines that the diff of the generated code adds
and removes: a changed line counts twice. What is not in `touched` must stay as it is, byte for byte.
"""

from __future__ import annotations

import ast
import functools
import re
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from tests.golden import GOLDENS, Golden

HEAD = ""  # what stands outside of the functions: imports, DATA_SHAPES, the file's docstring


@dataclass(frozen=True)
class Edit:
    """Texts of a net's model.py and what they become; what that may cost, why, and where.

    `inputs` are the new command's, where they change.
    """

    name: str
    folder: str
    changes: tuple[tuple[str, str], ...]
    most: int
    why: str
    touched: tuple[str, ...]
    inputs: tuple[str, ...] | None = None


EDITS = [
    Edit(
        "a channel count",
        "flat",
        (
            ("self.fc1 = nn.Linear(32 * 5 * 5, 120)", "self.fc1 = nn.Linear(32 * 5 * 5, 100)"),
            ("nn.Linear(120, 84)", "nn.Linear(100, 84)"),
        ),
        2,
        "num_hidden of fc1; MXNet finds fc2's input size by itself",
        ("Net",),
    ),
    Edit(
        "an extra block",
        "resnet18",
        (("[2, 2, 2, 2]", "[2, 2, 3, 2]"),),
        5,
        "the call of layer3_1 becomes a loop: one line goes, four come",
        ("resnet18",),
    ),
    Edit(
        "a removed activation",
        "flat",
        (("skip = F.relu(self.conv2(x))", "skip = self.conv2(x)"),),
        2,
        "its line goes, and with it the author's line above what is no longer several ops",
        ("Net",),
    ),
    Edit(
        "a removed activation before others of its kind",
        "flat",
        (("x = self.pool(F.relu(self.conv1(x)))", "x = self.pool(self.conv1(x))"),),
        3,
        "its line goes, the author's line above changes; the names of the later ones do not shift",
        ("Net",),
    ),
    Edit(
        "a renamed module",
        "flat",
        (("self.fc3 =", "self.head ="), ("self.fc3(x)", "self.head(x)")),
        4,
        "the name of its op, and the author's line above",
        ("Net",),
    ),
    Edit(
        "a renamed module in a block",
        "resnet18",
        (("self.conv2 =", "self.conv_b ="), ("self.conv2(out)", "self.conv_b(out)")),
        2,
        "the name of its op, in the one function of the block",
        ("basic_block",),
    ),
    Edit(
        "a renamed stage",
        "resnet18",
        (("self.layer4 =", "self.stage4 ="), ("self.layer4(x)", "self.stage4(x)")),
        4,
        "its two calls",
        ("resnet18",),
    ),
    Edit(
        "another stride",
        "xxnet",
        (("stride=1", "stride=2"),),
        6,
        "the convolution, which had none to write and takes three lines with it; the docstring's outputs",
        ("XXNet",),
    ),
    Edit(
        "another stride in one of a block's uses",
        "mobilenetv2",
        (("[6, 96, 3, 1]", "[6, 96, 3, 2]"),),
        4,
        "stride in the call, which takes three lines with it",
        ("MobileNetV2",),
    ),
    Edit(
        "a bias turned on",
        "mobilenetv2",
        (("nn.Conv2d(hidden_dim, oup, 1, 1, 0, bias=False)", "nn.Conv2d(hidden_dim, oup, 1, 1, 0, bias=True)"),),
        6,
        "no_bias where the class is a function, whose line fits then, and in its one use that is inlined",
        ("inverted_residual", "MobileNetV2"),
    ),
    Edit(
        "another eps",
        "resnet18",
        (("self.bn2 = nn.BatchNorm2d(planes)", "self.bn2 = nn.BatchNorm2d(planes, eps=1e-3)"),),
        2,
        "eps, in the one function of the block",
        ("basic_block",),
    ),
    Edit(
        "another dropout",
        "iresnet",
        (("dropout=0.4", "dropout=0.2"),),
        2,
        "p",
        ("iresnet18",),
    ),
    Edit(
        "an added dropout",
        "resnet18",
        (
            ("self.fc = ", "self.drop = nn.Dropout(0.2)\n        self.fc = "),
            ("x = self.fc(x)", "x = self.drop(x)\n        x = self.fc(x)"),
        ),
        1,
        "its line comes",
        ("resnet18",),
    ),
    Edit(
        "a new head",
        "two_inputs",
        (
            ("self.fc2 = ", "self.fc3 = nn.Linear(64, 4)\n        self.fc2 = "),
            ("return self.fc2(z)", "return self.fc2(z), self.fc3(z)"),
        ),
        7,
        "the returned call gets a name and a second beside it, a Group of both is returned under the author's line; "
        "the docstring's outputs",
        ("TwoInputNet",),
    ),
    Edit(
        "swapped order of two layers",
        "xxnet",
        (("x = self.bn1(x)\n        x = self.maxpool(x)", "x = self.maxpool(x)\n        x = self.bn1(x)"),),
        6,
        "both move, the last of them returns, and a return of the pooling does not fit on one line",
        ("XXNet",),
    ),
    Edit(
        "a second input",
        "flat",
        (
            ("def forward(self, x):", "def forward(self, x, offset):"),
            ("self.fc3(x) * self.scale", "self.fc3(x) * self.scale + offset"),
        ),
        12,
        "the command in the head, its shape, its Variable, the sum, the author's line above; the docstring's inputs;"
        " the name of the other sum, which is told from it",
        (HEAD, "Net"),
        inputs=("x=1,1,28,28", "offset=1,10"),
    ),
    Edit(
        "another pooling",
        "flat",
        (("self.pool = nn.MaxPool2d(2, 2)", "self.pool = nn.AvgPool2d(2, 2)"),),
        10,
        "pool_type and count_include_pad, with which the line no longer fits: one argument each",
        ("Net",),
    ),
    Edit(
        "another activation",
        "vit",
        (("self.act = nn.GELU()", "self.act = nn.ReLU()"),),
        2,
        "the op",
        ("block",),
    ),
    Edit(
        "another activation of a block",
        "bert",
        (("self.intermediate_act_fn = nn.GELU()", "self.intermediate_act_fn = nn.Tanh()"),),
        4,
        "the op, which fits on another number of lines",
        ("bert_layer",),
    ),
    Edit(
        "a wider layer of a block",
        "bert",
        (("intermediate_size=192", "intermediate_size=160"),),
        2,
        "num_hidden",
        ("bert_layer",),
    ),
    Edit(
        "a deeper stage in the middle",
        "shufflenet",
        (("[4, 8, 4]", "[4, 10, 4]"),),
        2,
        "the range of the loop",
        ("shufflenet_v2_x0_5",),
    ),
    Edit(
        "a deeper stage",
        "vit",
        (("depth=4", "depth=6"),),
        2,
        "the range of the loop",
        ("VisionTransformer",),
    ),
    Edit(
        "a stage less deep",
        "mobilenetv2",
        (("[6, 64, 4, 2]", "[6, 64, 3, 2]"),),
        14,
        "the range of the loop, and the numbers in the names of what stands after it, which torch numbers too",
        ("MobileNetV2",),
    ),
    Edit(
        "a wider stage",
        "resnet18",
        (
            ("self._make_layer(block, 512, layers[3], stride=2)", "self._make_layer(block, 640, layers[3], stride=2)"),
            ("nn.Linear(512 * block.expansion", "nn.Linear(640 * block.expansion"),
        ),
        4,
        "num_filter of its two calls",
        ("resnet18",),
    ),
    Edit(
        "a new skip connection",
        "unet",
        (("logits = self.outc(x)", "logits = self.outc(x + x1)"),),
        7,
        "the sum, which is returned through the last layer; the first level now lives to the end, and the locals that "
        "took its name have another",
        ("UNet",),
    ),
    Edit(
        "a renamed class",
        "unet",
        (("DoubleConv(", "TwoConvs("),),
        18,
        "its function, its docstring, its calls in Down, in Up and in the net",
        ("double_conv", "two_convs", "down", "up", "UNet"),
    ),
    Edit(
        "a renamed local variable",
        "two_inputs",
        (
            ("y = torch.tanh(self.embed(vector))", "pose = torch.tanh(self.embed(vector))"),
            ("torch.cat([x, y], dim=1)", "torch.cat([x, pose], dim=1)"),
        ),
        8,
        "the lines that set or read it, and the author's line above; no op's name",
        ("TwoInputNet",),
    ),
    Edit(
        "another default argument",
        "vit",
        (("num_classes=100", "num_classes=10"),),
        4,
        "the last layer, and the docstring's outputs",
        ("VisionTransformer",),
    ),
    Edit(
        "another kernel size",
        "flat",
        (("nn.Conv2d(1, 16, 5, padding=2)", "nn.Conv2d(1, 16, 3, padding=1)"),),
        2,
        "kernel and pad, on one line",
        ("Net",),
    ),
    Edit(
        "a deeper stage of many kinds of blocks",
        "swin",
        (("depths=(2, 2, 6, 2)", "depths=(2, 2, 8, 2)"),),
        4,
        "the range of the loop; two tables more that training leaves alone",
        ("SwinTransformer", "basic_layer", HEAD),
    ),
    Edit(
        "one direction less",
        "lstm_tagger",
        (("bidirectional=True", "bidirectional=False"), ("2 * hidden_dim", "hidden_dim")),
        3,
        "bidirectional is MXNet's default now; half as many states",
        ("LSTMTagger",),
    ),
    Edit(
        "a larger embedding",
        "lstm_tagger",
        (("vocab_size=200", "vocab_size=300"),),
        2,
        "input_dim",
        ("LSTMTagger",),
    ),
    Edit(
        "another head in one of two uses",
        "inception",
        (("self.mixed_b = InceptionA(64, 16, count", "self.mixed_b = InceptionA(64, 24, count"),
         ("InceptionB(72)", "InceptionB(80)"), ("nn.Linear(144", "nn.Linear(152")),
        2,
        "num_filter in the call",
        ("Inception",),
    ),
    Edit(
        "a layer that forward does not call",
        "flat",
        (("self.bn = ", "self.unused = nn.Linear(3, 3)\n        self.bn = "),),
        0,
        "nothing of it is generated",
        (),
    ),
    Edit(
        "a comment, and lines moved",
        "resnet18",
        (("class BasicBlock", "# The block of the paper's figure 2.\n\n\nclass BasicBlock"),),
        0,
        "no line number is written",
        (),
    ),
    Edit(
        "another size",
        "resnet18",
        (),
        8,
        "the command in the head, the shape, the docstring's inputs and the other size that it tells of",
        (HEAD, "resnet18"),
        inputs=("1,3,96,96",),
    ),
]  # fmt: skip


def unsigned(code: str) -> str:
    """The code without its digest, which follows every edit."""
    return re.sub(r"fx2mx-sha256:\w+", "", code)


@functools.cache
def original(folder: str) -> str:
    """The code of a golden."""
    return unsigned(GOLDENS[folder].conversion(proved=False).code)


def edited(edit: Edit, folder: Path) -> str:
    """The code of the edited net."""
    golden: Golden = GOLDENS[edit.folder]
    text = golden.model
    for old, new in edit.changes:
        assert old in text, f"{old!r} is not in {edit.folder}/model.py"
        text = text.replace(old, new)
    (folder / "model.py").write_text(text)
    changed = replace(golden, inputs=edit.inputs or golden.inputs)
    conversion = changed.conversion(folder / "model.py", proved=False)
    assert conversion.folded, conversion.notes
    return unsigned(conversion.code)


def diff(old: str, new: str) -> list[str]:
    """The lines removed and added, the fewest that make one text of the other."""
    a, b = old.splitlines(), new.splitlines()
    lines: list[str] = []
    for kind, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind != "equal":
            lines += [f"-{line}" for line in a[i:j]] + [f"+{line}" for line in b[k:m]]
    return lines


def functions(code: str) -> dict[str, str]:
    """The text of each function, and of the rest under HEAD."""
    lines = code.splitlines(keepends=True)
    found: dict[str, str] = {}
    for node in reversed(ast.parse(code).body):
        if isinstance(node, ast.FunctionDef):
            found[node.name] = "".join(lines[node.lineno - 1 : node.end_lineno])
            del lines[node.lineno - 1 : node.end_lineno]
    return found | {HEAD: "".join(lines).rstrip()}


def parameter(edit: Edit) -> pytest.param:
    return pytest.param(edit, id=edit.name.replace(" ", "_"))


@pytest.mark.parametrize("edit", map(parameter, EDITS))
def test_edit(edit: Edit, tmp_path: Path) -> None:
    old, new = original(edit.folder), edited(edit, tmp_path)
    lines = diff(old, new)
    shown = "\n".join([f"{edit.name}: {len(lines)} lines, at most {edit.most}: {edit.why}", *lines])
    assert len(lines) <= edit.most, shown
    assert bool(lines) == bool(edit.most), shown
    before, after = functions(old), functions(new)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed <= {*edit.touched}, f"{changed} are not {edit.touched}\n{shown}"


def test_there_are_many_edits_of_many_nets() -> None:
    assert len({edit.name for edit in EDITS}) == len(EDITS) >= 20
    assert len({edit.folder for edit in EDITS}) >= 8
