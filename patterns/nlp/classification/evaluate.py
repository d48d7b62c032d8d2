"""How good the text classifier is: against TF-IDF, by length and class size, and how calibrated.

Headline: accuracy and macro-F1 with bootstrap intervals over test texts, log loss and expected
calibration error, beside what an answer costs (one text at a time, end to end from the string).
Then the paired difference to the baseline, what the export changed, texts out of scope, behaviour
under changes that should not matter, slices by length and by class size, the pairs of classes it
confuses, the mistakes it is surest of, and the latency against the budget.

Shapes: N texts, C classes.
"""

from __future__ import annotations

from common.evaluation.classifier import accuracy_gain, confused_pairs, per_class
from common.evaluation.latency import measure
from common.evaluation.report import Report, parts
from patterns.nlp.classification.config import NAME
from patterns.nlp.classification.data import Splits
from patterns.nlp.classification.evaluation.behaviour import behaviour_table
from patterns.nlp.classification.evaluation.models import (
    BUDGET_MS,
    TIMED_TEXTS,
    headline_table,
    probabilities,
)
from patterns.nlp.classification.evaluation.scope import scope_table
from patterns.nlp.classification.evaluation.serving import serving_tables
from patterns.nlp.classification.evaluation.slices import against_baseline, slices
from patterns.nlp.classification.examples import examples
from patterns.nlp.classification.figures import draw
from patterns.nlp.classification.pipeline import Pipeline


def evaluate(pipeline: Pipeline, splits: Splits) -> Report:
    """Measure a fitted pipeline on the test texts."""
    labels, names, seed = splits.test.labels, splits.label_names, pipeline.seed
    models = probabilities(pipeline, splits)
    base, final = next(iter(models.values())), [*models.values()][-1]  # the last is what serves
    model = models[pipeline.model_.name] if pipeline.model_ else final
    report = Report(NAME, splits.source, notices=[*splits.notices, *pipeline.notices])
    report.rows = parts(splits, "texts")
    report.metric, report.served = "accuracy", [*models][-1]
    report.gain = accuracy_gain(labels, base, final, seed=seed)
    report.examples = examples(splits, final)
    report.tables = [
        headline_table(pipeline, splits, models),
        against_baseline(labels, base, model, seed=seed),
        *serving_tables(pipeline),
        scope_table(pipeline, splits),
        behaviour_table(pipeline, splits),
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
