"""Classification, calibration and cost: by hand, against scikit-learn, by property, refusals."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from common.evaluation import classification as c


def binary_world(seed, rows=200, levels=20):
    """Labels of both classes and scores with ties that lean the right way."""
    rng = np.random.default_rng(seed)
    labels = rng.random(rows) < 0.3
    labels[:2] = True, False
    scores = np.clip(np.round(rng.random(rows) * 0.7 + 0.3 * labels, 6), 0, 1)
    return labels.astype(int), np.round(scores * levels) / levels


def class_world(seed, rows=120, classes=4):
    rng = np.random.default_rng(seed)
    labels = np.append(np.arange(classes), rng.integers(0, classes, rows))
    logits = rng.normal(size=(len(labels), classes)) + 1.5 * np.eye(classes)[labels]
    return labels, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("classes", [None, 7])
def test_precision_recall_f1_equals_sklearn(average, classes):
    rng = np.random.default_rng(3)
    labels, predicted = rng.choice([0, 2, 3], 80), rng.choice([0, 1, 3], 80)
    ours = c.precision_recall_f1(labels, predicted, average=average, classes=classes)
    every = None if classes is None else range(classes)
    theirs = metrics.precision_recall_fscore_support(
        labels, predicted, labels=every, average=average, zero_division=0
    )
    np.testing.assert_allclose((ours.precision, ours.recall, ours.f1), theirs[:3])
    each = metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(len(ours.support)), average=None, zero_division=0
    )
    np.testing.assert_allclose(ours.f1_per_class, each[2])
    assert ours.support.tolist() == each[3].tolist()


def test_binary_average_is_class_one():
    labels, predicted = [1, 1, 1, 0], [1, 0, 0, 1]
    ours = c.precision_recall_f1(labels, predicted, average="binary")
    assert (ours.precision, ours.recall, ours.f1) == pytest.approx((1 / 2, 1 / 3, 2 / 5))
    nothing = c.precision_recall_f1([0, 0], [0, 0], average="binary")
    assert (nothing.precision, nothing.recall, nothing.f1) == (0, 0, 0)


def test_confusion_and_correct_rows_by_hand():
    assert c.confusion([0, 0, 1, 2], [0, 1, 1, 0]).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
    assert c.confusion([0, 1], [0, 1], classes=3).shape == (3, 3)
    assert c.correct([0, 0, 1, 2], [0, 1, 1, 0]).tolist() == [1, 0, 1, 0]


@given(seed=st.integers(0, 10_000), levels=st.sampled_from([1, 3, 20, 10**6]))
@settings(max_examples=40, deadline=None)
def test_scores_equal_sklearn(seed, levels):
    labels, scores = binary_world(seed, levels=levels)
    assert c.roc_auc(labels, scores) == pytest.approx(metrics.roc_auc_score(labels, scores))
    assert c.average_precision(labels, scores) == pytest.approx(
        metrics.average_precision_score(labels, scores)
    )
    assert c.brier(labels, scores) == pytest.approx(metrics.brier_score_loss(labels, scores))
    assert c.log_loss(labels, scores) == pytest.approx(metrics.log_loss(labels, scores))


def test_many_classes_equal_sklearn():
    labels, table = class_world(0)
    expected = metrics.roc_auc_score(labels, table, multi_class="ovr", average="macro")
    assert c.roc_auc(labels, table) == pytest.approx(expected)
    assert c.log_loss(labels, table) == pytest.approx(metrics.log_loss(labels, table))
    one_hot = np.eye(4)[labels]
    assert c.average_precision(labels, table) == pytest.approx(
        metrics.average_precision_score(one_hot, table)
    )
    assert c.brier(labels, table) == pytest.approx(((table - one_hot) ** 2).sum(axis=1).mean())


def test_curves_lie_on_the_areas():
    labels, scores = binary_world(1)
    roc, pr = c.roc_curve(labels, scores), c.precision_recall_curve(labels, scores)
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(c.roc_auc(labels, scores))
    assert -np.diff(pr.x) @ pr.y[:-1] == pytest.approx(c.average_precision(labels, scores))
    assert len(pr.x) == len(pr.thresholds) + 1


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_auc_is_the_share_of_ordered_pairs_and_survives_monotone_maps(seed):
    labels, scores = binary_world(seed, rows=40, levels=8)
    pairs = scores[labels == 1][:, None] - scores[labels == 0][None, :]
    assert c.roc_auc(labels, scores) == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())
    assert c.roc_auc(labels, np.exp(3 * scores)) == pytest.approx(c.roc_auc(labels, scores))
    assert c.roc_auc(labels, -scores) == pytest.approx(1 - c.roc_auc(labels, scores))


def test_calibration_by_hand():
    labels, said = [1, 0, 1, 1], [0.05, 0.15, 0.95, 1.0]
    curve = c.reliability_curve(labels, said, bins=10)
    np.testing.assert_allclose(curve.confidence, [0.05, 0.15, 0.975])
    np.testing.assert_allclose(curve.frequency, [1, 0, 1])
    assert curve.count.tolist() == [1, 1, 2]
    expected = (0.95 + 0.15 + 2 * 0.025) / 4
    assert c.expected_calibration_error(labels, said, bins=10) == pytest.approx(expected)
    constant = c.expected_calibration_error([1, 0, 0, 0], [0.25] * 4, strategy="quantile")
    assert constant == pytest.approx(0)


@given(seed=st.integers(0, 10_000), bins=st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_calibration_error_equals_a_loop_over_bins(seed, bins):
    labels, table = class_world(seed)
    confidence, right = table.max(axis=1), table.argmax(axis=1) == labels
    edges, expected = np.linspace(0, 1, bins + 1), 0.0
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        rows = (confidence >= low) & ((confidence < high) | (high == 1))
        expected += (
            rows.mean() * abs(right[rows].mean() - confidence[rows].mean()) if rows.any() else 0
        )
    assert c.expected_calibration_error(labels, table, bins=bins) == pytest.approx(expected)
    for strategy in ("uniform", "quantile"):
        curve = c.reliability_curve(labels, table, bins=bins, strategy=strategy)
        assert curve.count.sum() == len(labels) and curve.count.min() > 0
        assert np.all(np.diff(curve.confidence) > 0)


def test_true_probabilities_are_calibrated_and_overconfident_ones_are_not():
    rng = np.random.default_rng(0)
    truth = rng.random(20_000)
    labels = (rng.random(20_000) < truth).astype(int)
    sharpened = truth**3 / (truth**3 + (1 - truth) ** 3)
    assert c.expected_calibration_error(labels, truth) < 0.02
    assert c.expected_calibration_error(labels, sharpened) > 0.1
    assert c.brier(labels, truth) < c.brier(labels, sharpened)


@given(seed=st.integers(0, 10_000), levels=st.sampled_from([2, 10, 1000]), per_row=st.booleans())
@settings(max_examples=50, deadline=None)
def test_best_threshold_equals_trying_all(seed, levels, per_row):
    labels, scores = binary_world(seed, rows=60, levels=levels)
    rng = np.random.default_rng(seed)
    costs = {"false_positive": 1.0, "false_negative": rng.random(60) * 9 if per_row else 5.0}
    best = c.best_threshold_by_cost(labels, scores, **costs)
    tried = [*np.unique(scores), 2.0]

    def price(threshold: float) -> float:
        alarm, missed = scores >= threshold, costs["false_negative"] * labels
        return float((alarm & (labels == 0)).sum() + (missed * ~alarm).sum())

    prices = [price(threshold) for threshold in tried]
    assert best.cost == pytest.approx(min(prices))
    assert best.cost == pytest.approx(price(best.threshold))
    assert best.cost_never == pytest.approx(prices[-1])
    assert best.cost_always == pytest.approx(prices[0])
    assert best.alarms == (scores >= best.threshold).sum()


def test_threshold_of_true_probabilities_is_the_cost_ratio():
    rng = np.random.default_rng(0)
    truth = rng.random(200_000)
    labels = (rng.random(200_000) < truth).astype(int)
    best = c.best_threshold_by_cost(labels, truth, false_positive=1, false_negative=4)
    assert best.threshold == pytest.approx(1 / 5, abs=0.03)


def test_threshold_of_one_class_is_all_or_nothing():
    none = c.best_threshold_by_cost([0, 0], [0.2, 0.7], false_positive=1, false_negative=9)
    assert (none.alarms, none.cost) == (0, 0) and 0.7 < none.threshold < 0.7001
    every = c.best_threshold_by_cost([1, 1], [0.2, 0.7], false_positive=1, false_negative=9)
    assert (every.alarms, every.cost, every.threshold) == (2, 0, 0.2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: c.roc_auc([1, 1], [0.1, 0.2]), "labels holds only class 1.*slice"),
        (lambda: c.average_precision([0, 0], [0.1, 0.2]), "labels holds only class 0"),
        (lambda: c.roc_auc([], []), "labels holds no row"),
        (lambda: c.roc_auc([0, 1], [np.nan, 1]), "scores holds 1 NaN.*first at 0"),
        (lambda: c.roc_auc([0, 1, 1], [0.1, 1]), "labels 3, scores 2"),
        (lambda: c.roc_auc([0, 1], np.eye(3)[:2]), "no row of class 2"),
        (lambda: c.roc_auc([0, 2], [0.1, 1]), "labels holds 2: pass 0/1"),
        (lambda: c.brier([0, 1], [0.1, 1.2]), "predicted_probabilities.*sigmoid"),
        (lambda: c.log_loss([0, 1], [[0.5, 0.1], [0.5, 0.5]]), "softmax"),
        (lambda: c.log_loss([2, 1], [[0.5, 0.5], [0.5, 0.5]]), "labels holds class 2"),
        (lambda: c.correct([], []), "labels is empty"),
        (lambda: c.correct([0.5], [1]), "labels holds fractions"),
        (lambda: c.correct([-1], [1]), "labels holds -1"),
        (lambda: c.correct(["a"], [1]), "labels holds.*pass numbers"),
        (lambda: c.confusion([5], [1], classes=3), "at least 6 classes"),
        (lambda: c.precision_recall_f1([0, 1], [0, 2], average="binary"), "3 classes"),
        (lambda: c.precision_recall_f1([0, 1], [0, 1], average="mean"), "average is 'mean'"),
        (lambda: c.reliability_curve([0, 1], [0.1, 1], bins=0), "bins is 0"),
        (lambda: c.reliability_curve([0, 1], [0.1, 1], strategy="even"), "strategy is 'even'"),
        (
            lambda: c.best_threshold_by_cost([0], [1], false_positive=-1, false_negative=1),
            "false_positive holds -1",
        ),
        (
            lambda: c.cost_curve([0, 1, 1], [1, 2, 3], false_positive=1, false_negative=[1, 2]),
            "false_negative has 2 values for 3 rows",
        ),
    ],
)
def test_refusals_name_argument_and_remedy(call, words):
    with warnings.catch_warnings(), pytest.raises(ValueError, match=words):
        warnings.simplefilter("error")
        call()
