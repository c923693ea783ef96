"""The README cannot rot: its files are written, its commands run, and what they print is what it shows.

`python -m tests.test_readme` writes what they print into it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
HOME = "/home/you/nets"
GALLERY = re.compile(r"^```py (\S+)\n.*?^```$", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass
class Session:
    """A folder in which the README's blocks are run, from the first to the last."""

    folder: Path
    status: int = 0

    def block(self, kind: str, text: str) -> str:
        """A block as it should read: code is kept as a file, commands get their output."""
        if kind == "python":
            name = re.match(r"# (\S+\.py)\n", text)
            assert name, f"a python block starts with its file's name: {text[:50]}"
            (self.folder / name[1]).write_text(text)
            return text
        commands = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
        return "".join(f"$ {command}\n{self.run(command)}" for command in commands)

    def run(self, command: str) -> str:
        """The output of a command, with the folder under a name that a reader could have."""
        if command == "echo $?":
            return f"{self.status}\n"
        words = shlex.split(command)
        folder = self.folder
        if words[0] == "python":
            words[0] = sys.executable
        if words[0] == "make":  # in this environment, instead of one of its own
            words[1:1] = ["-s", "-o", ".venv/.installed", f"BIN={Path(sys.executable).parent}"]
            folder = ROOT
        done = subprocess.run(
            words,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.status = done.returncode
        # MXNet's own line, with the time of day.
        output = re.sub(r"^\[\d\d:\d\d:\d\d\] .*graph_executor.cc.*\n", "", done.stdout, flags=re.MULTILINE)
        return output.replace(str(self.folder.resolve()), HOME)


def rewritten(text: str, folder: Path) -> str:
    """The README with the output of its commands, and the files of its gallery, as they are today."""
    session = Session(folder)
    text = GALLERY.sub(lambda m: f"```py {m[1]}\n{(ROOT / m[1]).read_text(encoding='utf-8')}```", text)
    return BLOCK.sub(lambda m: f"```{m[1]}\n{session.block(m[1], m[2])}```", text)


def shown(text: str) -> Iterator[str]:
    """The lines, without the last digits of small differences, which machines do not share."""
    for line in text.splitlines():
        yield re.sub(r"\d\.\de-\d\d", "SMALL", line)


def test_what_the_readme_shows_is_what_happens(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8")
    assert list(shown(text)) == list(shown(rewritten(text, tmp_path)))


def test_the_readme_names_every_option() -> None:
    from tracer.gen import command

    text = README.read_text(encoding="utf-8")
    options = [name for parameter in command.params for name in parameter.opts if name.startswith("--")]
    assert [name for name in options if f"| `{name}" not in text and f", `{name}`" not in text] == []


def test_the_examples_net_is_the_readmes() -> None:
    model = (ROOT / "examples/xxnet/model.py").read_text(encoding="utf-8")
    assert f"```python\n# model.py\n{model}```" in README.read_text(encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        README.write_text(rewritten(README.read_text(encoding="utf-8"), Path(place)), encoding="utf-8")
