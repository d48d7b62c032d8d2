"""BLEU from counts of sentences, which can be summed, resampled and compared in pairs.

    BLEU = 100 · min(1, exp(1 − r / c)) · (p_1 p_2 p_3 p_4)^¼,   p_n = matches_n / n-grams_n

BLEU (Papineni et al. 2002) is of a whole test set: matches and lengths are summed over all
sentences before anything is divided. So its interval resamples the counts of sentences, not a score
of each. Tokens and counts are sacreBLEU's (Post 2018), whose `signature` says how they were made;
summing is done here for many resamples at once, and a test holds it equal to sacreBLEU's.

Shapes: N sentences, S resamples; counts (…, 10): matches of 1- to 4-grams, n-grams of the same
lengths, length of the translation c, length of the reference r.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sacrebleu.metrics import BLEU

ORDERS = 4


def bleu(translations: Sequence[str], references: Sequence[str]) -> float:
    """Return cased sacreBLEU, 0 to 100."""
    return float(score(counts(translations, references).sum(axis=0)))


def counts(
    translations: Sequence[str], references: Sequence[str], *, lowercase: bool = False
) -> np.ndarray:
    """Return what BLEU needs of each sentence, (N, 10)."""
    metric = _metric(lowercase)
    rows = []
    for said, reference in zip(translations, references, strict=True):
        found = metric.sentence_score(said, [reference])
        rows.append([*found.counts, *found.totals, found.sys_len, found.ref_len])
    return np.array(rows, dtype=np.float64).reshape(-1, 2 * ORDERS + 2)


def score(summed: np.ndarray) -> np.ndarray:
    """Return BLEU (…) of summed counts (…, 10); an order without a match is smoothed as there.

    The first such order counts as 1/2 match, the next as 1/4 and so on ("exp").
    """
    matches, grams = summed[..., :ORDERS], summed[..., ORDERS : 2 * ORDERS]
    said, reference = summed[..., -2], summed[..., -1]
    missing = (matches == 0) & (grams > 0)
    smoothed = np.where(missing, 0.5 ** np.cumsum(missing, axis=-1), matches)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = smoothed / grams  # an order without n-grams makes BLEU 0
        logs = np.log(np.where(grams > 0, precision, 0.0))
        brevity = np.where(said < reference, np.exp(1 - reference / said), 1.0)
        value = 100 * brevity * np.exp(logs.mean(axis=-1))
    return np.where((said > 0) & (matches[..., 0] > 0), value, 0.0)


def resampled(found: np.ndarray, *, samples: int = 1000, seed: int = 0) -> np.ndarray:
    """Return BLEU (S,) of resamples of N sentences, by their counts (N, 10).

    The same N and seed draw the same sentences, which makes differences of two systems paired.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(found), np.full(len(found), 1 / len(found)), size=samples)  # (S, N)
    return score(drawn @ found)


def chrf(translations: Sequence[str], references: Sequence[str]) -> float:
    """Return chrF (Popović 2015), an F-score of character n-grams, 0 to 100."""
    from sacrebleu.metrics import CHRF

    return float(CHRF().corpus_score(list(translations), [list(references)]).score)


def signature() -> str:
    """Return how sacreBLEU counts, for the caption of a table."""
    from sacrebleu.metrics import BLEU

    metric = BLEU()
    metric.corpus_score(["a"], [["a"]])  # the number of references is known from here on
    return str(metric.get_signature())


@cache
def _metric(lowercase: bool) -> BLEU:
    from sacrebleu.metrics import BLEU

    return BLEU(lowercase=lowercase, effective_order=True)  # counts of short sentences too
