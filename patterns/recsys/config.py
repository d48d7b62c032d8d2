"""What can be turned in the recommender, and the presets to start from.

Defaults are plain starting values. What a run chooses itself (ranker, its length, the trade-off of
the re-ranker) is chosen on the validation window.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from common.config import RunConfig, check_range


@dataclass(frozen=True)
class DataConfig:
    """Where files of your own lie and how their columns are called (`--dataset csv`)."""

    path: Path | None = None
    """CSV file of interactions; needed with `--dataset csv`."""
    user: str = "user_id"
    """Column of the user's id."""
    item: str = "item_id"
    """Column of the item's id."""
    rating: str | None = None
    """Column of the rating, if there is one; without it every row counts the same."""
    rating_range: tuple[float, float] | None = None
    """Lowest and highest rating there may be; others are refused."""
    timestamp: str = "timestamp"
    """Column of the time, in seconds."""
    device: str | None = None
    """Column of the device, if there is one."""
    watch_seconds: str | None = None
    """Column of the seconds watched, if there is one."""
    users: Path | None = None
    """CSV file of users with their id and any of age, gender, occupation."""
    items: Path | None = None
    """CSV file of items with their id and any of title, genres, year, text, runtime_minutes."""
    texts: Literal["own", "msrd"] = "own"
    """What is written of films: what the dataset has, or the overviews of msrd too, joined by TMDB
    id (movielens-latest-small has it)."""


