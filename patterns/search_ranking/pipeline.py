"""The boxes wired: BM25 and dense candidates -> merge -> features -> ranker -> re-ranker.

What is fitted on what: the index and the vectors know documents alone. The trees are grown on
training queries; the fusion, the ranker's early stopping, which list orders the page (BM25, dense,
their merge, or the ranker's) and the diversity trade-off are chosen on validation queries. Test
queries come in nowhere. A ranker that validation does not prefer is kept and reported, not served.

Shapes: `B` queries, `K` candidates, `M` judged documents a query, `N` documents, `F` features.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from common.atomic import write_json
from common.encoders import load_encoder
from common.retrieval import Candidates, Fused, ordered
from common.text import unspaced_notice
from common.timing import StageTimes
from patterns.search_ranking.config import Config
from patterns.search_ranking.data import Splits
from patterns.search_ranking.entities.documents import Schema, dense_texts, field_texts, titles_of
from patterns.search_ranking.entities.queries import JudgedQueries, Queries, check_words
from patterns.search_ranking.entities.results import EXPLAINED, Hit, Results, hits_of
from patterns.search_ranking.stages.candidates.bm25 import BM25, Field
from patterns.search_ranking.stages.candidates.dense import Dense
from patterns.search_ranking.stages.candidates.hybrid import Hybrid, recall_of
from patterns.search_ranking.stages.candidates.sources import (
    ALONE,
    BLOCK,
    BY_FIELD,
    CONSTANTS,
    DENSE,
    HYBRID,
    MIXES,
    Sources,
)
from patterns.search_ranking.stages.features import Features, names_of
from patterns.search_ranking.stages.preference import preferred
from patterns.search_ranking.stages.ranking import LambdaMart
from patterns.search_ranking.stages.reasons import reasons, stories_of
from patterns.search_ranking.stages.reranking import Reranker
from patterns.search_ranking.stages.rules import Condition, Rules, allowed_by, read_rules
from patterns.search_ranking.stages.training_set import (
    CUT_NOTICE,
    MOST,
    RankingSet,
    at_most,
    with_unjudged,
)

DEPTH, PAGE = 100, 10  # of the lists that are compared, and of a page
RANKED = "+ ranking"


class Pipeline:
    """Search in four boxes."""

    def __init__(
        self,
        *,
        schema: Schema,
        sources: Sources,
        hybrid: Hybrid,
        ranker: LambdaMart,
        reranker: Reranker,
        per_source: int,
        keep: int,
        unjudged: int = 0,
        seed: int = 0,
    ) -> None:
        self.schema, self.sources, self.hybrid = schema, sources, hybrid
        self.bm25, self.dense = sources.bm25, sources.dense
        self.features = Features(bm25=self.bm25, dense=self.dense, schema=schema)
        self.ranker, self.reranker = ranker, reranker
        self.per_source, self.keep, self.unjudged, self.seed = per_source, keep, unjudged, seed
        self.served_ = RANKED
        self.notices: list[str] = []

    @classmethod
    def from_config(cls, config: Config, splits: Splits) -> Pipeline:
        """Make the unfitted stages for the fields of the documents; rules are checked on them."""
        options, ranking, page = config.candidates, config.ranking, config.reranking
        length = options.max_length or (64 if splits.schema.films else 256)
        encoder = load_encoder(options.encoder, max_length=length, device=config.device)
        constants, mixes = _choices(config, splits.schema)
        indexed = splits.schema.indexed.items()
        fields = {name: Field(analyser, *constants[0]) for name, (analyser, _) in indexed}
        rules = read_rules(page.rules) if page.rules else ()
        Rules(rules=rules).fit(splits.documents)
        bm25 = BM25(fields=fields, weights=mixes[0])
        dense = Dense(encoder=encoder, index=options.index)
        return cls(
            schema=splits.schema,
            sources=Sources(bm25=bm25, dense=dense, constants=constants, mixes=mixes),
            hybrid=Hybrid(),
            ranker=LambdaMart(
                names=names_of(splits.schema),
                trees=ranking.trees,
                leaves=ranking.leaves,
                learning_rate=ranking.learning_rate,
                min_leaf_rows=ranking.min_leaf_rows,
                seed=config.seed,
            ),
            reranker=Reranker(depth=page.depth, ndcg_budget=page.ndcg_budget, rules=rules),
            per_source=options.per_source,
            keep=options.keep,
            unjudged=ranking.unjudged,
            seed=config.seed,
        )

    def fit_candidates(self, splits: Splits) -> Pipeline:
        """Index and encode the corpus; choose BM25's constants and weights where there are several.

        The choice is made on training and validation queries: BM25 has learned nothing from them.
        """
        texts = dense_texts(splits.documents, self.schema)
        self.notices = [text for text in (unspaced_notice(texts),) if text]
        self.bm25.fit(field_texts(splits.documents, self.schema))
        both = JudgedQueries.joined([splits.valid, splits.train])
        self.sources.fit(both, seed=self.seed)
        self.dense.fit(texts)
        self.notices += self.dense.notices_
        self.example = splits.valid.plainest()
        return self._prepare(splits.documents)

    def _prepare(self, documents: pl.DataFrame) -> Pipeline:
        """Build the state that depends on documents, their index and their vectors alone."""
        self.documents = documents
        self.features.fit(documents)
        self.reranker.prepare(documents, self.dense.vectors_)
        self.titles_ = titles_of(documents, self.schema)
        return self

    def fit_fusion(self, splits: Splits) -> Pipeline:
        """Choose how the two lists are merged, by `goal_` (`hybrid.valid_quality_`).

        Films go by Recall at `keep` on validation, since a ranker of many judged queries follows;
        your own documents by NDCG@10 on all but test queries, since the list may be the page.
        """
        films = self.schema.films
        both = [splits.valid] if films else [splits.valid, splits.train]
        judged = JudgedQueries.joined(both).sample(len(splits.valid) if films else 1000, self.seed)
        queries, relevant = self.encode(judged.texts, judged.own), judged.relevant()

        def quality_of(found: Candidates) -> float:
            if films:
                return float(recall_of(found, relevant, self.keep).mean())
            return judged.mean_ndcg(found, PAGE)

        self.goal_ = f"Recall@{self.keep}" if films else f"NDCG@{PAGE}"
        lists = self.sources.retrieve(queries, self.per_source)
        self.hybrid.fit(*lists, quality_of, self.keep, scaled=not films)
        return self

    def fit_ranker(self, splits: Splits) -> Pipeline:
        """Grow the trees until NDCG@10 over the validation rows no longer rises (`valid_ndcg_`).

        The rows stay in `training_set_` and `valid_set_`, for the ablation and the profile.
        """
        most = MOST - self.unjudged
        train, cut = at_most(splits.train, most, seed=self.seed)
        valid, also = at_most(splits.valid, most, seed=self.seed)
        self.notices += [CUT_NOTICE.format(cut + also)] if cut + also else []
        self.training_set_ = self.ranking_set(train)
        self.valid_set_ = self.ranking_set(valid)
        self.ranker.fit(self.training_set_, self.valid_set_)
        self.valid_ndcg_ = self.ranker.valid_ndcg_
        return self

    def fit_reranker(self, splits: Splits) -> Pipeline:
        """Choose what orders the page (`served_`), then its diversity, on validation queries.

        The lists are compared end to end, the whole corpus searched, by NDCG@10 (`valid_ndcgs_`);
        ties go to the simpler one.
        """
        valid = splits.valid
        lists = self.lists(self.encode(valid.texts, valid.own))
        self.valid_ndcgs_ = {name: valid.mean_ndcg(found, PAGE) for name, found in lists.items()}
        self.served_, said = preferred(self.valid_ndcgs_, RANKED)
        self.notices += [said] if said else []
        order = lists[self.served_]
        self.reranker.fit(valid.texts, order, lambda page: valid.mean_ndcg(page, PAGE))
        return self

    def ranking_set(self, judged: JudgedQueries) -> RankingSet:
        """Describe the judged documents and `unjudged` further candidates of each query."""
        queries = self.encode(judged.texts, judged.own)
        found = self.retrieve(queries).candidates.item_ids
        rows, grades = with_unjudged(judged, found, count=self.unjudged, seed=self.seed)
        return self.described(replace(judged, rows=rows, grades=grades), queries)

    def described(self, judged: JudgedQueries, queries: Queries) -> RankingSet:
        """Compute the features of the judged documents, in blocks as wide as their longest list."""
        parts = []
        for members in queries.blocks(BLOCK):
            part = judged.part(members).narrow()
            features = self.describe(queries.part(members), part.rows)
            parts.append(RankingSet.of(features, part.grades, part.rows))
        return RankingSet.joined(parts)

    def encode(self, texts: Sequence[str], own: np.ndarray | None = None) -> Queries:
        """Encode query texts; `own` (B,) are rows of documents that they must not find."""
        known = np.full(len(texts), -1, np.int64) if own is None else own
        return Queries(tuple(texts), self.dense.encode(texts), known)

    def retrieve(
        self,
        queries: Queries,
        k: int | None = None,
        allowed: np.ndarray | None = None,
        *,
        merge: Hybrid | None = None,
    ) -> Fused:
        """Return merged candidates, `keep` or, where more are asked for, k of them."""
        keep = max(self.keep, k or 0)
        depth = max(self.per_source, keep)
        lexical, nearest = self.sources.retrieve(queries, depth, allowed=allowed)
        return (merge or self.hybrid).merge(lexical, nearest, keep)

    def lists(self, queries: Queries) -> dict[str, Candidates]:
        """Return the lists that may order a page, the simplest first, `DEPTH` or `keep` long."""
        lexical, nearest = self.sources.retrieve(queries, self.per_source)
        merged = self.hybrid.merge(lexical, nearest, max(DEPTH, self.keep)).candidates
        return {
            BY_FIELD: lexical.head(DEPTH),
            DENSE: nearest.head(DEPTH),
            HYBRID: merged,
            RANKED: self.rank(queries, merged.head(self.keep)),
        }

    def describe(self, queries: Queries, rows: np.ndarray) -> np.ndarray:
        """Compute the features of given documents: rows (B, K) -> (B, K, F)."""
        return self.features.transform(queries.texts, queries.vectors, rows)

    def found(self, queries: Queries, k: int, allowed: np.ndarray | None = None) -> Fused:
        """Return the candidates of a page, ordered as served where that is not by the ranker."""
        return self.retrieve(queries, k, allowed, merge=ALONE.get(self.served_))

    def order(self, queries: Queries, candidates: Candidates) -> Candidates:
        """Order the candidates of a page: by the ranker, or as they come where it is not served."""
        return self.rank(queries, candidates) if self.served_ == RANKED else candidates

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
        check_words(texts)
        allowed = allowed_by(filters, self.documents)
        times = StageTimes()
        with times("candidates"):
            queries = self.encode(texts)
            found = self.found(queries, min(k, self.documents.height), allowed)
        with times("ranking"):
            ranked = self.order(queries, found.candidates)
        with times("re-ranking"):
            page = self.rerank(queries, ranked, k)
        with times("reasons"):
            hits = [self._hits(queries, row, page, found) for row in range(len(queries))]
        return Results(hits, times.milliseconds)

    def explain(self, query: Queries, rows: np.ndarray) -> list[list[str]]:
        """Give the reasons of the first few of one query's documents: rows (K,), -1 padded."""
        shown = rows[rows >= 0][:EXPLAINED]
        features = self.describe(query, shown[None])[0]  # (≤10, F)
        account = self.ranker.contributions(features) if self.served_ == RANKED else None
        return reasons(features, account, self.features.names, stories_of(self.schema))

    def _hits(self, queries: Queries, row: int, page: Candidates, found: Fused) -> list[Hit]:
        """Put one page together, with provenance and reasons."""
        told = self.explain(queries.part(slice(row, row + 1)), page.item_ids[row])
        return hits_of(self.documents, self.titles_, page, row, found.ranks_of(row), told)

    def profile(self, splits: Splits) -> pl.DataFrame:
        """Sample the feature rows that `fit_ranker` made of `splits.train`, to watch for drift."""
        rows = self.training_set_.features
        sample = np.random.default_rng(self.seed).permutation(len(rows))[:20_000]
        return pl.DataFrame(rows[np.sort(sample)], schema=list(self.features.names))

    def save(self, folder: Path) -> None:
        """Write every stage and the documents into an existing folder."""
        for name in ("bm25", "dense", "hybrid", "ranker", "reranker"):
            (folder / name).mkdir()
            getattr(self, name).save(folder / name)
        self.documents.write_parquet(folder / "documents.parquet")
        kept = ("per_source", "keep", "unjudged", "seed")
        saved = {
            "settings": {name: getattr(self, name) for name in kept},
            "schema": self.schema.to_json(),
            "served": self.served_,
            "example": self.example,
            "notices": self.notices,
        }
        write_json(folder / "pipeline.json", saved)

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote."""
        saved = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        pipeline = cls(
            schema=Schema.from_json(saved["schema"]),
            sources=Sources(bm25=BM25.load(folder / "bm25"), dense=Dense.load(folder / "dense")),
            hybrid=Hybrid.load(folder / "hybrid"),
            ranker=LambdaMart.load(folder / "ranker"),
            reranker=Reranker.load(folder / "reranker"),
            **saved["settings"],
        )
        pipeline.notices, pipeline.example = saved["notices"], saved["example"]
        pipeline.served_ = saved["served"]
        return pipeline._prepare(pl.read_parquet(folder / "documents.parquet"))


def _choices(
    config: Config, schema: Schema
) -> tuple[list[tuple[float, float]], list[dict[str, float]]]:
    """Return the constants and field weights of BM25 to choose from; those of films are settled."""
    options, own = config.candidates, config.data.field_weights()
    constants = {
        (k1 if options.k1 is None else options.k1, b if options.b is None else options.b): None
        for k1, b in (CONSTANTS[:1] if schema.films else CONSTANTS)
    }
    if own:
        return list(constants), [own]
    if schema.films:
        return list(constants), [dict(vars(options.weights))]
    return list(constants), [dict(mix) for mix in MIXES]
