"""A user's own payments: labels, the parts they are cut into, and which model is chosen."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from planted_payments import QUICK, config, fit, shop

from common.units import DAY
from patterns.fraud.config import DecisionOptions, SplitOptions
from patterns.fraud.data import load, split
from patterns.fraud.entities.payments import Payments
from patterns.fraud.evaluation.choice import choice
from patterns.fraud.stages.choice import Judgement
from patterns.fraud.stages.decision import POLICIES
from patterns.fraud.stages.features.windows import compute
from patterns.fraud.stages.folds import make_folds
from patterns.fraud.stages.variants import LOGISTIC, RULES

# ---------------------------------------------------------------- labels


def test_labels_in_words_and_payments_without_a_label(tmp_path):
    words = pl.when(pl.col("fraud") == 1).then(pl.lit("Fraud")).otherwise(pl.lit("legit"))
    unknown = pl.int_range(pl.len()) % 10 == 0
    frame = shop().with_columns(pl.when(unknown).then(pl.lit("")).otherwise(words).alias("fraud"))
    settings = config(tmp_path, frame)
    pipeline, splits = fit(settings)
    assert splits.frame.height == 3_000
    rows = np.concatenate([part.rows for part in (splits.train, splits.valid, splits.test)])
    assert not np.any(rows % 10 == 0) and len(rows) == 2_700
    assert any("300 of 3,000 payments have no label" in text for text in splits.notices)
    full = compute(pipeline.features, split(load(config(tmp_path, shop())), settings).frame,
                   start=splits.start)  # fmt: skip
    count = pipeline.features.names.index("customer_count_30d")
    assert np.array_equal(full[splits.test.rows, count], pipeline.inputs_.test[:, count])


def test_other_labels_need_the_value_of_fraud(tmp_path):
    frame = shop().with_columns(pl.col("fraud").replace_strict({0: "A", 1: "B"}))
    with pytest.raises(ValueError, match=r"row 2: column 'fraud' holds .*--data\.fraud-value"):
        load(config(tmp_path, frame))
    table = load(config(tmp_path, frame, fraud_value="B"))
    assert int(table.frame["is_fraud"].sum()) == int(shop()["fraud"].sum())
    with pytest.raises(ValueError, match=r"no row of column 'fraud' holds 'C'"):
        load(config(tmp_path, frame, fraud_value="C"))
    settings = config(tmp_path, frame, fraud_value="B")
    genuine = replace(table, frame=table.frame.with_columns(is_fraud=pl.lit(1, dtype=pl.Int8)))
    with pytest.raises(ValueError, match="every labelled payment is fraud"):
        split(genuine, settings)


# ---------------------------------------------------------------- splits


def test_parts_that_are_given_are_kept(tmp_path):
    frame = shop()
    frame[:2_000].write_csv(tmp_path / "train.csv")
    frame[2_000:].write_csv(tmp_path / "test.csv")
    files = {"train": tmp_path / "train.csv", "test": tmp_path / "test.csv"}
    splits = split(load(config(tmp_path, **files)), config(tmp_path, **files))
    assert len(splits.test) == 1_000 and len(splits.train) + len(splits.valid) == 2_000
    assert splits.test.rows.min() > splits.valid.rows.min() > splits.train.rows.max() - 1
    assert any("the last 19% of the training payments" in text for text in splits.notices)
    swapped = {"train": files["test"], "test": files["train"], "valid": files["test"]}
    splits = split(load(config(tmp_path, **swapped)), config(tmp_path, **swapped))
    assert any("overlap in time" in text for text in splits.notices)


def test_fewer_days_than_the_parts_need_are_cut_by_shares(tmp_path):
    splits = split(load(config(tmp_path, shop())), config(tmp_path, shop()))
    assert len(splits.train) + len(splits.valid) + len(splits.test) == 3_000
    assert "cover 40.0 days" in splits.notices[0] and "no wait for labels" in splits.notices[0]
    longer = config(tmp_path, shop(days=80))
    splits = split(load(longer), longer)
    assert "a wait of 7 days" in splits.notices[0]
    assert splits.train.times.max() + 7 * DAY <= splits.valid.times.min()
    assert splits.valid.times.max() + 7 * DAY <= splits.test.times.min()
    assert len(splits.valid) > 200


def test_all_days_are_used_where_there_are_enough_and_else_it_is_said(tmp_path):
    settings = config(tmp_path, shop(rows=6_000, days=200))
    table = load(settings)
    splits = split(table, settings)
    assert splits.train.days.min() == 0 and not splits.notices
    fewer = replace(settings, split=SplitOptions(train_days=60))
    splits = split(table, fewer)
    assert np.ptp(splits.train.days) == 59 and "only fill the windows" in splits.notices[0]


def test_a_share_of_fraud_that_moves_is_said(tmp_path):
    frame = shop()
    late = pl.int_range(pl.len()) > 2_400
    more = pl.when(late & (pl.col("kind") == "food")).then(1).otherwise("fraud").alias("fraud")
    settings = config(tmp_path, frame.with_columns(more))
    assert "share of fraud moves" in split(load(settings), settings).notices[-1]


# ---------------------------------------------------------------- choice


def test_folds_go_forward_in_time_and_wait_for_labels():
    times, labels = np.arange(1_000), np.arange(1_000) % 10 == 0
    folds = make_folds(labels.astype(np.int8), times, count=3, delay=20)
    assert len(folds) == 3
    for fold in folds:
        assert fold.train.max() + 20 < fold.tune.min() and fold.tune.max() < fold.judge.min()
        assert fold.judge.max() == 999
    assert [len(fold.train) for fold in folds] == sorted(len(fold.train) for fold in folds)
    chance = make_folds(labels.astype(np.int8), None, count=3, delay=20)
    assert len(chance) == 3
    assert all(len(np.intersect1d(fold.train, fold.judge)) == 0 for fold in chance)
    assert make_folds(np.zeros(1_000, np.int8), times, count=3, delay=20) == []


def test_parts_are_joined_and_what_either_lacks_is_none():
    labels, amounts = np.array([0, 1], np.int8), np.array([5.0, 7.0])
    first = Payments(rows=np.array([3, 4]), labels=labels, amounts=amounts, days=np.array([1, 2]))
    both = first.followed_by(Payments(rows=np.array([9, 8]), labels=labels, amounts=amounts + 1))
    assert both.rows.tolist() == [3, 4, 9, 8] and both.amounts.tolist() == [5, 7, 6, 8]
    assert both.days is None and both.weights is None
    taken = both.take(np.array([2, 0]))
    assert taken.rows.tolist() == [9, 3] and taken.amounts.tolist() == [6, 5]
    assert taken.labels.tolist() == [0, 0] and taken.days is None


def test_the_highest_value_over_the_folds_is_served_baselines_included(tmp_path):
    pipeline, _ = fit(config(tmp_path, shop()))
    value = {name: each.value for name, each in pipeline.choice.judged_.items()}
    assert set(value) == {RULES, LOGISTIC, "XGBoost"}
    assert pipeline.served_.name == max(value, key=value.__getitem__) == "XGBoost"
    rows = {row.name: row.values for row in choice(pipeline).rows}
    assert rows["XGBoost"]["value"] == value["XGBoost"]
    assert [name for name, cells in rows.items() if cells["served"] == "yes"] == ["XGBoost"]


def test_the_policy_that_saves_most_over_the_folds_is_served(tmp_path):
    judged = Judgement((0.5, 0.7), {"threshold": (0.1, 0.2), "expected-loss": (-9.0, 1.0)})
    assert judged.policy == "threshold" and judged.value == pytest.approx((0.6 + 0.15) / 2)
    assert replace(judged, saved={}).policy is None and replace(judged, saved={}).value == 0.6
    pipeline, _ = fit(config(tmp_path, shop()))
    served = pipeline.choice.judged_[pipeline.served_.name]
    assert set(served.saved) == set(POLICIES) and len(served.saved["threshold"]) == 3
    assert {v.decision.policy for v in pipeline.variants.values()} == {served.policy}
    for policy in POLICIES:
        settings = config(tmp_path, shop())
        settings = replace(settings, decision=DecisionOptions(policy=policy))
        settings = replace(settings, model=replace(QUICK, serve="logistic"))
        given, _ = fit(settings)
        assert given.served_.decision.policy == policy and not given.choice.judged_


def test_rules_can_be_served_and_rules_that_help_nobody_are_no_fallback(tmp_path):
    frame = shop().with_columns(
        pl.when(pl.col("fraud") == 1).then(10_000.0).otherwise("value").alias("value")
    )
    settings = config(tmp_path, frame.drop("kind", "age"))
    rules = replace(settings, model=replace(QUICK, serve="rules"))
    pipeline, splits = fit(rules)
    assert pipeline.served_.name == pipeline.fallback_.name == RULES
    assert pipeline.reasons(pipeline.inputs_.test[:2]) == [[], []]
    dear = replace(config(tmp_path, shop()), decision=DecisionOptions(false_positive_cost=0.0))
    pipeline, splits = fit(dear)
    assert pipeline.fallback_.name == LOGISTIC
    said = [text for text in pipeline.notices if text.startswith("The rules decline 100%")]
    assert said and "logistic regression answers when XGBoost fails" in said[0]
    pipeline.served_.model.booster_ = None
    assert pipeline.decide(pipeline.inputs_.test[:3], splits.test.amounts[:3]).by == LOGISTIC
