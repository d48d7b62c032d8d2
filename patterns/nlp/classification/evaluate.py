"""How good the text classifier is: against TF-IDF, by length and class size, and how calibrated.

Headline: accuracy and macro-F1 with bootstrap intervals over test texts, log loss and expected
calibration error, beside what an answer costs (one text at a time, end to end from the string).
Then the paired difference to the baseline, slices by length and by class size, the pairs of classes
it confuses, the mistakes it is surest of, and the latency against the budget. Each model reads the
test texts once.

Shapes: N texts, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.evaluation import classification as metrics
from common.evaluation.classifier import (
    HEADLINE,
    accuracy_gain,
    confused_pairs,
    headline,
    per_class,
)
from common.evaluation.latency import Latency, measure
from common.evaluation.report import Report, Row, Table, Value, parts
from common.probabilities import softmax
from patterns.nlp.classification.config import NAME
from patterns.nlp.classification.data import Splits
from patterns.nlp.classification.examples import examples
from patterns.nlp.classification.figures import draw
from patterns.nlp.classification.pipeline import Pipeline
from patterns.nlp.classification.stages.export import Parity
from patterns.nlp.classification.stages.servable import Servable

BUDGET_MS = 50.0
TIMED_TEXTS = 200
F1_SAMPLES = 300


def evaluate(pipeline: Pipeline, splits: Splits) -> Report:
    """Measure a fitted pipeline on the test texts."""
    labels, names, seed = splits.test.labels, splits.label_names, pipeline.seed
    models = {
        name: softmax(model.predict(splits.test.texts), temperature)  # (N, C)
        for name, (model, temperature) in _models(pipeline).items()
    }
    base, model, *_ = models.values()
    final = [*models.values()][-1]  # what is served
    report = Report(NAME, splits.source, notices=[*splits.notices, *pipeline.notices])
    report.rows = parts(splits, "texts")
    report.metric, report.served = "accuracy", [*models][-1]
    report.gain = accuracy_gain(labels, base, final, seed=seed)
    report.examples = examples(splits, final)
    report.tables = [
        headline_table(pipeline, splits, models),
        against_baseline(labels, base, model, seed=seed),
        *([export_table(pipeline.parity_)] if pipeline.parity_ else []),
        slices(splits, base, model),
        confused_pairs(labels, final.argmax(axis=1), names, unit="texts", most=12),
        per_class(
            labels, base, final, names, unit="texts", most=15,
            columns=("baseline F1", "F1", "precision", "recall", "texts"),
            caption="The hardest classes; the figure has all of them.",
        ),
    ]  # fmt: skip
    timed = splits.test.texts[:TIMED_TEXTS]
    report.latency = [
        measure("classify", lambda text: pipeline.classify([text]), timed, budget_ms=BUDGET_MS)
    ]
    draw(report, pipeline, splits, models)
    return report


def headline_table(pipeline: Pipeline, splits: Splits, models: dict[str, np.ndarray]) -> Table:
    """Compare all models, the baseline first, what serves last."""
    times: dict[int, Latency] = {}  # what serves is listed twice and timed once
    rows: list[Row] = []
    for name, (model, _) in _models(pipeline).items():
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


def _models(pipeline: Pipeline) -> dict[str, tuple[Servable, float]]:
    """List what is compared, the baseline first, what serves last, each with its temperature."""
    assert pipeline.baseline is not None and pipeline.served_ is not None
    models: dict[str, tuple[Servable, float]] = {pipeline.baseline.name: (pipeline.baseline, 1.0)}
    if pipeline.model_ is not None:
        models[pipeline.model_.name] = (pipeline.model_, 1.0)
    if pipeline.served_.kind == "onnx":
        models["+ ONNX Runtime"] = (pipeline.served_, 1.0)
    beaten = pipeline.served_ is pipeline.baseline and pipeline.model_ is not None
    last = f"{pipeline.baseline.name} + temperature" if beaten else "+ temperature"
    models[last] = (pipeline.served_, pipeline.temperature_)
    return models


def _time(name: str, model: Servable, texts: Sequence[str]) -> Latency:
    return measure(name, lambda text: model.predict([text]), texts, budget_ms=BUDGET_MS)


def against_baseline(
    labels: np.ndarray, base: np.ndarray, model: np.ndarray, *, seed: int = 0
) -> Table:
    """Compare text by text, which is sharper than comparing two intervals."""
    theirs = metrics.correct(labels, base.argmax(axis=1))
    ours = metrics.correct(labels, model.argmax(axis=1))
    rows = (
        Row("accuracy gained", {"value": accuracy_gain(labels, base, model, seed=seed)}),
        Row("texts only the model gets right", {"value": float((ours > theirs).sum())}),
        Row("texts only the baseline gets right", {"value": float((ours < theirs).sum())}),
        Row("texts neither gets right", {"value": float((ours + theirs == 0).sum())}),
    )
    return Table("model against baseline", ("value",), rows, "Paired over the test texts.")


def export_table(found: Parity) -> Table:
    """Tell how far the export is from the trained model, and which of them serves."""
    values: dict[str, Value] = {
        "max logit difference": f"{found.max_difference:.1e}",
        "same label": found.agreement,
        "texts": float(found.texts),
        "served": "ONNX Runtime" if found.holds else "torch",
    }
    caption = "The exported model against the trained one, on the validation texts."
    return Table("export", tuple(values), (Row("ONNX against torch", values),), caption)


def slices(splits: Splits, base: np.ndarray, model: np.ndarray) -> Table:
    """Give the accuracy by quarters of the text length and by thirds of the class size."""
    labels = splits.test.labels
    words = np.array([len(text.split()) for text in splits.test.texts])
    sizes = np.bincount(splits.train.labels, minlength=len(splits.label_names))
    groups = [
        *_ranges("words", words, 4),
        *_ranges("training texts of the class", sizes[labels], 3),
    ]
    rows = []
    for name, mine in groups:
        values: dict[str, float] = {}
        for column, probabilities in (("TF-IDF + LR", base), ("model", model)):
            hits = probabilities[mine].argmax(axis=1) == labels[mine]
            values[column] = float(hits.mean())
        rows.append(Row(name, values | {"texts": float(mine.sum())}))
    columns = ("TF-IDF + LR", "model", "texts")
    return Table("slices", columns, tuple(rows), "Accuracy where texts are short, classes small.")


def _ranges(what: str, values: np.ndarray, parts: int) -> list[tuple[str, np.ndarray]]:
    """Cut rows into about equal groups by value; equal values share a group."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, parts + 1), method="nearest"))
    groups = []
    for place, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        first = low if place == 0 else low + 1
        groups.append((f"{first:g} to {high:g} {what}", (values >= first) & (values <= high)))
    if not groups:  # all values equal
        return [(f"{edges[0]:g} {what}", np.ones(len(values), bool))]
    return [(name, rows) for name, rows in groups if rows.any()]
