"""The baseline: word by word, with a lexicon learned from the pairs by IBM Model 1.

Which word of a sentence is the translation of which is not given. Model 1 (Brown et al. 1993, § 4)
takes every word of the target f to come from one word of the source e, each as likely beforehand:

    p(f | e_1 … e_m) = Σ_i t(f | e_i) / (m + 1)            with an empty word e_0
    expect     c(f, e) = Σ over pairs of texts   t(f | e) / Σ_i t(f | e_i)
    maximise   t(f | e) = c(f, e) / Σ_f c(f, e)

A few rounds from the uniform t find what goes together. A text is then translated by the likeliest
word of each word, in the order of the source, with no grammar at all: what a learned translator
must beat. A word never seen stays as it is, which is right for names and numbers.

Shapes: P places where a source word and a target word stand in one pair of texts, L entries of the
lexicon (the distinct ones of P).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from patterns.nlp.translation.entities.pairs import Pairs

FILE = "lexicon.json"
TOKEN = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")
BEFORE, AFTER = re.compile(r"\s+(?=[.,;:!?%)\]}…»])"), re.compile(r"(?<=[(\[{¿¡«])\s+")


class Lexicon:
    """IBM Model 1, and the likeliest translation of each word.

    Training texts are read up to `most_places` places, since memory grows with their number.
    """

    name = "word by word"

    def __init__(self, *, rounds: int = 6, most_places: int = 20_000_000) -> None:
        self.rounds, self.most_places = rounds, most_places
        self.words_: dict[str, str] = {}
        self.log_likelihood_: list[float] = []  # of a target word, after each round
        self.read_ = 0  # pairs

    def fit(self, pairs: Pairs) -> Self:
        """Run the rounds, and keep the likeliest word of each source word."""
        sources, source_words = _numbered([tokens(text.lower()) for text in pairs.sources])
        targets, target_words = _numbered([tokens(text) for text in pairs.targets])
        if not source_words or not target_words:
            raise ValueError("texts: no words in the training pairs; give texts with words")
        self.read_ = _most_pairs(sources, targets, self.most_places)
        e, f, group = _places(
            sources[: self.read_], targets[: self.read_], len(source_words)
        )  # (P,)
        keys, entry = np.unique(e * len(target_words) + f, return_inverse=True)  # (L,), (P,)
        of_source = keys // len(target_words)  # (L,)
        t = np.ones(len(keys))
        self.log_likelihood_ = []
        for _ in range(self.rounds):
            whole = np.bincount(group, t[entry])  # (words of the target,) Σ_i t(f | e_i)
            counts = np.bincount(entry, t[entry] / whole[group], minlength=len(keys))  # (L,)
            t = counts / np.bincount(of_source, counts)[of_source]
            fit = np.log(np.bincount(group, t[entry]) / np.bincount(group))
            self.log_likelihood_.append(float(fit.mean()))
        best = np.lexsort((-t, of_source))  # the likeliest of each source word first
        first = best[np.unique(of_source[best], return_index=True)[1]]
        chosen = zip(
            of_source[first].tolist(), (keys[first] % len(target_words)).tolist(), strict=True
        )
        self.words_ = {
            source_words[source]: target_words[target]
            for source, target in chosen
            if source < len(source_words)  # the empty word has no translation
        }
        return self

    def translate(self, texts: Sequence[str]) -> list[str]:
        """Return each text with its words replaced; a capital at its start stays one."""
        assert self.words_, "fit or load it first"
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> str:
        words = tokens(text)
        said = joined([self.words_.get(word.lower(), word) for word in words])
        return said[:1].upper() + said[1:] if words and words[0][:1].isupper() else said

    def save(self, folder: Path) -> None:
        """Write the lexicon."""
        write_json(folder / FILE, {"words": self.words_})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved lexicon."""
        stage = cls()
        stage.words_ = json.loads((folder / FILE).read_text(encoding="utf-8"))["words"]
        return stage


def tokens(text: str) -> list[str]:
    """Return words and signs, cased as they are: "It's red." is It's, red and a full stop."""
    return TOKEN.findall(text)


def joined(words: Sequence[str]) -> str:
    """Return words as a text, without blanks before a comma or inside a bracket."""
    return AFTER.sub("", BEFORE.sub("", " ".join(words)))


def _numbered(texts: list[list[str]]) -> tuple[list[np.ndarray], list[str]]:
    """Number the words in order of appearance; return the numbers of each text, and the words."""
    numbers: dict[str, int] = {}
    found = [np.array([numbers.setdefault(w, len(numbers)) for w in text], int) for text in texts]
    return found, list(numbers)


def _most_pairs(sources: list[np.ndarray], targets: list[np.ndarray], places: int) -> int:
    """Return how many pairs, from the first on, have so many places at most; one at least."""
    sizes = [(len(a) + 1) * len(b) for a, b in zip(sources, targets, strict=True)]
    return max(1, int(np.searchsorted(np.cumsum(sizes), places, side="right")))


def _places(
    sources: list[np.ndarray], targets: list[np.ndarray], empty: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return source word, target word and number of the target word at each place, (P,) each.

    `empty` is the number of the empty word, which stands in every source text.
    """
    e, f, group = [], [], []
    words = 0
    for source, target in zip(sources, targets, strict=True):
        whole = np.append(source, empty)
        e.append(np.tile(whole, len(target)))
        f.append(np.repeat(target, len(whole)))
        group.append(np.repeat(np.arange(words, words + len(target)), len(whole)))
        words += len(target)
    return np.concatenate(e), np.concatenate(f), np.concatenate(group)
