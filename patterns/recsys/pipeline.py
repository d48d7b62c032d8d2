"""The boxes wired: candidate sources -> merge -> features -> ranker -> re-ranker.

The order of fitting keeps time honest. Sources learn on the train window. The ranker learns from
what users took in the validation window, among the candidates those sources gave them there. Then
sources and item statistics are fitted again on both windows, so that what goes out is fresh; the
ranker keeps what it learned about how far each signal can be trusted.

Shapes: `B` requests, `K` candidates, `N` items.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from common.atomic import write_json
from common.retrieval import MISSING, Candidates, Fused, ordered
from common.timing import StageTimes
from patterns.recsys.config import Config
from patterns.recsys.entities import pages
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.exposures import Exposures, shelves
from patterns.recsys.entities.pages import Pages
from patterns.recsys.entities.requests import RECENT, Requests, latest_by_user, requests_within
from patterns.recsys.stages.candidates.sources import Sources
from patterns.recsys.stages.cold_start.survey import Survey
from patterns.recsys.stages.features import DAY, Features
from patterns.recsys.stages.merging import votes_for
from patterns.recsys.stages.ranking.choice import MODELS, Ranking
from patterns.recsys.stages.ranking.examples import TrainingSet, labels_of, training_set
from patterns.recsys.stages.reranking.exploration import Exploration
from patterns.recsys.stages.reranking.reranker import Reranker
from patterns.recsys.stages.reranking.rules import Cap, Rules, rarest_group

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MOMENTS = (0.0, 0.2, 0.4, 0.6, 0.8)  # of a user's validation events, where rankers learn
FOLDS = 3  # of validation users, for early stopping and choices
MOST_REQUESTS = 1_500  # rankers learn from at most so many


@dataclass
class Recommendations:
    """Pages of `B` requests with where each item came from and what each stage took."""

    items: Candidates
    found_by: np.ndarray  # (B, k) int64, a bit per source that proposed the item
    propensities: np.ndarray  # (B, k) with which exploration showed the item; 1 elsewhere
    milliseconds: dict[str, float] = field(default_factory=dict)  # by stage


class Pipeline:
    """Two-stage recommendation with re-ranking."""

    def __init__(
        self, catalogue: Catalogue, sources: Sources, reranker: Reranker, config: Config
    ) -> None:
        self.catalogue = catalogue
        self.sources = sources
        self.reranker = reranker
        self.config = config
        self.features = Features()
        self.exploration = Exploration(slots=config.reranking.explore, seed=config.seed)
        items = len(catalogue.item_ids)
        ranking = config.ranking
        self.ranking = Ranking(
            items=items,
            models=MODELS if ranking.model == "best" else (ranking.model,),
            objective=ranking.objective,
            second=ranking.second,
            second_weight=ranking.second_weight,
            trees=ranking.trees,
            leaves=ranking.leaves,
            learning_rate=ranking.learning_rate,
            epochs=ranking.epochs,
            negative_share=ranking.negative_share,
            device=config.device,
            seed=config.seed,
        )
        self.survey = Survey()
        self.pages: Pages | None = None
        self.notices: list[str] = []

    @classmethod
    def from_config(cls, config: Config, catalogue: Catalogue) -> Pipeline:
        """Make the unfitted stages."""
        options = config.reranking
        sources = Sources.from_config(config.candidates, device=config.device, seed=config.seed)
        reranker = Reranker(
            method=options.method,
            depth=options.depth,
            ndcg_budget=options.ndcg_budget,
            likeness_cut=options.likeness_cut,
        )
        return cls(catalogue, sources, reranker, config)

    def fit_candidates(
        self, events: Events, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Fit sources and item statistics on `events`, and remember the users' histories."""
        catalogue = self.catalogue
        users, items = len(catalogue.user_ids), len(catalogue.item_ids)
        self.histories_ = events.matrix(users, items)
        self.recent_ = latest_by_user(events, users)
        self.now_ = int(events.times.max())
        self.sources.fit(events, catalogue, checkpoints=checkpoints, resume=resume)
        self.features.fit(
            events, genres=catalogue.genres, years=catalogue.years, runtimes=catalogue.runtimes
        )
        self.exploration.fit(np.bincount(events.items, minlength=items))
        self.survey.fit(events, users=users, items=items)
        self.notices = list(self.sources.notices)
        return self

    def fit_ranker(
        self,
        past: Events,
        window: Events,
        shown: Exposures | None = None,
        *,
        checkpoints: Path | None = None,
        resume: bool = False,
    ) -> dict[str, float]:
        """Fit the rankers on `window`; returns the NDCG@10 of each on users it has not seen.

        With `--ranking.examples exposures` they learn from what was `shown` in the window.
        """
        requests, answers, users = requests_within(
            past, window, self.catalogue, moments=MOMENTS, most=MOST_REQUESTS, seed=self.config.seed
        )
        rng = np.random.default_rng(self.config.seed)
        fold_of = rng.integers(FOLDS, size=len(self.catalogue.user_ids))
        folds = fold_of[users]
        if len(np.unique(folds)) < 2:
            raise ValueError(
                f"split.valid_share: {len(np.unique(users))} users took something new in the"
                " validation window, too few to hold some out; raise --split.valid-share, or give"
                " data of more users"
            )
        merged = self.retrieve(requests)
        item_ids = merged.candidates.item_ids
        labels, features = labels_of(item_ids, answers), self.describe(requests, merged)
        shape = len(self.catalogue.user_ids), len(self.catalogue.item_ids)
        judged = training_set(features, item_ids, labels, users, fold_of, window, shape)
        learned = None
        if self.config.ranking.examples == "exposures":
            learned = self._shelved(past, window, shown, fold_of)
        self.ranking.fit(
            judged,
            learned,
            names=self.feature_names(),
            judge=lambda scores: _ndcg(ordered(item_ids, scores), answers),
            checkpoints=checkpoints,
            resume=resume,
        )
        self.profile_ = (learned or judged).examples.flat().features
        self.held_out_ = requests, ordered(item_ids, self.ranking.held_out_scores_), answers
        return self.ranking.quality_

    def _shelved(
        self, past: Events, window: Events, shown: Exposures | None, fold_of: np.ndarray
    ) -> TrainingSet:
        """Return what was shown in the window as examples."""
        if shown is None:
            raise ValueError(
                "ranking.examples: exposures need a log of what was shown, and this data has none;"
                " use --dataset simulated-movies, or --ranking.examples candidates"
            )
        options = {"most": MOST_REQUESTS, "seed": self.config.seed}
        found = shelves(shown, past.joined(window), self.catalogue, **options)
        if len(np.unique(fold_of[found.users])) < FOLDS:
            raise ValueError(
                f"ranking.examples: {len(found)} logged sessions in the validation window are too"
                " few; raise --split.valid-share, or use --ranking.examples candidates"
            )
        votes = votes_for(found.item_ids, self.sources.lists(found.requests))
        features = self._described(found.requests, found.item_ids, votes)
        shape = len(self.catalogue.user_ids), len(self.catalogue.item_ids)
        return training_set(
            features, found.item_ids, found.labels, found.users, fold_of, window, shape
        )

    def fit_reranker(self) -> Reranker:
        """Choose the diversity trade-off on lists ranked by rankers that had not seen the user."""
        requests, ranked, answers = self.held_out_
        return self.reranker.fit(ranked, answers, self.catalogue.genres, seen=requests.seen)

    def retrieve(self, requests: Requests) -> Fused:
        """Merge the sources' candidates: (B, keep)."""
        return self.sources.retrieve(requests)

    def describe(self, requests: Requests, merged: Fused) -> np.ndarray:
        """Return the ranker's features of candidates: (B, K, F)."""
        return self._described(requests, merged.candidates.item_ids, merged.votes())

    def _described(self, requests: Requests, item_ids: np.ndarray, votes: np.ndarray) -> np.ndarray:
        scores = self.sources.score_all(requests, item_ids)
        return self.features.build(requests, item_ids, scores, self.sources.spaces(), votes)

    def feature_names(self) -> list[str]:
        """Name the columns of `describe`."""
        names = dict.fromkeys(self.sources.names)
        return Features.names(names, self.sources.spaces(), self.catalogue.segment_names)

    def training_profile(self) -> pl.DataFrame:
        """Return the features that the ranker was fitted on, the reference of drift."""
        return pl.DataFrame(self.profile_, schema=self.feature_names())

    def profile_of(self, requests: Requests) -> pl.DataFrame:
        """Return the features of the requests' candidates, as the ranker is about to see them."""
        merged = self.retrieve(requests)
        real = merged.candidates.item_ids != MISSING
        return pl.DataFrame(self.describe(requests, merged)[real], schema=self.feature_names())

    def rank(self, requests: Requests, merged: Fused, ranker: Any = None) -> Candidates:
        """Order candidates by the ranker that serves, or by `ranker`."""
        item_ids = merged.candidates.item_ids
        features = self.describe(requests, merged)
        return ordered(item_ids, self.ranking.score(features, item_ids, ranker))

    def rerank(self, ranked: Candidates, k: int, requests: Requests) -> Candidates:
        """Return the pages, without exploration."""
        return self.reranker.rerank(ranked, k, seen=requests.seen, rules=self._rules())

    def recommend(self, requests: Requests, k: int) -> Recommendations:
        """Run all stages; `k` beyond the candidates gives what there is."""
        times = StageTimes()
        with times("candidates"):
            merged = self.retrieve(requests)
        with times("ranking"):
            ranked = self.rank(requests, merged)
        with times("re-ranking"):
            page, propensities = self._page(ranked, k, requests)
        found_by = self._found_by(page, merged)
        return Recommendations(page, found_by, propensities, times.milliseconds)

    def _page(
        self, ranked: Candidates, k: int, requests: Requests
    ) -> tuple[Candidates, np.ndarray]:
        """Return the pages and with which propensity each item is shown."""
        if not self.exploration.slots:
            page = self.rerank(ranked, k, requests)
            return page, np.ones(page.item_ids.shape)
        seen, rules = requests.seen, self._rules()
        whole = self.reranker.rerank(ranked, k, seen=seen, rules=rules, rest=True)
        explored = self.exploration.explore(
            whole,
            k,
            request_ids=requests.users,
            days=(requests.times // DAY).astype(np.int64),
            rules=rules,
        )
        return explored.items, explored.propensities

    def _rules(self) -> Rules | None:
        most = self.config.reranking.genre_cap
        if not most:
            return None
        return Rules(caps=(Cap(rarest_group(self.catalogue.genres), most),))

    def requests_for(
        self,
        users: np.ndarray,
        extra: list[list[int]],
        *,
        now: int | None = None,
        segments: np.ndarray | None = None,
        devices: np.ndarray | None = None,
    ) -> Requests:
        """Make requests of `users` (B,), row numbers or -1, who took the `extra` items since.

        `segments` (B, S) are read of unknown users, `devices` (B,) of all; 0 is unknown.
        """
        known = np.maximum(users, 0)
        told = np.zeros_like(self.catalogue.segments[known]) if segments is None else segments
        told = np.where(users[:, None] < 0, told, self.catalogue.segments[known])
        recent = np.where(users[:, None] < 0, MISSING, self.recent_[known])
        seen = self.histories_[known].tolil()
        for row, items in enumerate(extra):
            if users[row] < 0:
                seen.rows[row], seen.data[row] = [], []
            if items:
                recent[row] = np.concatenate([items[::-1], recent[row]])[:RECENT]
                seen[row, items] = 1.0
        times = np.full(len(users), self.now_ if now is None else now, dtype=np.int64)
        devices = np.zeros(len(users), dtype=np.int64) if devices is None else devices
        return Requests(told, times, recent, seen.tocsr(), devices, users)

    def _stages(self) -> tuple[Any, ...]:
        return (
            self.sources, self.features, self.ranking, self.reranker, self.exploration, self.survey,
        )  # fmt: skip

    def save(self, folder: Path) -> None:
        """Write every stage and what a server needs to know of users and items."""
        for stage in self._stages():
            stage.save(folder)
        self.catalogue.save(folder / "catalogue.npz")
        np.savez(
            folder / "histories.npz",
            items=self.histories_.indices,
            ends=self.histories_.indptr,
            recent=self.recent_,
        )
        settings = {
            "explore": self.exploration.slots,
            "genre_cap": self.config.reranking.genre_cap,
            "seed": self.config.seed,
            "now": self.now_,
            "notices": self.notices,
        }
        write_json(folder / "pipeline.json", settings)

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote."""
        settings = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        catalogue = Catalogue.load(folder / "catalogue.npz")
        config = Config(seed=settings["seed"])
        reranking = replace(
            config.reranking, explore=settings["explore"], genre_cap=settings["genre_cap"]
        )
        config = replace(config, reranking=reranking)
        pipeline = cls(catalogue, Sources.load(folder), Reranker(), config)
        pipeline.ranking = Ranking.load(folder)
        for stage in (
            pipeline.features, pipeline.reranker, pipeline.exploration, pipeline.survey,
        ):  # fmt: skip
            stage.load(folder)
        pipeline.now_, pipeline.notices = settings["now"], settings["notices"]
        pipeline._load_histories(folder / "histories.npz")
        if (folder / pages.FILE).is_file():
            pipeline.pages = Pages.read(folder / pages.FILE, catalogue)
        return pipeline

    def _load_histories(self, path: Path) -> None:
        from scipy.sparse import csr_matrix

        with np.load(path) as arrays:
            items, ends, self.recent_ = arrays["items"], arrays["ends"], arrays["recent"]
        shape = (len(self.catalogue.user_ids), len(self.catalogue.item_ids))
        self.histories_ = csr_matrix((np.ones(len(items), np.float32), items, ends), shape=shape)

    def _found_by(self, page: Candidates, merged: Fused) -> np.ndarray:
        """Return the bits (B, k) of the sources that proposed each item of each page."""
        bits = np.zeros(page.item_ids.shape, dtype=np.int64)
        order, found_by = np.argsort(merged.candidates.item_ids, axis=1), merged.found_by()
        for row, items in enumerate(page.item_ids):
            candidates = merged.candidates.item_ids[row, order[row]]
            place = np.searchsorted(candidates, items).clip(max=len(candidates) - 1)
            bits[row] = np.where(items == MISSING, 0, found_by[row, order[row]][place])
        return bits


def _ndcg(ranked: Candidates, answers: csr_matrix) -> float:
    from common.evaluation.ranking import judge, ndcg

    judged = judge(ranked.item_ids, answers)
    return float(ndcg(judged.relevance, judged.ideal, 10).mean())
