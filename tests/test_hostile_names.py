"""Names that torch allows and Python does not: the generated code is valid, the same each time, and runs nothing of them."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
import torch
from torch import nn

from tests import test_clean
from tests.command import fx2mx
from tracer.conversion import Conversion, convert

PAYLOAD = 'open("pwned", "w")'

# Attributes and keys; a module's must have no dot.
NAMES = {
    "chinese": "卷积",
    "accent": "é",
    "fullwidth": "ｎａｍｅ",  # the identifier `name`, once Python has normalised it
    "emoji": "🔥",
    "keyword": "class",
    "constant": "None",
    "digits": "0",
    "quote": 'a"b',
    "apostrophe": "it's",
    "docstring": '"""',
    "hash": "# x",
    "newline": "a\nb",
    "return": "a\rb",
    "tab": "a\tb",
    "formfeed": "a\x0cb",
    "escape": "\x1b[31m",
    "nul": "a\0b",
    "surrogate": "\ud800",
    "line_separator": "a\u2028b",
    "right_to_left": "a\u202eb",
    "zero_width": "a\u200bb",
    "no_break_space": "\u00a0",
    "space": " ",
    "backslash": "a\\b",
    "last_backslash": "ab\\",
    "field": "{name}",
    "open_brace": "{",
    "braces": "{{0}}",
    "percent": "%s%(x)d",
    "template": "{{ 7 * 7 }}{% raw %}",
    "call_in_field": "{" + PAYLOAD + "}",
    "closing_quote": f'x"); {PAYLOAD}; ("',
    "closing_docstring": f'"""\n{PAYLOAD}\n"""',
    "new_line_of_code": f"x\n    {PAYLOAD}\n",
    "name": "name",
    "mx": "mx",
    "input": "x",
    "helper": "named",
    "loop": "i",
    "shapes": "DATA_SHAPES",
    "builtin": "range",
    "suffix": "weight",
}


class Block(nn.Module):
    """A module and a parameter of a given name, in a function of its own."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.add_module(key, nn.Linear(4, 4))
        self.params = nn.ParameterDict({key: torch.ones(4)})
        self.key = key

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.tanh(getattr(self, self.key)(x)) * 2
        return y + self.params[self.key] + x


class Net(nn.Module):
    """The name in loops, in a run of blocks and in a flat part."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict({f"{key}{i}": Block(key) for i in range(3)})
        self.add_module(key, nn.Sequential(Block(key), nn.Linear(4, 4), Block(key)))
        self.key = key

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks.values():
            x = block(x)
        return getattr(self, self.key)(x)


def converted(model: nn.Module, name: str = "Net", *, proved: bool = True) -> Conversion:
    return convert(model.eval(), (torch.randn(1, 4),), name=name, proved=proved)


def without_dots(name: str) -> str:
    return name.replace(".", "·")


def check_harmless(code: str) -> None:
    """It imports mxnet, defines functions, and calls nothing but them, MXNet's ops and what writes a name."""
    tree = ast.parse(code)
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert [type(node) for node in tree.body[:3]] == [ast.Expr, ast.Import, ast.Assign]
    rest = [node for node in tree.body[3:] if not is_setting(node) and not is_initializer(node)]
    assert all(isinstance(node, ast.FunctionDef) for node in rest)
    for node in (inner for own in rest for inner in ast.walk(own)):
        assert not isinstance(node, ast.ImportFrom | ast.Lambda | ast.Global | ast.ClassDef)
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            allowed = functions | {"range", "enumerate", "zip", "str", "symbol._set_attr"}
            assert called.startswith(("mx.sym.", "mx.init.")) or called in allowed, called


