"""Events and catalogues by hand, for tests that plant what must be found, and a tiny pipeline."""

import numpy as np

from patterns.recsys.config import CandidateOptions, Config, RankingOptions, WorldOptions
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events

TINY = Config(
    dataset="simulated-movies",
    device="cpu",
    world=WorldOptions(users=60, events=2_500, items=150),
    candidates=CandidateOptions(
        per_source=30, keep=40, als_factors=8, als_iterations=3, tower_epochs=1
    ),
    ranking=RankingOptions(model="lightgbm", trees=5),
)


def events(*rows: tuple[int, int, int]) -> Events:
    """Give events from (user, item, time)."""
    users, items, times = (
        np.array(column, dtype=np.int64)
        for column in (zip(*rows, strict=True) if rows else ([], [], []))
    )
    return Events(users, items, np.full(len(users), np.nan, dtype=np.float32), times)


def catalogue_of(users: int, items: int, **known: object) -> Catalogue:
    """Give a catalogue of which nothing is known but what is given."""
    nothing = {
        "item_ids": np.arange(items).astype(str),
        "titles": np.array([f"Film {row}" for row in range(items)]),
        "genres": np.ones((items, 1), np.float32),
        "genre_names": ("none",),
        "years": np.full(items, np.nan, np.float32),
        "user_ids": np.arange(users).astype(str),
        "segments": np.zeros((users, 1), np.int64),
        "segment_sizes": (1,),
        "segment_names": ("none",),
    }
    return Catalogue(**(nothing | known))  # type: ignore[arg-type]
