"""The page at / as one HTML text: skeleton, style, scripts and data, and the headers to send.

The content security policy names the style and the script by their SHA-256, so nothing else that
came into the page would run, and it lets the page reach its own server alone.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from functools import cache
from pathlib import Path
from typing import Any

from common.serving.service import Service

FOLDER = Path(__file__).parent
SCRIPTS = (  # in this order
    "dom.js", "form.js", "picture.js", "text.js", "answer.js", "card.js", "stream.js", "main.js",
)  # fmt: skip


def render(service: Service, card: dict[str, Any]) -> str:
    """Return the page of `service` as one self-contained HTML text."""
    data = {
        "card": card,
        "request": service.Request.model_json_schema(),
        "response": service.Response.model_json_schema(mode="serialization"),
        "example": service.example,
        "streams": service.streams,
        "about": first_paragraph(type(service).__doc__),
    }
    style, script = parts()
    page = (FOLDER / "page.html").read_text(encoding="utf-8")
    for name, text in (
        ("title", html.escape(f"{service.name} · {card['version']}")),
        ("style", style),
        ("script", script),
        ("data", json_in_script(data)),  # last: what it holds is not looked through again
    ):
        page = page.replace("{{" + name + "}}", text)
    return page


def with_home(page: str) -> str:
    """Return a page whose link to the list of all models, one level up, is seen."""
    return page.replace('id="home" hidden', 'id="home"')


@cache
def headers() -> dict[str, str]:
    """Return the headers of the page, its content security policy above all."""
    style, script = (f"'sha256-{_hash(part)}'" for part in parts())
    return {
        "content-security-policy": (
            f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self';"
            " img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
        ),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }


@cache
def parts() -> tuple[str, str]:
    """Return the style and the scripts as one."""
    script = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return (FOLDER / "style.css").read_text(encoding="utf-8"), script


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def json_in_script(data: Any) -> str:
    """Return JSON that cannot end the script element around it, whatever the strings hold."""
    text = json.dumps(data, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def first_paragraph(text: str | None) -> str:
    """Return the first paragraph of a docstring as one line."""
    return " ".join((text or "").strip().split("\n\n")[0].split())
