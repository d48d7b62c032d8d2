"""A user's own tagged words: CoNLL files, each a part, or one file of all.

A word a line with its tag and, between the two, what else a corpus holds: 2 columns or more, tabs
or spaces between, an empty line after each sentence, `-DOCSTART-` before a document. The word is
the first column and the tag the last unless `--data.token` and `--data.tag` say otherwise. IOB1,
BIO2, BIOES and BILOU are told apart and become BIO2. A header line and comments are left out and
said.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from data.conll import Tagged, cells_of, entities_in, is_tag, read_lines, scheme_of, types_of
from data.files.columns import file_source
from data.files.decoding import read_bytes, to_utf8
from data.files.faults import Faults, flag
from data.files.headers import listed
from data.files.part_names import PARTS, part_named
from data.tables import TaggedTokens

SUFFIXES = (".conll", ".txt", ".tsv", ".bio", ".iob", ".iob2", ".bioes", ".dat", ".train", ".data")
_TEST_NAMES = {"testa": "valid", "testb": "test"}  # of CoNLL-2003: eng.testa, eng.testb
_HEADERS = {"tag", "tags", "ner", "ner_tag", "ner_tags", "label", "labels", "entity", "ne"}
_MOST = 10


@dataclass(frozen=True)
class _Part:
    path: Path
    frame: pl.DataFrame
    said: list[str]


def tags_from_conll(
    path: Path,
    *,
    valid: Path | None = None,
    test: Path | None = None,
    token: int = 1,
    tag: int = -1,
    encoding: str = "auto",
) -> TaggedTokens:
    """Read tagged words; `path` is the training part, or a folder of parts named by their files.

    `token` and `tag` are columns counted from 1, or from the end by -1. Parts that are missing stay
    so: they are drawn by the pattern.
    """
    for name, column in (("token", token), ("tag", tag)):
        if not column:
            raise ValueError(
                f"{name}: 0 is no column; give {flag(name)} a number from 1, or -1 for the last"
            )
    files = _part_files(path) | {
        name: given for name, given in (("valid", valid), ("test", test)) if given is not None
    }
    places = (token - 1 if token > 0 else token), (tag - 1 if tag > 0 else tag)
    parts = {name: _read(file, *places, encoding) for name, file in files.items()}
    frames = {name: part.frame for name, part in parts.items()}
    types = types_of(*frames.values())
    known = set(types_of(frames["train"]))
    if not known:
        raise ValueError(
            f"{files['train']}: all words have the tag O. Name the column of the tags by"
            f" {flag('tag')}."
        )
    said = [each for part in parts.values() for each in part.said]
    unknown = sorted(set(types) - known)
    if unknown:
        said.append(
            f"Types that no training sentence has, and that cannot be found: {listed(unknown)}."
        )
    counts = ", ".join(f"{frame.height:,} {name}" for name, frame in frames.items())
    entities = sum(entities_in(frame) for frame in frames.values())
    source = file_source(
        list(files.values()),
        rows=f"{counts} sentences, {entities:,} entities of {len(types)} types",
        notice=" ".join(dict.fromkeys(said)) or None,
    )
    return TaggedTokens(source, frames["train"], types, frames.get("valid"), frames.get("test"))


def _part_files(path: Path) -> dict[str, Path]:
    """Return the file of each part that a folder holds; a file is the training part."""
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder. Name an existing one.")
    if not path.is_dir():
        return {"train": path}
    inside = [each for each in sorted(path.iterdir()) if each.is_file() and each.name[0] != "."]
    found: dict[str, list[Path]] = {name: [] for name in PARTS}
    for each in inside:
        ending = each.suffix.lower().lstrip(".")
        part = _TEST_NAMES.get(ending) or part_named(each.name)
        if part and (each.suffix.lower() in (*SUFFIXES, "") or part_named(ending) == part
                     or ending in _TEST_NAMES):  # fmt: skip
            found[part].append(each)
    for name, several in found.items():
        if len(several) > 1:
            names = ", ".join(each.name for each in several[:_MOST])
            raise ValueError(
                f"{path}: {len(several)} {name} parts: {names}. Name one by {flag(name)}."
            )
    if not found["train"]:
        files = listed([each.name for each in inside])
        raise ValueError(
            f"{path}: a folder without a file of training sentences (train.conll); it holds"
            f" {files}. Name the file by {flag('train')} and that of the test by {flag('test')}."
        )
    return {name: several[0] for name, several in found.items() if several}


def _read(path: Path, token: int, tag: int, encoding: str) -> _Part:
    """Read one file, telling all its faults at once."""
    utf8, odd = to_utf8(path, read_bytes(path, table=False), encoding)
    said = [odd] if odd else []
    lines = [(row, line) for row, line in enumerate(utf8.decode().split("\n"), start=1)]
    lines, left_out = _without_remarks(lines, tag)
    said += [f"{path.name}: {left_out}."] if left_out else []
    faults = Faults(path)
    found = read_lines(lines, fault=lambda row, what: faults.add(row, f"{what}."), token=token,
                       tag=tag)  # fmt: skip
    faults.check()
    if not found.tokens:
        raise ValueError(f"{path}: no sentence in it. Give a word and its tag a line.")
    said += _scheme(path, found)
    return _Part(path, found.frame(), said)


def _without_remarks(
    lines: list[tuple[int, str]], tag: int
) -> tuple[list[tuple[int, str]], str | None]:
    """Leave out a header and lines of comments (`# id …`), and say so."""
    kept, comments, header = [], 0, False
    for row, line in lines:
        cells = [cell.strip() for cell in cells_of(line)]
        tagged = len(cells) >= 2 and is_tag(cells[tag] if -len(cells) <= tag < len(cells) else "")
        if line.startswith("#") and not tagged and len(cells) != 2:
            comments += 1
        elif row == 1 and cells and not tagged and cells[-1].lower() in _HEADERS:
            header = True
        else:
            kept.append((row, line))
    said = [f"{comments:,} lines of comments"] if comments else []
    said += ["row 1, a header,"] if header else []
    was = "was" if header and not comments else "were"
    return kept, f"{' and '.join(said)} {was} left out" if said else None


def _scheme(path: Path, found: Tagged) -> list[str]:
    """Say in which scheme the tags are, if it is not BIO2, and what does not fit it."""
    scheme, odd = scheme_of(found.tags)
    said = [] if scheme == "BIO2" else [f"The tags of {path.name} are {scheme}, read as BIO2."]
    if odd:
        sentence, word = odd[0]
        said.append(
            f"{len(odd):,} tags of {path.name} continue an entity that is not there (row"
            f" {found.rows[sentence][word]} first): each begins one."
        )
    return said
