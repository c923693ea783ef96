"""A page's session: its files are written, its commands run, and what they print is what the page shows.

Commands of Python run in children of one process that has imported torch and mxnet: each is a process of its own, in
its own folder, and is spared the seconds of the imports.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
HOME = "/home/you/nets"
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# MXNet's own line, with the time of day.
FUSION = re.compile(r"^\[\d\d:\d\d:\d\d\] .*graph_executor.cc.*\n", re.MULTILINE)
COMMANDS = {"fx2mx": [], "python": ["-m", "tracer.gen"]}


@dataclass
class Session:
    """A folder in which a page's blocks are run, from the first to the last."""

    folder: Path
    status: int = 0

    def __post_init__(self) -> None:
        if not (self.folder / "examples").exists():
            shutil.copytree(
                ROOT / "examples", self.folder / "examples", ignore=shutil.ignore_patterns("*_mxnet*")
            )

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
        own = words[0] in COMMANDS and words[1 : 1 + len(COMMANDS[words[0]])] == COMMANDS[words[0]]
        is_script = words[0] == "python" and words[1].endswith(".py")
        output = self._in_a_child(words) if own or is_script else self._in_a_shell(words)
        output = FUSION.sub("", output)
        return output.replace(str(self.folder.resolve()), HOME)

    def _in_a_shell(self, words: list[str]) -> str:
        folder = self.folder
        if words[0] == "python":
            words[0] = sys.executable
        if words[0] == "make":  # in this environment, instead of one of its own
            words[1:1] = ["-s", "-o", ".venv/.installed", f"BIN={Path(sys.executable).parent}"]
            folder = ROOT
        # A command that ran in this process leaves PYTORCH_JIT behind, which a user's shell does not have.
        given = {name: value for name, value in os.environ.items() if name != "PYTORCH_JIT"}
        # `python` is the one that runs these tests, also where their environment is not activated.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            words,
            cwd=folder,
            env=given | {"PATH": path, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.status = done.returncode
        return done.stdout

    def _in_a_child(self, words: list[str]) -> str:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.imported"])
        said = self.folder.parent / f"{self.folder.name}.said"
        process = context.Process(target=_child, args=(words, self.folder, said))
        process.start()
        process.join()
        self.status = process.exitcode if process.exitcode is not None else -1
        return said.read_text(encoding="utf-8")


def _child(words: list[str], folder: Path, said: Path) -> None:
    """Run a command of Python in a process that is this one's own, as `python` would in that folder."""
    file = os.open(said, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    for number in (1, 2):
        os.dup2(file, number)
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding="utf-8")
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding="utf-8", line_buffering=True)
    sys.dont_write_bytecode = True
    os.chdir(folder)
    if words[0] == "python" and words[1].endswith(".py"):
        sys.argv = words[1:]
        sys.path.insert(0, str(folder.resolve()))
        runpy.run_path(words[1], run_name="__main__")
    else:
        from tracer.gen import main

        sys.path.insert(0, "")
        sys.argv = ["fx2mx" if words[0] == "fx2mx" else "tracer/gen.py", *words[1:]]
        main(words[1 + len(COMMANDS[words[0]]) :])
