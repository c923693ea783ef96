"""Several nets, each converted by a process of its own: what ends one does not stop the others."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from codegen.kinds.table import kind_of
from codegen.problems import counted
from tracer.project import Job

# What a line says of an exit status.
WORDS = {0: "ok", 1: "not good", 2: "wrong request"}
LOGGED = "agrees with torch", "fresh:", "note:"


@dataclass(frozen=True)
class Done:
    """What became of a net: the exit status of its command, what it printed, and its seconds."""

    job: Job
    status: int
    output: str
    seconds: float

    @property
    def word(self) -> str:
        """The status in a word or two; a process that a signal ended says which."""
        return WORDS.get(self.status, f"died ({self.status})")


def run_job(job: Job) -> Done:
    """Convert a net in a process of its own, in the job's folder. Raises nothing for a net that fails."""
    began = time.perf_counter()
    # Not `-m`, which would import a folder `tracer` of the user's: the job's folder comes first then.
    code = f"import sys; sys.path[0] = {str(_home())!r}; from tracer.gen import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *job.words],
        cwd=job.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        check=False,
    )
    return Done(job, done.returncode, done.stdout, time.perf_counter() - began)


def run_all(jobs: Sequence[Job], processes: int | None = None) -> Iterator[Done]:
    """The nets as they are ready, so many at a time as there are cores, or as is said."""
    cores = os.cpu_count() or 1
    workers = max(1, min(processes or cores, len(jobs)))
    # Processes that each took all cores would wait for one another.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // workers)))
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(run_job, job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def line_of(done: Done) -> str:
    """A net in a line, and what its command said where it is not good."""
    said = [line for line in done.output.splitlines() if line.startswith(LOGGED)]
    notes = f"  {said[-1]}" if said and done.status == 0 else ""
    said_of = done.job.note
    note = f"  ({said_of})  ({kind_of(said_of.word).code})" if said_of is not None else ""
    head = f"{done.word:8}  {done.job.name}  {done.seconds:.1f} s{notes}{note}"
    return head if done.status == 0 else "\n".join([head, *(f"    {n}" for n in done.output.splitlines())])


def summary(all_done: Iterable[Done]) -> str:
    """How many are good."""
    statuses = [done.status for done in all_done]
    good = statuses.count(0)
    if good == len(statuses):
        return f"{counted(good, 'net')}, all ok"
    return f"{counted(len(statuses), 'net')}: {good} ok, {len(statuses) - good} not"


def status_of(all_done: Iterable[Done]) -> int:
    """The exit status of all: 0; 2 where no more than requests are wrong; else 1."""
    statuses = {done.status for done in all_done} - {0}
    return 0 if not statuses else 2 if statuses == {2} else 1


def _home() -> Path:
    return Path(__file__).resolve().parent.parent
