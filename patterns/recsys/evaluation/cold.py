"""What of new users and new items, both held out whole?

Both are held out at once and the sources are fitted anew without them. New users come back with
their first 0, 1, 3, 5, 10 items; new items must be found by what they are. Rankers are not asked:
they were trained on users with histories, and what is missing here is candidates.

Shapes: `B` requests, `N` items, `M` new ones.
"""

from __future__ import annotations

from dataclasses import dataclass
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
from patterns.recsys.stages.cold_start.new_items import NewItems
from patterns.recsys.stages.cold_start.survey import Survey, answer_matrix

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

PAGE = 10
MOST_ASKED = 5_000  # users who know some items; more are sampled down to this many


@dataclass(frozen=True)
class ColdStart:
    """Sources fitted without the held-out users and items, and what was held out."""

    sources: Sources
    users: ColdUsers
    items: np.ndarray  # (M,)
    events: Events  # all that the sources did not see of the items, and what they saw

    def notices(self, users: Table | None, items: Table | None) -> list[str]:
        """Say which of the two tables could not be made."""
        why = {
            "users": "histories are too short for it",
            "items": "histories are too short for it, or popularity, als or content is left out",
        }
        missing = [what for what, made in (("users", users), ("items", items)) if made is None]
        return [f"New {what} are not measured: {why[what]}." for what in missing]


def hold_out(pipeline: Pipeline, events: Events) -> ColdStart:
    """Hold out a fifth of the users and a tenth of the items, and fit the sources on the rest."""
    left, items = cold_items(events, seed=pipeline.seed)
    held = cold_users(left, pipeline.catalogue, seed=pipeline.seed)
    quicker = {"two-tower": {"hard_negatives": 0}}  # half the time
    sources = pipeline.sources.unfitted(quicker).fit(held.train, pipeline.catalogue)
    return ColdStart(sources, held, items, events)


def new_users_table(pipeline: Pipeline, cold: ColdStart) -> Table | None:
    """Return NDCG@10 after n known items, of every source, their merge, and the survey.

    None where no user held out has a history longer than the longest start.
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
        Row(name, dict(zip(columns, values, strict=True)), baseline=not place)
        for place, (name, values) in enumerate(found.items())
    ]
    for name, value in _surveyed(pipeline, cold).items():
        if not np.isnan(value):  # else all answers were asked about
            rows.append(Row(name, {columns[0]: value}))
    caption = (
        f"{len(cold.users.users)} users held out whole, asked again with their first n items; the"
        " answers are what follows their tenth. At n = 0 only attributes are known. The"
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
    values = ranking.ndcg(judged.relevance, judged.ideal, PAGE)[judged.total_relevant > 0]
    return float(values.mean()) if len(values) else float("nan")


def new_items_table(pipeline: Pipeline, cold: ColdStart) -> Table | None:
    """Return how well held-out items are found by what they are.

    None where nobody can be asked, or where a source to compare with is left out.
    """
    requests, answers = _warm_requests(pipeline, cold)
    if not len(requests) or not {"als", "content", "popularity"} <= set(cold.sources.names):
        return None
    als, content, popularity = (cold.sources[each] for each in ("als", "content", "popularity"))
    placed = NewItems(als=als, content=content, popularity=popularity)
    placed.place(cold.users.train, pipeline.catalogue)
    rng = np.random.default_rng(pipeline.seed)
    scores = {
        "at random": rng.random(answers.shape).astype(np.float32),
        "als, as trained": als.user_vectors(requests) @ als.items_.vectors.T,
        "similar to trending": np.tile(placed.placement_.trend_, (len(requests), 1)),
        "content": content.user_vectors(requests) @ content.items_.vectors.T,
        "placed among als": placed.scores(requests),
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
        f"{len(cold.items)} items held out whole, {len(requests)} users who interacted with any of"
        " them. Recall@100 is within the whole catalogue, the last column within the new items"
        " alone."
    )
    return Table("new items", ("Recall@100", "NDCG@10 among new"), tuple(rows), caption)


def _warm_requests(pipeline: Pipeline, cold: ColdStart) -> tuple[Requests, csr_matrix]:
    """Ask for users that the sources know, whose answers are the held-out items of theirs."""
    users, items = len(pipeline.catalogue.user_ids), len(pipeline.catalogue.item_ids)
    seen = cold.users.train.matrix(users, items)
    theirs = cold.events.part(np.isin(cold.events.items, cold.items)).pairs(users, items)
    rows = np.flatnonzero((np.diff(theirs.indptr) > 0) & (np.diff(seen.indptr) > 0))
    if len(rows) > MOST_ASKED:
        rng = np.random.default_rng(pipeline.seed)
        rows = np.sort(rng.choice(rows, MOST_ASKED, replace=False))
    now = np.full(len(rows), cold.events.times.max())
    recent = latest_by_user(cold.users.train, users)
    requests = Requests(pipeline.catalogue.segments[rows], now, recent[rows], seen[rows])
    return requests, theirs[rows]
