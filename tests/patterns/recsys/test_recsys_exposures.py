"""Learning from logged exposures: what a shelf knows, and that rankers read it."""

from dataclasses import replace

import numpy as np
import pytest

from common.retrieval import MISSING
from patterns.recsys.entities.exposures import Exposures, shelves
from patterns.recsys.pipeline import Pipeline


def test_a_shelf_knows_what_was_taken_before_its_session_and_no_more(trained) -> None:
    splits = trained.splits
    events = splits.train.joined(splits.valid)
    found = shelves(splits.shown, events, splits.catalogue, most=40, seed=0)
    assert len(found) == 40 and (found.labels.sum(axis=1) > 0).all()
    assert (found.requests.times >= splits.valid.times.min()).all()
    assert (found.requests.times <= splits.valid.times.max()).all()
    for row, user in enumerate(found.users):
        before = (events.users == user) & (events.times < found.requests.times[row])
        history = found.requests.seen[row].indices
        assert set(history) == set(events.items[before])
        taken = found.item_ids[row][found.labels[row] > 0]
        assert not set(taken) & set(history)
        recent = found.requests.recent[row]
        assert set(recent[recent != MISSING]) <= set(history)
    assert (found.labels[found.item_ids == MISSING] == 0).all()


def test_shelves_are_gathered_by_session_in_order_of_the_log(trained) -> None:
    splits = trained.splits
    shown = Exposures(
        users=np.array([1, 1, 2, 1, 2, 3]),
        items=np.array([5, 6, 7, 8, 9, 4]),
        times=np.full(6, splits.valid.times.max()),
        sessions=np.array([10, 10, 11, 10, 11, 12]),
        clicked=np.array([False, True, True, False, False, False]),
    )
    found = shelves(shown, splits.valid, splits.catalogue, most=10)
    assert found.users.tolist() == [1, 2]  # of session 12 nothing was taken
    assert found.item_ids.tolist() == [[5, 6, 8], [7, 9, MISSING]]
    assert found.labels.tolist() == [[0, 1, 0], [1, 0, 0]]


def test_rankers_learn_from_exposures_and_are_judged_on_candidates(trained) -> None:
    options = replace(trained.config.ranking, examples="exposures", model="lightgbm", second="none")
    config = replace(trained.config, ranking=options)
    splits = trained.splits
    pipeline = Pipeline.from_config(config, splits).fit_candidates(splits).fit_ranker(splits)
    judged = pipeline.serving.judged_
    assert judged.ranked.item_ids.shape == (len(judged.requests), config.candidates.keep)
    assert 0.0 < pipeline.ranking.quality_["lightgbm"] < 1.0
    with pytest.raises(
        ValueError, match=r"ranking.examples: .* this data has none.*--ranking.examples"
    ):
        pipeline.fit_ranker(replace(splits, shown=None))
