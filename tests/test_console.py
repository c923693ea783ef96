"""How the command speaks: on a terminal and elsewhere, quietly and at length; `--version`, `doctor`, completion."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tracer
from tests.command import fx2mx

ROOT = Path(__file__).parent.parent
COMMAND = ("model.py:XXNet", "--out", "model_mxnet.py")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a net, which is the current one."""
    (tmp_path / "model.py").write_text((ROOT / "examples/xxnet/model.py").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """What a terminal gets of a command, in the order in which it gets it."""
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "tracer.gen", *arguments]
    given = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM", "FORCE_COLOR")}
    given |= {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "120"} | environment
    process = subprocess.Popen(command, stdin=child, stdout=child, stderr=child, env=given)
    os.close(child)
    said = b""
    while True:
        try:
            part = os.read(parent, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        said += part
    os.close(parent)
    assert process.wait() == 0, said.decode()
    return said.decode()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_terminal_shows_what_goes_on_and_keeps_the_results() -> None:
    said = on_a_terminal(*COMMAND)
    shown = plain(said)
    for stage in ("importing torch", "tracing", "comparison with torch"):
        assert re.search(rf"[⠀-⣿] {stage}", shown), shown
    assert "\x1b[32magrees with torch" in said  # green
    # What stands at the end: the line that moved is gone, what was said is there.
    assert said.rstrip().endswith("layer_contrast.txt")
    assert "wrote model_mxnet.py\r\n" in shown


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colours(environment: dict[str, str]) -> None:
    said = on_a_terminal(*COMMAND, "--no-verify", "--no-weights", **environment)
    assert "\x1b[3" not in said
    assert "wrote model_mxnet.py" in said


def test_elsewhere_there_are_plain_lines() -> None:
    done = fx2mx(*COMMAND)
    assert "\x1b" not in done.out + done.err
    assert done.err.splitlines()[0] == "loading model.py:XXNet"


def test_verbose_says_how_long_each_stage_took() -> None:
    done = fx2mx(*COMMAND, "--verbose")
    times = re.findall(r"^ +\d+\.\d\d s  (.*)$", done.err, re.MULTILINE)
    assert {"loading the net", "tracing", "lowering and naming", "the comparison with torch"} <= set(times)
    assert "writing the files" in times
    assert not re.search(r"\d s  ", fx2mx(*COMMAND, "--no-verify").err)


def test_quiet_says_nothing_but_what_is_wrong() -> None:
    done = fx2mx(*COMMAND, "--quiet")
    assert (done.status, done.out, done.err) == (0, "", "")
    assert Path("model_mxnet-0000.params").exists()
    Path("model_mxnet.py").write_text("# edited\n")
    done = fx2mx(*COMMAND, "-q", "--check")
    assert (done.status, done.out, done.err) == (1, "", "error: model_mxnet.py is stale\n")


def test_version() -> None:
    assert fx2mx("--version").out == f"fx2mx {tracer.__version__}\n"


def script(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The console script, as pip installs it."""
    code = "import sys; sys.argv[0] = 'fx2mx'; from tracer.gen import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_usage_names_the_command_as_it_was_called() -> None:
    assert script("--help").stdout.startswith("Usage: fx2mx --out FILE [OPTIONS] SPEC\n")
    assert script("check", "--help").stdout.startswith("Usage: fx2mx check [OPTIONS] [FILE]...\n")
    assert fx2mx("--help").out.startswith("Usage: python -m tracer.gen --out FILE [OPTIONS] SPEC\n")
    assert "Usage: fx2mx" in script("--nope").stderr


def test_help_imports_nothing_slow() -> None:
    code = "import sys; from tracer.gen import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "print(sorted({'torch', 'mxnet', 'rich', 'jinja2', 'black'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "incomplete", "expected"),
    [
        ("fx2mx ", "--ver", {"plain,--verify", "plain,--verbose", "plain,--version"}),
        ("fx2mx ", "doc", {"plain,doctor", "file,doc"}),
        ("fx2mx check ", "--d", {"plain,--diff"}),
        ("fx2mx model.py:XXNet --out ", "m", {"file,m"}),
        ("fx2mx model.py:XXNet --verify ", "tr", {"plain,training"}),
    ],
)
def test_completion(words: str, incomplete: str, expected: set[str]) -> None:
    number = len(words.split())
    asked = {"_FX2MX_COMPLETE": "bash_complete", "COMP_WORDS": words + incomplete, "COMP_CWORD": str(number)}
    assert set(script(**asked).stdout.split()) == expected


def test_completion_has_a_script_for_each_shell() -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_FX2MX_COMPLETE" in script(_FX2MX_COMPLETE=f"{shell}_source").stdout


def test_doctor() -> None:
    done = fx2mx("doctor")
    assert done.status == 0, done.out
    assert "ok    mxnet 1.9.1" in done.out
    assert "ok    a small net: it is converted, and agrees with torch: " in done.out


def test_doctor_says_what_to_type(tmp_path: Path) -> None:
    (tmp_path / "mxnet.py").write_text("raise ImportError('libgfortran.so.3: no such file')\n")
    code = "import sys; sys.argv[0] = 'fx2mx'; from tracer.gen import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "doctor"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert (
        "FAIL  mxnet: ImportError: libgfortran.so.3: no such file\n      pip install --no-deps mxnet==1.9.1"
        in done.stdout
    )
    assert "ok    a small net: its code is generated; there is no mxnet to run it" in done.stdout
