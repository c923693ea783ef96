"""The floor plan of docs/architecture.md, held against the code: who may import whom, and how large things get."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parent.parent
LONGEST_FILE, LONGEST_CLASS, LONGEST_FUNCTION = 400, 300, 60

# Each room, with the rooms that it may import: what stands lower. A room may import itself.
_DATA = ("ir", "program", "kinds", "problems", "refusals", "identifiers", "defects")
ROOMS: dict[str, tuple[str, ...]] = {
    "defects": (),
    "ir": ("defects",),
    "batch_words": ("kinds", "ir"),
    "identifiers": (),
    "refusals": (),
    "kinds": ("ir",),
    "problems": ("kinds", "ir"),
    "mxnet_import": ("problems",),
    "mxnet_process": ("mxnet_import", "problems"),
    "program": ("ir", "defects"),
    "places": (),
    "draft": ("program", "ir", "defects"),
    "reshape_codes": ("ir",),
    "result_shapes": ("reshape_codes", "ir"),
    "op_spec": ("result_shapes", "ir"),
    "mxnet_ops": ("op_spec", "result_shapes", "ir", "defects"),
    "automatic": ("mxnet_ops", "program"),
    "digest": (),
    "turn": (),
    "folded": ("turn", "program", "ir", "defects"),
    "items": ("folded", "program"),
    "written": ("digest", "turn", "ir", "defects"),
    "builder": ("draft", "op_spec", "mxnet_ops", *_DATA),
    "idioms": ("builder", "draft", "mxnet_ops", "reshape_codes", "places", *_DATA),
    "rules": ("idioms", "builder", "mxnet_ops", "reshape_codes", "places", *_DATA),
    "naming": ("draft", "mxnet_ops", "batch_words", *_DATA),
    "lower": ("rules", "naming", "builder", "draft", "mxnet_ops", *_DATA),
    "decompositions": ("problems", "defects"),
    "passes": ("automatic", "mxnet_ops", *_DATA),
    "fold": ("folded", "items", "turn", "automatic", "op_spec", "mxnet_ops", "result_shapes", *_DATA),
    "write": ("folded", "items", "written", "digest", "turn", "mxnet_ops", *_DATA),
    "proof": ("program", "op_spec", "mxnet_ops", "mxnet_import", "mxnet_process", "ir", "problems"),
    "weights": ("program", "mxnet_import", "mxnet_process", "ir", "problems"),
    "artifacts": ("digest", "program", "mxnet_import", "mxnet_process", "ir", "problems"),
}
# Imports inside functions: optional packages, and those that are slow to load.
SLOW = {
    "rich": "for a terminal alone, of which a run in CI has none",
    "torch": "three seconds of loading: not for --help, nor for a wrong command line",
}


@dataclass(frozen=True)
class Import:
    """One name that a file imports; `of_types` is one that stands under `if TYPE_CHECKING:`."""

    file: Path
    line: int
    module: str
    inside: bool
    of_types: bool = False

    def __str__(self) -> str:
        return f"{self.file.relative_to(HOME)}:{self.line} imports {self.module}"


def files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((HOME / folder).rglob("*.py"))]


def imports(path: Path) -> Iterator[Import]:
    """Every import of a file, those of types alone among them; `inside` a function or not."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    within = {id(n) for function in functions for n in ast.walk(function)}
    checks = [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    types = {id(n) for check in checks for n in ast.walk(check)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [_whole(node.module or "", alias.name) for alias in node.names]
        else:
            continue
        own = (id(node) in within, id(node) in types)
        yield from (Import(path, node.lineno, module, *own) for module in modules)


def _whole(module: str, name: str) -> str:
    """`from codegen import ir` imports codegen.ir."""
    path = HOME.joinpath(*module.split("."), name)
    return f"{module}.{name}" if path.is_dir() or path.with_suffix(".py").is_file() else module


def room(path: Path) -> str:
    """The first name below codegen/."""
    return path.relative_to(HOME / "codegen").parts[0].removesuffix(".py")


def test_codegen_does_not_import_tracer():
    up = [str(i) for path in files("codegen") for i in imports(path) if i.module.split(".")[0] == "tracer"]
    assert up == []


def test_rules_do_not_know_each_other():
    folder = HOME / "codegen" / "rules"
    across = [
        str(i)
        for path in files("codegen/rules")
        for i in imports(path)
        if i.module.startswith("codegen.rules") and path != folder / "__init__.py"
    ]
    assert across == []


def test_every_import_goes_down():
    up = []
    for path in files("codegen"):
        own = room(path)
        for found in imports(path):
            parts = found.module.split(".")
            if parts[0] != "codegen" or len(parts) == 1 or own == "__init__":
                continue
            if parts[1] != own and parts[1] not in ROOMS[own]:
                up.append(str(found))
    assert up == []


def test_mxnet_is_imported_through_one_door():
    """But for its types, which are read and not run."""
    beside = [
        str(i)
        for path in files("codegen", "tracer")
        for i in imports(path)
        if i.module.split(".")[0] == "mxnet" and not i.of_types
    ]
    assert beside == []


def test_every_room_is_on_the_plan():
    assert {room(p) for p in files("codegen")} - {"__init__"} == set(ROOMS)


def test_no_circles():
    """Files that import each other, in a room or across."""
    names = {_name(path): path for path in files("codegen", "tracer")}
    below = {name: {i.module for i in imports(path)} & set(names) - {name} for name, path in names.items()}
    while ends := [name for name, wanted in below.items() if not wanted]:
        for end in ends:
            del below[end]
        for wanted in below.values():
            wanted.difference_update(ends)
    assert below == {}


def _name(path: Path) -> str:
    return ".".join(path.relative_to(HOME).with_suffix("").parts).removesuffix(".__init__")


def test_no_import_inside_a_function():
    """But for slow packages, and what imports them: the command line's own stages."""
    lazy = {
        "tracer/command.py",
        "tracer/checking.py",
        "tracer/compare/command.py",
        "tracer/doctor.py",
        "tracer/failing.py",
        "tracer/formats/told.py",
        "tracer/loading.py",
        "tracer/review_diff/cli.py",
        "tracer/__init__.py",
    }  # nothing slow before the command line is read
    inside = [
        str(i)
        for path in files("codegen", "tracer")
        for i in imports(path)
        if i.inside and i.module.split(".")[0] not in SLOW and str(path.relative_to(HOME)) not in lazy
    ]
    assert inside == []


def test_no_assert_decides():
    """Under `python -O` there is none: what must hold is an error (codegen.defects)."""
    asserts = [
        f"{path.relative_to(HOME)}:{node.lineno}"
        for path in files("codegen", "tracer")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert)
    ]
    assert asserts == []


@pytest.mark.parametrize("folder", ["codegen", "tracer", "templates"])
def test_no_file_is_too_long(folder: str):
    long = {
        str(path.relative_to(HOME)): count
        for path in sorted((HOME / folder).rglob("*"))
        if path.suffix in {".py", ".jinja"}
        and (count := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    }
    assert long == {}


@pytest.mark.parametrize(
    ("kind", "most"), [(ast.ClassDef, LONGEST_CLASS), (ast.FunctionDef, LONGEST_FUNCTION)]
)
def test_nothing_is_too_long(kind: type[ast.ClassDef | ast.FunctionDef], most: int):
    long = {
        f"{path.relative_to(HOME)}:{node.name}": count
        for path in files("codegen", "tracer")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, kind) and (count := (node.end_lineno or 0) - node.lineno + 1) > most
    }
    assert long == {}
