"""Pipeline + test days -> report: ranking, probabilities, money, slices, latency.

The test days are scored once by every variant; everything chosen (trees, calibration, threshold,
which variant to serve) was chosen on validation. Intervals resample customers, because the payments
of one customer share their fate; CP@k resamples days. Money is what a decision rule saves over
accepting everything, as a share of what fraud would have cost: 1 is perfect, below 0 worse than
doing nothing.

Shapes: `N` payments, `F` features, `S` resamples.
"""

from __future__ import annotations

import tempfile
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np

from common.evaluation import latency
from common.evaluation.bootstrap import interval
from common.evaluation.classification import (
    average_precision,
    brier,
    precision_recall_f1,
    roc_auc,
)
from common.evaluation.report import Estimate, Report, Row, Table, Value
from patterns.fraud.config import Config
from patterns.fraud.data import Part, Splits
from patterns.fraud.metrics import average_precision_interval
from patterns.fraud.pipeline import LOGISTIC, RULES, XGBOOST, Parts, Pipeline, Variant
from patterns.fraud.plots import draw
from patterns.fraud.stages.decision import CostDecision, Money, card_precision, money
from patterns.fraud.stages.features.definition import DAY
from patterns.fraud.stages.features.history import Payment

BUDGETS_MS = {"features": 10.0, "model": 50.0, "reasons": 30.0, "all": 100.0}
BANDS = (0.0, 20.0, 50.0, 100.0, 220.0, np.inf)
ABLATION_DAYS = 21  # of training, to keep five more fits short
THIN_HISTORY = 3  # payments in 30 days, the current one included


def evaluate(pipeline: Pipeline, splits: Splits, parts: Parts, config: Config) -> Report:
    """Measure every variant on the test days."""
    test = parts.test
    scores = {name: v.model.predict(test.features) for name, v in pipeline.variants.items()}
    true = {n: v.calibration.transform(scores[n]) for n, v in pipeline.variants.items()}
    report = Report("fraud", splits.source)
    report.tables = [
        _headline(pipeline, test, scores, true, config),
        _decisions(pipeline, test, true, config),
        _imbalance(pipeline, test, scores, true),
        _slices(pipeline, test, true),
        _windows(pipeline, parts),
        _rules(pipeline, test),
    ]
    report.printed = 3
    report.latency = latencies(pipeline, splits)
    draw(report, pipeline, parts, scores, true, config)
    return report


def _headline(
    pipeline: Pipeline,
    test: Part,
    scores: dict[str, np.ndarray],
    true: dict[str, np.ndarray],
    config: Config,
) -> Table:
    k = config.decision.alerts
    columns = ("AP", "AUC", f"CP@{k}", "Brier", "money saved")
    rows: list[Row] = []
    for name, variant in pipeline.variants.items():
        by_day = card_precision(
            days=test.days, customers=test.customers, labels=test.labels, scores=scores[name], k=k
        )
        low, high = average_precision_interval(
            test.labels, scores[name], test.customers, seed=config.seed
        )
        cells: dict[str, Value] = {
            "AP": Estimate(average_precision(test.labels, scores[name]), low, high),
            "AUC": roc_auc(test.labels, scores[name]),
            columns[2]: Estimate(float(by_day.mean()), *interval(by_day, seed=config.seed)),
            "Brier": brier(test.labels, np.clip(true[name], 0, 1)),
            "money saved": f"{_money(variant, test, true[name]).saved_share:.1%}",
        }
        served = " (served)" if variant is pipeline.served else ""
        rows.append(Row(name + served, cells, baseline=name == RULES))
    perfect = card_precision(
        days=test.days, customers=test.customers, labels=test.labels, scores=test.labels, k=k
    )
    caption = (
        f"{len(test):,} payments of {len(np.unique(test.days))} test days,"
        f" {int(test.labels.sum()):,} frauds. CP@{k}: compromised cards among the {k} alerted a day"
        f" (a perfect ranking: {perfect.mean():.3f}). Brier after calibration."
    )
    return Table("quality", columns, tuple(rows), caption)


def _money(variant: Variant, test: Part, probabilities: np.ndarray) -> Money:
    declined = variant.decision.decline(probabilities, test.amounts)
    cost = variant.decision.false_positive_cost
    return money(test.labels, test.amounts, declined, false_positive_cost=cost)


