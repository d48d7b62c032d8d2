"""The boxes wired: BM25 and dense candidates -> merge -> features -> ranker -> re-ranker.

What is fitted on what: the index and the vectors know documents alone. The fusion, the ranker's
early stopping and the diversity trade-off are chosen on validation queries, the trees are grown on
training queries; test queries come in nowhere. The ranker trains on the judged documents and on a
few unjudged candidates a query, taken as not relevant, because unjudged candidates are most of what
it will have to order.

Shapes: `B` queries, `K` candidates, `N` documents, `D` vector width, `F` features.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from common.atomic import write_json
from common.retrieval import MISSING, Candidates, Fused, ordered
from common.timing import StageTimes
from patterns.search_ranking.config import Config
from patterns.search_ranking.results import EXPLAINED, Hit, Results, hits_of
from patterns.search_ranking.stages.documents import ANALYSED, dense_texts, field_texts, tidy
from patterns.search_ranking.stages.reasons import reasons
from patterns.search_ranking.stages.rules import Condition, read_rules

if TYPE_CHECKING:
    from patterns.search_ranking.data import JudgedQueries
    from patterns.search_ranking.stages.ranking import RankingSet

BLOCK = 256  # queries scored against the whole corpus at a time, which bounds the memory


@dataclass(frozen=True)
class Queries:
    """Query texts with their vectors, which two stages need."""

    texts: tuple[str, ...]
    vectors: np.ndarray  # (B, D)

    def __len__(self) -> int:
        return len(self.texts)

    def part(self, rows: slice) -> Queries:
        """The queries at `rows`."""
        return Queries(self.texts[rows], self.vectors[rows])


class Pipeline:
    """Search in four boxes."""

    def __init__(
        self,
        *,
        encoder: Any,
        bm25: Any,
        dense: Any,
        hybrid: Any,
        ranker: Any,
        reranker: Any,
        per_source: int,
        keep: int,
        unjudged: int = 0,
        seed: int = 0,
    ) -> None:
        from patterns.search_ranking.stages.features import Features

        self.encoder, self.bm25, self.dense, self.hybrid = encoder, bm25, dense, hybrid
        self.ranker, self.reranker = ranker, reranker
        self.features = Features(bm25=bm25, dense=dense)
        self.per_source, self.keep, self.unjudged, self.seed = per_source, keep, unjudged, seed
        self.notices: list[str] = [encoder.notice] if encoder.notice else []

    @classmethod
    def from_config(cls, config: Config) -> Pipeline:
        """Make the unfitted stages."""
        from common.encoders import load_encoder
        from patterns.search_ranking.stages.candidates.bm25 import BM25, Field
        from patterns.search_ranking.stages.candidates.dense import Dense
        from patterns.search_ranking.stages.candidates.hybrid import Hybrid
        from patterns.search_ranking.stages.features import NAMES
        from patterns.search_ranking.stages.ranking import LambdaMart
        from patterns.search_ranking.stages.reranking import Reranker

        options, ranking, page = config.candidates, config.ranking, config.reranking
        encoder = load_encoder(options.encoder, max_length=options.max_length, device=config.device)
        fields = {
            name: Field(analyser=analyser, k1=options.k1, b=options.b)
            for name, analyser in ANALYSED.items()
        }
        return cls(
            encoder=encoder,
            bm25=BM25(fields=fields, weights=vars(options.weights)),
            dense=Dense(encoder=encoder, index=options.index),
            hybrid=Hybrid(),
            ranker=LambdaMart(
                names=NAMES,
                rounds=ranking.rounds,
                learning_rate=ranking.learning_rate,
                leaves=ranking.leaves,
                minimum_leaf=ranking.minimum_leaf,
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

    def fit_candidates(self, documents: pl.DataFrame) -> Pipeline:
        """Index and encode the corpus, and make the encoder quick at single queries."""
        from common.encoders import for_queries

        self.documents = tidy(documents)
        texts = dense_texts(self.documents)
        self.bm25.fit(field_texts(self.documents))
        self.encoder.fit(texts)
        self.dense.fit(texts)
        self.dense.query_encoder, said = for_queries(self.encoder, texts[:100])
        self.notices += [said] if said else []
        self.features.fit(self.documents)
        self.reranker.prepare(self.documents, self.dense.vectors_)
        return self

    def fit_fusion(self, valid: JudgedQueries) -> float:
        """Choose how the two lists are merged; returns validation Recall at `keep`."""
        queries = self.encode(valid.texts)
        lexical, nearest = self.sources(queries)
        return float(self.hybrid.tune(lexical, nearest, valid.relevant(), self.keep))

    def fit_ranker(self, train: JudgedQueries, valid: JudgedQueries) -> float:
        """Grow the trees; returns validation NDCG@10 over the rows it was asked to order."""
        learning = self.ranking_set(train)
        self.learning_ = learning, self.ranking_set(valid)
        self.ranker.fit(*self.learning_)
        sample = np.random.default_rng(self.seed).permutation(len(learning.features))[:20_000]
        self.profile_ = learning.features[np.sort(sample)]
        return float(self.ranker.valid_ndcg_)

    def refitted(self, columns: Sequence[int], *, learning_rate: float) -> Any:
        """A second ranker, grown on some of the features alone; the served one is not touched."""
        import copy

        ranker = copy.copy(self.ranker)
        ranker.names = [self.ranker.names[place] for place in columns]
        ranker.learning_rate = learning_rate
        return ranker.fit(*(part.with_columns(columns) for part in self.learning_))

    def fit_reranker(self, valid: JudgedQueries) -> Any:
        """Choose the diversity trade-off on validation queries."""
        queries = self.encode(valid.texts)
        ranked = self.rank(queries, self.retrieve(queries).candidates)
        return self.reranker.fit(valid.texts, ranked, lambda page: _ndcg(page, valid))

    def ranking_set(self, judged: JudgedQueries) -> RankingSet:
        """Feature rows of judged documents and of `unjudged` further candidates a query."""
        from patterns.search_ranking.stages.ranking import RankingSet

        queries = self.encode(judged.texts)
        rows, grades = judged.rows, judged.grades
        if self.unjudged:
            more = self._unjudged(queries, rows)
            rows = np.hstack([rows, more])
            grades = np.hstack([grades, np.zeros_like(more, dtype=np.int8)])
        kept = rows >= 0  # (B, M)
        features = self.describe(queries, rows)[kept]
        return RankingSet(features, grades[kept].astype(np.int64), kept.sum(axis=1))

    def _unjudged(self, queries: Queries, judged: np.ndarray) -> np.ndarray:
        """Rows (B, unjudged) drawn from the candidates that nobody judged, -1 padded."""
        rng = np.random.default_rng(self.seed)
        found = self.retrieve(queries).candidates.item_ids
        out = np.full((len(found), self.unjudged), MISSING, np.int64)
        for row, items in enumerate(found):
            free = items[(items >= 0) & ~np.isin(items, judged[row])]
            drawn = rng.permutation(free)[: self.unjudged]
            out[row, : len(drawn)] = drawn
        return out

    def encode(self, texts: Sequence[str]) -> Queries:
        """Encode query texts."""
        return Queries(tuple(texts), self.dense.encode(texts))

    def sources(
        self, queries: Queries, depth: int | None = None, allowed: np.ndarray | None = None
    ) -> tuple[Candidates, Candidates]:
        """The lexical and the dense list, `depth` each."""
        k = min(depth or self.per_source, self.documents.height)
        parts = [queries.part(slice(at, at + BLOCK)) for at in range(0, len(queries), BLOCK)]
        found = [self.bm25.retrieve(part.texts, k, allowed=allowed) for part in parts]
        lexical = Candidates.concatenate(found, width=k)
        return lexical, self.dense.retrieve(queries.vectors, k, allowed=allowed)

    def retrieve(
        self, queries: Queries, k: int | None = None, allowed: np.ndarray | None = None
    ) -> Fused:
        """Merged candidates, `keep` or, where more are asked for, k of them."""
        keep = max(self.keep, k or 0)
        lexical, nearest = self.sources(queries, max(self.per_source, keep), allowed)
        return self.hybrid.merge(lexical, nearest, keep)

    def describe(self, queries: Queries, rows: np.ndarray) -> np.ndarray:
        """Features of given documents: rows (B, K) -> (B, K, F)."""
        return self.features.transform(queries.texts, queries.vectors, rows)

    def rank(self, queries: Queries, candidates: Candidates) -> Candidates:
        """Order candidates by the ranker, in blocks of queries."""
        parts = []
        for at in range(0, len(queries), BLOCK):
            block = slice(at, at + BLOCK)
            rows = candidates.item_ids[block]
            scores = self.ranker.score(self.describe(queries.part(block), rows))
            parts.append(ordered(rows, scores))
        return Candidates.concatenate(parts, width=candidates.item_ids.shape[1])

    def rerank(self, queries: Queries, ranked: Candidates, k: int) -> Candidates:
        """Return the pages."""
        return self.reranker.rerank(queries.texts, ranked, k)

    def allowed(self, conditions: Sequence[Condition]) -> np.ndarray | None:
        """Documents (N,) that meet all conditions; None where there are none to meet."""
        if not conditions:
            return None
        return np.logical_and.reduce([each.mask(self.documents) for each in conditions])

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
        allowed = self.allowed(filters)
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
        """Reasons of the first few of one query's documents: rows (K,), -1 padded."""
        shown = rows[rows >= 0][:EXPLAINED]
        features = self.describe(query, shown[None])[0]  # (≤10, F)
        account = self.ranker.contributions(features)
        return [reasons(*pair) for pair in zip(features, account, strict=True)]

    def _hits(self, queries: Queries, row: int, page: Candidates, found: Fused) -> list[Hit]:
        """One page with provenance and reasons."""
        items = page.item_ids[row]
        kept = items >= 0
        told = self.explain(queries.part(slice(row, row + 1)), items)
        ranks = found.ranks_of(row)
        return hits_of(self.documents, items[kept], page.scores[row][kept], ranks, told)

    def training_profile(self) -> pl.DataFrame:
        """A sample of the features the ranker was fitted on, the reference of drift."""
        return pl.DataFrame(self.profile_, schema=list(self.ranker.names))

    def save(self, folder: Path) -> None:
        """Write every stage, the encoder and the documents."""
        self.bm25.save(folder / "bm25")
        self.dense.save(folder / "dense")
        self.dense.query_encoder.save(folder / "encoder")
        self.ranker.save(folder)
        self.reranker.save(folder)
        self.documents.write_parquet(folder / "documents.parquet")
        settings = {
            "weights": self.bm25.weights,
            "index": self.dense.kind,
            "constant": self.hybrid.constant,
            "lexical_weight": self.hybrid.lexical_weight,
            "per_source": self.per_source,
            "keep": self.keep,
            "features": self.ranker.names,
            "notices": self.notices,
        }
        write_json(folder / "pipeline.json", settings)

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote."""
        from common.encoders import load_saved
        from patterns.search_ranking.stages.candidates.bm25 import BM25, Field
        from patterns.search_ranking.stages.candidates.dense import Dense
        from patterns.search_ranking.stages.candidates.hybrid import Hybrid
        from patterns.search_ranking.stages.ranking import LambdaMart
        from patterns.search_ranking.stages.reranking import Reranker

        settings = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        encoder = load_saved(folder / "encoder")
        fields = {name: Field(analyser) for name, analyser in ANALYSED.items()}
        pipeline = cls(
            encoder=encoder,
            bm25=BM25(fields=fields, weights=settings["weights"]).load(folder / "bm25"),
            dense=Dense(encoder=encoder, index=settings["index"]).load(folder / "dense"),
            hybrid=Hybrid(constant=settings["constant"], lexical_weight=settings["lexical_weight"]),
            ranker=LambdaMart(names=settings["features"]).load(folder),
            reranker=Reranker().load(folder),
            per_source=settings["per_source"],
            keep=settings["keep"],
        )
        pipeline.documents = pl.read_parquet(folder / "documents.parquet")
        pipeline.features.fit(pipeline.documents)
        pipeline.reranker.prepare(pipeline.documents, pipeline.dense.vectors_)
        pipeline.notices = settings["notices"]
        return pipeline


def _ndcg(page: Candidates, judged: JudgedQueries) -> float:
    """Mean NDCG@10 where what nobody judged counts as not relevant."""
    from common.evaluation.ranking import ndcg

    gains = judged.gains_of(page.item_ids)
    return float(ndcg(gains, judged.grades, 10).mean())
