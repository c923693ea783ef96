"""Processes that run nets one after another; one that hangs or dies is replaced."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from tests.zoo.run import Result, run_net
from tests.zoo.table import nets

NETS_OF_A_PROCESS = 40


def results(names: Sequence[str], processes: int, timeout: float) -> Iterator[Result]:
    """The result of each net as it is ready."""
    os.environ["OMP_NUM_THREADS"] = "1"
    waiting = list(reversed(names))
    workers: list[_Worker] = []
    try:
        while waiting or workers:
            while waiting and len(workers) < processes:
                workers.append(_Worker())
            for worker in [w for w in workers if not w.name]:
                if waiting and worker.done < NETS_OF_A_PROCESS:
                    worker.give(waiting.pop())
                else:
                    worker.stop()
                    workers.remove(worker)
            wait([w.pipe for w in workers], timeout=1.0)
            for worker in list(workers):
                result = worker.result(timeout)
                if result is None:
                    continue
                yield result
                if result.status == "TIMEOUT" or worker.died:
                    worker.stop()
                    workers.remove(worker)
    finally:
        for worker in workers:
            worker.stop()


class _Worker:
    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: Any = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.name, self.since, self.done, self.died = "", 0.0, 0, False

    def give(self, name: str) -> None:
        self.name, self.since = name, time.monotonic()
        self.pipe.send(name)

    def result(self, timeout: float) -> Result | None:
        name, collection = self.name, nets()[self.name].collection if self.name else ""
        if not name:
            return None
        try:
            result: Result | None = self.pipe.recv() if self.pipe.poll() else None
        except (EOFError, ConnectionResetError):
            self.died = True
            result = Result(name, collection, "CRASH", why="the process died")
        seconds = time.monotonic() - self.since
        if result is None and seconds > timeout:
            result = Result(name, collection, "TIMEOUT", seconds=f"{seconds:.0f}")
        if result is not None:
            self.name, self.done = "", self.done + 1
        return result

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _serve(pipe: Connection) -> None:
    import logging

    logging.disable(logging.WARNING)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # MXNet tells of every executor
    while True:
        try:
            name = pipe.recv()
        except EOFError:
            return
        pipe.send(run_net(nets()[name]))
