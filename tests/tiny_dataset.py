"""Tiny datasets: a card, files as if fetched, and what a cache holds of them."""

import dataclasses
import hashlib
import io
import zipfile
from pathlib import Path

from data.cards import Card, Fetched, File, Form

BODY = bytes(range(256)) * 2000  # 512,000 bytes
OTHER = b"tampered" + BODY[8:]


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def card_of(*files, **more):
    return Card(
        name="tiny",
        folder="tiny",
        title="Tiny",
        task="test",
        homepage="http://tiny.test",
        licence="none",
        citation="",
        forms=(Form("only", files),),
        **more,
    )


def plain(server, *, name="file", body=BODY):
    return card_of(File(name, len(body), sha256(body), urls=(f"{server.url}/{name}",)))


def zipped(members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def files_under(home):
    """Every file in the cache but locks and stamps."""
    return sorted(
        str(path.relative_to(home))
        for path in home.rglob("*")
        if path.is_file() and path.relative_to(home).parts[0] not in ("locks", "verified")
    )


def fetched(card, folder, contents, *, form=0, published=None):
    """Write the files and hand them over as if they had been fetched."""
    paths = {}
    for name, content in contents.items():
        paths[name] = Path(folder) / name
        paths[name].write_bytes(content if isinstance(content, bytes) else content.encode())
    card = dataclasses.replace(card, published=card.published | (published or {}))
    return Fetched(card, card.forms[form], paths, "mirror", dict.fromkeys(paths, "0" * 64))
