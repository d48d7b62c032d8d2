"""From the bytes of a request body to checked `Request` objects, refusing early and clearly.

In order: the content type says JSON (415), the body is within the limit (413; a lying or missing
Content-Length is counted while it streams) and arrives in time (408), it is JSON (400), and it
fits the pattern's schema (422).

The JSON is strict: `NaN` and `Infinity`, which Python's own parser lets through, are refused, and
so is a number such as `1e400` that would become infinite. A NaN in a feature row gives a
confident, meaningless score.
"""

from __future__ import annotations

import asyncio
import math
import re
from typing import Any

from fastapi import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import ClientDisconnect

from common.serving.service import RequestError

BODY_SECONDS = 30.0
READ_AWAY = 8  # times the limit
MAY_OVERFLOW = re.compile(rb"[eE]\+?\d{2}|\d{280}")  # no finite literal without these is infinite
BATCH_FIELD = "requests"


async def read_json(request: Request, *, limit_bytes: int) -> Any:
    """Read the body as strict JSON; raises `RequestError` with 400, 408, 413 or 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and "+json" in kind):
        raise RequestError(
            "content-type",
            kind or None,
            "the body must be JSON",
            "send the header content-type: application/json",
            status=415,
        )
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _read_body(request, limit_bytes)
    except TimeoutError:
        raise RequestError(
            "body",
            None,
            f"the body did not arrive within {BODY_SECONDS:g} s",
            "send it faster, or smaller",
            status=408,
        ) from None
    except ClientDisconnect:
        raise RequestError(
            "body", None, "the connection closed before the body was complete", "send it again",
            status=400,
        ) from None  # fmt: skip
    return parse_json(body)


async def _read_body(request: Request, limit_bytes: int) -> bytes:
    """Collect the body; of one that is too large nothing is kept, but some of it is read away.

    A client that is still sending when the connection closes sees a reset instead of the answer.
    One that asks first (Expect: 100-continue) is refused at once.
    """
    declared = request.headers.get("content-length", "")
    size = int(declared) if declared.isdecimal() else 0
    if size > READ_AWAY * limit_bytes or (size > limit_bytes and "expect" in request.headers):
        raise _too_large(size, limit_bytes)
    body, received = bytearray(), 0
    async for chunk in request.stream():
        received += len(chunk)
        if max(size, received) <= limit_bytes:
            body += chunk
        elif received > READ_AWAY * limit_bytes:
            break
    if received > limit_bytes:
        raise _too_large(max(size, received), limit_bytes)
    return bytes(body)


def _too_large(size: int, limit_bytes: int) -> RequestError:
    return RequestError(
        "body",
        size,
        f"the body is larger than {limit_bytes:,} bytes",
        "send fewer or smaller requests, or start the server with a larger --max-body-mb",
        status=413,
    )


def parse_json(body: bytes) -> Any:
    """Parse strict JSON: no NaN, no infinity, no number that overflows to one."""
    try:
        content = from_json(body, allow_inf_nan=False)
    except ValueError as problem:
        raise RequestError(
            "body",
            body[:200].decode("utf-8", "replace"),
            f"the body is not JSON: {problem}",
            "send one JSON object in UTF-8, without NaN, Infinity or half a surrogate pair",
            status=400,
        ) from None
    if MAY_OVERFLOW.search(body):
        _refuse_infinite(content, "")
    return content


def _refuse_infinite(value: Any, path: str) -> None:
    """Walk the parsed body; its depth is bounded by the parser."""
    if isinstance(value, float) and not math.isfinite(value):
        raise RequestError(
            path or "body", str(value), "the number is too large", "send a finite number",
            status=400,
        )  # fmt: skip
    if isinstance(value, list):
        for place, item in enumerate(value):
            _refuse_infinite(item, f"{path}[{place}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_infinite(item, f"{path}.{key}" if path else key)


def check_batch(content: Any, model: type[BaseModel], *, max_batch: int) -> list[BaseModel]:
    """Check `{"requests": [...]}` row by row; a wrong row is named as `requests[3].field`."""
    rows = content.get(BATCH_FIELD) if isinstance(content, dict) else None
    if not isinstance(rows, list) or set(content) != {BATCH_FIELD}:
        raise RequestError(
            BATCH_FIELD,
            content,
            f"a batch is one object with the list {BATCH_FIELD!r} and nothing else",
            f'send {{"{BATCH_FIELD}": [...]}}, each entry as for /predict',
        )
    if len(rows) > max_batch:
        raise RequestError(
            BATCH_FIELD,
            len(rows),
            f"a batch holds at most {max_batch} requests",
            f"split it into batches of at most {max_batch}",
            status=413,
        )
    return [_check_row(row, model, place) for place, row in enumerate(rows)]


def _check_row(row: Any, model: type[BaseModel], place: int) -> BaseModel:
    try:
        return model.model_validate(row)
    except ValidationError as problem:
        raise BatchRowError(problem, place) from None


class BatchRowError(Exception):
    """A row of a batch that does not fit the schema, with its place."""

    def __init__(self, problem: ValidationError, place: int) -> None:
        super().__init__(f"row {place}")
        self.problem = problem
        self.prefix = f"{BATCH_FIELD}[{place}]"
