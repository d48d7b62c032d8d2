"""A web server that fails on purpose, and a home of its own for every test."""

import http.server
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from data import progress, transfer


@dataclass
class Page:
    """What the server holds under a path, and how it misbehaves."""

    body: bytes
    statuses: list[int] = field(default_factory=list)
    """Answers to give before the real one, such as [503]."""
    cuts: list[int] = field(default_factory=list)
    """Bytes after which to cut the connection, one an answer."""
    bodies: list[bytes] = field(default_factory=list)
    """Bodies to give before the real one."""
    ranges: bool = True
    etag: str | None = '"one"'
    pause_s: float = 0.0
    """A pause between chunks of 64 kB."""
    stall_after: int | None = None
    """Bytes after which to say nothing for a while, once."""
    tells_length: bool = True


class Server:
    """Pages by path, and every request seen as (path, Range header)."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.requests: list[tuple[str, str | None]] = []
        handler = type("Handler", (_Handler,), {"owner": self})
        self._http = _Quiet(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


class _Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what these tests are about."""


class _Handler(http.server.BaseHTTPRequestHandler):
    owner: Server

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.owner.requests.append((self.path, wanted))
        page = self.owner.pages.get(self.path)
        if page is None:
            self.send_error(404)
            return
        if page.statuses:
            self.send_error(page.statuses.pop(0))
            return
        body = page.bodies.pop(0) if page.bodies else page.body
        start = self._start(page, body, wanted)
        if start is None:
            return
        cut = page.cuts.pop(0) if page.cuts else len(body)
        for at in range(start, min(start + cut, len(body)), 1 << 16):
            if page.stall_after is not None and at >= page.stall_after:
                page.stall_after = None
                time.sleep(1.0)
                return
            self.wfile.write(body[at : min(at + (1 << 16), start + cut)])
            time.sleep(page.pause_s)
        self.close_connection = True

    def _start(self, page: Page, body: bytes, wanted: str | None) -> int | None:
        """Send the headers and give where the body starts; None if nothing follows."""
        start = 0
        if wanted and page.ranges and self.headers.get("If-Range") in (None, page.etag):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.end_headers()
                return None
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        if page.etag:
            self.send_header("ETag", page.etag)
        if page.tells_length:
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        return start


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on a free port of this machine."""
    running = Server()
    yield running
    running.close()


@pytest.fixture
def page() -> type[Page]:
    """The class of a page, to put on the server."""
    return Page


@pytest.fixture(autouse=True)
def own_cache(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no mirror but for tests that ask for the real one, and short pauses."""
    home = tmp_path / "home"
    monkeypatch.setenv("ML_PATTERNS_HOME", str(home))
    if request.node.get_closest_marker("mirror") is None:
        monkeypatch.delenv("ML_PATTERNS_MIRROR", raising=False)
    for proxy in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setattr(transfer, "BACKOFF_S", 0.01)
    monkeypatch.setattr(transfer, "_unreachable", {})
    monkeypatch.setattr(transfer, "_reached", set())
    monkeypatch.setattr(progress, "_said", set())
    return home
