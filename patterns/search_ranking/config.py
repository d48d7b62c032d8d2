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
    """Your own collection (`--dataset beir`, `trec` or `smart`)."""

    path: Path | None = None
    """Folder with the files; needed with `--dataset beir` (corpus.jsonl, queries.jsonl, qrels/ or
    qrels.tsv), `trec` (documents, topics, qrels) and `smart` (such as cran.all, cran.qry,
    cranqrel)."""
    fields: tuple[str, ...] = ()
    """Text fields of the documents, such as title text authors, weighted by validation in BM25; or
    with their weights, such as title=2 text=1 authors=0.5. Without it title and text."""
    facets: tuple[str, ...] = ()
    """Fields that hold categories: requests filter by them, and the ranker knows their words."""
    numbers: tuple[str, ...] = ()
    """Fields that hold numbers: requests filter by them, and they are features of the ranker."""
    encoding: str = "auto"
    """Encoding of the files of `trec` and `smart`, such as cp1252; BEIR's are UTF-8."""

    def __post_init__(self) -> None:
        """Refuse a weight that is no number."""
        self.field_weights()

    @property
    def weighted(self) -> bool:
        """Tell whether `fields` gives a weight; else the weights are chosen."""
        return any("=" in entry for entry in self.fields)

    def field_weights(self) -> dict[str, float]:
        """Return `fields` as name -> weight; 1 where none is given."""
        weights = {}
        for entry in self.fields:
            name, equals, text = entry.rpartition("=") if "=" in entry else (entry, "", "1")
            try:
                weights[name] = float(text)
            except ValueError:
                weights[name] = -1.0
            if not name or not 0 <= weights[name] <= 100:
                raise ValueError(
                    f"data.fields: {entry!r} is no field with a weight from 0 to 100; write"
                    " --data.fields title=2 text=1"
                )
        if weights and not any(weights.values()):
            raise ValueError("data.fields: all weights are 0, so no word would count; raise one")
        return weights


@dataclass(frozen=True)
class WorldOptions:
    """Size of the simulated world, if it is used."""

    films: Annotated[int, Interval(ge=50, le=1_000_000)] = 2_000
    queries: Annotated[int, Interval(ge=20, le=1_000_000)] = 800


@dataclass(frozen=True)
class SplitOptions:
    """The split by query: queries with the same stems stay in one part. A split that a collection
    brings is kept.
    """

    valid_share: Annotated[float, Interval(ge=0.01, le=0.45)] = 0.1
    """Share of the queries that every choice is made on; of the training queries where the
    collection gives a test, at least 50 of them if that is no more than a third."""
    test_share: Annotated[float, Interval(ge=0.01, le=0.45)] = 0.2
    """Share of the queries read once, for the report."""


@dataclass(frozen=True)
class WeightOptions:
    """Weight of each field of films in the lexical score; 0 leaves a field out. Your own documents
    have `--data.fields`.
    """

    title: Weight = 0.4
    overview: Weight = 0.2
    """Overview of the film."""
    tags: Weight = 0.4
    genres: Weight = 0.1
    people: Weight = 0.0
    """Director and actors."""
    characters: Weight = 0.4
    """Names of characters."""
    all: Weight = 1.0
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
    max_length: Annotated[int, Interval(ge=8, le=512)] | None = None
    """Tokens of a document that the encoder reads; twice as many take twice as long. Without it 64
    for films, 256 for your own documents."""
    index: Literal["flat", "ivf", "hnsw", "ivf-pq"] = "flat"
    """FAISS index of the document vectors; flat is exact."""
    per_source: Annotated[int, Interval(ge=1, le=10_000)] = 200
    """Documents that each of the two sources returns."""
    keep: Annotated[int, Interval(ge=1, le=10_000)] = 100
    """Candidates of the merged list that go to the ranker."""
    k1: Annotated[float, Interval(ge=0, le=10)] | None = None
    """BM25: how soon a repeated word stops counting. Without it 1.2 for films; for your own
    documents k1 and b are chosen on training and validation queries."""
    b: Annotated[float, Interval(ge=0, le=1)] | None = None
    """BM25: how much the length of a document counts against it. Without it 0.75 for films."""
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
    ndcg_budget: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """Share of validation NDCG@10 that diversity may cost; sets the trade-off of MMR. With 0 the
    page is more diverse only where that costs nothing."""
    rules: Path | None = None
    """JSON file of business rules (pin, boost, demote, cap, filter); see stages/rules.py."""


@dataclass(frozen=True)
class Config(RunConfig):
    """Search; `--dataset` also takes msrd, simulated-films, and for your own files beir, trec or
    smart.
    """

    own_datasets = ("beir", "trec", "smart")

    data: DataOptions = field(default_factory=DataOptions)
    world: WorldOptions = field(default_factory=WorldOptions)
    split: SplitOptions = field(default_factory=SplitOptions)
    candidates: CandidateOptions = field(default_factory=CandidateOptions)
    ranking: RankingOptions = field(default_factory=RankingOptions)
    reranking: RerankingOptions = field(default_factory=RerankingOptions)

    def __post_init__(self) -> None:
        """Check the fields; those of your own documents need your own documents."""
        super().__post_init__()
        for name in ("fields", "facets", "numbers"):
            if getattr(self.data, name) and self.dataset not in self.own_datasets:
                raise ValueError(
                    f"data.{name}: read with --dataset {' or '.join(self.own_datasets)} only, but"
                    f" dataset is {self.dataset}; leave out --data.{name}"
                )
        if self.data.encoding != "auto" and self.dataset not in ("trec", "smart"):
            raise ValueError(
                "data.encoding: read with --dataset trec or smart only; leave out --data.encoding"
            )


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
        candidates=CandidateOptions(max_length=256, per_source=400, keep=200),
        ranking=RankingOptions(trees=2000, leaves=63, learning_rate=0.03),
    ),
}
