"""Loads the server on loopback, one by one and in batches, and compares each answer with the net's own."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from net import Net
from pictures import drawn

SERVER = Path(__file__).with_name("server.py")
TOLERANCE = 1e-5
PATIENCE = 60  # seconds for an answer: a server that hangs is no load test
DIFFERENT = 256  # pictures; where there are more requests, they are sent again
Address = tuple[str, int]


@dataclass(frozen=True)
class Run:
    """What a server did under load; the latencies in seconds."""

    answers: np.ndarray
    latencies: np.ndarray
    seconds: float
    batches: int

    @property
    def throughput(self) -> float:
        return len(self.answers) / self.seconds

    def __str__(self) -> str:
        p50, p95 = np.percentile(self.latencies, [50, 95]) * 1000
        mean = len(self.answers) / self.batches
        return f"{self.throughput:.0f} pictures/s, p50 {p50:.1f} ms, p95 {p95:.1f} ms, mean batch {mean:.1f}"


@contextlib.contextmanager
def serving(*options: str) -> Iterator[tuple[subprocess.Popen[bytes], Address]]:
    """A warm server in a process of its own, on a free port. It is told to end, and waited for."""
    # The socket listens before the server starts and is the server's alone after, so that connecting works at
    # once, and fails at once where the server has ended.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address, fd = listening.getsockname(), listening.fileno()
        process = subprocess.Popen([sys.executable, str(SERVER), "--fd", str(fd), *options], pass_fds=[fd])
    try:
        while call(http.client.HTTPConnection(*address, timeout=PATIENCE), "GET", "/health")[0] != 200:
            time.sleep(0.05)
        yield process, address
    finally:
        process.terminate()
        process.wait()


def call(connection: http.client.HTTPConnection, *request: str | bytes) -> tuple[int, str]:
    """The status and the text that answer a request."""
    connection.request(*request)
    response = connection.getresponse()
    return response.status, response.read().decode()


def load(address: Address, pictures: np.ndarray, clients: int) -> Run:
    """Every picture in a request of its own, from so many clients at once, each with one connection."""
    bodies = [encoded(picture) for picture in pictures]
    connections = [http.client.HTTPConnection(*address, timeout=PATIENCE) for _ in range(clients)]

    def client(place: int) -> list[tuple[list[float], float]]:
        return [timed(connections[place], body) for body in bodies[place::clients]]

    before = counted(address)
    begin = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        shares = list(threads.map(client, range(clients)))
    seconds = time.perf_counter() - begin
    batches = counted(address) - before

    done = [shares[i % clients][i // clients] for i in range(len(bodies))]
    answers, latencies = zip(*done, strict=True)
    return Run(np.array(answers), np.array(latencies), seconds, batches)


def timed(connection: http.client.HTTPConnection, body: bytes) -> tuple[list[float], float]:
    """The probabilities for a picture, and the seconds that they took."""
    begin = time.perf_counter()
    status, text = call(connection, "POST", "/classify", body)
    seconds = time.perf_counter() - begin
    if status != 200:
        raise RuntimeError(f"{status}: {text}")
    return json.loads(text)["probabilities"], seconds


def encoded(picture: np.ndarray) -> bytes:
    """The body of a request."""
    body = io.BytesIO()
    np.save(body, picture)
    return body.getvalue()


def counted(address: Address) -> int:
    """How many batches the server has run."""
    connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
    return json.loads(call(connection, "GET", "/health")[1])["batches"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prefix", default="model_mxnet")
    parser.add_argument("--epoch", type=int, default=0)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--requests", type=int, default=2048)
    options = parser.parse_args()

    pictures, _ = drawn(DIFFERENT, seed=2)
    net = Net(options.prefix, options.epoch, largest=1)
    net.warm_up()
    alone = np.concatenate([net.probabilities(picture[None]) for picture in pictures])
    sent = np.arange(options.requests) % DIFFERENT

    throughput = {}
    for name, largest in {"one by one": 1, "in batches": 32}.items():
        checkpoint = ["--prefix", options.prefix, "--epoch", str(options.epoch)]
        with serving(*checkpoint, "--largest", str(largest), "--log-level", "warning") as (_, address):
            run = load(address, pictures[sent], options.clients)
        print(f"{name}: {run}")
        difference = abs(run.answers - alone[sent]).max()
        if difference > TOLERANCE:
            sys.exit(f"an answer is {difference:.1e} from the net's for that picture alone")
        throughput[name] = run.throughput
    ratio = throughput["in batches"] / throughput["one by one"]
    print(f"ratio {ratio:.1f}; each answer is the net's for that picture alone")


if __name__ == "__main__":
    main()
