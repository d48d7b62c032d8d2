"""What was asked and answered, one JSON line each, for monitoring and retraining to read later.

    {"time", "id", "row", "version", "ms", "request": {...}, "response": {...}}

A line is written by a single `write` to a file opened for appending, so lines of several threads
never interleave and a killed server leaves at most one short line, the last. The log is bounded:
a file that is full is closed for the next one and the oldest beyond `max_files` is deleted; the
file's name carries start time and process id, so several processes may share a folder. Long
strings, an image say, are replaced by length and sha256. The example that the page at / asks by
itself, with the header `x-example`, is not written: nobody needed that answer.

A disk that fails must not fail the prediction: the line is dropped, counted in the metrics, and
said in the log.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

log = logging.getLogger("serving")
LONGEST_STRING = 2_000
PATTERN = "predictions-*.jsonl"


class PredictionLog:
    """Appends to `folder`; at most `max_files` files of about `max_bytes` each are kept."""

    def __init__(self, folder: Path, *, max_bytes: int = 64 * 2**20, max_files: int = 8) -> None:
        self.folder = folder
        self.max_bytes, self.max_files = max_bytes, max_files
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._size = self._number = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._open_next()
        except OSError as problem:
            raise ValueError(
                f"prediction_log: {str(folder)!r} cannot be written ({problem.strerror}); "
                "give --prediction-log a writable folder"
            ) from None

    def write(
        self, request_id: str, records: Iterable[dict[str, Any]], *, ms: float, version: str
    ) -> int:
        """Append one line a record; gives the number of lines that were lost."""
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + "Z"
        lost = 0
        for row, record in enumerate(records):
            head = {"time": now, "id": request_id, "row": row, "version": version}
            line = json.dumps(shortened({**head, "ms": round(ms, 3), **record}), allow_nan=False)
            lost += not self._append(line.encode() + b"\n")
        return lost

    def _append(self, line: bytes) -> bool:
        with self._lock:
            try:
                if self._descriptor is None or self._size + len(line) > self.max_bytes:
                    self._open_next()
                assert self._descriptor is not None
                written = os.write(self._descriptor, line)
                self._size += written
                if written < len(line):  # a full disk may take a part: end it as a line of its own
                    os.write(self._descriptor, b"\n")
                return written == len(line)
            except OSError as problem:
                log.warning("prediction lost", extra={"fields": {"reason": str(problem)}})
                return False

    def _open_next(self) -> None:
        """Close the current file, begin the next one, and delete the oldest beyond the limit."""
        self.close()
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        path = self.folder / f"predictions-{stamp}-{os.getpid()}-{self._number:04d}.jsonl"
        self._number += 1
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        self._size = os.fstat(self._descriptor).st_size
        files = sorted(self.folder.glob(PATTERN), key=lambda file: file.name)
        for old in files[: max(0, len(files) - self.max_files)]:
            old.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def shortened(value: Any) -> Any:
    """Replace long strings by their length and hash, anywhere in `value`; non-finite by None."""
    if isinstance(value, str) and len(value) > LONGEST_STRING:
        digest = hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
        return f"sha256:{digest} ({len(value)} characters)"
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shortened(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def read(folder: Path) -> list[dict[str, Any]]:
    """Return every whole line of the log in `folder`, oldest first; broken lines are skipped."""
    records = []
    for file in sorted(folder.glob(PATTERN), key=lambda file: file.name):
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError:
                log.warning("broken line", extra={"fields": {"file": file.name}})
    return records
