"""The cache folder, and knowing that a file in it or on a mirror is the right one.

The cache is laid out as a mirror is (`<folder>/<file>`), so one person's cache can be another's
mirror. A file is trusted by its sha256 alone. The hash of 30 MB need not be repeated at each load:
once verified, a stamp (size, times of modification and of change, device, inode, sha256) is kept
under `verified/` in the cache, and a file whose stamp still fits is not read again. The time of
change is set by the system at every write, so a file altered in place has another stamp.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from common.home import HOME_VARIABLE, home
from data.archives import content_digest, read_members
from data.cards import File
from data.errors import Damaged, FetchError, Missing

_CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(path: Path, file: File, *, again: bool = False) -> str:
    """Return the sha256 of `path` if it is the file of the card, else raise Missing or Damaged.

    `again` reads it whatever its stamp says. A file of which no checksum is published is held to
    the one it had when it was first seen at this path.
    """
    if not path.is_file():
        raise Missing(f"{path} does not exist")
    stamp = _stamp(path)
    kept = _read_stamp(path)
    if kept.get("stamp") == stamp and kept.get("expected") == _expected(file) and not again:
        return str(kept["sha256"])
    digest = check(path, file)
    first_seen = kept.get("sha256")
    if _expected(file) is None and first_seen not in (None, digest):
        raise Damaged(f"{path} has changed since it was first used (sha256 {digest[:12]}…)")
    record(path, file, digest)
    return digest


def check(path: Path, file: File) -> str:
    """Read the file and hold it against its card, whatever is known of it; give its sha256."""
    size = path.stat().st_size
    if file.bytes is not None and file.content is None and size != file.bytes:
        raise Damaged(f"{path} has {size:,} bytes, the dataset's card says {file.bytes:,}")
    digest = sha256_of(path)
    if file.sha256 in (None, digest) and (file.sha256 or not file.content):
        return digest
    if file.content is None:
        raise Damaged(f"{path} has sha256 {digest[:12]}…, the card says {str(file.sha256)[:12]}…")
    content = content_digest(read_members(path, folders=file.content.folders))
    if content != file.content.sha256:
        raise Damaged(f"{path} holds other files than the dataset's card says")
    return digest


def record(path: Path, file: File, digest: str) -> None:
    """Keep that `path` was verified; where the cache cannot be written, it is hashed again."""
    stamp_path = _stamp_path(path)
    kept = {"stamp": _stamp(path), "expected": _expected(file), "sha256": digest}
    with suppress(OSError):
        stamp_path.parent.mkdir(parents=True, exist_ok=True)
        aside = stamp_path.with_name(f"{stamp_path.name}.{os.getpid()}")
        aside.write_text(json.dumps(kept))
        aside.replace(stamp_path)


def _expected(file: File) -> str | None:
    return file.content.sha256 if file.content else file.sha256


def _stamp(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_dev, found.st_ino]


def _stamp_path(path: Path) -> Path:
    return home() / "verified" / hashlib.sha256(str(path.resolve()).encode()).hexdigest()


def _read_stamp(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(_stamp_path(path).read_text())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


@contextmanager
def locked(folder: str, *, timeout_s: float = 1800.0) -> Iterator[None]:
    """Hold a dataset's lock, so that two processes do not fetch it at once."""
    from filelock import FileLock, Timeout

    path = home() / "locks" / f"{folder}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        lock.acquire(timeout=timeout_s)
    except Timeout as error:
        raise FetchError(
            f"{folder}: another process has been fetching it for {timeout_s / 60:.0f} minutes. "
            "Wait for it or end it, then try again."
        ) from error
    except OSError as error:
        raise FetchError(
            f"The cache {home()} cannot be written ({error.strerror or error}). "
            f"Set {HOME_VARIABLE} to a writable folder."
        ) from error
    try:
        yield
    finally:
        lock.release()
