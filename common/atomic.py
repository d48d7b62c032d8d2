"""Files and folders that appear whole or not at all.

What is written goes to a hidden name in the same place and is renamed when it is complete, which
the file system does in one step: a reader sees the old content or the new one, and a killed
process harms nothing. A hidden folder is locked while its writer lives; the kernel drops the lock
when the writer dies, so the next writer knows what it may sweep away.

A full disk is an `OSError` here, whichever library met it: LightGBM, FAISS and safetensors each
report a failed write by an exception of their own.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LEAST_FREE = 64 * 1024  # bytes; a disk with less is full
SWEEP_AFTER_SECONDS = 60.0
WRITE_FAILED = re.compile(r"I/O error|write error|Cannot write|not available for w")


def write_json(path: Path, content: Any) -> None:
    """Write JSON aside and rename; keys keep their order, NaN is refused."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text aside and rename, so that a reader sees the old text or the new one."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with aside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """Return a hidden folder beside `target`, renamed to it on success and removed on failure."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent)
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    aside.mkdir()
    lock = _locked(aside)
    try:
        with disk_errors(aside):  # told before the space is freed again
            yield aside
            aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _sweep(home: Path) -> None:
    """Remove what killed processes left half written: unlocked, and not of this very moment."""
    for part in home.glob(".*.part"):
        lock = _locked(part)
        if lock is not None:
            if time.time() - os.fstat(lock).st_mtime > SWEEP_AFTER_SECONDS:
                shutil.rmtree(part, ignore_errors=True)
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """Lock a folder, until the descriptor is closed or the process dies; None if another has it."""
    import fcntl

    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # renamed or removed meanwhile
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Raise the `OSError` that a library's own exception about writing to `folder` means."""
    try:
        yield
    except Exception as problem:
        meant = _disk_error(problem, folder)
        if meant is None:
            raise
        raise meant from problem


def _disk_error(problem: Exception, folder: Path) -> OSError | None:
    """Return the `OSError` meant by a native library that reports a failed write in its own way."""
    words = str(problem)
    full = "No space left" in words or shutil.disk_usage(folder).free < LEAST_FREE
    if isinstance(problem, OSError) or not (full or WRITE_FAILED.search(words)):
        return None
    number = errno.ENOSPC if full else errno.EIO
    return OSError(number, f"{os.strerror(number)} ({words})", str(folder))


def sha256(path: Path) -> str:
    """Return the hexadecimal digest of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
