"""Sentences and words of a text with their characters."""

from __future__ import annotations

import re

_END = re.compile(r"(?<=[.!?。！？])[\"'”’)\]]*\s+|\n+|(?<=[。！？])")
_WORD = re.compile(r"\S+")


def sentences(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of each sentence, spaces around it left out.

    A full stop after a single letter ends none: "John F. Kennedy".
    """
    cuts = [0]
    for found in _END.finditer(text):
        before = text[max(0, found.start() - 3) : found.start()]
        if not re.search(r"(?:^|\W)\w\.$", before):
            cuts.append(found.end())
    found_ = []
    for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True):
        inner = text[start:end]
        if inner.strip():
            left = start + len(inner) - len(inner.lstrip())
            found_.append((left, left + len(inner.strip())))
    return found_


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of each run of characters that are no space."""
    return [found.span() for found in _WORD.finditer(text)]
