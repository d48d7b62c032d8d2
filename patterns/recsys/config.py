"""Configuration of the recommender, and the presets to start from.

Defaults that were tuned were tuned on the validation window of MovieLens 100K, the others are plain
starting values. What a run chooses itself (shares of the sources, ranker and its length, the list
served, the trade-off of the re-ranker) is chosen on its own validation window.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval

from common.config import RunConfig
from common.own_files import TimedTableOptions

NAME = "recsys"


@dataclass(frozen=True)
class DataOptions(TimedTableOptions):
    """Where files of your own lie and how their columns are called (`--dataset csv`)."""

    path: Path | None = None
    """CSV file of interactions; this or `train` is needed with `--dataset csv`."""
    train: Path | None = None
    """CSV file of the events to learn from, if your data is split already; `test` goes with it."""
    valid: Path | None = None
    """CSV file of your validation events; without it they are cut out of `train`."""
    test: Path | None = None
    """CSV file of your test events."""
    user: str = "user_id"
    """Column of the user's id."""
    item: str = "item_id"
    """Column of the item's id."""
    rating: str | None = None
    """Column of the rating, if there is one; without it every row counts the same."""
    rating_range: tuple[float, float] | None = None
    """Lowest and highest rating there may be; others are refused."""
    unrated: float | None = None
    """Rating that says that none was given, such as 0 or -1: the event counts, without a rating."""
    timestamp: tuple[str, ...] = ()
    """Column of the time, as dates or seconds since 1970, or several that make it up, such as date
    and hour; by default `timestamp`, if there is one."""
    weight: str | None = None
    """Column of a count (plays, quantity) that weighs events, if there is one, above 0."""
    device: str | None = None
    """Column of the device, if there is one."""
    context: tuple[str, ...] = ()
    """Further columns of the events, as categories that the ranker reads and a request may give."""
    repeats: Literal["auto", "keep", "once"] = "auto"
    """Whether what a user has had may be recommended again (keep: groceries, music) or is left out
    (once: films); auto decides by the share of events that repeat a pair."""
    watch_seconds: str | None = None
    """Column of the seconds watched, if there is one."""
    users: Path | None = None
    """CSV file of users with their id and any of age, gender, occupation."""
    items: Path | None = None
    """CSV file of items with their id and any of title, genres, year, text, runtime_minutes."""
    users_columns: tuple[str, ...] = ()
    """Names of all columns of `users`, if it has no header row."""
    items_columns: tuple[str, ...] = ()
    """Names of all columns of `items`, if it has no header row."""
    names: tuple[str, ...] = ()
    """Columns of `users` and `items` that are called otherwise, such as title=Book-Title."""
    texts: Literal["own", "msrd"] = "own"
    """Texts of films: what the dataset has, or the overviews of msrd too, joined by TMDB id
    (movielens-latest-small has it)."""


@dataclass(frozen=True)
class WorldOptions:
    """Size of the simulated world, if it is used."""

    users: Annotated[int, Interval(ge=50, le=10_000_000)] = 1_200
    """Users."""
    events: Annotated[int, Interval(ge=1_000, le=100_000_000)] = 60_000
    """Events."""
    items: Annotated[int, Interval(ge=0, le=10_000_000)] = 0
    """Items; 0 lets them grow with the users."""


@dataclass(frozen=True)
class SplitOptions:
    """How the events are cut into train, validation and test."""

    by: Literal["auto", "time", "user"] = "auto"
    """time: once for everyone; user: each user's events, the latest held out; auto: in time, or
    without times a random share of each user's events."""
    valid_share: Annotated[float, Interval(ge=0.01, le=0.45)] = 0.15
    """Share of the events on which rankers are fitted and choices are made."""
    test_share: Annotated[float, Interval(ge=0.01, le=0.45)] = 0.15
    """Share of the events, the latest or held out of each user, read once for the report."""


