"""Every refusal has one shape: `{"error": {"field", "value", "message", "remedy"}}`.

A caller who reads only this learns what was wrong, with which value, and what to send instead.
The status says whose move it is:

    400 not JSON    404 no such route or thing    405 wrong method    408 body too slow
    413 too large   415 not JSON by its header, or not an image       422 does not fit the schema
    500 our fault (with the id under which the traceback is logged)    503 not ready, or too busy

The value is echoed shortened and made safe, since it may be an image, a NaN or half a surrogate.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from common.serving.service import RequestError

SHOWN_CHARACTERS = 120
SHOWN_PROBLEMS = 20
REMEDIES = {
    "missing": "add the field",
    "extra_forbidden": "remove the field, or check its spelling against /openapi.json",
    "string_too_long": "send a shorter text",
    "string_unicode": "send text in UTF-8",
    "string_too_short": "send a longer text",
    "finite_number": "send a finite number; NaN and Infinity are not JSON",
}


def error_response(
    status: int,
    *,
    field: str | None,
    value: Any,
    message: str,
    remedy: str,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """Answer with the one error shape; `more` adds keys beside the four, such as an id."""
    error = {"field": field, "value": shown(value), "message": message, "remedy": remedy, **more}
    body = json.dumps({"error": error}, ensure_ascii=True, allow_nan=False)
    return Response(body, status, headers=dict(headers or {}), media_type="application/json")


def shown(value: Any) -> Any:
    """Return `value` as harmless JSON: scalars as they are, the rest as a short text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    text = value if isinstance(value, str) else _short_repr(value)
    text = text.encode("utf-8", "replace").decode("utf-8")
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return f"{text[:SHOWN_CHARACTERS]}… ({len(text):,} characters)"


def _short_repr(value: Any) -> str:
    """Describe a container by its size when its text would be long."""
    if isinstance(value, int):
        return hex(value)[:SHOWN_CHARACTERS]
    if isinstance(value, list | dict | str) and len(value) > SHOWN_CHARACTERS:
        return f"{type(value).__name__} of {len(value):,}"
    return repr(value)[: SHOWN_CHARACTERS + 1]


def from_validation(problem: ValidationError, *, prefix: str = "") -> Response:
    """Turn pydantic's findings into a 422: the first is the error, the rest follow in `also`."""
    found = findings(problem, prefix=prefix)
    first, rest = found[0], found[1:SHOWN_PROBLEMS]
    more: dict[str, Any] = {"also": rest} if rest else {}
    return error_response(422, **first, **more)


def findings(problem: ValidationError, *, prefix: str = "") -> list[dict[str, Any]]:
    """Return what pydantic found, in the words of an answer: field, value, message, remedy."""
    return [_finding(error, prefix) for error in problem.errors(include_url=False)]


def _finding(error: Any, prefix: str) -> dict[str, Any]:
    kind, value = error["type"], error.get("input")
    missing = kind == "missing"
    remedy = REMEDIES.get(kind, "send a value that fits the schema; see /openapi.json")
    return {
        "field": field_path(error["loc"], prefix=prefix),
        "value": None if missing else shown(value),
        "message": error["msg"],
        "remedy": remedy,
    }


def field_path(location: Sequence[int | str], *, prefix: str = "") -> str:
    """Write `("items", 3, "id")` as `items[3].id`; the whole body is called `body`."""
    path = prefix
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{shown(part)}" if path else str(shown(part))
    return path or "body"


def from_request_error(problem: RequestError, *, prefix: str = "") -> Response:
    """Turn a refusal raised by the service or the payload into its answer."""
    field = problem.field
    if prefix and problem.row is not None:
        field = f"{prefix}[{problem.row}].{field}"
    return error_response(
        problem.status,
        field=field,
        value=problem.value,
        message=problem.message,
        remedy=problem.remedy,
    )


def install_error_handlers(app: FastAPI) -> None:
    """Make what the framework refuses by itself, an unknown route say, speak the same shape."""

    async def refuse(request: Request, problem: Exception) -> Response:
        assert isinstance(problem, RequestError)
        return from_request_error(problem)

    async def http(request: Request, problem: Exception) -> Response:
        assert isinstance(problem, HTTPException)
        field, value = "path", request.url.path
        remedy = "the routes are listed in /openapi.json"
        if problem.status_code == 405:
            allowed = (problem.headers or {}).get("Allow", "another method")
            field, value, remedy = "method", request.method, f"use {allowed}"
        return error_response(
            problem.status_code,
            field=field,
            value=value,
            message=str(problem.detail),
            remedy=remedy,
            headers=problem.headers,
        )

    app.add_exception_handler(RequestError, refuse)
    app.add_exception_handler(HTTPException, http)
