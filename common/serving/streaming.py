"""An answer that is sent while it is made: the server-sent events of POST /predict/stream.

    event: piece      data: {"text": "…"}      as often as the model has made more
    event: response   data: the whole Response   once, last
    event: error      data: {"error": {…}}       in place of it, where the answer fails midway

A generator of the service runs in one of the threads that predict, so it stands in the same queue
and takes a place there until it ends. It is asked for its next piece only while somebody listens:
when the caller has gone, or after `seconds`, it is closed, and the thread is free for the next. A
slow reader holds nothing up, since its pieces wait outside of the thread.

Nothing is sent before the first piece is there, so that what can be wrong with a request is still
answered by a status; who leaves while waiting for it is not answered at all. Events are those of
WHATWG HTML, "Server-sent events"; the JSON in one has no line break.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import closing
from typing import Generic, TypeVar

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from common.serving.errors import error_response, from_request_error
from common.serving.middleware import internal_error
from common.serving.service import RequestError
from common.serving.worker import Worker

T = TypeVar("T")
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}  # no proxy may collect pieces


class TooSlow(Exception):
    """The answer was not whole in time."""


class Gone(Exception):
    """Nobody listens any more."""


class Pieces(Generic[T]):
    """What a generator yields in a worker thread, read in the event loop; then what it returns."""

    def __init__(
        self, worker: Worker, make: Callable[[], Generator[str, None, T]], *, seconds: float
    ) -> None:
        self.count = 0
        self.seconds = seconds
        self._make = make
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()  # None: there are no more
        self._task = asyncio.ensure_future(worker.run(self._pump))
        self._task.add_done_callback(self._end)

    @property
    def ended(self) -> bool:
        """Whether the generator has ended by itself, by an error too."""
        return self._task.done()

    async def next(self) -> str | None:
        """Return the next piece, or None after the last; raises what the generator raised."""
        piece = await self._queue.get()
        if piece is None:
            await self._task
            return None
        self.count += 1
        return piece

    async def result(self) -> tuple[T, float]:
        """Return what the generator returned, and the milliseconds it waited for a thread."""
        return await self._task

    async def first(self, request: Request) -> str | None:
        """Return the first piece as `next` does; raises `Gone` if the caller leaves before it."""
        piece, gone = asyncio.ensure_future(self.next()), asyncio.ensure_future(_left(request))
        await asyncio.wait({piece, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not piece.done():
            piece.cancel()
            self.stop()
            raise Gone
        gone.cancel()
        return piece.result()

    def stop(self) -> None:
        """Ask for no further piece."""
        self._stop.set()

    def _pump(self) -> T:
        """Run the generator to its end; in a worker thread."""
        begun = time.perf_counter()
        with closing(self._make()) as pieces:
            while not self._stop.is_set():
                try:
                    piece = next(pieces)
                except StopIteration as end:
                    return end.value
                if time.perf_counter() - begun > self.seconds:
                    raise TooSlow(f"the answer took longer than {self.seconds:g} s")
                self._loop.call_soon_threadsafe(self._queue.put_nowait, piece)
        raise Gone

    def _end(self, task: asyncio.Future[tuple[T, float]]) -> None:
        if not task.cancelled():
            task.exception()  # a failure that nobody waits for any more is no news
        self._queue.put_nowait(None)


async def _left(request: Request) -> None:
    """Wait until the caller, whose body has been read, closes the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


class EventStream(StreamingResponse):
    """Server-sent events; `on_end` is called once the last is sent or the caller has gone."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes], *, on_end: Callable[[], None]) -> None:
        super().__init__(events, headers=HEADERS)
        self.on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events as they come."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.on_end()


def failure(problem: Exception, request_id: str) -> tuple[str, Response]:
    """Return what kind of failure it is, and what the caller is told."""
    if isinstance(problem, RequestError):
        return "request", from_request_error(problem)
    if isinstance(problem, TooSlow):
        remedy = "ask for less, or start the server with a larger --stream-seconds"
        message = str(problem)
        return "slow", error_response(503, field=None, value=None, message=message, remedy=remedy)
    return "internal", internal_error(request_id)


def event(name: str, data: bytes | dict[str, str]) -> bytes:
    """Return one event; `data` is JSON in bytes, or becomes it."""
    content = data if isinstance(data, bytes) else json.dumps(data).encode()
    return b"event: " + name.encode() + b"\ndata: " + content + b"\n\n"
