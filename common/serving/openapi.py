"""The OpenAPI description of an app whose bodies are read as bytes.

The framework derives a schema from the parameters of its handlers. Ours take the raw request, so
the schemas of `Request` and `Response` are put in here, once, where generated clients and the
reader of /openapi.json look for them.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from common.serving.payload import BATCH_FIELD
from common.serving.service import Service

REFERENCE = "#/components/schemas/{model}"
TEXT_OR_NUMBER = {"type": ["string", "number", "boolean", "null"]}
EVENTS = 'Events: `piece` {"text"} as often as there is more, then `response`, or `error`'
ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["field", "value", "message", "remedy"],
            "properties": {
                "field": {"type": ["string", "null"]},
                "value": TEXT_OR_NUMBER,
                "message": {"type": "string"},
                "remedy": {"type": "string"},
                "id": {"type": "string"},
                "also": {"type": "array", "items": {"type": "object"}},
            },
        }
    },
}
REFUSALS = {
    "400": "Not JSON",
    "413": "Too large",
    "415": "Not JSON by its header, or not an image",
    "422": "Does not fit the schema",
    "500": "Our fault; the id is in the log",
    "503": "Not ready, or too busy",
}


def describe(app: FastAPI, service: Service) -> None:
    """Make `app.openapi()` describe the bodies of the predict routes."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            content = get_openapi(
                title=app.title, version=app.version, routes=app.routes, summary=_summary(service)
            )
            app.openapi_schema = _with_bodies(content, service)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _summary(service: Service) -> str:
    text = (type(service).__doc__ or "").strip()
    return text.splitlines()[0] if text else service.name


def _with_bodies(content: dict[str, Any], service: Service) -> dict[str, Any]:
    models, definitions = models_json_schema(
        [(service.Request, "validation"), (service.Response, "serialization")],
        ref_template=REFERENCE,
    )
    request = models[(service.Request, "validation")]
    response = models[(service.Response, "serialization")]
    schemas = content.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(definitions.get("$defs", {}))
    schemas["Error"] = ERROR_SCHEMA
    paths = content["paths"]
    _set_bodies(paths["/predict"]["post"], request, response, service.example)
    if "/predict/stream" in paths:
        operation = paths["/predict/stream"]["post"]
        _set_bodies(operation, request, response, service.example)
        operation["responses"]["200"] = {
            "description": EVENTS,
            "content": {"text/event-stream": {}},
        }
    _set_bodies(
        paths["/predict/batch"]["post"],
        _list_of(BATCH_FIELD, request, service.max_batch),
        _list_of("responses", response, service.max_batch),
        {BATCH_FIELD: [service.example]},
    )
    return content


def _list_of(field: str, item: dict[str, Any], most: int) -> dict[str, Any]:
    rows = {"type": "array", "items": item, "maxItems": most}
    return {
        "type": "object",
        "required": [field],
        "properties": {field: rows},
        "additionalProperties": False,
    }


def _set_bodies(
    operation: dict[str, Any], request: dict[str, Any], response: dict[str, Any], example: Any
) -> None:
    body = {"application/json": {"schema": request, "example": example}}
    error = {"application/json": {"schema": {"$ref": REFERENCE.format(model="Error")}}}
    operation["requestBody"] = {"required": True, "content": body}
    operation["responses"] = {
        "200": {"description": "Answered", "content": {"application/json": {"schema": response}}}
    } | {status: {"description": text, "content": error} for status, text in REFUSALS.items()}
