"""The boxes wired: candidate sources -> merge -> features -> ranker -> re-ranker.

Sources learn on the train window. The ranker learns from what users chose in the validation window,
among the candidates those sources gave them there. Then `refresh` fits sources and item statistics
again on both windows; the ranker keeps what it learned about how far to trust each signal.

Shapes: `B` requests, `K` candidates, `N` items, `F` features.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from common.atomic import write_json
from common.config import as_flags
from common.retrieval import Candidates, Fused, ordered
from common.timing import StageTimes
from common.units import DAY
from patterns.recsys.config import Config, RerankingOptions
from patterns.recsys.data import Splits, check_values
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.histories import Histories
from patterns.recsys.entities.lists import Recommendations
from patterns.recsys.entities.requests import Requests
from patterns.recsys.stages.candidates.again import Again
from patterns.recsys.stages.candidates.als import ALS
from patterns.recsys.stages.candidates.content import Content
from patterns.recsys.stages.candidates.item_item import EASE, ItemKNN
from patterns.recsys.stages.candidates.popularity import Popularity
from patterns.recsys.stages.candidates.segment_popularity import SegmentPopularity
from patterns.recsys.stages.candidates.source import Source
from patterns.recsys.stages.candidates.sources import Sources
from patterns.recsys.stages.candidates.two_tower import TwoTower
from patterns.recsys.stages.cold_start.new_items import NewItems
from patterns.recsys.stages.cold_start.survey import Survey
from patterns.recsys.stages.features import Features
from patterns.recsys.stages.merging import found_by
from patterns.recsys.stages.ranking.choice import MODELS, Ranking
from patterns.recsys.stages.reranking.exploration import Exploration
from patterns.recsys.stages.reranking.reranker import Reranker
from patterns.recsys.stages.serving import RANKED, Serving
from patterns.recsys.stages.training import Window


def sources_of(config: Config, catalogue: Catalogue) -> list[Source]:
    """Make the sources, the baseline first; `Sources` leaves out those that lack what they read."""
    own, device, seed = config.candidates, config.device, config.seed
    popularity = Popularity(half_life_days=own.half_life_days)
    als = ALS(
        factors=own.als_factors, iterations=own.als_iterations, index=own.index, seed=seed,
        regularization=own.als_regularization, confidence=own.als_confidence,
    )  # fmt: skip
    towers = TwoTower(
        dimension=own.tower_dimension, epochs=own.tower_epochs, most_events=own.tower_events,
        learning_rate=own.tower_learning_rate, logq=own.tower_logq, index=own.index,
        hard_negatives=own.tower_hard_negatives, device=device, seed=seed,
    )  # fmt: skip
    content = Content(encoder=own.encoder, index=own.index)
    new = NewItems(als=als.unfitted(), content=content, popularity=popularity.unfitted())
    return [
        popularity,
        SegmentPopularity(half_life_days=own.half_life_days),
        *([Again()] if catalogue.repeats else []),
        als,
        ItemKNN(neighbours=own.neighbours, shrinkage=own.shrinkage),
        EASE(regularization=own.ease_regularization, most=own.ease_items),
        towers,
        content,
        *([new] if config.reranking.explore else []),  # nobody knows them: for slots that explore
    ]


def _ranking(config: Config, splits: Splits) -> Ranking:
    check_values(config, splits)
    own, items = config.ranking, len(splits.catalogue.item_ids)
    return Ranking(
        items=items, models=MODELS if own.model == "best" else (own.model,), epochs=own.epochs,
        objective=own.objective, second=own.second, second_weight=own.second_weight,
        trees=own.trees, leaves=own.leaves, learning_rate=own.learning_rate,
        negative_share=own.negative_share, device=config.device, seed=config.seed,
    )  # fmt: skip


def _reranker(own: RerankingOptions) -> Reranker:
    return Reranker(
        method=own.method, depth=own.depth, ndcg_budget=own.ndcg_budget,
        similarity_cut=own.similarity_cut, genre_cap=own.genre_cap,
    )  # fmt: skip


@dataclass(eq=False, kw_only=True)
class Pipeline:
    """Two-stage recommendation with re-ranking."""

    catalogue: Catalogue
    sources: Sources
    features: Features
    ranking: Ranking
    serving: Serving
    reranker: Reranker
    exploration: Exploration
    survey: Survey
    examples: str = "candidates"
    shares: str = "chosen"
    seed: int = 0
    notices: list[str] = field(default_factory=list)

    @classmethod
    def from_config(cls, config: Config, splits: Splits, *, trained: Self | None = None) -> Self:
        """Make the unfitted stages; what was chosen on validation is that of `trained` if given."""
        catalogue, own = splits.catalogue, config.ranking
        seed = trained.seed if trained else config.seed
        sources = Sources.for_catalogue(
            sources_of(config, catalogue), catalogue, per_source=config.candidates.per_source,
            keep=config.candidates.keep, shares=trained.sources.shares_ if trained else None,
        )  # fmt: skip
        ranking = trained.ranking if trained else _ranking(config, splits)
        serving = trained.serving if trained else Serving(serve=own.serve, objective=own.objective)
        reranker = trained.reranker if trained else _reranker(config.reranking)
        return cls(
            catalogue=catalogue, sources=sources, features=Features(), ranking=ranking,
            serving=serving, reranker=reranker.with_genres(catalogue.genres), survey=Survey(),
            exploration=Exploration(slots=config.reranking.explore, seed=seed),
            examples=own.examples, shares=config.candidates.shares, seed=seed,
        )  # fmt: skip

    def fit_candidates(
        self, splits: Splits, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Self:
        """Fit what learns from events alone, on the train window."""
        events, known = splits.train, self.catalogue
        self.histories_ = Histories.of(events, known)
        self.sources.fit(events, known, checkpoints=checkpoints, resume=resume)
        self.features.fit(events, known)
        self.exploration.fit(np.bincount(events.items, minlength=len(known.item_ids)))
        self.survey.fit(events, users=len(known.user_ids), items=len(known.item_ids))
        self.notices = [*self.sources.notices, *self.serving.notices]
        return self

    def fit_ranker(
        self, splits: Splits, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Self:
        """Fit the rankers on the validation window, then choose what is served."""
        window = Window(splits.train, splits.valid, self.catalogue, self.seed)
        with as_flags(events="split.valid_share", log="ranking.examples",
                      objective="ranking.objective", second="ranking.second"):  # fmt: skip
            chosen, exposures = self.shares == "chosen", self.examples == "exposures"
            task = window.task(self.sources, self.features, choose_shares=chosen)
            learned = window.shown(splits.shown, self.sources, self.features) if exposures else None
            self.ranking.fit(
                task.examples, learned, names=self.feature_names(), judge=task.ndcg,
                checkpoints=checkpoints, resume=resume,
            )  # fmt: skip
        self.serving.fit(task, self.sources, self.ranking.held_out_scores_)
        return self

    def fit_reranker(self, splits: Splits) -> Self:
        """Choose the trade-off of diversity on the lists that are served."""
        lists, genres = self.serving.judged_, splits.catalogue.genres
        self.reranker.fit(lists.ranked, lists.answers, genres, seen=lists.requests.seen)
        return self

    def refresh(
        self, splits: Splits, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Self:
        """Fit what learns from events alone anew, on all but the test window."""
        longer = replace(splits, train=splits.train.joined(splits.valid))
        return self.fit_candidates(longer, checkpoints=checkpoints, resume=resume)

    def retrieve(self, requests: Requests) -> Fused:
        """Merge the sources' candidates: (B, keep); where a source is served, its list first."""
        return self.sources.retrieve(requests, first=self.serving.first)

    def describe(self, requests: Requests, merged: Fused) -> np.ndarray:
        """Return the ranker's features of candidates: (B, K, F)."""
        item_ids, votes = merged.candidates.item_ids, merged.votes()
        return self.features.describe(self.sources, requests, item_ids, votes)

    def feature_names(self) -> list[str]:
        """Name the columns of `describe`."""
        return self.features.names_of(self.sources, self.catalogue)

    def profile(self, splits: Splits) -> pl.DataFrame:
        """Return the features that the rankers were fitted on, the reference of drift."""
        return pl.DataFrame(self.ranking.inputs_, schema=self.feature_names())

    def rank(self, requests: Requests, merged: Fused) -> Candidates:
        """Order candidates by the ranker; as merged where another list than its is served."""
        if self.serving.served_ != RANKED:
            return merged.candidates
        item_ids, features = merged.candidates.item_ids, self.describe(requests, merged)
        return ordered(item_ids, self.ranking.score(features, item_ids))

    def rerank(
        self, ranked: Candidates, k: int, requests: Requests, *, rest: bool = False
    ) -> Candidates:
        """Return the pages without exploration; with `rest` all other candidates follow."""
        seen, rules = requests.seen, self.reranker.rules_
        return self.reranker.rerank(ranked, k, seen=seen, rules=rules, rest=rest)

    def recommend(self, requests: Requests, k: int) -> Recommendations:
        """Run all stages; `k` beyond the candidates gives what there is."""
        times = StageTimes()
        with times("candidates"):
            merged = self.retrieve(requests)
        with times("ranking"):
            ranked = self.rank(requests, merged)
        with times("re-ranking"):
            page = self.rerank(ranked, k, requests, rest=self.exploration.slots > 0)
            who = {"request_ids": requests.users, "days": requests.times // DAY}
            explored = self.exploration.explore(page, k, rules=self.reranker.rules_, **who)
        sources = found_by(explored.items.item_ids, merged)
        return Recommendations(explored.items, sources, explored.propensities, times.milliseconds)

    def requests_for(
        self, users: np.ndarray, extra: Sequence[Sequence[int]], **known: Any
    ) -> Requests:
        """Make requests of known or new users, as `Histories.requests_for` does."""
        return self.histories_.requests_for(self.catalogue, users, extra, **known)

    def save(self, folder: Path) -> None:
        """Write every stage, users and items into an existing folder."""
        for stage in (
            self.catalogue, self.histories_, self.sources, self.features, self.ranking,
            self.serving, self.reranker, self.exploration, self.survey,
        ):  # fmt: skip
            stage.save(folder)
        settings = {name: getattr(self, name) for name in ("examples", "shares", "seed", "notices")}
        write_json(folder / "pipeline.json", settings)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        settings = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        pipeline = cls(
            catalogue=Catalogue.load(folder), sources=Sources.load(folder),
            features=Features.load(folder), ranking=Ranking.load(folder),
            serving=Serving.load(folder), reranker=Reranker.load(folder),
            exploration=Exploration.load(folder), survey=Survey.load(folder), **settings,
        )  # fmt: skip
        pipeline.histories_ = Histories.load(folder)
        return pipeline
