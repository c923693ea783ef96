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
QUOTED = re.compile(r'^```py title="([^"]*)"\n.*?^```$', re.DOTALL | re.MULTILINE)
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
RUN = [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))]


def rewritten(text: str, folder: Path) -> str:
    """A page with the output of its commands, and the files that it quotes, as they are today."""
    session = Session(folder)
    text = QUOTED.sub(lambda m: f'```py title="{m[1]}"\n{(ROOT / m[1]).read_text(encoding="utf-8")}```', text)
    return BLOCK.sub(lambda m: f"```{m[1]}\n{session.block(m[1], m[2])}```", text)


def shown(text: str) -> Iterator[str]:
    """The lines, without the last digits of small differences, which machines do not share."""
    for line in text.splitlines():
        yield re.sub(r"\d\.\de-\d\d", "SMALL", line)


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_shows_is_what_happens(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert list(shown(text)) == list(shown(rewritten(text, tmp_path)))


def test_the_examples_net_is_the_readmes() -> None:
    model = (ROOT / "examples/xxnet/model.py").read_text(encoding="utf-8")
    assert f"```python\n# model.py\n{model}```" in README.read_text(encoding="utf-8")


if __name__ == "__main__":
    for own in [ROOT / name for name in sys.argv[1:]] or PAGES:
        with tempfile.TemporaryDirectory() as place:
            made = Path(place) / "nets"
            made.mkdir()
            own.write_text(rewritten(own.read_text(encoding="utf-8"), made), encoding="utf-8")
