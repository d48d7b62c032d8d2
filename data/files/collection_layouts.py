"""Which layout a folder with a search collection has, so that a wrong door names the right one."""

from __future__ import annotations

import re
from pathlib import Path

from data.files.folders import checked_folder, folders

NAMES = {
    "beir": "BEIR's (corpus.jsonl, queries.jsonl, qrels)",
    "trec": "TREC's (documents, topics, qrels)",
    "smart": "SMART's (.I, .T, .W)",
}


def check_layout(folder: Path, expected: str) -> Path:
    """Return the folder; one whose files are of another layout than `expected` raises."""
    if folder.is_file():
        raise ValueError(f"{folder}: a file. Name the folder that it lies in.")
    root = checked_folder(folder)
    found = layout_of(root)
    if found and found != expected:
        raise ValueError(
            f"{root}: the files are laid out as {NAMES[found]}. Give --dataset {found}."
        )
    inner = [root / name for name in folders(root)] if expected != "trec" and not found else []
    for folder in inner:
        if layout_of(folder) == expected:
            raise ValueError(
                f"{root}: the collection lies in {folder.name}. Give --data.path {folder}."
            )
    return root


def layout_of(root: Path) -> str | None:
    """Tell the layout by names and first lines of the files; None if it is none of the known."""
    files = sorted(path for path in root.iterdir() if path.is_file())
    names = {path.name.removesuffix(".gz") for path in files}
    if {"corpus.jsonl", "queries.jsonl"} <= names and (
        "qrels.tsv" in names or any(root.glob("qrels/*.tsv*"))
    ):
        return "beir"
    if any(_starts(path).startswith(b".I ") for path in files):
        return "smart"
    marks = (b"<top>", b"<topic", b"<doc>")
    if any(mark in _starts(path).lower() for path in files for mark in marks):
        return "trec"
    asked = any(re.match(r"(quer|topic)[^/]*(?<!\.jsonl)$", name, re.I) for name in names)
    if asked and any(re.match(r"qrel", name, re.I) for name in names):
        return "trec"
    return None


def _starts(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(400).lstrip(b"\xef\xbb\xbf \r\n\t")
