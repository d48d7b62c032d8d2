"""One suite over all rankers, on planted data: right, equal after a load, sound on what is odd."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.metrics import log_loss, ndcg_score, roc_auc_score

from patterns.recsys.stages.ranking.cross_fit import cross_fit
from patterns.recsys.stages.ranking.deepfm import DeepFM
from patterns.recsys.stages.ranking.examples import Examples, labels_of, values_of
from patterns.recsys.stages.ranking.lightgbm import LightGBMRanker
from patterns.recsys.stages.ranking.objectives import Worth, worth_at_10
from patterns.recsys.stages.ranking.wide_deep import WideDeep
from patterns.recsys.stages.ranking.xdeepfm import XDeepFM

WIDTH = 20
NEURAL: list[Any] = [WideDeep, DeepFM, XDeepFM]
NAMES = [ranker.name for ranker in NEURAL]
FAST: dict[str, Any] = {"learning_rate": 0.02, "batch_size": 256, "device": "cpu"}
Make = Callable[..., Any]


def trees(**settings: Any) -> LightGBMRanker:
    return LightGBMRanker(**{"trees": 40, "min_leaf_rows": 5, "negative_share": 1.0} | settings)


def maker(ranker: Any) -> Make:
    return lambda **settings: ranker(**{"categories": (WIDTH,), "epochs": 8} | FAST | settings)


every_ranker = pytest.mark.parametrize(
    "make", [trees, *map(maker, NEURAL)], ids=["lightgbm", *NAMES]
)
every_network = pytest.mark.parametrize("ranker", NEURAL, ids=NAMES)


def planted(seed: int, count: int = 120) -> Examples:
    """Give lists in which the sum of two features decides; the third is noise, the end padding."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, WIDTH, 3)).astype(np.float32)
    labels = (features[..., 0] + features[..., 1] > 1.5).astype(np.float32)
    item_ids = np.tile(np.arange(WIDTH), (count, 1))
    item_ids[:, -1], labels[:, -1] = -1, 0.0
    return Examples.of_items(features, item_ids, labels, np.full_like(labels, np.nan))


