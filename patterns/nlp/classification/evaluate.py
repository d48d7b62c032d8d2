"""What the classifier is worth: against TF-IDF, by length and class size, and how honest its doubt.

Headline: accuracy and macro-F1 with bootstrap intervals over test texts, log loss and expected
calibration error, beside what an answer costs (one text at a time, end to end from the string).
Then the paired difference to the baseline, slices by length and by class size, the pairs of classes
it confuses, the mistakes it is surest of, and the latency against the budget. Each model reads the
test texts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from common.evaluation import classification as metrics
from common.evaluation.bootstrap import interval, interval_of, paired_difference
from common.evaluation.calibration import expected_calibration_error, log_loss, reliability_curve
from common.evaluation.latency import Latency, measure
from common.evaluation.report import Estimate, Report, Row, Table, Value, figure
from common.probabilities import softmax

if TYPE_CHECKING:
    from patterns.nlp.classification.data import Splits
    from patterns.nlp.classification.pipeline import Pipeline, Predictor

NAME = "nlp/classification"
BUDGET_MS = 50.0
TIMED_TEXTS = 200
COLUMNS = ("accuracy", "macro F1", "log loss", "ECE", "p50 ms", "p99 ms")


def evaluate(pipeline: Pipeline, splits: Splits, *, seed: int = 0) -> Report:
    """Measure a fitted pipeline on the test texts."""
    assert pipeline.baseline is not None and pipeline.serving is not None
    labels, models = splits.test_labels, _models(pipeline)
    timed = splits.test_texts[:TIMED_TEXTS]
    answers: dict[str, np.ndarray] = {}  # name -> probabilities (N, C)
    times: dict[int, Latency] = {}  # what serves is listed twice and timed once
    rows: list[Row] = []
    for name, (model, temperature) in models.items():
        answers[name] = softmax(model.predict(splits.test_texts), temperature)
        if id(model) not in times:
            times[id(model)] = _time(name, model, timed)
        time = times[id(model)]
        rows.append(_row(name, labels, answers[name], time, seed, baseline=not rows))
    base, final = next(iter(answers.values())), list(answers.values())[-1]
    report = Report(NAME, splits.source, notices=_notices(pipeline, splits))
    report.tables = [
        Table("text classification", COLUMNS, tuple(rows), _caption(splits, pipeline)),
        against_baseline(labels, base, final, seed),
        slices(splits, base, final),
        confused_pairs(labels, final.argmax(axis=1), splits.label_names),
        per_class(labels, base, final, splits.label_names),
    ]
    if pipeline.parity is not None:
        report.tables.insert(2, _parity_table(pipeline))
    report.latency = [
        measure("classify", lambda text: pipeline.classify([text]), timed, budget_ms=BUDGET_MS)
    ]
    _draw_reliability(report, labels, answers)
    _draw_cost(report, rows)
    _draw_classes(report, labels, base, final)
    _draw_mistakes(report, splits, final)
    _draw_training(report, pipeline)
    return report


def _notices(pipeline: Pipeline, splits: Splits) -> list[str]:
    """Return what pipeline and split have to say."""
    if not splits.dropped:
        return list(pipeline.notices)
    left_out = (
        f"{splits.dropped:,} training texts repeat another or stand in the test part too: left out"
    )
    return [*pipeline.notices, left_out]


def _models(pipeline: Pipeline) -> dict[str, tuple[Predictor, float]]:
    """List what is compared, the baseline first, what serves last, each with its temperature."""
    assert pipeline.baseline is not None and pipeline.serving is not None
    models: dict[str, tuple[Predictor, float]] = {"TF-IDF + LR": (pipeline.baseline, 1.0)}
    if pipeline.trained is not None:
        name = {"features": "TF-IDF + SVD + network"}.get(pipeline.kind, _short(pipeline))
        models[name] = (pipeline.trained, 1.0)
    if pipeline.kind == "onnx":
        models["+ ONNX Runtime"] = (pipeline.serving, 1.0)
    models["+ temperature"] = (pipeline.serving, pipeline.temperature)
    return models


def _time(name: str, model: Predictor, texts: Sequence[str]) -> Latency:
    return measure(name, lambda text: model.predict([text]), texts, budget_ms=BUDGET_MS)


def _short(pipeline: Pipeline) -> str:
    model = pipeline.config.model
    return "MiniLM fine-tuned" if model == "auto" else f"{model.rsplit('/', 1)[-1]} fine-tuned"


def _caption(splits: Splits, pipeline: Pipeline) -> str:
    return (
        f"{len(splits.test_texts):,} test texts, {len(splits.label_names)} labels; 95 % bootstrap"
        f" intervals; temperature {pipeline.temperature:.2f} from {len(splits.valid_texts):,}"
        f" validation texts; milliseconds of one text alone, from the string to its logits."
    )


def _row(
    name: str, labels: np.ndarray, probabilities: np.ndarray, time: Latency, seed: int,
    *, baseline: bool,
) -> Row:  # fmt: skip
    predicted = probabilities.argmax(axis=1)
    hits, classes = metrics.correct(labels, predicted), probabilities.shape[1]

    def macro_f1(true: np.ndarray, said: np.ndarray) -> float:
        return metrics.precision_recall_f1(true, said, classes=classes).f1

    bounds = interval_of(macro_f1, labels, predicted, samples=300, seed=seed)
    values: dict[str, Value] = {
        "accuracy": Estimate(float(hits.mean()), *interval(hits, seed=seed)),
        "macro F1": Estimate(macro_f1(labels, predicted), *bounds),
        "log loss": log_loss(labels, probabilities),
        "ECE": expected_calibration_error(labels, probabilities),
        "p50 ms": time.p50_ms,
        "p99 ms": time.p99_ms,
    }
    return Row(name, values, baseline=baseline)


def against_baseline(labels: np.ndarray, base: np.ndarray, final: np.ndarray, seed: int) -> Table:
    """Compare text by text, which is sharper than comparing two intervals."""
    theirs = metrics.correct(labels, base.argmax(axis=1))
    ours = metrics.correct(labels, final.argmax(axis=1))
    gain = paired_difference(ours, theirs, seed=seed)
    rows = (
        Row("accuracy gained", {"value": Estimate(gain.value, gain.low, gain.high)}),
        Row("texts only the model gets right", {"value": float((ours > theirs).sum())}),
        Row("texts only the baseline gets right", {"value": float((ours < theirs).sum())}),
        Row("texts neither gets right", {"value": float((ours + theirs == 0).sum())}),
    )
    return Table("model against baseline", ("value",), rows, "Paired over the test texts.")


def slices(splits: Splits, base: np.ndarray, final: np.ndarray) -> Table:
    """Accuracy by quarters of the text length and by thirds of the class size in training."""
    words = np.array([len(text.split()) for text in splits.test_texts])
    sizes = np.bincount(splits.train_labels, minlength=len(splits.label_names))
    groups = [
        *_ranges("words", words, 4),
        *_ranges("training texts of the class", sizes[splits.test_labels], 3),
    ]
    rows = []
    for name, mine in groups:
        values: dict[str, float] = {}
        for column, probabilities in (("TF-IDF + LR", base), ("model", final)):
            hits = probabilities[mine].argmax(axis=1) == splits.test_labels[mine]
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


def confused_pairs(
    labels: np.ndarray, predicted: np.ndarray, names: Sequence[str], *, most: int = 12
) -> Table:
    """List the most frequent mistakes as true -> predicted."""
    counts = metrics.confusion(labels, predicted, classes=len(names))  # (C, C)
    totals = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    rows = []
    for true, said in zip(*np.unravel_index(order, counts.shape), strict=True):
        if counts[true, said]:
            share = counts[true, said] / totals[true]
            values = {"texts": float(counts[true, said]), "share of the class": float(share)}
            rows.append(Row(f"{names[true]} → {names[said]}", values))
    caption = "The most frequent mistakes: true → predicted."
    return Table("confused pairs", ("texts", "share of the class"), tuple(rows), caption)


def per_class(
    labels: np.ndarray, base: np.ndarray, final: np.ndarray, names: Sequence[str], *, most: int = 15
) -> Table:
    """Slice by true class, the hardest ones, with the baseline's F1 beside it."""
    classes = len(names)
    ours = metrics.precision_recall_f1(labels, final.argmax(axis=1), classes=classes)
    theirs = metrics.precision_recall_f1(labels, base.argmax(axis=1), classes=classes)
    counts = np.bincount(labels, minlength=classes)
    rows = [
        Row(
            names[label],
            {
                "baseline F1": float(theirs.f1_per_class[label]),
                "F1": float(ours.f1_per_class[label]),
                "precision": float(ours.precision_per_class[label]),
                "recall": float(ours.recall_per_class[label]),
                "texts": float(counts[label]),
            },
        )
        for label in np.argsort(ours.f1_per_class, kind="stable")[:most]
    ]
    columns = ("baseline F1", "F1", "precision", "recall", "texts")
    return Table(
        "by class", columns, tuple(rows), "The hardest classes; the figure has all of them."
    )


