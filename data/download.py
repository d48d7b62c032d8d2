"""Finding a dataset's files: cache, then mirror, then the official place.

    cache     ML_PATTERNS_HOME (default: the user's cache folder), laid out <folder>/<file>
    mirror    ML_PATTERNS_MIRROR, a folder or an http URL of the same layout
    official  the URLs of the card

At each place every form of the dataset is tried, the first in the card first. A folder mirror is
read where it is; what comes over the network is verified under another name and then renamed into
the cache, so a killed run leaves no half file. Wrong bytes are fetched once again and then named.
What one place lacks or cannot give is looked for at the next, and if none has it the error says
what each answered and what to do. `transfer` moves the bytes, `archives` unpacks them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from data import archives, cache, progress, transfer
from data.cards import Archive, Card, Fetched, File, Form
from data.errors import Damaged, FetchError, Missing, Unreachable

MIRROR_VARIABLE = "ML_PATTERNS_MIRROR"
PLACES = ("cache", "mirror", "official")


def fetch(card: Card, *, form: str | None = None) -> Fetched:
    """Return the verified files of the first form available, fetching what must be.

    `form` names the one that is wanted. Raises FetchError, a ValueError, if none is available.
    """
    forms = [known for known in card.forms if form in (None, known.name)]
    if not forms:
        names = ", ".join(known.name for known in card.forms)
        raise ValueError(f"form: {card.name} has no form {form!r}. Choose one of {names}.")
    reasons: list[str] = []
    for place in PLACES:
        for known in forms:
            try:
                return _from(place, card, known)
            except (Missing, Unreachable, Damaged) as error:
                reasons.append(_reason(place, card, error))
    remedy = card.remedy or (
        f"Connect to the network once, or set {MIRROR_VARIABLE} to a folder or URL that holds "
        f"{card.folder}/."
    )
    told = "; ".join(dict.fromkeys(reason for reason in reasons if reason))
    raise FetchError(f"{card.name} is not available: {told}. {remedy}")


def _reason(place: str, card: Card, error: FetchError) -> str:
    """Say in a few words what a place answered; empty where it never had the form."""
    if isinstance(error, Missing) and place == "cache":
        return f"not in the cache ({cache.home() / card.folder})"
    return str(error)


def where(card: Card) -> str:
    """Say where the dataset stands, without reading or fetching it."""
    if not card.forms:
        return "bundled"
    for place, root in (("cache", cache.home()), ("mirror", mirror_folder())):
        for form in card.forms:
            if root and all((root / card.folder / file.name).is_file() for file in form.files):
                return place if form is card.forms[0] else f"{place} ({form.name})"
    if mirror_url():
        return "mirror (URL)"
    if any(all(file.fetchable for file in form.files) for form in card.forms):
        return "official"
    return "mirror only"


def mirror_folder() -> Path | None:
    """Return the mirror if one is set and is a folder's path."""
    named = os.environ.get(MIRROR_VARIABLE)
    return Path(named).expanduser() if named and not mirror_url() else None


def mirror_url() -> str | None:
    """Return the mirror if one is set and is a URL."""
    named = os.environ.get(MIRROR_VARIABLE, "")
    return named.rstrip("/") if named.startswith(("http://", "https://")) else None


def _from(place: str, card: Card, form: Form) -> Fetched:
    """Gather a form's files, none of them from beyond `place`."""
    found: dict[str, tuple[Path, str, str]] = {}  # name -> path, sha256, place
    absent = _gather_local(place, card, form, found)
    if absent:
        with cache.locked(card.folder):
            absent = _gather_local(place, card, form, found)  # another process may have been first
            if place == "mirror":
                _fetch_from_mirror(card, absent)
            else:
                _fetch_official(card, absent)
            for file in absent:
                path = cache.home() / card.folder / file.name
                found[file.name] = (path, cache.verify(path, file), place)
    return Fetched(
        card,
        form,
        paths={name: path for name, (path, _, _) in found.items()},
        origin=max((place for _, _, place in found.values()), key=PLACES.index),
        checksums={name: digest for name, (_, digest, _) in found.items()},
    )


def _gather_local(
    place: str, card: Card, form: Form, found: dict[str, tuple[Path, str, str]]
) -> list[File]:
    """Find what is on disk; give what is not, or raise where nothing more can be fetched."""
    absent = []
    for file in form.files:
        try:
            found[file.name] = _local(place, card, file)
        except (Missing, Damaged):
            if place == "cache" or place == "mirror" and not mirror_url():
                raise
            absent.append(file)
    return absent


