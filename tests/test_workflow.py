"""The workflow of docs/guides/ci.md does what it says: its steps are run in a scratch repository, as they stand there.

What is not GitHub's own here is real: git, the conversions in both frameworks, the shell. The one stand-in is `gh`, which
keeps the comments of a pull request in a file, and the calls. Left out, by name, are the step that installs fx2mx, which
is here, and the steps that are actions (`uses`).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.session import ROOT
from tracer.review.text import MARK

GUIDE = ROOT / "docs" / "guides" / "ci.md"
WORKFLOW = re.compile(r"^```yaml\n(# \.github/workflows/review\.yml\n.*?)^```$", re.DOTALL | re.MULTILINE)
LEFT_OUT = {"install fx2mx"}
MODEL = """\
from torch import nn


class XXNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        x = self.conv1(x).relu()
        return self.fc(x.mean((2, 3)))
"""
# Keeps comments as GitHub does: a list of them with who wrote them, made by POST, changed by PATCH.
GH = """\
#!{python}
import json, re, sys
from pathlib import Path

words = sys.argv[1:]
assert words[0] == "api", words
store, calls = Path({store!r}), Path({calls!r})
found = json.loads(store.read_text())
place, given = words[1], dict(zip(words, words[1:]))
with calls.open("a") as file:
    file.write(json.dumps(words) + "\\n")
if "--method" not in given:
    assert place == "repos/you/nets/issues/7/comments", place
    author, mark = re.search(r'type == "(.*?)".*contains\\("(.*?)"\\)', given["--jq"]).groups()
    for own in found:
        if own["user"]["type"] == author and mark in own["body"]:
            print(own["id"])
    sys.exit()
body = Path(given["--field"].removeprefix("body=@")).read_text()
assert len(body) <= 65536
if given["--method"] == "POST":
    assert place == "repos/you/nets/issues/7/comments", place
    found.append({{"id": 100 + len(found), "user": {{"type": "Bot"}}, "body": body}})
else:
    (own,) = [own for own in found if place == f"repos/you/nets/issues/comments/{{own['id']}}"]
    own["body"] = body
store.write_text(json.dumps(found))
"""


@dataclass(frozen=True)
class Ran:
    """A run of the workflow: the steps that were run, whether one failed, all that was printed."""

    steps: tuple[str, ...]
    status: int
    said: str


@dataclass(frozen=True)
class Repository:
    """A repository with a pull request, beside which `gh` keeps its comments."""

    folder: Path

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def environment(self) -> dict[str, str]:
        beside = self.folder.parent
        path = f"{beside / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        names = {
            f"GIT_{who}_{what}": "you@here" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        own = {"PATH": path, "PYTHONPATH": str(ROOT), "GIT_CONFIG_GLOBAL": os.devnull, "HOME": str(beside)}
        runner = {"GITHUB_STEP_SUMMARY": str(beside / "summary.md"), "RUNNER_TEMP": str(beside / "runner")}
        return os.environ | names | own | runner

    def commit(self, model: str, *, generated: bool = True) -> str:
        """A commit of the net; with the generated code, unless somebody forgot it."""
        (self.folder / "model.py").write_text(model)
        if generated:
            words = str(workflow()["jobs"]["review"]["env"]["MAKE"]).split()
            done = self.run(" ".join([*words, "--no-verify", "--quiet"]), {})
            assert done.returncode == 0, done.stdout
        self.git("add", "model.py", *(["model_mxnet.py"] if generated else []))
        self.git("commit", "--quiet", "--message", "the net")
        return self.git("rev-parse", "HEAD")

    def run(self, script: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """A script, as a step of GitHub's runs it."""
        return subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self.folder,
            env=self.environment() | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def pushed(self, base: str) -> Ran:
        """The workflow at a push, in a checkout that holds what is committed."""
        shutil.rmtree(self.folder.parent / "runner", ignore_errors=True)
        (self.folder.parent / "runner").mkdir()
        self.git("clean", "--quiet", "-ffdx")
        self.git("worktree", "prune")
        return run_steps(self, base)

    @property
    def comments(self) -> list[dict[str, Any]]:
        return json.loads((self.folder.parent / "comments.json").read_text())  # type: ignore[no-any-return]

    def say(self, author: str, body: str) -> None:
        """Somebody else's comment."""
        told = [*self.comments, {"id": 100 + len(self.comments), "user": {"type": author}, "body": body}]
        (self.folder.parent / "comments.json").write_text(json.dumps(told))

    @property
    def methods(self) -> list[str]:
        """How the comments were changed, call by call."""
        calls = (self.folder.parent / "calls").read_text().splitlines()
        pairs = [dict(pairwise(words)) for words in map(json.loads, calls)]
        return [pair["--method"] for pair in pairs if "--method" in pair]


