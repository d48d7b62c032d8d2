"""Metrics of ranked lists: how good is the order a search or recommendation pipeline answers with.

A ranked list reaches this file as its gains in rank order: `relevance[b, r]` is the grade of the
item that query b shows at rank r + 1, 0 for an irrelevant item and for padding. What the list has
missed is known from the judgments: `total_relevant[b]` counts the relevant items of query b,
`ideal[b]` holds their gains. `judge` makes all three from item ids.

    DCG@k  = Σ_{r<k} g(relevance_r) / log2(r + 2)          NDCG@k = DCG@k / DCG@k of the ideal order
    AP@k   = Σ_{r<k, relevant} Precision@(r+1) / total     RR     = 1 / rank of the first relevant

Every metric answers one value per query (B,); take the mean outside. A query without a relevant
item scores 0, as in trec_eval: leave such queries out first if they should not count. Lists shorter
than k count as if filled with irrelevant items. Source: Järvelin and Kekäläinen, ACM TOIS 20(4),
2002; Manning et al., Introduction to Information Retrieval, ch. 8. Equal to trec_eval on lists
without ties.

Shapes: B queries or users, K ranks, M judged items of a query, N items of the catalogue, D
dimension.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from common.evaluation.checks import (
    Booleans,
    Floats,
    Integers,
    classes_of,
    numbers,
    same_length,
    whole,
)
from common.vectors import unit_rows

if TYPE_CHECKING:
    from scipy import sparse

Gain = Literal["linear", "exponential"]


@dataclass(frozen=True)
class Judged:
    """Ranked lists with their judgments looked up: the arguments of the metrics below."""

    relevance: Floats
    """Gains of the lists in rank order (B, K)."""
    ideal: Floats
    """Gains of each query's relevant items, best first, padded with 0 (B, M)."""
    total_relevant: Integers
    """Number of relevant items of each query (B,)."""


def judge(ranked: ArrayLike, truth: "sparse.csr_array | sparse.csr_matrix") -> Judged:
    """Look the gains of ranked item rows up in a matrix of judgments.

    `ranked` (B, K) holds item rows in rank order, -1 where a list is shorter; `truth` (B, N) holds
    the gains, rows in the same order. An item ranked twice in one list, a negative gain or an item
    outside the matrix raises.
    """
    from scipy import sparse

    ranked = np.asarray(ranked, dtype=np.int64)
    truth = sparse.csr_array(truth, dtype=np.float64)
    truth.sum_duplicates()
    truth.eliminate_zeros()
    queries, items = truth.shape
    if ranked.ndim != 2 or len(ranked) != queries:
        raise ValueError(f"ranked has shape {ranked.shape}: pass ({queries}, K), a row per query")
    if ranked.size and (ranked.max() >= items or ranked.min() < -1):
        raise ValueError(f"ranked holds items outside 0 … {items - 1}: pass item rows, -1 to pad")
    _no_repeats(ranked)
    numbers("truth", truth.data)
    if truth.nnz and truth.data.min() < 0:
        raise ValueError("truth holds negative gains: clip them at 0")

    total_relevant = np.diff(truth.indptr).astype(np.int64)  # (B,)
    rows = np.repeat(np.arange(queries), total_relevant)
    keys = rows * items + truth.indices  # sorted: csr rows in order, columns sorted within
    wanted = np.arange(queries)[:, None] * items + ranked  # (B, K)
    place = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    found = (ranked >= 0) & (keys[place] == wanted) if len(keys) else np.zeros(ranked.shape, bool)
    relevance = np.where(found, truth.data[place], 0.0) if len(keys) else np.zeros(ranked.shape)

    ideal = np.zeros((queries, int(total_relevant.max(initial=0))))  # (B, M)
    best_first = np.lexsort((-truth.data, rows))
    ideal[rows, np.arange(len(rows)) - truth.indptr[rows]] = truth.data[best_first]
    return Judged(relevance, ideal, total_relevant)


def dcg(relevance: ArrayLike, k: int, *, gain: Gain = "linear") -> Floats:
    """Discounted cumulative gain of the first k ranks (B,); `gain` "exponential" is 2^g - 1."""
    gains = _gains(_lists("relevance", relevance)[:, : whole("k", k)], gain)  # (B, min(K, k))
    return np.asarray(gains @ _discounts(gains.shape[1]))


