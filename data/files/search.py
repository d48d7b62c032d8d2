"""A search collection as BEIR lays it out: corpus.jsonl, queries.jsonl, qrels.tsv or qrels/."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from data.files.columns import file_source
from data.files.folders import checked_folder
from data.tables import SearchCollection

_LARGEST_GRADE = 127


def search_from_beir(folder: str | Path, *, split: str = "test") -> SearchCollection:
    """Read a collection laid out as BEIR does; judgments of unknown ids are left out and said."""
    root = checked_folder(Path(folder))
    corpus = list(_json_lines(root / "corpus.jsonl", required=("_id", "text")))
    documents = pl.DataFrame(
        {
            "doc_id": [str(row["_id"]) for row in corpus],
            "title": [str(row.get("title") or "") for row in corpus],
            "text": [str(row["text"] or "") for row in corpus],
        }
    )
    _check_ids(root / "corpus.jsonl", documents["doc_id"])
    rows = list(_json_lines(root / "queries.jsonl", required=("_id", "text")))
    queries = pl.DataFrame(
        {"query_id": [str(row["_id"]) for row in rows], "query": [str(row["text"]) for row in rows]}
    )
    _check_ids(root / "queries.jsonl", queries["query_id"])
    qrels = next(
        (file for file in (root / "qrels.tsv", root / "qrels" / f"{split}.tsv") if file.is_file()),
        root / "qrels.tsv",
    )
    judgments = _read_qrels(qrels)
    known = judgments.join(documents, on="doc_id", how="semi").join(
        queries, on="query_id", how="semi"
    )
    unknown = judgments.height - known.height
    source = file_source(
        (root / "corpus.jsonl", root / "queries.jsonl", qrels),
        rows=f"{documents.height:,} documents, {queries.height:,} queries, {known.height:,} "
        "judgments",
        notice=f"{unknown:,} judgments name unknown ids and were left out." if unknown else None,
    )
    return SearchCollection(source, documents, queries, known)


def _check_ids(path: Path, ids: pl.Series) -> None:
    if not len(ids):
        raise ValueError(f"{path}: contains no rows. It needs one JSON object per line.")
    if not ids.is_unique().all():
        twice = ids.filter(ids.is_duplicated())[0]
        raise ValueError(f"{path}: the _id {twice!r} is on several rows. Give each row its own.")


def _read_qrels(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise ValueError(f"{path}: no such file. It should hold query id, document id and grade.")
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fields = line.split("\t")
        grade = fields[-1].strip()
        if number == 1 and not grade.lstrip("-").isdigit():
            continue  # the header
        if len(fields) != 3 or not grade.lstrip("-").isdigit():
            raise ValueError(
                f"{path}, row {number}: {line[:60]!r} is not query id, document id and a whole "
                "grade between tabs. Correct it."
            )
        if int(grade) > _LARGEST_GRADE:
            raise ValueError(
                f"{path}, row {number}: the grade {grade} is above {_LARGEST_GRADE}. Correct it."
            )
        rows.append((fields[0], fields[1], max(int(grade), 0)))
    return pl.DataFrame(
        rows,
        schema={"query_id": pl.String, "doc_id": pl.String, "grade": pl.Int8},
        orient="row",
    )


def _json_lines(path: Path, *, required: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise ValueError(f"{path}: no such file. It should hold one JSON object per line.")
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(
                    f"{path}, row {number}: not JSON ({error}). Correct it."
                ) from error
            absent = [key for key in required if not isinstance(row, dict) or key not in row]
            if absent:
                raise ValueError(f"{path}, row {number}: no {absent[0]!r}. Add it.")
            yield row
