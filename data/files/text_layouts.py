"""The layouts in which labelled texts lie on a disk, each read into the same frame.

    csv        a table with columns of text and label
    jsonl      one JSON object a line, or one file of them (see `json_texts`)
    fasttext   `__label__spam free entry now`, one text a line
    folder     a folder a label, one file a text (`pos/0_9.txt`); or a file a label, one text a line

`READERS` has one function for each; `texts` makes parts of what they read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl

from common.own_files import TableOptions
from data.files.columns import Columns
from data.files.decoding import read_bytes, to_utf8
from data.files.faults import Faults, flag
from data.files.headers import listed
from data.files.json_texts import PART, JsonTexts
from data.files.part_names import PART_OF
from data.files.reader import TextTable, read_table
from data.files.wrong_doors import (
    LABEL,
    other_door,
    refuse_files_of_parts,
    refuse_labels_before_texts,
    refuse_lines_apart,
    refuse_other_layouts,
)

UNLABELLED = ("unsup", "unlabeled", "unlabelled")  # folders of texts without a label
_TEXT_SUFFIXES = ("", ".txt", ".text")


@dataclass(frozen=True)
class Wanted:
    """What is read of each file, by the names that the user's files have for it."""

    text: tuple[str, ...] = ("text",)
    """Columns that are joined to the text."""
    label: str = "label"
    split: str | None = None
    find_split: bool = False
    """Whether a column whose values name parts, train among them, is taken for `split`."""
    options: TableOptions = field(default_factory=TableOptions)

    def names(self, columns: Sequence[str]) -> dict[str, str]:
        """Return the column of each argument; `a,b` names two columns unless one is called so."""
        text = [
            name.strip()
            for given in self.text
            for name in ([given] if given in columns else given.split(","))
        ]
        names = {"text" if not place else f"text {place + 1}": n for place, n in enumerate(text)}
        return names | {"label": self.label} | ({"split": self.split} if self.split else {})


@dataclass(frozen=True)
class Labelled:
    """The labelled texts of one file or folder."""

    path: Path
    frame: pl.DataFrame
    """text, label, place (the row, or the file of a folder), and split where it was asked for."""
    columns: tuple[str, ...] = ()
    """Names of all columns of a table, in their order."""
    said: tuple[str, ...] = ()


def read_csv(path: Path, wanted: Wanted, first: Labelled | None = None) -> Labelled:
    """Read a table; `first` is the training table, whose names count by place where they differ."""
    if not wanted.options.columns:
        refuse_other_layouts(path)
    try:
        table = read_table(path, wanted.options, wanted=wanted.names(()))
        return _of_table(table, wanted, first)
    except ValueError:
        if wanted.options.delimiter == "auto":
            refuse_labels_before_texts(path)
        raise


def read_jsonl(path: Path, wanted: Wanted, first: Labelled | None = None) -> Labelled:
    """Read the objects of a JSON file, in any of the forms of `json_texts`."""
    data, said = to_utf8(path, read_bytes(path, table=False), wanted.options.encoding)
    texts = JsonTexts(path, text=wanted.text[0], label=wanted.label)
    texts.read(data.decode("utf-8", "surrogatepass"))
    if texts.has_parts and wanted.split:
        raise ValueError(f"split: {path.name} has parts of its own; leave out {flag('split')}")
    if texts.has_parts:
        wanted = replace(wanted, split=PART)
    names = wanted.names([name for each in texts.objects for name in each])
    frame = texts.frame(list(names.values()))
    table = _with_names(path, frame, np.array(texts.rows), said)
    return _of_table(replace(table, said=(*table.said, *texts.said)), wanted, first)


def read_fasttext(path: Path, wanted: Wanted, first: Labelled | None = None) -> Labelled:
    """Read lines that begin with `__label__` and the label; a line of several labels is refused."""
    data, said = to_utf8(path, read_bytes(path, table=False), wanted.options.encoding)
    faults, found = Faults(path), list[tuple[str, str, int]]()
    for row, line in enumerate(data.decode("utf-8", "surrogatepass").split("\n"), start=1):
        words = line.split()
        labels = [word for word in words if word.startswith(LABEL)]
        if len(labels) == 1 and words[0] == labels[0]:
            text = line.strip()[len(labels[0]) :].lstrip(" \t,")
            found.append((text, labels[0].removeprefix(LABEL), row))
        elif words:
            what = "no label" if not labels else f"{len(labels)} labels"
            faults.add(row, f"{what}; a line begins with one {LABEL}…. Correct or remove it.")
    if not found:
        raise ValueError(
            f"{path}: no line begins with one {LABEL}…. For a table give --dataset csv."
        )
    faults.check()
    frame = pl.DataFrame(found, schema=["text", "label", "row"], orient="row")
    rows = frame.drop_in_place("row").to_numpy()
    table = _with_names(path, frame, rows, said)
    return _of_table(table, Wanted(options=wanted.options), first)


