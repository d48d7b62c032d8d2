""".I 1 .T title .A authors .B source .W text: collections in the format of the SMART system.

    cran.all.1400, CISI.ALL, MED.ALL, cacm.all      the documents
    cran.qry, CISI.QRY, MED.QRY, query.text         the queries
    cranqrel, CISI.REL, MED.REL, qrels.text         the judgments

Judgments come as `query document grade`, as `query document 0 0` (relevant, no grade) and as TREC's
`query 0 document grade`; ids may have leading zeros. Two habits of Cranfield are known and said:
its judgments number the queries by their place in the file, not by .I, and its codes run from 1 (a
complete answer) to 4 (of minimum interest), with 5 and -1 for no interest: grades 4 to 1, and 0.
Salton 1971, "The SMART Retrieval System"; Cleverdon 1967 for the codes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from data.files.collection import Fields, Judgment, Read, collection
from data.files.collection_layouts import check_layout
from data.files.lines import OldFiles
from data.tables import SearchCollection

_NAMES = {
    "T": "title", "W": "text", "A": "author", "B": "source", "K": "keywords", "C": "categories",
    "N": "note", "X": "references",
}  # fmt: skip
_MARK = re.compile(r"\.([A-Z])\s*(.*)")
_CODES = {1: 4, 2: 3, 3: 2, 4: 1, 5: 0, -1: 0, 0: 0}  # Cranfield's codes -> grades


def search_from_smart(
    folder: str | Path, fields: Fields | None = None, *, encoding: str = "auto"
) -> SearchCollection:
    """Read a collection in SMART's format; which file is which is told by name and content."""
    root = check_layout(Path(folder), "smart")
    documents, queries, judged = _files(root)
    read = Read(paths=[documents, queries, judged], old=OldFiles(encoding))
    read.documents = [
        (documents, row, {"_id": _id(name), **found})
        for name, row, found in _records(documents, read)
    ]
    found = _records(queries, read)
    read.queries = [
        (queries, row, _id(name), each.get("text") or each.get("title", ""))
        for name, row, each in found
    ]
    read.judgments = _judgments(judged, read)
    _number_queries(read)
    return collection(read, fields or Fields())


def _files(root: Path) -> tuple[Path, Path, Path]:
    """Tell documents, queries and judgments apart; raises where one is missing or doubtful."""
    files = sorted(path for path in root.iterdir() if path.is_file() and path.name[0] != ".")
    smart = [path for path in files if _is_smart(path)]
    judged = [path for path in files if path not in smart and re.search(r"rel", path.name, re.I)]
    judged = [path for path in judged if path.suffix.lower() != ".old"] or judged
    asked = [path for path in smart if re.search(r"q(ue)?r(y|ies)|\.que", path.name, re.I)]
    texts = [path for path in smart if path not in asked]
    for what, found, names in (
        ("documents", texts, "cran.all or MED.ALL"),
        ("queries", asked, "cran.qry or MED.QRY"),
        ("judgments", judged, "cranqrel or MED.REL"),
    ):
        if len(found) != 1:
            several = f"several files of {what}" if found else f"no file of {what}"
            listed = f" ({', '.join(path.name for path in found)})" if found else ""
            raise ValueError(f"{root}: {several}{listed}. Keep one, named like {names}.")
    return texts[0], asked[0], judged[0]


def _is_smart(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(20).lstrip(b"\xef\xbb\xbf \r\n").startswith(b".I")


def _records(path: Path, read: Read) -> list[tuple[str, int, dict[str, Any]]]:
    """Return id, row and fields of each record; a mark that is unknown is text."""
    records: list[tuple[str, int, dict[str, Any]]] = []
    name = ""
    for row, line in read.old.lines(path):
        mark = _MARK.fullmatch(line.rstrip())
        if mark and mark[1] == "I":
            if not mark[2].strip():
                read.faults.add(path, row, "'.I' without a number. Add it.")
            records.append((mark[2].strip(), row, {}))
            name = ""
        elif mark and mark[1] in _NAMES and not mark[2]:
            name = _NAMES[mark[1]]
        elif records and name:
            found = records[-1][2]
            found[name] = f"{found.get(name, '')} {line.strip()}".strip()
        elif line.strip():
            read.faults.add(path, row, f"{line[:60]!r} stands before any .I and .W. Correct it.")
    return records


def _judgments(path: Path, read: Read) -> list[Judgment]:
    """Read the judgments in whichever of the three forms all rows have."""
    rows = [(row, line.split()) for row, line in read.old.lines(path) if line.strip()]
    width = max((len(values) for _, values in rows), default=0)
    for row, values in rows:
        if len(values) < min(width, 3) or not all(re.fullmatch(r"-?[\d.]+", v) for v in values):
            read.faults.add(
                path,
                row,
                f"{' '.join(values)[:60]!r} is not query, document and grade. Correct it.",
            )
    read.faults.check()
    if width >= 4 and all(float(values[1]) == 0 for _, values in rows):  # TREC's
        found = [(row, v[0], v[2], int(float(v[3]))) for row, v in rows]
    elif width == 3:
        found = _graded(rows, read)
    else:
        found = [(row, v[0], v[1], 1) for row, v in rows]
    return [Judgment(path, row, _id(q), _id(d), grade, "") for row, q, d, grade in found]


def _graded(rows: list[tuple[int, list[str]]], read: Read) -> list[tuple[int, str, str, int]]:
    """Read `query document code`; several codes from -1 to 5 are Cranfield's, 1 the best."""
    codes = {int(float(values[2])) for _, values in rows}
    if len(codes - {0, -1}) > 1 and codes <= set(_CODES):
        read.said.append(
            "Codes of judgments are on Cranfield's scale: 1 (complete answer) to 4 (minimum "
            "interest) are grades 4 to 1; 5 and -1 are not relevant."
        )
        return [(row, v[0], v[1], _CODES[int(float(v[2]))]) for row, v in rows]
    return [(row, v[0], v[1], int(float(v[2]))) for row, v in rows]


def _number_queries(read: Read) -> None:
    """Number the queries by their place, where the judgments do so and not by .I."""
    judged = {each.query_id for each in read.judgments}
    places = {str(place) for place in range(1, len(read.queries) + 1)}
    if judged <= {name for _, _, name, _ in read.queries} or not judged <= places:
        return
    read.queries = [
        (path, row, str(place), text)
        for place, (path, row, _, text) in enumerate(read.queries, start=1)
    ]
    read.said.append(
        f"The judgments number the {len(read.queries):,} queries by their place in the file, not "
        "by .I, as Cranfield's do."
    )


def _id(text: str) -> str:
    """Return an id without leading zeros."""
    return text.lstrip("0") or text
