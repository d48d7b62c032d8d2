"""Labelled texts out of a user's files: the parts they bring, or a test part drawn by a seed.

`text_layouts` reads each file; here is which file is which part, and what parts must share: a label
of the test or the validation part that the training part lacks cannot be learned, and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import polars as pl

from data.files.columns import file_source
from data.files.drawn import stratified_test_rows
from data.files.faults import flag
from data.files.folders import folders
from data.files.headers import listed
from data.files.part_names import PART_OF, PARTS, part_named
from data.files.text_layouts import READERS, Labelled, Wanted
from data.files.wrong_doors import refuse_lines_apart
from data.tables import TextClassification

_SUFFIXES = {
    "csv": (".csv", ".tsv", ".tab", ".txt"),
    "jsonl": (".jsonl", ".ndjson", ".json"),
    "fasttext": (".txt", ".ft", ".fasttext", ""),
}
_MOST = 10


def texts_from_files(
    layout: str,
    path: Path,
    *,
    valid: Path | None = None,
    test: Path | None = None,
    wanted: Wanted | None = None,
    test_share: float = 0.2,
    unknown: Literal["refuse", "leave-out"] = "refuse",
    seed: int = 0,
) -> TextClassification:
    """Read labelled texts; labels are numbered in alphabetical order.

    Labels of the test or validation part that training lacks are `unknown`.

    `path` is the training part, or everything: a folder with parts named train, valid and test, or
    a table with a column `wanted.split`. Without a test part, `test_share` of each class is drawn
    by `seed`.
    """
    wanted = wanted or Wanted()
    files = _part_files(layout, path) | {
        name: given for name, given in (("valid", valid), ("test", test)) if given is not None
    }
    if wanted.split is None and len(files) == 1:
        wanted = replace(wanted, find_split=True)
    parts: dict[str, Labelled] = {}
    for name, file in files.items():
        parts[name] = READERS[layout](file, wanted, parts.get("train"))
    said = [note for part in parts.values() for note in part.said]
    if any("split" in part.frame for part in parts.values()):
        parts = _divided(parts, wanted.split)
    names = _label_names(parts["train"], wanted)
    for name in [each for each in ("valid", "test") if each in parts]:
        if unknown == "leave-out":
            parts[name], left = _known(parts[name], names)
            said += left
        _check_known(parts[name], parts["train"], names)
    said += _alike(names) + _joined(names)
    if "test" not in parts:
        parts |= _drawn_test(parts["train"], test_share, seed)
        if test_share:
            said.append(
                f"No test part was given: {test_share:.0%} of each label were drawn for it."
            )
    return _table(list(files.values()), parts, names, said)


def _part_files(layout: str, path: Path) -> dict[str, Path]:
    """Return the file or folder of each part; "train" is all there is if no part is named."""
    if not path.is_dir():
        return {"train": path}
    inside = [each for each in sorted(path.iterdir()) if not each.name.startswith(".")]
    alone = len(inside) == 1 and inside[0].is_dir()
    if alone and (layout != "folder" or folders(inside[0])):  # else it is a label's
        return _part_files(layout, inside[0])
    visible = inside
    if layout == "folder":
        inside = [each for each in inside if each.is_dir()]
    else:
        inside = [e for e in inside if e.is_file() and _suffix(e) in _SUFFIXES[layout]]
    found: dict[str, list[Path]] = {name: [] for name in PARTS}
    for each in inside:
        if part := part_named(each.name):
            found[part].append(each)
    if layout != "folder":
        refuse_lines_apart(path)
    for name, several in found.items():
        if len(several) > 1:
            names = ", ".join(each.name for each in several[:_MOST])
            raise ValueError(
                f"{path}: {len(several)} {name} parts: {names}. Name one by {flag(name)}."
            )
    if found["train"]:
        return {name: several[0] for name, several in found.items() if several}
    if layout != "folder":
        files = listed([each.name for each in visible])
        raise ValueError(
            f"{path}: a folder without a file of training texts (train{_SUFFIXES[layout][0]}); it"
            f" holds {files}. Name the file by {flag('train')} and that of the test by"
            f" {flag('test')}; for a folder of texts a label give --dataset folder."
        )
    return {"train": path}


def _suffix(file: Path) -> str:
    """Return the suffix of a file, below that of a compression."""
    packed = file.suffix.lower() in (".gz", ".bz2", ".xz")
    return (Path(file.stem) if packed else file).suffix.lower()


def _divided(parts: Mapping[str, Labelled], column: str | None) -> dict[str, Labelled]:
    """Divide the one table by its column of parts; without one its file has parts of its own."""
    table = parts["train"]
    if len(parts) > 1:
        if column is None:
            raise ValueError(
                f"{table.path}: it has parts of its own, and files of parts were given too. Leave"
                f" out {flag('valid')} and {flag('test')}."
            )
        raise ValueError(
            f"split: column {column!r} was given, and files of parts too; leave out {flag('split')}"
            f" or {flag('valid')} and {flag('test')}"
        )
    frame = table.frame.with_columns(pl.col("split").str.to_lowercase())
    unknown = frame.filter(~pl.col("split").is_in(list(PART_OF)))
    if unknown.height:
        values = unknown["split"].unique(maintain_order=True).to_list()
        raise ValueError(
            f"{table.path}, {unknown['place'][0]}: column {column!r} holds"
            f" {listed(values[:_MOST])}, which name no part. Use train, valid and"
            f" test, or name another column by {flag('split')}."
        )
    frame = frame.with_columns(pl.col("split").replace_strict(PART_OF, return_dtype=pl.String))
    found = {name: frame.filter(pl.col("split") == name) for name in PARTS}
    if not found["train"].height:
        raise ValueError(f"{table.path}: column {column!r} names no row of train.")
    return {n: Labelled(table.path, part) for n, part in found.items() if part.height}


def _label_names(train: Labelled, wanted: Wanted) -> tuple[str, ...]:
    """Return the labels in order, or raise where they are one or far too many."""
    names = tuple(sorted(train.frame["label"].unique().to_list()))
    if len(names) < 2:
        raise ValueError(
            f"{train.path}: all {train.frame.height:,} training texts have the label"
            f" {names[0]!r}; two labels are needed. Add texts of another, or name another column by"
            f" {flag('label')}."
        )
    if len(names) > max(20, train.frame.height / 2):
        raise ValueError(
            f"{train.path}: {len(names):,} different labels in {train.frame.height:,} texts, such"
            f" as {names[0][:60]!r}; name the column of the labels by {flag('label')}"
            f" (now {wanted.label})."
        )
    return names


def _check_known(part: Labelled, train: Labelled, names: tuple[str, ...]) -> None:
    """Raise for all labels of a part that the training part lacks."""
    unknown = part.frame.filter(~pl.col("label").is_in(list(names)))
    if not unknown.height:
        return
    groups = unknown.group_by("label", maintain_order=True).agg(pl.len(), pl.first("place"))
    listed = [
        f"{label!r} ({place}{f' and {count - 1:,} more' if count > 1 else ''})"
        for label, count, place in groups.head(_MOST).iter_rows()
    ]
    more = f" and {groups.height - _MOST:,} other labels" if groups.height > _MOST else ""
    raise ValueError(
        f"{part.path}: labels that no training text of {train.path} has: {', '.join(listed)}{more}."
        " Add training texts of them, or leave these out by --split.rare leave-out."
    )


def _known(part: Labelled, names: tuple[str, ...]) -> tuple[Labelled, list[str]]:
    """Leave out the labels that training lacks, and say which; if none stays, nothing is."""
    known = part.frame["label"].is_in(list(names))
    left = part.frame.filter(~known)
    if not left.height or not known.any():
        return part, []
    labels = listed(sorted(left["label"].unique().to_list()))
    said = f"{left.height:,} texts of {part.path.name} have labels that training lacks ({labels})"
    return replace(part, frame=part.frame.filter(known)), [f"{said}: left out."]


def _joined(names: tuple[str, ...]) -> list[str]:
    """Say that a label such as "3,27" is one label, where 3 or 27 is a label too."""
    parts = {name: re.split(r"\s*[,;|]\s*", name) for name in names}
    joined = [name for name, each in parts.items() if len(each) > 1 and set(each) & set(names)]
    if not joined:
        return []
    return [
        f"{len(joined):,} labels join others, such as {joined[0]!r}: a text has one label here, so"
        " each of these is a label of its own."
    ]


def _alike(names: tuple[str, ...]) -> list[str]:
    """Say which labels differ in case and spaces alone."""
    plain: dict[str, list[str]] = {}
    for name in names:
        plain.setdefault(" ".join(name.casefold().split()), []).append(name)
    return [
        f"Labels {' and '.join(map(repr, several))} are taken for different ones."
        for several in plain.values()
        if len(several) > 1
    ]


def _drawn_test(train: Labelled, share: float, seed: int) -> dict[str, Labelled]:
    labels = train.frame["label"].to_numpy()
    in_test = pl.Series(stratified_test_rows(labels, test_share=share, seed=seed))
    return {
        "train": Labelled(train.path, train.frame.filter(~in_test)),
        "test": Labelled(train.path, train.frame.filter(in_test)),
    }


def _table(
    files: list[Path], parts: Mapping[str, Labelled], names: tuple[str, ...], said: list[str]
) -> TextClassification:
    numbers = {name: number for number, name in enumerate(names)}
    label = pl.col("label").replace_strict(numbers, return_dtype=pl.Int32)
    frames = {name: part.frame.select("text", label) for name, part in parts.items()}
    train, valid, test = frames["train"], frames.get("valid"), frames["test"]
    counts = [f"{train.height:,} train texts", f"{test.height:,} test texts"]
    if valid is not None:
        counts.insert(1, f"{valid.height:,} validation texts")
    rows = f"{', '.join(counts)}, {len(names)} classes"
    source = file_source(files, rows=rows, notice=" ".join(dict.fromkeys(said)) or None)
    return TextClassification(source, train, test, names, valid)
