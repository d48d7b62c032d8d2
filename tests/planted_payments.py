"""Payments of a user's own whose truth is planted, as a file and as flags."""

import numpy as np
import polars as pl

from common.units import DAY
from patterns.fraud.config import Config, DataOptions, DecisionOptions, ModelOptions
from patterns.fraud.data import load, split
from patterns.fraud.pipeline import Pipeline

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
