"""Every refusal, wrong request, warning and note has a number and a page, and each page's example shows it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tracer
from codegen.kinds.kind import Kind
from codegen.kinds.page import page, plain_page
from codegen.kinds.table import KINDS, kind_of, named
from tests import errors
from tests.command import fx2mx
from tests.explained import run_example
from tests.session import ROOT
from tests.test_layers import files

# Why a kind has no example.
WITHOUT = {
    "free-batch": "the net is written at one batch size instead",
    "memory": "a net that is too large for one machine is not for another",
    "defect": "one that is known is mended",
    "request": "of no kind of its own",
    "weights-range": "a guard: no net is known that meets it",
    "cannot-write": "a disk that is full",
    "no-mxnet": "a machine without mxnet; tests/test_mxnet_python.py has one",
    "empty-boxes": "takes torchvision; tests/vision has one",
    "training-untold": "takes a deep net",
    "unfolded": "one that is known is mended",
    "no-symbol": "a machine without mxnet; tests/test_mxnet_python.py has one",
}
WITH_CODE = {"RequestError", "UserModelError"}
# A form of fewer letters than these says nothing.
LEAST = 12


def calls(*names: str) -> Iterator[tuple[Path, ast.Call]]:
    """The calls of functions, methods and classes of these names."""
    for path in files("codegen", "tracer"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in names:
                    yield path, node


def form(node: ast.expr) -> str | None:
    """A text of the code with `...` for what is computed, None where all is."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = [str(v.value) if isinstance(v, ast.Constant) else "..." for v in node.values]
        return re.sub(r"(\.\.\.)+", "...", "".join(parts))
    return None


def tells(text: str) -> bool:
    return len(re.sub(r"\.\.\.|\W", "", text)) >= LEAST


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def argument(call: ast.Call, position: int, keyword: str) -> ast.expr | None:
    given = {k.arg: k.value for k in call.keywords}
    return call.args[position] if len(call.args) > position else given.get(keyword)


def words_in(node: ast.expr | None) -> set[str]:
    return {n.value for n in ast.walk(node) if isinstance(n, ast.Constant)} if node is not None else set()


# The table -------------------------------------------------------------------------------------------


def test_numbers_and_words_are_given_once() -> None:
    numbers = [kind.number for kind in KINDS]
    assert numbers == sorted(set(numbers))
    assert len({kind.word for kind in KINDS}) == len(KINDS)
    assert all(re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", kind.word) for kind in KINDS)


def test_every_kind_has_a_page() -> None:
    for kind in KINDS:
        text = page(kind)
        assert text.startswith(f"## {kind.title}\n")
        assert "**Cause.** " in text
        assert "**Way out.** " in text
        assert ("**Example.** " in text) is (kind.word not in WITHOUT)
        assert max(map(len, plain_page(kind).splitlines())) <= 250
        assert "```" not in plain_page(kind)


@pytest.mark.parametrize("name", errors.PAGES)
def test_the_pages_of_the_docs_are_the_tables(name: str) -> None:
    path = errors.FOLDER / name
    assert path.read_text(encoding="utf-8") == errors.pages()[name], "python -m tests.errors"


def test_troubleshooting_links_to_the_pages() -> None:
    """Each symptom leads to the page of the error that the next block prints."""
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    parts = re.split(r"^(?=\*\*`)", text, flags=re.MULTILINE)[1:]
    printed = [
        (part, kind_code)
        for part in parts
        for kind_code in set(
            re.findall(r"^(?:error: | {2}).*\((FX\d+)\)$", part.partition("\n## ")[0], flags=re.MULTILINE)
        )
    ]
    assert len(printed) > 20
    for part, code in printed:
        kind = named(code)
        assert kind is not None
        anchor = kind.title.lower().replace(" ", "-")
        assert f"[{code}](errors/{errors.PAGES[kind.number // 100 - 1]}#{anchor})" in part, part[:100]


# The code --------------------------------------------------------------------------------------------


def test_every_refusal_has_a_kind() -> None:
    for path, call in calls("Problem"):
        word = argument(call, 0, "code")
        if isinstance(word, ast.Constant):
            assert kind_of(word.value).number < 200, place(path, call)
    for path, call in calls("Refused"):
        word = argument(call, 2, "code")
        if isinstance(word, ast.Constant):
            assert kind_of(word.value).number < 200, place(path, call)


def test_every_request_has_a_kind() -> None:
    bare = []
    for path, call in calls(*WITH_CODE, "Usage"):
        (word,) = words_in(argument(call, 1, "code")) or {None}
        shown = place(path, call)
        if word is not None:
            assert kind_of(word).number // 100 == 2, shown
        elif getattr(call.func, "id", "") == "RequestError":
            bare.append(shown)
    assert bare == []


def test_every_note_has_a_kind() -> None:
    """A rule notes by the word of a kind; nothing else that is said begins with `note:`."""
    for path, call in calls("note"):
        if not call.args or not isinstance(call.args[0], ast.Constant):
            assert path.name in {
                "builder.py",
                "console.py",
                "command.py",
                "loading.py",
            } or "._note" in ast.unparse(call), place(path, call)
        else:
            assert kind_of(call.args[0].value).level in {"warning", "note"}, place(path, call)
    said = [
        place(p, c) for p, c in calls("say", "tell") if c.args and (form(c.args[0]) or "").startswith("note")
    ]
    assert said == []


def test_what_a_request_says_is_on_its_page() -> None:
    """And the page cannot part from the message."""
    for path, call in calls(*WITH_CODE):
        (word,) = words_in(argument(call, 1, "code")) or {None}
        text = form(call.args[0])
        if word is not None and text is not None and tells(text):
            assert text in kind_of(word).forms, place(path, call)


def test_what_a_page_says_is_said() -> None:
    """What an error's page says between its dots is a part of a text of the code."""
    texts = {
        form(node) or ""
        for path in files("codegen", "tracer")
        if path.parent.name != "kinds"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant | ast.JoinedStr)
    }
    own = [kind for kind in KINDS if kind.level == "error" and kind.word != "command-line"]
    pieces = {(k.title, piece.strip()) for k in own for said in k.forms for piece in said.split("...")}
    lost = [(title, p) for title, p in pieces if tells(p) and not any(p in text for text in texts)]
    assert lost == []


