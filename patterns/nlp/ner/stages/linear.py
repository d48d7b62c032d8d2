"""A linear model of each word: the word, how it is written, its ends, and its neighbours.

    p(y | t) = softmax(W φ(t) + b)_y,   W minimises log loss + |W|² / (2 C)

φ are the features of taggers before networks (Ratnaparkhi 1996; Zhang & Johnson 2003): word, shape,
prefixes and suffixes at t, words and shapes at t ± 1 and t ± 2, pairs of them. They are hashed to a
fixed number of columns, so nothing needs to be kept but W. It trains in seconds, and generalises to
names that it never saw, by how they are written and what stands beside them.

It stands in for the encoder where no transformer is available, which the pipeline then says.

Shapes: N words in all, n of a sentence, F columns, C tags.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from common.evaluation.spans import counts_of_tags
from patterns.nlp.ner.entities.sentences import Sentences, Words
from patterns.nlp.ner.entities.tags import TagSet
from patterns.nlp.ner.stages.decoding import Decoder
from patterns.nlp.ner.stages.shapes import case_of, shape_word

FILE = "linear.npz"
STRENGTHS = (1.0, 10.0)


class LinearTagger:
    """Multinomial logistic regression; `strengths` are the values of C to choose from."""

    kind = "linear"
    name = "linear"

    def __init__(
        self, *, tags: TagSet, strengths: Sequence[float] = STRENGTHS, columns: int = 1 << 16
    ) -> None:
        """`columns` is a power of two."""
        self.tags, self.strengths, self.columns = tags, tuple(strengths), columns
        self.strength_: float | None = None
        self.weights_: np.ndarray | None = None  # (F, C) float32
        self.bias_: np.ndarray | None = None  # (C,)
        self.decoder_ = Decoder(tags=tags)

    def fit(self, train: Sentences, valid: Sentences) -> Self:
        """Fit once per C and keep the one with the best entity F1 on validation."""
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits

        rows = self._rows(train.words)
        labels = np.concatenate([self.tags.numbers(tags) for tags in train.tags])
        best = -1.0
        for strength in self.strengths:
            # Sparse rows give BLAS little to do at a time: threads would only wait for each other.
            with threadpool_limits(1):
                model = LogisticRegression(C=strength, max_iter=100, tol=1e-2)
                model.fit(rows, labels)
            weights, bias = self._spread(model)
            said = self.decoder_.decode(self._scores(valid.words, weights, bias))
            found = counts_of_tags(valid.tags, said).f1
            if found > best:
                best, self.strength_ = found, strength
                self.weights_, self.bias_ = weights, bias
        return self

    def predict(self, sentences: Sequence[Words]) -> list[np.ndarray]:
        """Return the log probabilities (n, C) of each sentence."""
        assert self.weights_ is not None and self.bias_ is not None, "fit or load it first"
        return self._scores(sentences, self.weights_, self.bias_)

    def truncates(self, sentences: Sequence[Words]) -> list[bool]:
        """Tell of each sentence whether a part of it is not read; this stage reads all."""
        return [False] * len(sentences)

    def save(self, folder: Path) -> None:
        """Write the weights."""
        assert self.weights_ is not None and self.bias_ is not None, "fit it first"
        self.decoder_.save(folder)
        np.savez_compressed(folder / FILE, weights=self.weights_, bias=self.bias_)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        decoder = Decoder.load(folder)
        with np.load(folder / FILE) as kept:
            weights, bias = kept["weights"], kept["bias"]
        stage = cls(tags=decoder.tags, columns=len(weights))
        stage.weights_, stage.bias_, stage.decoder_ = weights, bias, decoder
        return stage

    def _rows(self, sentences: Sequence[Words]) -> Any:
        """Return the features of all words as a sparse matrix (N, F) of ones."""
        from scipy.sparse import csr_matrix

        mask, columns, ends = self.columns - 1, [], [0]
        for words in sentences:
            for features in features_of(words):
                columns += [zlib.crc32(each.encode("utf-8", "replace")) & mask for each in features]
                ends.append(len(columns))
        ones = np.ones(len(columns), dtype=np.float32)
        return csr_matrix((ones, columns, ends), shape=(len(ends) - 1, self.columns))

    def _scores(
        self, sentences: Sequence[Words], weights: np.ndarray, bias: np.ndarray
    ) -> list[np.ndarray]:
        scores = np.asarray(self._rows(sentences) @ weights) + bias  # (N, C)
        highest = scores.max(axis=1, keepdims=True, initial=-np.inf)
        scores = scores - highest - np.log(np.exp(scores - highest).sum(axis=1, keepdims=True))
        ends = np.cumsum([len(words) for words in sentences])
        return np.split(scores, ends[:-1]) if len(sentences) else []

    def _spread(self, model: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return weights and bias of all C tags; one that training lacks is very unlikely."""
        weights = np.zeros((self.columns, len(self.tags)), dtype=np.float32)
        bias = np.full(len(self.tags), -20.0, dtype=np.float32)
        if len(model.classes_) == 2:  # sklearn gives the log odds of the second alone
            weights[:, model.classes_[1]], bias[model.classes_[0]] = model.coef_[0], 0.0
            bias[model.classes_[1]] = model.intercept_[0]
        else:
            weights[:, model.classes_] = model.coef_.T
            bias[model.classes_] = model.intercept_
        return weights, bias


def features_of(words: Words) -> Iterator[list[str]]:
    """Yield the features of each word of a sentence, as strings."""
    small = ["<<", "<", *(word.lower() for word in words), ">", ">>"]
    written = ["<<", "<", *map(shape_word, words), ">", ">>"]
    for place, word in enumerate(words):
        at = place + 2
        lower, shape = small[at], written[at]
        yield [
            f"w={lower}", f"s={shape}", f"c={case_of(word)}", f"W={word}",
            *(f"p={lower[:size]}" for size in range(1, 5)),
            *(f"e={lower[-size:]}" for size in range(1, 5)),
            *(f"w{step}={small[at + step]}" for step in (-2, -1, 1, 2)),
            *(f"s{step}={written[at + step]}" for step in (-2, -1, 1, 2)),
            f"ww={small[at - 1]} {lower}", f"w+={lower} {small[at + 1]}",
            f"ss={written[at - 1]} {shape} {written[at + 1]}", f"sw={shape} {small[at - 1]}",
            f"sn={shape} {small[at + 1]}", f"f={place == 0} {shape}",
        ]  # fmt: skip
