"""Which model is how good and how quick: the headline, from the baseline to what serves.

Each model reads the test texts once, and is timed on the first of them one at a time, from the
string to its logits.

Shapes: N texts, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.evaluation.classifier import HEADLINE, headline
from common.evaluation.latency import Latency, measure
from common.evaluation.report import Row, Table
from common.probabilities import softmax
from patterns.nlp.classification.data import Splits
from patterns.nlp.classification.pipeline import Pipeline
from patterns.nlp.classification.stages.servable import Servable

BUDGET_MS = 50.0
TIMED_TEXTS = 200
F1_SAMPLES = 300


def compared(pipeline: Pipeline) -> dict[str, tuple[Servable, float]]:
    """List what is compared, the baseline first, what serves last, each with its temperature."""
    assert pipeline.served_ is not None
    trained = pipeline.trained_ or pipeline.served_  # before it was exported
    models = {name: (model, 1.0) for name, model in pipeline.fitted_.items()}
    if pipeline.served_ is not pipeline.baseline and trained.name in models:
        models[trained.name] = models.pop(trained.name)  # what follows is made of it
    if pipeline.exported_ is not None:
        models[f"+ {pipeline.exported_.name}"] = (pipeline.exported_, 1.0)
        if pipeline.served_ is not pipeline.exported_:
            models[f"+ {pipeline.served_.name}"] = (pipeline.served_, 1.0)
    beaten = pipeline.served_ is pipeline.baseline and len(pipeline.fitted_) > 1
    last = f"{pipeline.served_.name} + temperature" if beaten else "+ temperature"
    models[last] = (pipeline.served_, pipeline.temperature_)
    return models


def probabilities(pipeline: Pipeline, splits: Splits) -> dict[str, np.ndarray]:
    """Return the probabilities (N, C) of each model on the test texts."""
    logits: dict[int, np.ndarray] = {}  # what serves is listed twice and asked once
    found = {}
    for name, (model, temperature) in compared(pipeline).items():
        if id(model) not in logits:
            logits[id(model)] = model.predict(splits.test.texts)
        found[name] = softmax(logits[id(model)], temperature)
    return found


def headline_table(pipeline: Pipeline, splits: Splits, models: dict[str, np.ndarray]) -> Table:
    """Compare all models, the baseline first, what serves last."""
    times: dict[int, Latency] = {}  # what serves is listed twice and timed once
    rows: list[Row] = []
    for name, (model, _) in compared(pipeline).items():
        if id(model) not in times:
            times[id(model)] = _time(name, model, splits.test.texts[:TIMED_TEXTS])
        values = headline(
            splits.test.labels, models[name], f1_samples=F1_SAMPLES, seed=pipeline.seed
        )
        time = times[id(model)]
        values |= {"p50 ms": time.p50_ms, "p99 ms": time.p99_ms}
        rows.append(Row(name, values, baseline=not rows))
    caption = (
        f"{len(splits.test):,} test texts, {len(splits.label_names)} labels; 95 % bootstrap"
        f" intervals; temperature {pipeline.temperature_:.2f} from {len(splits.valid):,}"
        f" validation texts; milliseconds of one text alone, from the string to its logits; the"
        " last row is what serves."
    )
    return Table("text classification", (*HEADLINE, "p50 ms", "p99 ms"), tuple(rows), caption)


def _time(name: str, model: Servable, texts: Sequence[str]) -> Latency:
    return measure(name, lambda text: model.predict([text]), texts, budget_ms=BUDGET_MS)