def _decisions(
    pipeline: Pipeline, test: Part, true: dict[str, np.ndarray], config: Config
) -> Table:
    """What each way to decide costs and saves on the test days."""
    served = pipeline.served
    p = true[served.name]
    by_loss = _under(served.decision, "expected-loss").decline(p, test.amounts)
    by_cost = _under(served.decision, "threshold").decline(p, test.amounts)
    rules = pipeline.rules.decision.decline(true[RULES], test.amounts)
    ways = {
        "accept everything": np.zeros(len(test), dtype=bool),
        "rules, cost threshold": rules,
        "logistic regression, cost threshold": pipeline.variants[LOGISTIC].decision.decline(
            true[LOGISTIC], test.amounts
        ),
        "served, p >= 0.5": p >= 0.5,
        f"served, cost threshold {served.decision.threshold_:.3f}": by_cost,
        "served, expected loss": by_loss,
    }
    columns = ("precision", "recall", "F1", "declined", "prevented", "lost", "friction", "saved")
    rows: list[Row] = []
    for name, declined in ways.items():
        found = precision_recall_f1(test.labels, declined.astype(np.int8), average="binary")
        cost = config.decision.false_positive_cost
        priced = money(test.labels, test.amounts, declined, false_positive_cost=cost)
        cells: dict[str, Value] = {
            "precision": found.precision,
            "recall": found.recall,
            "F1": found.f1,
            "declined": f"{int(declined.sum()):,}",
            **{k: f"{getattr(priced, k):,.0f}" for k in ("prevented", "lost", "friction", "saved")},
        }
        rows.append(Row(name, cells, baseline=not rows))
    caption = (
        f"A fraud let through costs its amount, a genuine payment declined"
        f" {config.decision.false_positive_cost:g}; thresholds were chosen on validation."
    )
    return Table("decisions", columns, tuple(rows), caption)


def _under(decision: CostDecision, policy: str) -> CostDecision:
    """The same costs and threshold under another policy."""
    decision = copy(decision)
    decision.policy = policy
    return decision


def _imbalance(
    pipeline: Pipeline, test: Part, scores: dict[str, np.ndarray], true: dict[str, np.ndarray]
) -> Table:
    """What rebalancing does to the order and to the probabilities."""
    columns = ("AP", "predicted/actual", "calibrated", "Brier raw", "Brier", "trees")
    rows: list[Row] = []
    for name in XGBOOST.values():
        raw = scores[name]
        cells: dict[str, Value] = {
            "AP": average_precision(test.labels, raw),
            "predicted/actual": f"{raw.mean() / test.labels.mean():.2f}",
            "calibrated": f"{true[name].mean() / test.labels.mean():.2f}",
            "Brier raw": brier(test.labels, np.clip(raw, 0, 1)),
            "Brier": brier(test.labels, np.clip(true[name], 0, 1)),
            "trees": str(pipeline.variants[name].model.trees_),
        }
        rows.append(Row(name, cells, baseline=not rows))
    caption = (
        "predicted/actual: mean score over the share of fraud, 1 is right; calibrated: the same"
        f" after {pipeline.served.calibration.kind} calibration on validation."
    )
    return Table("imbalance", columns, tuple(rows), caption)


def _slices(pipeline: Pipeline, test: Part, true: dict[str, np.ndarray]) -> Table:
    """Rules against the served model by scenario, amount and length of history."""
    slices = {f"scenario {s}": test.scenarios == s for s in (1, 2, 3)}
    for low, high in zip(BANDS[:-1], BANDS[1:], strict=True):
        name = f"amount {low:g} to {high:g}" if np.isfinite(high) else f"amount over {low:g}"
        slices[name] = (test.amounts > low) & (test.amounts <= high)
    if "customer_count_30d" in pipeline.features.names:
        seen = test.features[:, pipeline.features.names.index("customer_count_30d")]
        slices[f"at most {THIN_HISTORY} payments in 30 days"] = seen <= THIN_HISTORY
        slices[f"over {THIN_HISTORY} payments in 30 days"] = seen > THIN_HISTORY
    columns = ("payments", "frauds", "rules recall", "recall", "precision", "AP")
    declined = pipeline.served.decision.decline(true[pipeline.served.name], test.amounts)
    by_rules = pipeline.rules.decision.decline(true[RULES], test.amounts)
    rows: list[Row] = []
    for name, members in slices.items():
        labels = test.labels[members]
        if not labels.sum():
            continue
        found = precision_recall_f1(labels, declined[members].astype(np.int8), average="binary")
        cells: dict[str, Value] = {
            "payments": f"{len(labels):,}",
            "frauds": f"{int(labels.sum()):,}",
            "rules recall": float(by_rules[members][labels == 1].mean()),
            "recall": found.recall,
        }
        if labels.sum() < len(labels):  # a scenario holds frauds alone: nothing to be precise about
            served = true[pipeline.served.name][members]
            cells |= {"precision": found.precision, "AP": average_precision(labels, served)}
        rows.append(Row(name, cells))
    return Table("slices", columns, tuple(rows), "Recall at the served threshold.")