def workflow() -> dict[str, Any]:
    found = WORKFLOW.findall(GUIDE.read_text(encoding="utf-8"))
    assert len(found) == 1
    return yaml.safe_load(found[0])  # type: ignore[no-any-return]


def filled(text: str, base: str, outcomes: Mapping[str, str]) -> str:
    """A text with what GitHub puts into it; an expression that is not known is an error."""
    values = {
        "github.event.pull_request.base.sha": base,
        "github.event.pull_request.number": "7",
        "github.repository": "you/nets",
        "github.token": "a token",
    } | {f"steps.{name}.outcome": outcome for name, outcome in outcomes.items()}
    return re.sub(r"\$\{\{ (.*?) \}\}", lambda m: values[m[1]], text)


def is_wanted(step: Mapping[str, Any], outcomes: Mapping[str, str]) -> bool:
    """What the `if` of a step says, without which nothing before it may have failed."""
    if "if" not in step:
        return "failure" not in outcomes.values()
    terms = {
        "!cancelled()": True,
        "steps.install.outcome == 'success'": outcomes["install"] == "success",
        "github.event.pull_request.head.repo.full_name == github.repository": True,
    }
    whole = re.fullmatch(r"\$\{\{ (.*) \}\}", step["if"])
    assert whole, step["if"]
    return all(terms[term.strip()] for term in whole[1].split("&&"))


def env_of(part: Mapping[str, Any], base: str, outcomes: Mapping[str, str]) -> dict[str, str]:
    return {name: filled(str(value), base, outcomes) for name, value in part.get("env", {}).items()}


def run_steps(own: Repository, base: str) -> Ran:
    job = workflow()["jobs"]["review"]
    outcomes: dict[str, str] = {}
    steps, said = [], ""
    for number, step in enumerate(job["steps"]):
        key = step.get("id", str(number))
        if "uses" in step or step["name"] in LEFT_OUT:
            outcomes[key] = "success"
            continue
        if not is_wanted(step, outcomes):
            outcomes[key] = "skipped"
            continue
        done = own.run(step["run"], env_of(job, base, outcomes) | env_of(step, base, outcomes))
        assert "${{" not in step["run"]
        steps.append(step["name"])
        said += done.stdout
        outcomes[key] = "failure" if done.returncode else "success"
    return Ran(tuple(steps), 1 if "failure" in outcomes.values() else 0, said)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    own = Repository(tmp_path / "nets")
    (tmp_path / "bin").mkdir()
    own.folder.mkdir()
    (tmp_path / "comments.json").write_text("[]")
    (tmp_path / "calls").write_text("")
    gh = tmp_path / "bin" / "gh"
    places = {"store": str(tmp_path / "comments.json"), "calls": str(tmp_path / "calls")}
    gh.write_text(GH.format(python=sys.executable, **places))
    gh.chmod(0o755)
    own.git("init", "--quiet")
    return own


def test_one_comment_is_made_and_updated(repository: Repository) -> None:
    base = repository.commit(MODEL)
    repository.commit(MODEL.replace("nn.Linear(4, 2)", "nn.Linear(4, 3)"))
    repository.say("User", f"I copied the review here: {MARK}")
    repository.say("Bot", "of another workflow")

    ran = repository.pushed(base)
    assert ran.status == 0, ran.said
    assert ran.steps[-1] == "the comment"
    assert repository.methods == ["POST"]
    others, first = repository.comments[:2], repository.comments[2]
    assert [own["body"] for own in others] == [f"I copied the review here: {MARK}", "of another workflow"]
    assert "### What changed in XXNet in MXNet\n" in first["body"]
    assert "| changed | `fc_weight` | `fc.weight` | (3, 4), was (2, 4) |\n" in first["body"]
    assert "### XXNet in MXNet agrees with torch\n" in first["body"]
    assert first["body"].count(MARK) == 1
    page = next(s for s in workflow()["jobs"]["review"]["steps"] if s.get("name") == "the page")
    assert (repository.folder / page["with"]["path"]).read_text().startswith("<!doctype html>")
    assert first["body"] in (repository.folder.parent / "summary.md").read_text()
    assert repository.git("status", "--porcelain", "--", "model_mxnet.py", "model.py") == ""

    repository.commit(MODEL.replace("nn.Linear(4, 2)", "nn.Linear(4, 5)"))
    ran = repository.pushed(base)
    assert ran.status == 0, ran.said
    assert repository.methods == ["POST", "PATCH"]
    assert repository.comments[:2] == others
    (second,) = repository.comments[2:]
    assert second["id"] == first["id"]
    assert "(5, 4), was (2, 4)" in second["body"]
    assert "(3, 4)" not in second["body"]


