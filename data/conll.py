"""Sentences in columns, a word a line and an empty line between two: how corpora of tags are kept.

    West     B-LOC        Tags say of each word whether it begins an entity (B-x), goes on with one
    Indian   I-LOC        (I-x) or is of none (O). In IOB1 the first word is I-x too, and B-x only
    won      O            parts two neighbours of one type; in BIOES the last word is E-x and an
                          entity of one word S-x (BILOU: L-x, U-x).

All become BIO2, in which every entity begins with B-x. A line of white space alone ends a sentence,
a word -DOCSTART- begins a document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

SCHEMA: dict[str, Any] = {
    "tokens": pl.List(pl.String),
    "tags": pl.List(pl.String),
    "document": pl.Int32,
}
DOCUMENT = "-DOCSTART-"
_TAG = re.compile(r"O|[BIESLU][-_].+")
_BEGINS, _ENDS = "BSU", "ESLU"
Fault = Callable[[int, str], None]


@dataclass
class Tagged:
    """Sentences as they stand in a file: words, tags, the row of each word, the document."""

    tokens: list[list[str]] = field(default_factory=list)
    tags: list[list[str]] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)

    def frame(self) -> pl.DataFrame:
        """Return the sentences as a table, their tags as BIO2."""
        values = {
            "tokens": self.tokens,
            "tags": [bio2(tags) for tags in self.tags],
            "document": self.documents,
        }
        return pl.DataFrame(values, schema=SCHEMA)


def is_tag(text: str) -> bool:
    """Tell whether this is O or a prefix with a type."""
    return _TAG.fullmatch(text) is not None


def cells_of(line: str) -> list[str]:
    """Cut a line at its tabs, or if it has none at its spaces, of which several are one."""
    return line.split("\t") if "\t" in line else [cell for cell in line.split(" ") if cell]


def read_lines(
    lines: Iterable[tuple[int, str]], *, fault: Fault, token: int = 0, tag: int = -1
) -> Tagged:
    """Read (row, line) pairs; `token` and `tag` are places in a line, from the end if below 0.

    What is no tag, an empty word or too few cells goes to `fault` with its row. Where no line marks
    documents, each sentence is one.
    """
    found, document, marked = Tagged(), 0, False
    tokens: list[str] = []
    tags: list[str] = []
    rows: list[int] = []

    def close() -> None:
        if tokens:
            found.tokens.append(tokens.copy())
            found.tags.append(tags.copy())
            found.rows.append(rows.copy())
            found.documents.append(document)
        for each in (tokens, tags, rows):
            each.clear()

    for row, line in lines:
        if not line.strip():
            close()
            continue
        cells = [cell.strip(" \r") for cell in cells_of(line)]
        if cells[0] == DOCUMENT:
            close()
            document, marked = document + 1, True
            continue
        wrong = _wrong(cells, token, tag)
        if wrong:
            fault(row, wrong)
            continue
        tokens.append(cells[token])
        tags.append(cells[tag])
        rows.append(row)
    close()
    if not marked:
        found.documents = list(range(len(found.tokens)))
    return found


def _wrong(cells: Sequence[str], token: int, tag: int) -> str | None:
    """Say what is wrong in the cells of a line, if anything is."""
    needed = max(token + 1 if token >= 0 else -token, tag + 1 if tag >= 0 else -tag, 2)
    if len(cells) < needed:
        held = "one cell" if len(cells) == 1 else f"{len(cells)} cells"
        return f"{held}, where a word and its tag are needed, with a tab or a space between"
    if not cells[token]:
        return "the word is empty"
    if not is_tag(cells[tag]):
        return f"{cells[tag][:40]!r} is no tag: O, or B-, I-, E-, S- (L-, U-) and a type"
    return None


def bio2(tags: Sequence[str]) -> list[str]:
    """Return tags of any of the schemes as BIO2; an I-x that continues no x begins one."""
    made, going = [], ""  # `going` is the type of the entity that the last word left open
    for tag in tags:
        prefix, kind = tag[0], tag[2:]
        if prefix == "O":
            made.append("O")
            going = ""
            continue
        begins = prefix in _BEGINS or going != kind
        made.append(("B-" if begins else "I-") + kind)
        going = "" if prefix in _ENDS else kind
    return made


def scheme_of(sentences: Iterable[Sequence[str]]) -> tuple[str, list[tuple[int, int]]]:
    """Return the scheme that tags are in, and the places (sentence, word) that do not fit it.

    BIOES or BILOU by their prefixes; IOB1 where entities begin with I-x and B-x only parts
    neighbours; else BIO2. What does not fit is a tag that continues an entity which is not there.
    """
    prefixes: set[str] = set()
    odd: list[tuple[int, int]] = []
    begun = 0  # by a B-x that no neighbour asks for
    for sentence, tags in enumerate(sentences):
        before = "O"
        for word, tag in enumerate(tags):
            prefixes.add(tag[0])
            same = before != "O" and before[2:] == tag[2:]
            if tag[0] in "IEL" and not (same and before[0] not in _ENDS):
                odd.append((sentence, word))
            begun += tag[0] == "B" and not same
            before = tag
    if prefixes & set("ES"):
        return "BIOES", odd
    if prefixes & set("LU"):
        return "BILOU", odd
    return ("IOB1", []) if odd and not begun else ("BIO2", odd)


def types_of(*frames: pl.DataFrame | None) -> tuple[str, ...]:
    """Return the entity types of some parts, in alphabetical order."""
    tags = {tag for frame in frames if frame is not None for tag in frame["tags"].explode()}
    return tuple(sorted({tag[2:] for tag in tags if tag and tag != "O"}))


def entities_in(frame: pl.DataFrame) -> int:
    """Return how many entities a part has."""
    return int(frame["tags"].explode().str.starts_with("B-").sum())
