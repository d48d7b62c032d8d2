"""How the model behaves: what must not change its label, and questions too simple to miss.

A customer who types in a hurry, in capitals or with a greeting asks the same thing, so the label
must stay. That is asked of test texts, whatever their true label is: a share of 1 says that the
model is steady, not that it is right. The simplest questions have known answers: the label's own
name read as a text and, of a simulated world, each phrase of its grammar with nothing around it.

A text of a dataset is not shown: a failure is told by the labels before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from common.evaluation.behaviour import Check, checklist, with_typo
from common.evaluation.report import Table
from patterns.nlp.classification.data import Splits
from patterns.nlp.classification.pipeline import Pipeline

CASES = 300
Change = Callable[[str, np.random.Generator], str]
CHANGES: dict[str, Change] = {
    "two letters swapped": with_typo,
    "all in capitals": lambda text, rng: text.upper(),
    "all in small letters": lambda text, rng: text.lower(),
    "no punctuation": lambda text, rng: "".join(c if c.isalnum() else " " for c in text),
    "exclamation marks at the end": lambda text, rng: f"{text.rstrip('.?! ')}!!!",
    "a greeting before it": lambda text, rng: f"Hello, I hope you are well. {text}",
    "thanks after it": lambda text, rng: f"{text} Thank you very much!",
}


def behaviour_table(pipeline: Pipeline, splits: Splits) -> Table:
    """Ask what serves and return the checklist."""
    rng = np.random.default_rng(pipeline.seed)
    rows = rng.permutation(len(splits.test))[:CASES]
    texts = [splits.test.texts[row] for row in rows]
    before = _labels(pipeline, texts)
    checks = [
        _invariance(pipeline, splits, name, [change(text, rng) for text in texts], before)
        for name, change in CHANGES.items()
    ]
    names = [name.replace("_", " ").replace("-", " ") for name in splits.label_names]
    own = np.arange(len(names))
    checks.append(_minimum(pipeline, splits, "the label's own name gets it", names, own))
    if splits.simple is not None:
        plain = splits.simple
        checks.append(_minimum(pipeline, splits, "a plain phrase", plain.texts, plain.labels))
    caption = f"{len(texts)} test texts, changed, must keep their label; right or wrong."
    return checklist(checks, caption=caption)


def _invariance(
    pipeline: Pipeline, splits: Splits, name: str, changed: Sequence[str], before: np.ndarray
) -> Check:
    asked = [text if text.strip() else "?" for text in changed]  # of a text of signs none is left
    after, names = _labels(pipeline, asked), splits.label_names
    cases = [f"{names[a]} → {names[b]}" for a, b in zip(before, after, strict=True)]
    return Check(name, "invariance", before == after, cases)


def _minimum(
    pipeline: Pipeline, splits: Splits, name: str, texts: Sequence[str], labels: np.ndarray
) -> Check:
    said = _labels(pipeline, texts)
    cases = [f"{text} → {splits.label_names[b]}" for text, b in zip(texts, said, strict=True)]
    return Check(name, "minimum functionality", said == labels, cases)


def _labels(pipeline: Pipeline, texts: Sequence[str]) -> np.ndarray:
    return pipeline.logits(texts).argmax(axis=1)
