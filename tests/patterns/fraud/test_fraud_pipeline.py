"""The whole pipeline on a small world: leakage, artifact, batch and stream, service, errors."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

import data
from common import artifacts
from common.serving import RequestError
from patterns.fraud import protocols, train
from patterns.fraud.config import (
    Config,
    DataOptions,
    DecisionOptions,
    ModelOptions,
    SplitOptions,
    WorldOptions,
)
from patterns.fraud.data import load, split
from patterns.fraud.evaluate import last_payments
from patterns.fraud.pipeline import RULES, Pipeline
from patterns.fraud.stages.features.definition import DAY
from patterns.fraud.stages.features.stream import FeatureStream

SMALL = Config(
    dataset="simulated-transactions",
    world=WorldOptions(customers=250, terminals=300, days=90),
    split=SplitOptions(train_days=35, valid_days=14, test_days=10),
    model=ModelOptions(trees=25, depth=4, learning_rate=0.3, threads=1),
    decision=DecisionOptions(alerts=5),
)


@pytest.fixture(scope="module")
def table():
    return load(SMALL)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    path = train.main(replace(SMALL, runs=runs))
    return artifacts.open_run(path, name="fraud", runs=runs)


@pytest.fixture(scope="module")
def fitted(table):
    return fit(table)


def fit(table):
    splits = split(table, SMALL.split)
    pipeline = Pipeline.from_config(SMALL, splits.frame.columns)
    parts = pipeline.prepare(splits)
    pipeline.fit_rules(parts.train, parts.valid)
    pipeline.fit_models(parts.train, parts.valid)
    pipeline.remember(splits)
    return pipeline, splits, parts


# ---------------------------------------------------------------- time and leakage


def test_no_training_time_is_after_a_test_time_and_the_labels_have_arrived(table):
    splits = split(table, SMALL.split)
    times = splits.frame["time_seconds"].to_numpy()
    delay = SMALL.split.label_delay_days * DAY
    for earlier, later in ((splits.train, splits.valid), (splits.valid, splits.test)):
        assert times[earlier].max() + delay <= times[later].min()
    assert len(np.intersect1d(splits.train, splits.test)) == 0


def test_garbled_test_labels_leave_the_model_unchanged(table, fitted):
    pipeline, splits, parts = fitted
    garbled = splits.frame["is_fraud"].to_numpy().copy()
    garbled[splits.test] = np.random.default_rng(0).integers(0, 2, len(splits.test))
    other = replace(table, frame=table.frame.with_columns(pl.Series("is_fraud", garbled)))
    again, _, again_parts = fit(other)
    assert np.array_equal(again_parts.train.features, parts.train.features)
    assert again.served.name == pipeline.served.name
    assert again.served.decision.threshold_ == pipeline.served.decision.threshold_
    for name, kind in (("XGBoost", "ubj"), ("XGBoost, SMOTE", "ubj")):
        first, second = (p.variants[name].model.booster_ for p in (pipeline, again))
        assert first.save_raw(kind) == second.save_raw(kind)
    first, second = (p.variants["logistic regression"].model for p in (pipeline, again))
    assert np.array_equal(first.weights_, second.weights_)


def test_features_never_read_a_label_younger_than_the_delay(table, fitted):
    _, splits, parts = fitted
    last = int(splits.frame["day"].max())
    young = pl.col("day") > last - SMALL.split.label_delay_days
    garbled = table.frame.with_columns(
        pl.when(young).then(1 - pl.col("is_fraud")).otherwise("is_fraud").alias("is_fraud")
    )
    pipeline = Pipeline.from_config(SMALL, garbled.columns)
    again = pipeline.prepare(replace(splits, frame=garbled))
    assert np.array_equal(again.test.features, parts.test.features)


# ---------------------------------------------------------------- quality on planted truth


def test_the_model_beats_the_rules_and_the_rules_beat_chance(fitted):
    from common.evaluation.classification import average_precision

    pipeline, _, parts = fitted
    ap = {
        name: average_precision(parts.test.labels, v.model.predict(parts.test.features))
        for name, v in pipeline.variants.items()
    }
    assert ap[pipeline.served.name] > ap[RULES] > 5 * parts.test.labels.mean()


def test_rebalanced_scores_are_inflated_and_calibration_brings_them_back(fitted):
    pipeline, _, parts = fitted
    rate = parts.test.labels.mean()
    for name in ("XGBoost, class weight", "XGBoost, undersampling"):
        variant = pipeline.variants[name]
        raw = variant.model.predict(parts.test.features).mean() / rate
        true = variant.probabilities(parts.test.features).mean() / rate
        assert raw > 3 and 0.4 < true < 2


# ---------------------------------------------------------------- artifact


def test_report_holds_the_headline_the_latency_and_the_pictures(run):
    metrics = json.loads((run.path / "metrics.json").read_text())
    headline = metrics["tables"][0]
    assert headline["rows"][0]["baseline"] and headline["rows"][0]["name"] == "rules"
    assert {t["name"] for t in metrics["tables"]} >= {"decisions", "imbalance", "slices", "windows"}
    assert [stage["stage"] for stage in metrics["latency"]][-1] == "all"
    assert len(metrics["figures"]) >= 4
    assert not list(run.path.rglob("*.pkl")) and (run.path / "profile.json").is_file()


def test_save_and_load_give_equal_answers_and_the_stream_goes_on(fitted, tmp_path):
    pipeline, splits, parts = fitted
    pipeline.save(tmp_path)
    loaded = Pipeline.load(tmp_path)
    features, amounts = parts.test.features, parts.test.amounts
    ours, theirs = (p.decide(features, amounts) for p in (pipeline, loaded))
    assert np.allclose(ours.probabilities, theirs.probabilities, rtol=1e-6)
    assert np.array_equal(ours.declined, theirs.declined) and ours.fallback is None
    upcoming = [replace(p, time_seconds=p.time_seconds + DAY) for p in last_payments(splits, 50)]
    for payment in upcoming:
        assert np.array_equal(loaded.score([payment])[0], pipeline.stream.update(payment)[None])


def test_stream_scores_equal_batch_scores(fitted):
    pipeline, splits, parts = fitted
    first = int(splits.test[0])
    pipeline.stream = FeatureStream.from_frame(
        pipeline.features, splits.frame[:first], start=splits.start
    )
    payments = last_payments(splits, splits.frame.height - first)
    labels = splits.frame["is_fraud"].to_list()[first:]
    payments = [replace(p, label=label) for p, label in zip(payments, labels, strict=True)]
    features, scores = pipeline.score(payments)
    assert np.array_equal(features, parts.test.features)
    batch = pipeline.decide(parts.test.features, parts.test.amounts)
    assert np.array_equal(scores.probabilities, batch.probabilities)
    pipeline.remember(splits)


def test_rules_answer_when_the_model_fails(fitted):
    pipeline, _, parts = fitted
    features, amounts = parts.test.features[:50], parts.test.amounts[:50]

    class Broken:
        def predict(self, features):
            raise RuntimeError("out of memory")

    class Absurd:
        def predict(self, features):
            return np.full(len(features), np.nan)

    good = pipeline.served
    try:
        for model, reason in ((Broken(), "out of memory"), (Absurd(), "no probability")):
            pipeline.served = replace(good, model=model)
            answer = pipeline.decide(features, amounts)
            assert answer.by == RULES and reason in answer.fallback
            expected = pipeline.rules.probabilities(features)
            assert np.array_equal(answer.probabilities, expected)
    finally:
        pipeline.served = good


# ---------------------------------------------------------------- service


@pytest.fixture
def service(run):
    from patterns.fraud.serve import FraudService

    return FraudService(run)


def ask(service, **changes):
    request = service.Request.model_validate({**service.example, "record": True, **changes})
    return service.predict([request])[0]


def test_service_scores_a_known_customer_with_reasons(service):
    answer = ask(service)
    assert answer.known_customer and answer.known_terminal and answer.fallback is None
    assert 0 <= answer.score <= 1 and answer.reasons
    assert answer.decision in ("approve", "decline")
    assert any(reason.code == "AMOUNT_LIMIT" for reason in answer.reasons)


def test_service_scores_an_unknown_customer_and_then_knows_it(service):
    first = ask(service, customer_id=10**6, terminal_id=10**6, amount=20.0)
    assert not first.known_customer and not first.known_terminal
    again = ask(service, customer_id=10**6, terminal_id=10**6, amount=20.0)
    assert again.known_customer and again.known_terminal


def test_retry_gets_the_same_answer_and_what_if_leaves_no_trace(service):
    calm = ask(service, amount=5.0, record=False)
    first = ask(service, amount=5.0, transaction_id=10**7)
    assert first.score == calm.score
    assert ask(service, amount=5.0, transaction_id=10**7) == first  # a retry
    with pytest.raises(ValueError, match="another payment had this id"):
        ask(service, amount=6.0, transaction_id=10**7)
    count = service.pipeline.features.names.index("customer_count_1h")
    customer = service._payment(service.Request.model_validate(service.example), 0)
    assert service.pipeline.stream.peek(customer)[count] == 2


def test_confirmed_frauds_raise_the_risk_of_their_terminal(service):
    start = service.zero + timedelta(seconds=service.pipeline.stream.latest_time())
    shop = {"terminal_id": 10**6, "amount": 20.0}
    for number in range(3):
        when = (start + timedelta(minutes=number + 1)).isoformat()
        ask(service, **shop, customer_id=10**6, transaction_id=10**7 + number, time=when)
    later = {**shop, "customer_id": 10**6, "time": (start + timedelta(days=8)).isoformat()}
    before = ask(service, **later)
    known = [{"transaction_id": 10**7 + i, "terminal_id": 10**6} for i in range(3)]
    ask(service, **later, confirmed=known, record=False)  # a what-if changes nothing
    assert ask(service, **later, record=False).score <= before.score * 1.5
    after = ask(service, **later, confirmed=known)
    assert after.score > 3 * before.score
    assert any(reason.code == "TERMINAL_RISK" for reason in after.reasons)


def test_nothing_of_a_refused_batch_counts(service):
    sound = {**service.example, "record": True}
    wrong = {**sound, "confirmed": [{"transaction_id": 5, "terminal_id": "abc"}]}
    requests = [service.Request.model_validate(each) for each in (sound, wrong)]
    payment = service._payment(requests[0], 0)
    before = service.pipeline.stream.peek(payment)
    with pytest.raises(RequestError) as refused:
        service.predict(requests)
    assert refused.value.row == 1 and refused.value.field == "confirmed[0].terminal_id"
    assert np.array_equal(service.pipeline.stream.peek(payment), before, equal_nan=True)


def test_a_time_in_the_future_is_refused_and_moves_no_clock(service):
    latest = service.pipeline.stream.latest_time()
    with pytest.raises(RequestError, match="in the future"):
        ask(service, time="9999-01-01T00:00:00Z")
    assert service.pipeline.stream.latest_time() == latest


def test_batch_is_a_sequence(run):
    from patterns.fraud.serve import FraudService

    one, other = FraudService(run), FraudService(run)
    requests = [
        one.Request.model_validate({**one.example, "record": True, "amount": 40.0 + i})
        for i in range(6)
    ]
    together = one.predict(requests)
    apart = [other.predict([request])[0] for request in requests]
    assert [a.score for a in together] == [a.score for a in apart]


def test_http_equals_the_pipeline_and_bad_requests_are_told(run, service):
    from fastapi.testclient import TestClient

    from common.serving import create_app

    expected = ask(service, record=False)
    with TestClient(create_app(service, run)) as client:
        found = client.post("/predict", json={**service.example, "record": False}).json()
        assert found["score"] == expected.score and found["decision"] == expected.decision
        for change, field in (
            ({"amount": -1}, "amount"),
            ({"customer_id": "nobody"}, "customer_id"),
            ({"device_id": None}, "device_id"),
            ({"time": (service.zero - timedelta(days=1)).isoformat()}, "time"),
            ({"colour": "red"}, "colour"),
        ):
            response = client.post("/predict", json={**service.example, **change})
            assert response.status_code == 422 and field in response.text


# ---------------------------------------------------------------- data and errors


def test_own_csv_trains_and_keeps_its_names(tmp_path):
    world = data.load("simulated-transactions", seed=1, customers=120, terminals=120, days=60)
    rows = world.frame.select(
        (pl.col("time_seconds") + 1_500_000_000 // DAY * DAY).alias("when"),
        (pl.lit("card-") + pl.col("customer_id").cast(pl.String)).alias("card"),
        (pl.lit("shop-") + pl.col("terminal_id").cast(pl.String)).alias("shop"),
        "amount",
        pl.col("is_fraud").alias("fraud"),
    )
    rows.write_csv(tmp_path / "own.csv")
    settings = replace(
        SMALL,
        dataset="csv",
        runs=tmp_path / "runs",
        data=DataOptions(
            path=tmp_path / "own.csv", time="when", customer="card", terminal="shop", label="fraud"
        ),
        split=SplitOptions(train_days=20, valid_days=10, test_days=10),
        model=replace(SMALL.model, trees=5),
    )
    path = train.main(settings)
    from patterns.fraud.serve import FraudService

    service = FraudService(artifacts.open_run(path, name="fraud", runs=settings.runs))
    assert str(service.example["customer_id"]).startswith("card-")
    assert ask(service).known_customer
    assert not ask(service, customer_id="card-new").known_customer


def test_too_few_days_and_parts_without_fraud_are_clear_errors(table):
    with pytest.raises(ValueError, match="lower --split.train-days"):
        split(table, SplitOptions(train_days=500))
    honest = replace(table, frame=table.frame.with_columns(is_fraud=pl.lit(0, dtype=pl.Int8)))
    with pytest.raises(ValueError, match="0 frauds"):
        split(honest, SMALL.split)
    with pytest.raises(ValueError, match=r"data\.path"):
        load(Config(dataset="csv"))


def test_flags_out_of_range_end_in_one_line():
    command = [sys.executable, "-m", "patterns.fraud.train", "--decision.alerts", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "decision.alerts: 0 is out of range" in done.stderr


def test_protocol_refuses_tables_without_its_days(table):
    with pytest.raises(ValueError, match="handbook-fraud"):
        protocols.run("handbook-single", table.frame, start=table.start)


@pytest.mark.mirror
@pytest.mark.slow
def test_handbook_single_reaches_the_published_figures():
    found = data.load("handbook-fraud")
    rows = protocols.run("handbook-single", found.frame, start=found.start).rows
    for row in rows:
        for metric, tolerance in (("AUC", 0.006), ("AP", 0.004), ("CP@100", 0.006)):
            assert row.values[metric] == pytest.approx(
                row.values[f"published {metric}"], abs=tolerance
            )
    boosted = rows[-1].values
    assert boosted["AUC"] >= 0.8615 and boosted["AP"] >= 0.6385 and boosted["CP@100"] >= 0.2725
