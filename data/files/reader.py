"""One reader of the tables that users bring: separated text of any kind -> a frame of text.

Every cell is read as text, so that an id of "007" stays one; `columns` converts. What stands
between two cells is found where it is not given: the sign that occurs equally often in all of the
first lines. Cells may be quoted in files with commas or semicolons ("" inside for a quotation
mark); a file with tabs or another sign has no quoting, unless its header is quoted. Rows are
counted as a spreadsheet counts: the first line is row 1, and a quoted cell of several lines lies
in one row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from common.own_files import TableOptions
from data.files.cells import Cells, counted
from data.files.decoding import read_bytes, to_utf8
from data.files.faults import flag

_NAMES = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "space": " "}
_CANDIDATES = ("\t", "::", ";", ",", "|")  # of equally good ones the first
_WORDS = {",": "commas", ";": "semicolons", "\t": "tabs", " ": "spaces", "|": "|", "::": "::"}
_STAND_IN = "\x1f"  # for a delimiter of several characters: ASCII's own unit separator
_SAMPLE_LINES = 50


@dataclass(frozen=True)
class TextTable:
    """A table as it stands in a file: every cell is text, an empty one is ""."""

    path: Path
    frame: pl.DataFrame
    rows: np.ndarray
    """The row of the file, counted from 1, of each row of the frame."""
    headed: bool
    """Whether the names of the columns stand in the file."""
    said: tuple[str, ...] = ()
    """How it was read, where that is not plain."""


def read_table(
    path: Path, options: TableOptions | None = None, *, example: tuple[str, ...] = ()
) -> TextTable:
    """Read all columns as text, or raise, naming the row and what is wrong there.

    `example` are names that a message may give to the columns of a file without a header.
    """
    options = options or TableOptions()
    data, said = to_utf8(path, read_bytes(path), options.encoding)
    if not data.strip():
        raise ValueError(f"{path}: the file is empty. It needs a header and rows.")
    sign = _delimiter(path, data, options.delimiter)
    data, delimiter = _with_one_byte(data, sign)
    quoted = b'"' in data and _has_quoting(data, delimiter)
    cells = Cells(path, data, delimiter, quoted)
    cells.check_widths(_WORDS.get(sign, repr(sign)))
    first = cells.first()
    headed = not options.columns or first == list(_split_names(options.columns))
    names = _header(path, first, example) if headed else _given_names(path, first, options.columns)
    frame, rows = cells.frame(names, skip=int(headed))
    if not frame.height:
        raise ValueError(f"{path}: a header but no rows. Add rows.")
    notes = [said, cells.said]
    return TextTable(path, frame, rows, headed, tuple(filter(None, notes)))


def _delimiter(path: Path, data: bytes, given: str) -> str:
    """Return what stands between two cells: as given, or found in the first lines."""
    if given != "auto":
        return _NAMES.get(given, given)
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    lines = data[:262_144].decode("utf-8", "replace").split("\n")[:_SAMPLE_LINES]
    bare = [re.sub(r'"[^"]*"', "", line) for line in lines if line.strip()]
    counts = {sign: [line.count(sign) for line in bare] for sign in _CANDIDATES}
    present = [sign for sign in _CANDIDATES if counts[sign][0]]
    steady = [sign for sign in present if len(set(counts[sign])) == 1]
    if present:
        return max(steady or present, key=lambda sign: counts[sign][0])
    spaces = {len(line.split()) for line in bare}
    return " " if len(bare) > 1 and len(spaces) == 1 and spaces != {1} else ","


def _with_one_byte(data: bytes, sign: str) -> tuple[bytes, int]:
    """Return the text with a delimiter of one byte, and that byte; spaces may be several."""
    if not sign:
        raise ValueError(f"delimiter: it is empty; give {flag('delimiter')} comma, tab or another")
    encoded = sign.encode()
    if sign == " ":
        return re.sub(rb" *\n *", b"\n", re.sub(rb" +", b" ", data.strip(b" "))), ord(" ")
    if len(encoded) == 1 and sign not in '"\n':
        return data, encoded[0]
    if _STAND_IN.encode() in data or '"' in sign or "\n" in sign:
        raise ValueError(f"delimiter: {sign!r} cannot be read; give {flag('delimiter')} another")
    return data.replace(encoded, _STAND_IN.encode()), ord(_STAND_IN)


def _has_quoting(data: bytes, delimiter: int) -> bool:
    """Tell whether a file with quotation marks is one whose cells may be quoted."""
    if chr(delimiter) in ",;":
        return True
    header = data[: data.find(b"\n")].split(bytes([delimiter]))
    return all(len(cell) > 1 and cell[:1] == b'"' == cell[-1:] for cell in header)


def _split_names(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names that were given with spaces or with commas between them."""
    return tuple(name.strip() for given in columns for name in given.split(","))


def _given_names(path: Path, first: list[str], columns: tuple[str, ...]) -> list[str]:
    """Return the names given for a file without a header; there must be one for each cell."""
    names = list(_split_names(columns))
    if len(names) != len(first):
        raise ValueError(
            f"{path}: {len(names)} names of columns were given, row 1 has {counted(len(first))}: "
            f"{_listed(first)}. Give one name for each by {flag('columns')}."
        )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"columns: {twice!r} stands twice; give {flag('columns')} each name once")
    return names


def _header(path: Path, cells: list[str], example: tuple[str, ...]) -> list[str]:
    """Return the names in the header; one that is empty becomes "column 3"."""
    names = [cell.strip() or f"column {place}" for place, cell in enumerate(cells, start=1)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None and _is_number(twice):
        raise no_header(path, cells, example)
    if twice is not None:
        places = [place for place, name in enumerate(names, start=1) if name == twice]
        raise ValueError(
            f"{path}, row 1: the header names column {twice!r} twice, as columns {places[0]} and "
            f"{places[1]}. Rename one of them in the file."
        )
    return names


def looks_like_data(table: TextTable) -> bool:
    """Tell whether the header looks like a row: a number, a long text, or a value that recurs."""
    start = table.frame.head(1000)
    return any(
        _is_number(name) or len(name) > 60 or bool((start[name].str.strip_chars() == name).any())
        for name in table.frame.columns
    )


def no_header(path: Path, cells: list[str], example: tuple[str, ...]) -> ValueError:
    """Return the error for a file whose first row is data; `example` names the columns."""
    names = [
        *example[: len(cells)],
        *(f"other_{n}" for n in range(len(example) + 1, len(cells) + 1)),
    ]
    return ValueError(
        f"{path}: row 1 looks like data, not like a header: {_listed(cells)}. Name the columns in "
        f"their order, such as {flag('columns')} {' '.join(names)}"
    )


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*[-+]?[\d.,:/ -]*\d\s*", text) is not None


def _listed(cells: list[str]) -> str:
    shown = [repr(cell if len(cell) <= 40 else cell[:37] + "...") for cell in cells[:8]]
    return ", ".join(shown) + (f" and {len(cells) - 8} more" if len(cells) > 8 else "")
