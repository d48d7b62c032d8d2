"""Labelled texts that were brought to a door of another layout: the one to take is named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from data.files.faults import flag
from data.files.headers import listed
from data.files.part_names import part_named

LABEL = "__label__"  # how fastText begins a label
_TEXTS_ALONE = re.compile(
    r"(^|[._-])(texts?|sentences?|seq\.in|inputs?|utterances?)([._-]|$)", re.I
)
_LABELS_ALONE = re.compile(r"(^|[._-])(labels?|targets?|intents?)([._-]|$)", re.I)


def other_door(folder: Path) -> str:
    """Return a sentence on the door for the files that lie in a folder; empty if none is known."""
    doors = {".csv": "csv", ".tsv": "csv", ".json": "jsonl", ".jsonl": "jsonl"}
    files = [each for each in sorted(folder.iterdir()) if each.suffix.lower() in doors]
    return f"For {files[0].name} give --dataset {doors[files[0].suffix.lower()]}. " if files else ""


def refuse_files_of_parts(folder: Path, files: Sequence[Path]) -> None:
    """Refuse files that would be labels, but are named after parts."""
    parts = [file.name for file in files if part_named(file.stem)]
    if parts:
        raise ValueError(
            f"{folder}: {listed(parts)} are named after parts of a split, not after labels. Give"
            " --dataset csv, jsonl or fasttext for files of texts and labels."
        )


def refuse_lines_apart(folder: Path) -> None:
    """Name the way out where texts lie in one file and their labels in another, line by line."""
    names = sorted(each.name for each in folder.iterdir() if each.is_file())
    pairs = [
        (text, label)
        for text in names
        for label in names
        if _TEXTS_ALONE.search(text)
        and _LABELS_ALONE.search(label)
        and part_named(text) == part_named(label)
        and not _LABELS_ALONE.search(text)
    ]
    pairs.sort(key=lambda pair: part_named(pair[0]) != "train")
    for text, label in pairs[:1]:
        raise ValueError(
            f"{folder}: the labels of {text} lie in {label}, line by line. Put both in one file, as"
            f" `paste {label} {text} > train.tsv` does, and give --dataset csv {flag('train')}"
            f" train.tsv {flag('columns')} label text"
        )


def refuse_labels_before_texts(path: Path) -> None:
    """Name the flags for rows of a label and a text with a space between, as TREC's questions."""
    start = path.open("rb").read(65_536) if path.is_file() else b""
    lines = start.decode("utf-8", "replace").split("\n")[:-1]
    words = [line.split(maxsplit=1) for line in lines if line.strip()]
    labels = {each[0] for each in words}
    if len(words) < 10 or len(labels) > max(2, len(words) / 10) or "\t" in lines[0]:
        return
    if all(len(each) == 2 for each in words) and not any(re.search(r"[,;\"]", e) for e in labels):
        raise ValueError(
            f"{path}: rows of a label and a text with a space between, such as {lines[0][:50]!r}."
            f" Give {flag('delimiter')} space {flag('columns')} label text"
        )


def refuse_other_layouts(path: Path) -> None:
    """Name the layout where a file is no table."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        start = file.read(200).removeprefix(b"\xef\xbb\xbf").lstrip()
    if re.match(rb'(\[\s*[\[{]|\{\s*"|\{\s*$)', start):
        raise ValueError(f"{path}: JSON, not a table. Give --dataset jsonl.")
    if start.startswith(LABEL.encode()):
        raise ValueError(f"{path}: lines of fastText, not a table. Give --dataset fasttext.")
