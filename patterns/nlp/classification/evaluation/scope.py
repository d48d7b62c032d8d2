"""Whether texts that no label fits are told from the others, and what telling them costs.

With labels held out (`--split.unknown`) their test texts are the ones to turn away: AUROC is how
often a text in scope scores above one of them, whatever the threshold; "turned away" is their
share below the threshold that validation gave, "kept" that of the test texts above it. The method
that serves was chosen on texts of other labels held out, or not chosen at all; the figures
of the other methods stand beside it.

Without them only the cost can be told: what is turned away of the texts in scope, and how often the
model would have been wrong there.

Shapes: N texts, C classes.
"""

from __future__ import annotations

import numpy as np

from common.evaluation import classification as metrics
from common.evaluation.bootstrap import interval_of
from common.evaluation.report import Estimate, Row, Table, Value
from patterns.nlp.classification.data import Splits
from patterns.nlp.classification.entities.outputs import Outputs
from patterns.nlp.classification.pipeline import Pipeline
from patterns.nlp.classification.stages.scope import Scope

COLUMNS = ("AUROC", "turned away", "kept", "accuracy of kept", "accuracy of the others")
SAMPLES = 300


def scope_table(pipeline: Pipeline, splits: Splits) -> Table:
    """Return a row for the method that serves, and with labels held out for each method."""
    assert pipeline.served_ is not None
    known = pipeline.served_.outputs(splits.test.texts)
    unknown = None
    if splits.unknown_test is not None:
        unknown = pipeline.served_.outputs(splits.unknown_test.texts)
    scopes = pipeline.scopes_ or {pipeline.scope_.method: pipeline.scope_}
    rows: list[Row] = []
    for name, scope in scopes.items():
        served = f"{name} (served)" if scope is pipeline.scope_ else name
        values = _values(scope, known, splits.test.labels, unknown, seed=pipeline.seed)
        rows.append(Row(served, values, baseline=not rows and len(scopes) > 1))
    caption = (
        f"The threshold keeps {pipeline.scope_.keep:.0%} of {len(splits.valid):,} validation texts."
    )
    if unknown is not None and splits.unknown_test is not None:
        caption += (
            f" {len(splits.unknown_test):,} test texts of labels that were held out whole; the"
            " method was chosen on other such labels."
        )
    return Table("out of scope", COLUMNS, tuple(rows), caption)


def _values(
    scope: Scope, known: Outputs, labels: np.ndarray, unknown: Outputs | None, *, seed: int
) -> dict[str, Value]:
    scores = scope.rate(known)
    inside = scores >= scope.threshold_
    hits = metrics.correct(labels, known.logits.argmax(axis=1))
    values: dict[str, Value] = {
        "kept": float(inside.mean()),
        "accuracy of kept": float(hits[inside].mean()) if inside.any() else None,
        "accuracy of the others": float(hits[~inside].mean()) if not inside.all() else None,
    }
    if unknown is None:
        return values
    strange = scope.rate(unknown)
    true = np.repeat([1, 0], [len(scores), len(strange)])
    both = np.concatenate([scores, strange])
    bounds = interval_of(metrics.roc_auc, true, both, samples=SAMPLES, seed=seed, strata=true)
    values["AUROC"] = Estimate(metrics.roc_auc(true, both), *bounds)
    values["turned away"] = float((strange < scope.threshold_).mean())
    return values