def read_folder(path: Path, wanted: Wanted, first: Labelled | None = None) -> Labelled:
    """Read a folder a label with a file a text, or a file a label with a text a line."""
    if path.is_file():
        raise ValueError(f"{path}: a file, not a folder. Give --dataset csv, jsonl or fasttext.")
    if not path.is_dir():
        raise ValueError(f"{path}: no such folder. Name an existing one by {flag('path')}.")
    classes = sorted(each for each in path.iterdir() if each.is_dir() and each.name[0] != ".")
    left_out = [each.name for each in classes if each.name.lower() in UNLABELLED]
    files = [
        (file, folder.name)
        for folder in classes
        if folder.name not in left_out
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    ]
    reader = _Folder(path, wanted.options)
    for file, label in files:
        reader.add_text(file, label)
    named = [] if files else _class_files(path)
    if not files:
        refuse_lines_apart(path)
        refuse_files_of_parts(path, [file for file, _ in named])
    for file, label in named:
        reader.add_lines(file, label)
    said = [f"{path / name} holds texts without a label; they are left out." for name in left_out]
    return reader.labelled(said)


READERS: Mapping[str, Callable[[Path, Wanted, Labelled | None], Labelled]] = {
    "csv": read_csv,
    "jsonl": read_jsonl,
    "fasttext": read_fasttext,
    "folder": read_folder,
}


class _Folder:
    """Collects the texts of a folder, and everything that is wrong with its files."""

    def __init__(self, path: Path, options: TableOptions) -> None:
        self.path, self.options = path, options
        self.faults = Faults(path)
        self.rows: list[tuple[str, str, str]] = []
        self.foreign: list[str] = []  # notes on files that are not UTF-8
        self.others: list[str] = []
        self.blank = 0  # files without text that are skipped

    def add_text(self, file: Path, label: str) -> None:
        """Take a file as one text."""
        suffix = file.suffix.lower()
        if suffix not in _TEXT_SUFFIXES and not suffix[1:].isdigit():
            self.others.append(file.name)
            return
        text, place = self._read(file), str(file.relative_to(self.path))
        if text is not None and not text.strip():
            self._blank(place)
        elif text is not None:
            self.rows.append((text.strip(), label, place))

    def add_lines(self, file: Path, label: str) -> None:
        """Take each line of a file as a text."""
        for row, line in enumerate((self._read(file) or "").split("\n"), start=1):
            if line.strip():
                self.rows.append((line.strip(), label, f"{file.name}, row {row}"))

    def labelled(self, said: list[str]) -> Labelled:
        """Return what was collected, or raise for all that is wrong."""
        self.faults.check()
        if not self.rows:
            raise ValueError(
                f"{self.path}: neither folders of text files, one folder a label, nor a .txt file a"
                f" label. {other_door(self.path)}Name the folder that holds them by {flag('path')}."
            )
        if self.others:
            count, one = len(self.others), self.others[0]
            said.append(f"{count:,} files that are no texts are not read, such as {one}.")
        if self.blank:
            said.append(f"{self.blank:,} files without text were skipped.")
        if self.foreign:
            said.append(f"{len(self.foreign):,} files are not UTF-8. {self.foreign[0]}")
        schema = dict.fromkeys(("text", "label", "place"), pl.String)
        frame = pl.DataFrame(self.rows, schema=schema, orient="row")
        return Labelled(self.path, frame, said=tuple(said))

    def _blank(self, place: str) -> None:
        if self.options.incomplete == "skip":
            self.blank += 1
            return
        skip = f"skip such files by {flag('incomplete')} skip"
        self.faults.add(None, f"{place} holds no text. Fill it in, remove it, or {skip}.")

    def _read(self, file: Path) -> str | None:
        try:
            data, said = to_utf8(file, read_bytes(file, table=False), self.options.encoding)
        except ValueError as problem:
            self.faults.add(None, str(problem))
            return None
        self.foreign += [said] if said else []
        return data.decode("utf-8", "surrogatepass")


