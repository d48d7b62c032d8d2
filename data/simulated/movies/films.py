"""The films of the simulated world: genres, hidden taste, quality, popularity by day, overview.

    log popularity on day t = appeal + trend (t / days - 1/2) + 1.5 exp(-age / 20)

`appeal` falls with the rank as in Zipf's law, and better films tend to rank higher; `trend` lets a
film rise or fall over the period; what has just come out is fresh for some weeks. Of the films,
70 % were out before the first day.

The overview draws its nouns by the weights of the genres and its adjectives by the hidden taste.

Shapes: `N` films, `D` taste (genres, then hidden), `Q` cards of a deck.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from data.simulated.movies.people import dates, joint
from data.simulated.movies.words import (
    GENRE_NOUNS,
    GENRES,
    HEROES,
    HIDDEN,
    HIDDEN_ADJECTIVES,
    TEMPLATES,
    TITLE_ADJECTIVES,
    TITLE_NOUNS,
    VERBS,
)

FRESH_DAYS = 20
_WORDS = 3  # nouns and adjectives of an overview


@dataclass(frozen=True)
class Films:
    """The table of items, and what it does not tell."""

    frame: pl.DataFrame
    taste: np.ndarray  # (N, D) float32 unit vectors
    quality: np.ndarray  # (N,) float32 stars above or below what taste says
    appeal: np.ndarray  # (N,) log popularity in the middle of the period
    trend: np.ndarray  # (N,) change of log popularity over the period
    released: np.ndarray  # (N,) int64 day, below 0 for what was out before
    runtime: np.ndarray  # (N,) int64 minutes


def draw_films(rng: np.random.Generator, items: int, days: int) -> Films:
    """Draw films with one to three genres."""
    genres = _genres(rng, items)
    hidden = rng.normal(size=(items, len(HIDDEN)))
    quality = rng.normal(0, 0.4, items)
    rank = np.argsort(np.argsort(-(quality + rng.normal(0, 0.8, items))))
    released = np.where(rng.random(items) < 0.7, -1, rng.integers(0, days, items))
    released[0] = -1  # there is something to see on the first day
    old = -rng.geometric(0.12, items)  # years before the period
    released = np.where(released < 0, old * 365 - rng.integers(0, 300, items), released)
    short = rng.random(items) < 0.25
    runtime = np.where(short, rng.integers(8, 45, items), rng.normal(106, 17, items).clip(62, 210))
    runtime = runtime.astype(np.int64)
    release_date = dates(released)
    frame = pl.DataFrame(
        {
            "item_id": [f"m{number:05d}" for number in range(items)],
            "title": _titles(rng, items),
            "genres": [[GENRES[g] for g in np.flatnonzero(row)] for row in genres],
            "year": release_date.dt.year().cast(pl.Int32),
            "text": _overviews(rng, genres, hidden),
            "runtime_minutes": runtime.astype(np.int32),
            "release_date": release_date,
        }
    )
    return Films(
        frame,
        taste=joint(genres, hidden).astype(np.float32),
        quality=quality.astype(np.float32),
        appeal=-0.9 * np.log1p(rank),
        trend=rng.normal(0, 0.7, items),
        released=released,
        runtime=runtime,
    )


def decks(rng: np.random.Generator, films: Films, days: int) -> np.ndarray:
    """Lay out one deck of cards a day (days, Q), each film on cards in proportion to popularity.

    A card drawn at random is then a film drawn by popularity, in two look-ups. A film worth less
    than one card is on some days' decks and not on others' (systematic resampling).
    """
    cards = 1 << max(14, (2 * len(films.taste)).bit_length())
    deck = np.empty((days, cards), dtype=np.int32)
    for day in range(days):
        cumulated = np.cumsum(popularity_on(films, day, days))
        drawn = (np.arange(cards) + rng.random()) / cards * cumulated[-1]
        deck[day] = np.searchsorted(cumulated, drawn, side="right")
    return deck


def popularity_on(films: Films, day: int, days: int) -> np.ndarray:
    """Return the popularity (N,) of a day, not scaled; 0 for what is not out yet."""
    age = day - films.released
    fresh = 1.5 * np.exp(-np.maximum(age, 0) / FRESH_DAYS)
    odds = films.appeal + films.trend * (day / days - 0.5) + fresh
    return np.where(age >= 0, np.exp(odds), 0.0)


def _genres(rng: np.random.Generator, items: int) -> np.ndarray:
    """Draw the weights (N, genres) of one to three genres each."""
    weights = np.zeros((items, len(GENRES)))
    share = rng.dirichlet(np.full(len(GENRES), 2.0))
    for weight, chance in ((1.0, 1.0), (0.6, 0.7), (0.3, 0.3)):
        takes = np.flatnonzero(rng.random(items) < chance)
        weights[takes, rng.choice(len(GENRES), len(takes), p=share)] += weight
    return weights


def _titles(rng: np.random.Generator, items: int) -> list[str]:
    first = rng.integers(len(TITLE_ADJECTIVES), size=items)
    second = rng.integers(len(TITLE_NOUNS), size=items)
    return [
        f"The {TITLE_ADJECTIVES[a]} {TITLE_NOUNS[b]} {number}"
        for number, (a, b) in enumerate(zip(first, second, strict=True), 1)
    ]


def _overviews(rng: np.random.Generator, genres: np.ndarray, hidden: np.ndarray) -> list[str]:
    """Write one sentence a film."""
    items = len(genres)
    genre = _drawn_columns(rng, genres)  # (N, words)
    dimension = _drawn_columns(rng, np.abs(hidden))
    above = np.take_along_axis(hidden, dimension, axis=1) > 0
    word = rng.integers(8, size=(2, items, _WORDS))
    others = rng.integers((len(HEROES), len(VERBS), len(TEMPLATES)), size=(items, 3))
    texts = []
    for row in range(items):
        nouns = [GENRE_NOUNS[GENRES[genre[row, n]]][word[0, row, n]] for n in range(_WORDS)]
        moods = [
            HIDDEN_ADJECTIVES[HIDDEN[dimension[row, n]]][int(above[row, n])][word[1, row, n]]
            for n in range(_WORDS)
        ]
        hero, verb, template = others[row]
        texts.append(_sentence(TEMPLATES[template], HEROES[hero], VERBS[verb], nouns, moods))
    return texts


def _sentence(template: str, hero: str, verb: str, nouns: list[str], moods: list[str]) -> str:
    words = {f"noun{n}": noun for n, noun in enumerate(nouns)}
    words |= {f"mood{n}": mood for n, mood in enumerate(moods)}
    sentence = template.format(
        **words, hero=hero, Hero=hero.capitalize(), Mood0=moods[0].capitalize(), verb=verb
    )
    return sentence


def _drawn_columns(rng: np.random.Generator, weights: np.ndarray) -> np.ndarray:
    """Draw columns (N, words) of each row in proportion to its weights (N, columns)."""
    cumulated = np.cumsum(weights, axis=1)
    drawn = rng.random((len(weights), _WORDS)) * cumulated[:, -1:]
    return (drawn[:, :, None] >= cumulated[:, None, :]).sum(2)