def _parity_table(pipeline: Pipeline) -> Table:
    assert pipeline.parity is not None
    found = pipeline.parity
    values: dict[str, Value] = {
        "max logit difference": f"{found.max_difference:.1e}",
        "same label": found.agreement,
        "texts": float(found.texts),
        "served": "ONNX Runtime" if found.holds else "torch",
    }
    caption = "The exported model against the trained one, on the validation texts."
    return Table("export", tuple(values), (Row("ONNX against torch", values),), caption)


def _draw_reliability(report: Report, labels: np.ndarray, answers: dict[str, np.ndarray]) -> None:
    caption = (
        "How often the model is right when it says it is this sure; on the diagonal, confidence"
        " can be believed."
    )
    with figure(report, "reliability", caption) as axes:
        axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
        for name, probabilities in answers.items():
            if name == "+ ONNX Runtime":
                continue  # the same curve as the model it was exported from
            curve = reliability_curve(labels, probabilities, bins=10)
            axes.plot(curve.confidence, curve.frequency, marker="o", label=name)
        axes.set_xlabel("confidence")
        axes.set_ylabel("share correct")
        axes.legend()


def _draw_cost(report: Report, rows: Sequence[Row]) -> None:
    caption = "What accuracy costs: up is better, left is cheaper; bars are 95 % intervals."
    with figure(report, "accuracy and latency", caption) as axes:
        for row in rows:
            score, time = row.values["accuracy"], row.values["p50 ms"]
            assert isinstance(score, Estimate) and isinstance(time, float)
            if row.name == "+ temperature":
                continue  # the same model
            spread = [[score.value - (score.low or 0)], [(score.high or 0) - score.value]]
            axes.errorbar(time, score.value, yerr=spread, marker="o", capsize=3, label=row.name)
        axes.set_xscale("log")
        axes.set_xlabel("milliseconds a text (median)")
        axes.set_ylabel("accuracy")
        axes.legend()


