"""Exact match and F1 of answers, as SQuAD's evaluation defines them.

    plain(s) = s in lower case, without ASCII punctuation, without a, an, the, spaces made one
    EM = [plain(said) = plain(right)]
    F1 = 2 P R / (P + R) of the words of both, each counted as often as it stands in both

A question counts with its best right answer. Without right answers, saying nothing is right and
anything else wrong, as SQuAD 2.0 has it; so do two answers that are plain nothing agree. Rajpurkar
et al. 2016 (§ 6.1) and 2018.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def plain(text: str) -> str:
    """Return the form in which answers are compared."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(said: str, right: Sequence[str]) -> float:
    """Return 1 where an answer equals one of the right ones, plainly, else 0."""
    return float(any(plain(said) == plain(each) for each in right or ("",)))


def f1(said: str, right: Sequence[str]) -> float:
    """Return the F1 of an answer with the right one that it shares most words with."""
    return max(_f1(plain(said).split(), plain(each).split()) for each in right or ("",))


def exact_matches(said: Sequence[str], right: Sequence[Sequence[str]]) -> np.ndarray:
    """Return the exact match of each answer (N,)."""
    return np.array([exact_match(*each) for each in zip(said, right, strict=True)])


def f1_scores(said: Sequence[str], right: Sequence[Sequence[str]]) -> np.ndarray:
    """Return the F1 of each answer (N,)."""
    return np.array([f1(*each) for each in zip(said, right, strict=True)])


def holds(text: str, answer: str) -> bool:
    """Tell whether an answer stands in a text, plainly and in whole words."""
    return bool(plain(answer)) and f" {plain(answer)} " in f" {plain(text)} "


def _f1(said: list[str], right: list[str]) -> float:
    if not said or not right:
        return float(said == right)
    shared = sum((Counter(said) & Counter(right)).values())
    return 2 * shared / (len(said) + len(right))