def ndcg(relevance: ArrayLike, ideal: ArrayLike, k: int, *, gain: Gain = "linear") -> Floats:
    """Normalised DCG@k in [0, 1] (B,).

    `ideal` is either the gains of all relevant items of each query, in any order, padded with 0
    (B, M), or, where all gains are 1, their number (B,). A list that collects more than its ideal
    raises: `ideal` must count the items that were not retrieved too.
    """
    lists = _lists("relevance", relevance)
    found = dcg(lists, k, gain=gain)
    best = _ideal_dcg(numbers("ideal", ideal, dimensions=np.ndim(ideal)), k, gain)
    same_length(relevance=lists, ideal=best)
    too_good = found > best * (1 + 1e-9) + 1e-12
    if too_good.any():
        raise ValueError(
            f"ideal of query row {int(np.argmax(too_good))} is below the gain of its list: "
            "pass the gains of all its relevant items"
        )
    return np.minimum(_ratio(found, best), 1.0)


def ndcg_grouped(
    labels: ArrayLike, scores: ArrayLike, groups: ArrayLike, k: int, *, gain: Gain = "linear"
) -> Floats:
    """NDCG@k of judged candidates re-ranked by score, per group in ascending order of its id (Q,).

    `labels`, `scores` and `groups` (N,) describe one candidate a row, in any order; the candidates
    of a group are also its ideal. Candidates of equal score share the mean of their gains, which is
    the expected NDCG over random tie-breaking (McSherry and Najork, ECIR 2008): a constant scorer
    gains nothing from the order of the rows. Equal to `sklearn.metrics.ndcg_score` on each group.
    """
    gains = _gains(_non_negative("labels", numbers("labels", labels)), gain)
    scores = numbers("scores", scores)
    group_ids, group_rows = np.unique(np.asarray(groups), return_inverse=True)
    same_length(labels=gains, scores=scores, groups=group_rows)
    k = whole("k", k)
    if not len(gains):
        return np.zeros(0)

    order = np.lexsort((-scores, group_rows))
    group_rows, scores, gains = group_rows[order], scores[order], gains[order]
    starts = np.searchsorted(group_rows, np.arange(len(group_ids)))
    rank = np.arange(len(gains)) - starts[group_rows]  # (N,) from 0
    discount = np.where(rank < k, 1.0 / np.log2(rank + 2.0), 0.0)

    new_run = np.append(True, (np.diff(group_rows) != 0) | (np.diff(scores) != 0))
    runs = np.flatnonzero(new_run)  # first row of each run of equal scores
    sizes = np.diff(np.append(runs, len(gains)))
    shared = np.add.reduceat(gains, runs) / sizes * np.add.reduceat(discount, runs)
    found = np.bincount(group_rows[runs], weights=shared, minlength=len(group_ids))
    best_first = gains[np.lexsort((-gains, group_rows))]
    best = np.bincount(group_rows, weights=best_first * discount, minlength=len(group_ids))
    return np.minimum(_ratio(found, best), 1.0)


def recall(relevance: ArrayLike, total_relevant: ArrayLike, k: int) -> Floats:
    """Share of a query's relevant items among its first k ranks (B,)."""
    hits = _hits(relevance)
    total = _totals(total_relevant, hits)
    return _ratio(hits[:, : whole("k", k)].sum(axis=1), total)


def precision(relevance: ArrayLike, k: int) -> Floats:
    """Share of relevant items among the first k ranks (B,), divided by k for a shorter list too."""
    return np.asarray(_hits(relevance)[:, : whole("k", k)].sum(axis=1) / k)


def mrr(relevance: ArrayLike, k: int | None = None) -> Floats:
    """Reciprocal rank of the first relevant item (B,), 0 without one in the first k or the list."""
    hits = _hits(relevance)
    hits = hits if k is None else hits[:, : whole("k", k)]
    if not hits.shape[1]:
        return np.zeros(len(hits))
    return np.where(hits.any(axis=1), 1.0 / (hits.argmax(axis=1) + 1.0), 0.0)


def average_precision(
    relevance: ArrayLike, total_relevant: ArrayLike, k: int | None = None
) -> Floats:
    """Mean precision at the ranks of all relevant items (B,), 0 for those missed; its mean is MAP.

    Divided by `total_relevant` even where that is above k, as trec_eval's map_cut does; some
    recommender papers divide by min(total, k) and report more.
    """
    hits = _hits(relevance)
    total = _totals(total_relevant, hits)
    hits = hits if k is None else hits[:, : whole("k", k)]
    precisions = np.cumsum(hits, axis=1) / np.arange(1.0, hits.shape[1] + 1.0)  # (B, K)
    return _ratio((precisions * hits).sum(axis=1), total)