def _local(place: str, card: Card, file: File) -> tuple[Path, str, str]:
    path = cache.home() / card.folder / file.name
    try:
        return path, cache.verify(path, file), "cache"
    except Damaged as error:
        progress.say_once(f"{error}; it is looked for elsewhere")
        if place == "cache":
            raise
    except Missing:
        if place == "cache":
            raise
    root = mirror_folder()
    if root is None:
        raise Missing(f"no mirror is set ({MIRROR_VARIABLE})")
    if not root.is_dir():
        raise Missing(f"the mirror {root} ({MIRROR_VARIABLE}) is not a folder")
    path = root / card.folder / file.name
    try:
        return path, cache.verify(path, file), "mirror"
    except Damaged as error:
        progress.say_once(f"{error}; it is looked for elsewhere")
        raise


def _fetch_from_mirror(card: Card, files: list[File]) -> None:
    for file in files:
        url = f"{mirror_url()}/{card.folder}/{file.name}"
        _sound((url,), partial(_fetch_plain, card, file))


def _fetch_official(card: Card, files: list[File]) -> None:
    """Fetch plain files one by one, and each archive once for all that is in it."""
    for file in files:
        if not file.fetchable:
            raise Missing("")  # the form exists on mirrors alone, which the card's note says
    for file in (file for file in files if file.urls):
        _sound(file.urls, partial(_fetch_plain, card, file))
    packed = list(dict.fromkeys(file.archive for file in files if file.archive and not file.urls))
    for archive in packed:
        members = [file for file in files if file.archive == archive]
        _sound(archive.urls, partial(_fetch_packed, card, archive, members))


def _sound(urls: tuple[str, ...], get: Callable[[str], None]) -> None:
    """Get from the first URL that answers; wrong bytes are fetched once again."""
    problems = []
    for url in urls:
        try:
            try:
                get(url)
            except Damaged as error:
                progress.say(f"{url}: {error}; fetching it once again")
                get(url)
            return
        except (Missing, Unreachable) as error:
            problems.append(str(error))
        except Damaged as error:
            problems.append(f"{url} sent wrong bytes twice ({error})")
    raise Missing("; ".join(problems))


def _aside(card: Card, name: str) -> Path:
    return cache.home() / card.folder / ".partial" / name


def _fetch_plain(card: Card, file: File, url: str) -> None:
    _say_licence(card, url)
    aside = _aside(card, file.name)
    transfer.fetch_url(url, aside, limit_bytes=file.limit_bytes, label=f"{card.name} · {file.name}")
    _place(card, file, aside)


def _fetch_packed(card: Card, archive: Archive, files: list[File], url: str) -> None:
    """Fetch an archive, take the wanted members out of it, and delete it."""
    _say_licence(card, url)
    name = url.rsplit("/", 1)[-1]
    packed = _aside(card, name)
    transfer.fetch_url(url, packed, limit_bytes=archive.limit_bytes, label=f"{card.name} · {name}")
    try:
        if archive.sha256 and cache.sha256_of(packed) != archive.sha256:
            raise Damaged(f"{name} does not have the sha256 of the dataset's card")
        for file in files:
            aside = _aside(card, file.name + ".unpacked")
            _unpack(packed, archive, file, aside)
            _place(card, file, aside)
    finally:
        packed.unlink(missing_ok=True)


def _unpack(packed: Path, archive: Archive, file: File, target: Path) -> None:
    limit = file.bytes or archives.LIMIT_BYTES
    try:
        if archive.kind == "gzip":
            archives.write_gunzipped(packed, target, limit_bytes=limit)
        else:
            assert file.member is not None, file.name
            archives.write_member(packed, file.member, target, limit_bytes=limit)
    except (OSError, Damaged) as error:
        target.unlink(missing_ok=True)
        if isinstance(error, OSError) and transfer.is_full(error):
            raise transfer.full_disk(target.parent, limit) from error
        raise


def _place(card: Card, file: File, aside: Path) -> None:
    """Move a verified file into the cache; a wrong one is deleted."""
    try:
        digest = cache.check(aside, file)
    except Damaged:
        aside.unlink()
        raise
    target = cache.home() / card.folder / file.name
    aside.replace(target)
    cache.record(target, file, digest)


def _say_licence(card: Card, url: str) -> None:
    """Show what the licence forbids, once it is known that there is somewhere to download from."""
    transfer.check_host(url)
    if card.restriction:
        progress.say_once(
            f"{card.title} is under a licence that restricts its use: {card.restriction} "
            f"See {card.homepage}"
        )
