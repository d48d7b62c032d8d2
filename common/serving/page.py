"""The page at /: the model card, a form made from the request's schema, and the answer.

One file, `page.html`, with its style and script inside: no build step, no package, no network.
It knows no pattern; what it shows follows from the JSON schema of `Request` and from the shape of
the answer: a list of objects becomes a table, a score a bar, a base64 picture a picture, and
`box: [x0, y0, x1, y1]` a rectangle on the uploaded image. `format: image` on a request field
(`ImageBase64`) gives a file picker. All text enters the page as text, never as markup.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

from common.serving.service import Service

TEMPLATE = Path(__file__).with_name("page.html")
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; connect-src 'self'; img-src 'self' data:; form-action 'none'; "
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def render(service: Service, card: dict[str, Any]) -> str:
    """Return the page of `service` as one self-contained HTML text."""
    data = {
        "card": card,
        "request": service.Request.model_json_schema(),
        "response": service.Response.model_json_schema(mode="serialization"),
        "example": service.example,
        "about": _first_paragraph(type(service).__doc__),
    }
    template = TEMPLATE.read_text(encoding="utf-8")
    page = template.replace("{{title}}", html.escape(f"{service.name} · {card['version']}"))
    return page.replace("{{data}}", json_in_script(data))


def json_in_script(data: Any) -> str:
    """Return JSON that cannot end the script element around it, whatever the strings hold."""
    text = json.dumps(data, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _first_paragraph(text: str | None) -> str:
    return " ".join((text or "").strip().split("\n\n")[0].split())
