"""A search collection as BEIR lays it out: corpus.jsonl, queries.jsonl, qrels.tsv or qrels/.

    corpus.jsonl         {"_id": "d1", "title": "…", "text": "…"} a line, and further fields
    queries.jsonl        {"_id": "q1", "text": "…"} a line
    qrels/test.tsv       query id, document id and grade between tabs, with or without a header;
                         beside it train.tsv and dev.tsv, a split that is kept
    qrels.tsv            the same without a split

Each file may be packed by gzip. Thakur et al. 2021, "BEIR".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data.files.collection import Fields, Judgment, Read, collection, grade_of, part_of
from data.files.collection_layouts import check_layout
from data.files.faults import FaultsOfFiles
from data.files.headers import listed
from data.files.lines import existing, text_lines
from data.tables import SearchCollection

IDS = ("_id", "doc_id", "docno", "docid", "id")
TEXTS = ("text", "body", "abstract", "contents", "description")
QUERY_IDS = ("_id", "query_id", "qid", "topic_id", "number", "id")
QUERY_TEXTS = ("text", "query", "title")


def search_from_beir(folder: str | Path, fields: Fields | None = None) -> SearchCollection:
    """Read a collection laid out as BEIR does."""
    root = check_layout(Path(folder), "beir")
    read = Read(identical_ids=True)
    corpus, queries = existing(root / "corpus.jsonl"), existing(root / "queries.jsonl")
    read.paths += [corpus, queries]
    read.documents = list(json_rows(corpus, read, ids=IDS, texts=TEXTS))
    found = json_rows(queries, read, ids=QUERY_IDS, texts=QUERY_TEXTS)
    read.queries = [
        (path, row, *query_of(read.faults, path, row, each)) for path, row, each in found
    ]
    _read_qrels(root, read)
    return collection(read, fields or Fields())


def json_rows(
    path: Path, read: Read, *, ids: Sequence[str], texts: Sequence[str]
) -> Iterator[tuple[Path, int, dict[str, Any]]]:
    """Yield (file, row, object) with `_id` and `text`, under the first name of each that it has.

    Other names than these two are said; what is no such object becomes a fault.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file. It should hold one JSON object per line.")
    count, faults = 0, read.faults
    renamed: dict[str, str] = {}
    for row, line in text_lines(path, faults):
        count += 1
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError as error:
            faults.add(path, row, f"not JSON ({error}). Correct it.")
            continue
        if not isinstance(found, dict):
            faults.add(path, row, f"no JSON object ({line[:30]!r}). Write one a line.")
            continue
        for ours, names in (("_id", ids), ("text", texts)):
            theirs = next((name for name in names if name in found), ours)
            if theirs in found and theirs != ours:
                found[ours] = found.pop(theirs)
                renamed[theirs] = ours
        absent = next((key for key in ("_id", "text") if key not in found), None)
        if absent or found["_id"] is None or isinstance(found["_id"], dict | list):
            has = f"; it has {listed(list(found))}" if absent and found else ""
            faults.add(path, row, f"no {absent or '_id'!r}{has}. Add it.")
            continue
        yield path, row, _flat(found)
    if renamed:
        names = " and ".join(f"{theirs!r} as {ours}" for theirs, ours in renamed.items())
        read.said.append(f"{path.name}: {names} was read.")
    if not count and path not in faults.files:
        faults.add(path, None, "contains no rows. It needs one JSON object per line.")


def _flat(found: dict[str, Any]) -> dict[str, Any]:
    """Lift what BEIR keeps under `metadata` to the level of the other fields."""
    inner = found.pop("metadata", None)
    return found | {f"metadata.{name}": value for name, value in (inner or {}).items()
                    } if isinstance(inner, dict) else found  # fmt: skip


def query_of(faults: FaultsOfFiles, path: Path, row: int, found: dict[str, Any]) -> tuple[str, str]:
    """Return id and text of a query; null is empty, and what is no text becomes a fault."""
    text = found["text"]
    if text is not None and not isinstance(text, str | int | float):
        faults.add(path, row, f"the query is {text!r:.60}, which is no text. Correct it.")
    return str(found["_id"]), "" if text is None else str(text)


def _read_qrels(root: Path, read: Read) -> None:
    """Read qrels/*.tsv by part, or qrels.tsv where there is no such folder."""
    single = existing(root / "qrels.tsv")
    files = sorted((root / "qrels").glob("*.tsv*")) if (root / "qrels").is_dir() else []
    parts = {path: part_of(path) for path in files}
    for path in sorted((root / "qrels").glob("*")) if files else []:
        if path not in parts and part_of(path):
            raise ValueError(
                f"{path}: judgments are read from .tsv files. Write it as {part_of(path)}.tsv:"
                " query id, document id and grade between tabs."
            )
    if not files:
        if not single.is_file():
            raise ValueError(
                f"{single}: no such file. It should hold query id, document id, grade."
            )
        parts = {single: ""}
    elif single.is_file():
        read.said.append("qrels.tsv was left unread: the folder qrels/ gives the split.")
    odd = [path.name for path, part in parts.items() if not part] if files else []
    if odd and len(odd) < len(files):
        read.said.append(f"Left unread, neither train, dev nor test: qrels/{', qrels/'.join(odd)}.")
        parts = {path: part for path, part in parts.items() if part}
    for path, part in parts.items():
        read.paths.append(path)
        read.judgments += qrels(path, part, read.faults)


def qrels(path: Path, part: str, faults: FaultsOfFiles) -> Iterator[Judgment]:
    """Yield the judgments of a file: query id, document id and grade, or TREC's four columns."""
    for row, line in text_lines(path, faults):
        values = [each.strip() for each in (line.split("\t") if "\t" in line else line.split())]
        if not any(values):
            continue
        grade = grade_of(values[-1])
        if row == 1 and grade is None and not _is_number(values[-1]):
            continue  # the header
        if len(values) not in (3, 4):
            faults.add(
                path, row, f"{line[:60]!r} is not query id, document id and a whole grade between "
                "tabs. Correct it.",
            )  # fmt: skip
        elif grade is None:
            faults.add(
                path,
                row,
                f"the grade {values[-1][:20]!r} is no whole number up to 127. Correct it.",
            )
        else:
            yield Judgment(path, row, values[0], values[-2], grade, part)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
