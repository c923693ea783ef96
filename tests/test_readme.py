"""The README and the site cannot rot: their files are written, their commands run, and what these print is shown.

`python -m tests.test_readme` writes what they print into them; `python -m tests.test_readme docs/python.md` into one.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.session import BLOCK, ROOT, Session

README = ROOT / "README.md"
LONGEST = 250
QUOTED = re.compile(r'^```py title="([^",]*)"\n.*?^```$', re.DOTALL | re.MULTILINE)
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
RUN = [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def rewritten(text: str, folder: Path) -> str:
    """A page with the output of its commands, and the files that it quotes, as they are today."""
    session = Session(folder)
    text = QUOTED.sub(lambda m: f'```py title="{m[1]}"\n{(ROOT / m[1]).read_text(encoding="utf-8")}```', text)
    return BLOCK.sub(lambda m: f"```{m[1]}\n{session.block(m[1], m[2])}```", text)


def shown(text: str) -> Iterator[str]:
    """The lines, without the last digits of small differences and the seconds, which machines do not share."""
    for line in text.splitlines():
        yield re.sub(r"\d\.\de-\d\d", "SMALL", re.sub(r"in \d+\.\d+s", "in SECONDS", line))


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_what_a_page_shows_is_what_happens(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert list(shown(text)) == list(shown(rewritten(text, tmp_path)))


def test_the_readme_is_read_in_twenty_minutes() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_the_examples_net_is_the_readmes() -> None:
    model = (ROOT / "examples/xxnet/model.py").read_text(encoding="utf-8")
    assert f"```python\n# model.py\n{model}```" in README.read_text(encoding="utf-8")


def test_make_example(tmp_path: Path) -> None:
    """The first of the README's two commands."""
    session = Session(tmp_path)
    said = session.run("make example")
    assert session.status == 0, said
    assert "agrees with torch" in said
    assert said.endswith("the files are in build/example; read build/example/model_mxnet.py first\n")


def test_the_readme_has_the_table_of_make_matrix() -> None:
    table = [line for line in (ROOT / "docs/matrix.md").read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert "\n".join(table) in README.read_text(encoding="utf-8")


def test_every_symptom_is_what_its_command_says() -> None:
    """A paragraph of docs/troubleshooting.md begins with what a user sees, which the next block prints."""
    text = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    parts = re.split(r"^(?=\*\*)", text, flags=re.MULTILINE)[1:]
    assert len(parts) >= 15
    for part in parts:
        printed = "".join(body for kind, body in BLOCK.findall(part) if kind == "console")
        for symptom in re.findall(r"\*\*`([^`]*)`\*\*", part.partition("\n```")[0]):
            assert [piece for piece in symptom.split("...") if piece.strip() not in printed] == [], symptom


if __name__ == "__main__":
    for own in [ROOT / name for name in sys.argv[1:]] or PAGES:
        with tempfile.TemporaryDirectory() as place:
            made = Path(place) / "nets"
            made.mkdir()
            own.write_text(rewritten(own.read_text(encoding="utf-8"), made), encoding="utf-8")
