"""A server in a thread of the test's own process, for the tests that open its page in a browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from common.serving import create_app
from common.serving.run import bind, url

ANSWERED = "document.querySelector('#status')?.textContent.startsWith('answered')"


@contextmanager
def serving(service: Any, run: Any, **settings: Any) -> Iterator[tuple[str, Any]]:
    """Serve in a thread of this process; gives the address and the app."""
    app, listener = create_app(service, run, **settings), bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield url(listener), app
    finally:
        server.should_exit = True
        thread.join()
