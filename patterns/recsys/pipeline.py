"""The boxes wired: candidate sources -> merge -> features -> ranker -> re-ranker.

The order of fitting keeps time honest. Sources learn on the train window. The ranker learns from
what users took in the validation window, among the candidates those sources gave them there. Then
sources and item statistics are fitted again on both windows, so that what goes out is fresh; the
ranker keeps what it learned about how far each signal can be trusted.

Legend: `B` requests, `K` candidates, `N` items.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from common.artifacts import write_json
from common.retrieval import Candidates, ordered, reciprocal_rank_fusion
from patterns.recsys.catalogue import Catalogue
from patterns.recsys.config import Config
from patterns.recsys.requests import (
    RECENT,
    UNKNOWN,
    Events,
    Requests,
    events_with_history,
    latest_by_user,
    requests_within,
)
from patterns.recsys.stages.candidates.popularity import Popularity
from patterns.recsys.stages.features import Features
from patterns.recsys.stages.ranking.examples import Examples, labels_of
from patterns.recsys.stages.reranking.reranker import Reranker

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MOMENTS = (0.0, 0.2, 0.4, 0.6, 0.8)  # of a user's validation events, where rankers learn
FOLDS = 3  # of validation users, for early stopping and choices
MOST_REQUESTS = 1_200  # rankers learn from at most so many


@dataclass
class Recommendations:
    """Pages of `B` requests with where each item came from and what each stage took."""

    items: Candidates
    sources: list[list[list[str]]]  # per request, per item: the sources that proposed it
    seconds: dict[str, float] = field(default_factory=dict)


class Pipeline:
    """Two-stage recommendation with re-ranking."""

    def __init__(
        self,
        catalogue: Catalogue,
        sources: list[Any],
        rankers: list[Any],
        reranker: Reranker,
        *,
        per_source: int,
        keep: int,
        seed: int = 0,
    ) -> None:
        self.catalogue = catalogue
        self.sources = sources
        self.rankers = rankers
        self.reranker = reranker
        self.per_source = per_source
        self.keep = keep
        self.seed = seed
        self.features = Features()
        self.ranker: Any = None
        self.notices: list[str] = []

    @classmethod
    def from_config(cls, config: Config, catalogue: Catalogue) -> Pipeline:
        """Make the unfitted stages."""
        from patterns.recsys.stages.candidates.als import ALS
        from patterns.recsys.stages.candidates.two_tower import TwoTower
        from patterns.recsys.stages.ranking.deepfm import DeepFM
        from patterns.recsys.stages.ranking.lightgbm import LightGBMRanker

        options, ranking = config.candidates, config.ranking
        sources = [
            Popularity(half_life_days=options.half_life_days),
            ALS(
                factors=options.als_factors,
                iterations=options.als_iterations,
                regularization=options.als_regularization,
                confidence=options.als_confidence,
                index=options.index,
                seed=config.seed,
            ),
            TwoTower(
                dimension=options.tower_dimension,
                epochs=options.tower_epochs,
                learning_rate=options.tower_learning_rate,
                index=options.index,
                device=config.device,
                seed=config.seed,
            ),
        ]
        rankers: list[Any] = [
            LightGBMRanker(
                trees=ranking.trees,
                leaves=ranking.leaves,
                learning_rate=ranking.learning_rate,
                seed=config.seed,
            ),
            DeepFM(
                items=len(catalogue.item_ids),
                epochs=ranking.deepfm_epochs,
                device=config.device,
                seed=config.seed,
            ),
        ]
        return cls(
            catalogue,
            sources,
            [each for each in rankers if ranking.model in ("best", each.name)],
            Reranker(depth=config.reranking.depth, ndcg_budget=config.reranking.ndcg_budget),
            per_source=options.per_source,
            keep=options.keep,
            seed=config.seed,
        )

    def fit_candidates(
        self, events: Events, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Fit sources and item statistics on `events`, and remember the users' histories."""
        popularity, als, towers = self.sources
        catalogue = self.catalogue
        users, items = len(catalogue.user_ids), len(catalogue.item_ids)
        self.histories_ = events.matrix(users, items)
        self.recent_ = latest_by_user(events, users)
        self.now_ = int(events.times.max())
        popularity.fit(events.items, events.times, items)
        als.fit(self.histories_)
        recent, segments, taken = events_with_history(events, catalogue)
        towers.fit(
            recent,
            segments,
            taken,
            genres=catalogue.genres,
            years=catalogue.years,
            segment_sizes=catalogue.segment_sizes,
            checkpoint=checkpoints and checkpoints / f"two-tower-{len(events)}",
            resume=resume,
        )
        self.features.fit(events, genres=catalogue.genres, years=catalogue.years)
        return self

    def fit_ranker(
        self,
        past: Events,
        window: Events,
        *,
        checkpoints: Path | None = None,
        resume: bool = False,
    ) -> dict[str, float]:
        """Fit the rankers on `window`; returns the NDCG@10 of each, cross-validated over users.

        Whole users are held out in turn, so no one's taste is learned and judged at once, and
        every user has a say in the choice. The rankers then learn from all users, for as long as
        was best on average.
        """
        requests, answers, users = requests_within(past, window, self.catalogue, moments=MOMENTS)
        rng = np.random.default_rng(self.seed)
        fold_of_user = rng.integers(FOLDS, size=len(self.catalogue.user_ids))
        if len(requests) > MOST_REQUESTS:
            rows = np.sort(rng.choice(len(requests), MOST_REQUESTS, replace=False))
            requests, answers, users = requests.part(rows), answers[rows], users[rows]
        if len(np.unique(fold_of_user[users])) < 2:
            raise ValueError(
                f"split.valid_share: {len(np.unique(users))} users took something new in the"
                " validation window, too few to hold some out; raise --split.valid-share, or give"
                " data of more users"
            )
        candidates = self.retrieve(requests)
        labels = labels_of(candidates.item_ids, answers)
        examples = Examples(
            self.describe(requests, candidates),
            candidates.item_ids,
            labels,
            np.full_like(labels, np.nan),
        )
        ranked = {}
        for ranker in self.rankers:
            folder = checkpoints and checkpoints / ranker.name
            options = {"checkpoint": folder, "resume": resume} if ranker.name == "deepfm" else {}
            scores = _cross_fitted(ranker, examples, fold_of_user[users], options)
            ranked[ranker.name] = ordered(candidates.item_ids, scores)
        quality = {name: _ndcg(found, answers) for name, found in ranked.items()}
        self.ranker = max(self.rankers, key=lambda ranker: quality[ranker.name])
        self.held_out_ = ranked[self.ranker.name], answers
        self.profile_ = examples.flat().features
        return quality

    def fit_reranker(self) -> Reranker:
        """Choose the diversity trade-off on lists ranked by rankers that had not seen the user."""
        ranked, answers = self.held_out_
        return self.reranker.fit(ranked, answers, self.catalogue.genre_vectors())

    def retrieve(self, requests: Requests) -> Candidates:
        """Merge the sources' candidates by rank: (B, keep)."""
        return self._merged([source.retrieve(requests, self.per_source) for source in self.sources])

    def describe(self, requests: Requests, candidates: Candidates) -> np.ndarray:
        """Give the ranker's features of candidates: (B, K, F)."""
        item_ids = candidates.item_ids
        scores = {source.name: source.score(requests, item_ids) for source in self.sources}
        return self.features.build(requests, item_ids, scores, self._spaces())

    def feature_names(self) -> list[str]:
        """Name the columns of `describe`."""
        names = {source.name: None for source in self.sources}
        return Features.names(names, self._spaces(), self.catalogue.segment_names)

    def training_profile(self) -> pl.DataFrame:
        """Give the features that the ranker was fitted on, the reference of drift."""
        return pl.DataFrame(self.profile_, schema=self.feature_names())

    def rank(self, requests: Requests, candidates: Candidates, ranker: Any = None) -> Candidates:
        """Order candidates by the ranker."""
        scores = (ranker or self.ranker).score(
            self.describe(requests, candidates), candidates.item_ids
        )
        return ordered(candidates.item_ids, scores)

    def rerank(self, ranked: Candidates, k: int) -> Candidates:
        """Give the pages."""
        return self.reranker.rerank(ranked, k)

    def recommend(self, requests: Requests, k: int) -> Recommendations:
        """Run all stages; `k` beyond the candidates gives what there is."""
        clock = [time.perf_counter()]
        lists = [source.retrieve(requests, self.per_source) for source in self.sources]
        candidates = self._merged(lists)
        clock.append(time.perf_counter())
        ranked = self.rank(requests, candidates)
        clock.append(time.perf_counter())
        page = self.rerank(ranked, k)
        clock.append(time.perf_counter())
        stages = ("candidates", "ranking", "re-ranking")
        return Recommendations(
            page, self._provenance(page, lists), dict(zip(stages, np.diff(clock), strict=True))
        )

    def requests_for(
        self, users: np.ndarray, extra: list[list[int]], *, now: int | None = None
    ) -> Requests:
        """Make requests of `users` (B,), row numbers or -1, who took the `extra` items since."""
        known = np.maximum(users, 0)
        segments = np.where(users[:, None] < 0, 0, self.catalogue.segments[known])
        recent = np.where(users[:, None] < 0, UNKNOWN, self.recent_[known])
        seen = self.histories_[known].tolil()
        for row, items in enumerate(extra):
            if users[row] < 0:
                seen.rows[row], seen.data[row] = [], []
            if items:
                recent[row] = np.concatenate([items[::-1], recent[row]])[:RECENT]
                seen[row, items] = 1.0
        times = np.full(len(users), self.now_ if now is None else now, dtype=np.int64)
        return Requests(segments, times, recent, seen.tocsr())

    def save(self, folder: Path) -> None:
        """Write every stage and what a server needs to know of users and items."""
        for stage in (*self.sources, self.features, self.ranker, self.reranker):
            stage.save(folder)
        self.catalogue.save(folder / "catalogue.npz")
        np.savez(
            folder / "histories.npz",
            items=self.histories_.indices,
            ends=self.histories_.indptr,
            recent=self.recent_,
        )
        settings = {
            "ranker": self.ranker.name,
            "per_source": self.per_source,
            "keep": self.keep,
            "now": self.now_,
            "notices": self.notices,
        }
        write_json(folder / "pipeline.json", settings)

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote."""
        from patterns.recsys.stages.candidates.als import ALS
        from patterns.recsys.stages.candidates.two_tower import TwoTower
        from patterns.recsys.stages.ranking.deepfm import DeepFM
        from patterns.recsys.stages.ranking.lightgbm import LightGBMRanker

        settings = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        catalogue = Catalogue.load(folder / "catalogue.npz")
        pipeline = cls(
            catalogue,
            [stage.load(folder) for stage in (Popularity(), ALS(), TwoTower())],
            [LightGBMRanker(), DeepFM(items=len(catalogue.item_ids))],
            Reranker().load(folder),
            per_source=settings["per_source"],
            keep=settings["keep"],
        )
        served = {ranker.name: ranker for ranker in pipeline.rankers}[settings["ranker"]]
        pipeline.ranker = served.load(folder)
        pipeline.rankers = [pipeline.ranker]
        pipeline.features.load(folder)
        pipeline.now_, pipeline.notices = settings["now"], settings["notices"]
        pipeline._load_histories(folder / "histories.npz")
        return pipeline

    def _load_histories(self, path: Path) -> None:
        from scipy.sparse import csr_matrix

        with np.load(path) as arrays:
            items, ends, self.recent_ = arrays["items"], arrays["ends"], arrays["recent"]
        shape = (len(self.catalogue.user_ids), len(self.catalogue.item_ids))
        self.histories_ = csr_matrix((np.ones(len(items), np.float32), items, ends), shape=shape)

    def _merged(self, lists: list[Candidates]) -> Candidates:
        return reciprocal_rank_fusion(lists, k=self.keep)

    def _spaces(self) -> dict[str, np.ndarray]:
        """Item vectors in which nearness is measured."""
        return {source.name: source.items_.vectors for source in self.sources[1:]}

    def _provenance(self, page: Candidates, lists: list[Candidates]) -> list[list[list[str]]]:
        """Name, for each item of each page, the sources that proposed it."""
        named = list(zip(self.sources, lists, strict=True))
        return [
            [
                [source.name for source, found in named if item in found.item_ids[row]]
                for item in items
                if item != UNKNOWN
            ]
            for row, items in enumerate(page.item_ids)
        ]


def _cross_fitted(
    ranker: Any, examples: Examples, folds: np.ndarray, options: dict[str, Any]
) -> np.ndarray:
    """Score each request (B, K) by a ranker fitted on the other folds; then fit it on all."""
    scores = np.full(examples.item_ids.shape, -np.inf, dtype=np.float32)
    lengths = []
    folder = options.get("checkpoint")
    for fold in np.unique(folds):
        rows, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if folder:
            options = options | {"checkpoint": folder / f"fold-{fold}"}
        ranker.fit(examples.part(rows), examples.part(held), **options)
        scores[held] = ranker.score(examples.features[held], examples.item_ids[held])
        lengths.append(ranker.length_)
    if folder:
        options = options | {"checkpoint": folder / "all"}
    ranker.fit(examples, length=max(1, round(float(np.mean(lengths)))), **options)
    return scores


def _ndcg(ranked: Candidates, answers: csr_matrix) -> float:
    from common.evaluation.ranking import judge, ndcg

    judged = judge(ranked.item_ids, answers)
    return float(ndcg(judged.relevance, judged.ideal, 10).mean())
