"""The boxes wired: candidate sources -> merge -> features -> ranker -> re-ranker.

Sources learn on the train window. The ranker learns from what users chose in the validation window,
among the candidates those sources gave them there. Then `refresh` fits sources and item statistics
again on both windows; the ranker keeps what it learned about how far to trust each signal.

Shapes: `B` requests, `K` candidates, `N` items, `F` features.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from common.atomic import write_json
from common.config import as_flags
from common.retrieval import Candidates, Fused, ordered
from common.timing import StageTimes
from common.units import DAY
from patterns.recsys.config import Config
from patterns.recsys.data import Splits
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.histories import Histories
from patterns.recsys.entities.lists import JudgedLists, Recommendations
from patterns.recsys.entities.pages import Pages
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
from patterns.recsys.stages.training import Task, Window

MERGED, RANKED = "merged", "+ ranking"  # lists that may be served, beside those of the sources


def sources_of(config: Config, catalogue: Catalogue) -> Sources:
    """Make the sources that have what they read, the baseline first."""
    own, device, seed = config.candidates, config.device, config.seed
    popularity = Popularity(half_life_days=own.half_life_days)
    als = ALS(
        factors=own.als_factors, iterations=own.als_iterations, index=own.index, seed=seed,
        regularization=own.als_regularization, confidence=own.als_confidence,
    )  # fmt: skip
    towers = TwoTower(
        dimension=own.tower_dimension, epochs=own.tower_epochs, most_events=own.tower_events,
        learning_rate=own.tower_learning_rate, hard_negatives=own.tower_hard_negatives,
        index=own.index, device=device, seed=seed,
    )  # fmt: skip
    content = Content(encoder=own.encoder, index=own.index)
    described = catalogue.has_texts or catalogue.has_genres
    new = NewItems(
        als=als.unfitted(), content=content if catalogue.has_texts else None,
        popularity=popularity.unfitted(),
    )  # fmt: skip
    stands: list[tuple[Source, bool]] = [
        (popularity, True),
        (SegmentPopularity(half_life_days=own.half_life_days), catalogue.has_attributes),
        (Again(), catalogue.repeats),
        (als, True),
        (ItemKNN(neighbours=own.neighbours, shrinkage=own.shrinkage), True),
        (EASE(regularization=own.ease_regularization, most=own.ease_items), True),
        (towers, True),
        (content, catalogue.has_texts),
        # what nobody knows yet is for the slots that explore
        (new, bool(config.reranking.explore) and described),
    ]
    members = [source for source, stand in stands if stand]
    return Sources(members=members, per_source=own.per_source, keep=own.keep)


def left_out(catalogue: Catalogue) -> str | None:
    """Say which sources do not stand for want of the data that they read."""
    lacking = {
        "segment-popularity (attributes of users)": catalogue.has_attributes,
        "content (titles or texts of items)": catalogue.has_texts,
    }
    names = [name for name, known in lacking.items() if not known]
    if not names:
        return None
    return f"Left out, since the data does not have what they read: {', '.join(names)}."


def _ranking(config: Config, items: int) -> Ranking:
    own = config.ranking
    return Ranking(
        items=items, models=MODELS if own.model == "best" else (own.model,), epochs=own.epochs,
        objective=own.objective, second=own.second, second_weight=own.second_weight,
        trees=own.trees, leaves=own.leaves, learning_rate=own.learning_rate,
        negative_share=own.negative_share, device=config.device, seed=config.seed,
    )  # fmt: skip


def _check_values(config: Config, splits: Splits) -> None:
    """Raise where an objective needs values that no event has, before anything is fitted."""
    known = {"rating": splits.valid.ratings, "watch": splits.valid.minutes}
    for name in ("objective", "second"):
        wanted = getattr(config.ranking, name)
        if wanted in known and np.isnan(known[wanted]).all():
            column = {"rating": "--data.rating", "watch": "--data.watch-seconds"}[wanted]
            raise ValueError(
                f"ranking.{name}: {wanted} needs values that are known, and the validation window"
                f" has none; name their column by {column}, or leave out --ranking.{name}"
            )


def _reranker(config: Config) -> Reranker:
    own = config.reranking
    return Reranker(
        method=own.method, depth=own.depth, ndcg_budget=own.ndcg_budget,
        similarity_cut=own.similarity_cut, genre_cap=own.genre_cap,
    )  # fmt: skip


class Pipeline:
    """Two-stage recommendation with re-ranking."""

    def __init__(
        self, *, catalogue: Catalogue, sources: Sources, features: Features, ranking: Ranking,
        reranker: Reranker, exploration: Exploration, survey: Survey, examples: str = "candidates",
        shares: str = "chosen", serve: str = "best", seed: int = 0,
    ) -> None:  # fmt: skip
        self.catalogue, self.sources, self.features = catalogue, sources, features
        self.ranking, self.reranker = ranking, reranker
        self.exploration, self.survey = exploration, survey
        self.examples, self.shares, self.serve, self.seed = examples, shares, serve, seed
        self.served_ = RANKED
        self.valid_ndcgs_: dict[str, float] = {}  # NDCG@10 of the lists that might be served
        self.pages: Pages | None = None
        self.notices: list[str] = []

    @classmethod
    def from_config(
        cls, config: Config, splits: Splits, *, trained: Pipeline | None = None
    ) -> Pipeline:
        """Make the unfitted stages; ranker and re-ranker are those of `trained` where given."""
        if trained is None:
            _check_values(config, splits)
        catalogue, seed = splits.catalogue, trained.seed if trained else config.seed
        reranker = trained.reranker if trained else _reranker(config)
        return cls(
            catalogue=catalogue, sources=sources_of(config, catalogue), features=Features(),
            ranking=trained.ranking if trained else _ranking(config, len(catalogue.item_ids)),
            reranker=reranker.with_genres(catalogue.genres),
            exploration=Exploration(slots=config.reranking.explore, seed=seed), survey=Survey(),
            examples=config.ranking.examples, shares=config.candidates.shares, seed=seed,
            serve=config.ranking.serve if config.ranking.objective == "ctr" else "ranked",
        )._as(trained)  # fmt: skip

    def _as(self, trained: Pipeline | None) -> Pipeline:
        """Take what `trained` chose on validation: the sources' shares, and what is served."""
        if trained is not None:
            self.sources.shares_ = trained.sources.shares_
            self.served_, self.valid_ndcgs_ = trained.served_, trained.valid_ndcgs_
        return self

    def fit_candidates(
        self, splits: Splits, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Fit sources, item statistics and histories on the train window."""
        return self.learn(splits.train, checkpoints=checkpoints, resume=resume)

    def fit_ranker(
        self, splits: Splits, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Fit the rankers on the validation window; `judged_` is what they leave to be judged."""
        window = Window(splits.train, splits.valid, self.catalogue, self.seed)
        with as_flags(events="split.valid_share", log="ranking.examples",
                      objective="ranking.objective", second="ranking.second"):  # fmt: skip
            chosen = self.shares == "chosen"
            task = window.task(self.sources, self.features, choose_shares=chosen)
            learned = None
            if self.examples == "exposures":
                learned = window.shown(splits.shown, self.sources, self.features)
            self.ranking.fit(
                task.examples, learned, names=self.feature_names(), judge=task.ndcg,
                checkpoints=checkpoints, resume=resume,
            )  # fmt: skip
        self.inputs_ = (learned or task.examples).examples.flat().features
        lists = self._choose(task)
        self.judged_ = JudgedLists(task.requests, lists[self.served_], task.answers)
        return self

    def _choose(self, task: Task) -> dict[str, Candidates]:
        """Choose what is served of the lists of the validation window, and return them all.

        Among equals the simplest, which stands first, is served. The ranked list is by rankers that
        had not seen the user.
        """
        named = dict(zip(self.sources.names, task.lists, strict=True))
        quality = {name: task.quality(found) for name, found in named.items()}
        first, best = self.sources.names[0], max(quality, key=quality.__getitem__)
        lists = {
            name: self.sources.merged(task.lists, first=name).candidates
            for name in dict.fromkeys((first, best))
        }
        lists |= {MERGED: task.merged, RANKED: task.ranked(self.ranking.held_out_scores_)}
        self.valid_ndcgs_ = {name: task.quality(found) for name, found in lists.items()}
        self.served_ = max(self.valid_ndcgs_, key=self.valid_ndcgs_.__getitem__)
        if self.serve == "ranked":
            self.served_ = RANKED
        return lists

    def _preferred(self) -> str | None:
        """Say that another list than the ranked one is served, and why."""
        if self.served_ == RANKED:
            return None
        better, ranked = self.valid_ndcgs_[self.served_], self.valid_ndcgs_[RANKED]
        return (
            f"On validation {self.served_} has an NDCG@10 of {better:.4f} and the ranked list of"
            f" {ranked:.4f}: {self.served_} is served (--ranking.serve ranked for the other)."
        )

    def fit_reranker(self, splits: Splits) -> Pipeline:
        """Choose the trade-off of diversity on the lists `judged_` that `fit_ranker` left."""
        lists, genres = self.judged_, splits.catalogue.genres
        self.reranker.fit(lists.ranked, lists.answers, genres, seen=lists.requests.seen)
        return self

    def refresh(
        self, splits: Splits, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Fit sources, item statistics and histories anew, on all but the test window."""
        return self.learn(splits.train.joined(splits.valid), checkpoints=checkpoints, resume=resume)

    def learn(
        self, events: Events, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Fit what learns from events alone."""
        known = self.catalogue
        self.histories_ = Histories.of(events, known)
        self.sources.fit(events, known, checkpoints=checkpoints, resume=resume)
        self.features.fit(
            events, genres=known.genres, years=known.years, runtimes=known.runtimes,
            sizes=[len(values) + 1 for values in list(known.contexts.values())[1:]],
        )  # fmt: skip
        users, items = self.histories_.seen.shape
        self.exploration.fit(np.bincount(events.items, minlength=items))
        self.survey.fit(events, users=users, items=items)
        said = left_out(known), self._preferred()
        self.notices = [*self.sources.notices, *filter(None, said)]
        return self

    def retrieve(self, requests: Requests) -> Fused:
        """Merge the sources' candidates: (B, keep); where a source is served, its list first."""
        return self.sources.retrieve(requests, first=self.first)

    @property
    def first(self) -> str | None:
        """The source whose own list is served; None where it is the merged or the ranked one."""
        return self.served_ if self.served_ in self.sources.names else None

    def describe(self, requests: Requests, merged: Fused) -> np.ndarray:
        """Return the ranker's features of candidates: (B, K, F)."""
        item_ids, votes = merged.candidates.item_ids, merged.votes()
        return self.features.describe(self.sources, requests, item_ids, votes)

    def feature_names(self) -> list[str]:
        """Name the columns of `describe`."""
        return self.features.names_of(self.sources, self.catalogue)

    def profile(self, splits: Splits) -> pl.DataFrame:
        """Return the features that the rankers were fitted on, the reference of drift."""
        return pl.DataFrame(self.inputs_, schema=self.feature_names())

    def rank(self, requests: Requests, merged: Fused, ranker: Any = None) -> Candidates:
        """Order candidates by the ranker, or by `ranker`; as merged where no ranker is served."""
        if self.served_ != RANKED and ranker is None:
            return merged.candidates
        item_ids, features = merged.candidates.item_ids, self.describe(requests, merged)
        return ordered(item_ids, self.ranking.score(features, item_ids, ranker))

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
            self.reranker, self.exploration, self.survey,
        ):  # fmt: skip
            stage.save(folder)
        names = ("examples", "shares", "serve", "seed", "notices")
        chosen = {"served": self.served_, "valid_ndcgs": self.valid_ndcgs_}
        settings = {name: getattr(self, name) for name in names}
        write_json(folder / "pipeline.json", settings | chosen)

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote, and the pages of the nightly job where there are some."""
        settings = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        notices = settings.pop("notices")
        served, ndcgs = settings.pop("served"), settings.pop("valid_ndcgs")
        pipeline = cls(
            catalogue=Catalogue.load(folder), sources=Sources.load(folder),
            features=Features.load(folder), ranking=Ranking.load(folder),
            reranker=Reranker.load(folder), exploration=Exploration.load(folder),
            survey=Survey.load(folder), **settings,
        )  # fmt: skip
        pipeline.histories_, pipeline.notices = Histories.load(folder), notices
        pipeline.served_, pipeline.valid_ndcgs_ = served, ndcgs
        pipeline.pages = Pages.load(folder, pipeline.catalogue)
        return pipeline
