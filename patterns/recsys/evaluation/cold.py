"""Cold starts, measured on users and items that were held out whole.

Both are taken away at once and the sources are fitted anew without them. New users come back with
their first 0, 1, 3, 5, 10 items; new items must be found by what they are. Rankers are not asked:
they were trained on users with histories, and what is missing here is candidates.

Shapes: `B` requests, `N` items, `M` new ones.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from common.evaluation import ranking
from common.evaluation.report import Row, Table
from common.retrieval import Candidates, top_k
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.requests import Requests, latest_by_user
from patterns.recsys.evaluation.held_out import KNOWN, ColdUsers, cold_items, cold_users
from patterns.recsys.pipeline import Pipeline
from patterns.recsys.stages.candidates.sources import Sources
from patterns.recsys.stages.cold_start.placement import ContentPlacement, item_content
from patterns.recsys.stages.cold_start.survey import Survey, answer_matrix

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

PAGE = 10
MOST_ASKED = 5_000  # users who know some items; of more so many are drawn


@dataclass(frozen=True)
class ColdStart:
    """Sources fitted without the held-out users and items, and what was held out."""

    sources: Sources
    users: ColdUsers
    items: np.ndarray  # (M,)
    events: Events  # all that the sources did not see of the items, and what they saw


def hold_out(pipeline: Pipeline, events: Events) -> ColdStart:
    """Hold out a fifth of the users and a tenth of the items, and fit the sources on the rest."""
    config = pipeline.config
    left, items = cold_items(events, seed=config.seed)
    held = cold_users(left, pipeline.catalogue, seed=config.seed)
    options = replace(config.candidates, tower_hard_negatives=0)  # half the time
    sources = Sources.from_config(options, device=config.device, seed=config.seed)
    place = sources.names.index("content")
    sources.members[place] = copy.copy(pipeline.sources["content"])  # it knows no events
    sources.fit(held.train, pipeline.catalogue)
    return ColdStart(sources, held, items, events)


def new_users(pipeline: Pipeline, cold: ColdStart) -> Table | None:
    """Return NDCG@10 after n known items, of every source, their merge, and the survey.

    None where no user held out took more than the longest start.
    """
    if not len(cold.users.users):
        return None
    columns = tuple(f"n = {n}" for n in KNOWN)
    found: dict[str, list[float]] = {}
    for requests in cold.users.requests.values():
        lists = dict(zip(cold.sources.names, cold.sources.lists(requests), strict=True))
        lists["merged"] = cold.sources.merged(list(lists.values())).candidates
        for name, candidates in lists.items():
            found.setdefault(name, []).append(_ndcg(candidates, cold))
    rows = [
        Row(name, dict(zip(columns, values, strict=True)), baseline=name == "popularity")
        for name, values in found.items()
    ]
    for name, value in _surveyed(pipeline, cold).items():
        rows.append(Row(name, {columns[0]: value}))
    caption = (
        f"{len(cold.users.users)} users held out whole, asked again with their first n items; the"
        " answers are what they took after their tenth. At n = 0 only attributes are known. The"
        " survey asks five titles instead, and its answers are those the user's later ratings give:"
        " titles asked about are no answers, so its rows are judged on slightly fewer."
    )
    return Table("new users: NDCG@10", columns, tuple(rows), caption)


def _surveyed(pipeline: Pipeline, cold: ColdStart) -> dict[str, float]:
    """Return NDCG@10 of the survey's profiles, and of what its likes find when folded in."""
    catalogue = pipeline.catalogue
    shape = len(catalogue.user_ids), len(catalogue.item_ids)
    told = answer_matrix(cold.events, *shape)[cold.users.users]
    found = {}
    for name, adaptive in (("survey, fixed list", False), ("survey, tree", True)):
        survey = Survey(adaptive=adaptive).fit(cold.users.train, users=shape[0], items=shape[1])
        node, asked = survey.walk(told)
        profiles = survey.profiles_[node].copy()
        rows, places = np.nonzero(asked >= 0)
        profiles[rows, asked[rows, places]] = -np.inf
        answers = cold.users.answers.tolil()
        answers[rows, asked[rows, places]] = 0.0
        found[name] = _ndcg(top_k(profiles, PAGE), cold, answers.tocsr())
    return found


def _ndcg(candidates: Candidates, cold: ColdStart, answers: csr_matrix | None = None) -> float:
    """Mean NDCG@10; users without an answer left do not count."""
    truth = cold.users.answers if answers is None else answers
    judged = ranking.judge(candidates.head(PAGE).item_ids, truth)
    values = ranking.ndcg(judged.relevance, judged.ideal, PAGE)
    return float(values[judged.total_relevant > 0].mean())


def new_items(pipeline: Pipeline, cold: ColdStart) -> Table | None:
    """Return how well held-out items are found by what they are; None where nobody can be asked."""
    requests, answers = _warm_requests(pipeline, cold)
    if not len(requests):
        return None
    als, content = cold.sources["als"], cold.sources["content"]
    counts = np.bincount(cold.users.train.items, minlength=answers.shape[1])
    catalogue = pipeline.catalogue
    described = item_content(catalogue.genres, catalogue.years, content.items_.vectors)
    trend = cold.sources["popularity"].scores_
    placement = ContentPlacement().fit(described, als.items_.vectors, counts, trend)
    users = als.user_vectors(requests)
    rng = np.random.default_rng(pipeline.config.seed)
    scores = {
        "at random": rng.random(answers.shape).astype(np.float32),
        "als, as trained": users @ als.items_.vectors.T,
        "similar to trending": np.tile(placement.trend_, (len(requests), 1)),
        "content": content.user_vectors(requests) @ content.items_.vectors.T,
        "placed among als": users @ placement.vectors_.T,
    }
    only = np.full(answers.shape[1], -np.inf, dtype=np.float32)
    only[cold.items] = 0.0
    rows: list[Row] = []
    for name, found in scores.items():
        whole = ranking.judge(top_k(found, 100, exclude=requests.seen).item_ids, answers)
        among = ranking.judge(top_k(found + only, PAGE).item_ids, answers)
        cells = {
            "Recall@100": float(ranking.recall(whole.relevance, whole.total_relevant, 100).mean()),
            "NDCG@10 among new": float(ranking.ndcg(among.relevance, among.ideal, PAGE).mean()),
        }
        rows.append(Row(name, cells, baseline=not rows))
    caption = (
        f"{len(cold.items)} items held out whole, {len(requests)} users who took any of them."
        " Recall@100 is within the whole catalogue, the last column within the new items alone."
    )
    return Table("new items", ("Recall@100", "NDCG@10 among new"), tuple(rows), caption)


def _warm_requests(pipeline: Pipeline, cold: ColdStart) -> tuple[Requests, csr_matrix]:
    """Ask for users that the sources know, whose answers are the held-out items they took."""
    users, items = len(pipeline.catalogue.user_ids), len(pipeline.catalogue.item_ids)
    seen = cold.users.train.matrix(users, items)
    taken = cold.events.part(np.isin(cold.events.items, cold.items)).matrix(users, items)
    rows = np.flatnonzero((np.diff(taken.indptr) > 0) & (np.diff(seen.indptr) > 0))
    if len(rows) > MOST_ASKED:
        rng = np.random.default_rng(pipeline.config.seed)
        rows = np.sort(rng.choice(rows, MOST_ASKED, replace=False))
    now = np.full(len(rows), cold.events.times.max())
    recent = latest_by_user(cold.users.train, users)
    requests = Requests(pipeline.catalogue.segments[rows], now, recent[rows], seen[rows])
    return requests, taken[rows]
