"""Processes that draw and run nets; one that dies or hangs is recorded, and another takes its place."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from tests.fuzz.run import SECONDS, Outcome

NETS_OF_A_PROCESS = 400
LATEST = SECONDS + 5  # a hang inside C++ that the alarm does not reach


@dataclass(frozen=True)
class Result:
    """A seed, its net's text, and what became of it."""

    seed: int
    source: str
    outcome: Outcome


def results(seeds: Iterable[int], processes: int) -> Iterator[Result]:
    """The result of each seed, as it is ready."""
    waiting = iter(seeds)
    workers: list[Worker] = []
    more = True
    try:
        while more or workers:
            while more and len(workers) < processes:
                workers.append(Worker())
            for worker in [w for w in workers if not w.busy]:
                seed = next(waiting, None) if worker.done < NETS_OF_A_PROCESS else None
                if seed is not None:
                    worker.give(seed)
                    continue
                more = more and worker.done >= NETS_OF_A_PROCESS
                worker.stop()
                workers.remove(worker)
            wait([w.pipe for w in workers], timeout=1.0)
            for worker in list(workers):
                found = worker.received()
                if found is not None:
                    yield Result(int(worker.task), worker.source, found)
                if worker.dead:
                    worker.stop()
                    workers.remove(worker)
    finally:
        for worker in workers:
            worker.stop()


class Worker:
    """A process that takes a seed or a net's text, and gives its outcome."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: Any = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.task: int | str = 0
        self.source, self.since, self.done = "", time.monotonic(), 0
        self.busy = self.dead = False

    def give(self, task: int | str) -> None:
        """Start on a seed or a net's text."""
        self.task, self.source, self.since, self.busy = task, "", time.monotonic(), True
        self.pipe.send(task)

    def received(self) -> Outcome | None:
        """The outcome, where it is there; `dead` where the process is of no use any more."""
        try:
            while self.pipe.poll():
                message = self.pipe.recv()
                if isinstance(message, Outcome):
                    self.busy, self.done = False, self.done + 1
                    return message
                self.source, self.since = message, time.monotonic()
        except (EOFError, ConnectionResetError):
            self.dead = True
            self.process.join()
            return Outcome("died", f"exit code {self.process.exitcode}", "died")
        if self.busy and time.monotonic() - self.since > LATEST + 60 * (not self.source):
            self.dead = True
            return Outcome("hung", f"longer than {LATEST} s, in C++", "hung")
        return None

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Runner:
    """Runs one net's text after another, each in a process that may die."""

    def __init__(self) -> None:
        self._worker = Worker()

    def __call__(self, source: str) -> Outcome:
        if self._worker.dead:
            self.stop()
            self._worker = Worker()
        self._worker.give(source)
        while (found := self._worker.received()) is None:
            wait([self._worker.pipe], timeout=1.0)
        return found

    def stop(self) -> None:
        self._worker.stop()


def _serve(pipe: Connection) -> None:
    import logging

    os.environ["OMP_NUM_THREADS"] = "1"
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    import mxnet  # noqa: F401 - before the clock of the first net runs
    import torch

    import tracer.convert  # noqa: F401
    from tests.fuzz.run import outcome
    from tests.fuzz.seeds import net_of

    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    pipe.send("")
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        source = net_of(task).source() if isinstance(task, int) else task
        pipe.send(source)
        pipe.send(outcome(source))
