"""Finding a dataset's files: cache, then mirror, then the official place.

Look-up order, for every form of the dataset at each place:

    cache     ML_PATTERNS_HOME (default: the user's cache folder), laid out <folder>/<file>
    mirror    ML_PATTERNS_MIRROR, a folder or an http URL of the same layout
    official  the URLs of the card

A folder mirror is read in place, an URL mirror is copied to the cache. Every file is verified
before it is used. What is missing at one place is looked for at the next; what is there but wrong
is said aloud.
"""

from __future__ import annotations

import os
from pathlib import Path

from data import cache
from data.cards import Card, Fetched, File, Form
from data.errors import FetchError, Missing, Unreachable

MIRROR_VARIABLE = "ML_PATTERNS_MIRROR"
PLACES = ("cache", "mirror", "official")


def fetch(card: Card) -> Fetched:
    """Give the verified files of the first form that can be had, fetching what must be."""
    reasons = []
    for place in PLACES:
        for form in card.forms:
            try:
                return _from(place, card, form)
            except (Missing, Unreachable) as error:
                reasons.append(str(error))
    raise FetchError(f"{card.name} cannot be had. {card.remedy}")


def _from(place: str, card: Card, form: Form) -> Fetched:
    paths: dict[str, Path] = {}
    digests: dict[str, str] = {}
    for file in form.files:
        path = _find(place, card, file)
        digests[file.name] = cache.verify(path, file)
        paths[file.name] = path
    return Fetched(card, form, paths, place, digests)


def _find(place: str, card: Card, file: File) -> Path:
    cached = cache.home() / card.folder / file.name
    if place == "cache" or cached.is_file():
        return cached
    mirror = os.environ.get(MIRROR_VARIABLE)
    if place == "mirror" and mirror:
        return Path(mirror) / card.folder / file.name
    raise Missing(f"{file.name}: not at {place}")
