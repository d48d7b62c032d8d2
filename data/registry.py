"""Every dataset by name: its card and its reader, and the choice between a public and a simulated.

    data.load("movielens-100k")      the table of a public dataset
    data.load("simulated-movies")    the table of a simulated world
    data.choose("auto", public=…, offline=…)   which of the two a run should use

Readers are imported when they are asked for, so naming the datasets costs nothing.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, TypeVar

from data import download
from data.cards import Card
from data.errors import FetchError

T = TypeVar("T")

# name -> (module of the card, its attribute, module of the reader, its function)
_PUBLIC: dict[str, tuple[str, str, str, str]] = {
    "movielens-100k": ("data.movielens_cards", "ML_100K", "data.movielens", "read_100k"),
    "movielens-1m": ("data.movielens_cards", "ML_1M", "data.movielens", "read_1m"),
    "movielens-latest-small": (
        "data.movielens_cards",
        "LATEST_SMALL",
        "data.movielens",
        "read_latest_small",
    ),
    "msrd": ("data.msrd", "CARD", "data.msrd", "read"),
    "handbook-fraud": ("data.handbook_fraud", "CARD", "data.handbook_fraud", "read"),
    "banking77": ("data.banking77", "CARD", "data.banking77", "read"),
    "sst2": ("data.sst2", "CARD", "data.sst2", "read"),
    "sms_spam": ("data.sms_spam", "CARD", "data.sms_spam", "read"),
    "ag_news": ("data.ag_news", "CARD", "data.ag_news", "read"),
    "wnut17": ("data.wnut17", "CARD", "data.wnut17", "read"),
    "wikigold": ("data.wikigold", "CARD", "data.wikigold", "read"),
    "squad": ("data.squad", "CARD", "data.squad", "read"),
    "multi30k": ("data.multi30k", "CARD", "data.multi30k", "read"),
    "fashion-mnist": ("data.fashion_mnist", "CARD", "data.fashion_mnist", "read"),
    "digits": ("data.digits", "CARD", "data.digits", "read"),
    "bccd": ("data.bccd", "CARD", "data.bccd", "read"),
    "nuclei": ("data.nuclei", "CARD", "data.nuclei", "read"),
    "camvid": ("data.camvid", "CARD", "data.camvid", "read"),
}

# name -> (module, function)
_SIMULATED: dict[str, tuple[str, str]] = {
    "simulated-movies": ("data.simulated.movies", "generate"),
    "simulated-films": ("data.simulated.films", "generate"),
    "simulated-transactions": ("data.simulated.transactions", "generate"),
    "simulated-intents": ("data.simulated.intents", "generate"),
    "simulated-entities": ("data.simulated.entities", "generate"),
    "simulated-questions": ("data.simulated.questions", "generate"),
    "simulated-translation": ("data.simulated.translation", "generate"),
    "simulated-cells": ("data.simulated.cells", "generate"),
    "simulated-nuclei": ("data.simulated.cells", "generate_nuclei"),
    "simulated-streets": ("data.simulated.streets", "generate"),
}

NAMES: tuple[str, ...] = (*_PUBLIC, *_SIMULATED)
PUBLIC_NAMES: tuple[str, ...] = tuple(_PUBLIC)
SIMULATED_NAMES: tuple[str, ...] = tuple(_SIMULATED)
SIMULATED_TASKS: dict[str, str] = {
    "simulated-movies": "recommendation",
    "simulated-films": "search",
    "simulated-transactions": "fraud detection",
    "simulated-intents": "text classification",
    "simulated-entities": "named-entity recognition",
    "simulated-questions": "question answering",
    "simulated-translation": "translation",
    "simulated-cells": "object detection",
    "simulated-nuclei": "instance segmentation",
    "simulated-streets": "semantic segmentation",
}


def load(name: str, *, seed: int = 0, **options: Any) -> Any:
    """Return the typed table of a dataset.

    A simulated world is made from `seed` and takes its sizes as options. A public dataset is the
    same for every seed; its one option is `form`, where it is published in several. The type is the
    table of its kind in `data.tables`.
    """
    if name in _SIMULATED:
        return _simulate(name, seed, options)
    if name not in _PUBLIC:
        raise ValueError(f"dataset: {name!r} is not known. Choose one of {', '.join(NAMES)}.")
    form = options.pop("form", None)
    if options:
        raise ValueError(
            f"{', '.join(sorted(options))}: not an option of {name}, which is a fixed dataset. "
            "Leave it out, or choose a simulated one."
        )
    _, _, module, function = _PUBLIC[name]
    reader = _attribute(module, function)
    if not card(name).forms:  # bundled with the install
        return reader()
    return reader(download.fetch(card(name), form=form))


def _simulate(name: str, seed: int, options: dict[str, Any]) -> Any:
    generate = _attribute(*_SIMULATED[name])
    known = set(inspect.signature(generate).parameters) - {"seed"}
    unknown = sorted(options.keys() - known)
    if unknown:
        raise ValueError(
            f"{unknown[0]}: not an option of {name}. Choose from {', '.join(sorted(known))}."
        )
    return generate(seed=seed, **options)


def choose(name: str, *, public: str, offline: str) -> tuple[str, str | None]:
    """Resolve "auto": the public dataset if available (it is fetched), else the offline one.

    Gives the name to load and, on the fallback, a notice saying why; any other name is given back.
    A bundled dataset can stand in for a simulated one.
    """
    if name != "auto":
        return name, None
    assert public in _PUBLIC and offline in NAMES, (public, offline)
    chosen = card(public)
    try:
        if chosen.forms:
            download.fetch(chosen)
        return public, None
    except FetchError as error:
        what = "simulated data" if offline in _SIMULATED else "bundled data"
        return offline, f"Running on {what} ({offline}): {error}"


def load_table(
    kind: type[T],
    name: str,
    *,
    public: str,
    offline: str,
    own: Sequence[str] = (),
    seed: int = 0,
    **options: Any,
) -> T:
    """Return the table that a pattern asks for: `name`, or with "auto" what `choose` gives.

    `options` are sizes of the world `offline` and reach nothing else; `own` are the names of the
    pattern's doors for own files. A fallback is told in the notice of the table's source; a name
    that is unknown, or whose table is not a `kind`, raises `ValueError` with those that are.
    """
    chosen, notice = choose(name, public=public, offline=offline)
    _check_kind(kind, chosen, own)
    table = load(chosen, seed=seed, **(options if chosen == offline else {}))
    assert isinstance(table, kind)
    if notice:
        table = replace(table, source=replace(table.source, notice=notice))  # type: ignore[type-var, attr-defined]
    return table


def _check_kind(kind: type[Any], name: str, own: Sequence[str]) -> None:
    """Raise unless the dataset's reader is declared to return `kind`."""
    if name in NAMES and _kind(name) == kind.__name__:
        return
    taken = [each for each in NAMES if _kind(each) == kind.__name__]
    problem = "is not known"
    if name in NAMES:
        problem = f"holds {_kind(name)}, but {kind.__name__} are needed"
    near = get_close_matches(name, [*taken, *own], n=1)
    guess = f"; did you mean {near[0]}?" if near else ""
    mine = f", or for your own files {', '.join(own)}" if own else ""
    raise ValueError(
        f"dataset: {name!r} {problem}; --dataset takes {', '.join(taken)}{mine}{guess}"
    )


def _kind(name: str) -> str:
    """Return the name of the type of a dataset's table."""
    module, function = _PUBLIC[name][2:] if name in _PUBLIC else _SIMULATED[name]
    return str(_attribute(module, function).__annotations__["return"])


def card(name: str) -> Card:
    """Return the card of a public dataset."""
    if name not in _PUBLIC:
        raise ValueError(f"dataset: {name!r} has no card. Choose one of {', '.join(_PUBLIC)}.")
    module, attribute, _, _ = _PUBLIC[name]
    found: Card = _attribute(module, attribute)
    return found


def _attribute(module: str, name: str) -> Any:
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function
