"""Serves a converted classifier over HTTP: pictures of several requests are run as one batch.

POST /classify with the bytes that np.save writes for one picture answers {"probabilities": [...]}.
GET /health answers 200 when every batch size has run once, until then 503.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import logging
import math
import signal
import socket
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import anyio
import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from net import Net

MOST_WAITING = 1024
HEADER_BYTES = 1024  # what np.save writes before the pixels: 128 bytes today


@dataclass(frozen=True)
class Waiting:
    """A picture, and where its request awaits the answer."""

    picture: np.ndarray
    answer: asyncio.Future[np.ndarray]


class Batcher:
    """Runs pictures together: those of `wait` seconds, or less where they make up the largest batch."""

    def __init__(self, net: Net, wait: float) -> None:
        self.net = net
        self.warm = False
        self.pictures = self.batches = 0  # taken, and run
        self._wait = wait
        self._send, self._receive = anyio.create_memory_object_stream[Waiting](MOST_WAITING)
        self._worker = ThreadPoolExecutor(max_workers=1)  # the one thread that uses the net

    async def probabilities(self, picture: np.ndarray) -> np.ndarray:
        """The net's answer for a picture. Raises anyio.WouldBlock where too many are waiting."""
        waiting = Waiting(picture, asyncio.get_running_loop().create_future())
        self._send.send_nowait(waiting)
        self.pictures += 1
        return await waiting.answer

    async def run(self) -> None:
        """Warms the net up, then answers until it is cancelled."""
        try:
            await self._in_worker(self.net.warm_up)
        except Exception:
            logging.exception("the net cannot be warmed up")
            signal.raise_signal(signal.SIGTERM)
            return
        self.warm = True
        while True:
            await self._answer(await self._gathered())

    async def _gathered(self) -> list[Waiting]:
        batch = [await self._receive.receive()]
        with anyio.move_on_after(self._wait):
            while len(batch) < self.net.sizes[-1]:
                batch.append(await self._receive.receive())
        return batch

    async def _answer(self, batch: list[Waiting]) -> None:
        pictures = np.stack([waiting.picture for waiting in batch])
        try:
            rows = await self._in_worker(self.net.probabilities, pictures)
        except Exception as error:
            logging.exception("a batch of %d failed", len(batch))
            for waiting in batch:
                if not waiting.answer.cancelled():
                    waiting.answer.set_exception(error)
            return
        self.batches += 1
        for waiting, row in zip(batch, rows, strict=True):
            if not waiting.answer.cancelled():
                waiting.answer.set_result(row)

    def _in_worker(self, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._worker, function, *arguments)


def read_picture(body: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """The picture of a request; a ValueError says what is wrong with it."""
    try:
        picture = np.load(io.BytesIO(body), allow_pickle=False)
    except Exception as error:  # np.load raises a dozen kinds
        raise ValueError("the body is not what np.save writes for one array") from error
    if not isinstance(picture, np.ndarray):
        raise ValueError("the body is a .npz file: send one array, as np.save writes it")
    if picture.dtype != np.uint8 or picture.shape != shape:
        raise ValueError(f"the picture is {picture.dtype} {picture.shape}: it must be uint8 {shape}")
    return picture


def application(batcher: Batcher) -> Starlette:
    """The two endpoints. The batcher runs as long as the server."""

    async def classify(request: Request) -> JSONResponse:
        if not batcher.warm:
            raise HTTPException(503, "the net is warming up")
        body = await request.body()
        try:
            picture = read_picture(body, batcher.net.shape)
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        try:
            row = await batcher.probabilities(picture)
        except anyio.WouldBlock as error:
            raise HTTPException(503, f"{MOST_WAITING} pictures are waiting already") from error
        return JSONResponse({"probabilities": row.tolist()})

    async def health(_: Request) -> JSONResponse:
        counts = {"pictures": batcher.pictures, "batches": batcher.batches}
        return JSONResponse({"warm": batcher.warm, **counts}, 200 if batcher.warm else 503)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        running = asyncio.create_task(batcher.run())
        yield  # until the last request is answered
        running.cancel()

    return Starlette(
        routes=[Route("/classify", classify, methods=["POST"]), Route("/health", health)],
        lifespan=lifespan,
        max_body_size=HEADER_BYTES + math.prod(batcher.net.shape),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--prefix", default="model_mxnet")
    parser.add_argument("--epoch", type=int, default=0)
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument("--fd", type=int, help="a socket that listens already, instead of a port")
    parser.add_argument("--largest", type=int, default=32, help="pictures in a batch; 1 is no batching")
    parser.add_argument("--wait", type=float, default=2, help="milliseconds for a batch to fill")
    parser.add_argument("--log-level", default="info")
    options = parser.parse_args()
    batcher = Batcher(Net(options.prefix, options.epoch, options.largest), options.wait / 1000)
    config = uvicorn.Config(
        application(batcher), port=options.port, lifespan="on", access_log=False, log_level=options.log_level
    )
    # uvicorn's own `fd` takes it for a Unix socket: without TCP_NODELAY, each answer waits 40 ms.
    sockets = None if options.fd is None else [socket.socket(fileno=options.fd)]
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets)


if __name__ == "__main__":
    main()