def is_setting(node: ast.stmt) -> bool:
    """FIXED_PARAMS or FROZEN, a literal; many names are words of one text."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return False
    words = re.sub(r"\.split\(\)$", "", ast.unparse(node.value))
    ast.literal_eval(words)
    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    return ast.unparse(target) in {"FIXED_PARAMS", "FROZEN"}


def is_initializer(node: ast.stmt) -> bool:
    """The class that gives constants their values, which is the same in every file but for its name."""
    if not isinstance(node, ast.ClassDef) or not node.name.isidentifier():
        return False
    (init,) = (n for n in node.body if isinstance(n, ast.FunctionDef))
    (said,) = init.body
    value = 'mx.nd.load(__file__.removesuffix(\'.py\') + \'-0000.params\')[f\'arg:{name}\']'
    return ast.unparse(said) == f"array[:] = {value}"


def check_unique(symbol: mx.sym.Symbol) -> None:
    names = [node["name"] for node in json.loads(symbol.tojson())["nodes"]]
    assert len(set(names)) == len(names)


def check_loads(conversion: Conversion, folder: Path) -> None:
    """The files give torch's results, by the documented way to load them; the table has one line for each."""
    conversion.save(folder / "model_mxnet.py")
    symbol, args, aux = mx.model.load_checkpoint(str(folder / "model_mxnet"), 0)
    names = list(conversion.symbol.list_inputs())
    inputs = [name for name in names if name not in args and name not in aux]
    assert symbol.tojson() == conversion.symbol.tojson()
    assert set(args) | set(inputs) == set(symbol.list_arguments())
    data = [torch.randn(2, 4) for _ in inputs]
    module = mx.mod.Module(symbol, data_names=inputs, label_names=None)
    module.bind([(name, (2, 4)) for name in inputs], for_training=False)
    module.set_params(args, aux)
    module.forward(mx.io.DataBatch([mx.nd.array(t.numpy()) for t in data]), is_train=False)
    with torch.no_grad():
        expected = conversion.model(*data).numpy()
    assert np.allclose(module.get_outputs()[0].asnumpy(), expected, atol=1e-5)
    table = (folder / "model_mxnet-layer_contrast.txt").read_bytes().decode().split("\n")
    assert len(table) == len(args) + 1
    assert all(row.count("\t") == 3 for row in table[:-1])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_modules_and_parameters(name: str, tmp_path: Path) -> None:
    model = Net(without_dots(NAMES[name]))
    conversion = converted(model)
    assert conversion.folded, ascii(conversion.notes)
    check_harmless(conversion.code)
    assert converted(model, proved=False).code == conversion.code
    check_unique(conversion.symbol)
    assert conversion.verify(layers=False).ok
    check_loads(conversion, tmp_path)
    assert not (tmp_path / "pwned").exists()


