"""One URL to one file, over a network that fails.

A transfer writes to `<target>.part` and renames it when it is whole, so the target is never half a
file. A cut connection is resumed from where it stopped (`Range`, guarded by `If-Range` so that a
file changed meanwhile starts anew), also by a later process. Timeouts, 429 and 5xx are tried again
with growing pauses; 4xx is an answer and is not.

A host that cannot be reached is found out within seconds and remembered for a while, so a machine
without network pays once and not once a file. Whether the bytes are the right ones is not decided
here: see `data.download`.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import random
import shutil
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from data import progress
from data.errors import Damaged, FetchError, Missing, Unreachable

ATTEMPTS = 5
CONNECT_TIMEOUT_S = 4.0
READ_TIMEOUT_S = 20.0
BACKOFF_S = 0.5
REMEMBER_S = 300.0
OFFLINE_VARIABLE = "ML_PATTERNS_OFFLINE"
_LONGEST_WAIT_S = 30.0
_CHUNK = 1 << 18
_unreachable: dict[str, tuple[float, str]] = {}
_reached: set[str] = set()


class _Interrupted(Exception):
    """The transfer stopped for a reason that may pass; `wait_s` is what the server asked for."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


@dataclass(frozen=True)
class _Answer:
    """What a response promises: where its bytes start, the whole's size, and its validator."""

    start: int
    total: int | None
    validator: str


def fetch_url(url: str, target: Path, *, limit_bytes: int, label: str) -> None:
    """Fetch `url` to `target`, at most `limit_bytes`, resuming what an earlier try left.

    Raises Missing for an answer of 4xx, Unreachable when the host cannot be reached, Damaged when
    more comes than may, FetchError on a full disk.
    """
    check_host(url)
    part = target.with_name(target.name + ".part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        _fetch_part(url, part, limit_bytes, label)
        part.replace(target)
    except OSError as error:
        if not is_full(error):
            raise FetchError(
                f"{target.parent} cannot be written ({error.strerror}). Set ML_PATTERNS_HOME to a "
                "writable folder."
            ) from error
        drop_part(target)
        raise full_disk(target.parent, limit_bytes) from error
    _validator_path(part).unlink(missing_ok=True)


def drop_part(target: Path) -> None:
    """Forget what an earlier try left of `target`."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    _validator_path(part).unlink(missing_ok=True)


def is_full(error: OSError) -> bool:
    """Whether a write failed for want of room: disk, quota or file-size limit."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def full_disk(folder: Path, needed: int) -> FetchError:
    """Make the error for a disk without room."""
    return FetchError(
        f"No room left in {folder} for {progress.megabytes(needed)}; no partial file was kept. "
        "Free some space, or set ML_PATTERNS_HOME to a folder on another disk."
    )


def _fetch_part(url: str, part: Path, limit_bytes: int, label: str) -> None:
    """Try until the part is whole; an attempt that brought bytes does not count as failed."""
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _attempt(url, part, limit_bytes, label)
            return
        except _Interrupted as error:
            after = part.stat().st_size if part.exists() else 0
            failures = 1 if after > before else failures + 1
            if failures >= ATTEMPTS:
                raise Unreachable(f"{url}: {error}, {ATTEMPTS} times in a row") from error
            pause = BACKOFF_S * 2 ** (failures - 1) * (1 + random.random() / 4)
            time.sleep(min(max(pause, error.wait_s), _LONGEST_WAIT_S))


def _attempt(url: str, part: Path, limit_bytes: int, label: str) -> None:
    offset = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "ml-system-patterns"})
    request.add_header("Accept-Encoding", "identity")
    validator = _read_validator(part, url)
    if offset and validator:
        request.add_header("Range", f"bytes={offset}-")
        request.add_header("If-Range", validator)
    else:
        offset = 0
    try:
        with urllib.request.urlopen(request, timeout=READ_TIMEOUT_S) as response:
            answer = _answer(response, offset)
            _check_room(part, answer, limit_bytes)
            _write_validator(part, url, answer.validator)
            with progress.transfer(label, answer.total) as show:
                _receive(response, part, answer, limit_bytes, show)
    except urllib.error.HTTPError as error:
        _judge_status(url, part, error)
    except urllib.error.URLError as error:
        _judge_reason(url, error.reason)
    except (TimeoutError, ConnectionError, http.client.HTTPException, ssl.SSLError) as error:
        raise _Interrupted(f"connection lost ({error or type(error).__name__})") from error