def _class_files(path: Path) -> list[tuple[Path, str]]:
    """Find files named after labels: `pos.txt` and `neg.txt`, or `films.pos` and `films.neg`."""
    files = sorted(each for each in path.iterdir() if each.is_file() and each.name[0] != ".")
    named = [file for file in files if file.suffix.lower() == ".txt" and not _is_about(file)]
    if len(named) > 1:
        return [(file, file.stem) for file in named]
    stems = {file.stem for file in files if not _is_about(file)}
    for stem in sorted(stems):
        same = [file for file in files if file.stem == stem and file.suffix]
        if len(same) > 1:
            return [(file, file.suffix[1:]) for file in same]
    return []


def _is_about(file: Path) -> bool:
    """Whether a file is about the data: a readme, a licence, a list of labels."""
    return (
        re.match(r"(readme|licen[cs]e|classes|labels|notice)", file.stem, re.IGNORECASE) is not None
    )


def _with_names(path: Path, frame: pl.DataFrame, rows: np.ndarray, said: str | None) -> TextTable:
    """Return a table whose columns have their names from the layout."""
    notes = (said,) if said else ()
    return TextTable(path, frame, rows, False, {}, "columns", notes)


def _of_table(table: TextTable, wanted: Wanted, first: Labelled | None) -> Labelled:
    """Take texts and labels out of a table; an empty one is a fault."""
    columns = tuple(table.frame.columns)
    names, renamed = _by_place(table, wanted.names(columns), first)
    if first is not None and names["label"] not in columns and names["text"] in columns:
        raise ValueError(
            f"{table.path}: no column {names['label']!r}, so its texts cannot be judged; it has"
            f" {listed(list(columns))}. Leave it out: name the files with labels by"
            f" {flag('train')}, {flag('valid')} and {flag('test')}."
        )
    text = [argument for argument in names if argument.startswith("text")]
    if names["label"] in [names[argument] for argument in text]:
        raise ValueError(
            f"label: {names['label']!r} is the text too; name the column of the labels by"
            f" {flag('label')}"
        )
    if wanted.find_split and (column := _column_of_parts(table.frame, names)):
        names = names | {"split": column}
        renamed = [*renamed, f"Column {column!r} of {table.path.name} says which part a text is."]
    read = Columns(table, names, without_flag=text[1:])
    if wanted.options.incomplete == "skip":
        read.skip_incomplete([each for each in names if each not in text or len(text) == 1])
    if len(text) == 1:
        joined = read.filled("text")
    else:
        parts = pl.DataFrame({argument: read.texts[argument] for argument in text})
        joined = parts.select(
            pl.concat_list(pl.all())
            .list.eval(pl.element().filter(pl.element() != ""))
            .list.join(" ")
        ).to_series()
        read.fault("text", joined == "", "and the other columns of the text are empty too")
    frame = pl.DataFrame({"text": joined, "label": read.filled("label")})
    if "split" in names:
        frame = frame.with_columns(split=read.filled("split"))
    read.check()
    places = pl.Series([f"row {row}" for row in read.table.rows], dtype=pl.String)
    return Labelled(
        table.path, frame.with_columns(place=places), columns, (*read.notes(), *renamed)
    )


def _column_of_parts(frame: pl.DataFrame, names: Mapping[str, str]) -> str | None:
    """Return the first further column that holds names of parts alone, two or more with train."""
    for name in [each for each in frame.columns if each not in names.values()]:
        values = frame[name].str.strip_chars().str.to_lowercase().unique().to_list()
        parts = {PART_OF.get(value, "") for value in values}
        if "" not in parts and "train" in parts and len(parts) > 1:
            return name
    return None


def _by_place(
    table: TextTable, names: dict[str, str], first: Labelled | None
) -> tuple[dict[str, str], list[str]]:
    """Find columns that the training table has under another name, by their place, and say so."""
    columns = table.frame.columns
    if first is None or len(first.columns) != len(columns):
        return names, []
    said = []
    for argument, name in names.items():
        if name in columns or name not in first.columns:
            continue
        here = columns[first.columns.index(name)]
        if here not in names.values():
            names = names | {argument: here}
            said.append(f"{table.path.name} calls column {name!r} of {first.path.name} {here!r}.")
    return names, said