def valued(
    seed: int, values: tuple[float, float], share: float = 0.3, count: int = 200
) -> Examples:
    """Give candidates of two kinds, told by the first feature, clicked alike, worth `values`."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(2, size=(count, WIDTH))
    features = np.stack([kind, rng.normal(size=kind.shape)], axis=2).astype(np.float32)
    labels = (rng.random(kind.shape) < share).astype(np.float32)
    worth = np.where(labels > 0, np.array(values)[kind], np.nan).astype(np.float32)
    return Examples.of_items(features, rng.integers(WIDTH, size=kind.shape), labels, worth)


def score(ranker: Any, examples: Examples) -> np.ndarray:
    found: np.ndarray = ranker.score(examples.features, examples.codes, examples.real)
    return found


def quality(scores: np.ndarray, examples: Examples) -> float:
    hidden = np.where(examples.real, scores, -np.inf)
    return worth_at_10(hidden, examples, Worth("ctr"))


@every_ranker
def test_a_ranker_learns_what_no_single_feature_says(make: Make) -> None:
    train, valid, test = planted(0), planted(1), planted(2)
    ranker = make().fit(train, valid)
    assert 1 <= ranker.length_ <= 40
    features = [quality(test.features[..., column], test) for column in range(3)]
    chance = quality(np.random.default_rng(0).random(test.real.shape), test)
    assert quality(score(ranker, test), test) > 0.95 > 0.85 > max(features) > chance + 0.1


@every_ranker
def test_loaded_it_is_the_same_and_padding_comes_last(make: Make, tmp_path: Path) -> None:
    test = planted(2)
    ranker = make().fit(planted(0), length=2)
    ranker.save(tmp_path)
    scores = score(ranker, test)
    assert np.isneginf(scores[:, -1]).all() and np.isfinite(scores[:, :-1]).all()
    assert np.array_equal(score(type(ranker).load(tmp_path), test), scores)
    assert scores.shape == test.real.shape and scores.dtype == np.float32


@every_ranker
def test_a_batch_scores_as_each_request_alone(make: Make) -> None:
    test = planted(2)
    ranker = make().fit(planted(0), length=2)
    for row in (0, 7):
        alone = score(ranker, test.part(np.array([row])))
        np.testing.assert_allclose(alone[0], score(ranker, test)[row], rtol=1e-5, atol=1e-5)


@every_ranker
def test_the_same_seed_gives_the_same_ranker(make: Make) -> None:
    train, test = planted(0), planted(2)
    first, second = (score(make(seed=3).fit(train, length=2), test) for _ in range(2))
    assert np.array_equal(first, second)
    other = score(make(seed=4).fit(train, length=2), test)
    assert not np.allclose(first[:, :-1], other[:, :-1])


@every_network
def test_a_fit_leaves_the_random_numbers_of_others_alone(ranker: Any) -> None:
    import torch

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    maker(ranker)().fit(planted(0, count=10), length=1)
    assert torch.equal(torch.rand(3), expected)


@every_ranker
def test_unknown_features_and_codes_and_empty_batches_are_scored(make: Make) -> None:
    train = planted(0)
    train.features[::3, :, 1] = np.nan
    ranker = make().fit(train, length=3)
    blank = np.full((1, WIDTH, 3), np.nan, dtype=np.float32)
    codes = np.arange(WIDTH)[None, :, None]
    assert np.isfinite(ranker.score(blank, codes)).all()
    unknown = [ranker.score(blank, np.full_like(codes, code)) for code in (-1, WIDTH, 10**9)]
    assert np.isfinite(unknown[0]).all()
    assert np.array_equal(unknown[0], unknown[1]) and np.array_equal(unknown[0], unknown[2])
    for shape in ((0, WIDTH), (3, 0)):
        empty = np.zeros((*shape, 3), np.float32), np.zeros((*shape, 1), int)
        assert ranker.score(*empty).shape == shape


@every_ranker
def test_cross_fitting_scores_each_list_by_a_ranker_that_has_not_seen_it(make: Make) -> None:
    examples, folds = planted(0, count=60), np.arange(60) % 3
    ranker = make()
    scores = cross_fit(ranker, examples, folds)
    assert np.array_equal(np.isfinite(scores), examples.real)
    without = make().fit(examples.part(folds != 1), examples.part(folds == 1))
    assert np.array_equal(scores[folds == 1], score(without, examples.part(folds == 1)))
    last = make().fit(examples, length=ranker.length_)
    assert np.array_equal(score(ranker, examples), score(last, examples))


def expected(metric: str, scores: np.ndarray, examples: Examples) -> float:
    """Judge scores by scikit-learn."""
    labels = examples.labels[examples.real]
    flat = scores[examples.real].astype(np.float64)
    if metric == "auc":
        return float(roc_auc_score(labels, flat))
    if metric == "log-loss":
        return -float(log_loss(labels, 1 / (1 + np.exp(-flat))))
    asked = examples.labels.sum(axis=1) > 0
    found = ndcg_score(examples.labels[asked], np.where(examples.real, scores, -1e9)[asked], k=10)
    return float(found) * float(asked.mean())


@pytest.mark.parametrize("metric", ["ndcg", "auc", "log-loss"])
@every_network
def test_the_epoch_kept_is_the_best_by_the_metric(ranker: Any, metric: str) -> None:
    train, valid = planted(0), planted(1)
    fitted = maker(ranker)(metric=metric, epochs=3).fit(train, valid)
    history = fitted.history_.valid
    assert fitted.length_ == 1 + int(np.argmax(history))
    assert max(history) == pytest.approx(expected(metric, score(fitted, valid), valid), abs=1e-5)


def overconfident(seed: int, noise: float) -> Examples:
    """Give a table whose label follows the sum of ten features, drawn the other way by `noise`."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(1_500, 10))
    labels = (features.sum(axis=1) > 0) ^ (rng.random(1_500) < noise)
    return Examples.of_table(features, np.zeros((1_500, 0)), labels)


@every_network
def test_metrics_choose_different_epochs(ranker: Any) -> None:
    """The order still improves when probabilities are too sure of themselves already."""
    train, valid = overconfident(0, noise=0.0), overconfident(1, noise=0.3)
    options: dict[str, Any] = {"categories": (), "epochs": 12, "negative_share": 1.0}
    auc, loss = (
        maker(ranker)(metric=metric, **options).fit(train, valid).length_
        for metric in ("auc", "log-loss")
    )
    assert loss < auc


def test_the_log_loss_is_of_probabilities_of_a_click() -> None:
    with pytest.raises(ValueError, match="log-loss judges probabilities of a click"):
        DeepFM(categories=(), objective="watch", metric="log-loss")


def clicks(seed: int, count: int = 3_000) -> Examples:
    """Give a table of clicks that follow a feature and, each value its own way, two fields."""
    rng = np.random.default_rng(seed)
    features, codes = rng.normal(size=(count, 2)), rng.integers((6, 4), size=(count, 2))
    logits = 1.5 * features[:, 0] + np.linspace(-2, 2, 6)[codes[:, 0]] + (codes[:, 1] == 2)
    return Examples.of_table(features, codes, rng.random(count) < 1 / (1 + np.exp(-logits)))


