"""What is served is what validation prefers, and sources count in the merge as it says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from planted_recsys import TINY
from scipy.sparse import csr_matrix

from common.retrieval import Candidates
from patterns.recsys.data import load, split
from patterns.recsys.evaluation.quality import choice_table
from patterns.recsys.pipeline import Pipeline
from patterns.recsys.stages.merging import choose_shares, merge
from patterns.recsys.stages.ranking.choice import Ranking


def test_what_validation_prefers_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    splits = split(load(TINY), TINY)
    pipeline = Pipeline.from_config(TINY, splits).fit_candidates(splits)
    fitted = Ranking.fit

    def spoilt(self: Ranking, *given: object, **named: object) -> Ranking:
        fitted(self, *given, **named)  # type: ignore[arg-type]
        self.held_out_scores_ = -self.held_out_scores_  # the worst order there is
        return self

    monkeypatch.setattr(Ranking, "fit", spoilt)
    pipeline.fit_ranker(splits).fit_reranker(splits).refresh(splits)
    served, ndcgs = pipeline.serving.served_, pipeline.serving.valid_ndcgs_
    assert served == max(ndcgs, key=ndcgs.__getitem__)
    assert served != "+ ranking" and list(ndcgs)[0] == "popularity"
    assert any(f"{served} is served" in notice for notice in pipeline.notices)
    request = pipeline.requests_for(np.arange(3), [[]] * 3)
    page = pipeline.rank(request, pipeline.retrieve(request)).head(10).item_ids
    first = pipeline.serving.first
    own_list = pipeline.sources[first].retrieve(request, 10) if first else None
    expected = own_list or pipeline.sources.retrieve(request).candidates.head(10)
    np.testing.assert_array_equal(page, expected.item_ids)
    pipeline.save(tmp_path)
    again = Pipeline.load(tmp_path)
    assert (again.serving.served_, again.serving.valid_ndcgs_) == (served, ndcgs)
    overnight = Pipeline.from_config(TINY, splits, trained=again).refresh(splits)
    assert overnight.serving.served_ == served and overnight.notices == pipeline.notices
    table = choice_table(pipeline)
    assert [row.name for row in table.rows if row.values.get("served")] == [served]
    forced = replace(TINY, ranking=replace(TINY.ranking, serve="ranked"))
    told = Pipeline.from_config(forced, splits).fit_candidates(splits).fit_ranker(splits)
    assert told.serving.served_ == "+ ranking"


def test_sources_get_the_share_that_validation_gives_them() -> None:
    rng = np.random.default_rng(0)
    answers = csr_matrix(
        (np.ones(40), (np.repeat(np.arange(20), 2), np.tile([0, 1], 20))), (20, 60)
    )
    right = np.tile([0, 1, *range(40, 48)], (20, 1))
    noise = [
        np.stack([rng.permutation(np.arange(2, 40))[:10] for _ in range(20)]) for _ in range(2)
    ]
    lists = [
        Candidates(each, np.tile(-np.arange(10.0), (20, 1)).astype(np.float32))
        for each in (noise[0], right, noise[1])
    ]
    shares = choose_shares(lists, answers, k=9)
    assert shares[1] >= 2 * max(shares[0], shares[2])
    merged = merge(lists, k=9, shares=shares).candidates.item_ids
    assert (merged[:, :2] == [0, 1]).all() and not (
        merge(lists, k=9).candidates.item_ids[:, :2] == [0, 1]
    ).all()
    alone = merge(lists, k=60, shares=[0.0, 1.0, 0.0]).candidates.item_ids
    assert (alone[:, :10] == right).all() and (alone[:, 10] >= 0).all()  # the others fill up
