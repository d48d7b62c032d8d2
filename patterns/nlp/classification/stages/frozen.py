"""Between baseline and model: a pretrained encoder left as it is, logistic regression on top.

    e = unit(mean of the encoder's token vectors) (D,),   p(c | text) = softmax(W e + b)_c

Texts are encoded once, then a fit takes seconds, one encoder serves any number of tasks, and a new
label needs no GPU. What it gives up is seen in the row below it: fine-tuning moves the vectors
themselves. The regularisation strength is chosen on validation; unit vectors have small
coordinates, so it is weaker than that of TF-IDF. Howard & Ruder 2018, § 5, compare the two.

Served as exported by `common.encoders.for_queries`, without torch. Of very many or very long
training texts a part is drawn: `characters` of them take about two minutes on two cores.

Shapes: N texts, C classes, D dimensions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from common.encoders import Encoder, OnnxEncoder, TransformerEncoder, for_queries, load_saved
from common.encoders.pretrained import find_transformer
from common.evaluation.splits import k_fold
from patterns.nlp.classification.entities.guides import Guide
from patterns.nlp.classification.entities.outputs import Outputs
from patterns.nlp.classification.entities.texts import Texts
from patterns.nlp.classification.stages.score import score

WEIGHTS, FACTS = "frozen.npz", "frozen.json"
STRENGTHS = (10.0, 30.0, 100.0)
SAMPLE = 64  # texts on which the export is compared
FOLDS, MOST_HELD_OUT = 5, 5_000_000  # texts times classes


class FrozenClassifier:
    """A sentence encoder that learns nothing, and logistic regression on its vectors."""

    kind = "frozen"

    def __init__(
        self,
        *,
        model: str = "auto",
        strengths: Sequence[float] = STRENGTHS,
        characters: int = 3_000_000,
        max_length: int = 256,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        """`strengths` are the values of C to choose from."""
        self.model, self.strengths, self.characters = model, tuple(strengths), characters
        self.max_length, self.device, self.seed = max_length, device, seed
        short = "MiniLM" if model == "auto" else model.rsplit("/", 1)[-1]
        self.name = f"{short} frozen + LR"
        self.encoder_: Encoder | None = None
        self.strength_: float | None = None
        self.read_share_ = 1.0  # of the training texts
        self.notice_: str | None = None  # what must be said of the export
        self.held_out_: np.ndarray | None = None  # (N, C) of the training texts
        self.weights_, self.bias_ = np.zeros((0, 0)), np.zeros(0)  # (C, D), (C,)

    def fit(self, train: Texts, valid: Texts) -> Self:
        """Encode, fit once per C, and keep the one with the best validation score.

        Raises `EncoderUnavailable` where the pretrained model is not available.
        """
        from sklearn.linear_model import LogisticRegression

        found = find_transformer(self.model)
        encoder = TransformerEncoder.from_found(
            found, max_length=self.max_length, device=self.device
        )
        rows = self._drawn(train)
        texts = [train.texts[row] for row in rows]
        vectors = encoder.encode(texts, precision="auto")  # (N, D)
        quick, self.notice_ = for_queries(encoder, texts[:SAMPLE])
        if isinstance(quick, OnnxEncoder):  # whole parts are judged before single texts are served
            quick = OnnxEncoder(quick.model, quick.tokens, name=quick.name, threads=0)
        self.encoder_ = quick
        valid_vectors = self.encoder_.encode(valid.texts)
        best = -1.0
        for strength in self.strengths:
            model = LogisticRegression(C=strength, max_iter=300, tol=1e-3)
            model.fit(vectors, train.labels[rows])
            reached = score(valid.labels, model.predict(valid_vectors))
            if reached > best:
                best, self.strength_ = reached, strength
                self.weights_, self.bias_ = model.coef_, model.intercept_
        self._fit_held_out(vectors, train.labels[rows])
        if len(self.weights_) == 1:  # two classes: sklearn has the log odds of the second
            self.weights_ = np.concatenate([np.zeros_like(self.weights_), self.weights_])
            self.bias_ = np.concatenate([np.zeros(1), self.bias_])
        return self

    def _fit_held_out(self, vectors: np.ndarray, labels: np.ndarray) -> None:
        """Find what fits without a text say of it, where all texts were read and none is absent."""
        from sklearn.linear_model import LogisticRegression

        classes = len(np.unique(labels))
        if self.read_share_ < 1 or len(labels) * classes > MOST_HELD_OUT or len(labels) < FOLDS:
            return
        self.held_out_ = np.zeros((len(labels), classes), np.float32)
        for kept, left in k_fold(len(labels), FOLDS, seed=self.seed):
            model = LogisticRegression(C=self.strength_, max_iter=300, tol=1e-3)
            model.fit(vectors[kept], labels[kept])
            self.held_out_[np.ix_(left, model.classes_)] = model.predict_proba(vectors[left])

    def guide(self) -> Guide:
        """Return what a fine-tuning may begin with and learn from."""
        return Guide(self.weights_, self.bias_, self.held_out_)

    def said(self) -> list[str]:
        """Return what must be said of the fit."""
        said = [f"{self.name}: {self.notice_}"] if self.notice_ else []
        if self.read_share_ < 1:
            said.append(f"{self.name} was trained on {self.read_share_:.0%} of the training texts.")
        return said

    def _drawn(self, train: Texts) -> np.ndarray:
        """Return the rows to encode: all, or some of each label where there is too much to read."""
        longest = 8 * self.max_length  # characters of a text that count: the end is not read
        lengths = np.array([min(len(text), longest) for text in train.texts])
        part = self.characters / max(int(lengths.sum()), 1)
        rows = np.arange(len(train))
        if part < 1:
            drawn = np.random.default_rng(self.seed).permutation(rows)[: int(part * len(rows))]
            rows = np.union1d(drawn, np.unique(train.labels, return_index=True)[1])
            self.read_share_ = len(rows) / len(train)
        return rows

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Return logits (N, C)."""
        return self.outputs(texts).logits

    def outputs(self, texts: Sequence[str]) -> Outputs:
        """Return logits (N, C) and the encoder's unit vectors (N, D)."""
        assert self.encoder_ is not None, "fit or load it first"
        vectors = self.encoder_.encode(texts)
        return Outputs(vectors @ self.weights_.T + self.bias_, vectors)

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """Return of each text whether its end is not read."""
        assert self.encoder_ is not None, "fit or load it first"
        return self.encoder_.truncates(texts)

    def save(self, folder: Path) -> None:
        """Write the encoder's files and the regression's weights."""
        assert self.encoder_ is not None, "fit it first"
        (folder / "encoder").mkdir()
        self.encoder_.save(folder / "encoder")
        np.savez(folder / WEIGHTS, weights=self.weights_, bias=self.bias_)
        write_json(folder / FACTS, {"model": self.model})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        stage = cls(**json.loads((folder / FACTS).read_text(encoding="utf-8")))
        stage.encoder_ = load_saved(folder / "encoder")
        with np.load(folder / WEIGHTS, allow_pickle=False) as arrays:
            stage.weights_, stage.bias_ = arrays["weights"], arrays["bias"]
        return stage
