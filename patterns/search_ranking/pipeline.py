"""The boxes wired: BM25 and dense candidates -> merge -> features -> ranker -> re-ranker.

What is fitted on what: the index and the vectors know documents alone. The trees are grown on
training queries; the fusion, the ranker's early stopping, which list orders the page (BM25, dense,
their merge, or the ranker's) and the diversity trade-off are chosen on validation queries. Test
queries come in nowhere. A ranker that validation does not prefer is kept and reported, not served.

Shapes: `B` queries, `K` candidates, `M` judged documents a query, `N` documents, `F` features.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
from patterns.search_ranking.entities.documents import ALL, Schema, dense_texts, field_texts
from patterns.search_ranking.entities.queries import JudgedQueries, Queries, without_own
from patterns.search_ranking.entities.results import EXPLAINED, Hit, Results, hits_of
from patterns.search_ranking.stages.candidates.bm25 import BM25, Field
from patterns.search_ranking.stages.candidates.dense import Dense
from patterns.search_ranking.stages.candidates.hybrid import Hybrid, recall_of
from patterns.search_ranking.stages.features import Features, names_of
from patterns.search_ranking.stages.ranking import LambdaMart
from patterns.search_ranking.stages.reasons import reasons, stories_of
from patterns.search_ranking.stages.reranking import Reranker
from patterns.search_ranking.stages.rules import Condition, Rules, allowed_by, read_rules
from patterns.search_ranking.stages.training_set import MOST, RankingSet, at_most, with_unjudged

CELLS = 50_000_000  # queries x documents scored at a time, to bound the memory
BLOCK = 256  # queries at a time, at most
DEPTH, PAGE = 100, 10  # of the lists that are compared, and of a page
BY_FIELD, DENSE, HYBRID, RANKED = "BM25, by field", "dense", "hybrid", "+ ranking"
# one list, its documents first; those of the other follow, for a page longer than the list
ALONE = {
    BY_FIELD: Hybrid(lexical_weight=1 - 1e-9),
    DENSE: Hybrid(lexical_weight=1e-9),
}
FILM_CONSTANTS = (1.2, 0.75)
CONSTANTS = (FILM_CONSTANTS, (0.9, 0.4), (1.5, 0.9), (2.0, 0.75))
MIXES: tuple[dict[str, float], ...] = (
    {ALL: 1.0},
    {"title": 0.3, ALL: 1.0},
    {"title": 1.0, ALL: 1.0},
    {"title": 0.5, "text": 1.0},
    {"title": 1.0, "text": 1.0},
)


class Pipeline:
    """Search in four boxes."""

    def __init__(
        self,
        *,
        schema: Schema,
        bm25: BM25,
        dense: Dense,
        hybrid: Hybrid,
        ranker: LambdaMart,
        reranker: Reranker,
        per_source: int,
        keep: int,
        unjudged: int = 0,
        seed: int = 0,
        constants: Sequence[tuple[float, float]] = (),
        mixes: Sequence[Mapping[str, float]] = (),
    ) -> None:
        self.schema = schema
        self.bm25, self.dense, self.hybrid = bm25, dense, hybrid
        self.features = Features(bm25=bm25, dense=dense, schema=schema)
        self.ranker, self.reranker = ranker, reranker
        self.per_source, self.keep, self.unjudged, self.seed = per_source, keep, unjudged, seed
        self.constants, self.mixes = constants, mixes  # of BM25, to choose from; none: as it is
        self.served_ = RANKED
        self.notices: list[str] = []

    @classmethod
    def from_config(cls, config: Config, splits: Splits) -> Pipeline:
        """Make the unfitted stages for the fields of the documents; rules are checked on them."""
        options, ranking, page = config.candidates, config.ranking, config.reranking
        films = splits.schema.films
        length = options.max_length or (64 if films else 256)
        encoder = load_encoder(options.encoder, max_length=length, device=config.device)
        constants, mixes = _choices(config, splits.schema)
        fields = {name: Field(kind, *constants[0]) for name, (kind, _) in
                  splits.schema.indexed.items()}  # fmt: skip
        rules = read_rules(page.rules) if page.rules else ()
        Rules(rules=rules).fit(splits.documents)
        return cls(
            schema=splits.schema,
            bm25=BM25(fields=fields, weights=mixes[0]),
            dense=Dense(encoder=encoder, index=options.index),
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
            constants=constants,
            mixes=mixes,
        )

    def fit_candidates(self, splits: Splits) -> Pipeline:
        """Index and encode the corpus; choose BM25's constants and weights where there are several.

        The choice is made on training and validation queries, which BM25 has learned nothing from.
        """
        texts = dense_texts(splits.documents, self.schema)
        self.notices = [text for text in (unspaced_notice(texts),) if text]
        self.bm25.fit(field_texts(splits.documents, self.schema))
        if len(self.constants) * len(self.mixes) > 1:
            self._choose_bm25(splits)
        self.dense.fit(texts)
        self.notices += self.dense.notices_
        if self.dense.cut_share_:
            self.notices.append(
                f"{self.dense.cut_share_:.0%} of the documents are longer than the encoder reads; "
                "--candidates.max-length sets its length in tokens."
            )
        plain = (text for text in splits.valid.texts if text.replace(" ", "").isalnum())
        self.example = next(plain, splits.valid.texts[0])
        return self._prepare(splits.documents)

    def _choose_bm25(self, splits: Splits) -> None:
        """Compare constants and weights by NDCG@10 on a sample of training and valid queries."""
        both = JudgedQueries.joined([splits.valid, splits.train])
        most = max(100, min(1000, 2 * CELLS // max(1, self.bm25.count)))
        sample = np.sort(np.random.default_rng(self.seed).permutation(len(both))[:most])
        judged = both.part(sample)

        def ndcg_of(bm25: BM25) -> float:
            found = self._lexical(judged.texts, PAGE + 1)
            return float(judged.ndcg_of(without_own(found, judged.own, PAGE).item_ids, PAGE).mean())

        self.bm25.choose(ndcg_of, constants=self.constants, mixes=self.mixes)

    def _prepare(self, documents: pl.DataFrame) -> Pipeline:
        """Build the state that depends on documents, their index and their vectors alone."""
        self.documents = documents
        self.features.fit(documents)
        self.reranker.prepare(documents, self.dense.vectors_)
        body = [name for name in self.schema.texts if name != "title"][:1]
        start = pl.concat_str(*body).str.slice(0, 80) if body else pl.lit("")
        title = pl.when(pl.col("title") == "").then(start).otherwise(pl.col("title"))
        self.titles_ = documents.select(title.alias("title"))["title"]
        return self

    def fit_fusion(self, splits: Splits) -> Pipeline:
        """Choose how the two lists are merged (`valid_quality_`).

        Films go by Recall at `keep`, since thousands of judged queries train the ranker that orders
        the list; your own documents by NDCG@10, since the merged list may well be the page.
        """
        valid = splits.valid
        lexical, nearest = self.sources(self.encode(valid.texts, valid.own))
        if self.schema.films:
            relevant = valid.relevant()
            self.goal_ = f"Recall@{self.keep}"
            self.hybrid.fit(
                lexical,
                nearest,
                lambda found: float(recall_of(found, relevant, self.keep).mean()),
                self.keep,
            )
        else:
            self.goal_ = f"NDCG@{PAGE}"
            self.hybrid.fit(
                lexical,
                nearest,
                lambda found: float(valid.ndcg_of(found.item_ids, PAGE).mean()),
                self.keep,
                scaled=True,
            )
        return self

    def fit_ranker(self, splits: Splits) -> Pipeline:
        """Grow the trees until NDCG@10 over the validation rows no longer rises (`valid_ndcg_`).

        The rows stay in `training_set_` and `valid_set_`, for the ablation and the profile.
        """
        train, cut = at_most(splits.train, MOST - self.unjudged, seed=self.seed)
        valid, also = at_most(splits.valid, MOST - self.unjudged, seed=self.seed)
        if cut + also:
            self.notices.append(
                f"{cut + also:,} queries have more judgments than the {MOST:,} rows that LightGBM "
                "takes: for the ranker those of grade 0 were sampled."
            )
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
        self.valid_ndcgs_ = {
            name: float(valid.ndcg_of(found.item_ids, PAGE).mean()) for name, found in lists.items()
        }
        self.served_ = max(lists, key=lambda name: self.valid_ndcgs_[name])
        if self.served_ != RANKED:
            self.notices.append(
                f"Pages are ordered by {self.served_}, not by the ranker: NDCG@{PAGE} on validation "
                f"{self.valid_ndcgs_[self.served_]:.4f} against {self.valid_ndcgs_[RANKED]:.4f}."
            )
        self.reranker.fit(
            valid.texts,
            lists[self.served_],
            lambda page: float(valid.ndcg_of(page.item_ids, PAGE).mean()),
        )
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
            rows = judged.rows[members]
            columns = (rows >= 0).any(axis=0)
            features = self.describe(queries.part(members), rows[:, columns])
            grades = judged.grades[members][:, columns]
            parts.append(RankingSet.of(features, grades, rows[:, columns]))
        return RankingSet.joined(parts)

    def encode(self, texts: Sequence[str], own: np.ndarray | None = None) -> Queries:
        """Encode query texts; `own` (B,) are the rows of documents that the queries themselves are."""
        known = np.full(len(texts), -1, np.int64) if own is None else own
        return Queries(tuple(texts), self.dense.encode(texts), known)

    def _lexical(
        self,
        texts: Sequence[str],
        k: int,
        *,
        weights: Mapping[str, float] | None = None,
        allowed: np.ndarray | None = None,
    ) -> Candidates:
        """Return BM25's list in blocks of queries whose scores fit in memory."""
        size = max(1, min(BLOCK, CELLS // max(1, self.bm25.count)))
        found = [
            self.bm25.retrieve(texts[at : at + size], k, weights=weights, allowed=allowed)
            for at in range(0, len(texts), size)
        ]
        return Candidates.concatenate(found, width=min(k, self.bm25.count))

    def whole_text(self, queries: Queries) -> Candidates:
        """Return the list of the baseline: BM25 over all fields as one text, `DEPTH` long."""
        found = self._lexical(queries.texts, DEPTH + 1, weights={ALL: 1.0})
        return without_own(found, queries.own, DEPTH)

    def sources(
        self, queries: Queries, depth: int | None = None, allowed: np.ndarray | None = None
    ) -> tuple[Candidates, Candidates]:
        """Return the lexical and the dense list, `depth` each."""
        k = min(depth or self.per_source, self.documents.height)
        more = k + int((queries.own >= 0).any())
        lexical = self._lexical(queries.texts, more, allowed=allowed)
        nearest = self.dense.retrieve(queries.vectors, more, allowed=allowed)
        return without_own(lexical, queries.own, k), without_own(nearest, queries.own, k)

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
        lexical, nearest = self.sources(queries, max(self.per_source, keep), allowed)
        return (merge or self.hybrid).merge(lexical, nearest, keep)

    def lists(self, queries: Queries) -> dict[str, Candidates]:
        """Return the lists that may order a page, the simplest first, `DEPTH` or `keep` long."""
        lexical, nearest = self.sources(queries)
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
        """Return the candidates of a page, in the order of `served_` where that is not the ranker's."""
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
        for text in texts:
            if not any(letter.isalnum() for letter in text):
                raise ValueError(f"query: {text!r} has no word to search for; give one")
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
        stories = stories_of(self.schema)
        values = [dict(zip(self.features.names, row.tolist(), strict=True)) for row in features]
        if self.served_ != RANKED:
            return [reasons(each, None, stories) for each in values]
        gains = [
            dict(zip(self.features.names, row.tolist(), strict=True))
            for row in self.ranker.contributions(features)
        ]
        return [reasons(*pair, stories) for pair in zip(values, gains, strict=True)]

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
            bm25=BM25.load(folder / "bm25"),
            dense=Dense.load(folder / "dense"),
            hybrid=Hybrid.load(folder / "hybrid"),
            ranker=LambdaMart.load(folder / "ranker"),
            reranker=Reranker.load(folder / "reranker"),
            **saved["settings"],
        )
        pipeline.notices, pipeline.served_ = saved["notices"], saved["served"]
        pipeline.example = saved["example"]
        return pipeline._prepare(pl.read_parquet(folder / "documents.parquet"))


def _choices(
    config: Config, schema: Schema
) -> tuple[list[tuple[float, float]], list[dict[str, float]]]:
    """Return the constants and field weights of BM25 to choose from; those of films are settled."""
    options, own = config.candidates, config.data.field_weights()
    pairs = (FILM_CONSTANTS,) if schema.films else CONSTANTS
    constants = [
        (k1 if options.k1 is None else options.k1, b if options.b is None else options.b)
        for k1, b in pairs
    ]
    if own:
        mixes = [own]
    elif schema.films:
        mixes = [dict(vars(options.weights))]
    else:
        mixes = [dict(mix) for mix in MIXES]
    return list(dict.fromkeys(constants)), mixes