@dataclass(frozen=True)
class CandidateOptions:
    """From the catalogue to candidates."""

    per_source: Annotated[int, Interval(ge=1, le=10_000)] = 150
    """Candidates that each source gives."""
    keep: Annotated[int, Interval(ge=1, le=10_000)] = 200
    """Candidates that go to the ranker after the merge."""
    shares: Literal["chosen", "equal"] = "chosen"
    """What each source counts in the merge: chosen on validation, or all alike."""
    half_life_days: Annotated[float, Interval(ge=0.01, le=100_000)] = 30.0
    """Days after which an event counts half in popularity."""
    als_factors: Annotated[int, Interval(ge=1, le=1024)] = 64
    """Dimensions of the ALS factors."""
    als_iterations: Annotated[int, Interval(ge=1, le=1000)] = 15
    """Alternations of ALS."""
    als_regularization: Annotated[float, Interval(ge=1e-6, le=10_000)] = 20.0
    """L2 weight of ALS."""
    als_confidence: Annotated[float, Interval(ge=1, le=1000)] = 2.0
    """Confidence of an observed pair; an unobserved one has 1."""
    neighbours: Annotated[int, Interval(ge=1, le=10_000)] = 300
    """Neighbours of each item in item-kNN."""
    shrinkage: Annotated[float, Interval(ge=0, le=100_000)] = 50.0
    """Added to the norms in the cosine of item-kNN: pulls rare pairs to 0."""
    ease_regularization: Annotated[float, Interval(ge=1e-3, le=1e6)] = 300.0
    """L2 weight of EASE."""
    ease_items: Annotated[int, Interval(ge=1, le=50_000)] = 6_000
    """Items that EASE sees, the most popular ones; its time grows with the cube."""
    tower_dimension: Annotated[int, Interval(ge=4, le=1024)] = 64
    """Dimensions of the two-tower embeddings."""
    tower_epochs: Annotated[int, Interval(ge=1, le=1000)] = 8
    """Passes over the training events."""
    tower_events: Annotated[int, Interval(ge=1_000, le=1_000_000_000)] = 200_000
    """Largest number of events for the two-tower network; the latest are kept."""
    tower_learning_rate: Annotated[float, Interval(ge=1e-7, le=1)] = 0.01
    """Peak learning rate of the two-tower network."""
    tower_logq: bool = True
    """Correct the two-tower's softmax for the popularity of the items in a batch."""
    tower_hard_negatives: Annotated[int, Interval(ge=0, le=512)] = 32
    """Hard negatives of each event beside those of the batch; 0 for none."""
    encoder: str = "tfidf-svd"
    """Encoder of the items' texts: tfidf-svd, auto (a sentence transformer) or a hub name."""
    index: Literal["flat", "ivf", "hnsw", "pq", "ivf-pq", "milvus", "scann"] = "flat"
    """Index of the item vectors: a FAISS kind (flat is exact), or the extras milvus and scann."""


@dataclass(frozen=True)
class RankingOptions:
    """From candidates to an order."""

    model: Literal["best", "lightgbm", "wide-deep", "deepfm", "xdeepfm"] = "best"
    """The ranker to serve; `best` fits all and takes the best one on validation."""
    serve: Literal["best", "ranked"] = "best"
    """What is served: what validation prefers of popularity, the best source, the merged and the
    ranked list; or the ranked one whatever it says (so too with another objective than ctr)."""
    examples: Literal["candidates", "exposures"] = "candidates"
    """What rankers learn from: candidates of the sources, or what was shown and clicked by the log
    (simulated-movies has one)."""
    objective: Literal["ctr", "watch", "rating"] = "ctr"
    """What the ranker learns: clicks, minutes watched, or the rating."""
    second: Literal["auto", "none", "watch", "rating"] = "auto"
    """A second objective to weigh against the first; auto takes what the data knows."""
    second_weight: Annotated[float, Interval(ge=0, le=100)] = 0.5
    """Weight of the second objective when serving, chosen on validation of MovieLens 100K, where it
    beats 0 on both counts; the report draws the curve to choose it from."""
    trees: Annotated[int, Interval(ge=1, le=10_000)] = 300
    """Largest number of trees; early stopping may keep fewer."""
    leaves: Annotated[int, Interval(ge=2, le=1024)] = 15
    """Leaves of a tree."""
    learning_rate: Annotated[float, Interval(ge=1e-4, le=1)] = 0.05
    """Shrinkage of the trees."""
    epochs: Annotated[int, Interval(ge=1, le=1000)] = 4
    """Largest number of epochs of a neural ranker."""
    negative_share: Annotated[float, Interval(ge=0.001, le=1)] = 0.125
    """Share of the candidates without a click that rankers learn from, chosen on validation: an
    eighth orders as well as all, in half the time."""

    def __post_init__(self) -> None:
        """Check what spans two fields."""
        if self.second == self.objective:
            raise ValueError(
                f"ranking.second: {self.second} is the first objective already; give another, or"
                " none"
            )


