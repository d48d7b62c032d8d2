"""Where the cells and rows of a separated text lie, and the text as a frame.

A regular file goes to polars as it is. Whether it is regular is seen from the places of three
bytes: quotation mark, delimiter, line end. Else Python's csv module reads it, or says what is
wrong.
"""

from __future__ import annotations

import csv
import io
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl

from data.files.faults import flag

NEWLINE, QUOTE = 10, 34
_WORDS = {",": "commas", ";": "semicolons", "\t": "tabs", " ": "spaces"}
_PART = 50_000  # rows that the csv module hands over at once


class Cells:
    """Where the cells and rows of a text lie; `delimiter` is a byte."""

    def __init__(self, path: Path, data: bytes, delimiter: int, quoted: bool) -> None:
        self.path, self.data, self.delimiter, self.quoted = path, data, delimiter, quoted
        self.said: str | None = None
        codes = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero(codes == NEWLINE)
        cuts = np.flatnonzero(codes == delimiter)
        self.regular = True
        if quoted:
            marks = np.flatnonzero(codes == QUOTE)
            self.regular = _regular(codes, marks, delimiter)
            lines = ends
            ends = ends[np.searchsorted(marks, ends) % 2 == 0]
            cuts = cuts[np.searchsorted(marks, cuts) % 2 == 0]
        if not self.regular:
            self.records = self._by_csv()
            self.widths = np.array([len(record) for record in self.records])
            self.blank = self.widths == 0
            return
        if not len(ends) or ends[-1] != len(codes) - 1:
            ends = np.append(ends, len(codes))
        self.starts = np.concatenate([[0], ends[:-1] + 1])
        self.ends = ends
        self.widths = np.diff(np.searchsorted(cuts, ends), prepend=0) + 1
        self.blank = self.starts == ends
        if quoted and len(lines) > len(ends):
            self._check_long_rows()

    def _by_csv(self) -> list[list[str]]:
        """Read with the csv module, which takes a quotation mark inside of a cell as it is."""
        text, sign = self.data.decode(), chr(self.delimiter)
        records, problem = _parsed(text, sign)
        if problem is not None and '\\"' in text:
            repaired, still = _parsed(text.replace('\\"', '""'), sign)
            if still is None:
                self.said = (
                    f'In {self.path.name} \\" was read as a quotation mark inside of a cell.'
                )
                return repaired
        if problem is not None:
            never = "end of data" in problem
            what = "is never closed" if never else "is closed in the middle of a cell"
            raise ValueError(
                f"{self.path}, row {len(records) + 1}: a quotation mark that opens a cell {what}. "
                'Write a mark inside of a quoted cell twice (""), or remove it.'
            )
        return records

    def _check_long_rows(self) -> None:
        """Refuse a row of several lines that look like rows of their own: a mark is missing.

        Only where its two marks are all there are: other marks show that the writer knows how to
        quote. Two lines of two columns say too little to refuse, and are told.
        """
        width = int(self.widths[int(np.argmin(self.blank))])
        codes = np.frombuffer(self.data, np.uint8)
        breaks = np.flatnonzero(codes == NEWLINE)
        inside = np.searchsorted(breaks, self.ends) - np.searchsorted(breaks, self.starts)
        for place in islice(np.flatnonzero(inside > 0), 10_000):
            lines = self.data[self.starts[place] : self.ends[place]].split(b"\n")
            alike = all(line.count(bytes([self.delimiter])) == width - 1 for line in lines)
            marks = [line.count(b'"') for line in lines]
            lone = marks[0] == marks[-1] == 1 and not any(marks[1:-1])
            if not (alike and lone) or width == 1:
                continue
            if len(lines) > 2 or width > 2:
                raise ValueError(
                    f"{self.path}, row {place + 1}: a quoted cell of {len(lines)} lines, each of "
                    "which looks like a row. A quotation mark is missing or too much: write a mark "
                    'inside of a quoted cell twice (""), or remove it.'
                )
            self.said = f"{self.path.name}, row {place + 1}: one quoted cell runs over two lines."

    def _uneven(self) -> np.ndarray:
        """Tell which rows have more or fewer cells than row 1."""
        return (self.widths != self.widths[int(np.argmin(self.blank))]) & ~self.blank

    @property
    def sound(self) -> bool:
        """Whether all rows have the same number of cells and every quotation mark its partner."""
        return self.regular and not self._uneven().any()

    def check_widths(self, sign: str) -> None:
        """Raise for the first row that has more or fewer cells than row 1."""
        first, wrong = int(np.argmin(self.blank)), self._uneven()
        if not wrong.any():
            return
        row, count = int(np.argmax(wrong)), int(wrong.sum())
        between = f"between {_WORDS.get(sign, sign)}"
        usual, rows = _most_frequent(self.widths[wrong])
        others = int((~self.blank).sum()) - 1
        if rows == others or 2 * rows > others + 1:
            which = "all other" if rows == others else "most other"
            raise ValueError(
                f"{self.path}, row {first + 1}: {counted(self.widths[first])} {between}, {which} "
                f"rows have {usual}: {self._shown(first, sign)!r}. Give each column its "
                "name there, remove the row if it is no header, or give another "
                f"{flag('delimiter')}."
            )
        quotes = ", put cells that hold the delimiter in quotation marks,"
        quotes = quotes if self.quoted or sign in ",;" else ""
        more = f" ({count:,} such rows)" if count > 1 else ""
        raise ValueError(
            f"{self.path}, row {row + 1}: {counted(self.widths[row])} {between}, row {first + 1} "
            f"has {self.widths[first]}{more}: {self._shown(row, sign)!r}. Correct the row{quotes} "
            f"or give another {flag('delimiter')}."
        )

    def _shown(self, row: int, sign: str) -> str:
        if not self.regular:
            text = chr(self.delimiter).join(self.records[row])
        else:
            text = self.data[self.starts[row] : self.ends[row]].decode("utf-8", "replace")
        text = text.replace(chr(self.delimiter), sign)
        return text if len(text) <= 80 else text[:77] + "..."

    def first(self) -> list[str]:
        """Return the cells of the first row."""
        place = int(np.argmin(self.blank))
        if not self.regular:
            return self.records[place]
        text = self.data[self.starts[place] : self.ends[place]].decode()
        if not self.quoted:
            return text.split(chr(self.delimiter))
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=chr(self.delimiter)))

    def frame(self, names: list[str], *, skip: int) -> tuple[pl.DataFrame, np.ndarray]:
        """Return the rows after the first `skip` under `names`, and their numbers in the file."""
        kept = np.flatnonzero(~self.blank)[skip:]
        schema = dict.fromkeys(names, pl.String)
        if not len(kept):
            return pl.DataFrame(schema=schema), kept
        if not self.regular:
            parts = [
                pl.DataFrame([self.records[row] for row in part], schema=schema, orient="row")
                for part in np.array_split(kept, -(-len(kept) // _PART))
            ]
            return pl.concat(parts), kept + 1
        start = int(self.starts[kept[0]])
        body = self.data[start:]
        if self.blank[kept[0] :].any():
            empty = self.ends[np.flatnonzero(self.blank)]
            empty = empty[(empty >= start) & (empty < len(self.data))]
            body = np.delete(np.frombuffer(self.data, np.uint8), empty)[start:].tobytes()
        frame = pl.read_csv(
            body,
            has_header=False,
            schema=schema,
            separator=chr(self.delimiter),
            quote_char='"' if self.quoted else None,
        ).fill_null("")
        assert frame.height == len(kept), (frame.height, len(kept))
        return frame, kept + 1


def _parsed(text: str, sign: str) -> tuple[list[list[str]], str | None]:
    """Return the rows up to the first that is malformed, and what is wrong with it."""
    records: list[list[str]] = []
    spaced = f'{sign} "' in text
    limit = csv.field_size_limit(sys.maxsize)
    try:
        lines = io.StringIO(text, newline="")
        records.extend(csv.reader(lines, delimiter=sign, strict=True, skipinitialspace=spaced))
    except csv.Error as error:
        return records, str(error)
    finally:
        csv.field_size_limit(limit)
    return records, None


def _regular(codes: np.ndarray, marks: np.ndarray, delimiter: int) -> bool:
    """Tell whether each quotation mark opens or closes a whole cell, or is one of two inside."""
    if len(marks) % 2:
        return False
    opening, closing = marks[0::2], marks[1::2]
    twin = opening[1:] == closing[:-1] + 1
    before = codes[np.maximum(opening - 1, 0)]
    after = codes[np.minimum(closing + 1, len(codes) - 1)]
    opens = (before == NEWLINE) | (before == delimiter) | (opening == 0)
    closes = (after == NEWLINE) | (after == delimiter) | (closing == len(codes) - 1)
    opens[1:] |= twin
    closes[:-1] |= twin
    return bool(opens.all() and closes.all())


def _most_frequent(widths: np.ndarray) -> tuple[int, int]:
    """Return the most frequent number of cells, and how many rows have it."""
    found, counts = np.unique(widths, return_counts=True)
    most = int(np.argmax(counts))
    return int(found[most]), int(counts[most])


def counted(cells: int) -> str:
    """Say how many cells."""
    return "1 cell" if cells == 1 else f"{cells} cells"
