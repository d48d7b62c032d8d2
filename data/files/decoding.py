"""The bytes of a user's text file -> UTF-8 with one kind of line end.

Compressed files are unpacked. UTF-8 and UTF-16 are found, with or without a byte order mark; what
is neither is Windows-1252 where it looks so, which is said, since no rule can be sure of it.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import zipfile
from pathlib import Path

from data.files.faults import flag

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NO_TEXTS = (
    (rb"PAR1", "a Parquet file"),
    (rb"\xd0\xcf\x11\xe0", "an Excel workbook"),
    (rb"%PDF", "a PDF"),
    (rb"SQLite format 3", "an SQLite database"),
    (rb"(?s:.){257}ustar", "a tar archive"),
    (rb"version https://git-lfs", "a pointer of Git LFS (git lfs pull fetches the file itself)"),
)
_NO_TABLES = (
    (rb'\s*\{\s*"|\s*\[\s*\{', "JSON"),
    (rb"(?i:\s*<(!doctype|html|\?xml))", "a web page or XML"),
)
_UNPACKERS = (
    (b"\x1f\x8b", gzip.decompress),
    (b"BZh", bz2.decompress),
    (b"\xfd7zXZ\x00", lzma.decompress),
)
_ASCII = bytes(range(128))
_LONG_RUNS = re.compile(rb"[\x80-\xff]{3,}")


def read_bytes(path: Path, *, table: bool = True) -> bytes:
    """Return the content, unpacked if it is compressed; raise for what is no text, or no table."""
    if path.is_dir():
        raise ValueError(f"{path}: a folder. Name the file in it.")
    if not path.is_file():
        raise ValueError(f"{path}: no such file. Name an existing CSV file.")
    data = _unpacked(path, path.read_bytes())
    for start, kind in (*_NO_TEXTS, *(_NO_TABLES if table else ())):
        if re.match(start, data):
            expected = (
                "a table of rows. Save the table as CSV" if table else "text. Save it as text"
            )
            raise ValueError(f"{path}: {kind}, not {expected}.")
    return data


def _unpacked(path: Path, data: bytes) -> bytes:
    try:
        for start, unpack in _UNPACKERS:
            if data.startswith(start):
                return unpack(data)
        return _only_member(path, data) if data.startswith(b"PK\x03\x04") else data
    except ValueError:
        raise
    except Exception as error:  # each library has its own, and none for a missing password
        raise ValueError(
            f"{path}: cannot be unpacked ({error}). Copy or fetch it again, or unpack it yourself."
        ) from error


def _only_member(path: Path, data: bytes) -> bytes:
    """Return the only file in a zip archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        names = [name for name in names if not name.startswith("__MACOSX/")]
        if "[Content_Types].xml" in names:
            raise ValueError(
                f"{path}: an Excel workbook, not a table of rows. Save the table as CSV."
            )
        if len(names) != 1:
            raise ValueError(f"{path}: {len(names)} files in one archive. Unpack it and name one.")
        return archive.read(names[0])


def to_utf8(path: Path, data: bytes, encoding: str = "auto") -> tuple[bytes, str | None]:
    """Return the text as UTF-8, its lines ended by line feeds alone, and what must be said."""
    said = None
    if encoding != "auto":
        text = _decoded(path, data, encoding)
    else:
        found = _marked(data) or _unmarked_utf16(data) or "utf-8"
        try:
            text = data.decode(found)
        except UnicodeDecodeError:
            text, said = _not_unicode(path, data, found)
    utf8 = text.removeprefix("\ufeff").encode()
    if b"\r" in utf8:
        utf8 = utf8.replace(b"\r\n", b"\n")
        if b"\r" in utf8.partition(b"\n")[0]:  # an old Mac's
            utf8 = utf8.replace(b"\r", b"\n")
    if b"\0" in utf8:
        row = utf8[: utf8.index(b"\0")].count(b"\n") + 1
        raise ValueError(f"{path}, row {row}: it holds a NUL character. Remove it.")
    return utf8, said


def _marked(data: bytes) -> str | None:
    """Return the encoding that a byte order mark tells."""
    return next((name for mark, name in _MARKS if data.startswith(mark)), None)


def _unmarked_utf16(data: bytes) -> str | None:
    """Return UTF-16 where every other byte of much of the text is 0, as in ASCII written so."""
    start = data[:65_536]
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if len(data) % 2 or max(even, odd) < 0.05 * len(start) or min(even, odd) * 10 > max(even, odd):
        return None
    name, newline = ("utf-16-le", b"\n\0") if odd > even else ("utf-16-be", b"\0\n")
    return name if start.count(b"\n") == start.count(newline) else None


def _decoded(path: Path, data: bytes, encoding: str) -> str:
    """Decode as the user says."""
    try:
        return data.decode(encoding)
    except LookupError as error:
        raise ValueError(
            f"encoding: {encoding!r} is not known; give {flag('encoding')} utf-8, cp1252, utf-16"
            " or another that Python knows"
        ) from error
    except UnicodeDecodeError as error:
        row = _row_of(data, error.start)
        raise ValueError(
            f"{path}, row {row}: the byte {data[error.start]:#04x} is not {encoding}. Correct it, "
            f"or give another encoding by {flag('encoding')}."
        ) from error


def _not_unicode(path: Path, data: bytes, tried: str) -> tuple[str, str]:
    """Read as Windows-1252 where the text looks so; else refuse."""
    text = data.decode("utf-8", "surrogateescape")
    strange = re.search("[\udc80-\udcff]", text)
    if tried != "utf-8" or strange is None:
        raise ValueError(f"{path}: begins as {tried} but is not. Give {flag('encoding')}.")
    row = text.count("\n", 0, strange.start()) + 1
    byte = ord(strange[0]) - 0xDC00
    broken = len(re.findall("[\udc80-\udcff]", text))
    sound = len(re.findall("[^\x00-\x7f\udc80-\udcff]", text))
    if sound >= broken:
        raise ValueError(
            f"{path}, row {row}: the byte {byte:#04x} is not UTF-8, though other rows are. Correct "
            f"the row, or give the encoding of the file by {flag('encoding')}."
        )
    runs = sum(len(run) for run in _LONG_RUNS.findall(data))
    if runs > 0.3 * len(data.translate(None, _ASCII)):
        raise ValueError(
            f"{path}, row {row}: neither UTF-8 nor Windows-1252. Give the encoding, such as "
            f"{flag('encoding')} cp1251, gb18030, shift_jis or koi8-r."
        )
    try:
        text, name = data.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        text, name = data.decode("latin-1"), "Latin-1"
    place = data.index(byte)
    start, end = text[max(place - 15, 0) : place], text[place : place + 15]
    sample = re.split(r"[\s\",;|:]", start)[-1] + re.split(r"[\s\",;|:]", end)[0]
    return text, (
        f"{path.name} is not UTF-8; it was read as {name} (row {row}: {sample!r}). If that is "
        f"wrong, give {flag('encoding')}."
    )


def _row_of(data: bytes, place: int) -> int:
    """Return the line of a byte, counted from 1."""
    before = data[:place]
    return (before.count(b"\n") or before.count(b"\r")) + 1