@dataclass(frozen=True)
class SplitConfig:
    """The global split in time: train, then validation, then test."""

    valid_share: float = 0.15
    """Share of the events, by time, on which rankers are fitted and choices are made."""
    test_share: float = 0.15
    """Share of the events, the latest, read once for the report."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_range("split.valid_share", self.valid_share, 0.01, 0.45)
        check_range("split.test_share", self.test_share, 0.01, 0.45)


@dataclass(frozen=True)
class CandidateConfig:
    """From the catalogue to candidates."""

    per_source: int = 150
    """Candidates that each source gives."""
    keep: int = 200
    """Candidates that go to the ranker after the merge."""
    half_life_days: float = 30.0
    """Days after which an event counts half in popularity."""
    als_factors: int = 64
    """Dimensions of the ALS factors."""
    als_iterations: int = 15
    """Alternations of ALS."""
    als_regularization: float = 20.0
    """L2 weight of ALS."""
    als_confidence: float = 2.0
    """Confidence of an observed pair; an unobserved one has 1."""
    neighbours: int = 300
    """Neighbours of each item in item-kNN."""
    shrinkage: float = 50.0
    """Added to the norms in the cosine of item-kNN: pulls rare pairs to 0."""
    ease_regularization: float = 300.0
    """L2 weight of EASE."""
    ease_items: int = 6_000
    """Items that EASE sees, the most taken ones; its time grows with the cube."""
    tower_dimension: int = 64
    """Dimensions of the two-tower embeddings."""
    tower_epochs: int = 8
    """Passes over the training events."""
    tower_events: int = 200_000
    """Events that the two-tower network learns from, the latest ones where there are more."""
    tower_learning_rate: float = 0.01
    """Peak learning rate of the two-tower network."""
    tower_hard_negatives: int = 32
    """Hard negatives of each event beside those of the batch; 0 for none."""
    encoder: str = "tfidf-svd"
    """Encoder of the items' texts: tfidf-svd, auto (a sentence transformer) or a hub name."""
    index: Literal["flat", "ivf", "hnsw", "pq", "ivf-pq", "milvus", "scann"] = "flat"
    """Index of the item vectors: a FAISS kind (flat is exact), or the extras milvus and scann."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_range("candidates.per_source", self.per_source, 1, 10_000)
        check_range("candidates.keep", self.keep, 1, 10_000)
        check_range("candidates.half_life_days", self.half_life_days, 0.01, 100_000)
        check_range("candidates.als_factors", self.als_factors, 1, 1024)
        check_range("candidates.als_iterations", self.als_iterations, 1, 1000)
        check_range("candidates.als_regularization", self.als_regularization, 1e-6, 10_000)
        check_range("candidates.als_confidence", self.als_confidence, 1, 1000)
        check_range("candidates.neighbours", self.neighbours, 1, 10_000)
        check_range("candidates.shrinkage", self.shrinkage, 0, 100_000)
        check_range("candidates.ease_regularization", self.ease_regularization, 1e-3, 1e6)
        check_range("candidates.ease_items", self.ease_items, 1, 50_000)
        check_range("candidates.tower_dimension", self.tower_dimension, 4, 1024)
        check_range("candidates.tower_epochs", self.tower_epochs, 1, 1000)
        check_range("candidates.tower_events", self.tower_events, 1_000, 1_000_000_000)
        check_range("candidates.tower_learning_rate", self.tower_learning_rate, 1e-7, 1)
        check_range("candidates.tower_hard_negatives", self.tower_hard_negatives, 0, 512)


@dataclass(frozen=True)
class RankingConfig:
    """From candidates to an order."""

    model: Literal["best", "lightgbm", "wide-deep", "deepfm", "xdeepfm"] = "best"
    """The ranker to serve; `best` fits all and takes the best one on validation."""
    examples: Literal["candidates", "exposures"] = "candidates"
    """What rankers learn from: candidates of the sources and what was taken of them, or what was
    shown and taken by the log (simulated-movies has one)."""
    objective: Literal["ctr", "watch", "rating"] = "ctr"
    """What the ranker learns: being taken, minutes watched, or the rating."""
    second: Literal["auto", "none", "watch", "rating"] = "auto"
    """A second objective to weigh against the first; auto takes what the data knows."""
    second_weight: float = 0.5
    """Weight of the second objective when serving, chosen on validation of MovieLens 100K, where it
    beats 0 on both counts; the report draws the curve to choose it from."""
    trees: int = 300
    """At most so many trees; early stopping may take fewer."""
    leaves: int = 15
    """Leaves of a tree."""
    learning_rate: float = 0.05
    """Shrinkage of the trees."""
    epochs: int = 4
    """At most so many passes of a neural ranker."""
    negative_share: float = 0.125
    """Share of the candidates not taken that rankers learn from, chosen on validation: an eighth
    orders as well as all, in half the time."""

    def __post_init__(self) -> None:
        """Check ranges."""
        if self.second == self.objective:
            raise ValueError(
                f"ranking.second: {self.second} is the first objective already; give another, or"
                " none"
            )
        check_range("ranking.second_weight", self.second_weight, 0.0, 100.0)
        check_range("ranking.trees", self.trees, 1, 10_000)
        check_range("ranking.leaves", self.leaves, 2, 1024)
        check_range("ranking.learning_rate", self.learning_rate, 1e-4, 1.0)
        check_range("ranking.epochs", self.epochs, 1, 1000)
        check_range("ranking.negative_share", self.negative_share, 0.001, 1.0)


@dataclass(frozen=True)
class RerankingConfig:
    """From the ranker's order to the page."""

    method: Literal["mmr", "bounded-greedy", "calibrated", "both"] = "bounded-greedy"
    """What a page is marked down for: the largest or mean likeness within it, genres unlike those
    of the history, or both of the last two."""
    depth: int = 50
    """Ranked items that the re-ranker may choose from."""
    ndcg_budget: float = 0.02
    """Share of validation NDCG@10 that the re-ranker may cost."""
    likeness_cut: float = 0.2
    """Share of the pages' likeness (ILS@10) that it takes out, if that keeps to the budget."""
    genre_cap: int = 0
    """At most so many items of one genre on a page, each by its rarest; 0 for no cap."""
    explore: int = 0
    """Last places of a page that go to items rarely taken; 0 for none."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_range("reranking.depth", self.depth, 1, 10_000)
        check_range("reranking.ndcg_budget", self.ndcg_budget, 0.0, 1.0)
        check_range("reranking.likeness_cut", self.likeness_cut, 0.0, 1.0)
        check_range("reranking.genre_cap", self.genre_cap, 0, 100)
        check_range("reranking.explore", self.explore, 0, 10)


@dataclass(frozen=True)
class Config(RunConfig):
    """All of the recommender; `--dataset` also takes movielens-1m, movielens-latest-small, csv."""

    data: DataConfig = field(default_factory=DataConfig)
    """Your own file."""
    split: SplitConfig = field(default_factory=SplitConfig)
    """The split in time."""
    candidates: CandidateConfig = field(default_factory=CandidateConfig)
    """Candidate sources."""
    ranking: RankingConfig = field(default_factory=RankingConfig)
    """Rankers."""
    reranking: RerankingConfig = field(default_factory=RerankingConfig)
    """Re-ranker."""
    world_users: int = 1_200
    """Users of the simulated world, when it is used."""
    world_events: int = 60_000
    """Events of the simulated world, when it is used."""
    world_items: int = 0
    """Items of the simulated world; 0 lets them grow with its users."""
    protocol: Literal["none", "ncf-ml1m", "recommenders-ml100k"] = "none"
    """Run a published protocol to the letter instead, and print it beside the published figures."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        files = [name for name in ("path", "users", "items") if getattr(self.data, name)]
        if files and self.dataset != "csv":
            raise ValueError(
                f"data.{files[0]}: read with --dataset csv only, and dataset is {self.dataset};"
                " add --dataset csv, or leave the file out"
            )
        check_range("world_users", self.world_users, 50, 10_000_000)
        check_range("world_events", self.world_events, 1_000, 100_000_000)
        check_range("world_items", self.world_items, 0, 10_000_000)


DEFAULT = Config()
PRESETS = {
    "smoke": replace(
        DEFAULT,
        dataset="simulated-movies",
        world_users=200,
        world_events=8_000,
        candidates=CandidateConfig(
            per_source=50, keep=60, als_factors=8, als_iterations=5, tower_epochs=2
        ),
        ranking=RankingConfig(trees=30, epochs=1),
    ),
    "default": DEFAULT,
    "large": replace(
        DEFAULT,
        world_users=20_000,
        world_events=1_000_000,
        candidates=CandidateConfig(als_factors=128, tower_dimension=128, tower_epochs=15),
        ranking=RankingConfig(trees=1000, leaves=31, epochs=15),
    ),
}