@dataclass(frozen=True)
class RerankingOptions:
    """From the ranker's order to the page."""

    method: Literal["mmr", "bounded-greedy", "calibrated", "both"] = "bounded-greedy"
    """The penalty of a page: the largest or mean similarity within it, genres that differ from
    the history's, or both of the last two."""
    depth: Annotated[int, Interval(ge=1, le=10_000)] = 50
    """Ranked items that the re-ranker may choose from."""
    ndcg_budget: Annotated[float, Interval(ge=0, le=1)] = 0.02
    """Share of validation NDCG@10 that the re-ranker may cost."""
    similarity_cut: Annotated[float, Interval(ge=0, le=1)] = 0.2
    """Share of the pages' similarity (ILS@10) that it cuts, if that keeps to the budget."""
    genre_cap: Annotated[int, Interval(ge=0, le=100)] = 0
    """Largest number of items of one genre on a page, each counted for its rarest; 0 for no cap."""
    explore: Annotated[int, Interval(ge=0, le=10)] = 0
    """Last places of a page that go to new and rarely seen items; 0 for none."""


@dataclass(frozen=True)
class Config(RunConfig):
    """All of the recommender; `--dataset` also takes movielens-1m, movielens-latest-small, csv."""

    own_files = ("path", "train", "valid", "test", "users", "items")
    own_needed = ("path", "train")

    data: DataOptions = field(default_factory=DataOptions)
    world: WorldOptions = field(default_factory=WorldOptions)
    split: SplitOptions = field(default_factory=SplitOptions)
    candidates: CandidateOptions = field(default_factory=CandidateOptions)
    ranking: RankingOptions = field(default_factory=RankingOptions)
    reranking: RerankingOptions = field(default_factory=RerankingOptions)
    protocol: Literal["none", "ncf-ml1m", "recommenders-ml100k"] = "none"
    """Run a published protocol to the letter instead, and print it beside the published figures."""

    def __post_init__(self) -> None:
        """Check the fields, and what spans two of them."""
        super().__post_init__()
        users, events, items = self.world.users, self.world.events, self.world.items
        if events < users:
            raise ValueError(
                f"world.events: {events} is fewer than the {users} users; give --world.events"
                f" {users} or more"
            )
        if items and events > users * items // 2:  # nobody watches more than half of the catalogue
            raise ValueError(
                f"world.items: {items} is too few for {events} events of {users} users; give"
                f" --world.items {-(-2 * events // users)} or more, or 0"
            )


DEFAULT = Config()
PRESETS = {
    "smoke": replace(
        DEFAULT,
        dataset="simulated-movies",
        world=WorldOptions(users=200, events=8_000),
        candidates=CandidateOptions(
            per_source=50, keep=60, als_factors=8, als_iterations=5, tower_epochs=2
        ),
        ranking=RankingOptions(trees=30, epochs=1),
    ),
    "default": DEFAULT,
    "large": replace(
        DEFAULT,
        world=WorldOptions(users=20_000, events=1_000_000),
        candidates=CandidateOptions(als_factors=128, tower_dimension=128, tower_epochs=15),
        ranking=RankingOptions(trees=1000, leaves=31, epochs=15),
    ),
}
