"""On the real collection: the split is clean and the baselines stand where they were measured."""

import numpy as np
import pytest

from common.evaluation.ranking import ndcg_grouped
from common.retrieval.analysis import normalised
from common.retrieval.bm25 import InvertedIndex
from patterns.search_ranking.config import Config
from patterns.search_ranking.data import Splits, load, split
from patterns.search_ranking.entities.documents import ALL, FILMS, field_texts

pytestmark = pytest.mark.mirror


@pytest.fixture(scope="module")
def splits() -> Splits:
    config = Config(dataset="msrd")
    return split(load(config), config)


def test_similar_queries_are_in_one_split(splits: Splits) -> None:
    parts = [splits.train, splits.valid, splits.test]
    assert sum(map(len, parts)) == 16_279 and splits.documents.height == 9_750
    normal = [{normalised(text) for text in part.texts} for part in parts]
    assert not (normal[0] & normal[1] or normal[0] & normal[2] or normal[1] & normal[2])


@pytest.mark.parametrize(("field", "expected"), [(ALL, 0.750), ("title", 0.850)])
def test_bm25_orders_the_judged_as_well_as_published(splits: Splits, field, expected) -> None:
    judged = splits.train  # a baseline has learned nothing from it
    index = InvertedIndex(analyser=FILMS.indexed[field][0])
    index.fit(field_texts(splits.documents, FILMS)[field])
    scores = index.score_pairs(judged.texts, judged.rows)
    kept = judged.rows >= 0
    groups = np.repeat(np.arange(len(judged)), kept.sum(axis=1))
    values = ndcg_grouped(judged.grades[kept], scores[kept], groups, 10)
    assert values.mean() == pytest.approx(expected, abs=0.012)
