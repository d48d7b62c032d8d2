"""Reading archives without being led out of the folder or out of memory.

An archive from the network is untrusted: a member may be called `../../.bashrc`, be a link to a
file elsewhere, or inflate from a kilobyte to a terabyte. Nothing here writes by a member's own
name: members are asked for by name and handed back as bytes or written where the caller says, and
each is counted against a limit while it inflates. Names that leave the folder, links and devices
are refused aloud, even where they would have been harmless.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

from data.errors import Damaged

LIMIT_BYTES = 2_000_000_000
LIMIT_MEMBERS = 200_000
_CHUNK = 1 << 20
_LINK_MODE = 0o120000
_UNSOUND = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,  # a packing that Python does not know
    RuntimeError,  # encrypted
)


def read_members(
    path: Path, *, folders: tuple[str, ...] = (), limit_bytes: int = LIMIT_BYTES
) -> dict[str, bytes]:
    """Read regular members into memory by name.

    With `folders`, only what lies in them, wherever in the archive they begin: a code host wraps a
    repository in a folder named after the commit, and the name is given without it.
    """
    members: dict[str, bytes] = {}
    left = limit_bytes
    for name, size, stream in _walk(path):
        short = _below(name, folders)
        if short is None:
            continue
        content = b"".join(_limited(stream, path, name, size, left))
        left -= len(content)
        members[short] = content
    return members


def _below(name: str, folders: tuple[str, ...]) -> str | None:
    """Return the name from the wanted folder on; None if it is in none of them."""
    if not folders:
        return name
    for folder in folders:
        begin = f"/{name}".find(f"/{folder}/")  # where the folder's own name starts in `name`
        if begin >= 0:
            return name[begin:]
    return None


def write_member(path: Path, member: str, target: Path, *, limit_bytes: int) -> None:
    """Write one member to `target`, inflating at most `limit_bytes`."""
    for name, size, stream in _walk(path):
        if name == member:
            with target.open("wb") as output:
                for chunk in _limited(stream, path, name, size, limit_bytes):
                    output.write(chunk)
            return
    raise Damaged(f"{path.name}: has no member {member!r}; it is not the expected archive.")


def write_gunzipped(path: Path, target: Path, *, limit_bytes: int) -> None:
    """Write the one file of a gzip to `target`, inflating at most `limit_bytes`."""
    with gzip.open(path) as stream, target.open("wb") as output:
        for chunk in _limited(cast(IO[bytes], stream), path, path.name, None, limit_bytes):
            output.write(chunk)


def content_digest(members: dict[str, bytes]) -> str:
    """Digest what an archive holds, whatever its packing: sha256 over sorted names and sha256s."""
    digest = hashlib.sha256()
    for name in sorted(members):
        digest.update(f"{name}\0{hashlib.sha256(members[name]).hexdigest()}\n".encode())
    return digest.hexdigest()


def _walk(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Return each regular member's name, declared size and stream."""
    with _naming(path):
        if zipfile.is_zipfile(path):
            yield from _walk_zip(path)
        else:
            yield from _walk_tar(path)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn the many ways in which an archive can be unsound into one error naming it."""
    try:
        yield
    except _UNSOUND as error:
        raise Damaged(f"{path.name}: not a valid archive ({str(error).rstrip('.')})") from error


def _walk_zip(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        _check_count(path, len(entries))
        for entry in entries:
            _check_name(path, entry.filename)
            if (entry.external_attr >> 16) & 0o170000 == _LINK_MODE:
                raise Damaged(f"{path.name}: member {entry.filename!r} is a link; refused.")
            if entry.is_dir():
                continue
            with archive.open(entry) as stream:
                yield entry.filename, entry.file_size, stream


def _walk_tar(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with tarfile.open(path) as archive:
        for count, entry in enumerate(archive):
            _check_count(path, count)
            _check_name(path, entry.name)
            if entry.isdir():
                continue
            if not entry.isreg():
                raise Damaged(f"{path.name}: member {entry.name!r} is a link or device; refused.")
            stream = archive.extractfile(entry)
            assert stream is not None  # a regular member has one
            yield entry.name, entry.size, stream


def _check_count(path: Path, count: int) -> None:
    if count > LIMIT_MEMBERS:
        raise Damaged(f"{path.name}: more than {LIMIT_MEMBERS:,} members; refused.")


def _check_name(path: Path, name: str) -> None:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name or re.match("[A-Za-z]:", name):
        raise Damaged(f"{path.name}: member {name!r} points outside the archive; refused.")


def _limited(
    stream: IO[bytes], path: Path, name: str, declared: int | None, limit: int
) -> Iterator[bytes]:
    """Return the stream in chunks, refusing once it goes beyond the limit or what was declared."""
    bound = limit if declared is None else min(limit, declared)
    seen = 0
    while True:
        with _naming(path):
            chunk = stream.read(_CHUNK)
        if not chunk:
            return
        seen += len(chunk)
        if seen > bound:
            raise Damaged(f"{path.name}: member {name!r} inflates beyond {bound:,} bytes; refused.")
        yield chunk
