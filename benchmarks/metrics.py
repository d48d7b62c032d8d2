"""Our ranking metrics against trusted libraries: equal values, and the time they take.

    python -m benchmarks.metrics           seconds; keeps the result and renders the README
    python -m benchmarks.metrics --smoke   less, keeps nothing

trec_eval is the reference of the field; `pytrec_eval` binds it and, like scikit-learn, comes with
the extra `[dev]`. The lists have no ties, of which each library has its own idea. trec_eval reads
dictionaries; making them is not counted, while looking our judgments up is.

Shapes: `Q` queries, `N` items, `K` ranks.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.timing import interleaved, is_smoke, keep, one_thread
from common import console
from common.evaluation import ranking
from common.evaluation.report import Report, Row, Table
from data.tables import Source

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

COLUMNS = ("library ms", "ours ms", "ratio", "largest difference")
MEASURES = ("ndcg_cut_10", "map", "recip_rank", "recall_100", "P_10")


def main(arguments: Sequence[str]) -> int:
    """Measure, print, keep."""
    smoke = is_smoke("metrics", __doc__ or "", arguments)
    one_thread()
    started = time.perf_counter()
    queries = 100 if smoke else 2_000
    report = Report("metrics", _source(queries))
    console.header("benchmark metrics", report.source, None)
    ranked, truth = world(queries)
    with console.stage("measuring"):
        repeats = 3 if smoke else 15
        rows = [*against_trec_eval(ranked, truth, repeats), against_sklearn(queries, repeats)]
    caption = "All queries at once. The difference is the largest over queries and metrics."
    report.tables.append(Table("our metrics against the libraries", COLUMNS, tuple(rows), caption))
    console.table(report.tables[0])
    if not smoke:
        packages = ("pytrec-eval-terrier", "scikit-learn", "scipy")
        keep("metrics", report, started=started, packages=packages)
    return 0


def world(
    queries: int, *, items: int = 5_000, ranks: int = 100, seed: int = 0
) -> tuple[np.ndarray, csr_matrix]:
    """Make ranked lists (Q, K) and judgments (Q, N) of grades 1 to 3, some of them retrieved."""
    from scipy.sparse import csr_matrix

    rng = np.random.default_rng(seed)
    ranked = np.stack([rng.choice(items, ranks, replace=False) for _ in range(queries)])
    rows, columns = [], []
    for query in range(queries):
        found = rng.choice(ranked[query], rng.integers(0, 15), replace=False)
        relevant = np.union1d(found, rng.choice(items, rng.integers(1, 15), replace=False))
        rows += [query] * len(relevant)
        columns += relevant.tolist()
    grades = rng.integers(1, 4, size=len(rows)).astype(np.float64)
    return ranked, csr_matrix((grades, (rows, columns)), shape=(queries, items))


def ours(ranked: np.ndarray, truth: csr_matrix) -> np.ndarray:
    """Compute `MEASURES` of each query: (5, Q)."""
    judged = ranking.judge(ranked, truth)
    relevance, total = judged.relevance, judged.total_relevant
    return np.stack(
        [
            ranking.ndcg(relevance, judged.ideal, 10),
            ranking.average_precision(relevance, total),
            ranking.mrr(relevance),
            ranking.recall(relevance, total, 100),
            ranking.precision(relevance, 10),
        ]
    )


def against_trec_eval(ranked: np.ndarray, truth: csr_matrix, repeats: int) -> list[Row]:
    """Compare five metrics at once, and NDCG alone."""
    import pytrec_eval

    truth.sort_indices()
    judgments = {
        f"q{row}": {
            f"d{item}": int(grade)
            for item, grade in zip(truth[row].indices, truth[row].data, strict=True)
        }
        for row in range(len(ranked))
    }
    scores = {
        f"q{row}": {f"d{item}": float(-rank) for rank, item in enumerate(items)}
        for row, items in enumerate(ranked.tolist())
    }

    def theirs(measures: Sequence[str]) -> np.ndarray:
        evaluator = pytrec_eval.RelevanceEvaluator(judgments, set(measures))
        found = evaluator.evaluate(scores)
        return np.array([[found[query][name] for query in judgments] for name in measures])

    def ours_ndcg() -> np.ndarray:
        judged = ranking.judge(ranked, truth)
        return ranking.ndcg(judged.relevance, judged.ideal, 10)

    return [
        _row("trec_eval: NDCG@10", lambda: theirs(MEASURES[:1]), ours_ndcg, repeats),
        _row(
            "trec_eval: NDCG@10, MAP, MRR, recall@100, P@10",
            lambda: theirs(MEASURES),
            lambda: ours(ranked, truth),
            repeats,
        ),
    ]


def against_sklearn(queries: int, repeats: int, *, candidates: int = 50, seed: int = 0) -> Row:
    """Compare NDCG of judged candidates, scores tied included."""
    from sklearn.metrics import ndcg_score

    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, size=(queries, candidates)).astype(np.float64)
    scores = np.round(rng.random((queries, candidates)), 2)  # ties
    groups = np.repeat(np.arange(queries), candidates)

    def theirs() -> float:
        return float(ndcg_score(labels, scores, k=10))

    def own() -> float:
        return float(ranking.ndcg_grouped(labels.ravel(), scores.ravel(), groups, 10).mean())

    return _row("scikit-learn: NDCG@10, ties shared", theirs, own, repeats)


def _row(name: str, theirs: Callable[[], Any], own: Callable[[], Any], repeats: int) -> Row:
    seconds = interleaved({"library": theirs, "ours": own}, repeats=repeats)
    values: dict[str, Any] = {
        "library ms": 1000 * seconds["library"],
        "ours ms": 1000 * seconds["ours"],
        "ratio": seconds["ours"] / seconds["library"],
        "largest difference": f"{np.abs(np.asarray(theirs()) - np.asarray(own())).max():.0e}",
    }
    return Row(name, values)


def _source(queries: int) -> Source:
    return Source(
        name="simulated-judgments",
        origin="simulated",
        title="Simulated judgments",
        licence="Generated by this project, Apache-2.0",
        checksums={},
        rows=f"{queries:,} queries",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
