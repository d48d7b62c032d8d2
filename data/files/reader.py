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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from common.own_files import TableOptions
from data.files.cells import Cells
from data.files.decoding import read_bytes, to_utf8
from data.files.faults import flag
from data.files.headers import given_names, header_names, split_names

_NAMES = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "space": " "}
_CANDIDATES = ("\t", "::", ";", ",", "|")  # of equally good ones the first
_STAND_IN = b"\x1f"  # for a delimiter of several characters: ASCII's own unit separator
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
    wanted: Mapping[str, str]
    """Names that a message proposes for the columns of a file without a header, by argument; with
    "rating?" only if a cell looks like one."""
    columns_argument: str
    """The argument that takes them."""
    said: tuple[str, ...] = ()
    """How it was read, where that is not plain."""


def read_table(
    path: Path,
    options: TableOptions | None = None,
    *,
    wanted: Mapping[str, str] | None = None,
    columns_argument: str = "columns",
) -> TextTable:
    """Read all columns as text, or raise, naming the row and what is wrong there.

    A message about a header that is missing proposes the names `wanted`, by argument, for the flag
    of `columns_argument`.
    """
    options = options or TableOptions()
    data, said = to_utf8(path, read_bytes(path), options.encoding)
    if not data.strip():
        raise ValueError(f"{path}: the file is empty. It needs a header and rows.")
    given, data = _excel_line(data, options.delimiter)
    sign = _delimiter(path, data, given)
    columns = split_names(options.columns)
    data, delimiter = _with_one_byte(data, sign, columns=len(columns))
    cells = _cells(path, data, delimiter)
    cells.check_widths(sign)
    first = cells.first()
    headed = not columns or first == columns
    if headed:
        names = header_names(path, first, wanted or {}, columns_argument)
    else:
        names = given_names(path, first, options.columns, columns_argument)
    frame, rows = cells.frame(names, skip=int(headed))
    frame, rows, empty = _without_empty_rows(frame, rows)
    if not frame.height:
        raise ValueError(f"{path}: a header but no rows. Add rows.")
    notes = tuple(filter(None, [said, cells.said, empty]))
    return TextTable(path, frame, rows, headed, wanted or {}, columns_argument, notes)


def _excel_line(data: bytes, given: str) -> tuple[str, bytes]:
    """Take a delimiter from Excel's first line `sep=;`, which becomes an empty row."""
    found = re.match(rb"sep=([^\n])(?=\n)", data)
    if found is None:
        return given, data
    return (found[1].decode() if given == "auto" else given), data[found.end() :]


def _without_empty_rows(
    frame: pl.DataFrame, rows: np.ndarray
) -> tuple[pl.DataFrame, np.ndarray, str | None]:
    """Leave out rows all of whose cells are empty, such as a spreadsheet adds at the end."""
    suspects = (frame[:, 0].str.strip_chars() == "").arg_true()
    if frame.width == 1 or not len(suspects):
        return frame, rows, None
    empty = frame[suspects].select(pl.all_horizontal(pl.all().str.strip_chars() == "")).to_series()
    if not empty.any():
        return frame, rows, None
    kept = np.ones(frame.height, bool)
    kept[suspects.filter(empty).to_numpy()] = False
    said = f"{int(empty.sum()):,} rows with empty cells alone were left out."
    return frame.filter(pl.Series(kept)), rows[kept], said


def _delimiter(path: Path, data: bytes, given: str) -> str:
    """Return what stands between two cells: as given, or found in the first lines."""
    if given != "auto":
        return _NAMES.get(given, given)
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    if data.startswith(b"__label__"):
        raise ValueError(
            f"{path}: rows as fastText writes them. Give {flag('delimiter')} space "
            f"{flag('columns')} label text"
        )
    lines = data[:262_144].decode("utf-8", "replace").split("\n")[:_SAMPLE_LINES]
    bare = [re.sub(r'"[^"]*"', "", line) for line in lines if line.strip()]
    counts = {sign: [line.count(sign) for line in bare] for sign in _CANDIDATES}
    present = [sign for sign in _CANDIDATES if counts[sign][0]]
    steady = [sign for sign in present if len(set(counts[sign])) == 1]
    if present:
        return max(steady or present, key=lambda sign: counts[sign][0])
    spaces = {len(line.split()) for line in bare}
    return " " if len(bare) > 1 and len(spaces) == 1 and spaces != {1} else ","


def _with_one_byte(data: bytes, sign: str, *, columns: int) -> tuple[bytes, int]:
    """Return the text with a delimiter of one byte, and that byte.

    Spaces may be several; where the number of columns is known, the last one takes the rest.
    """
    if not sign:
        raise ValueError(f"delimiter: it is empty; give {flag('delimiter')} comma, tab or another")
    encoded = sign.encode()
    if len(encoded) == 1 and sign not in ' "\n':
        return data, encoded[0]
    if _STAND_IN in data or '"' in sign or "\n" in sign:
        raise ValueError(f"delimiter: {sign!r} cannot be read; give {flag('delimiter')} another")
    if sign != " ":
        return data.replace(encoded, _STAND_IN), _STAND_IN[0]
    data = re.sub(rb" *\n *", b"\n", data.strip(b" "))
    if columns < 2:
        return re.sub(rb" +", _STAND_IN, data), _STAND_IN[0]
    cell = rb"([^ \n]+) +"
    split = b"".join(rb"\%d" % number + _STAND_IN for number in range(1, columns))
    return re.sub(rb"(?m)^" + cell * (columns - 1), split, data), _STAND_IN[0]


def _cells(path: Path, data: bytes, delimiter: int) -> Cells:
    """Find the cells, quoted or not.

    Cells may be quoted in a file with commas or semicolons; in another one if its header is, or if
    its rows have the same number of cells in that way alone.
    """
    header = data[: data.find(b"\n")].split(bytes([delimiter]))
    of_marks = all(len(cell) > 1 and cell[:1] == b'"' == cell[-1:] for cell in header)
    quoted = b'"' in data and (chr(delimiter) in ",;" or of_marks)
    cells = Cells(path, data, delimiter, quoted)
    if cells.quoted or cells.sound or b'"' not in data:
        return cells
    try:
        other = Cells(path, data, delimiter, quoted=True)
    except ValueError:
        return cells
    return other if other.sound else cells
