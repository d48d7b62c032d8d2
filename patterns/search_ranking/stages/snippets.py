"""What a page of results shows of a document beside its title: facts, and a piece of its text.

The piece is the one around the first word of the query in the text (keyword in context), so that a
reader sees what matched; where no word of it is in the text, it is the beginning. Words are
compared by their stems, as in the index.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from common.retrieval.analysis import english
from patterns.search_ranking.entities.documents import Schema

LONGEST = 240  # characters of a snippet
BEFORE = 60  # of them before the word found
OF_FILMS = ("year", "genres", "director")
MOST_FACTS, MOST_VALUES = 6, 3


def facts_of(document: Mapping[str, Any], schema: Schema) -> dict[str, str]:
    """Return the facts of a document that are known, by field; of a list the first values."""
    names = OF_FILMS if schema.films else (*schema.numbers, *schema.facets)
    facts = {name: _told(document[name]) for name in names}
    return dict([(name, fact) for name, fact in facts.items() if fact][:MOST_FACTS])


def _told(value: Any) -> str:
    if isinstance(value, float):
        whole = math.isfinite(value) and value == int(value)
        return f"{value:.0f}" if whole else f"{value:g}"
    if isinstance(value, list):
        return ", ".join(value[:MOST_VALUES]) + (" …" if len(value) > MOST_VALUES else "")
    return value or ""


def snippet_of(document: Mapping[str, Any], schema: Schema, query: str) -> str:
    """Return the piece of the document's text that the query asks for; its cuts are marked by …."""
    body = next((name for name in schema.texts if name != "title"), "title")
    text = " ".join(document[body].split())
    if len(text) <= LONGEST:
        return text
    stems = sorted(set(english(query)), key=len, reverse=True)
    found = re.search("|".join(map(re.escape, stems)), text, re.IGNORECASE) if stems else None
    start = min(max(0, found.start() - BEFORE) if found else 0, len(text) - LONGEST)
    piece = text[start : start + LONGEST]
    if start and " " in piece[:BEFORE]:
        piece = piece[piece.index(" ") + 1 :]
    ends = start + LONGEST >= len(text)
    if not ends and " " in piece[-BEFORE:]:
        piece = piece[: piece.rindex(" ")]
    return f"{'… ' if start else ''}{piece}{'' if ends else ' …'}"
