"""A user's own payments: their columns are used, what they lack is not made up, all by flags."""

from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from planted_payments import NAMES, QUICK, config, fit, shop

import data
from common import artifacts
from common.serving import RequestError
from data.files import transactions_from_csv
from patterns.fraud import train
from patterns.fraud.config import Config
from patterns.fraud.data import load, split
from patterns.fraud.entities.payment import Payment
from patterns.fraud.evaluation.latency import last_payments
from patterns.fraud.pipeline import Pipeline
from patterns.fraud.serve import FraudService, request_model
from patterns.fraud.stages.features.columns import frequent
from patterns.fraud.stages.features.definition import FeatureSet, standard
from patterns.fraud.stages.features.stream import FeatureStream
from patterns.fraud.stages.features.windows import compute
from patterns.fraud.stages.models.logistic import LEVELS, LogisticModel
from patterns.fraud.stages.models.xgboost import BoostedTrees
from patterns.fraud.stages.variants import LOGISTIC, RULES

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


def test_a_column_that_knows_the_answer_is_told(tmp_path):
    code = pl.when(pl.col("fraud") == 1).then(pl.lit("C4")).otherwise(pl.lit(""))
    frame = shop().with_columns(code.alias("chargeback"), (2.0 - pl.col("fraud")).alias("checked"))
    settings = config(tmp_path, frame)
    splits = split(load(settings), settings)
    pipeline = Pipeline.from_config(settings, splits).fit_features(splits)
    told = " ".join(pipeline.notices)
    assert "Column 'chargeback' alone" in told and "Column 'checked' alone" in told
    assert "'kind'" not in told and "'age'" not in told


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


# ---------------------------------------------------------------- refunds, few terminals


def test_refunds_are_taken_by_the_service_if_the_table_has_them(tmp_path):
    frame = shop().with_columns(
        pl.when(pl.col("reference") % 3 == 0).then(-5).otherwise(pl.col("value")).alias("value")
    )
    pipeline, splits = fit(config(tmp_path, frame))
    assert splits.frame["amount"].min() == -5 and splits.test.amounts.min() == 0
    assert (
        request_model(pipeline.features).model_json_schema()["properties"]["amount"]["minimum"]
        == -1e9
    )
    assert (
        request_model(standard(columns={"amount"})).model_json_schema()["properties"]["amount"][
            "minimum"
        ]
        == 0
    )
    assert FeatureSet.from_dict(pipeline.features.to_dict()) == pipeline.features


def test_a_few_terminals_of_many_payments_are_cases_of_their_own(tmp_path):
    frame = shop().with_columns(pl.col("shop").replace({f"s{n}": "s0" for n in range(1, 15)}))
    pipeline, splits = fit(config(tmp_path, frame))
    named = {category.column: category.values for category in pipeline.features.categories}
    assert named["terminal"] == ("s0",)  # the others have too few payments
    assert "terminal" not in splits.categories
    (tmp_path / "saved").mkdir()
    pipeline.save(tmp_path / "saved")
    service = FraudService(SimpleNamespace(version="1", pipeline=tmp_path / "saved"))
    assert "terminal" not in service.Request.model_json_schema()["properties"]
    position = pipeline.features.names.index("terminal")
    for name, code in (("s0", 1), ("s20", 0), ("new", 0)):
        request = service.Request.model_validate(service.example | {"terminal_id": name})
        payment = service._payment(request, 0)
        assert service.pipeline.score([payment], record=False)[0][0, position] == code
    many = config(tmp_path, shop().with_columns(shop=pl.col("reference").cast(pl.String)))
    assert "terminal" not in load(many).frame.columns


def test_what_is_served_instead_of_trees_is_said(tmp_path):
    pipeline, _ = fit(config(tmp_path, shop()))
    assert not any("is served, not" in each for each in pipeline.notices)
    choice = pipeline.choice
    choice.judged_ = {name: replace(each, ap=(0.1,)) for name, each in choice.judged_.items()}
    saved = {policy: (1.0,) for policy in choice.policies}
    choice.judged_[LOGISTIC] = replace(choice.judged_[LOGISTIC], ap=(0.9,), saved=saved)
    served, said = choice.settle(pipeline.variants)
    assert served.name == LOGISTIC
    assert said.startswith("logistic regression is served, not XGBoost: the mean of AP and money")
