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

from data.cards import File
from data.errors import Damaged, FetchError, Missing

HOME_VARIABLE = "ML_PATTERNS_HOME"
_CHUNK = 1 << 20


def home() -> Path:
    """Give the cache folder: ML_PATTERNS_HOME, or the user's own cache folder."""
    named = os.environ.get(HOME_VARIABLE)
    if named:
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("ml-system-patterns")


def sha256_of(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(path: Path, file: File, *, again: bool = False) -> str:
    """Give the sha256 of `path` if it is the file of the card, else raise Missing or Damaged.

    `again` reads it whatever its stamp says.
    """
    if not path.is_file():
        raise Missing(f"{path}: not there.")
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        raise Damaged(f"{path}: {size:,} bytes, but the dataset's card says {file.bytes:,}.")
    stamp = _stamp(path)
    stamp_path = home() / "verified" / (hashlib.sha256(str(path.resolve()).encode()).hexdigest())
    known = None if again else _read_stamp(stamp_path, stamp)
    digest = known or sha256_of(path)
    if file.sha256 is not None and digest != file.sha256:
        raise Damaged(
            f"{path}: sha256 {digest[:12]}…, but the dataset's card says {file.sha256[:12]}…."
        )
    if known is None:
        _write_stamp(stamp_path, stamp, digest)
    return digest


def _stamp(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_dev, found.st_ino]


def _read_stamp(stamp_path: Path, stamp: list[int]) -> str | None:
    try:
        kept = json.loads(stamp_path.read_text())
        return str(kept["sha256"]) if kept["stamp"] == stamp else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_stamp(stamp_path: Path, stamp: list[int], digest: str) -> None:
    """Keep the stamp; where the cache cannot be written, the file is simply hashed next time."""
    with suppress(OSError):
        stamp_path.parent.mkdir(parents=True, exist_ok=True)
        aside = stamp_path.with_name(f"{stamp_path.name}.{os.getpid()}")
        aside.write_text(json.dumps({"stamp": stamp, "sha256": digest}))
        aside.replace(stamp_path)


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
            f"Set {HOME_VARIABLE} to a folder that can."
        ) from error
    try:
        yield
    finally:
        lock.release()
