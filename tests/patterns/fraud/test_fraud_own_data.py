"""A user's own payments: their columns are used, what they lack is not made up, all by flags."""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

import data
from common import artifacts
from common.serving import RequestError
from data.files import transactions_from_csv
from patterns.fraud import train
from patterns.fraud.config import Config, DataOptions, DecisionOptions, ModelOptions, SplitOptions
from patterns.fraud.data import load, split
from patterns.fraud.entities.payment import DAY, Payment
from patterns.fraud.evaluation.choice import choice
from patterns.fraud.evaluation.latency import last_payments
from patterns.fraud.pipeline import LOGISTIC, RULES, Pipeline
from patterns.fraud.serve import FraudService
from patterns.fraud.stages.choice import make_folds
from patterns.fraud.stages.features.definition import frequent, standard
from patterns.fraud.stages.features.stream import FeatureStream
from patterns.fraud.stages.features.windows import compute
from patterns.fraud.stages.models.logistic import LEVELS, LogisticModel
from patterns.fraud.stages.models.xgboost import BoostedTrees

QUICK = ModelOptions(trees=15, depth=3, learning_rate=0.3, bins=64, threads=1, imbalance="none")


def shop(rows=3_000, days=40, seed=0):
    """Payments whose kind decides nearly all: gifts are fraud, and so are low ages of accounts."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["food", "travel", "gift", "rent"], rows, p=[0.5, 0.3, 0.1, 0.1])
    age = np.where(rng.random(rows) < 0.3, np.nan, rng.uniform(0, 100, rows).round(1))
    fraud = (kind == "gift") & (np.nan_to_num(age, nan=0) < 60)
    times = np.sort(rng.integers(0, days * DAY, rows)) + 1_600_000_000
    return pl.DataFrame(
        {
            "when": times,
            "card": [f"c{n}" for n in rng.integers(0, 60, rows)],
            "shop": [f"s{n}" for n in rng.integers(0, 30, rows)],
            "value": rng.gamma(2, 30, rows).round(2),
            "kind": kind,
            "age": age,
            "reference": np.arange(rows) * 7 + 5,
            "country": ["NL"] * rows,
            "fraud": fraud.astype(int),
        }
    ).with_columns(pl.col("age").fill_nan(None))


NAMES = {"time": "when", "customer": "card", "terminal": "shop", "amount": "value"}


def config(folder, frame=None, **options):
    if frame is not None:
        frame.write_csv(folder / "own.csv")
        options["path"] = folder / "own.csv"
    options = {**NAMES, "label": "fraud", **options}
    return Config(
        dataset="csv", runs=folder / "runs", data=DataOptions(**options), model=QUICK,
        decision=DecisionOptions(alerts=5),
    )  # fmt: skip


def fit(settings):
    splits = split(load(settings), settings)
    pipeline = Pipeline.from_config(settings, splits).fit_features(splits)
    pipeline.fit_choice(splits).fit_rules(splits).fit_models(splits)
    return pipeline.fit_state(splits), splits


# ---------------------------------------------------------------- further columns


def test_further_columns_are_found_by_their_values_and_said(tmp_path):
    table = load(config(tmp_path, shop()))
    assert table.numbers == ("age",) and table.categories == ("kind",)
    assert table.frame["age"].dtype == pl.Float64 and table.frame["age"].null_count() > 500
    assert "numbers 'age'; categories 'kind'" in table.source.notice
    assert "'reference' (nearly every value differs)" in table.source.notice
    assert "'country' (one value in all rows)" in table.source.notice


def test_further_columns_given_by_name(tmp_path):
    given = config(tmp_path, shop(), numbers=("reference",), categories=("age",))
    table = load(given)
    assert table.numbers == ("reference",) and table.categories == ("age",)
    assert "'kind' (not asked for)" in table.source.notice
    none = load(config(tmp_path, numbers=("none",), categories=("none",), path=given.data.path))
    assert none.numbers == none.categories == ()
    for options, message in (
        ({"numbers": ("kind",)}, r"row 2: column 'kind' holds .*--data\.categories"),
        ({"categories": ("colour",)}, r"'colour', given by --data\.categories, is no column"),
        ({"numbers": ("value",)}, r"'value', given by --data\.numbers, has a role already"),
    ):
        with pytest.raises(ValueError, match=message):
            load(config(tmp_path, path=given.data.path, **options))


def test_a_column_named_as_one_of_ours_is_kept_under_a_name_of_its_own(tmp_path):
    frame = shop().with_columns(pl.lit("x").alias("amount") + pl.col("kind"))
    frame = frame.with_columns(pl.col("age").alias("hour"))
    settings = config(tmp_path, frame)
    table = load(settings)
    assert table.categories == ("kind", "amount (column)") and "hour" in table.numbers
    assert table.frame["amount"].dtype == pl.Float64
    names = Pipeline.from_config(settings, split(table, settings)).features.names
    assert "hour" in names and "hour (column)" in names


def test_models_use_them_and_rules_alone_do_not_find_them(tmp_path):
    from common.evaluation.classification import average_precision

    pipeline, splits = fit(config(tmp_path, shop()))
    scores = {
        name: average_precision(splits.test.labels, v.model.predict(pipeline.inputs_.test))
        for name, v in pipeline.variants.items()
    }
    assert scores["XGBoost"] > 0.95 > 0.4 > scores[RULES]
    assert scores[LOGISTIC] > 0.6
    assert "XGBoost, SMOTE" not in scores  # nothing lies between two categories
    with pytest.raises(ValueError, match="smote cannot interpolate"):
        smote = replace(config(tmp_path, shop()), model=replace(QUICK, imbalance="smote"))
        Pipeline.from_config(smote, splits)


def test_stream_equals_batch_with_further_columns_to_the_bit(tmp_path):
    pipeline, splits = fit(config(tmp_path, shop()))
    batch = compute(pipeline.features, splits.frame, start=splits.start)
    stream = FeatureStream(pipeline.features, start=splits.start)
    labels = splits.frame["is_fraud"].to_list()
    payments = last_payments(splits, splits.frame.height)
    streamed = np.stack(
        [
            stream.update(replace(payment, label=label))
            for payment, label in zip(payments, labels, strict=True)
        ]
    )
    assert np.array_equal(batch, streamed, equal_nan=True) and np.isnan(batch).any()
    pipeline.save(tmp_path)
    loaded = Pipeline.load(tmp_path)
    assert loaded.features == pipeline.features and loaded.example_ == pipeline.example_
    features = pipeline.inputs_.test
    found, expected = (p.decide(features, splits.test.amounts) for p in (loaded, pipeline))
    assert np.allclose(found.probabilities, expected.probabilities, rtol=1e-6)


def test_codes_are_of_training_values_alone_and_rare_or_new_ones_are_zero():
    values = pl.Series("kind", ["b"] * 12 + ["a"] * 12 + ["c"] * 20 + ["rare"] * 3)
    assert frequent(values) == ("c", "a", "b") and frequent(values, most=1) == ("c",)
    features = standard(columns=set(), categories={"kind": ("c", "a")}, numbers=("age",))
    assert features.names == ("age", "kind") and features.codes == (1,)
    frame = pl.DataFrame({"kind": ["a", "new", "c", ""], "age": [1.0, None, 3.0, 4.0]})
    found = compute(features, frame, start=date(2020, 1, 1))
    assert found[:, 1].tolist() == [2, 0, 1, 0] and np.isnan(found[1, 0])
    stream = FeatureStream(features, start=date(2020, 1, 1))
    for row, expected in zip(frame.iter_rows(named=True), found, strict=True):
        assert np.array_equal(stream.peek(Payment(0, extras=row)), expected, equal_nan=True)


@pytest.mark.parametrize("make", [LogisticModel, lambda **k: BoostedTrees(trees=40, **k)])
def test_models_take_codes_and_missing_numbers(make, tmp_path):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, LEVELS + 20, 4_000)
    number = np.where(rng.random(4_000) < 0.4, np.nan, rng.normal(size=4_000))
    labels = (np.isin(codes, (3, 17)) | (np.isnan(number) & (codes == 5))).astype(np.int8)
    features = np.stack([number, codes], axis=1).astype(np.float32)
    model = make(codes=(1,)).fit((features, labels))
    scores = model.predict(features)
    assert scores[np.isin(codes, (3, 17))].min() > scores[~np.isin(codes, (3, 17, 5))].max()
    added = model.contributions(features)
    assert added.shape == features.shape and np.isfinite(added).all()
    assert np.abs(added[:, 1]).mean() > np.abs(added[:, 0]).mean()
    model.save(tmp_path)
    assert np.array_equal(type(model).load(tmp_path).predict(features), scores)


# ---------------------------------------------------------------- what is absent


ABSENT = {
    "no time": {"time": "none"},
    "no customer": {"customer": "none"},
    "no terminal": {"terminal": "none"},
    "no ids": {"customer": "none", "terminal": "none"},
    "no amount": {"amount": "none"},
    "nothing but numbers": dict.fromkeys(("time", "customer", "terminal", "amount"), "none"),
}


@pytest.mark.parametrize("absent", ABSENT)
def test_what_is_absent_is_not_made_up(tmp_path, absent):
    options = ABSENT[absent]
    columns = [NAMES[role] for role in options]
    settings = config(tmp_path, shop(rows=1_500).drop(columns), **options)
    path = train.main(replace(settings, model=replace(QUICK, trees=4)))
    run = artifacts.open_run(path, name="fraud", runs=settings.runs)
    report = (path / "metrics.json").read_text()
    service = FraudService(run)
    names = " ".join(service.pipeline.features.names)
    gone = {"time": "hour", "customer": "customer", "terminal": "terminal", "amount": "amount"}
    for role in options:
        assert gone[role] not in names
    assert ("saved" in report) == ("amount" not in options)
    assert ("CP@5" in report) == (not {"time", "customer"} & set(options))
    assert ("cut by chance" in report) == ("time" in options)
    assert "scenario" not in report
    assert set(service.example) == set(service.Request.model_json_schema()["properties"]) - {
        "transaction_id", "confirmed"
    }  # fmt: skip
    answer = service.predict([service.Request.model_validate(service.example)])[0]
    assert 0 <= answer.score <= 1
    assert (answer.known_customer is None) == bool({"time", "customer"} & set(options))


def test_default_names_that_are_absent_are_told_with_their_flags(tmp_path):
    with pytest.raises(ValueError) as refused:
        load(config(tmp_path, shop(), customer="customer_id", amount="amount"))
    said = str(refused.value)
    assert "no column 'customer_id' (--data.customer)" in said and "(--data.amount)" in said
    assert "'card'" in said and "or none where there is no such column" in said


def test_a_counter_has_no_weekend_and_windows_count(tmp_path):
    frame = shop().with_columns((pl.col("when") - 1_600_000_000) // 3600)
    settings = config(tmp_path, frame, time_unit="hours")
    table = load(settings)
    assert not table.calendar and table.source.rows.endswith("days")
    pipeline = Pipeline.from_config(settings, split(table, settings))
    assert {"hour", "customer_count_1d"} <= set(pipeline.features.names)
    assert not {"weekend", "night"} & set(pipeline.features.names)


def test_devices_get_windows_where_they_are_named(tmp_path):
    settings = config(tmp_path, shop().with_columns(pl.col("shop").alias("phone")), device="phone")
    pipeline, splits = fit(settings)
    assert "device_count_7d" in pipeline.features.names
    assert splits.frame["device_id"].n_unique() == 30


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


def test_the_highest_value_over_the_folds_is_served_baselines_included(tmp_path):
    pipeline, _ = fit(config(tmp_path, shop()))
    value = {name: each.value for name, each in pipeline.judged_.items()}
    assert set(value) == {RULES, LOGISTIC, "XGBoost"}
    assert pipeline.served_.name == max(value, key=value.__getitem__) == "XGBoost"
    rows = {row.name: row.values for row in choice(pipeline).rows}
    assert rows["XGBoost (served)"]["value"] == value["XGBoost"]


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


# ---------------------------------------------------------------- weights and the service


def test_weights_count_in_costs_and_figures(tmp_path):
    frame = shop().with_columns(pl.when(pl.col("fraud") == 1).then(1.0).otherwise(9.0).alias("w"))
    pipeline, splits = fit(config(tmp_path, frame, weight="w"))
    assert splits.frame.columns.count("weight") == 1 and "w" not in pipeline.features.names
    probabilities = pipeline.variants["XGBoost"].probabilities(pipeline.inputs_.valid)
    mean = np.average(probabilities, weights=splits.valid.weights)
    assert mean == pytest.approx(splits.valid.fraud_share, rel=0.1)
    assert splits.valid.fraud_share < 0.4 * splits.valid.labels.mean()


def test_the_service_asks_for_the_columns_of_its_run(tmp_path):
    settings = config(tmp_path, shop())
    path = train.main(replace(settings, model=replace(QUICK, serve="xgboost")))
    service = FraudService(artifacts.open_run(path, name="fraud", runs=settings.runs))
    schema = service.Request.model_json_schema()
    assert "kind" in schema["required"] and "age" not in schema["required"]
    last = shop()[-1].row(0, named=True)
    assert service.example["customer_id"] == last["card"]
    assert service.example["amount"] == last["value"] and service.example["kind"] == last["kind"]

    def ask(**changes):
        request = service.Request.model_validate({**service.example, **changes})
        return service.predict([request])[0]

    gift, food = (ask(kind=kind, age=10.0) for kind in ("gift", "food"))
    assert gift.score > 0.5 > food.score and ask(kind="never seen").score < 0.5
    assert any(reason.text == "kind is gift" for reason in gift.reasons)
    assert 0 <= ask(kind="gift", age=None).score <= 1
    for change in ({"kind": None}, {"age": "old"}, {"colour": "red"}):
        with pytest.raises(ValueError):
            ask(**change)
    with pytest.raises(RequestError, match="in the future"):
        ask(time="9999-01-01T00:00:00Z")
    logged = service.log_record(service.Request.model_validate(service.example), gift)
    assert logged["request"]["kind"] == last["kind"]


def test_no_column_of_a_simulator_is_needed():
    world = data.load("simulated-transactions", customers=200, terminals=200, days=60)
    lifted = replace(world, frame=world.frame.drop("scenario", "account_opened", "device_id"))
    settings = Config(dataset="simulated-transactions", model=QUICK)
    splits = split(lifted, settings)
    assert splits.train.scenarios is None
    pipeline = Pipeline.from_config(settings, splits).fit_features(splits)
    pipeline.fit_rules(splits).fit_models(splits)
    assert pipeline.fit_state(splits).served_ is not None


def test_one_file_is_read_without_options(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("time,customer_id,terminal_id,amount,is_fraud\n2024-03-01,a,t,1,\n")
    table = transactions_from_csv(path)
    assert table.frame["is_fraud"].to_list() == [-1]