def _answer(response: http.client.HTTPResponse, offset: int) -> _Answer:
    """Read the headers; a 200 to a range request starts anew."""
    length = response.headers.get("Content-Length")
    etag = response.headers.get("ETag", "")
    validator = "" if etag.startswith("W/") else etag
    validator = validator or response.headers.get("Last-Modified", "")
    if response.status == 206:
        span, _, total = response.headers.get("Content-Range", "").partition("/")
        if span.removeprefix("bytes ").partition("-")[0] != str(offset):
            raise _Interrupted(f"answered with a different range than asked ({span})")
        return _Answer(offset, int(total) if total.isdigit() else None, validator)
    return _Answer(0, int(length) if length and length.isdigit() else None, validator)


def _receive(
    response: http.client.HTTPResponse,
    part: Path,
    answer: _Answer,
    limit_bytes: int,
    show: Callable[[int], None],
) -> None:
    """Append the body; a body shorter than promised is an interruption."""
    done = answer.start
    with part.open("r+b" if answer.start else "wb") as output:
        output.seek(answer.start)
        while chunk := response.read(_CHUNK):
            done += len(chunk)
            if done > limit_bytes:
                output.truncate(0)
                raise Damaged(f"{response.url}: more than {limit_bytes:,} bytes received; stopped.")
            output.write(chunk)
            show(done)
        output.flush()
        os.fsync(output.fileno())
    if answer.total is not None and done < answer.total:
        raise _Interrupted(f"cut off after {done:,} of {answer.total:,} bytes")


def _check_room(part: Path, answer: _Answer, limit_bytes: int) -> None:
    """Refuse early what is too large for the file or for the disk."""
    if answer.total is None:
        return
    if answer.total > limit_bytes:
        raise Damaged(f"the server offers {answer.total:,} bytes, {limit_bytes:,} are expected.")
    if answer.total - answer.start > shutil.disk_usage(part.parent).free:
        raise OSError(errno.ENOSPC, "no room")


def _judge_status(url: str, part: Path, error: urllib.error.HTTPError) -> None:
    if error.code == 416:
        if error.headers.get("Content-Range", "") == f"bytes */{part.stat().st_size}":
            return  # we hold all of it: the process ended just before the rename
        part.unlink(missing_ok=True)  # what we hold is no part of the file served now
        raise _Interrupted("the file changed since the last try") from error
    if error.code in (408, 429) or error.code >= 500:
        wait = error.headers.get("Retry-After", "")
        raise _Interrupted(f"HTTP {error.code}", float(wait) if wait.isdigit() else 0.0) from error
    raise Missing(f"{url}: HTTP {error.code}") from error


def _judge_reason(url: str, reason: object) -> None:
    """Tell a host that is not there from a connection that broke."""
    if isinstance(reason, (ConnectionResetError, TimeoutError, BrokenPipeError)):
        raise _Interrupted(f"connection lost ({reason})")
    _remember(url, str(reason))
    raise Unreachable(f"{_host(url)} cannot be reached ({reason})")


def check_host(url: str) -> None:
    """Raise Unreachable at once for a host known to be out of reach, else try to connect briefly.

    The look-up of a name can hang for long without a timeout of its own, so it is given a thread.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Unreachable(f"{url} is not a URL ({error}); check ML_PATTERNS_MIRROR") from error
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{url}: only http and https URLs are fetched.")
    if os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0"):
        raise Unreachable(f"{OFFLINE_VARIABLE} is set, so {_host(url)} is not contacted")
    when, reason = _unreachable.get(_host(url), (-REMEMBER_S, ""))
    if time.monotonic() - when < REMEMBER_S:
        raise Unreachable(f"{_host(url)} cannot be reached ({reason})")
    if _host(url) in _reached or parts.scheme in urllib.request.getproxies():
        return  # known already, or the proxy's affair
    problem = _connect(parts.hostname or "", port or {"http": 80, "https": 443}[parts.scheme])
    if problem:
        _remember(url, problem)
        raise Unreachable(f"{_host(url)} cannot be reached ({problem})")
    _reached.add(_host(url))


def _connect(host: str, port: int) -> str:
    """Return the reason why no connection can be made, empty if one can."""
    outcome = [f"no answer within {CONNECT_TIMEOUT_S:.0f} s"]

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S).close()
            outcome[0] = ""
        except OSError as error:
            outcome[0] = error.strerror or str(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(CONNECT_TIMEOUT_S + 0.5)
    return outcome[0]


def _remember(url: str, reason: str) -> None:
    _reached.discard(_host(url))
    _unreachable[_host(url)] = (time.monotonic(), reason)


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc.rpartition("@")[2]


def _validator_path(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_validator(part: Path, url: str) -> str:
    """Return what the server said the part belongs to; empty if it is another URL's or unknown."""
    try:
        kept = json.loads(_validator_path(part).read_text())
        return str(kept["validator"]) if kept["url"] == url else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _write_validator(part: Path, url: str, validator: str) -> None:
    with suppress(OSError):
        _validator_path(part).write_text(json.dumps({"url": url, "validator": validator}))
