"""Parallel texts out of a user's files: line by line in two files, or in two columns of a table.

    train.en  train.de        line n of one is the translation of line n of the other
    train.tsv                 two columns, or more of which two are named after the languages

A part is a table, or a pair of files that differ in their last ending, the language; a folder may
hold several parts. Only a line feed ends a line: what else Unicode calls a line end may stand in a
sentence, and would put every line below it beside the wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from common.own_files import TableOptions
from data.files.columns import Columns, file_source
from data.files.decoding import read_bytes, to_utf8
from data.files.faults import flag
from data.files.headers import listed
from data.files.part_names import PARTS, held_out, part_named
from data.files.reader import TextTable, read_table
from data.tables import ParallelTexts

TABLES = (".csv", ".tsv", ".tab")
PACKED = (".gz", ".bz2", ".xz")
MOST_DRAWN = 2000  # pairs of a test part that is drawn
_SENTENCE = re.compile(r"[.!?…]$|\S+\s+\S+\s+\S+\s+\S")


@dataclass(frozen=True)
class _Files:
    """What one part is read from: a table, or a file for each language."""

    paths: tuple[Path, ...]


@dataclass(frozen=True)
class _Read:
    """One part that was read: a column for each language."""

    frame: pl.DataFrame
    said: tuple[str, ...]


def parallel_from_files(
    parts: Mapping[str, Path],
    *,
    files: tuple[Path, Path] | None = None,
    pair: tuple[str, str] | None = None,
    options: TableOptions | None = None,
    test_share: float = 0.1,
    seed: int = 0,
) -> ParallelTexts:
    """Read parallel texts; `pair` are the languages as columns or endings call them.

    `parts` has a table, a file of one language or the name before its ending under train, valid and
    test; a folder under train may hold all of them. `files` are source and target of the training
    part instead. Without a test part, `test_share` of the pairs are drawn for it by `seed`.
    """
    options = options or TableOptions()
    given, said = _given(parts, files, pair)
    read: dict[str, _Read] = {}
    for name, each in given.items():
        languages = pair or _languages_of(read)
        read[name] = _read(each, languages, options)
    train = read["train"]
    said += [note for part in read.values() for note in part.said]
    frames = {name: part.frame for name, part in read.items()}
    if "test" not in frames:
        frames["train"], frames["test"] = _drawn(train.frame, test_share, seed)
        said.append(f"No test part was given: {frames['test'].height:,} pairs were drawn for it.")
    paths = [path for each in given.values() for path in each.paths]
    languages = (train.frame.columns[0], train.frame.columns[1])
    counts = [f"{frames[name].height:,} {name} pairs" for name in PARTS if name in frames]
    rows = f"{', '.join(counts)}, in {' and '.join(languages)}"
    notice = " ".join(dict.fromkeys(said)) or None
    return ParallelTexts(
        file_source(paths, rows=rows, notice=notice),
        frames["train"], frames["test"], languages, frames.get("valid"),
    )  # fmt: skip


def _given(
    parts: Mapping[str, Path], files: tuple[Path, Path] | None, pair: tuple[str, str] | None
) -> tuple[dict[str, _Files], list[str]]:
    """Return the files of each part, and what must be said of the choice."""
    rest = {name: _named(path, pair) for name, path in parts.items() if name != "train"}
    if files is not None:
        return {"train": _Files(files), **rest}, []
    path = parts["train"]
    if not path.is_dir():
        return {"train": _named(path, pair), **rest}, []
    found = _in_folder(path, pair)
    said = [] if rest else held_out(found)
    return {**found, **rest}, said


def _in_folder(folder: Path, pair: tuple[str, str] | None) -> dict[str, _Files]:
    """Find the parts by the names of files, tables or pairs of files."""
    inside = [each for each in sorted(folder.iterdir()) if each.is_file() and each.name[0] != "."]
    tables = [each for each in inside if _ending(each) in TABLES]
    stems: dict[str, list[str]] = {name: [] for name in PARTS}
    places = [(each.name, each.name) for each in tables]
    if not tables:
        endings = pair or _two_endings(folder, inside)
        places = [
            (_stem(each), _stem(each)) for each in inside if _ending(each) == f".{endings[0]}"
        ]
    for place, name in places:
        if part := part_named(name):
            stems[part].append(place)
    for part, several in stems.items():
        if len(several) > 1:
            raise ValueError(
                f"{folder}: {len(several)} {part} parts: {', '.join(several)}. Name one by"
                f" {flag(part)} {folder / several[0]}."
            )
    if not stems["train"] and len(places) == 1:
        stems["train"] = [places[0][0]]
    if not stems["train"]:
        names = listed([each.name for each in inside])
        raise ValueError(
            f"{folder}: no training part (train.en and train.de for --pair en-de, or train.tsv); it"
            f" holds {names}. Name one by {flag('train')}, or two files by {flag('source')} and"
            f" {flag('target')}."
        )
    return {part: _named(folder / each[0], pair or None) for part, each in stems.items() if each}


def _two_endings(folder: Path, inside: list[Path]) -> tuple[str, str]:
    """Raise, naming the languages that the endings may be: only a person knows the source."""
    endings = sorted({_ending(each)[1:] for each in inside if len(_ending(each)) > 1})
    if len(endings) == 2:
        a, b = endings
        raise ValueError(f"pair: {folder} holds {a} and {b}; give --pair {a}-{b} or --pair {b}-{a}")
    raise ValueError(
        f"pair: {folder} holds {listed([each.name for each in inside])}; name the endings of the"
        " two languages, the source first, such as --pair en-de"
    )


def _named(path: Path, pair: tuple[str, str] | None) -> _Files:
    """Return the files that a path stands for: a table, one of a pair of files, or their stem."""
    if path.is_file() and _ending(path) in TABLES:
        return _Files((path,))
    if path.is_dir():
        raise ValueError(f"{path}: a folder. Name a file of it, or the name before its ending.")
    if pair is None and path.is_file():
        return _Files((path,))  # a table of another ending
    if pair is None:
        raise ValueError(
            f"{path}: no such file. Name a table, or give --pair en-de for {path.name}.en and"
            f" {path.name}.de."
        )
    endings = [f".{language}" for language in pair]
    packing = path.suffix if path.suffix in PACKED else ""
    stem = path.parent / _stem(path) if _ending(path) in endings else path
    for packed in dict.fromkeys(("", packing, *PACKED)):
        both = tuple(stem.with_name(stem.name + ending + packed) for ending in endings)
        if all(each.is_file() for each in both):
            return _Files(both)
    if path.is_file() and _ending(path) not in endings:
        return _Files((path,))
    raise ValueError(
        f"{path}: there are no {stem.name}{endings[0]} and {stem.name}{endings[1]} beside each"
        " other. Name a table of two columns, or other endings by --pair."
    )


def _read(files: _Files, languages: tuple[str, str] | None, options: TableOptions) -> _Read:
    """Read a part into a column for each language; an empty text is refused or skipped."""
    if len(files.paths) == 1:
        table = read_table(files.paths[0], options)
        names = _columns(table, languages)
    else:
        table = _lines(files.paths, options)
        names = (table.frame.columns[0], table.frame.columns[1])
        languages = languages or _from_endings(files.paths)
    table = _without_blank(table, names)
    read = Columns(
        table, {"source": names[0], "target": names[1]}, without_flag=("source", "target")
    )
    if options.incomplete == "skip":
        read.skip_incomplete(["source", "target"])
    columns = {argument: read.filled(argument) for argument in ("source", "target")}
    read.check()
    called = languages or names
    frame = pl.DataFrame({called[0]: columns["source"], called[1]: columns["target"]})
    return _Read(frame, tuple(read.notes()))


def _columns(table: TextTable, languages: tuple[str, str] | None) -> tuple[str, str]:
    """Return the columns of source and target."""
    has = table.frame.columns
    if table.headed and any(_SENTENCE.search(name) for name in has):
        names = " ".join(languages or ("en", "de"))
        raise ValueError(
            f"{table.path}: row 1 looks like data, not like a header: {listed(has)}. Name the"
            f" columns in their order, such as {flag('columns')} {names}"
        )
    if languages is not None and not set(languages) <= set(has):
        if len(has) == 2 and not set(languages) & set(has):
            return has[0], has[1]  # two columns under other names stand in the order of the pair
        missing = next(each for each in languages if each not in has)
        raise ValueError(
            f"{table.path}: no column {missing!r}; it has {listed(has)}. Name two of them, the"
            " source first, by --pair, such as --pair en-de"
        )
    if languages is None and len(has) != 2:
        raise ValueError(
            f"{table.path}: {len(has)} columns: {listed(has)}. Name two of them, the source first,"
            " by --pair, such as --pair en-de"
        )
    return languages or (has[0], has[1])


def _lines(paths: tuple[Path, ...], options: TableOptions) -> TextTable:
    """Put two files beside each other as a table, whose columns have the names of the files."""
    columns: dict[str, list[str]] = {}
    said: list[str] = []
    for path in paths:
        utf8, note = to_utf8(path, read_bytes(path, table=False), options.encoding)
        said += [note] if note else []
        lines = utf8.decode("utf-8", "surrogatepass").removesuffix("\n").split("\n")
        columns[path.name if path.name not in columns else str(path)] = lines
    counts = [len(lines) for lines in columns.values()]
    if counts[0] != counts[1]:
        raise ValueError(
            f"{paths[0]} has {counts[0]:,} lines, {paths[1]} has {counts[1]:,}: line n of one must"
            " be the translation of line n of the other. Find the line that was split or lost."
        )
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    rows = np.arange(1, frame.height + 1)
    return TextTable(paths[0].parent, frame, rows, False, {}, "columns", tuple(said))


def _without_blank(table: TextTable, names: tuple[str, str]) -> TextTable:
    """Leave out the rows that are empty on both sides, as between two documents; say how many."""
    blank = table.frame.select(
        pl.all_horizontal(pl.col(list(names)).str.strip_chars() == "")
    ).to_series()
    if not blank.any():
        return table
    kept = (~blank).to_numpy()
    if not kept.any():
        raise ValueError(f"{table.path}: all rows are empty. Give texts.")
    said = f"{int(blank.sum()):,} rows empty on both sides were left out."
    frame = table.frame.filter(pl.Series(kept))
    return replace(table, frame=frame, rows=table.rows[kept], said=(*table.said, said))


def _drawn(frame: pl.DataFrame, share: float, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw the test part: equal source texts stay together."""
    texts = frame.to_series(0).unique(maintain_order=True)
    count = min(round(share * len(texts)), MOST_DRAWN)
    if not 0 < count < len(texts):
        raise ValueError(
            f"{len(texts)} different texts are too few to set {share:.0%} aside for the test. Add"
            f" some, or give your own by {flag('test')}."
        )
    order = np.random.default_rng(seed).permutation(len(texts))
    in_test = frame.to_series(0).is_in(texts[order[:count].tolist()].implode())
    return frame.filter(~in_test), frame.filter(in_test)


def _languages_of(read: Mapping[str, _Read]) -> tuple[str, str] | None:
    """Return the languages of the training part, if it has been read."""
    if "train" not in read:
        return None
    first, second = read["train"].frame.columns
    return first, second


def _from_endings(paths: tuple[Path, ...]) -> tuple[str, str]:
    """Return the endings of two files where they tell the languages apart."""
    first, second = (_ending(path)[1:] for path in paths)
    return (first, second) if first and second and first != second else ("source", "target")


def _ending(path: Path) -> str:
    """Return the last ending, below that of a compression."""
    return (Path(path.stem) if path.suffix.lower() in PACKED else path).suffix


def _stem(path: Path) -> str:
    """Return the name before that ending."""
    return (Path(path.stem) if path.suffix.lower() in PACKED else path).stem
