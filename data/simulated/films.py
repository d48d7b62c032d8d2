"""A seeded world of films and of people searching for them, with the right answers known.

The offline stand-in for a judged search collection. A film has one **theme** (a heist, a
haunting, …): the theme decides its genres, the words of its overview and its tags. A query is
written from a planted **intent**, and the intent alone decides the judgments:

    title     words of a title, often with search noise ("movie", "2014"): that film 2, its series 1
    person    an actor or director: each of their films 2
    theme     everyday words for a theme ("robbery"), which its overviews mostly say in other words
              ("heist", "vault", …): films of the theme 2 where well voted, else 1
    mixed     a person and a theme: their films on the theme 2, their other films 1

So the world holds what each stage is for: exact names, where the inverted index is best; theme
words that only co-occur with the document's words, where the dense encoder is best; and votes,
which only a learned ranker can use. Shapes follow the Movie Search Ranking Dataset: 24 judged
documents a query, the non-relevant drawn mostly from films that share words with the query.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from data.tables import SearchCollection, Source

INTENTS = ("title", "person", "theme", "mixed")


@dataclass(frozen=True)
class Theme:
    """What one theme plants: genres, the everyday query words and the words overviews use."""

    genres: tuple[str, ...]
    everyday: tuple[str, ...]
    written: tuple[str, ...]


THEMES: dict[str, Theme] = {
    "heist": Theme(
        ("Crime", "Thriller"),
        ("robbery", "bank thieves", "stealing money"),
        ("heist", "vault", "crew", "loot", "safecracker", "getaway", "casino", "diamonds"),
    ),
    "haunting": Theme(
        ("Horror",),
        ("ghosts", "haunted house", "scary spirits"),
        ("mansion", "apparition", "seance", "curse", "cellar", "poltergeist", "exorcist", "grave"),
    ),
    "space": Theme(
        ("Science Fiction", "Adventure"),
        ("outer space", "astronauts", "alien planet"),
        ("starship", "colony", "orbit", "galaxy", "wormhole", "crewmate", "lunar", "reactor"),
    ),
    "romance": Theme(
        ("Romance", "Comedy"),
        ("love story", "dating", "falling in love"),
        ("wedding", "sweetheart", "engagement", "bakery", "letters", "bride", "matchmaker", "kiss"),
    ),
    "war": Theme(
        ("War", "Drama"),
        ("soldiers", "world war", "army battle"),
        ("platoon", "trenches", "sergeant", "bunker", "regiment", "armistice", "sniper", "convoy"),
    ),
    "kids": Theme(
        ("Animation", "Family"),
        ("cartoon", "talking animals", "for children"),
        ("puppy", "kingdom", "dragon", "toymaker", "penguin", "meadow", "lullaby", "squirrel"),
    ),
    "courtroom": Theme(
        ("Drama", "Mystery"),
        ("lawyers", "murder trial", "legal drama"),
        ("verdict", "jury", "testimony", "attorney", "witness", "judge", "appeal", "prosecutor"),
    ),
    "western": Theme(
        ("Western",),
        ("cowboys", "wild west", "gunfight"),
        ("saloon", "sheriff", "ranch", "outlaw", "stagecoach", "rustlers", "prairie", "marshal"),
    ),
    "boxing": Theme(
        ("Drama", "Sport"),
        ("fighter", "sports underdog", "boxing match"),
        ("ring", "trainer", "knockout", "gym", "contender", "champion", "gloves", "rematch"),
    ),
    "spies": Theme(
        ("Action", "Thriller"),
        ("secret agent", "spy", "undercover"),
        ("embassy", "dossier", "defector", "cipher", "microfilm", "assassin", "handler", "border"),
    ),
    "chef": Theme(
        ("Comedy", "Drama"),
        ("cooking", "restaurant", "food"),
        ("kitchen", "recipe", "chef", "bistro", "critic", "soup", "oven", "spices"),
    ),
    "pirates": Theme(
        ("Adventure", "Fantasy"),
        ("pirates", "sea adventure", "treasure hunt"),
        ("galleon", "captain", "mutiny", "lagoon", "cutlass", "map", "buccaneer", "island"),
    ),
}
FILLER = tuple(
    "young old lost hidden last first small city family friend father mother brother night day "
    "finds must discovers returns leaves faces past future truth promise choice life world town "
    "years home stranger journey plan chance trust danger summer winter river road".split()
)
ADJECTIVES = tuple(
    "Silent Golden Broken Crimson Distant Final Frozen Hollow Iron Midnight Restless Scarlet "
    "Secret Shattered Velvet Burning Wandering Emerald Forgotten Quiet".split()
)
SYLLABLES = tuple("ba den ka lor mi nes o pra ri sel ta u vin wy zo har gil fen jo mar".split())
NOISE = ("", "", "", " movie", " film", " netflix", " cast", " full movie", " dvd", " trailer")
THEME_NAMES = tuple(THEMES)


def generate(
    *, seed: int = 0, films: int = 2000, queries: int = 800, judged: int = 24
) -> SearchCollection:
    """Draw a world: `films` documents, `queries` distinct queries, `judged` labels a query."""
    for name, value, low in (("films", films, 50), ("queries", queries, 20), ("judged", judged, 4)):
        if value < low:
            raise ValueError(f"{name} must be at least {low}, got {value}; choose a larger number")
    rng = np.random.default_rng(seed)
    documents = _films(rng, films)
    truth = Truth(documents)
    query_rows, judgment_rows = _queries(rng, truth, queries, judged)
    checksum = hashlib.sha256(documents.write_json().encode()).hexdigest()
    source = Source(
        name="simulated-films",
        origin="simulated",
        title="Simulated films and searches with planted intents",
        licence="Apache-2.0 (generated)",
        checksums={"documents": checksum},
        rows=f"{films:,} films, {len(query_rows):,} queries, {len(judgment_rows):,} judgments",
    )
    return SearchCollection(
        source=source,
        documents=documents.drop("theme"),
        queries=pl.DataFrame(query_rows, schema=["query_id", "query", "intent"], orient="row"),
        judgments=pl.DataFrame(
            judgment_rows,
            schema={"query_id": pl.String, "doc_id": pl.String, "grade": pl.Int8},
            orient="row",
        ),
    )


def _people(rng: np.random.Generator, count: int) -> list[str]:
    """`count` distinct invented names of two words."""
    names: dict[str, None] = {}
    while len(names) < count:
        parts = ["".join(rng.choice(SYLLABLES, rng.integers(2, 4))).title() for _ in range(2)]
        names[" ".join(parts)] = None
    return list(names)


def _films(rng: np.random.Generator, count: int) -> pl.DataFrame:
    """The documents, with the planted `theme` as an extra column."""
    people = _people(rng, max(20, count // 6))
    rows: list[dict[str, Any]] = []
    for row in range(count):
        theme = str(rng.choice(THEME_NAMES))
        title = _title(rng, theme, people)
        if rows and rng.random() < 0.12:  # a sequel: same theme, the previous title and a number
            theme, title = rows[-1]["theme"], _sequel(rows[-1]["title"])
        cast = [str(name) for name in rng.choice(people, 5, replace=False)]
        overview = _overview(rng, THEMES[theme], people)
        rows.append(
            {
                "doc_id": str(1000 + row),
                "title": title,
                "text": overview,
                "overview": overview,
                "tags": _tags(rng, THEMES[theme]),
                "genres": list(THEMES[theme].genres),
                "director": cast[0],
                "actors": cast[1:],
                "characters": [str(name).split()[0] for name in rng.choice(people, 4)],
                "year": int(rng.integers(1970, 2024)),
                "theme": theme,
            }
        )
    votes = np.maximum(0, rng.lognormal(5.0, 1.6, count)).astype(np.int64)
    return pl.DataFrame(rows).with_columns(
        votes=pl.Series(votes),
        rating=pl.Series(np.clip(rng.normal(6.4, 1.0, count), 0, 10).round(1)),
        popularity=pl.Series((votes**0.7 * rng.lognormal(0, 0.5, count) + 1).round(2)),
        budget=pl.Series((votes * rng.lognormal(9, 1, count)).astype(np.int64)),
    )


def _title(rng: np.random.Generator, theme: str, people: list[str]) -> str:
    """An adjective and a theme word, or an invented name and a noun."""
    noun = str(rng.choice(THEMES[theme].written)).title()
    if rng.random() < 0.5:
        return f"The {rng.choice(ADJECTIVES)} {noun}"
    return f"{str(rng.choice(people)).split()[1]}'s {noun}"


def _sequel(title: str) -> str:
    """The next title of a series: `X` -> `X 2` -> `X 3`."""
    stem, _, number = title.rpartition(" ")
    return f"{stem} {int(number) + 1}" if number.isdigit() else f"{title} 2"


def _overview(rng: np.random.Generator, theme: Theme, people: list[str]) -> str:
    """About 24 words: filler, five written words of the theme, rarely an everyday one."""
    words = list(rng.choice(FILLER, 18)) + list(rng.choice(theme.written, 5))
    if rng.random() < 0.15:
        words += str(rng.choice(theme.everyday)).split()
    rng.shuffle(words)
    return f"{str(rng.choice(people)).split()[0]} " + " ".join(str(word) for word in words) + "."


def _tags(rng: np.random.Generator, theme: Theme) -> list[str]:
    """Up to three tags; an everyday phrase is now and then among them, and links the words."""
    tags = [str(tag) for tag in rng.choice(theme.written, rng.integers(0, 3), replace=False)]
    return tags + ([str(rng.choice(theme.everyday))] if rng.random() < 0.2 else [])


class Truth:
    """The planted answers: for an intent, the grade of every film."""

    def __init__(self, documents: pl.DataFrame) -> None:
        self.documents = documents
        self.doc_ids = documents["doc_id"].to_list()
        self.titles = documents["title"].to_list()
        self.themes = np.array(documents["theme"].to_list())
        self.well_voted = documents["votes"].to_numpy() >= documents["votes"].median()
        self.series = np.array([title.rstrip(" 0123456789") for title in self.titles])
        self.people: dict[str, list[int]] = {}
        for row, (director, actors) in enumerate(
            documents.select("director", "actors").iter_rows()
        ):
            for name in [director, *actors]:
                self.people.setdefault(name, []).append(row)
        self.names = sorted(self.people)

    def title(self, row: int) -> np.ndarray:
        """Grade 2 for films of exactly this title, 1 for the rest of the series."""
        grades = (self.series == self.series[row]).astype(np.int8)
        grades[[index for index, title in enumerate(self.titles) if title == self.titles[row]]] = 2
        return grades

    def person(self, name: str) -> np.ndarray:
        """Grade 2 for each film of a person."""
        grades = np.zeros(len(self.titles), np.int8)
        grades[self.people[name]] = 2
        return grades

    def theme(self, theme: str) -> np.ndarray:
        """Grade 2 for a theme's films with at least the median votes, 1 for its others."""
        on_theme = self.themes == theme
        return (on_theme * (1 + self.well_voted)).astype(np.int8)

    def mixed(self, name: str, theme: str) -> np.ndarray:
        """Grade 2 for a person's films on the theme, 1 for their others."""
        grades = self.person(name) // 2
        return (grades * (1 + (self.themes == theme))).astype(np.int8)


