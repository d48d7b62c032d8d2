"""Rules, rebalancing, calibration, models and decisions on planted data and hand cases."""

from dataclasses import replace

import numpy as np
import pytest

from common.evaluation.classification import average_precision
from common.evaluation.report import Estimate
from patterns.fraud.entities.payments import Payments
from patterns.fraud.evaluation.intervals import WeightedAveragePrecision, average_precision_interval
from patterns.fraud.evaluation.savings import Savings
from patterns.fraud.stages.calibration import Calibration
from patterns.fraud.stages.decision import CostDecision, card_precision, money
from patterns.fraud.stages.imbalance import METHODS, rebalance, smote
from patterns.fraud.stages.models.logistic import LogisticModel
from patterns.fraud.stages.models.xgboost import BoostedTrees
from patterns.fraud.stages.rules import Rule, Rules


@pytest.fixture(scope="module")
def planted():
    """One feature decides, one interacts, one is noise: (6000, 3) and labels."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(6_000, 3)).astype(np.float32)
    margin = 2.5 * features[:, 0] + 2 * features[:, 0] * features[:, 1] - 4.5
    labels = (rng.random(6_000) < 1 / (1 + np.exp(-margin))).astype(np.int8)
    return features, labels


# ---------------------------------------------------------------- models


def hyperparameters(model):
    return {name: value for name, value in vars(model).items() if not name.endswith("_")}


@pytest.mark.parametrize("make", [LogisticModel, lambda: BoostedTrees(trees=60, threads=1)])
def test_models_beat_chance_and_survive_saving(planted, make, tmp_path):
    features, labels = planted
    train, valid = (features[:4_000], labels[:4_000]), (features[4_000:], labels[4_000:])
    model = make().fit(train, valid)
    scores = model.predict(valid[0])
    assert average_precision(valid[1], scores) > 3 * valid[1].mean()
    assert np.all((scores >= 0) & (scores <= 1))
    model.save(tmp_path)
    loaded = type(model).load(tmp_path)
    assert np.array_equal(loaded.predict(valid[0]), scores)
    assert hyperparameters(loaded) == hyperparameters(model)
    single = np.concatenate([loaded.predict(valid[0][row : row + 1]) for row in range(20)])
    assert np.allclose(single, scores[:20], rtol=1e-6)


def test_contributions_add_up_to_the_log_odds(planted):
    import xgboost

    features, labels = planted
    trees = BoostedTrees(trees=20, threads=1).fit((features, labels))
    added = trees.contributions(features[:50])
    margin = trees.booster_.predict(xgboost.DMatrix(features[:50]), output_margin=True)
    bias = margin - added.sum(1)
    assert np.allclose(bias, bias[0], atol=1e-4)
    assert np.abs(added[:, 0]).mean() > 5 * np.abs(added[:, 2]).mean()  # noise explains nothing


def test_early_stopping_keeps_fewer_trees(planted):
    features, labels = planted
    model = BoostedTrees(trees=400, learning_rate=0.5, patience=10, threads=1)
    model.fit((features[:3_000], labels[:3_000]), (features[3_000:], labels[3_000:]))
    assert model.trees_ < 400


# ---------------------------------------------------------------- imbalance


@pytest.mark.parametrize("method", METHODS)
def test_rebalancing_reaches_its_ratio(planted, method):
    features, labels = planted
    new_features, new_labels, weights = rebalance(features, labels, method=method, ratio=2, seed=1)
    assert len(new_features) == len(new_labels)
    weights = np.ones(len(new_labels)) if weights is None else weights
    ratio = weights[new_labels == 0].sum() / weights[new_labels == 1].sum()
    assert ratio == pytest.approx(
        (labels == 0).sum() / labels.sum() if method == "none" else 2, rel=0.01
    )


def test_smote_stays_between_neighbours():
    frauds = np.array([[0, 0], [1, 10], [2, 20]], dtype=np.float32)  # on a line
    genuine = np.full((300, 2), 50, dtype=np.float32)
    features, labels = np.concatenate([genuine, frauds]), np.repeat([0, 1], [300, 3])
    rows, marks = smote(features, labels, 203, neighbours=1, seed=0)
    made = rows[marks == 1]
    assert made.shape == (203, 2) and made.dtype == np.float32
    assert np.allclose(made[:, 1], 10 * made[:, 0], atol=1e-4)
    assert made.min() >= 0 and made[:, 0].max() <= 2
    assert (rows[marks == 0] == 50).all()
    rows, marks = smote(features[:301], labels[:301], 3)
    assert np.allclose(rows[marks == 1], frauds[:1])


# ---------------------------------------------------------------- calibration


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_calibration_undoes_rebalancing(kind, tmp_path):
    rng = np.random.default_rng(0)
    logit = rng.normal(-4, 2, 60_000)
    labels = (rng.random(60_000) < 1 / (1 + np.exp(-logit))).astype(np.int8)
    inflated = 1 / (1 + np.exp(-(logit + np.log(100))))  # as if fraud were 100 times as common
    assert inflated.mean() > 5 * labels.mean()
    calibration = Calibration(kind=kind).fit(inflated, labels)
    calibrated = calibration.transform(inflated)
    assert calibrated.mean() == pytest.approx(labels.mean(), rel=0.01)
    order = np.argsort(inflated)
    assert np.all(np.diff(calibrated[order]) >= -1e-12)
    calibration.save(tmp_path)
    assert np.array_equal(Calibration.load(tmp_path).transform(inflated), calibrated)


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_calibration_of_narrow_and_of_useless_scores_meets_the_rate(kind):
    rng = np.random.default_rng(1)
    labels = (rng.random(20_000) < 0.01).astype(np.int8)
    for slope in (1e-3, 0.0, -1e-3):  # all scores near a half, as after one tree
        scores = 0.5 + slope * (labels - 0.5) + 1e-3 * rng.random(20_000)
        calibrated = Calibration(kind=kind).fit(scores, labels).transform(scores)
        assert calibrated.mean() == pytest.approx(labels.mean(), rel=0.05)
        assert np.all(np.diff(calibrated[np.argsort(scores)]) >= 0)


def test_calibration_without_both_classes_changes_nothing():
    scores = np.array([0.1, 0.9])
    assert np.array_equal(Calibration().fit(scores, np.zeros(2)).transform(scores), scores)


# ---------------------------------------------------------------- rules


def test_rules_score_by_their_measured_precision(tmp_path):
    names = ("amount", "customer_count_1h")
    features = np.array([[300, 1]] * 10 + [[10, 9]] * 10 + [[10, 1]] * 980, dtype=np.float32)
    labels = np.array([1] * 9 + [0] + [1] * 2 + [0] * 988, dtype=np.int8)
    rules = Rules(
        names=names,
        rules=(
            Rule("FAST", "customer_count_1h", 4, "fast"),
            Rule("BIG", "amount", 220, "big"),
        ),
    ).fit((features, labels))
    scores = rules.predict(features)
    base = 11 / 1000
    by_hand = [(9 + 1) / (10 + 1 / base), (2 + 1) / (10 + 1 / base), base / (980 + 1)]
    assert scores[[0, 10, 20]] == pytest.approx(by_hand)
    assert rules.predict(np.array([[300, 9]], dtype=np.float32)) == pytest.approx(by_hand[:1])
    assert [r.code for r in rules.reasons(np.array([[300, 9]], dtype=np.float32))[0]] == [
        "BIG",
        "FAST",
    ]
    assert rules.table(features, labels) == {"BIG": (10, 9), "FAST": (10, 2)}
    rules.save(tmp_path)
    assert np.array_equal(Rules.load(tmp_path).predict(features), scores)


def test_a_rule_with_a_second_limit_needs_both():
    rule = Rule("BIG_AND_FAST", "amount", 220, "big", also="count", also_limit=4)
    rows = np.array([[300, 5], [300, 4], [220, 5], [10, 1]], dtype=np.float32)
    assert rule.hits(rows, ("amount", "count")).tolist() == [True, False, False, False]


def test_default_rules_need_only_the_features_there_are():
    features = np.array([[10.0], [500.0]] * 50, dtype=np.float32)
    labels = np.array([0, 1] * 50, dtype=np.int8)
    rules = Rules(names=("amount",)).fit((features, labels))
    assert [rule.code for rule in rules.rules_] == ["AMOUNT_LIMIT"]
    assert rules.predict(features)[1] > rules.predict(features)[0]


# ---------------------------------------------------------------- decision


def test_threshold_is_the_cheapest_and_money_adds_up(tmp_path):
    probabilities = np.array([0.1, 0.4, 0.6, 0.9])
    labels, amounts = np.array([0, 1, 0, 1]), np.array([50.0, 30.0, 50.0, 100.0])
    decision = CostDecision(false_positive_cost=10).fit(probabilities, labels, amounts)
    declined = decision.decline(probabilities, amounts)
    assert declined.tolist() == [False, True, True, True]  # 10 of friction against 30 lost
    dear = CostDecision(false_positive_cost=40).fit(probabilities, labels, amounts)
    declined_dear = dear.decline(probabilities, amounts)
    assert declined_dear.tolist() == [False, False, False, True]
    priced = money(labels, amounts, declined_dear, false_positive_cost=40)
    assert (priced.prevented, priced.lost, priced.friction) == (100, 30, 0)
    assert priced.saved_share == pytest.approx(100 / 130)
    priced = money(labels, amounts, declined, false_positive_cost=10)
    assert (priced.prevented, priced.lost, priced.friction) == (130, 0, 10)
    assert priced.saved == 120 and priced.saved_share == pytest.approx(120 / 130)
    decision.save(tmp_path)
    assert vars(CostDecision.load(tmp_path)) == vars(decision)


def test_expected_loss_lets_small_payments_through():
    decision = CostDecision(false_positive_cost=10, policy="expected-loss")
    decision.fit(np.array([0.2, 0.8]), np.array([0, 1]), np.array([1.0, 1.0]))
    declined = decision.decline(np.array([0.5, 0.5, 0.01]), np.array([5.0, 20.0, 5_000.0]))
    assert declined.tolist() == [False, True, True]


def test_card_precision_counts_cards_once_and_can_drop_found_ones():
    days = np.array([0, 0, 0, 0, 1, 1, 1])
    customers = np.array([1, 1, 2, 3, 1, 2, 3])
    labels = np.array([1, 0, 0, 1, 1, 0, 1])
    scores = np.array([0.9, 0.2, 0.8, 0.1, 0.9, 0.5, 0.4])
    case = {"days": days, "customers": customers, "labels": labels, "scores": scores}
    assert card_precision(**case, k=2).tolist() == [0.5, 0.5]  # cards 1, 2 on both days
    assert card_precision(**case, k=2, remove_found=True).tolist() == [0.5, 0.5]  # then 2, 3
    assert card_precision(**case, k=1, remove_found=True).tolist() == [1.0, 0.0]
    vain = case | {"labels": np.array([1, 0, 0, 1, 1, 1, 1])}  # card 2, alerted in vain, stays
    assert card_precision(**vain, k=2, remove_found=True).tolist() == [0.5, 1.0]
    assert card_precision(**case, k=10).tolist() == [0.2, 0.2]  # fewer cards than alerts
    tied = {"days": days[:2], "customers": np.array([7, 3]), "scores": np.array([0.5, 0.5])}
    assert card_precision(**tied, labels=np.array([0, 1]), k=1).tolist() == [1.0]  # the lower id


# ---------------------------------------------------------------- metrics


def test_savings_add_up_and_their_intervals_resample_customers():
    rng = np.random.default_rng(0)
    labels = (rng.random(600) < 0.3).astype(np.int8)
    test = Payments(np.arange(600), labels, np.full(600, 30.0), customers=np.arange(600) // 3)
    savings = Savings(test, false_positive_cost=10, seed=0)
    perfect, nobody, everybody = labels == 1, np.zeros(600, bool), np.ones(600, bool)
    frauds = int(labels.sum())
    whole = savings.saved(perfect)
    assert whole.value == 30 * frauds and whole.low < whole.value < whole.high
    assert savings.share(perfect) == Estimate(1, 1, 1) and savings.share(nobody).value == 0
    priced = money(labels, test.amounts, everybody, false_positive_cost=10)
    assert savings.share(everybody).value == pytest.approx(priced.saved_share)
    gained = savings.above(perfect, everybody)
    assert gained.value == 10 * (600 - frauds) and gained.low > 0
    assert savings.above(perfect, perfect) == Estimate(0, 0, 0)
    once = replace(test, customers=np.zeros(600, int))  # one customer: nothing to resample
    one = Savings(once, false_positive_cost=10, seed=0).saved(perfect)
    assert one.low == one.value == one.high


def test_weighted_average_precision_equals_the_plain_one_and_repetition():
    rng = np.random.default_rng(3)
    labels = (rng.random(400) < 0.1).astype(np.int8)
    scores = np.round(rng.random(400) + 0.3 * labels, 1)  # many ties
    weighted = WeightedAveragePrecision(labels, scores)
    assert weighted(np.ones(400)) == pytest.approx(average_precision(labels, scores))
    times = rng.integers(0, 4, 400)
    repeated = average_precision(np.repeat(labels, times), np.repeat(scores, times))
    assert weighted(times.astype(float)) == pytest.approx(repeated)
    low, high = average_precision_interval(labels, scores, np.arange(400) // 4)
    assert low < average_precision(labels, scores) < high


def test_the_interval_of_a_difference_pairs_the_resamples():
    rng = np.random.default_rng(3)
    labels = (rng.random(400) < 0.1).astype(np.int8)
    scores, customers = rng.random(400) + 0.3 * labels, np.arange(400) // 4
    same = average_precision_interval(labels, scores, customers, against=scores)
    assert same == (0.0, 0.0)
    worse = scores + 0.2 * rng.random(400)
    low, high = average_precision_interval(labels, scores, customers, against=worse)
    each = [average_precision_interval(labels, s, customers) for s in (scores, worse)]
    change = average_precision(labels, scores) - average_precision(labels, worse)
    assert low < change < high
    assert high - low < min(top - bottom for bottom, top in each)  # what is hard for both cancels
