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
from pathlib import Path

import numpy as np
import polars as pl

from common.atomic import write_json
from common.encoders import load_encoder
from common.retrieval import Candidates
from common.retrieval.bm25 import BM25, Field
from common.retrieval.dense import Dense
from common.retrieval.hybrid import Hybrid
from common.text import unspaced_notice
from common.timing import StageTimes
from patterns.search_ranking.config import Config
from patterns.search_ranking.data import Splits
from patterns.search_ranking.entities.documents import Schema, dense_texts, field_texts, titles_of
from patterns.search_ranking.entities.queries import JudgedQueries, Queries, check_words
from patterns.search_ranking.entities.results import Results, hits_of
from patterns.search_ranking.stages.candidates.sources import Sources, choices_of
from patterns.search_ranking.stages.features import Features, names_of
from patterns.search_ranking.stages.lists import PAGE, Lists
from patterns.search_ranking.stages.ranking import LambdaMart
from patterns.search_ranking.stages.reasons import Reasons
from patterns.search_ranking.stages.reranking import Reranker
from patterns.search_ranking.stages.rules import Condition, Rules, allowed_by, read_rules
from patterns.search_ranking.stages.training_set import (
    RankingSet,
    described,
    with_unjudged,
    within_limit,
)


class Pipeline:
    """Search in four boxes."""

    def __init__(
        self, *, schema: Schema, lists: Lists, reranker: Reranker, unjudged: int = 0, seed: int = 0
    ) -> None:
        self.schema, self.lists, self.reranker = schema, lists, reranker
        self.sources, self.hybrid = lists.sources, lists.hybrid
        self.bm25, self.dense = self.sources.bm25, self.sources.dense
        self.features, self.ranker = lists.features, lists.ranker
        self.reasons = Reasons(lists=lists, schema=schema)
        self.unjudged, self.seed = unjudged, seed
        self.notices: list[str] = []

    @classmethod
    def from_config(cls, config: Config, splits: Splits) -> Pipeline:
        """Make the unfitted stages for the fields of the documents; rules are checked on them."""
        options, ranking, page = config.candidates, config.ranking, config.reranking
        schema = splits.schema
        length = options.max_length or (64 if schema.films else 256)
        encoder = load_encoder(options.encoder, max_length=length, device=config.device)
        weights = vars(options.weights) if schema.films else {}
        if config.data.weighted:
            weights = config.data.field_weights()
        constants, mixes = choices_of(schema, k1=options.k1, b=options.b, weights=weights)
        indexed = schema.indexed.items()
        fields = {name: Field(analyser, *constants[0]) for name, (analyser, _) in indexed}
        rules = read_rules(page.rules) if page.rules else ()
        Rules(rules=rules).fit(splits.documents)
        bm25 = BM25(fields=fields, weights=mixes[0])
        dense = Dense(encoder=encoder, index=options.index)
        lists = Lists(
            sources=Sources(bm25=bm25, dense=dense, constants=constants, mixes=mixes),
            hybrid=Hybrid(),
            features=Features(bm25=bm25, dense=dense, schema=schema),
            ranker=LambdaMart(
                names=names_of(schema),
                trees=ranking.trees,
                leaves=ranking.leaves,
                learning_rate=ranking.learning_rate,
                min_leaf_rows=ranking.min_leaf_rows,
                seed=config.seed,
            ),
            per_source=options.per_source,
            keep=options.keep,
        )
        reranker = Reranker(depth=page.depth, ndcg_budget=page.ndcg_budget, rules=rules)
        return cls(
            schema=schema,
            lists=lists,
            reranker=reranker,
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
        self.notices += self.sources.notices_
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
        films, keep = self.schema.films, self.lists.keep
        judged = splits.valid
        if not films:
            judged = JudgedQueries.joined([splits.valid, splits.train]).sample(1000, self.seed)

        def quality_of(found: Candidates) -> float:
            return judged.mean_recall(found, keep) if films else judged.mean_ndcg(found, PAGE)

        self.goal_ = f"Recall@{keep}" if films else f"NDCG@{PAGE}"
        queries = self.encode(judged.texts, judged.own)
        lists = self.sources.retrieve(queries, self.lists.per_source)
        self.hybrid.fit(*lists, quality_of, keep, scaled=not films)
        return self

    def fit_ranker(self, splits: Splits) -> Pipeline:
        """Grow the trees until NDCG@10 over the validation rows no longer rises.

        The rows stay in `training_set_` and `valid_set_`, for the ablation and the profile.
        """
        parts = [splits.train, splits.valid]
        (train, valid), notices = within_limit(parts, room=self.unjudged, seed=self.seed)
        self.notices += notices
        self.training_set_, self.valid_set_ = self.ranking_set(train), self.ranking_set(valid)
        self.ranker.fit(self.training_set_, self.valid_set_)
        return self

    def fit_reranker(self, splits: Splits) -> Pipeline:
        """Choose what orders the page (`lists.served_`), then its diversity, on validation queries.

        The lists are compared end to end, the whole corpus searched.
        """
        valid = splits.valid
        every = self.lists.every(self.encode(valid.texts, valid.own))
        self.lists.fit(every, valid)
        self.notices += self.lists.notices_
        order = every[self.lists.served_]
        self.reranker.fit(valid.texts, order, lambda page: valid.mean_ndcg(page, PAGE))
        return self

    def ranking_set(self, judged: JudgedQueries) -> RankingSet:
        """Describe the judged documents and `unjudged` further candidates of each query."""
        queries = self.encode(judged.texts, judged.own)
        found = self.lists.retrieve(queries).candidates.item_ids
        more = with_unjudged(judged, found, count=self.unjudged, seed=self.seed)
        return described(more, queries, self.features)

    def encode(self, texts: Sequence[str], own: np.ndarray | None = None) -> Queries:
        """Encode query texts; `own` (B,) are rows of documents that they must not find."""
        known = np.full(len(texts), -1, np.int64) if own is None else own
        return Queries(tuple(texts), self.dense.encode(texts), known)

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
            found = self.lists.found(queries, min(k, self.documents.height), allowed)
        with times("ranking"):
            ranked = self.lists.order(queries, found.candidates)
        with times("re-ranking"):
            page = self.reranker.rerank(texts, ranked, k)
        with times("reasons"):
            told = self.reasons.tell(queries, page)
            hits = hits_of(self.documents, self.titles_, page, found, told)
        return Results(hits, times.milliseconds)

    def profile(self, splits: Splits) -> pl.DataFrame:
        """Sample the feature rows that `fit_ranker` made of `splits.train`, to watch for drift."""
        rows = self.training_set_.sample(20_000, self.seed)
        return pl.DataFrame(rows, schema=list(self.features.names))

    def save(self, folder: Path) -> None:
        """Write every stage and the documents into an existing folder."""
        for name in ("bm25", "dense", "hybrid", "ranker", "reranker"):
            (folder / name).mkdir()
            getattr(self, name).save(folder / name)
        self.documents.write_parquet(folder / "documents.parquet")
        settings = {"per_source": self.lists.per_source, "keep": self.lists.keep}
        saved = {
            "settings": {**settings, "unjudged": self.unjudged, "seed": self.seed},
            "schema": self.schema.to_json(),
            "served": self.lists.served_,
            "example": self.example,
            "notices": self.notices,
        }
        write_json(folder / "pipeline.json", saved)

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote."""
        saved = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        schema, settings = Schema.from_json(saved["schema"]), saved["settings"]
        bm25, dense = BM25.load(folder / "bm25"), Dense.load(folder / "dense")
        lists = Lists(
            sources=Sources(bm25=bm25, dense=dense),
            hybrid=Hybrid.load(folder / "hybrid"),
            features=Features(bm25=bm25, dense=dense, schema=schema),
            ranker=LambdaMart.load(folder / "ranker"),
            per_source=settings.pop("per_source"),
            keep=settings.pop("keep"),
            served=saved["served"],
        )
        reranker = Reranker.load(folder / "reranker")
        pipeline = cls(schema=schema, lists=lists, reranker=reranker, **settings)
        pipeline.notices, pipeline.example = saved["notices"], saved["example"]
        return pipeline._prepare(pl.read_parquet(folder / "documents.parquet"))
