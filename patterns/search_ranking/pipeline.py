"""The boxes wired: BM25 and dense candidates -> merge -> features -> ranker -> re-ranker.

What is fitted on what: the index and the vectors know documents alone. The fusion, the ranker's
early stopping and the diversity trade-off are chosen on validation queries, the trees are grown on
training queries; test queries come in nowhere.

Shapes: `B` queries, `K` candidates, `M` judged documents a query, `N` documents, `F` features.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from common.atomic import write_json
from common.encoders import load_encoder
from common.retrieval import Candidates, Fused, ordered
from common.timing import StageTimes
from patterns.search_ranking.config import Config
from patterns.search_ranking.data import Splits
from patterns.search_ranking.entities.documents import ANALYSED, dense_texts, field_texts
from patterns.search_ranking.entities.queries import JudgedQueries, Queries
from patterns.search_ranking.entities.results import EXPLAINED, Hit, Results, hits_of
from patterns.search_ranking.stages.candidates.bm25 import BM25, Field
from patterns.search_ranking.stages.candidates.dense import Dense
from patterns.search_ranking.stages.candidates.hybrid import Hybrid
from patterns.search_ranking.stages.features import NAMES, Features
from patterns.search_ranking.stages.ranking import LambdaMart
from patterns.search_ranking.stages.reasons import reasons
from patterns.search_ranking.stages.reranking import Reranker
from patterns.search_ranking.stages.rules import Condition, allowed_by, read_rules
from patterns.search_ranking.stages.training_set import RankingSet, with_unjudged

BLOCK = 256  # queries scored against the whole corpus at a time, to bound the memory


class Pipeline:
    """Search in four boxes."""

    def __init__(
        self,
        *,
        bm25: BM25,
        dense: Dense,
        hybrid: Hybrid,
        ranker: LambdaMart,
        reranker: Reranker,
        per_source: int,
        keep: int,
        unjudged: int = 0,
        seed: int = 0,
    ) -> None:
        self.bm25, self.dense, self.hybrid = bm25, dense, hybrid
        self.features = Features(bm25=bm25, dense=dense)
        self.ranker, self.reranker = ranker, reranker
        self.per_source, self.keep, self.unjudged, self.seed = per_source, keep, unjudged, seed
        self.notices: list[str] = []

    @classmethod
    def from_config(cls, config: Config, splits: Splits) -> Pipeline:
        """Make the unfitted stages; no size of theirs depends on `splits`."""
        options, ranking, page = config.candidates, config.ranking, config.reranking
        encoder = load_encoder(options.encoder, max_length=options.max_length, device=config.device)
        fields = {name: Field(each, options.k1, options.b) for name, each in ANALYSED.items()}
        return cls(
            bm25=BM25(fields=fields, weights=vars(options.weights)),
            dense=Dense(encoder=encoder, index=options.index),
            hybrid=Hybrid(),
            ranker=LambdaMart(
                names=NAMES,
                trees=ranking.trees,
                leaves=ranking.leaves,
                learning_rate=ranking.learning_rate,
                min_leaf_rows=ranking.min_leaf_rows,
                seed=config.seed,
            ),
            reranker=Reranker(
                depth=page.depth,
                ndcg_budget=page.ndcg_budget,
                rules=read_rules(page.rules) if page.rules else (),
            ),
            per_source=options.per_source,
            keep=options.keep,
            unjudged=ranking.unjudged,
            seed=config.seed,
        )

    def fit_candidates(self, splits: Splits) -> Pipeline:
        """Index and encode the corpus."""
        self.bm25.fit(field_texts(splits.documents))
        self.dense.fit(dense_texts(splits.documents))
        self.notices = list(self.dense.notices_)
        return self._prepare(splits.documents)

    def _prepare(self, documents: pl.DataFrame) -> Pipeline:
        """Build the state that depends on documents, their index and their vectors alone."""
        self.documents = documents
        self.features.fit(documents)
        self.reranker.prepare(documents, self.dense.vectors_)
        return self

    def fit_fusion(self, splits: Splits) -> Pipeline:
        """Choose how the two lists are merged, by Recall at `keep` (`valid_recall_`)."""
        lexical, nearest = self.sources(self.encode(splits.valid.texts))
        self.hybrid.fit(lexical, nearest, splits.valid.relevant(), self.keep)
        self.valid_recall_ = self.hybrid.valid_recall_
        return self

    def fit_ranker(self, splits: Splits) -> Pipeline:
        """Grow the trees until NDCG@10 over the validation rows no longer rises (`valid_ndcg_`).

        The rows stay in `training_set_` and `valid_set_`, for the ablation and the profile.
        """
        self.training_set_ = self.ranking_set(splits.train)
        self.valid_set_ = self.ranking_set(splits.valid)
        self.ranker.fit(self.training_set_, self.valid_set_)
        self.valid_ndcg_ = self.ranker.valid_ndcg_
        return self

    def fit_reranker(self, splits: Splits) -> Pipeline:
        """Choose the diversity trade-off on validation queries."""
        valid = splits.valid
        queries = self.encode(valid.texts)
        ranked = self.rank(queries, self.retrieve(queries).candidates)
        self.reranker.fit(valid.texts, ranked, lambda page: valid.ndcg_of(page.item_ids, 10).mean())
        return self

    def ranking_set(self, judged: JudgedQueries) -> RankingSet:
        """Describe the judged documents and `unjudged` further candidates of each query."""
        queries = self.encode(judged.texts)
        found = self.retrieve(queries).candidates.item_ids
        rows, grades = with_unjudged(judged, found, count=self.unjudged, seed=self.seed)
        return RankingSet.of(self.describe(queries, rows), grades, rows)

    def encode(self, texts: Sequence[str]) -> Queries:
        """Encode query texts."""
        return Queries(tuple(texts), self.dense.encode(texts))

    def sources(
        self, queries: Queries, depth: int | None = None, allowed: np.ndarray | None = None
    ) -> tuple[Candidates, Candidates]:
        """Return the lexical and the dense list, `depth` each."""
        k = min(depth or self.per_source, self.documents.height)
        texts = [queries.texts[block] for block in queries.blocks(BLOCK)]
        found = [self.bm25.retrieve(block, k, allowed=allowed) for block in texts]
        lexical = Candidates.concatenate(found, width=k)
        return lexical, self.dense.retrieve(queries.vectors, k, allowed=allowed)

    def retrieve(
        self, queries: Queries, k: int | None = None, allowed: np.ndarray | None = None
    ) -> Fused:
        """Return merged candidates, `keep` or, where more are asked for, k of them."""
        keep = max(self.keep, k or 0)
        lexical, nearest = self.sources(queries, max(self.per_source, keep), allowed)
        return self.hybrid.merge(lexical, nearest, keep)

    def describe(self, queries: Queries, rows: np.ndarray) -> np.ndarray:
        """Compute the features of given documents: rows (B, K) -> (B, K, F)."""
        return self.features.transform(queries.texts, queries.vectors, rows)

    def rank(self, queries: Queries, candidates: Candidates) -> Candidates:
        """Order candidates by the ranker, in blocks of queries."""
        parts = []
        for block in queries.blocks(BLOCK):
            rows = candidates.item_ids[block]
            scores = self.ranker.score(self.describe(queries.part(block), rows))
            parts.append(ordered(rows, scores))
        return Candidates.concatenate(parts, width=candidates.item_ids.shape[1])

    def rerank(self, queries: Queries, ranked: Candidates, k: int) -> Candidates:
        """Return the pages."""
        return self.reranker.rerank(queries.texts, ranked, k)

    def search(
        self, texts: Sequence[str], k: int = 10, *, filters: Sequence[Condition] = ()
    ) -> Results:
        """Run all stages; `k` beyond the corpus gives every document, the best first.

        A query without a letter or digit is refused, and so is a filter that nothing meets.
        """
        if k < 1:
            raise ValueError(f"k: {k} is out of range; ask for at least 1 result")
        for text in texts:
            if not any(letter.isalnum() for letter in text):
                raise ValueError(f"query: {text!r} has no word to search for; give one")
        allowed = allowed_by(filters, self.documents)
        times = StageTimes()
        with times("candidates"):
            queries = self.encode(texts)
            found = self.retrieve(queries, min(k, self.documents.height), allowed)
        with times("ranking"):
            ranked = self.rank(queries, found.candidates)
        with times("re-ranking"):
            page = self.rerank(queries, ranked, k)
        with times("reasons"):
            hits = [self._hits(queries, row, page, found) for row in range(len(queries))]
        return Results(hits, times.milliseconds)

    def explain(self, query: Queries, rows: np.ndarray) -> list[list[str]]:
        """Give the reasons of the first few of one query's documents: rows (K,), -1 padded."""
        shown = rows[rows >= 0][:EXPLAINED]
        features = self.describe(query, shown[None])[0]  # (≤10, F)
        account = self.ranker.contributions(features)
        return [reasons(*pair) for pair in zip(features, account, strict=True)]

    def _hits(self, queries: Queries, row: int, page: Candidates, found: Fused) -> list[Hit]:
        """Put one page together, with provenance and reasons."""
        told = self.explain(queries.part(slice(row, row + 1)), page.item_ids[row])
        return hits_of(self.documents, page, row, found.ranks_of(row), told)

    def profile(self, splits: Splits) -> pl.DataFrame:
        """Sample the feature rows that `fit_ranker` made of `splits.train`, to watch for drift."""
        rows = self.training_set_.features
        sample = np.random.default_rng(self.seed).permutation(len(rows))[:20_000]
        return pl.DataFrame(rows[np.sort(sample)], schema=list(NAMES))

    def save(self, folder: Path) -> None:
        """Write every stage and the documents into an existing folder."""
        for name in ("bm25", "dense", "hybrid", "ranker", "reranker"):
            (folder / name).mkdir()
            getattr(self, name).save(folder / name)
        self.documents.write_parquet(folder / "documents.parquet")
        kept = ("per_source", "keep", "unjudged", "seed")
        settings = {name: getattr(self, name) for name in kept}
        write_json(folder / "pipeline.json", {"settings": settings, "notices": self.notices})

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote."""
        saved = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        pipeline = cls(
            bm25=BM25.load(folder / "bm25"),
            dense=Dense.load(folder / "dense"),
            hybrid=Hybrid.load(folder / "hybrid"),
            ranker=LambdaMart.load(folder / "ranker"),
            reranker=Reranker.load(folder / "reranker"),
            **saved["settings"],
        )
        pipeline.notices = saved["notices"]
        return pipeline._prepare(pl.read_parquet(folder / "documents.parquet"))
