"""Configuration of search, and the presets to start from.

Defaults that were tuned were tuned on the validation queries of MSRD; the others are plain
starting values.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval

from common.config import RunConfig

NAME = "search_ranking"
Weight = Annotated[float, Interval(ge=0, le=100)]


@dataclass(frozen=True)
class DataOptions:
    """Your own collection (`--dataset beir`)."""

    path: Path | None = None
    """Folder with corpus.jsonl, queries.jsonl and qrels.tsv; needed with `--dataset beir`."""


@dataclass(frozen=True)
class WorldOptions:
    """Size of the simulated world, if it is used."""

    films: Annotated[int, Interval(ge=50, le=1_000_000)] = 2_000
    queries: Annotated[int, Interval(ge=20, le=1_000_000)] = 800


@dataclass(frozen=True)
class SplitOptions:
    """The split by query: queries with the same stems stay in one part."""

    valid_share: Annotated[float, Interval(ge=0.01, le=0.45)] = 0.1
    """Share of the queries that every choice is made on."""
    test_share: Annotated[float, Interval(ge=0.01, le=0.45)] = 0.2
    """Share of the queries read once, for the report."""


@dataclass(frozen=True)
class WeightOptions:
    """Weight of each field in the lexical score; 0 leaves a field out."""

    title: Weight = 0.4
    overview: Weight = 0.2
    """Overview of the film; in a collection without fields, the document's text."""
    tags: Weight = 0.4
    genres: Weight = 0.1
    people: Weight = 0.0
    """Director and actors."""
    characters: Weight = 0.4
    """Names of characters."""
    text: Weight = 1.0
    """All fields read as one text."""

    def __post_init__(self) -> None:
        """Refuse weights that are all 0."""
        if not any(vars(self).values()):
            raise ValueError(
                "candidates.weights: all are 0, so no word would count; raise one of them"
            )


@dataclass(frozen=True)
class CandidateOptions:
    """From the corpus to candidates."""

    encoder: str = "auto"
    """Text encoder: auto (MiniLM if available, else TF-IDF + SVD with a notice), tfidf-svd, a
    folder, or a name on the hub."""
    max_length: Annotated[int, Interval(ge=8, le=512)] = 64
    """Tokens of a document that the encoder reads; twice as many take twice as long."""
    index: Literal["flat", "ivf", "hnsw", "ivf-pq"] = "flat"
    """FAISS index of the document vectors; flat is exact."""
    per_source: Annotated[int, Interval(ge=1, le=10_000)] = 200
    """Documents that each of the two sources returns."""
    keep: Annotated[int, Interval(ge=1, le=10_000)] = 100
    """Candidates of the merged list that go to the ranker."""
    k1: Annotated[float, Interval(ge=0, le=10)] = 1.2
    """BM25: how soon a repeated word stops counting."""
    b: Annotated[float, Interval(ge=0, le=1)] = 0.75
    """BM25: how much the length of a document counts against it."""
    weights: WeightOptions = field(default_factory=WeightOptions)


@dataclass(frozen=True)
class RankingOptions:
    """From candidates to an order."""

    trees: Annotated[int, Interval(ge=1, le=10_000)] = 800
    """Largest number of trees; early stopping may keep fewer."""
    leaves: Annotated[int, Interval(ge=2, le=1024)] = 31
    learning_rate: Annotated[float, Interval(ge=1e-4, le=1)] = 0.05
    """Shrinkage of the trees."""
    min_leaf_rows: Annotated[int, Interval(ge=1, le=100_000)] = 100
    """Smallest number of (query, document) pairs in a leaf."""
    unjudged: Annotated[int, Interval(ge=0, le=1000)] = 12
    """Unjudged candidates per query in the training set, labelled not relevant; see
    stages/training_set.py."""


@dataclass(frozen=True)
class RerankingOptions:
    """From the ranker's order to the page."""

    depth: Annotated[int, Interval(ge=1, le=10_000)] = 50
    """Ranked documents that the re-ranker may choose from."""
    ndcg_budget: Annotated[float, Interval(ge=0, le=1)] = 0.01
    """Share of validation NDCG@10 that diversity may cost; sets the trade-off of MMR."""
    rules: Path | None = None
    """JSON file of business rules (pin, boost, demote, cap, filter); see stages/rules.py."""


@dataclass(frozen=True)
class Config(RunConfig):
    """Search; `--dataset` also takes msrd, simulated-films and beir."""

    own_datasets = ("beir",)

    data: DataOptions = field(default_factory=DataOptions)
    world: WorldOptions = field(default_factory=WorldOptions)
    split: SplitOptions = field(default_factory=SplitOptions)
    candidates: CandidateOptions = field(default_factory=CandidateOptions)
    ranking: RankingOptions = field(default_factory=RankingOptions)
    reranking: RerankingOptions = field(default_factory=RerankingOptions)


DEFAULT = Config()
PRESETS = {
    "smoke": replace(
        DEFAULT,
        dataset="simulated-films",
        world=WorldOptions(films=400, queries=300),
        candidates=CandidateOptions(encoder="tfidf-svd", per_source=60, keep=50),
        ranking=RankingOptions(trees=40, learning_rate=0.15, min_leaf_rows=10),
    ),
    "default": DEFAULT,
    "large": replace(
        DEFAULT,
        world=WorldOptions(films=20_000, queries=4_000),
        candidates=CandidateOptions(max_length=128, per_source=400, keep=200),
        ranking=RankingOptions(trees=2000, leaves=63, learning_rate=0.03),
    ),
}