# The examples ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [k for k in KINDS if k.word not in WITHOUT], ids=lambda k: k.title)
def test_the_example_shows_it(kind: Kind, tmp_path: Path) -> None:
    assert kind.example is not None
    folder = tmp_path / "nets"
    folder.mkdir()
    status, said = run_example(kind.example, folder)
    lines = [line for line in said.splitlines() if re.search(rf"[( ]{kind.code}\)$", line)]
    assert len(lines) == 1, said
    if kind.example.typed != "python before.py":
        assert status == {"error": kind.number // 100, "warning": 0, "note": 0}[kind.level]
    shown = [re.escape(text).replace(re.escape("..."), ".*") for text in kind.forms]
    said = re.sub(r"  \(FX\d+\)$", "", said, flags=re.MULTILINE)
    assert not shown or any(re.search(text, said, re.DOTALL) for text in shown), said


def test_no_kind_is_left_out_for_nothing() -> None:
    assert set(WITHOUT) == {kind.word for kind in KINDS if kind.example is None}


# --explain -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["FX101", "fx101", "101", "no-rule", "No-Rule"])
def test_explain(text: str) -> None:
    done = fx2mx("--explain", text)
    assert (done.status, done.out, done.err) == (0, plain_page(kind_of("no-rule")), "")


@pytest.mark.parametrize(
    ("text", "offered"), [("no-rul", "FX101 no-rule"), ("FX1011", "FX101 no-rule"), ("zzz", "they are FX101")]
)
def test_an_unknown_code(text: str, offered: str) -> None:
    done = fx2mx("--explain", text)
    assert (done.status, done.out) == (2, "")
    assert f"--explain {text}: there is no such code" in done.err
    assert offered in done.err


def test_it_goes_before_what_else_is_asked() -> None:
    assert fx2mx("model.py", "--nothing", "--explain", "FX302").status == 2
    assert fx2mx("model.py", "--explain", "FX302").out == plain_page(kind_of("batch-limited"))


def test_python_has_the_number() -> None:
    with pytest.raises(tracer.RequestError) as caught:
        tracer.convert("net")
    assert (caught.value.number, caught.value.code) == ("FX205", "not-a-module")
    assert named(caught.value.number) is kind_of(caught.value.code)
