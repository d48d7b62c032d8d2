"""A search collection made of the rows that a door read: checks, fields, and what must be said.

Doors differ in how they lay out documents, queries and judgments; from there on all is one:
an id stands once, a pair of query and document is judged once, and nothing is left out unsaid.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from data.files.columns import file_source
from data.files.faults import FaultsOfFiles
from data.files.lines import OldFiles, is_text
from data.files.part_names import part_named
from data.tables import SearchCollection

LARGEST_GRADE = 127
USED = ("_id", "title", "text")


@dataclass(frozen=True)
class Fields:
    """Which further fields of the documents are read, by name, and as what."""

    texts: tuple[str, ...] = ()
    facets: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgment:
    """One row of judgments."""

    path: Path
    row: int
    query_id: str
    doc_id: str
    grade: int
    part: str  # train, valid or test; empty where the user gives no split


@dataclass
class Read:
    """What a door has read, not yet checked against each other."""

    paths: list[Path] = field(default_factory=list)
    documents: list[tuple[Path, int, dict[str, Any]]] = field(default_factory=list)
    queries: list[tuple[Path, int, str, str]] = field(default_factory=list)  # id and text
    judgments: list[Judgment] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    faults: FaultsOfFiles = field(default_factory=FaultsOfFiles)
    old: OldFiles = field(default_factory=OldFiles)
    identical_ids: bool = False  # a query with the id of a document is that document, as in BEIR


def collection(read: Read, fields: Fields) -> SearchCollection:
    """Check what was read and give the table; raises with all faults, ten of them in words."""
    said = [*read.old.notes(), *read.said]
    _check_names(read, fields)
    documents = _documents(read, fields)
    _check_rows(read)
    queries, empty = _queries(read)
    said += [f"{len(empty):,} queries have no text and were left out."] if empty else []
    read.judgments = [each for each in read.judgments if each.query_id not in empty]
    judgments, further = _judgments(read)
    read.faults.check()
    known = judgments.join(documents, on="doc_id", how="semi").join(
        queries, on="query_id", how="semi"
    )
    said += further + _unknown(read, judgments, known)
    split, moved = _split(known, queries)
    said += moved + _unread(read, fields)
    source = file_source(
        read.paths,
        rows=f"{documents.height:,} documents, {queries.height:,} queries, {known.height:,} "
        "judgments",
        notice=" ".join(said) or None,
    )
    pairs = known.select("query_id", "doc_id", "grade").unique(
        ["query_id", "doc_id"], maintain_order=True
    )
    return SearchCollection(source, documents, queries, pairs, split, read.identical_ids)


def _check_names(read: Read, fields: Fields) -> None:
    """Raise for a field that no document has, and for one that is asked for twice."""
    names = Counter(name for _, _, row in read.documents for name in row if name != "_id")
    asked = (("fields", fields.texts), ("facets", fields.facets), ("numbers", fields.numbers))
    for flag, wanted in asked:
        for name in wanted:
            if names and name not in names:
                known = ", ".join(names)
                raise ValueError(
                    f"--data.{flag}: no document has a field {name!r}; they have {known}. "
                    "Name one of these."
                )
    twice = [name for name, times in Counter(sum((list(n) for _, n in asked), [])).items()
             if times > 1]  # fmt: skip
    if twice:
        raise ValueError(
            f"--data.fields, --data.facets, --data.numbers: {twice[0]!r} is named twice. "
            "Leave one out."
        )


def _documents(read: Read, fields: Fields) -> pl.DataFrame:
    texts = ("title", "text", *(name for name in fields.texts if name not in USED))
    columns: dict[str, list[Any]] = {
        "doc_id": [str(row.get("_id")) for _, _, row in read.documents]
    }
    for name in texts:
        columns[name] = [_text(read.faults, *each, name) for each in read.documents]
    for name in fields.facets:
        columns[name] = [_facet(read.faults, *each, name) for each in read.documents]
    for name in fields.numbers:
        columns[name] = [_number(read.faults, *each, name) for each in read.documents]
    read.faults.check()
    kinds: dict[str, Any] = {name: pl.String for name in ("doc_id", *texts)}
    kinds |= {name: pl.List(pl.String) for name in fields.facets}
    kinds |= {name: pl.Float64 for name in fields.numbers}
    return pl.DataFrame(columns, schema=kinds)


def _text(faults: FaultsOfFiles, path: Path, row: int, document: dict[str, Any], name: str) -> str:
    """Return the text of a field; a list is joined, null is empty."""
    value = document.get(name)
    entries = value if isinstance(value, list) else [value]
    if any(isinstance(each, dict | list | bool) for each in entries):
        faults.add(path, row, f"{name!r} holds {_short(value)}, which is no text. Correct it.")
        return ""
    text = " ".join(str(each) for each in entries if each is not None)
    if not is_text(text):
        faults.add(
            path, row, f"{name!r} holds half of a surrogate pair ({_half(text)}). Remove it."
        )
        return ""
    return text


def _facet(
    faults: FaultsOfFiles, path: Path, row: int, document: dict[str, Any], name: str
) -> list[str]:
    """Return the values of a category; a list may hold several."""
    value = document.get(name)
    entries = value if isinstance(value, list) else [value]
    entries = [str(each).lower() if isinstance(each, bool) else each for each in entries]
    found = [_text(faults, path, row, {name: each}, name).strip() for each in entries]
    return [each for each in found if each]


def _number(
    faults: FaultsOfFiles, path: Path, row: int, document: dict[str, Any], name: str
) -> float | None:
    """Return a number; null and an empty text are missing."""
    value = document.get(name)
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or isinstance(value, bool):
        faults.add(
            path,
            row,
            f"{name!r} holds {_short(value)}, which is no number. Correct it, "
            "or read the field by --data.facets or --data.fields.",
        )
        return None
    return number


def _check_rows(read: Read) -> None:
    """Note ids that stand twice, and files without any row."""
    for what, rows in (
        ("document", [(path, row, str(each["_id"])) for path, row, each in read.documents]),
        ("query", [(path, row, each) for path, row, each, _ in read.queries]),
    ):
        seen: dict[str, int] = {}
        for path, row, name in rows:
            if not is_text(name):
                read.faults.add(path, row, f"the id {_half(name)} is no text. Correct it.")
            elif name in seen:
                read.faults.add(
                    path, row, f"the id {name!r} is that of row {seen[name]} too. Give each {what} "
                    "its own.",
                )  # fmt: skip
            seen.setdefault(name, row)
    read.faults.check()


def _queries(read: Read) -> tuple[pl.DataFrame, set[str]]:
    """Return the queries that have a text, and the ids of those that have none."""
    for path, row, _, text in read.queries:
        if not is_text(text):
            read.faults.add(
                path, row, f"the query holds half of a surrogate pair ({_half(text)}). Remove it."
            )
    read.faults.check()
    kept = [(name, text) for _, _, name, text in read.queries if text.strip()]
    frame = pl.DataFrame(kept, schema={"query_id": pl.String, "query": pl.String}, orient="row")
    return frame, {name for _, _, name, text in read.queries if not text.strip()}


def _judgments(read: Read) -> tuple[pl.DataFrame, list[str]]:
    """Return each judged pair once a part, and what must be said of the others."""
    seen: dict[tuple[str, str, str], Judgment] = {}
    repeated = below = 0
    for each in read.judgments:
        key = (each.query_id, each.doc_id, each.part)
        first = seen.setdefault(key, each)
        below += each.grade < 0
        if first is each:
            continue
        repeated += 1
        if max(first.grade, 0) != max(each.grade, 0):
            read.faults.add(
                each.path,
                each.row,
                f"query {each.query_id!r} and document {each.doc_id!r} have grade {each.grade}, "
                f"but {first.grade} in row {first.row}. Keep one of the two.",
            )
    kinds = {"query_id": pl.String, "doc_id": pl.String, "grade": pl.Int8, "part": pl.String}
    rows = [(q, d, max(each.grade, 0), part) for (q, d, part), each in seen.items()]
    said = [f"{repeated:,} judgments repeat another and were counted once."] if repeated else []
    said += [f"{below:,} negative grades count as not relevant."] if below else []
    return pl.DataFrame(rows, schema=kinds, orient="row"), said


def _unknown(read: Read, judgments: pl.DataFrame, known: pl.DataFrame) -> list[str]:
    """Say how many judgments name unknown ids; raise if all of a part do."""
    count = judgments.height - known.height
    if not count:
        return []
    parts = set(known["part"])
    first = next((each for each in read.judgments if each.part not in parts), None)
    if first is not None:
        raise ValueError(
            f"{first.path}, row {first.row}: no judgment of it names a query and a document that "
            f"are there (here {first.query_id!r} and {first.doc_id!r}). Use the same ids in all "
            "files."
        )
    first_row = judgments.join(known, on=["query_id", "doc_id", "part"], how="anti").row(0)
    return [
        f"{count:,} judgments name unknown ids (query {first_row[0]!r}, document "
        f"{first_row[1]!r}) and were left out."
    ]


def _split(
    known: pl.DataFrame, queries: pl.DataFrame
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return the query ids of each given part; a query in two parts stays in the later one."""
    members: dict[str, set[str]] = {}
    taken: set[str] = set()
    moved = 0
    for part in ("test", "valid", "train"):
        own = set(known.filter(pl.col("part") == part)["query_id"])
        moved += len(own & taken)
        members[part] = own - taken
        taken |= own
    order = queries["query_id"].to_list()
    split = {part: tuple(name for name in order if name in own) for part, own in members.items()}
    said = "queries are in several files of judgments and were kept in test, else in dev."
    return {part: own for part, own in split.items() if own}, [f"{moved:,} {said}"] if moved else []


def _unread(read: Read, fields: Fields) -> list[str]:
    """Name the fields that hold something and are not read."""
    asked = {*USED, *fields.texts, *fields.facets, *fields.numbers}
    left: dict[str, None] = {}
    for _, _, row in read.documents:
        left |= {name: None for name, value in row.items() if name not in asked and value}
    if not left:
        return []
    return [
        f"Fields left unread: {', '.join(list(left)[:20])}; --data.fields takes texts, "
        "--data.facets categories, --data.numbers numbers."
    ]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _half(text: str) -> str:
    """Show the first half pair of a text as JSON writes it."""
    return next(f"\\u{ord(letter):04x}" for letter in text if "\ud800" <= letter <= "\udfff")


def grade_of(text: str) -> int | None:
    """Return a whole grade, also one written 1.0; None for any other text or one above 127."""
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if abs(value) <= LARGEST_GRADE and value == int(value) else None


def part_of(path: Path) -> str:
    """Tell from a file's name which part of a split it holds; empty if it says nothing."""
    return part_named(path.name) or ""
