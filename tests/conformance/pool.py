"""Processes that run the samples of one op after another; a sample that kills its process is a CRASH."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from tests.conformance.run import SECONDS, Result

OPS_OF_A_PROCESS = 60
LATEST = SECONDS + 30  # a hang inside C++ that the alarm does not reach


def results(names: Sequence[str], processes: int, limit: int = 0) -> Iterator[Result]:
    """The result of each sample as it is ready; with `limit`, that many of each op at most, evenly spread."""
    os.environ["OMP_NUM_THREADS"] = "1"
    waiting = [(name, 0) for name in reversed(names)]
    workers: list[_Worker] = []
    try:
        while waiting or workers:
            while waiting and len(workers) < processes:
                workers.append(_Worker(limit))
            for worker in [w for w in workers if not w.busy]:
                if waiting and worker.done < OPS_OF_A_PROCESS:
                    worker.give(*waiting.pop())
                else:
                    worker.stop()
                    workers.remove(worker)
            wait([w.pipe for w in workers], timeout=1.0)
            for worker in list(workers):
                yield from worker.received()
                if worker.died or time.monotonic() - worker.since > LATEST:
                    what = "the process died" if worker.died else f"longer than {LATEST} s"
                    yield Result(worker.name, worker.index, "CRASH", what)
                    waiting.append((worker.name, worker.index + 1))
                    worker.stop()
                    workers.remove(worker)
    finally:
        for worker in workers:
            worker.stop()


class _Worker:
    def __init__(self, limit: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: Any = context.Process(target=_serve, args=(theirs, limit), daemon=True)
        self.process.start()
        theirs.close()
        self.name, self.index, self.since = "", 0, time.monotonic()
        self.done, self.died, self.busy = 0, False, False

    def give(self, name: str, start: int) -> None:
        self.name, self.index, self.since, self.busy = name, start, time.monotonic(), True
        self.pipe.send((name, start))

    def received(self) -> Iterator[Result]:
        try:
            while self.pipe.poll():
                message = self.pipe.recv()
                self.since = time.monotonic()
                if isinstance(message, Result):
                    yield message
                elif message is None:
                    self.busy, self.done = False, self.done + 1
                else:
                    self.index = message
        except (EOFError, ConnectionResetError):
            self.died = True

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def chosen(count: int, limit: int) -> set[int]:
    """The indices of `limit` of `count` samples, the first among them."""
    return set(range(count)) if not limit or count <= limit else {i * count // limit for i in range(limit)}


def _serve(pipe: Connection, limit: int) -> None:
    import logging
    import warnings

    import torch

    from tests.conformance.run import run_sample
    from tests.conformance.samples import samples

    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    while True:
        try:
            name, start = pipe.recv()
        except EOFError:
            return
        place = 0
        try:
            wanted = chosen(sum(1 for _ in samples(name)), limit) if limit > 1 else {0}
            for place, sample in enumerate(samples(name)):
                if place < start or (limit and place not in wanted):
                    continue
                if limit == 1 and place:
                    break
                pipe.send(place)
                state = torch.get_rng_state()
                pipe.send(run_sample(sample))
                torch.set_rng_state(state)
        except Exception as error:  # noqa: BLE001 - torch's own table
            pipe.send(Result(name, place, "n/a", "torch itself raises", repr(error)[:200]))
        pipe.send(None)
