"""Lines of a user's text files: UTF-8 or refused by row, and of older files in any encoding."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from data.files.decoding import to_utf8
from data.files.faults import FaultsOfFiles

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def existing(path: Path) -> Path:
    """Return the file, or the one beside it that gzip packed; a file of neither raises."""
    packed = path.with_name(path.name + ".gz")
    if path.is_file() or not packed.is_file():
        return path
    return packed


def text_lines(path: Path, faults: FaultsOfFiles) -> Iterator[tuple[int, str]]:
    """Yield (row, line) of a file, plain or packed by gzip; row 1 is the first.

    A byte order mark is left out. Lines that are not UTF-8 are passed over and become one fault.
    """
    odd: list[tuple[int, str]] = []  # row and what is wrong there
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        for row, line in enumerate(stream, start=1):
            if row == 1 and line.startswith(_UTF_16):
                faults.add(path, None, "is UTF-16. Save it as UTF-8.")
                return
            try:
                text = line.decode("utf-8-sig" if row == 1 else "utf-8")
            except UnicodeDecodeError as problem:
                what = f"byte {line[problem.start]:#04x} at place {problem.start + 1}"
                odd.append((row, what))
                continue
            yield row, text.rstrip("\r\n")
    if odd:
        others = f" ({len(odd):,} such rows)" if len(odd) > 1 else ""
        save = f"iconv -f WINDOWS-1252 -t UTF-8 {path.name} > new, if it was saved on Windows"
        faults.add(path, odd[0][0], f"{odd[0][1]} is not UTF-8{others}. Save the file as UTF-8: "
                   f"{save}.")  # fmt: skip


@dataclass
class OldFiles:
    """Reads files of a time before UTF-8, whose encoding is given or found."""

    encoding: str = "auto"
    said: list[str] = field(default_factory=list)
    """What was found, of each file that is not UTF-8."""

    def text(self, path: Path) -> str:
        """Return a file."""
        utf8, found = to_utf8(path, unpacked(path), self.encoding)
        self.said += [found] if found else []
        return utf8.decode()

    def lines(self, path: Path) -> Iterator[tuple[int, str]]:
        """Yield (row, line); row 1 is the first."""
        yield from enumerate(self.text(path).split("\n"), start=1)

    def notes(self) -> list[str]:
        """Return what was found of the first file, and how many more there are."""
        more = len(self.said) - 1
        return [*self.said[:1], *([f"So it is with {more:,} more files."] if more > 0 else [])]


def unpacked(path: Path) -> bytes:
    """Return the bytes of a file, plain or packed by gzip."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def is_text(value: str) -> bool:
    """Tell whether a string can be written as UTF-8: half a surrogate pair cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
