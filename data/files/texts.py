"""Labelled texts out of a user's files: the parts they bring, or a test part drawn by a seed.

`text_layouts` reads each file; here is which file is which part, and what parts must share: a label
of the test or the validation part that the training part lacks cannot be learned, and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from data.files.columns import file_source
from data.files.drawn import stratified_test_rows
from data.files.faults import flag
from data.files.text_layouts import READERS, Labelled, Wanted
from data.tables import TextClassification

PARTS = {
    "train": ("train", "training"),
    "valid": ("valid", "val", "validation", "dev", "development"),
    "test": ("test", "testing"),
}
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
    seed: int = 0,
) -> TextClassification:
    """Read labelled texts; labels are numbered in alphabetical order.

    `path` is the training part, or everything: a folder with parts named train, valid and test, or
    a table with a column `wanted.split`. Without a test part, `test_share` of each class is drawn
    by `seed`.
    """
    wanted = wanted or Wanted()
    files = _part_files(layout, path) | {
        name: given for name, given in (("valid", valid), ("test", test)) if given is not None
    }
    parts: dict[str, Labelled] = {}
    for name, file in files.items():
        parts[name] = READERS[layout](file, wanted, parts.get("train"))
    said = [note for part in parts.values() for note in part.said]
    if wanted.split:
        parts = _divided(parts, wanted.split)
    names = _label_names(parts["train"], wanted)
    for name in ("valid", "test"):
        if name in parts:
            _check_known(parts[name], parts["train"], names)
    said += _alike(names)
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
    if layout == "folder":
        inside = [each for each in inside if each.is_dir()]
    else:
        inside = [e for e in inside if e.is_file() and _suffix(e) in _SUFFIXES[layout]]
    found: dict[str, list[Path]] = {name: [] for name in PARTS}
    for each in inside:
        words = re.split(r"[^a-z]+", each.name.lower())
        named = [name for name, aliases in PARTS.items() if set(words) & set(aliases)]
        if len(named) == 1:
            found[named[0]].append(each)
    for name, several in found.items():
        if len(several) > 1:
            listed = ", ".join(each.name for each in several[:_MOST])
            raise ValueError(
                f"{path}: {len(several)} {name} parts: {listed}. Name one by {flag(name)}."
            )
    if found["train"]:
        return {name: several[0] for name, several in found.items() if several}
    if layout != "folder":
        raise ValueError(
            f"{path}: a folder without a file of training texts (train{_SUFFIXES[layout][0]}). Name"
            f" the file by {flag('path')}; for a folder of texts a label give --dataset folder."
        )
    return {"train": path}


def _suffix(file: Path) -> str:
    """Return the suffix of a file, below that of a compression."""
    packed = file.suffix.lower() in (".gz", ".bz2", ".xz")
    return (Path(file.stem) if packed else file).suffix.lower()


def _divided(parts: Mapping[str, Labelled], column: str) -> dict[str, Labelled]:
    """Divide the one table by its column of parts."""
    if len(parts) > 1:
        raise ValueError(
            f"split: column {column!r} was given, and files of parts too; leave out {flag('split')}"
            f" or {flag('valid')} and {flag('test')}"
        )
    table = parts["train"]
    known = {alias: name for name, aliases in PARTS.items() for alias in aliases}
    frame = table.frame.with_columns(pl.col("split").str.to_lowercase())
    unknown = frame.filter(~pl.col("split").is_in(list(known)))
    if unknown.height:
        values = unknown["split"].unique(maintain_order=True).to_list()
        raise ValueError(
            f"{table.path}, {unknown['place'][0]}: column {column!r} holds"
            f" {', '.join(map(repr, values[:_MOST]))}, which name no part. Use train, valid and"
            f" test, or name another column by {flag('split')}."
        )
    frame = frame.with_columns(pl.col("split").replace_strict(known, return_dtype=pl.String))
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
        " Add training texts of them, or remove these."
    )


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
