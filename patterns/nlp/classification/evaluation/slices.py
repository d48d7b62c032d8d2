"""Where the model is better than the baseline, and where not: text by text, and by groups of texts.

Shapes: N texts, C classes.
"""

from __future__ import annotations

import numpy as np

from common.evaluation import classification as metrics
from common.evaluation.classifier import accuracy_gain
from common.evaluation.report import Row, Table
from patterns.nlp.classification.data import Splits


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