def _draw_classes(report: Report, labels: np.ndarray, base: np.ndarray, final: np.ndarray) -> None:
    classes = base.shape[1]
    theirs = metrics.precision_recall_f1(labels, base.argmax(axis=1), classes=classes)
    ours = metrics.precision_recall_f1(labels, final.argmax(axis=1), classes=classes)
    caption = "Each dot is a class; above the line the model is better than the baseline."
    with figure(report, "F1 by class", caption, size=(5.0, 5.0)) as axes:
        axes.scatter(theirs.f1_per_class, ours.f1_per_class, s=18, alpha=0.7)
        low = float(min(theirs.f1_per_class.min(), ours.f1_per_class.min())) - 0.02
        axes.plot([low, 1], [low, 1], color="grey", linewidth=1, linestyle="--")
        axes.set_xlabel("F1 of TF-IDF + LR")
        axes.set_ylabel("F1 of the model")


def _draw_mistakes(report: Report, splits: Splits, final: np.ndarray, *, most: int = 12) -> None:
    """Draw the texts rather than list them: tables are published with the code, texts are not."""
    predicted, said = final.argmax(axis=1), final.max(axis=1)
    wrong = np.flatnonzero(predicted != splits.test_labels)
    wrong = wrong[np.argsort(-said[wrong], kind="stable")][:most]
    if not len(wrong):
        return
    names = splits.label_names
    lines = [
        f"“{splits.test_texts[row].strip()[:95]}”\n"
        f"     labelled {names[splits.test_labels[row]]}, said {names[predicted[row]]}"
        f" ({said[row]:.2f})"
        for row in wrong
    ]
    caption = "Wrong with the most confidence; wrong labels are found here first."
    size = (9.0, 0.42 * len(lines) + 0.2)
    with figure(report, "surest mistakes", caption, size=size) as axes:
        axes.axis("off")
        axes.text(0, 1, "\n".join(lines), va="top", fontsize=8, linespacing=1.45, parse_math=False)


def _draw_training(report: Report, pipeline: Pipeline) -> None:
    history = pipeline.history
    if history is None or len(history.valid) < 2:
        return
    epochs = np.arange(1, len(history.valid) + 1)
    caption = "Validation score after each epoch; the best epoch's weights are kept."
    with figure(report, "training", caption) as axes:
        axes.plot(epochs, history.valid, marker="o")
        axes.set_xlabel("epoch")
        axes.set_ylabel("accuracy" if pipeline.kind != "features" else "minus log loss")