def test_a_net_that_is_new(repository: Repository) -> None:
    (repository.folder / "readme").write_text("nets\n")
    repository.git("add", "readme")
    repository.git("commit", "--quiet", "--message", "no net yet")
    base = repository.git("rev-parse", "HEAD")
    repository.commit(MODEL)
    ran = repository.pushed(base)
    assert ran.status == 0, ran.said
    (comment,) = repository.comments
    assert (
        "What changed cannot be told: there are not two reviews.\n\n### XXNet in MXNet agrees"
        in comment["body"]
    )


def test_a_stale_file_and_a_refused_net_are_told(repository: Repository) -> None:
    base = repository.commit(MODEL)
    repository.commit(MODEL.replace(".relu()", ".sigmoid()"), generated=False)
    ran = repository.pushed(base)
    assert ran.status == 1
    assert "::error file=model_mxnet.py,title=FX123 stale::model_mxnet.py is stale" in ran.said
    (comment,) = repository.comments
    assert comment["body"].startswith(
        "**The committed files are not what model.py gives**: the run says why.\n\n"
    )
    assert "- **Layers**: 1 changed\n" in comment["body"]

    refused = MODEL.replace("x = self.conv1(x).relu()", "x = self.conv1(x if x.mean() > 0 else -x)")
    repository.git("checkout", "--quiet", "model_mxnet.py")
    repository.commit(refused, generated=False)
    ran = repository.pushed(base)
    assert (ran.status, repository.methods) == (1, ["POST", "PATCH"])
    (comment,) = repository.comments
    assert (
        "What changed cannot be told: there are not two reviews.\n\n### XXNet is not converted"
        in comment["body"]
    )
    assert comment["body"].count(MARK) == 1
    assert "review.md tells of a net that is refused or differs" in ran.said


def test_a_comment_that_would_be_too_long(repository: Repository) -> None:
    """The step of the comment alone, on reviews as long as those of large nets."""
    long = (
        "### A\n\n- **Net**: a\n\n<details>\n<summary>Source map</summary>\n"
        + "| row |\n" * 9000
        + "</details>\n"
    )
    (repository.folder / "changed.md").write_text(long.replace("### A", "### What changed"))
    (repository.folder / "review.md").write_text(f"{long}\n{MARK}\n")
    job = workflow()["jobs"]["review"]
    (step,) = [step for step in job["steps"] if step.get("name") == "the comment"]
    env = env_of(job, "", {})
    for method in ("POST", "PATCH"):
        done = repository.run(step["run"], env)
        assert done.returncode == 0, done.stdout
        assert repository.methods[-1] == method
    (comment,) = repository.comments
    assert comment["body"].startswith("### What changed\n\n- **Net**: a\n\n### A\n\n- **Net**: a\n")
    assert "longer than a comment may be" in comment["body"]
    assert comment["body"].endswith(f"{MARK}\n")
    assert "<details>" not in comment["body"]

    # Where the comments cannot be read there is no second one.
    (repository.folder.parent / "comments.json").write_text("no list")
    assert repository.run(step["run"], env).returncode != 0
    assert repository.methods == ["POST", "PATCH"]


def test_what_is_left_out_is_there_to_be_left_out() -> None:
    own = workflow()
    steps = own["jobs"]["review"]["steps"]
    assert {step["name"] for step in steps if "name" in step} >= LEFT_OUT
    (install,) = [step["run"] for step in steps if step.get("name") in LEFT_OUT]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line.partition("  #")[0].strip() for line in install.splitlines()]
    assert "pip install --no-deps mxnet==1.9.1" in lines
    assert all(line in readme for line in lines if line.startswith("pip install --no-deps"))
    assert own[True] == "pull_request"  # YAML reads `on` as true
    assert own["permissions"]["pull-requests"] == "write"
