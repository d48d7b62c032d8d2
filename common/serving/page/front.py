"""The page at / of a server of several models: what each does, and the way to it; no script."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from common.serving.page.render import FOLDER, first_paragraph, parts

LINKS = ("report", "model", "metrics", "openapi.json")


@dataclass(frozen=True)
class Entry:
    """A model of the list."""

    task: str
    about: str
    facts: Sequence[str]
    ready: bool


def render(title: str, entries: Sequence[Entry]) -> str:
    """Return the page as one HTML text."""
    style, _ = parts()
    page = (FOLDER / "front.html").read_text(encoding="utf-8")
    filled = {
        "title": html.escape(title),
        "style": style,
        "entries": "\n".join(map(_entry, entries)),
    }
    for name, text in filled.items():
        page = page.replace("{{" + name + "}}", text)
    return page


def _entry(entry: Entry) -> str:
    task, state = html.escape(entry.task), "ready" if entry.ready else "warming up"
    facts = "".join(f"<span>{html.escape(fact)}</span>" for fact in entry.facts)
    links = "".join(f'<a href="{task}/{link}">{link.split(".")[0]}</a>' for link in LINKS)
    return (
        f'<li class="panel"><h2><a href="{task}/">{task}</a></h2>'
        f"<p>{html.escape(first_paragraph(entry.about))}</p>"
        f'<p class="soft facts-line">{facts}</p>'
        f'<nav aria-label="{task}"><span class="ready{" yes" * entry.ready}">{state}</span>'
        f"{links}</nav></li>"
    )
