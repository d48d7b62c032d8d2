"""A search collection as TREC gives it: documents, topics and qrels, told apart by their names.

    qrels…                `topic 0 document grade` a line; several files named train, dev, test are
                          a split that is kept
    topics…, queries…     <top> <num> Number: 301 <title> …, or <topic number="1"> <query> …, one
                          JSON object a line, or topic id and text between a tab
    all other files       <DOC> <DOCNO> … <TITLE> … <TEXT> …, one JSON object a line, or a .tsv of
                          id and text; in the folder itself or in docs/, corpus/ or collection/

The query is the title of a topic; its description and narrative are not read. Fields of a document
other than title and text go by the name of their tag in lower case.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from data.files.beir import (
    IDS,
    QUERY_IDS,
    QUERY_TEXTS,
    TEXTS,
    json_rows,
    qrels,
    query_of,
)
from data.files.collection import Fields, Read, collection, part_of
from data.files.collection_layouts import check_layout
from data.files.lines import OldFiles, unpacked
from data.tables import SearchCollection

_INNER = ("docs", "documents", "corpus", "collection")
_DOCUMENT = re.compile(r"<doc\b[^>]*>(.*?)</doc>", re.S | re.I)
_ELEMENT = re.compile(r"<([a-z][\w.-]*)\b[^>]*>(.*?)</\1\s*>", re.S | re.I)
_TOPIC = re.compile(r"<top(?:ic)?\b([^>]*)>(.*?)</top(?:ic)?>", re.S | re.I)
_TITLES = ("title", "headline", "head", "hl", "ttl", "ti")
_COLUMNS = {2: ("_id", "text"), 3: ("_id", "title", "text"), 4: ("_id", "url", "title", "text")}
_NAMES = {*IDS, *QUERY_IDS, *TEXTS, *QUERY_TEXTS, *_TITLES, "pid", "url"}  # of a header


def search_from_trec(
    folder: str | Path, fields: Fields | None = None, *, encoding: str = "auto"
) -> SearchCollection:
    """Read a collection of documents, topics and qrels."""
    root = check_layout(Path(folder), "trec")
    judged, topics, documents = _files(root)
    read = Read(paths=[*documents, *topics, *judged], old=OldFiles(encoding))
    for path in documents:
        read.documents += _documents(path, read)
    if not read.documents:
        read.faults.check()
        raise ValueError(f"{root}: {read.said[-1]} No other file has documents; add one.")
    for path in topics:
        read.queries += _topics(path, read)
    parts = {path: part_of(path) for path in judged}
    for path, part in parts.items():
        read.judgments += qrels(path, part if len(judged) > 1 else "", read.faults)
    return collection(read, fields or Fields())


def _files(root: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Return the files of qrels, of topics and of documents; raises where one kind is missing."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and path.name[0] != "."]
    named = [(path, str(path.relative_to(root)).lower()) for path in files]
    judged = [path for path, name in named if "qrel" in name]
    topics = [path for path, name in named if path not in judged and re.search("topic|quer", name)]
    rest = [path for path, _ in named if path not in judged and path not in topics]
    inner = [path for path in rest if path.relative_to(root).parts[0].lower() in _INNER]
    documents = inner or [path for path in rest if _holds_documents(path)]
    for what, found, like in (
        ("judgments", judged, "qrels.txt"),
        ("topics", topics, "topics.txt"),
        ("documents", documents, "docs.jsonl or docs.trec"),
    ):
        if not found:
            raise ValueError(f"{root}: no file of {what}. Add one named like {like}.")
    return judged, topics, documents


def _holds_documents(path: Path) -> bool:
    if path.name.removesuffix(".gz").endswith((".jsonl", ".tsv", ".trec", ".sgml")):
        return True
    with path.open("rb") as stream:
        return b"<doc" in stream.read(2000).lower()


def _documents(path: Path, read: Read) -> list[tuple[Path, int, dict[str, Any]]]:
    name = path.name.removesuffix(".gz")
    if name.endswith((".jsonl", ".json")):
        return list(json_rows(path, read, ids=IDS, texts=TEXTS))
    if name.endswith(".tsv"):
        return [(path, row, found) for row, found in _tabbed(path, read)]
    return _marked_up(path, read)


def _marked_up(path: Path, read: Read) -> list[tuple[Path, int, dict[str, Any]]]:
    """Return the <DOC> elements of a file; each needs a <DOCNO>."""
    if b"<doc" not in unpacked(path).lower():
        read.said.append(f"{path.name} holds no <DOC> … </DOC> and was left unread.")
        return []
    whole = read.old.text(path)
    found = []
    for match in _DOCUMENT.finditer(whole):
        row = whole.count("\n", 0, match.start()) + 1
        inner: dict[str, str] = {}
        for name, value in _ELEMENT.findall(match[1]):
            key = name.lower()
            inner[key] = f"{inner.get(key, '')} {_plain(value)}".strip()
        name = inner.pop("docno", "") or inner.pop("docid", "")
        if not name:
            read.faults.add(path, row, "a <DOC> without a <DOCNO>. Add it.")
        title = next((inner.pop(key) for key in _TITLES if key in inner), "")
        text = " ".join(inner.pop(key) for key in TEXTS if key in inner)
        found.append((path, row, {"_id": name, "title": title, "text": text, **inner}))
    if not found:
        read.faults.add(path, None, "holds no <DOC> … </DOC>. Correct or remove the file.")
    return found


def _topics(path: Path, read: Read) -> list[tuple[Path, int, str, str]]:
    """Return file, row, id and title of each topic."""
    if path.name.removesuffix(".gz").endswith((".jsonl", ".json")):
        rows = json_rows(path, read, ids=QUERY_IDS, texts=QUERY_TEXTS)
        return [(path, row, *query_of(read.faults, path, row, each)) for _, row, each in rows]
    whole = read.old.text(path)
    if "<top" not in whole.lower():
        return [(path, row, name, text) for row, name, text in _two_columns(path, read)]
    found = []
    for match in _TOPIC.finditer(whole):
        row = whole.count("\n", 0, match.start()) + 1
        number = re.search(r"number\s*=\s*[\"']?([\w.-]+)", match[1], re.I)
        name = number[1] if number else _part(match[2], "num").removeprefix("Number:").strip()
        if not name:
            read.faults.add(path, row, "a topic without a number. Add <num>.")
        text = _part(match[2], "title") or _part(match[2], "query") or _part(match[2], "desc")
        found.append((path, row, name, re.sub(r"^(Topic|Description):", "", text).strip()))
    return found


def _part(topic: str, tag: str) -> str:
    """Return the text of a tag, which TREC does not close, up to the next one."""
    found = re.search(rf"<{tag}>(.*?)(?=<[a-z/]|\Z)", topic, re.S | re.I)
    return _plain(found[1]) if found else ""


def _tabbed(path: Path, read: Read) -> list[tuple[int, dict[str, Any]]]:
    """Return the rows of a table with tabs: id and text, with the title or url and title between.

    A header names the columns; rows of different widths have an id and a text.
    """
    rows = _two_columns(path, read)
    cells = [[name, *text.split("\t")] for _, name, text in rows]
    header = [cell.strip().lower() for cell in cells[0]] if cells else []
    names = _COLUMNS.get(len(header)) if len({len(each) for each in cells}) == 1 else None
    if names and set(header) <= _NAMES:
        names = tuple("_id" if each in (*IDS, "pid") else each for each in header)
        rows, cells = rows[1:], cells[1:]
    if names is None or len(names) == 2:
        return [(row, {"_id": name, "text": text}) for row, name, text in rows]
    read.said.append(f"The columns of {path.name} were read as {', '.join(names)}.")
    return [
        (row, dict(zip(names, each, strict=True)))
        for (row, _, _), each in zip(rows, cells, strict=True)
    ]


def _two_columns(path: Path, read: Read) -> list[tuple[int, str, str]]:
    """Return row, id and text of each line `id<tab>text`."""
    found = []
    for row, line in read.old.lines(path):
        name, tab, text = line.partition("\t")
        if not tab and line.strip():
            read.faults.add(path, row, f"{line[:60]!r} is not an id and a text with a tab between. "
                       "Correct it.")  # fmt: skip
        elif line.strip():
            found.append((row, name.strip(), text.strip()))
    return found


def _plain(text: str) -> str:
    """Return a text without tags, entities and line breaks."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())
