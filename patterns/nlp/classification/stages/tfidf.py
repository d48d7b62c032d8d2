"""The baseline: TF-IDF weights of words and word pairs, and logistic regression on them.

    tfidf(w, d) = (1 + log tf(w, d)) · (log((1 + N) / (1 + df(w))) + 1),   rows scaled to length 1
    p(c | d) = softmax(W tfidf(d) + b)_c,   W minimises log loss + |W|² / (2 C)

Seconds to train, a fraction of a millisecond to answer: any model must first beat it. C is chosen
on the validation texts. Salton & Buckley 1988 for the weights. Words are those of `common.text`,
which hold in any script.

It is saved with skops, and a file that holds any type off its allow-list is refused when read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from common.text import word_pattern
from patterns.nlp.classification.entities.outputs import Outputs
from patterns.nlp.classification.entities.texts import Texts
from patterns.nlp.classification.stages.score import score

FILE = "tfidf.skops"
STRENGTHS = (3.0, 10.0, 30.0)
COEFFICIENTS = 20_000_000  # words times classes; the solver holds twenty copies of them
# Types accepted beyond those of sklearn and numpy that skops trusts by itself: none is needed.
ALLOWED_TYPES: tuple[str, ...] = ()


class TfidfClassifier:
    """TF-IDF + logistic regression; `strengths` are the values of C to choose from."""

    kind = "tfidf"
    name = "TF-IDF + LR"

    def __init__(
        self, *, strengths: Sequence[float] = STRENGTHS, max_features: int = 100_000
    ) -> None:
        self.strengths, self.max_features = tuple(strengths), max_features
        self.strength_: float | None = None
        self.model_: Any = None

    def fit(self, train: Texts, valid: Texts) -> Self:
        """Fit once per C and keep the one with the best validation score.

        With very many classes there are fewer words than `max_features`, to bound memory.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from threadpoolctl import threadpool_limits

        classes = len(np.unique(train.labels))
        vectorizer = TfidfVectorizer(
            sublinear_tf=True,
            ngram_range=(1, 2),
            min_df=2 if len(train) > 2000 else 1,
            max_features=min(self.max_features, max(1, COEFFICIENTS // classes)),
            token_pattern=word_pattern(),
        )
        try:
            weights = vectorizer.fit_transform(train.texts)  # (N, V) sparse
        except ValueError as cause:
            raise ValueError(
                f"texts: no words in {len(train)} training texts; give texts with letters or digits"
            ) from cause
        valid_weights = vectorizer.transform(valid.texts)
        best = -1.0
        for strength in self.strengths:
            # Sparse rows give BLAS little to do at a time: threads would only wait for each other.
            with threadpool_limits(1):
                model = LogisticRegression(C=strength, max_iter=300, tol=1e-3)
                model.fit(weights, train.labels)
            found = score(valid.labels, model.predict(valid_weights))
            if found > best:
                best, self.strength_ = found, strength
                self.model_ = make_pipeline(vectorizer, model)
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Return logits (N, C), which a softmax turns into probabilities."""
        assert self.model_ is not None, "fit or load it first"
        if not len(texts):
            return np.zeros((0, len(self.model_.classes_)))
        scores = self.model_.decision_function(list(texts))
        if scores.ndim == 1:  # two classes: sklearn gives the log odds of the second
            return np.stack([np.zeros_like(scores), scores], axis=1)
        return scores

    def outputs(self, texts: Sequence[str]) -> Outputs:
        """Return logits (N, C); there are no vectors."""
        return Outputs(self.predict(texts))

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """Return of each text whether its end is not read: never."""
        return [False] * len(texts)

    def save(self, folder: Path) -> None:
        """Write the model; no pickle."""
        import skops.io

        skops.io.dump(self.model_, folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the model, refusing any type that is not on the list."""
        import skops.io

        path = folder / FILE
        unknown = set(skops.io.get_untrusted_types(file=path)) - set(ALLOWED_TYPES)
        if unknown:
            raise ValueError(
                f"{path} holds types that are not accepted: {', '.join(sorted(unknown))}; "
                "it was not written by this project: train again"
            )
        stage = cls()
        stage.model_ = skops.io.load(path, trusted=list(ALLOWED_TYPES))
        return stage
