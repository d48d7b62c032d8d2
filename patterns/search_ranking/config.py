"""What can be turned in search, and the presets to start from.

Defaults that were tuned were tuned on the validation queries of MSRD; the others are plain
starting values.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from common.config import RunConfig, check_range


@dataclass(frozen=True)
class DataConfig:
    """Where a collection of your own lies (`--dataset beir`)."""

    path: Path | None = None
    """Folder with corpus.jsonl, queries.jsonl and qrels.tsv; needed with `--dataset beir`."""


@dataclass(frozen=True)
class SplitConfig:
    """The split by query: alike queries go to one side together."""

    valid_share: float = 0.1
    """Share of the queries on which every choice is made."""
    test_share: float = 0.2
    """Share of the queries that is read once, for the report."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_range("split.valid_share", self.valid_share, 0.01, 0.45)
        check_range("split.test_share", self.test_share, 0.01, 0.45)


@dataclass(frozen=True)
class WeightConfig:
    """What each field counts in the lexical score; 0 leaves a field out."""

    title: float = 0.4
    """Weight of the title."""
    overview: float = 0.2
    """Weight of the overview, or of the text of a collection without fields."""
    tags: float = 0.4
    """Weight of the tags."""
    genres: float = 0.1
    """Weight of the genres."""
    people: float = 0.0
    """Weight of director and actors."""
    characters: float = 0.4
    """Weight of the characters' names."""
    text: float = 1.0
    """Weight of all fields read as one text."""

    def __post_init__(self) -> None:
        """Check ranges."""
        for name, value in vars(self).items():
            check_range(f"candidates.weights.{name}", value, 0.0, 100.0)
        if not any(vars(self).values()):
            raise ValueError(
                "candidates.weights: all are 0, so no word would count; raise one of them"
            )


@dataclass(frozen=True)
class CandidateConfig:
    """From the corpus to candidates."""

    encoder: str = "auto"
    """Text encoder: auto (MiniLM, else TF-IDF + SVD and a notice), tfidf-svd, a folder or a name
    on the hub."""
    max_length: int = 64
    """Tokens of a document that the encoder reads; twice as many take twice as long."""
    index: Literal["flat", "ivf", "hnsw", "ivf-pq"] = "flat"
    """FAISS index of the document vectors; flat is exact."""
    per_source: int = 200
    """Documents that each of the two sources gives."""
    keep: int = 100
    """Candidates that go to the ranker after the merge."""
    k1: float = 1.2
    """BM25: how soon a repeated word stops counting."""
    b: float = 0.75
    """BM25: how much long documents are held back, 0 to 1."""
    weights: WeightConfig = field(default_factory=WeightConfig)
    """Weights of the fields."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_range("candidates.max_length", self.max_length, 8, 512)
        check_range("candidates.per_source", self.per_source, 1, 10_000)
        check_range("candidates.keep", self.keep, 1, 10_000)
        check_range("candidates.k1", self.k1, 0.0, 10.0)
        check_range("candidates.b", self.b, 0.0, 1.0)


@dataclass(frozen=True)
class RankingConfig:
    """From candidates to an order."""

    rounds: int = 800
    """At most so many trees; early stopping takes fewer."""
    learning_rate: float = 0.05
    """Shrinkage of the trees."""
    leaves: int = 31
    """Leaves of a tree."""
    minimum_leaf: int = 100
    """Fewest pairs in a leaf."""
    unjudged: int = 12
    """Unjudged candidates a query to train on as not relevant, so that the ranker has seen what
    it will be asked to order; 0 trains on judged documents alone."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_range("ranking.rounds", self.rounds, 1, 10_000)
        check_range("ranking.learning_rate", self.learning_rate, 1e-4, 1.0)
        check_range("ranking.leaves", self.leaves, 2, 1024)
        check_range("ranking.minimum_leaf", self.minimum_leaf, 1, 100_000)
        check_range("ranking.unjudged", self.unjudged, 0, 1000)


@dataclass(frozen=True)
class RerankingConfig:
    """From the ranker's order to the page."""

    depth: int = 50
    """Ranked documents that the re-ranker may choose from."""
    ndcg_budget: float = 0.01
    """Share of validation NDCG@10 that diversity may cost; sets the trade-off of MMR."""
    rules: Path | None = None
    """JSON file of business rules (pin, boost, demote, cap, filter); see stages/rules.py."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_range("reranking.depth", self.depth, 1, 10_000)
        check_range("reranking.ndcg_budget", self.ndcg_budget, 0.0, 1.0)


@dataclass(frozen=True)
class Config(RunConfig):
    """All of search; `--dataset` also takes msrd, simulated-films and beir."""

    data: DataConfig = field(default_factory=DataConfig)
    """Your own collection."""
    split: SplitConfig = field(default_factory=SplitConfig)
    """The split by query."""
    candidates: CandidateConfig = field(default_factory=CandidateConfig)
    """Candidate sources."""
    ranking: RankingConfig = field(default_factory=RankingConfig)
    """Ranker."""
    reranking: RerankingConfig = field(default_factory=RerankingConfig)
    """Re-ranker."""
    world_films: int = 2_000
    """Films of the simulated world, when it is used."""
    world_queries: int = 800
    """Queries of the simulated world, when it is used."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_range("world_films", self.world_films, 50, 1_000_000)
        check_range("world_queries", self.world_queries, 20, 1_000_000)


DEFAULT = Config()
PRESETS = {
    "smoke": replace(
        DEFAULT,
        dataset="simulated-films",
        world_films=400,
        world_queries=300,
        candidates=CandidateConfig(encoder="tfidf-svd", per_source=60, keep=50),
        ranking=RankingConfig(rounds=40, minimum_leaf=10, learning_rate=0.15),
    ),
    "default": DEFAULT,
    "large": replace(
        DEFAULT,
        world_films=20_000,
        world_queries=4_000,
        candidates=CandidateConfig(max_length=128, per_source=400, keep=200),
        ranking=RankingConfig(rounds=2000, learning_rate=0.03, leaves=63),
    ),
}
