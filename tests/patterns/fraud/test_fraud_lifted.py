"""Each kind of stage works in a folder that holds the stages, the entities and what they import."""

import json

from lifting import copy_stages, run_lifted

SCRIPT = """
import json
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from common.evaluation.classification import average_precision
from common.units import DAY, HOUR
from patterns.fraud.entities.payment import Payment
from patterns.fraud.entities.payments import Payments
from patterns.fraud.stages.calibration import Calibration
from patterns.fraud.stages.choice import Choice
from patterns.fraud.stages.decision import CostDecision
from patterns.fraud.stages.fallback import answer
from patterns.fraud.stages.features.definition import standard
from patterns.fraud.stages.features.stream import FeatureStream
from patterns.fraud.stages.features.windows import compute
from patterns.fraud.stages.imbalance import METHODS, rebalance
from patterns.fraud.stages.models.logistic import LogisticModel
from patterns.fraud.stages.models.xgboost import BoostedTrees
from patterns.fraud.stages.rules import Rule, Rules
from patterns.fraud.stages.variant import Variant

rng = np.random.default_rng(0)
count, start = 3_000, date(2018, 4, 1)
fraud = rng.random(count) < 0.05
frame = pl.DataFrame({
    "transaction_id": np.arange(count),
    "time_seconds": np.arange(count) * HOUR,
    "customer_id": rng.integers(0, 40, count),
    "terminal_id": rng.integers(0, 40, count),
    "amount": np.where(fraud, 300.0, 50.0) + rng.uniform(-20, 20, count).round(2),
    "is_fraud": fraud.astype(np.int8),
})
features = standard(columns=set(frame.columns))
matrix, labels = compute(features, frame, start=start), frame["is_fraud"].to_numpy()

def saved_and_loaded(stage):
    folder = Path("saved") / type(stage).__name__
    folder.mkdir(parents=True)
    stage.save(folder)
    return type(stage).load(folder)

stream = saved_and_loaded(FeatureStream.from_frame(features, frame[:2_000], start=start))
names = ("transaction_id", "time_seconds", "customer_id", "terminal_id", "amount", "is_fraud")
payments = [Payment(*row) for row in frame[2_000:].select(names).iter_rows()]
streamed = np.stack([stream.update(payment) for payment in payments])

train, valid = (matrix[:2_000], labels[:2_000]), (matrix[2_000:], labels[2_000:])
models = {
    "rules": saved_and_loaded(Rules(names=features.names).fit(train)),
    "logistic": saved_and_loaded(LogisticModel().fit(train)),
    "xgboost": saved_and_loaded(BoostedTrees(trees=20, threads=1).fit(train, valid)),
}
scores = {name: model.predict(valid[0]) for name, model in models.items()}
amounts = frame["amount"].to_numpy()[2_000:]
calibration = saved_and_loaded(Calibration().fit(scores["logistic"], valid[1]))
probabilities = calibration.transform(scores["logistic"])
decision = saved_and_loaded(CostDecision().fit(probabilities, valid[1], amounts))
variant = saved_and_loaded(
    Variant(
        name="trees",
        model=BoostedTrees(trees=20, threads=1),
        calibration=Calibration(),
        decision=CostDecision(),
        imbalance="weight",
    ).fit(train, valid, amounts=amounts)
)
never = Rule("NEVER", "amount", 1e9, "an amount that nobody pays")
candidates = {
    name: Variant(name=name, model=model, calibration=Calibration(), decision=CostDecision())
    for name, model in (
        ("rules", Rules(names=features.names, rules=(never,))),
        ("logistic", LogisticModel()),
    )
}
known = Payments.from_frame(frame, np.arange(2_000))
choice = Choice(candidates=list(candidates)).fit(candidates, matrix[:2_000], known)
broken = candidates["rules"]  # never fitted, so it raises
answered = answer(broken, variant, valid[0], amounts)
print(json.dumps({
    "stream equals windows": bool(np.array_equal(streamed, matrix[2_000:])),
    "frauds": {name: int(rebalance(*train, method=name)[1].sum()) for name in METHODS},
    "genuine": int((train[1] == 0).sum()),
    "AP": {name: average_precision(valid[1], found) for name, found in scores.items()},
    "calibrated": [float(probabilities.mean()), float(valid[1].mean())],
    "recall": float(decision.decline(probabilities, amounts)[valid[1] == 1].mean()),
    "best": choice.settle(candidates)[0].name,
    "answered": [answered.by, answered.fallback is not None],
    "variant": [variant.name, variant.valid_ap_],
}))
"""


def test_every_kind_of_stage_can_leave(tmp_path) -> None:
    copy_stages("fraud", tmp_path)
    there = {path.name for path in (tmp_path / "patterns/fraud").iterdir()}
    assert there == {"__init__.py", "entities", "stages"} and not (tmp_path / "data").exists()
    found = json.loads(run_lifted(tmp_path, SCRIPT))
    assert found["stream equals windows"]
    assert found["frauds"]["smote"] == found["genuine"] > found["frauds"]["none"] > 0
    assert set(found["AP"]) == {"rules", "logistic", "xgboost"}
    assert min(found["AP"].values()) > 0.8
    mean, rate = found["calibrated"]
    assert abs(mean - rate) < 0.01
    assert found["recall"] > 0.9
    assert found["best"] == "logistic" and found["answered"] == ["trees", True]
    assert found["variant"][0] == "trees" and found["variant"][1] > 0.9