def _draw(rng: np.random.Generator, truth: Truth, intent: str) -> tuple[str, np.ndarray]:
    """One query text and the grade of every film under its intent."""
    row = int(rng.integers(len(truth.titles)))
    theme = str(truth.themes[row])
    everyday = str(rng.choice(THEMES[theme].everyday))
    noise = str(rng.choice(NOISE))
    if intent == "title":
        year = f" {truth.documents['year'][row]}" if rng.random() < 0.15 else ""
        return truth.titles[row].lower().removeprefix("the ") + year + noise, truth.title(row)
    name = str(rng.choice(truth.names))
    if intent == "person":
        return name.lower() + noise, truth.person(name)
    if intent == "mixed":
        theme = str(truth.themes[truth.people[name][0]])
        everyday = str(rng.choice(THEMES[theme].everyday))
        return f"{name.lower()} {everyday}", truth.mixed(name, theme)
    flavour = str(rng.choice(FILLER)) if rng.random() < 0.7 else ""
    return f"{flavour} {everyday}{noise}".strip(), truth.theme(theme)


def _queries(
    rng: np.random.Generator, truth: Truth, count: int, judged: int
) -> tuple[list[tuple[str, str, str]], list[tuple[str, str, int]]]:
    """Distinct queries with their judged documents: up to half relevant, the rest look-alikes."""
    words = [_words(row) for row in truth.documents.iter_rows(named=True)]
    seen: set[str] = set()
    query_rows: list[tuple[str, str, str]] = []
    judgment_rows: list[tuple[str, str, int]] = []
    for _ in range(count * 20):
        if len(query_rows) == count:
            break
        intent = str(rng.choice(INTENTS, p=(0.45, 0.2, 0.2, 0.15)))
        text, grades = _draw(rng, truth, intent)
        if text in seen:
            continue
        seen.add(text)
        query_id = f"q{len(query_rows)}"
        query_rows.append((query_id, text, intent))
        for row in _pool(rng, set(text.split()), words, grades, judged):
            judgment_rows.append((query_id, truth.doc_ids[row], int(grades[row])))
    return query_rows, judgment_rows


def _words(film: dict) -> set[str]:
    """The lower-case words of a film that a lexical search would see."""
    text = [film["title"], film["overview"], film["director"], *film["actors"], *film["tags"]]
    return set(" ".join(text).lower().replace("'s", "").replace(".", "").split())


def _pool(
    rng: np.random.Generator,
    query_words: set[str],
    words: list[set[str]],
    grades: np.ndarray,
    judged: int,
) -> np.ndarray:
    """Rows to judge: up to half relevant, then non-relevant films sharing most words, shuffled."""
    relevant = rng.permutation(np.flatnonzero(grades))[: judged // 2]
    shared = np.array([len(query_words & film) for film in words]) + rng.random(len(words))
    others = np.argsort(-np.where(grades > 0, -1.0, shared))[: judged - len(relevant)]
    return rng.permutation(np.concatenate([relevant, others]))