def _windows(pipeline: Pipeline, parts: Parts) -> Table:
    """The served kind of trees on parts of the features: which windows earn their keep."""
    names = np.array(pipeline.features.names)
    plain = np.isin(names, ["amount", "weekend", "night", "hour"])
    basic = np.array([n.startswith(("customer_count", "customer_mean", "terminal")) for n in names])
    textbook = basic & np.array([n.endswith(("_1h", "_1d", "_7d")) for n in names])
    handbook = basic & np.array([n.endswith(("_1d", "_7d", "_30d")) for n in names])
    sets = {
        "amount and time only": plain,
        "+ textbook windows 1 h, 24 h, 7 d": plain | textbook,
        "+ handbook windows 1, 7, 30 d": plain | handbook,
        "all features": np.ones(len(names), dtype=bool),
        "all but terminal risk": np.array(["_risk_" not in n for n in names]),
    }
    recent = parts.train.days > parts.train.days.max() - ABLATION_DAYS
    rows: list[Row] = []
    for name, chosen in sets.items():
        valid, test = (part.features[:, chosen] for part in (parts.valid, parts.test))
        train = parts.train.features[np.ix_(recent, chosen)]
        trees = pipeline.trees().fit(
            (train, parts.train.labels[recent]), (valid, parts.valid.labels)
        )
        scores = trees.predict(test)
        cells: dict[str, Value] = {
            "features": f"{int(chosen.sum())}",
            "valid AP": average_precision(parts.valid.labels, trees.predict(valid)),
            "AP": average_precision(parts.test.labels, scores),
            "AUC": roc_auc(parts.test.labels, scores),
        }
        rows.append(Row(name, cells, baseline=not rows))
    caption = (
        "XGBoost without rebalancing on a part of the columns, fitted on the last"
        f" {ABLATION_DAYS} training days; same settings, same stopping."
    )
    return Table("windows", ("features", "valid AP", "AP", "AUC"), tuple(rows), caption)


def _rules(pipeline: Pipeline, test: Part) -> Table:
    rules = pipeline.rules.model
    rows: list[Row] = []
    for rule, learned in zip(rules.rules_, rules.precision_, strict=True):
        hit, frauds = rules.table(test.features, test.labels)[rule.code]
        condition = f"{rule.feature} > {rule.limit:g}"
        if rule.also:
            condition += f" and {rule.also} > {rule.also_limit:g}"
        cells: dict[str, Value] = {
            "condition": condition,
            "train precision": float(learned),
            "test precision": frauds / hit if hit else None,
            "test hits": f"{hit:,}",
            "test frauds": f"{frauds:,}",
        }
        rows.append(Row(rule.code, cells))
    columns = ("condition", "train precision", "test precision", "test hits", "test frauds")
    return Table(
        "rules", columns, tuple(rows), "The baseline, and the fallback when the model fails."
    )


def latencies(pipeline: Pipeline, splits: Splits, *, samples: int = 1000) -> list[latency.Latency]:
    """Single payments through what is served: saved, loaded, one thread, state moving forward."""
    with tempfile.TemporaryDirectory() as folder:
        pipeline.save(Path(folder))
        served = Pipeline.load(Path(folder))
    payments = [
        replace(p, time_seconds=p.time_seconds + DAY) for p in last_payments(splits, samples)
    ]
    rows = [served.stream.peek(payment)[None] for payment in payments]
    pairs = [(row, np.array([p.amount])) for row, p in zip(rows, payments, strict=True)]

    def whole(payment: Payment) -> None:
        features, _ = served.score([payment])
        served.reasons(features)

    timed = {
        "features": (served.stream.peek, payments),
        "model": (lambda pair: served.decide(*pair), pairs),
        "reasons": (served.reasons, rows),
        "all": (whole, payments),
    }
    return [
        latency.measure(name, call, inputs, budget_ms=BUDGETS_MS[name])  # type: ignore[arg-type]
        for name, (call, inputs) in timed.items()
    ]


def last_payments(splits: Splits, count: int) -> list[Payment]:
    """The last `count` payments of the table as they would arrive, without their labels."""
    extra = [c for c in ("device_id", "distance", "account_opened") if c in splits.frame.columns]
    return [
        Payment(
            transaction_id=row["transaction_id"],
            time_seconds=row["time_seconds"],
            customer_id=row["customer_id"],
            terminal_id=row["terminal_id"],
            amount=row["amount"],
            extras={column: row[column] for column in extra},
        )
        for row in splits.frame.tail(count).iter_rows(named=True)
    ]