def intra_list_similarity(item_vectors: ArrayLike, ranked: ArrayLike) -> Floats:
    """Mean cosine similarity over the pairs of items in each list (B,): 1 all alike, 0 unrelated.

    `item_vectors` (N, D), `ranked` (B, K) item rows with -1 for padding. The pair sum comes from
    |Σ v|² - Σ |v|² without forming pairs. A list of fewer than two items repeats nothing: 0; so
    does a zero vector. Source: Ziegler et al., WWW 2005, with the mean in place of the sum.
    """
    vectors = numbers("item_vectors", item_vectors, dimensions=2)
    ranked = np.asarray(ranked, dtype=np.int64)
    if ranked.ndim != 2 or (ranked.size and ranked.max() >= len(vectors)):
        raise ValueError(f"ranked must be (B, K) item rows below {len(vectors)}, -1 to pad")
    units = unit_rows(vectors)
    shown = ranked >= 0  # (B, K)
    listed = units[np.where(shown, ranked, 0)] if len(units) else np.zeros((*ranked.shape, 0))
    listed = listed * shown[:, :, None]  # (B, K, D)
    summed = listed.sum(axis=1)
    pairs = (summed**2).sum(axis=1) - (listed**2).sum(axis=(1, 2))
    count = shown.sum(axis=1).astype(np.float64)
    return _ratio(pairs, count * (count - 1.0))


def coverage(ranked: ArrayLike, catalogue_size: int) -> float:
    """Share of the catalogue that appears in at least one list; -1 is padding."""
    ranked = np.asarray(ranked, dtype=np.int64)
    whole("catalogue_size", catalogue_size)
    if ranked.size and ranked.max() >= catalogue_size:
        raise ValueError(f"catalogue_size is {catalogue_size}, but item {ranked.max()} is ranked")
    return len(np.unique(ranked[ranked >= 0])) / catalogue_size


def novelty(ranked: ArrayLike, interaction_counts: ArrayLike, users: int) -> Floats:
    """Mean self-information of the items in each list, in bits (B,): 0 is known to all.

    -log2 of the share of training users who know the item, (count + 1) / (users + 1), the 1 keeping
    an item nobody has seen finite. `interaction_counts` (N,); an empty list scores 0. Source:
    Vargas and Castells, RecSys 2011.
    """
    counts = _non_negative("interaction_counts", numbers("interaction_counts", interaction_counts))
    ranked = np.asarray(ranked, dtype=np.int64)
    if counts.max(initial=0.0) > whole("users", users):
        raise ValueError(f"users is {users}, below an item's count: pass distinct users per item")
    if ranked.ndim != 2 or (ranked.size and ranked.max() >= len(counts)):
        raise ValueError(f"ranked must be (B, K) item rows below {len(counts)}, -1 to pad")
    bits = np.append(-np.log2((counts + 1.0) / (users + 1.0)), 0.0)  # last: the padding
    shown = ranked >= 0
    summed = bits[np.where(shown, ranked, len(counts))].sum(axis=1)
    return _ratio(summed, shown.sum(axis=1).astype(np.float64))


def _lists(name: str, values: ArrayLike) -> Floats:
    return _non_negative(name, numbers(name, values, dimensions=2))


def _non_negative(name: str, values: Floats) -> Floats:
    if values.size and values.min() < 0:
        raise ValueError(f"{name} holds {values.min():g}: gains and counts start at 0, clip them")
    return values


def _hits(relevance: ArrayLike) -> Booleans:
    return _lists("relevance", relevance) > 0  # (B, K)


def _totals(total_relevant: ArrayLike, hits: Booleans) -> Integers:
    total = classes_of("total_relevant", total_relevant)
    same_length(relevance=hits, total_relevant=total)
    short = hits.sum(axis=1) > total
    if short.any():
        raise ValueError(
            f"total_relevant of query row {int(np.argmax(short))} is below the relevant items of "
            "its list: count all relevant items of the query"
        )
    return total


def _gains(grades: Floats, gain: Gain) -> Floats:
    if gain not in ("linear", "exponential"):
        raise ValueError(f"gain is {gain!r}: pass 'linear' or 'exponential'")
    return grades if gain == "linear" else np.exp2(grades) - 1.0


def _discounts(ranks: int) -> Floats:
    return 1.0 / np.log2(np.arange(ranks) + 2.0)


def _ideal_dcg(ideal: Floats, k: int, gain: Gain) -> Floats:
    if ideal.ndim == 1:  # numbers of items of gain 1
        counts = np.minimum(classes_of("ideal", ideal), k)
        return np.append(0.0, np.cumsum(_discounts(int(counts.max(initial=0)))))[counts]
    best_first = -np.sort(-_lists("ideal", ideal), axis=1)
    return dcg(best_first, k, gain=gain)


def _ratio(above: np.ndarray, below: np.ndarray) -> Floats:
    """Division with 0 / 0 = 0: the query has nothing to find."""
    out = np.zeros(len(above))
    return np.divide(above, below, out=out, where=below > 0)


def _no_repeats(ranked: Integers) -> None:
    ordered = np.sort(ranked, axis=1)
    repeated = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1)
    if repeated.any():
        raise ValueError(
            f"ranked row {int(np.argmax(repeated))} holds an item twice: remove duplicates, "
            "or its gain counts twice"
        )