def block_class(name: str, width: int) -> type[nn.Module]:
    """A class that is called `name`."""

    def build(self: nn.Module) -> None:
        nn.Module.__init__(self)
        self.inner = nn.Sequential(nn.Linear(4, width), nn.Linear(width, 4), nn.Sigmoid())
        self.last = nn.Linear(4, 4) if width > 5 else None

    def forward(self: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = self.inner(x)
        return self.last(y) + x if self.last is not None else y + x

    return type(name, (nn.Module,), {"__init__": build, "forward": forward})


CLASSES = [*NAMES, "weird", "", "Net", "str", "symbol", "1x1", "__init__", "a.b", "x" * 90]
# File.title and .origin are written into the head's docstring as they are.


@pytest.mark.parametrize("name", CLASSES)
def test_classes(name: str, tmp_path: Path) -> None:
    """Two classes of one name, each in use twice, in a net of the same name."""
    text = NAMES.get(name, name)
    if "\0" in text or "\ud800" in text:
        with pytest.raises((ValueError, UnicodeEncodeError)):
            block_class(text, 4)
        return
    small, large = block_class(text, 4), block_class(text, 8)
    net = type(text, (nn.Sequential,), {})
    conversion = converted(net(small(), large(), small(), large(), small()), text)
    assert conversion.folded, ascii(conversion.notes)
    check_harmless(conversion.code)
    check_unique(conversion.symbol)
    assert conversion.verify(layers=False).ok
    check_loads(conversion, tmp_path)
    assert not (tmp_path / "pwned").exists()


class Colliding(nn.Module):
    """Paths that are one once their dots are underscores, parameters called as ops are, an input as a module."""

    def __init__(self) -> None:
        super().__init__()
        self.a_b = nn.Linear(4, 4)
        self.a = nn.Module()
        self.a.b = nn.Linear(4, 4)
        self.fc = nn.Linear(4, 4)
        self.fc_weight = nn.Parameter(torch.randn(4))
        self.mul = nn.Parameter(torch.randn(4))
        self.add_module("x", nn.Linear(4, 4))

    def forward(self, x: torch.Tensor, a_b_weight: torch.Tensor) -> torch.Tensor:
        fc = self.fc(self.a_b(x) + self.a.b(x))
        mul = fc * self.fc_weight * self.mul
        return self.x(mul) + a_b_weight


def test_names_that_collide(tmp_path: Path) -> None:
    conversion = convert(Colliding().eval(), (torch.randn(1, 4), torch.randn(1, 4)), name="Colliding")
    check_harmless(conversion.code)
    check_unique(conversion.symbol)
    assert conversion.symbol.list_inputs()[0] == "x"
    assert conversion.verify(layers=False).ok
    check_loads(conversion, tmp_path)


AUTHORS = """
import torch
from torch import nn


class Step(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, {name}, mx):
        slice = torch.relu(self.fc({name}))  # \\ {{name}} %s
        named = slice * 2 + mx; {{"no": \"\"\"quotes\"\"\", '{{': "\u2028\x0c"}}
        return named.tanh() + {name}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = nn.ModuleList(Step() for _ in range(3))

    def forward(self, {name}, i):
        DATA_SHAPES = {name}.tanh()
        range = DATA_SHAPES.sin() + i
        for each in self.steps:
            range = each(range, DATA_SHAPES)
        return {name} + range
"""


VARIABLES = [
    "name",
    "mx",
    "named",
    "range",
    "str",
    "DATA_SHAPES",
    "Net",
    "step",
    "图像",
    "ª",
    "ｘ",
    "_",
    "__",
]
# Faults of codegen/view.py.


@pytest.mark.parametrize("name", VARIABLES)
def test_the_authors_variables(name: str, tmp_path: Path) -> None:
    """Inputs and locals that have a meaning in the generated file, and source lines that could end a comment."""
    other = AUTHORS.replace("forward(self, {name}, mx)", "forward(self, {name}, mx_)").replace(
        "+ mx;", "+ mx_;"
    )
    text = (other if name == "mx" else AUTHORS).format(name=name)
    (tmp_path / "model.py").write_text(text, encoding="utf-8")
    inputs = ("--input", "1,4", "--input", "1,4")
    done = fx2mx("model.py:Net", "--out", "model_mxnet.py", *inputs)
    assert done.status == 0, done.err
    assert "one flat function" not in done.err
    check_harmless(Path("model_mxnet.py").read_text(encoding="utf-8"))
    symbol = mx.sym.load("model_mxnet-symbol.json")
    check_unique(symbol)
    check_clean(tmp_path, ["model_mxnet.py"])


PATHS = ["it's", 'a"b', '"""', "a\nb", "a\\", "{name}", "# x", "$(touch pwned)", "-x", "é", "a b"]


@pytest.mark.parametrize("name", PATHS)
def test_paths(name: str, tmp_path: Path) -> None:
    """Of the folder nothing is written; of the file its name, in a command that makes the code again."""
    folder = tmp_path / name
    folder.mkdir()
    model = "from torch import nn\n\n\nclass Net(nn.Sequential):\n    def __init__(self):\n        super().__init__(nn.Linear(4, 4))\n"
    (folder / f"{name}.py").write_text(model)
    command = (f"{folder}/{name}.py:Net", "--out", f"{folder}/{name}_mxnet.py", "--input", "1,4")
    done = fx2mx(*command, "--no-weights")
    assert done.status == 0, done.err
    code = (folder / f"{name}_mxnet.py").read_text()
    check_harmless(code)
    check_clean(folder, [f"./{name}_mxnet.py"])
    assert str(tmp_path) not in code
    shown = ast.get_docstring(ast.parse(code), clean=False)
    assert shown is not None
    words = shlex.split(shown.partition(" tracer.gen ")[2].replace("\\\n", " "))
    (tmp_path / "there").mkdir()
    assert words == [f"{name}.py:Net", "--out", f"{name}_mxnet.py", "--input", "1,4"]
    assert fx2mx(*command, "--no-weights", "--check").status == 0
    assert not [*tmp_path.rglob("pwned")]


def check_clean(folder: Path, files: list[str]) -> None:
    """Under the author's names for what it holds, `input` for one, even where they are builtins'."""
    test_clean.check(test_clean.BLACK, folder, files)
    test_clean.check((*test_clean.RUFF, "--extend-ignore", "A001,A002,D301"), folder, files)


def test_the_code_is_clean(tmp_path: Path) -> None:
    """Under names that are safe as identifiers, strange as strings."""
    files = []
    for case, name in NAMES.items():
        files.append(f"{case}/model_mxnet.py")
        (tmp_path / case).mkdir()
        code = converted(Net(without_dots(name)), proved=False).code
        (tmp_path / files[-1]).write_text(code, encoding="utf-8")
    check_clean(tmp_path, files)
    test_clean.check(test_clean.mypy(tmp_path), tmp_path, files)
