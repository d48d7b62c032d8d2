"""The card of a dataset: what it is, under which licence, and which bytes it is made of.

A card is data, written once per dataset beside its reader. `forms` are the ways in which the same
dataset is published: a repacked archive on a mirror and the authors' own archive, say. The first
form that is available is used, and the reader knows them all.

Facts of the files (bytes, sha256) are checked at every fetch; a form without a published checksum
says so in its note, and its reader checks the content.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Archive:
    """An archive that a file is taken out of; it is deleted once unpacked."""

    urls: tuple[str, ...]
    """Where it can be fetched, the authors' own place first."""
    kind: str
    """zip, tar (compressed or not) or gzip (a single file)."""
    limit_bytes: int
    """No more than this is downloaded."""
    sha256: str | None = None
    """Of the archive, where it is published; members have checksums of their own."""


@dataclass(frozen=True)
class Content:
    """What an archive holds, whatever its packing."""

    sha256: str
    """See `data.archives.content_digest`."""
    folders: tuple[str, ...]
    """The folders counted, below any folder that wraps the whole archive."""


@dataclass(frozen=True)
class File:
    """One file as the reader wants it, in the cache and on a mirror under the same name."""

    name: str
    bytes: int | None
    sha256: str | None
    """None only where no one publishes it: then the archive's or the content's is checked."""
    urls: tuple[str, ...] = ()
    """Where the file itself can be fetched; empty if out of `archive`, or by mirror alone."""
    archive: Archive | None = None
    member: str | None = None
    """Its path inside the archive."""
    content: Content | None = None
    """For an archive that is kept packed and whose bytes may change while its content does not:
    any packing of this content is accepted, and `bytes` and `sha256` describe one of them."""

    @property
    def limit_bytes(self) -> int:
        """No more than this is downloaded."""
        exact = self.content is None and self.bytes is not None
        return self.bytes if exact and self.bytes else 4 * (self.bytes or 50_000_000)

    @property
    def fetchable(self) -> bool:
        """Whether there is an official place to fetch it from."""
        return bool(self.urls or self.archive)


@dataclass(frozen=True)
class Form:
    """One way in which the dataset is published."""

    name: str
    files: tuple[File, ...]
    note: str = ""
    """What differs in this form, and what it means for figures."""


@dataclass(frozen=True)
class Card:
    """All that is known of a dataset before a byte of it is read."""

    name: str
    """What `data.load` calls it."""
    folder: str
    """Its folder in the cache and on a mirror."""
    title: str
    task: str
    homepage: str
    licence: str
    citation: str
    forms: tuple[Form, ...]
    restriction: str | None = None
    """What the licence forbids, shown before a download; None when it is permissive."""
    published: dict[str, int] = field(default_factory=dict)
    """Counts as published, held against what was read."""
    remedy: str = ""
    """What to do when it cannot be fetched."""

    @property
    def bytes(self) -> int:
        """Size of the first form, in bytes."""
        return sum(file.bytes or 0 for file in self.forms[0].files) if self.forms else 0


@dataclass(frozen=True)
class Fetched:
    """Files that are on disk and verified."""

    card: Card
    form: Form
    paths: dict[str, Path]
    """By file name."""
    origin: str
    """cache, mirror or official: the furthest place that any of the files came from."""
    checksums: dict[str, str]