@every_network
def test_a_table_of_clicks_is_the_case_of_lists_of_one_row(ranker: Any) -> None:
    train, test = clicks(0), clicks(1)
    options: dict[str, Any] = {"categories": (6, 4), "metric": "auc", "negative_share": 1.0}
    fitted = maker(ranker)(**options).fit(train, test)
    scores = score(fitted, test)
    assert scores.shape == (3_000, 1)
    auc = roc_auc_score(test.labels, scores)
    single = max(roc_auc_score(test.labels, test.features[..., 0]), 0.7)
    assert auc > single + 0.05
    assert (1 / (1 + np.exp(-scores))).mean() == pytest.approx(test.labels.mean(), abs=0.05)


def test_trees_say_that_they_order_lists() -> None:
    with pytest.raises(ValueError, match="no list has two"):
        trees().fit(clicks(0))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("columns", "sizes"), [(0, (6, 4)), (2, ()), (0, (6,)), (1, ())])
@every_network
def test_either_kind_of_column_may_be_absent(
    ranker: Any, columns: int, sizes: tuple[int, ...], tmp_path: Path
) -> None:
    train, test = (
        Examples(each.features[..., :columns], each.codes[..., : len(sizes)], *rest)
        for each, *rest in ((t, t.labels, t.values, t.real) for t in (clicks(0), clicks(1)))
    )
    options: dict[str, Any] = {"categories": sizes, "metric": "auc", "negative_share": 1.0}
    fitted = maker(ranker)(**options, epochs=2).fit(train, test)
    scores = score(fitted, test)
    assert roc_auc_score(test.labels, scores) > 0.65
    fitted.save(tmp_path)
    assert np.array_equal(score(ranker.load(tmp_path), test), scores)


@pytest.mark.parametrize("objective", ["watch", "rating"])
@every_ranker
def test_objectives_put_what_is_worth_more_first(
    make: Make, objective: str, tmp_path: Path
) -> None:
    train, valid, test = (valued(seed, (1.0, 5.0)) for seed in range(3))
    ranker = make(objective=objective).fit(train, valid)
    scores = score(ranker, test)
    top = np.take_along_axis(test.features[..., 0], np.argsort(-scores, axis=1)[:, :5], axis=1)
    assert top.mean() > 0.95
    ranker.save(tmp_path)
    assert np.array_equal(score(type(ranker).load(tmp_path), test), scores)


@every_ranker
def test_objectives_without_values_name_the_remedy(make: Make) -> None:
    for objective in ("watch", "rating"):
        with pytest.raises(ValueError, match=r"^objective: .* use ctr"):
            make(objective=objective).fit(planted(0))
    with pytest.raises(ValueError, match="lowest is -1"):
        make(objective="rating").fit(valued(0, (-1.0, 5.0)))
    with pytest.raises(ValueError, match="'clicks' is not known"):
        make(objective="clicks").fit(planted(0))


def test_clicked_items_of_unknown_value_count_the_mean() -> None:
    labels = np.array([[1, 1, 1, 0]], dtype=np.float32)
    values = np.array([[2, 4, np.nan, np.nan]], dtype=np.float32)
    features = np.zeros((1, 4, 1), np.float32)
    rows = Examples.of_items(features, np.arange(4)[None], labels, values).flat()
    worth = Worth.learn("rating", rows)
    assert worth.of(labels, values).tolist() == [[2, 4, 3, 0]]
    assert Worth.learn("ctr", rows).of(labels, values).tolist() == [[1, 1, 1, 0]]


def test_labels_are_the_retrieved_answers() -> None:
    answers = csr_matrix(np.array([[0, 1, 0, 1], [1, 0, 0, 0]]))
    item_ids = np.array([[3, 0, -1], [1, 0, 2]])
    assert labels_of(item_ids, answers).tolist() == [[1, 0, 0], [0, 1, 0]]


def test_values_are_looked_up_and_a_stored_zero_is_known() -> None:
    worth = csr_matrix(([0.0, 4.0, 3.5], ([0, 0, 1], [3, 1, 0])), shape=(2, 4))
    found = values_of(np.array([[3, 0, -1], [1, 0, 2]]), worth)
    assert np.array_equal(found, [[0, np.nan, np.nan], [np.nan, 3.5, np.nan]], equal_nan=True)
    assert np.isnan(values_of(np.array([[0, 1]]), csr_matrix((1, 4)))).all()


def test_flat_and_part_carry_values_along() -> None:
    whole = planted(0, count=3)
    whole.values[1, 4] = 7.0
    part = whole.part(np.array([1]))
    assert part.values[0, 4] == 7.0 and len(part.flat().values) == WIDTH - 1
    assert np.nanmax(whole.flat().values) == 7.0
